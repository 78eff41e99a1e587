"""Real rows that a model fills up or adds to: read, and written in the dialect of their file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tabsynth.cli.arguments import as_labels
from tabsynth.cli.files import (
    STANDARD,
    Outputs,
    Writer,
    check_inputs,
    check_standard_input,
    read,
    shown,
)
from tabsynth.cli.plan import show_files
from tabsynth.cli.terminal import Terminal
from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.io import TableFile
    from tabsynth.synthesizer import Synthesizer

NOTE = "holds the real rows: not de-identified, as confidential as the source"


@dataclass(frozen=True)
class Filled:
    """A model and a table of real rows, and where the rows go that are made of them.

    Attributes
    ----------
    synthesizer : Synthesizer
    source : TableFile
    table : DataFrame
        The table, its texts as the values that the model knows.
    seed : int
    drawn : bool
        Whether the seed was drawn.
    """

    synthesizer: Synthesizer
    source: TableFile
    table: pd.DataFrame
    seed: int
    drawn: bool

    @classmethod
    def read(
        cls,
        terminal: Terminal,
        model: str,
        table: str,
        seed: int | None,
        input_format: str | None,
        delimiter: str | None,
        encoding: str | None,
    ) -> Filled:
        """Read the model file and the table."""
        from tabsynth.random import Streams
        from tabsynth.synthesizer import Synthesizer

        terminal.begin(f"reading {shown(model)}")
        synthesizer = Synthesizer.load(model)
        source = read(terminal, table, input_format, delimiter, encoding)
        frame = as_labels(source.frame, synthesizer.codec_)
        for name in frame.columns:
            if frame[name].dtype != source.frame[name].dtype:
                # What were texts are labels now, so the texts that mean missing are told here.
                schema = synthesizer.schema_
                marks = list(schema.missing_of(schema[name]))
                frame[name] = frame[name].where(~source.frame[name].isin(marks), None)
        return cls(synthesizer, source, frame, Streams(seed).seed, seed is None)

    @property
    def again(self) -> str:
        """The seed in words."""
        more = f" (drawn at random; give --seed {self.seed} to repeat this run)"
        return f"seed {self.seed}{more if self.drawn else ''}"

    def add(
        self, terminal: Terminal, made: pd.DataFrame, output: str, outputs: Outputs
    ) -> dict[str, Any]:
        """Write rows that were added to the table; return what is said of them for JSON."""
        terminal.begin("writing the file")
        outputs.write({"table": self.writer(made, output)}, terminal)
        n_real = len(self.table)
        return {
            "rows": {"real": n_real, "synthetic": len(made) - n_real},
            "seed": self.seed,
            "files": outputs.files,
        }

    def show_added(self, terminal: Terminal, outputs: Outputs, told: dict[str, Any]) -> None:
        """Print how many rows were added, and where they are."""
        rows = told["rows"]
        terminal.say(
            f"Added {rows['synthetic']:,} synthetic rows to {rows['real']:,} real ones with "
            f"{self.again}."
        )
        show_files(terminal, outputs.on_disk, {"table": NOTE})

    def writer(self, table: pd.DataFrame, output: str) -> Writer:
        """Return what writes a table, in the dialect of the source where its format is that."""
        from tabsynth.io import write_table

        format = self.source.format if output == STANDARD else format_of(output)
        details = self.source.details if format == self.source.format else {}
        return lambda place: write_table(table, place, format=format, details=details, force=True)


def format_of(output: str) -> str:
    """Return the format that the suffix of an output says."""
    from tabsynth.io.tables import find_format

    return find_format(output)[0].name


def check(
    model: str,
    table: str,
    names: Sequence[str],
    force: bool,
    as_json: bool,
    input_format: str | None,
) -> Outputs:
    """Check inputs and outputs before anything is done, and return the outputs.

    Raises
    ------
    ConfigError, DataError
        If files are not there, or cannot be written as is asked for.
    """
    if as_json and STANDARD in names:
        raise ConfigError("--json and -o - both want standard output. Name a file for one.")
    if model == STANDARD:
        raise ConfigError("The model cannot be read from standard input. Name its file.")
    check_standard_input(input_format, table)
    check_inputs(model, table)
    kinds = ["table"] if len(names) == 1 else [f"table {n}" for n in range(1, len(names) + 1)]
    outputs = Outputs(dict(zip(kinds, names, strict=True)), force, [model, table])
    outputs.check()
    for name in names:
        if name != STANDARD:
            format_of(name)
    return outputs

"""tabsynth sample: rows from a model file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabsynth.cli import options
from tabsynth.cli.arguments import RowCount, as_labels, read_fair, read_given
from tabsynth.cli.files import STANDARD, Outputs, check_inputs, read, shown
from tabsynth.cli.plan import show_choice, show_files
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    from tabsynth.synthesizer import Synthesizer

CHUNK = 200_000
"""Rows made and written at a time, where no column holds keys."""


def sample(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model file.", show_default=False)],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Where the rows go: .csv, .tsv, .jsonl (each also .gz) or .parquet; '-' for "
            "standard output.",
        ),
    ],
    rows: Annotated[
        str | None,
        typer.Option(
            "--rows",
            "-n",
            metavar="N|2x",
            help="Rows to make: a number, or a multiple of the rows learnt from. Required without "
            "--given-file.",
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--given",
            metavar="COLUMN=VALUE",
            help="What every row holds, such as sex=Female; 'COLUMN=' asks for missing cells. "
            "Repeat for more.",
        ),
    ] = None,
    given_file: Annotated[
        str | None,
        typer.Option(
            "--given-file",
            metavar="FILE",
            help="Table with a row for each row to make and some of the columns: what that row "
            "holds. An empty cell asks for nothing.",
        ),
    ] = None,
    fair: options.FairOption = None,
    max_tries: Annotated[
        int | None,
        typer.Option(
            "--max-tries",
            metavar="N",
            min=1,
            help="Refuse what fits less often than once in so many draws of the model; 50,000 by "
            "default.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="For these rows; by default one is drawn and printed.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv, jsonl or parquet, where the suffix does not say it; csv on standard output.",
        ),
    ] = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make rows with a model that was kept.

    tabsynth sample patients.model -n 1000 -o fake.csv
    tabsynth sample patients.model -n 2x -o fake.parquet --seed 7
    tabsynth sample patients.model -n 10 -o -
    tabsynth sample patients.model -n 100 --given sex=Female --given age=37 -o fake.csv
    tabsynth sample patients.model -n 100 --fair readmitted:sex -o fake.csv
    tabsynth sample patients.model --given-file wanted.csv -o fake.csv
    """
    terminal = Terminal.of(context, quiet, verbose)
    if given and given_file is not None:
        raise ConfigError("--given and --given-file both say what rows hold. Give one of them.")
    if fair is not None and given_file is not None:
        raise ConfigError(
            "--given-file makes each of its rows, so --fair cannot choose. Leave one out."
        )
    if rows is None and given_file is None:
        raise ConfigError("Say how many rows to make: -n 1000, or -n 2x.")
    count = None if rows is None else RowCount.parse(rows)
    if as_json and output == STANDARD:
        raise ConfigError("--json and -o - both want standard output. Name a file for one.")
    check_inputs(model, given_file)
    outputs = Outputs({"table": output}, force, [model, given_file])
    outputs.check()

    import pandas as pd

    from tabsynth.io import open_writer
    from tabsynth.io.tables import find_format
    from tabsynth.models import MAX_TRIES, Effort
    from tabsynth.random import Streams
    from tabsynth.synthesizer import Synthesizer

    written = find_format(output, format or ("csv" if output == STANDARD else None))[0].name
    with terminal.progress():
        terminal.begin(f"reading {shown(model)}")
        synthesizer = Synthesizer.load(model)
        drawn = seed is None
        seed = Streams(seed).seed
        wanted: dict[str, Any] | pd.DataFrame | None = None
        if given:
            wanted = read_given(given, synthesizer.codec_)
        elif given_file is not None:
            wanted = as_labels(read(terminal, given_file).frame, synthesizer.codec_)
        n_rows = len(wanted) if isinstance(wanted, pd.DataFrame) else 0
        if count is not None:
            n_rows = count.of(synthesizer.n_rows_)
            if isinstance(wanted, pd.DataFrame) and n_rows != len(wanted):
                raise ConfigError(
                    f"{given_file} has {len(wanted):,} rows, and -n asks for {n_rows:,}. Leave -n "
                    "out."
                )
        wish = None if fair is None else read_fair(fair, synthesizer.schema_.names)
        tries = MAX_TRIES if max_tries is None else max_tries
        efforts: list[Effort] = []

        def write(place: str) -> None:
            with open_writer(place, format=written, force=True) as writer:
                for start, size, piece in _pieces(
                    synthesizer, n_rows, seed, whole=wish is not None
                ):
                    some = wanted
                    if isinstance(some, pd.DataFrame):
                        some = some.iloc[start : start + size]
                    chunk = synthesizer.sample(
                        size,
                        given=some,
                        fair=wish,
                        max_tries=tries,
                        seed=piece,
                        monitor=terminal.monitor,
                    )
                    writer.write(chunk)
                    if synthesizer.effort_ is not None:
                        efforts.append(synthesizer.effort_)

        outputs.write({"table": write}, terminal)
    effort = reduce(Effort.and_then, efforts) if efforts else None
    again = f" (drawn at random; give --seed {seed} to repeat this run)" if drawn else ""
    terminal.say(f"Made {n_rows:,} rows with {synthesizer.model} and seed {seed}{again}.")
    asked = [str(name) for name in wanted] if wanted is not None else []
    if effort is not None:
        terminal.say(f"Given {', '.join(asked)}: {effort.in_words()}.")
    chosen = show_choice(terminal, synthesizer.fairness_)
    show_files(terminal, outputs.on_disk, {"table": "the synthetic rows"})
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "sample",
                "model": model,
                "rows": n_rows,
                "seed": seed,
                "given": None if effort is None else {"columns": asked, **effort.to_dict()},
                "fair": chosen["fair"],
                "files": outputs.files,
            }
        )


def _pieces(
    synthesizer: Synthesizer, n_rows: int, seed: int, whole: bool
) -> Iterator[tuple[int, int, int]]:
    """Yield where each piece of the rows begins, its size, and its seed.

    Keys are unique within one call of `sample`, and rows are fair within one, so a table with keys
    or one that shall be fair is made in one piece.
    """
    from tabsynth.random import Streams

    has_keys = any(column.type == "identifier" for column in synthesizer.schema_)
    size = n_rows if has_keys or whole else CHUNK
    streams = Streams(seed)
    for start in range(0, max(n_rows, 1), max(size, 1)):
        piece = seed if start == 0 else streams.integer(f"rows from {start}")
        yield start, min(size, n_rows - start), piece

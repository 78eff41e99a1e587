"""tabsynth sample: rows from a model file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.arguments import RowCount
from tabsynth.cli.files import STANDARD, Outputs, check_inputs, shown
from tabsynth.cli.plan import show_files
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from tabsynth.synthesizer import Synthesizer

CHUNK = 200_000
"""Rows made and written at a time, where no column holds keys."""


def sample(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model file.", show_default=False)],
    rows: Annotated[
        str,
        typer.Option(
            "--rows",
            "-n",
            metavar="N|2x",
            help="Rows to make: a number, or a multiple of the rows learnt from.",
        ),
    ],
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
    """
    terminal = Terminal.of(context, quiet, verbose)
    count = RowCount.parse(rows)
    if as_json and output == STANDARD:
        raise ConfigError("--json and -o - both want standard output. Name a file for one.")
    check_inputs(model)
    outputs = Outputs({"table": output}, force, [model])
    outputs.check()

    from tabsynth.io import open_writer
    from tabsynth.io.tables import find_format
    from tabsynth.random import Streams
    from tabsynth.synthesizer import Synthesizer

    written = find_format(output, format or ("csv" if output == STANDARD else None))[0].name
    with terminal.progress():
        terminal.begin(f"reading {shown(model)}")
        synthesizer = Synthesizer.load(model)
        drawn = seed is None
        seed = Streams(seed).seed
        n_rows = count.of(synthesizer.n_rows_)

        def write(place: str) -> None:
            with open_writer(place, format=written, force=True) as writer:
                for chunk in _chunks(synthesizer, n_rows, seed, terminal):
                    writer.write(chunk)

        outputs.write({"table": write}, terminal)
    again = f" (drawn at random; give --seed {seed} to repeat this run)" if drawn else ""
    terminal.say(f"Made {n_rows:,} rows with {synthesizer.model} and seed {seed}{again}.")
    show_files(terminal, outputs.on_disk, {"table": "the synthetic rows"})
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "sample",
                "model": model,
                "rows": n_rows,
                "seed": seed,
                "files": outputs.files,
            }
        )


def _chunks(
    synthesizer: Synthesizer, n_rows: int, seed: int, terminal: Terminal
) -> Iterator[pd.DataFrame]:
    """Yield the rows, in pieces where they are many.

    Keys are unique within one call of `sample`, so a table with keys is made in one piece.
    """
    from tabsynth.random import Streams

    has_keys = any(column.type == "identifier" for column in synthesizer.schema_)
    size = n_rows if has_keys else CHUNK
    streams = Streams(seed)
    for start in range(0, max(n_rows, 1), max(size, 1)):
        piece = seed if start == 0 else streams.integer(f"rows from {start}")
        yield synthesizer.sample(min(size, n_rows - start), seed=piece, monitor=terminal.monitor)

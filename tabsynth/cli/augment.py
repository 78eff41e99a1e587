"""tabsynth augment: real rows, and synthetic ones after them."""

from __future__ import annotations

from typing import Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.arguments import RowCount
from tabsynth.cli.filled import Filled, check
from tabsynth.cli.terminal import Terminal, print_json


def augment(
    context: typer.Context,
    model: options.ModelFile,
    table: options.RealTable,
    output: options.Output,
    rows: Annotated[
        str,
        typer.Option(
            "--rows",
            "-n",
            metavar="N|2x",
            help="Synthetic rows to add: a number, or a multiple of the rows of the input.",
        ),
    ],
    mark: options.Mark = None,
    seed: options.Seed = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Add synthetic rows to a table, with a model that was kept.

    tabsynth augment patients.model patients.csv -n 1000 -o more.csv
    tabsynth augment patients.model patients.csv -n 1x -o more.csv --mark is_synthetic

    The real rows come first, as they are: the result is not de-identified.
    """
    terminal = Terminal.of(context, quiet, verbose)
    count = RowCount.parse(rows)
    outputs = check(model, table, [output], force, as_json, input_format)
    with terminal.progress():
        filled = Filled.read(terminal, model, table, seed, input_format, delimiter, encoding)
        made = filled.synthesizer.augment(
            filled.table,
            count.of(len(filled.table)),
            mark=mark,
            seed=filled.seed,
            monitor=terminal.monitor,
        )
        told = filled.add(terminal, made, output, outputs)
    filled.show_added(terminal, outputs, told)
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "augment",
                "model": model,
                "source": table,
                "mark": mark,
                **told,
            }
        )

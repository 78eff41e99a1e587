"""tabsynth rebalance: real rows, and synthetic ones for the values that few of them hold."""

from __future__ import annotations

from typing import Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.filled import Filled, check
from tabsynth.cli.terminal import Terminal, print_json


def rebalance(
    context: typer.Context,
    model: options.ModelFile,
    table: options.RealTable,
    column: Annotated[
        str,
        typer.Option(
            "--column",
            "-c",
            metavar="COLUMN",
            help="Column to balance: categories or truth values, at most 100 of them.",
        ),
    ],
    output: options.Output,
    ratio: Annotated[
        float,
        typer.Option(
            "--ratio",
            metavar="R",
            help="Rows that every value gets at least, as a share of those of the most common one: "
            "above 0, at most 1.",
        ),
    ] = 1.0,
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
    """Add synthetic rows until no value of a column is rare, with a model that was kept.

    tabsynth rebalance patients.model patients.csv --column readmitted -o balanced.csv
    tabsynth rebalance patients.model patients.csv -c ward --ratio 0.5 -o balanced.csv --mark made

    The real rows come first, as they are: the result is not de-identified. Missing cells count as
    no value.
    """
    terminal = Terminal.of(context, quiet, verbose)
    outputs = check(model, table, [output], force, as_json, input_format)
    with terminal.progress():
        filled = Filled.read(terminal, model, table, seed, input_format, delimiter, encoding)
        made = filled.synthesizer.rebalance(
            filled.table,
            column,
            ratio=ratio,
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
                "command": "rebalance",
                "model": model,
                "source": table,
                "column": column,
                "ratio": ratio,
                "mark": mark,
                **told,
            }
        )

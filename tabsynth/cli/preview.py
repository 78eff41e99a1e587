"""tabsynth plan: what would happen to a table, before anything is learnt or spent."""

from __future__ import annotations

import typer

from tabsynth.cli import options
from tabsynth.cli.asked import Asked, Budget
from tabsynth.cli.terminal import Terminal, print_json


def plan(
    context: typer.Context,
    table: options.Table,
    model: options.Model = "auto",
    settings: options.Settings = None,
    schema: options.SchemaFile = None,
    missing: options.Missing = None,
    target: options.Target = None,
    epsilon: options.Epsilon = None,
    delta: options.Delta = None,
    public_rows: options.PublicRows = None,
    accept_inferred_schema: options.AcceptInferredSchema = False,
    odometer: options.OdometerFile = None,
    seed: options.Seed = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show what 'tabsynth deidentify' would do with a table: nothing is learnt, written or spent.

    tabsynth plan patients.csv
    tabsynth plan patients.csv --schema schema.yaml --epsilon 1
    """
    terminal = Terminal.of(context, quiet, verbose)
    asked = Asked(
        table,
        model,
        settings,
        schema,
        missing,
        seed,
        Budget(
            epsilon=epsilon,
            delta=delta,
            public_rows=public_rows,
            accept_inferred_schema=accept_inferred_schema,
            odometer=odometer,
        ),
        (input_format, delimiter, encoding),
    )
    _ = asked.terms  # what is not allowed is told before the table is read
    with terminal.progress():
        made = asked.plan(asked.read(terminal).frame, target=target)
    asked.show(terminal, made, {})
    if as_json:
        print_json(
            {"schema_version": 1, "command": "plan", "source": table, "plan": made.to_dict()}
        )

"""tabsynth plan: what would happen to a table, before anything is learnt or spent."""

from __future__ import annotations

import typer

from tabsynth.cli import options
from tabsynth.cli.arguments import check_model, check_settings, read_settings
from tabsynth.cli.files import (
    check_inputs,
    check_missing,
    check_standard_input,
    read,
    read_schema,
    shown,
)
from tabsynth.cli.plan import show_plan
from tabsynth.cli.privacy import read_terms
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
    asked = read_settings(settings)
    check_model(model)
    check_missing(missing, schema)
    check_standard_input(input_format, table)
    check_inputs(table, schema)

    from tabsynth.plan import make_plan
    from tabsynth.random import Streams

    terms = read_terms(table, schema, epsilon, delta, public_rows, accept_inferred_schema, odometer)
    drawn, seed = seed is None, Streams(seed).seed
    with terminal.progress():
        source = read(terminal, table, input_format, delimiter, encoding)
        terminal.begin("finding out what the columns are")
        made = make_plan(
            source.frame,
            model=model,
            schema=None if schema is None else read_schema(schema),
            missing_values=("", *(missing or ())),
            target=target,
            terms=terms,
        )
    parameters = check_settings(made.choice.model, asked)
    show_plan(
        terminal, made, source=shown(table), seed=seed, drawn=drawn, settings=parameters, outputs={}
    )
    if as_json:
        print_json(
            {"schema_version": 1, "command": "plan", "source": table, "plan": made.to_dict()}
        )

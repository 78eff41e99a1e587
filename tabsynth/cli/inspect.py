"""tabsynth inspect: what each column is taken for, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.files import (
    STANDARD,
    Outputs,
    check_inputs,
    check_standard_input,
    read,
    shown,
    text_writer,
)
from tabsynth.cli.plan import missing_text, show_schema
from tabsynth.cli.terminal import Terminal, print_json, print_text
from tabsynth.errors import ConfigError


def inspect(
    context: typer.Context,
    table: options.Table,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the schema as YAML, to be edited and passed on with --schema; '-' for "
            "standard output.",
        ),
    ] = None,
    missing: options.Missing = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show what each column is taken for, and why.

    tabsynth inspect patients.csv
    tabsynth inspect patients.csv -o schema.yaml
    tabsynth inspect patients.csv --missing NA --missing "?"
    """
    terminal = Terminal.of(context, quiet, verbose)
    if as_json and output == STANDARD:
        raise ConfigError("--json and -o - both want standard output. Name a file for one.")
    check_standard_input(input_format, table)
    check_inputs(table)
    outputs = Outputs({"table": output}, force, [table])
    outputs.check()

    from tabsynth.codec import treatments
    from tabsynth.schema.infer import infer_schema

    with terminal.progress():
        source = read(terminal, table, input_format, delimiter, encoding)
        terminal.begin("finding out what the columns are")
        schema = infer_schema(source.frame, missing_values=("", *(missing or ())))
        treated = treatments(schema)
    terminal.say(
        f"{shown(table)}: {len(source.frame):,} rows, {len(schema)} columns",
        style="bold",
    )
    terminal.say("")
    show_schema(terminal, schema, treated)
    terminal.say("", f"Missing: {missing_text(schema)}")
    if output == STANDARD:
        print_text(schema.to_yaml())
    elif output is not None:
        outputs.write({"table": text_writer(schema.to_yaml())}, terminal)
        terminal.say("", f"Wrote {output}. Edit it, then pass it on with --schema {output}.")
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "inspect",
                "source": table,
                "format": source.format,
                "details": source.details,
                "rows": len(source.frame),
                "files": {"schema": output} if output else {},
                "schema": schema.to_dict(),
                "treatments": treated,
            }
        )

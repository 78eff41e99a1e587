"""tabsynth schema: whether a schema fits a table."""

from __future__ import annotations

from typing import Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.files import check_inputs, check_standard_input, read, read_schema, shown
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.cli.verbs import group, verb

app = group("Check that a schema fits a table.")


@verb(app, "validate")
def validate(
    context: typer.Context,
    schema: Annotated[
        str, typer.Argument(metavar="SCHEMA", help="Schema file (YAML).", show_default=False)
    ],
    table: options.Table,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Check that a schema fits a table; every problem is reported at once, with exit code 3.

    tabsynth schema validate schema.yaml patients.csv
    """
    terminal = Terminal.of(context, quiet, verbose)
    check_standard_input(input_format, table)
    check_inputs(schema, table)
    from tabsynth.errors import SchemaError
    from tabsynth.schema.infer import check_schema

    problems: tuple[str, ...] = ()
    with terminal.progress():
        known = read_schema(schema)
        source = read(terminal, table, input_format, delimiter, encoding)
        terminal.begin("checking the schema")
        try:
            check_schema(known, source.frame)
        except SchemaError as error:
            problems = error.problems
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "schema validate",
                "fits": not problems,
                "problems": list(problems),
            }
        )
    if problems:
        raise SchemaError(problems)
    terminal.say(f"{schema} fits {shown(table)}: {len(known)} columns, {len(source.frame):,} rows.")

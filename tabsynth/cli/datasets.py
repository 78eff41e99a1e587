"""tabsynth datasets: the catalogue of public tables, and the demo table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabsynth.cli import options
from tabsynth.cli.files import STANDARD, Outputs
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.cli.verbs import group, verb

if TYPE_CHECKING:
    from tabsynth.datasets import Entry

app = group("The catalogue of public tables, and the demo table.")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A table of the catalogue.", show_default=False)
]


@verb(app, "list")
def list_tables(context: typer.Context, as_json: options.AsJson = False) -> None:
    """List the tables, and which are on this machine.

    tabsynth datasets list
    """
    terminal = Terminal.of(context, quiet=as_json)
    from tabsynth import datasets

    entries = [(datasets.describe(name), where(name)) for name in datasets.names()]
    terminal.table(
        ("Table", "Rows", "Columns", "Target", "Task", "Where", "Licence"),
        [
            (e.name, f"{e.rows:,}", str(e.columns), e.target, e.task, place, e.licence)
            for e, place in entries
        ],
        numbers=(1, 2),
    )
    terminal.say(
        "",
        "'here': on this machine. '--fetch': can be fetched from OpenML. 'by hand': get the file "
        "from its source.",
        f"Looked in {' and '.join(map(str, datasets.folders()))}.",
    )
    if as_json:
        listed = [{**dataclasses.asdict(e), "where": place} for e, place in entries]
        print_json({"schema_version": 1, "command": "datasets list", "datasets": listed})


@verb(app, "show")
def show_table(context: typer.Context, name: Name, as_json: options.AsJson = False) -> None:
    """Show what a table is, where it comes from, and on what terms.

    tabsynth datasets show adult
    """
    terminal = Terminal.of(context, quiet=as_json)
    from tabsynth import datasets

    entry = datasets.describe(name)
    terminal.say(f"{entry.name}: {' '.join(entry.description.split())}", style="bold")
    terminal.facts(_facts(entry))
    if as_json:
        document = {**dataclasses.asdict(entry), "where": where(name)}
        print_json({"schema_version": 1, "command": "datasets show", "dataset": document})


@verb(app, "write")
def write_dataset(
    context: typer.Context,
    name: Name,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where the table goes: .csv, .tsv, .jsonl (each also .gz) or .parquet; '-' for "
            "CSV on standard output.",
        ),
    ],
    fetch: Annotated[
        bool,
        typer.Option(
            "--fetch",
            help="Fetch the table from OpenML into the user's cache where it is not here. Nothing "
            "else in tabsynth uses the network.",
        ),
    ] = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a table of the catalogue to a file, to try things out on.

    tabsynth datasets write hospital_admissions -o admissions.csv
    tabsynth datasets write adult -o adult.parquet --fetch
    """
    terminal = Terminal.of(context, quiet, verbose)
    outputs = Outputs({"table": output}, force)
    outputs.check()
    from tabsynth import datasets
    from tabsynth.io import write_table
    from tabsynth.io.tables import find_format

    entry = datasets.describe(name)
    format = find_format(output, "csv" if output == STANDARD else None)[0].name
    with terminal.progress():
        terminal.begin(f"reading table {name}")
        typed = (entry.file or "").endswith(".parquet")
        frame = datasets.load(name, text=format == "csv" and not typed, fetch=fetch)
        terminal.begin("writing the file")
        outputs.write(
            {"table": lambda place: write_table(frame, place, format=format, force=True)}, terminal
        )
    if output != STANDARD:
        terminal.say(f"Wrote {output}: {len(frame):,} rows, {frame.shape[1]} columns.")


def where(name: str) -> str:
    """Return where a table is: "here", "--fetch" or "by hand"."""
    from tabsynth import datasets

    entry = datasets.describe(name)
    if entry.file is None or datasets.locate(name) is not None:
        return "here"
    return "by hand" if entry.openml_id is None else "--fetch"


def _facts(entry: Entry) -> dict[str, str]:
    """Return what a reader should know, in words."""
    missing = ", ".join(repr(text) if text else "the empty cell" for text in entry.missing_values)
    facts: dict[str, Any] = {
        "Shape": f"{entry.rows:,} rows, {entry.columns} columns",
        "Target": f"{entry.target} ({entry.task})",
        "Missing": f"{entry.missing_cells:,} cells ({missing})" if missing else "nothing",
        "Identifiers": ", ".join(entry.id_columns),
        "Dates": ", ".join(entry.datetime_columns),
        "Free text": ", ".join(entry.text_columns),
        "Licence": entry.licence,
        "Source": entry.source,
        "Notes": " ".join(entry.notes.split()),
        "Where": {
            "here": "on this machine",
            "--fetch": f"OpenML {entry.openml_id}: 'tabsynth datasets write {entry.name} --fetch'",
            "by hand": "get the file from its source",
        }[where(entry.name)],
    }
    return {name: fact for name, fact in facts.items() if fact}

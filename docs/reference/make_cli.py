"""Writes cli.md, the reference of the command line, from the program itself.

Run ``python docs/reference/make_cli.py`` from the root of the repository after a change of a verb
or an option; a test fails while cli.md is not current.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from tabsynth.cli.gates import FAILED
from tabsynth.cli.main import CLOSED_PIPE, DATA, PRIVACY, UNEXPECTED, app
from tabsynth.cli.verbs import INTERRUPTED, USAGE

HERE = Path(__file__).resolve().parent

OPENING = """\
# The command line

<!-- Written by docs/reference/make_cli.py. Do not edit: run python docs/reference/make_cli.py. -->

`tabsynth VERB --help` prints the same. The [tutorial](../tutorial.md) shows the verbs at work.
"""

CONDUCT = """\
## What holds for every verb

- **Streams.** Data goes to standard output only where a verb is told `-o -`, and JSON where it is
  told `--json`. Everything else (plans, progress, messages) goes to standard error. There is no
  progress bar where standard error is no terminal, and `-q` leaves only errors.
- **Files.** Nothing is written but the files that the plan names. An existing file is replaced only
  with `--force`, an input never. Files appear whole or not at all: when something fails, none of
  them is there.
- **Formats.** `.csv`, `.tsv`, `.txt`, `.jsonl` and `.ndjson` (each also with `.gz`), `.parquet` and
  `.pq`. `-` is standard input, which needs `--input-format`. Every cell of a CSV file is read as
  text first, so that `007` stays `007`; delimiter and byte-order mark are found out, and a CSV file
  is written back in the dialect it was read in.
- **Cells.** No message shows a cell of a table, apart from texts that mean missing and letters that
  all keys share (`shaped like PAT-999999`). With `-v` the traceback of an unexpected error may show
  cells, and the message says so.
- **Network.** No verb uses it, except `tabsynth datasets write --fetch`.
- **`--json`.** One document on standard output with `schema_version` and `command`; keys stay as
  they are within a `schema_version`.
"""

EXIT_CODES = {
    0: "Done.",
    UNEXPECTED: "An unexpected error: a fault of the program. `-v` shows the traceback, which may "
    "show cells.",
    USAGE: "Wrong usage: an unknown option, a value that is not allowed, a file that exists "
    "already.",
    DATA: "The data or the schema is the problem: the file is no table, the schema does not fit "
    "(all problems are listed), a model file is damaged, or the rows asked for cannot be made.",
    PRIVACY: "Refused, because a privacy promise would be broken. No verb of this version has a "
    "budget to break.",
    FAILED: "A score failed its gate (`--fail-under`), or an audit refuted a declared epsilon "
    "(`--epsilon`). The files are written all the same.",
    INTERRUPTED: "Interrupted (Ctrl-C). Nothing was written, except where a network was training: "
    "then the training ended early and the files were made with what it had learnt, as the message "
    "says. A second Ctrl-C ends the program. `tabsynth audit --state` keeps its finished fits.",
    CLOSED_PIPE: "The reader of standard output went away, as `head` does.",
}

VARIABLES = {
    "TABSYNTH_DATA": "Folder in which `tabsynth datasets` looks for the public tables, before the "
    "user's cache.",
    "XDG_CACHE_HOME": "Folder of the user's cache (`~/.cache` where unset); fetched tables lie in "
    "`tabsynth/` there.",
    "NO_COLOR": "Where set, no colours on the terminal.",
    "OMP_NUM_THREADS": "Not ours, but heeded by torch and NumPy: how many threads train a model. "
    "The same seed gives the same bytes only with the same number of threads.",
}


def reference() -> str:
    """Return the page."""
    program: Any = typer.main.get_command(app)
    parts = [OPENING, CONDUCT, "## Exit codes\n"]
    parts.append(_table(("Code", "Meaning"), [(f"{c}", m) for c, m in EXIT_CODES.items()]))
    parts.append("## Environment variables\n")
    parts.append(_table(("Variable", "Meaning"), [(f"`{v}`", m) for v, m in VARIABLES.items()]))
    parts.append("## The program\n")
    parts.append(_table(("Option", "Meaning"), _options(program)))
    for path, command in _verbs(program, ("tabsynth",)):
        parts.append(f"## {' '.join(path)}\n")
        parts += _verb(path, command)
    return "\n".join(parts)


def _verbs(command: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """Return every verb below `command` with its path, in the order of the help."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, below in command.commands.items():
        deeper = getattr(below, "commands", None)
        found += _verbs(below, (*path, name)) if deeper else [((*path, name), below)]
    return found


def _verb(path: tuple[str, ...], command: Any) -> list[str]:
    """Return the section of a verb: what it does, examples, arguments and options."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = [*path, *(p.metavar for p in arguments), "[OPTIONS]"]
    parts = [f"```console\n$ {' '.join(usage)}\n```\n"]
    for part in command.help.split("\n\n"):
        if part.startswith("\b"):
            lines = [f"$ {line.strip()}" for line in part.splitlines()[2:]]
            parts.append("```console\n" + "\n".join(lines) + "\n```\n")
        else:
            parts.append(" ".join(part.split()) + "\n")
    if arguments:
        parts.append(
            _table(("Argument", "Meaning"), [(f"`{p.metavar}`", p.help) for p in arguments])
        )
    parts.append(_table(("Option", "Meaning"), _options(command)))
    return parts


def _options(command: Any) -> list[tuple[str, str]]:
    """Return how each option is written, and what it means."""
    rows = []
    for option in command.params:
        if option.param_type_name != "option":
            continue
        value = "" if option.is_flag else f" {option.metavar}"
        written = ", ".join(f"`{name}{value}`" for name in option.opts)
        notes = [option.help.strip()]
        if option.required:
            notes.append("Required.")
        elif isinstance(option.default, (str, int, float)) and not option.is_flag:
            notes.append(f"Default: `{option.default}`.")
        rows.append((written, " ".join(notes)))
    rows.append(("`-h`, `--help`", "Show the help and exit."))
    return rows


def _table(header: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    """Return a table in Markdown, bars inside cells escaped."""
    lines = (" | ".join(cell.replace("|", r"\|") for cell in row) for row in (header, *rows))
    first, *rest = (f"| {line} |" for line in lines)
    return "\n".join([first, "| --- | --- |", *rest, ""])


if __name__ == "__main__":
    (HERE / "cli.md").write_text(reference(), encoding="utf-8")

"""tabsynth report: reports and cards made again from a saved evaluation, without the tables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.files import STANDARD, Outputs, Writer, check_inputs, shown, text_writer
from tabsynth.cli.plan import show_files, show_scores, show_summary, show_verdict
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.errors import DataError

if TYPE_CHECKING:
    from tabsynth.evaluation.result import Evaluation

NOTES = {
    "report": "confidential: it shows statistics of the real rows",
    "card": "goes with the synthetic table",
    "card_json": "the same for programs",
    "shareable": "holds no statistics of the real rows",
}


def report(
    context: typer.Context,
    evaluation: Annotated[
        str,
        typer.Argument(
            metavar="EVALUATION",
            help="What 'tabsynth evaluate --json' printed, or the report.json of 'tabsynth "
            "deidentify'; '-' is standard input.",
            show_default=False,
        ),
    ],
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the report (HTML); it shows statistics of the real rows.",
        ),
    ] = None,
    card: options.Card = None,
    card_json: options.CardJson = None,
    shareable: options.Shareable = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make reports and cards from a saved evaluation; the tables are not needed.

        tabsynth report patients.report.json --shareable patients.shareable.html
        tabsynth evaluate real.csv synthetic.csv --json > evaluation.json
        tabsynth report evaluation.json --html report.html --card card.md

    Without an output it shows the verdict, the scores and the summary.
    """
    terminal = Terminal.of(context, quiet, verbose)
    check_inputs(evaluation)
    files = {"report": html, "card": card, "card_json": card_json, "shareable": shareable}
    outputs = Outputs(files, force, [evaluation])
    outputs.check()

    from tabsynth.report import summary

    with terminal.progress():
        terminal.begin(f"reading {shown(evaluation)}")
        known = _read(evaluation)
        terminal.begin("writing the report")
        outputs.write(views(known, outputs.files), terminal)
    if not outputs.files:
        show_verdict(terminal, known)
        terminal.say("")
        show_scores(terminal, known.scores)
        terminal.say("")
    show_summary(terminal, known)
    show_files(terminal, outputs.on_disk, NOTES)
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "report",
                "files": outputs.files,
                "verdict": None if known.verdict is None else known.verdict.word,
                "summary": summary(known),
            }
        )


def views(evaluation: Evaluation, files: Mapping[str, str]) -> dict[str, Writer]:
    """Return what writes each view of an evaluation; all texts are made here.

    Parameters
    ----------
    evaluation : Evaluation
    files : mapping of str to str
        Kind of view to its path; other kinds of output are passed over.
    """
    from tabsynth.report import to_card, to_card_json, to_html, to_shareable

    def make_shareable(evaluation: Evaluation) -> str:
        if files["shareable"].lower().endswith(".json"):
            document = to_shareable(evaluation).to_dict()
            return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        return to_html(evaluation, shareable=True)

    makers = {
        "report": to_html,
        "card": to_card,
        "card_json": to_card_json,
        "shareable": make_shareable,
    }
    return {kind: text_writer(make(evaluation)) for kind, make in makers.items() if kind in files}


def _read(path: str) -> Evaluation:
    """Return a saved evaluation.

    Raises
    ------
    DataError
        If it cannot be read or is none; the message names the file.
    """
    from tabsynth.evaluation.document import read_evaluation

    try:
        text = sys.stdin.buffer.read() if path == STANDARD else Path(path).read_bytes()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "unknown reason"
        raise DataError(f"{path} cannot be read: {why}.") from None
    try:
        return read_evaluation(text)
    except DataError as error:
        raise DataError(f"{shown(path)}: {error}") from None

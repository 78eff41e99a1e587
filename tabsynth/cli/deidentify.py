"""tabsynth deidentify: a table in, a synthetic table and the evidence for it out."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabsynth.cli import options
from tabsynth.cli.arguments import RowCount, read_fair
from tabsynth.cli.asked import Asked, Budget
from tabsynth.cli.files import STANDARD, Outputs, Writer, stem, text_writer
from tabsynth.cli.gates import FAILED, check_gate_names, check_gates, read_gates, show_failures
from tabsynth.cli.plan import show_choice, show_files, show_stability, show_summary
from tabsynth.cli.report import NOTES as VIEWS
from tabsynth.cli.report import views
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.cli.verbs import INTERRUPTED, was_interrupted
from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    from tabsynth.io import TableFile
    from tabsynth.privacy.ledger import Ledger
    from tabsynth.workflow import Deidentified

REPORTS = {"report": ".report.html", "json_report": ".report.json", "card": ".card.md"}
NOTES = {
    **VIEWS,
    "table": "the synthetic rows",
    "json_report": "confidential: the same as data",
    "model": "confidential: it may remember rows",
}


def notes_of(ledger: Ledger | None) -> dict[str, str]:
    """Return what to know about each file."""
    if ledger is None or not ledger.holds:
        return NOTES
    return {**NOTES, "model": "covered by the privacy budget, as the synthetic rows are"}


def deidentify(
    context: typer.Context,
    table: options.Table,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Where the synthetic rows go, '-' for standard output. By default beside the "
            "input, as NAME.synthetic.csv (in the format of the input).",
        ),
    ] = None,
    model: options.Model = "auto",
    settings: options.Settings = None,
    schema: options.SchemaFile = None,
    missing: options.Missing = None,
    target: options.Target = None,
    rows: Annotated[
        str,
        typer.Option(
            "--rows",
            "-n",
            metavar="N|2x",
            help="Rows to make: a number, or a multiple of the rows of the input.",
        ),
    ] = "1x",
    holdout: Annotated[
        float,
        typer.Option(
            "--holdout",
            metavar="SHARE",
            help="Share of the rows that the model never sees, for the evaluation (0 to 0.9).",
        ),
    ] = 0.2,
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats",
            metavar="N",
            min=1,
            help="Fit the model so many times, each with another seed, and report how much the "
            "scores differ. The first table is kept.",
        ),
    ] = 1,
    fair: options.FairOption = None,
    reject: Annotated[
        float,
        typer.Option(
            "--reject",
            metavar="SHARE",
            help="Draw more rows and leave out this share, the least plausible as a classifier "
            "sees them (0 to 0.9). Reads the training rows once more.",
        ),
    ] = 0.0,
    epsilon: options.Epsilon = None,
    delta: options.Delta = None,
    public_rows: options.PublicRows = None,
    accept_inferred_schema: options.AcceptInferredSchema = False,
    odometer: options.OdometerFile = None,
    seed: options.Seed = None,
    checkpoint: options.Checkpoint = None,
    report: Annotated[
        str | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Where the report goes (HTML); by default beside the synthetic rows.",
        ),
    ] = None,
    json_report: Annotated[
        str | None,
        typer.Option(
            "--json-report",
            metavar="FILE",
            help="Where the report goes as JSON; by default beside the synthetic rows.",
        ),
    ] = None,
    card: Annotated[
        str | None,
        typer.Option(
            "--card",
            metavar="FILE",
            help="Where the card goes (Markdown), which accompanies the synthetic rows; by default "
            "beside them.",
        ),
    ] = None,
    card_json: options.CardJson = None,
    shareable: options.Shareable = None,
    save_model: Annotated[
        str | None,
        typer.Option(
            "--save-model",
            metavar="FILE",
            help="Keep the model, for 'tabsynth sample'.",
        ),
    ] = None,
    no_report: Annotated[
        bool,
        typer.Option(
            "--no-report",
            help="Write no report and no card unless they are named.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show the plan and write nothing.",
        ),
    ] = False,
    fail_under: options.FailUnder = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make a synthetic table from a real one, and judge it.

        tabsynth deidentify patients.csv
        tabsynth deidentify patients.csv --target readmitted --seed 7
        tabsynth deidentify patients.csv --dry-run
        tabsynth inspect patients.csv -o schema.yaml    edit it, then
        tabsynth deidentify patients.csv --schema schema.yaml -o out/fake.parquet
        tabsynth deidentify patients.csv --schema schema.yaml --epsilon 1

    Without other options this writes patients.synthetic.csv, patients.report.html,
    patients.report.json and patients.card.md beside the input, and nothing else. It shows what
    will happen to each column before it learns anything, and judges the result against rows that
    the model never saw. Where a score fails a gate of --fail-under the files are written all the
    same, as evidence, and the exit code is 5. Ctrl-C while a network trains ends the training
    early: everything is made with what it has learnt by then, and the exit code is 130. A second
    Ctrl-C ends the program.
    """
    terminal = Terminal.of(context, quiet, verbose)
    gates = read_gates(fail_under)
    count = RowCount.parse(rows)
    check_gate_names(gates, target or [])
    if as_json and output == STANDARD:
        raise ConfigError("--json and -o - both want standard output. Name a file for one.")
    from tabsynth.io.tables import find_format

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
        checkpoint,
    )
    named = {"report": report, "json_report": json_report, "card": card}
    outputs = Outputs(
        {
            **_name_outputs(table, output, named, save_model, no_report),
            "card_json": card_json,
            "shareable": shareable,
        },
        force,
        asked.inputs,
    )
    if not dry_run:
        outputs.check()
    # What is named after the input has its format, as standard output has.
    follows = output in (None, STANDARD)
    written = find_format(table if follows else str(output), input_format if follows else None)[0]

    from tabsynth.model_file import training_of
    from tabsynth.workflow import deidentify as make

    terms = asked.terms
    if terms is not None and terms.public_rows is None and count.relative and count.value != 1:
        raise ConfigError(
            "Under a privacy budget the number of rows is a secret, and so is a multiple of it. "
            "Give --rows a number, or say how many rows there are with --public-rows."
        )
    wanted = None if terms is not None and count.relative and count.value == 1 else count
    with terminal.progress():
        source = asked.read(terminal)
        wish = None if fair is None else read_fair(fair, list(source.frame.columns))
        plan = asked.plan(
            source.frame,
            rows=None if wanted is None else wanted.of(public_rows or len(source.frame)),
            target=target,
            holdout=holdout,
            fair=wish,
            reject=reject,
        )
    asked.show(terminal, plan, outputs.files)
    document: dict[str, Any] = {
        "schema_version": 1,
        "command": "deidentify",
        "dry_run": dry_run,
        "source": table,
        "seed": asked.used_seed,
        "files": outputs.files,
        "plan": plan.to_dict(),
    }
    if dry_run:
        terminal.say("Dry run: nothing was learnt and nothing written.")
        if as_json:
            print_json(document)
        return

    with terminal.progress():
        result = make(
            source.frame,
            model=model,
            parameters=plan.parameters,
            schema=plan.declared,
            missing_values=asked.missing_values,
            target=target,
            rows=None if wanted is None else plan.n_rows,
            holdout=holdout,
            repeats=repeats,
            fair=wish,
            reject=reject,
            seed=asked.used_seed,
            **asked.budget,
            checkpoint=checkpoint,
            monitor=terminal.monitor,
            provenance=_provenance(table),
        )
        failures = check_gates(gates, result.evaluation)
        terminal.begin("writing the report")
        writers = _render(result, source, outputs, written.name)
        terminal.begin("writing the files")
        outputs.write(writers, terminal)

    terminal.say("")
    show_stability(terminal, result.evaluation)
    show_summary(terminal, result.evaluation, told=plan.notices)
    chosen = show_choice(terminal, result.synthesizer.fairness_, result.rejected)
    show_files(terminal, outputs.on_disk, notes_of(result.synthesizer.ledger_))
    if as_json:
        evaluation = result.evaluation.to_dict()
        kept = ("rows", "scores", "privacy", "provenance", "notices", "stability")
        found = {key: evaluation[key] for key in kept}
        print_json({**document, **found, **chosen, "failed_gates": failures})
    show_failures(terminal, failures)
    if was_interrupted(training_of(result.synthesizer.model_)):
        raise typer.Exit(INTERRUPTED)
    if failures:
        raise typer.Exit(FAILED)


def _name_outputs(
    table: str,
    output: str | None,
    named: dict[str, str | None],
    model: str | None,
    no_report: bool,
) -> dict[str, str | None]:
    """Return the path of every output; what is not named stands beside the table."""
    files: dict[str, str | None] = {}
    if output is None and table == STANDARD:
        raise ConfigError("The input is standard input and has no name. Name the output with -o.")
    root, suffix = stem(table)
    files["table"] = output if output is not None else f"{root}.synthetic{suffix}"
    if output not in (None, STANDARD):
        root = stem(str(output))[0].removesuffix(".synthetic")
    for kind, ending in REPORTS.items():
        files[kind] = named[kind]
        if named[kind] is None and not no_report:
            if root == STANDARD:
                raise ConfigError(
                    "Neither input nor output has a name for the reports to follow. Name them with "
                    "--report, --json-report and --card, or give --no-report."
                )
            files[kind] = root + ending
    files["model"] = model
    return files


def _provenance(table: str) -> dict[str, Any]:
    """Return what the report says about the source."""
    if table == STANDARD:
        return {"source": "standard input"}
    with open(table, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"source": os.path.basename(table), "source_sha256": digest}


def _render(
    result: Deidentified, source: TableFile, outputs: Outputs, format: str
) -> dict[str, Writer]:
    """Return what writes each output; texts are made here, before any file is touched."""
    from tabsynth.io import write_table

    details = source.details if format == source.format else {}

    def write_rows(place: str) -> None:
        write_table(result.table, place, format=format, details=details, force=True)

    writers: dict[str, Writer] = {
        "table": write_rows,
        "model": lambda place: result.synthesizer.save(place, force=True),
    }
    texts = {
        "report": result.report,
        "json_report": result.evaluation.to_json,
        "card": result.card,
    }
    for kind, make in texts.items():
        if kind in outputs.files:
            writers[kind] = text_writer(make())
    further = {kind: path for kind, path in outputs.files.items() if kind not in writers}
    return {**writers, **views(result.evaluation, further)}

"""tabsynth evaluate: judge a synthetic table from any tool."""

from __future__ import annotations

from typing import Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.files import (
    Outputs,
    check_inputs,
    check_missing,
    check_standard_input,
    read,
    read_schema,
)
from tabsynth.cli.gates import FAILED, check_gate_names, check_gates, read_gates, show_failures
from tabsynth.cli.plan import (
    show_files,
    show_scores,
    show_stability,
    show_summary,
    show_verdict,
)
from tabsynth.cli.report import NOTES, views
from tabsynth.cli.terminal import Terminal, print_json


def evaluate(
    context: typer.Context,
    real: Annotated[
        str,
        typer.Argument(
            metavar="REAL", help="The rows that the generator learnt from.", show_default=False
        ),
    ],
    synthetic: Annotated[
        str, typer.Argument(metavar="SYNTHETIC", help="The synthetic rows.", show_default=False)
    ],
    holdout: Annotated[
        str | None,
        typer.Option(
            "--holdout",
            metavar="FILE",
            help="Real rows that the generator never saw. Without them privacy cannot be judged.",
        ),
    ] = None,
    target: options.Target = None,
    repeat: Annotated[
        list[str] | None,
        typer.Option(
            "--repeat",
            metavar="FILE",
            help="A further synthetic table, made with another seed of the same generator, to see "
            "how much the scores differ. Repeat for more.",
        ),
    ] = None,
    fail_under: options.FailUnder = None,
    schema: options.SchemaFile = None,
    missing: options.Missing = None,
    seed: options.Seed = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    report: options.Report = None,
    card: options.Card = None,
    card_json: options.CardJson = None,
    shareable: options.Shareable = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Judge a synthetic table, whatever made it.

        tabsynth evaluate real.csv synthetic.csv
        tabsynth evaluate train.csv synthetic.csv --holdout unseen.csv --target readmitted
        tabsynth evaluate train.csv synthetic.csv --holdout unseen.csv --fail-under c2st=0.7

    A gate is checked in the direction that is bad for its score: where lower is better the value
    must be at most the threshold, where higher is better at least; where 0.5 is best it must be
    no farther from 0.5 than the threshold is. A score that could not be computed fails its gate.
    """
    terminal = Terminal.of(context, quiet, verbose)
    gates = read_gates(fail_under)
    check_gate_names(gates, target or [])
    check_missing(missing, schema)
    further = repeat or []
    check_standard_input(input_format, real, synthetic, holdout, *further)
    check_inputs(real, synthetic, holdout, schema, *further)
    inputs = [real, synthetic, holdout, schema, *further]
    files = {"report": report, "card": card, "card_json": card_json, "shareable": shareable}
    outputs = Outputs(files, force, inputs)
    outputs.check()

    from tabsynth.evaluation import evaluate as judge
    from tabsynth.evaluation.stability import with_stability
    from tabsynth.random import Streams
    from tabsynth.schema.infer import infer_schema

    seed = Streams(seed).seed
    with terminal.progress():
        frames = [
            None if path is None else read(terminal, path, input_format, delimiter, encoding).frame
            for path in (real, synthetic, holdout, *further)
        ]
        rows, made, unseen, *others = frames
        assert rows is not None
        assert made is not None
        if schema is not None:
            known = read_schema(schema)
        else:
            terminal.begin("finding out what the columns are")
            known = infer_schema(rows, missing_values=("", *(missing or ())))
        evaluations = [
            judge(
                rows,
                table,
                holdout=unseen,
                target=target,
                schema=known,
                seed=seed,
                monitor=terminal.monitor,
            )
            for table in (made, *others)
            if table is not None
        ]
        evaluation = with_stability(evaluations)
        failures = check_gates(gates, evaluation)
        if outputs.files:
            terminal.begin("writing the report")
        outputs.write(views(evaluation, outputs.files), terminal)
    terminal.say("")
    show_verdict(terminal, evaluation)
    terminal.say("")
    show_scores(terminal, evaluation.scores)
    terminal.say("")
    show_stability(terminal, evaluation)
    show_summary(terminal, evaluation)
    show_files(terminal, outputs.on_disk, NOTES)
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "evaluate",
                "files": outputs.files,
                "seed": seed,
                "failed_gates": failures,
                **evaluation.to_dict(),
            }
        )
    show_failures(terminal, failures)
    if failures:
        raise typer.Exit(FAILED)

"""tabsynth fit: learn a table and keep the model."""

from __future__ import annotations

from typing import Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.asked import Asked, Budget
from tabsynth.cli.deidentify import notes_of
from tabsynth.cli.files import Outputs
from tabsynth.cli.plan import show_files
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.cli.verbs import INTERRUPTED, was_interrupted


def fit(
    context: typer.Context,
    table: options.Table,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="MODEL",
            help="Model file.",
        ),
    ],
    model: options.Model = "auto",
    settings: options.Settings = None,
    conditional: Annotated[
        bool,
        typer.Option(
            "--conditional",
            help="Rows will be asked for that are given in part (sample --given, impute, "
            "rebalance): 'auto' then takes a model that is good at it.",
        ),
    ] = False,
    schema: options.SchemaFile = None,
    missing: options.Missing = None,
    epsilon: options.Epsilon = None,
    delta: options.Delta = None,
    public_rows: options.PublicRows = None,
    accept_inferred_schema: options.AcceptInferredSchema = False,
    odometer: options.OdometerFile = None,
    seed: options.Seed = None,
    checkpoint: options.Checkpoint = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Learn all rows of a table and keep the model.

    tabsynth fit patients.csv -o patients.model
    tabsynth fit patients.csv -o patients.model --model tvae --set epochs=50 --seed 7
    tabsynth fit patients.csv -o patients.model --conditional
    tabsynth fit patients.csv -o patients.model --model tvae --checkpoint patients.training
    tabsynth fit patients.csv -o patients.model --schema schema.yaml --epsilon 1

    Ctrl-C while a network trains ends the training early: the model is kept as it is then, and the
    exit code is 130. A second Ctrl-C ends the program. With --checkpoint the same call goes on
    where it ended, after Ctrl-C as after a crash, and gives the model that it would have given.
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
        checkpoint,
    )
    outputs = Outputs({"model": output}, force, asked.inputs)
    outputs.check()

    from tabsynth.model_file import privacy_of, training_of
    from tabsynth.synthesizer import Synthesizer

    _ = asked.terms  # what is not allowed is told before the table is read
    with terminal.progress():
        source = asked.read(terminal)
        plan = asked.plan(source.frame, rows=0, holdout=0, conditional=conditional)
    asked.show(terminal, plan, outputs.files, makes_rows=False)
    with terminal.progress():
        synthesizer = Synthesizer(
            plan.choice.model,
            parameters=plan.parameters,
            schema=plan.declared,
            seed=asked.used_seed,
            **asked.budget,
            monitor=terminal.monitor,
        ).fit(source.frame, checkpoint=checkpoint)
        synthesizer.choice_ = plan.choice
        terminal.begin("writing the model")
        outputs.write({"model": lambda place: synthesizer.save(place, force=True)}, terminal)
    show_files(terminal, outputs.on_disk, notes_of(synthesizer.ledger_))
    training = training_of(synthesizer.model_)
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "fit",
                "source": table,
                "seed": asked.used_seed,
                "seconds": round(synthesizer.seconds_, 2),
                "files": outputs.files,
                "plan": plan.to_dict(),
                "training": training,
                "privacy": privacy_of(synthesizer.ledger_),
            }
        )
    if was_interrupted(training):
        raise typer.Exit(INTERRUPTED)

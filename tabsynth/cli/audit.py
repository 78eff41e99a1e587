"""tabsynth audit: attack a model by fitting it again, and bound epsilon from below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli import options
from tabsynth.cli.arguments import check_model, check_settings, read_settings
from tabsynth.cli.files import (
    Outputs,
    check_inputs,
    check_missing,
    check_standard_input,
    read,
    read_schema,
    shown,
    text_writer,
)
from tabsynth.cli.gates import FAILED
from tabsynth.cli.plan import show_files
from tabsynth.cli.terminal import Terminal, print_json
from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    from tabsynth.audit import AuditResult, Prepared
    from tabsynth.monitor import Progress

BUDGET = (
    "each fit is made under the claim, with noise of its own; none is released, so no odometer is "
    "charged"
)
NOTES = {"report": "confidential: computed from the real rows"}


def audit(
    context: typer.Context,
    table: options.Table,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="one-run (one fit with canaries), multi-run (fits with and without one row), "
            "shadow (fits on random halves), or all.",
        ),
    ] = "all",
    model: options.Model = "auto",
    settings: options.Settings = None,
    runs: Annotated[
        int | None,
        typer.Option(
            "--runs",
            metavar="N",
            min=1,
            help="Fits of each of the two tables of multi-run (100 by default), and shadow fits "
            "(32 by default).",
        ),
    ] = None,
    canaries: Annotated[
        int | None,
        typer.Option(
            "--canaries",
            metavar="M",
            min=1,
            help="Rows of one-run whose presence is decided by coins; a fifth of the rows, at most "
            "1000, by default.",
        ),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon",
            metavar="E",
            help="Declared epsilon, to be refuted; the exit code is 5 if it is. Every fit is made "
            "under it, which needs --schema. Without it fits have no budget, and anything beyond "
            "chance is a leak.",
        ),
    ] = None,
    delta: Annotated[
        float,
        typer.Option("--delta", metavar="D", help="The delta that goes with epsilon."),
    ] = 1e-6,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", metavar="N", min=1, help="Fits at the same time, one thread each."
        ),
    ] = 1,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            metavar="DIR",
            help="Folder for finished fits, from which an audit that was stopped goes on. It is "
            "confidential.",
        ),
    ] = None,
    schema: options.SchemaFile = None,
    missing: options.Missing = None,
    seed: options.Seed = None,
    report: Annotated[
        str | None,
        typer.Option("--report-json", metavar="FILE", help="Write the result as JSON."),
    ] = None,
    delimiter: options.Delimiter = None,
    encoding: options.Encoding = None,
    input_format: options.InputFormat = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Attack a model by fitting it again, and say what it gives away at least.

        tabsynth audit patients.csv --method one-run --model tvae
        tabsynth audit patients.csv --method multi-run --model independent --runs 250
        tabsynth audit patients.csv --method shadow --workers 4 --state audit.state --seed 7
        tabsynth audit patients.csv --schema schema.yaml --epsilon 1

    Each method needs one or many fits; the plan says how many, and after the first one how long
    they will take. With --state an audit that was stopped goes on where it was: give the same
    command again. With --epsilon every fit is made under that budget, as the fit that will be
    released is. No fit of an audit is released, so no odometer is charged. An audit can refute that
    little is given away, never prove it.
    """
    terminal = Terminal.of(context, quiet, verbose)
    asked = read_settings(settings)
    check_model(model)
    if state is not None and seed is None:
        raise ConfigError(
            "--state needs --seed: an audit is only gone on with if its plan is the same. Give "
            "any number, such as --seed 7."
        )
    check_missing(missing, schema)
    check_standard_input(input_format, table)
    check_inputs(table, schema)
    outputs = Outputs({"report": report}, force, [table, schema])
    outputs.check()

    from tabsynth.audit import carry_out, prepare
    from tabsynth.random import Streams
    from tabsynth.schema.infer import infer_schema
    from tabsynth.synthesizer import Synthesizer

    drawn = seed is None
    seed = Streams(seed).seed
    known = None
    with terminal.progress():
        source = read(terminal, table, input_format, delimiter, encoding)
        terminal.begin("finding out what the columns are")
        if schema is not None:
            known = read_schema(schema)
        elif epsilon is None:
            known = infer_schema(source.frame, missing_values=("", *(missing or ())))
        choice = Synthesizer(model, epsilon=epsilon).choose(len(source.frame))
        terminal.begin("planning")
        prepared = prepare(
            source.frame,
            model=choice.model,
            method=method,
            parameters=check_settings(choice.model, asked),
            schema=known,
            runs=runs,
            canaries=canaries,
            epsilon=epsilon,
            delta=delta,
            seed=seed,
        )
    _show_plan(terminal, prepared, shown(table), choice.reason, seed, drawn, workers, state)
    watch = _Watch(terminal, prepared.n_fits, workers, state)
    terminal.kept = _kept(0, prepared.n_fits, state)
    with terminal.progress():
        result = carry_out(prepared, workers=workers, state=state, monitor=watch)
    terminal.kept = ""
    outputs.write({"report": text_writer(result.to_json())}, terminal)
    _show_result(terminal, result)
    show_files(terminal, outputs.on_disk, NOTES)
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "command": "audit",
                "source": table,
                "files": outputs.files,
                **result.to_dict(),
            }
        )
    if result.claim is not None and result.verdict.word == "leak detected":
        terminal.insist(f"The claim of epsilon = {result.claim:g} is refuted.", style="bold red")
        raise typer.Exit(FAILED)


class _Watch:
    """Passes progress on to the terminal, says how long it will take, and what is kept.

    Parameters
    ----------
    terminal : Terminal
    n_fits : int
        Of all methods.
    workers : int
    state : str or None
    """

    def __init__(self, terminal: Terminal, n_fits: int, workers: int, state: str | None) -> None:
        self.terminal, self.n_fits, self.workers, self.state = terminal, n_fits, workers, state
        self.before = self.done = 0
        self.phase = self.told = ""

    def __call__(self, progress: Progress) -> None:
        self.terminal.monitor(progress)
        if progress.phase != self.phase:
            self.before, self.phase = self.done, progress.phase
            if progress.done:
                self.terminal.say(f"{progress.done:,} of {progress.total:,} fits were done before.")
        self.done = self.before + progress.done
        self.terminal.kept = _kept(self.done, self.n_fits, self.state)
        left = progress.total - progress.done
        if "seconds_per_run" in progress.metrics and self.told != self.phase:
            self.told = self.phase
            each = progress.metrics["seconds_per_run"]
            if left:
                whole = each * left / min(self.workers, left)
                name = progress.phase.partition(", ")[2]
                self.terminal.say(
                    f"{name[:1].upper()}{name[1:]}: the first fit took {_time(each)}; {left:,} "
                    f"more will take about {_time(whole)}."
                )


def _kept(done: int, total: int, state: str | None) -> str:
    """Return what to say of the fits that are done when the program is stopped."""
    if state is None:
        return f"{done:,} of {total:,} fits were done and are lost, as no --state was given"
    return f"{done:,} of {total:,} fits are kept in {state}: give the same command again to go on"


def _time(seconds: float) -> str:
    """Return a length of time in words.

    Examples
    --------
    >>> _time(0.4), _time(75), _time(7000)
    ('0.40 s', '1:15 minutes', '1.9 hours')
    """
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds >= 1 else f"{seconds:.2f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02} minutes"
    return f"{seconds / 3600:.1f} hours"


def _show_plan(
    terminal: Terminal,
    prepared: Prepared,
    source: str,
    reason: str,
    seed: int,
    drawn: bool,
    workers: int,
    state: str | None,
) -> None:
    """Print what will be done."""
    setting = prepared.setting
    terminal.say(f"{source}: {len(setting.frame):,} rows, {len(setting.schema)} columns", "")
    chosen = ", ".join(f"{name} = {value}" for name, value in setting.parameters.items())
    fits = f"{prepared.n_fits:,} fit{'' if prepared.n_fits == 1 else 's'}"
    terminal.facts(
        {
            "Model": f"{setting.model}: {reason}",
            **({"Settings": chosen} if chosen else {}),
            **prepared.summaries,
            "Fits": f"{fits} with {workers} worker{'' if workers == 1 else 's'}",
            "Claim": "nothing is given away beyond chance"
            if setting.claim is None
            else f"epsilon = {setting.claim:g}, delta = {setting.delta:g}",
            **({} if setting.declared is None else {"Budget": BUDGET}),
            "Seed": f"{seed} (drawn at random; give --seed {seed} to repeat this run)"
            if drawn
            else str(seed),
            "State": "kept nowhere: if this is stopped it begins anew (--state DIR keeps it)"
            if state is None
            else f"{state} (confidential)",
        }
    )
    terminal.say("")


def _show_result(terminal: Terminal, result: AuditResult) -> None:
    """Print what was found, in plain words."""
    verdict = result.verdict
    grave = verdict.word == "leak detected"
    for method in result.methods:
        title = f"{method.title[:1].upper()}{method.title[1:]}"
        terminal.say("", f"{title}: {method.word}.", style="bold")
        terminal.say(*method.reasons, method.statement, method.smallest)
    terminal.say("")
    terminal.say(f"Audit: {verdict.word}.", style="bold red" if grave else "bold")
    bound = "none could be computed" if result.epsilon is None else f"at least {result.epsilon:.2f}"
    if result.claim is not None:
        bound += f", and {result.claim:g} is declared"
    terminal.say(
        f"Epsilon: {bound} ({result.confidence:.0%} confidence, delta = {result.delta:g}; no more "
        f"than {result.largest:.2f} could have been shown).",
        "This was computed from the real rows and is confidential.",
    )

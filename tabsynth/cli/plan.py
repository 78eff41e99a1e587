"""What a person is shown before and after the work: plans, schemas and scores as tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tabsynth.cli.terminal import Terminal

if TYPE_CHECKING:
    from tabsynth.evaluation.plausibility import Rejected
    from tabsynth.evaluation.result import Evaluation, Score
    from tabsynth.fair import Parity
    from tabsynth.plan import Plan
    from tabsynth.schema import Schema

SPREAD = ("mean", "standard_deviation", "minimum", "maximum")
"""Details of a score over several seeds that are shown."""


def show_schema(terminal: Terminal, schema: Schema, treatments: Mapping[str, str]) -> None:
    """Print what each column is taken for, what will happen to it, and why."""
    terminal.table(
        ("Column", "Type", "Role", "What happens", "Why"),
        [
            (c.name, c.type, c.role, treatments[c.name], c.reason or "given by the schema")
            for c in schema
        ],
    )


def show_plan(
    terminal: Terminal,
    plan: Plan,
    *,
    source: str,
    seed: int,
    drawn: bool,
    outputs: Mapping[str, str],
    makes_rows: bool = True,
) -> None:
    """Print what will happen to a table."""
    terminal.say(
        f"{source}: {plan.n_train + plan.n_holdout:,} rows, {len(plan.schema)} columns",
        style="bold",
    )
    terminal.say("")
    show_schema(terminal, plan.schema, plan.treatments)
    terminal.say("")
    chosen = ", ".join(f"{name} = {value}" for name, value in plan.parameters.items())
    terminal.facts(
        {
            "Model": f"{plan.choice.model}: {plan.choice.reason}",
            **({"Settings": chosen} if chosen else {}),
            "Rows": _rows(plan, makes_rows),
            "Needs": f"about {in_words(plan.seconds)} to learn on one core, and about "
            f"{max(plan.gib, 0.1):.1f} GiB of memory",
            "Missing": missing_text(plan.schema),
            "Seed": f"{seed} (drawn at random; give --seed {seed} to repeat this run)"
            if drawn
            else str(seed),
            **_privacy(plan),
            **({"Writes": ", ".join(outputs.values())} if outputs else {}),
        }
    )
    for notice in plan.notices:
        terminal.say(f"Note: {notice}", style="yellow")
    terminal.say("")


def _privacy(plan: Plan) -> dict[str, str]:
    """Return what is promised, and how a budget will be split."""
    if plan.terms is None:
        return {
            "Privacy": "no differential privacy; keys, personal data and free text are never learnt"
        }
    parts = ", ".join(f"{part} {share:.0%}" for part, share in plan.shares.items())
    known = "noisy" if plan.terms.public_rows is None else "public, as you say"
    account = plan.terms.odometer
    return {
        "Privacy": plan.terms.statement(),
        "Budget": f"{parts}; the number of rows is {known}",
        **({"Odometer": str(account)} if account is not None else {}),
    }


def in_words(seconds: float) -> str:
    """Return a duration as people say it.

    Examples
    --------
    >>> [in_words(seconds) for seconds in (0.4, 7.7, 44, 130)]
    ['1 second', '8 seconds', '40 seconds', '2 minutes']
    """
    if seconds < 90:
        whole = max(1, round(seconds, -1 if seconds >= 20 else 0))
        return f"{whole:.0f} second{'s' * (whole > 1)}"
    return f"{round(seconds / 60):.0f} minute{'s' * (seconds >= 90)}"


def _rows(plan: Plan, makes_rows: bool) -> str:
    if not makes_rows:
        return f"learns from all {plan.n_train:,}"
    held = f"{plan.n_holdout:,}" if plan.n_holdout else "none"
    if plan.terms is not None:
        made = f"{plan.n_rows:,}" if plan.counted else "as many as the noisy number of rows says"
        return (
            f"keeps about {plan.n_holdout:,} unseen for the evaluation, learns from the others, "
            f"makes {made}"
        )
    chosen = f" after rejecting {plan.reject:.0%}" if plan.reject else ""
    return (
        f"learns from {plan.n_train:,}, keeps {held} unseen for the evaluation, "
        f"makes {plan.n_rows:,}{chosen}"
    )


def missing_text(schema: Schema) -> str:
    """Return which cell texts mean missing, in words."""
    markers = [repr(marker) if marker else "empty cells" for marker in schema.missing_values]
    parts = [", ".join(markers) or "no cell text in every column"]
    own: dict[str, list[str]] = {}
    for column in schema:
        for marker in column.get("missing", ()):
            if marker not in schema.missing_values:
                own.setdefault(marker, []).append(column.name)
    parts += [f"{marker!r} in {', '.join(names)}" for marker, names in own.items()]
    return "; ".join(parts)


def show_verdict(terminal: Terminal, evaluation: Evaluation) -> None:
    """Print what the attacks say together, where there is a verdict."""
    verdict = evaluation.verdict
    if verdict is None:
        return
    grave = verdict.word == "leak detected"
    terminal.say(f"Disclosure: {verdict.word}.", style="bold red" if grave else "bold")
    for reason in verdict.reasons:
        terminal.say(reason)


def show_scores(terminal: Terminal, scores: Sequence[Score]) -> None:
    """Print scores group by group, with what it takes to read them."""
    words = {"lower": "lower", "higher": "higher", "half": "near 0.5"}
    titles = ("Score", "Value", "95% interval", "Fresh real", "Independent", "Better")
    rows: list[tuple[str, ...]] = []
    for group in dict.fromkeys(score.group for score in scores):
        empty = ("",) * (len(titles) - 1)
        rows += [("", *empty)] if rows else []
        rows.append((group.capitalize(), *empty))
        rows += [
            (
                f"  {score.name}",
                _number(score.value),
                f"{_number(score.interval.low)} to {_number(score.interval.high)}"
                if score.interval
                else "",
                _number(score.reference, ""),
                _number(score.baseline, ""),
                words[score.better],
            )
            for score in scores
            if score.group == group
        ]
    terminal.table(titles, rows, numbers=(1, 2, 3, 4))
    terminal.say(
        "",
        "Fresh real: what as many fresh real rows get. Independent: what independent columns get, "
        "each drawn by itself.",
    )
    problems: dict[str, list[str]] = {}
    for score in scores:
        if score.problem:
            problems.setdefault(score.problem, []).append(score.name)
    for problem, names in problems.items():
        terminal.say(f"Note: {', '.join(names)}: {problem}", style="yellow")


def show_stability(terminal: Terminal, evaluation: Evaluation) -> None:
    """Print how much scores differ between seeds, where several tables were made."""
    if not evaluation.stability:
        return
    titles = ("Over seeds", "Mean", "Standard deviation", "Least", "Greatest")
    terminal.table(
        titles,
        [
            (
                f"  {score.name}",
                *(_number(score.details[name], "") for name in SPREAD),
            )
            for score in evaluation.stability
            if score.value is not None
        ],
        numbers=(1, 2, 3, 4),
    )
    terminal.say("")


def _number(value: float | None, absent: str = "none") -> str:
    return absent if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def show_summary(terminal: Terminal, evaluation: Evaluation, told: Collection[str] = ()) -> None:
    """Print the five closing lines, and the notices that were not told before."""
    from tabsynth.report import summary

    lines = (line.partition(": ") for line in summary(evaluation))
    terminal.facts({topic: text for topic, _, text in lines})
    for notice in evaluation.notices:
        if notice not in told:
            terminal.say(f"Note: {notice}", style="yellow")


def show_choice(
    terminal: Terminal, parity: Parity | None, rejected: Rejected | None = None
) -> dict[str, Any]:
    """Print how rows were chosen from more rows; return the same for JSON."""
    told = {"fair": parity, "rejected": rejected}
    facts = {key.capitalize(): found.in_words() for key, found in told.items() if found}
    if facts:
        terminal.facts(facts)
    return {key: found.to_dict() if found else None for key, found in told.items()}


def show_files(terminal: Terminal, files: Mapping[str, str], notes: Mapping[str, str]) -> None:
    """Print which files were written and what to know about each."""
    if files:
        terminal.say("", "Wrote", style="bold")
        terminal.facts({path: notes.get(kind, "") for kind, path in files.items()})

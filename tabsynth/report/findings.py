"""The tests for disclosure in words: by principle, one by one, and how small a leak they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.evaluation.result import Evaluation, Finding, Score, Verdict
from tabsynth.report.words import ABSENT, finite, label, number

PRINCIPLES = {
    "singling out": "Does a description read off the synthetic table fit one person alone?",
    "linkability": "Do different facts about one person lead to the same synthetic row?",
    "inference": "Does the synthetic table tell what a known person has in a column?",
    "membership": "Can one tell who was among the training rows?",
    "copying": "Do parts of training rows stand in the synthetic table?",
}
"""What a leak can breach, and the question behind it, in the order in which they are shown."""

_PARTS = {
    "singling_out": "singling out",
    "combinations": "singling out",
    "linkability": "linkability",
    "inference": "inference",
    "membership": "membership",
}
"""The principle of scores without tests by a part of their name; all others are copying."""


@dataclass(frozen=True)
class Trial:
    """One test, ready to be shown."""

    attack: str
    principle: str
    level: str
    p_value: str
    adjusted: str
    problem: str
    leak: bool


@dataclass(frozen=True)
class Tally:
    """The tests of one principle together: how many were run, and the strongest of them."""

    principle: str
    run: int
    not_run: int
    adjusted: str
    outcome: str
    leak: bool


def principle_of(score: Score) -> str:
    """Return what a disclosure score measures a breach of.

    Examples
    --------
    >>> principle_of(Score("membership_tpr", "", "disclosure", 0.01, "lower", 0.01, ""))
    'membership'
    """
    for finding in score.findings:
        if finding.principle in PRINCIPLES:
            return finding.principle
    return next((name for part, name in _PARTS.items() if part in score.name), "copying")


def trials(verdict: Verdict | None) -> list[Trial]:
    """Return every test behind a verdict, by principle, the strongest first."""
    if verdict is None:
        return []
    places = {name: place for place, name in enumerate(PRINCIPLES)}
    found = sorted(verdict.findings, key=lambda f: places.get(f.principle, len(places)))
    return [
        Trial(
            attack=finding.attack,
            principle=label(finding.principle),
            level=str(finding.level),
            p_value=p_value(finding.p_value),
            adjusted=p_value(finding.adjusted),
            problem=finding.problem,
            leak=_leaks(finding, verdict.alpha),
        )
        for finding in found
    ]


def tallies(verdict: Verdict | None) -> list[Tally]:
    """Return what the tests of each principle say together; nothing without tests."""
    if verdict is None or not verdict.findings:
        return []
    others = dict.fromkeys(finding.principle for finding in verdict.findings)
    names = dict.fromkeys([*PRINCIPLES, *others])
    return [
        _tally(name, [f for f in verdict.findings if f.principle == name], verdict.alpha)
        for name in names
    ]


def _tally(principle: str, findings: Sequence[Finding], alpha: float) -> Tally:
    ran = [f for f in findings if finite(f.p_value) is not None]
    adjusted = [p for f in ran if (p := finite(f.adjusted)) is not None]
    leak = any(_leaks(finding, alpha) for finding in ran)
    outcome = "leak detected" if leak else "nothing beyond chance" if ran else "not tested"
    if not leak and ran and len(ran) < len(findings):
        outcome = "nothing beyond chance, not all tests could be run"
    return Tally(
        label(principle),
        len(ran),
        len(findings) - len(ran),
        p_value(min(adjusted, default=None)),
        outcome,
        leak,
    )


def smallest_leak(verdict: Verdict | None) -> str:
    """Return how small a planted leak would have been seen; empty where nothing was planted.

    Examples
    --------
    >>> print(smallest_leak(Verdict("no leak detected at this power", 0.05, (), 0.005)))
    The smallest planted leak that would have been seen: copies of training rows as 0.5% of the ...
    """
    share = None if verdict is None else finite(verdict.smallest_leak)
    if share is None:
        return ""
    return (
        "The smallest planted leak that would have been seen: copies of training rows as "
        f"{100 * share:g}% of the synthetic rows."
    )


def sample_sizes(evaluation: Evaluation) -> str:
    """Return how many rows of each table the attacks saw; empty where that is not recorded."""
    names = (
        ("synthetic_measured", "synthetic"),
        ("train_measured", "training"),
        ("holdout_measured", "held-out"),
    )
    parts = [
        f"{number(evaluation.rows[key])} {name}" for key, name in names if key in evaluation.rows
    ]
    return f"{', '.join(parts[:-1])} and {parts[-1]} rows" if len(parts) > 1 else ""


def p_value(value: float | None) -> str:
    """Return a p-value with two digits.

    Examples
    --------
    >>> p_value(0.0312), p_value(1e-9), p_value(1.0), p_value(None)
    ('0.031', '<0.0001', '1', '–')
    """
    value = finite(value)
    if value is None:
        return ABSENT
    return f"{value:.2g}" if value >= 1e-4 else "<0.0001"


def _leaks(finding: Finding, alpha: float) -> bool:
    adjusted = finite(finding.adjusted)
    return finite(finding.p_value) is not None and adjusted is not None and adjusted <= alpha

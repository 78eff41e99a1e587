"""The verdict: what all attacks say together, and how much they could have seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tabsynth.evaluation.attempt import attempt
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.domain import foreign, warning
from tabsynth.evaluation.power import SHARES, smallest_leak
from tabsynth.evaluation.result import Finding, Score, Verdict

ALPHA = 0.05
"""Chance of "leak detected" where nothing leaks, over all attacks together."""
REVERSED = 0.001
"""Unseen rows that are more exposed than training rows at this level mean that something is odd."""
MOST_NAMED = 5
"""Attacks that are named in reasons."""

NO_HOLDOUT = (
    "No rows were held out from training, so what the attacks find cannot be told from what they "
    "would find about anybody."
)
EMPTY = "The synthetic table has no rows."


def judge(
    comparison: Comparison, scores: Sequence[Score], failed: Mapping[str, str] | None = None
) -> Verdict:
    """Draw the verdict from the findings of all scores.

    Parameters
    ----------
    comparison : Comparison
    scores : sequence of Score
    failed : mapping of str to str, optional
        Names of scores whose measure could not be taken at all, and why.

    Returns
    -------
    Verdict
        "leak detected" if at least one finding has a p-value of at most `ALPHA` after Holm's
        correction for all of them, whatever else went wrong. Otherwise "inconclusive" if anything
        stood in the way. Otherwise "no leak detected at this power", with the smallest planted
        leak that would have been detected.

    References
    ----------
    Holm (1979), https://www.jstor.org/stable/4615733.
    """
    findings = holm([finding for score in scores for finding in score.findings])
    tested = [finding for finding in findings if finding.p_value is not None]
    obstacles = _obstacles(comparison, scores, findings, failed or {})
    leaks = [finding for finding in tested if _adjusted(finding) <= ALPHA]
    if leaks:
        reasons = [*_found(leaks, len(tested)), *obstacles]
        return Verdict("leak detected", ALPHA, findings, None, tuple(reasons))
    if obstacles or not tested:
        reasons = obstacles or ["No attack was run."]
        return Verdict("inconclusive", ALPHA, findings, None, tuple(reasons))
    smallest, problem = attempt(lambda: smallest_leak(comparison, ALPHA / len(tested)))
    if smallest is None:
        reason = problem or (
            f"The attacks are too weak for this table: even if {SHARES[-1]:.0%} of the synthetic "
            "rows had been copies of training rows, they would not have noticed. There are too "
            "few rows, or rows are so alike that a copy cannot be told from chance."
        )
        return Verdict("inconclusive", ALPHA, findings, None, (reason,))
    reasons = [
        f"{_tests(len(tested))} found no difference between training rows and unseen rows beyond "
        "chance.",
        f"Copies of training rows would have been noticed if they had been {_percent(smallest)} "
        "of the synthetic rows. Fewer copies, or leaks of a kind that was not tried, can have "
        "gone unseen.",
    ]
    return Verdict("no leak detected at this power", ALPHA, findings, smallest, tuple(reasons))


def holm(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings with adjusted p-values, strongest first and those not run last.

    Examples
    --------
    >>> three = [Finding(name, "membership", 2, p) for name, p in (("a", 0.04), ("b", 0.01))]
    >>> [(finding.attack, finding.adjusted) for finding in holm(three)]
    [('b', 0.02), ('a', 0.04)]
    """
    tested = [finding for finding in findings if finding.p_value is not None]
    tested.sort(key=lambda finding: finding.p_value or 0.0)
    raw = np.array([finding.p_value for finding in tested], dtype=np.float64)
    factors = np.arange(len(tested), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(raw * factors), 1.0) if len(raw) else raw
    return (
        *(replace(f, adjusted=float(p)) for f, p in zip(tested, adjusted, strict=True)),
        *(replace(finding, adjusted=None) for finding in findings if finding.p_value is None),
    )


def _adjusted(finding: Finding) -> float:
    return 1.0 if finding.adjusted is None else finding.adjusted


def _found(leaks: Sequence[Finding], n_tests: int) -> list[str]:
    """Return a sentence for each of the strongest findings."""
    reasons = [
        f"Training rows are more exposed than unseen rows of the same source ({finding.principle})"
        f": {finding.attack}, p = {_p_value(_adjusted(finding))} after correction for "
        f"{_tests(n_tests).lower()}."
        for finding in leaks[:MOST_NAMED]
    ]
    if len(leaks) > MOST_NAMED:
        reasons.append(f"{_tests(len(leaks) - MOST_NAMED, 'more ')} found a leak.")
    return reasons


def _obstacles(
    comparison: Comparison,
    scores: Sequence[Score],
    findings: Sequence[Finding],
    failed: Mapping[str, str],
) -> list[str]:
    """Return what stands in the way of saying that nothing was found."""
    if not len(comparison.synthetic):
        return [EMPTY]
    if comparison.holdout is None:
        return [NO_HOLDOUT]
    reasons = [*_swapped(comparison, scores), *filter(None, [warning(foreign(comparison))])]
    disclosure = [score for score in scores if score.group == "disclosure"]
    problems: dict[str, list[str]] = {}
    for score in disclosure:
        if score.name in failed:
            problems.setdefault(failed[score.name], []).append(score.title)
    for finding in findings:
        if finding.p_value is None:
            problems.setdefault(finding.problem, []).append(finding.attack)
    for problem, attacks in problems.items():
        named = "; ".join(dict.fromkeys(attacks[:MOST_NAMED]))
        more = f" and {len(attacks) - MOST_NAMED} more" if len(attacks) > MOST_NAMED else ""
        reasons.append(f"Could not be run: {named}{more}. {problem}".rstrip())
    return reasons


def _swapped(comparison: Comparison, scores: Sequence[Score]) -> list[str]:
    """Return whether unseen rows are more exposed than training rows, and what that may mean."""
    found = [score.details.get("p_reversed") for score in scores]
    p_values = [p for p in found if isinstance(p, float)]
    if not p_values or min(p_values) * len(p_values) > REVERSED:
        return []
    tables = comparison.complete
    made, held = tables["synthetic"].ids, tables["holdout"].ids
    equal = float(np.isin(made, held).mean())
    chance = float(np.isin(made, tables["train"].ids).mean())
    if equal > 0.5 and equal > 2 * chance:
        return [
            f"{equal:.0%} of the synthetic rows are rows of the holdout. Either the holdout was "
            "given as the synthetic table, or the model was trained on it: it is not unseen."
        ]
    return [
        "The held-out rows are more exposed than the training rows, which cannot be if the model "
        "never saw them. Were the two tables swapped, was the model trained on the holdout, or "
        "were synthetic rows near to training rows filtered out? Such a filter is itself a leak."
    ]


def _tests(n: int, more: str = "") -> str:
    return f"{n:,} {more}tests" if n != 1 else f"1 {more}test"


def _percent(share: float) -> str:
    return f"{100 * share:g}%"


def _p_value(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-4 else "below 0.0001"

"""Stability: how much figures differ between tables made with different seeds of one model."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from tabsynth.errors import DataError
from tabsynth.evaluation.result import Evaluation, Score


def with_stability(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return the first evaluation, with what the others say about how much seeds matter.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        Of tables that one model made with different seeds, against the same real rows; the first
        is of the table that will be used. One alone is returned as it is.

    Returns
    -------
    Evaluation
        `stability` is filled, and a notice names the verdicts where another table has a graver one
        than the first.
    """
    first, *others = evaluations
    if not others:
        return first
    words = [one.verdict.word for one in evaluations if one.verdict is not None]
    leaks = words.count("leak detected")
    notices = []
    if leaks and words[0] != "leak detected":
        notices.append(
            f"Of {len(evaluations)} tables made with different seeds, {leaks} "
            f"{'has' if leaks == 1 else 'have'} the verdict 'leak detected', though this one has "
            f"{words[0]!r}. The model leaks; which table was drawn is chance."
        )
    return replace(
        first,
        stability=tuple(stability(evaluations)),
        notices=(*first.notices, *notices),
    )


def stability(evaluations: Sequence[Evaluation]) -> list[Score]:
    """Return each score that all evaluations have, as its mean and spread over them.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        At least two: of tables that one model made with different seeds, against the same real
        rows.

    Returns
    -------
    list of Score
        In the order of the first evaluation. The value is the mean; `details` holds "mean",
        "standard_deviation" (of one table, from n - 1), "minimum", "maximum", "worst" (by the
        direction of the score) and "tables". The interval is left out: that of a single table is
        about the rows it was tested on, not about seeds. Findings are left out too, because a leak
        of one table is not made good by the others: read the verdict of each.

    Raises
    ------
    DataError
        If there are fewer than two evaluations.

    Examples
    --------
    >>> def of(value):
    ...     return Evaluation((Score("c2st", "C2ST", "fidelity", value, "half", 0.5, "How."),))
    >>> score = stability([of(0.6), of(0.7)])[0]
    >>> round(score.value, 3), round(score.details["standard_deviation"], 3)
    (0.65, 0.071)
    """
    if len(evaluations) < 2:
        raise DataError(
            f"Stability compares at least two evaluations, of tables made with different seeds. "
            f"Got {len(evaluations)}."
        )
    common = set.intersection(*({score.name for score in one.scores} for one in evaluations))
    return [
        _spread([one[score.name] for one in evaluations])
        for score in evaluations[0].scores
        if score.name in common
    ]


def _spread(scores: Sequence[Score]) -> Score:
    """Return one score that stands for several of the same name."""
    first, n = scores[0], len(scores)
    known = [score for score in scores if score.value is not None]
    values = [score.value for score in known if score.value is not None]
    if len(values) < 2:
        return replace(
            first,
            value=None,
            interval=None,
            reference=None,
            baseline=None,
            problem=f"{len(values)} of {n} tables have a value; two are needed for a spread.",
            details={"tables": len(values)},
            findings=(),
        )
    weaker = list(dict.fromkeys(score.problem for score in known if score.problem))
    if len(values) < n:
        weaker.insert(0, f"{n - len(values)} of {n} tables have no value.")
    away = [abs(value - first.best) for value in values]
    return replace(
        first,
        value=statistics.fmean(values),
        interval=None,
        reference=_mean([score.reference for score in known]),
        baseline=_mean([score.baseline for score in known]),
        explanation=f"Mean over {len(values)} tables made with different seeds. "
        f"{first.explanation}",
        problem=" ".join(weaker),
        details={
            "mean": statistics.fmean(values),
            "standard_deviation": statistics.stdev(values),
            "minimum": min(values),
            "maximum": max(values),
            "worst": values[away.index(max(away))],
            "tables": len(values),
        },
        findings=(),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, None where one is missing."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None

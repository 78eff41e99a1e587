"""Fairness: whether a model that learnt from synthetic rows treats groups of people alike.

What is measured is a difference between groups in the decisions of a model, beside the same
difference for a model of real rows. Neither says whether the decision is right, or just.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.exam import Answers, Exam, answers_of, exam_of, parts_of, task_of
from tabsynth.evaluation.frame import MISSING
from tabsynth.evaluation.groups import FEWEST_ROWS, MOST_COLUMNS, MOST_GROUPS, Groups, protected
from tabsynth.evaluation.result import Interval, Score
from tabsynth.evaluation.skill import BOTH, half_width, spread
from tabsynth.evaluation.utility import shortcomings

FEWEST_CASES = 20
"""Rows of a group with (and without) a value of the target that rates of errors need."""
NO_JUDGEMENT = (
    "Compare it with the reference, the same for boosted trees that learnt from real rows: what "
    "differs comes from the synthetic rows. Neither is a judgement of the decision itself."
)
NONE = (
    "No column with the role quasi or sensitive has "
    f"2 to {MOST_GROUPS} groups of at least {FEWEST_ROWS} rows to test on, so there are no groups "
    "to compare. Give such columns one of these roles in the schema."
)


@dataclass(frozen=True, eq=False)
class Rates:
    """How often something happens in each group, among some rows.

    Attributes
    ----------
    name : str
        "predictions", "true positive rate" or "false positive rate".
    k : int
        Of which class.
    among, event : ndarray of bool, shape (n_rows,)
    """

    name: str
    k: int
    among: np.ndarray
    event: np.ndarray


@dataclass(frozen=True)
class Gap:
    """The greatest difference of a rate between two groups.

    Attributes
    ----------
    value : float
    interval : Interval
    rate : Rates
        Which rate.
    groups : tuple of int
        The group with the lower rate and the one with the higher.
    rates : dict of int to float
        That rate in each group with enough rows.
    """

    value: float
    interval: Interval
    rate: Rates
    groups: tuple[int, int]
    rates: dict[int, float]


@measures.register("fairness")
class Fairness(Measure):
    """Demographic parity and equalised odds between the groups of one column.

    A model decides for the likeliest class. Of a target with more than two classes every class is
    taken against the rest, and the greatest difference counts.

    Parameters
    ----------
    target : str
    groups : Groups or None
        None where there is nothing to compare; the scores then say so.
    n_more : int
        Columns with groups that are not measured.

    References
    ----------
    Hardt, Price and Srebro (2016), arXiv:1610.02413; Dwork et al. (2012), arXiv:1104.3913.
    """

    order = 50

    def __init__(self, target: str = "", groups: Groups | None = None, n_more: int = 0) -> None:
        self.target = target
        self.groups = groups
        self.n_more = n_more
        ending = f"{target}:{groups.column}" if groups else target
        between = f"between groups of {groups.column!r}" if groups else "between groups"
        self.figures = (
            Figure(
                f"demographic_parity:{ending}",
                f"Predictions of {target!r} {between} (demographic parity)",
                "fairness",
                "lower",
                0.0,
                f"Greatest difference {between} in how often boosted trees that learnt from "
                f"synthetic rows predict the same value of {target!r} for unseen real rows: 0 is "
                f"equally often, 1 always for one group and never for another. {NO_JUDGEMENT}",
            ),
            Figure(
                f"equalised_odds:{ending}",
                f"Errors on {target!r} {between} (equalised odds)",
                "fairness",
                "lower",
                0.0,
                f"Greatest difference {between} in how often boosted trees that learnt from "
                f"synthetic rows recognise a value of {target!r} in unseen real rows that have "
                f"it, or predict it in rows that do not: 0 is equally often. {NO_JUDGEMENT}",
            ),
        )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return one measure for each target with classes and each protected column."""
        planned: list[Measure] = []
        for target in comparison.targets:
            try:
                if not task_of(comparison, target).is_classification:
                    continue
            except DataError:
                continue
            columns, n_more = protected(comparison, target)
            planned += [cls(target, groups, n_more) for groups in columns] or [cls(target)]
        return planned

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the two gaps, each with an interval over the rows tested on."""
        if self.groups is None:
            raise DataError(NONE)
        exam = exam_of(comparison, self.target)
        n = comparison.n_equal
        holdout = comparison.holdout is not None

        def answers(table: str) -> list[Answers]:
            whole = answers_of(comparison, self.target, "boosted", ((table, 0, n),))
            return [whole, *parts_of(comparison, self.target, "boosted", table)]

        synthetic = answers("synthetic")
        real = answers("train") if holdout else []
        problems = shortcomings(exam, synthetic[0])
        if not holdout:
            problems.insert(0, "No holdout: tested on the training rows.")
        return [
            self._score(figure, rates, comparison, exam, synthetic, real, problems)
            for figure, rates in zip(self.figures, (decisions, recognitions), strict=True)
        ]

    def _score(
        self,
        figure: Figure,
        rates: Callable[[Exam, Answers], list[Rates]],
        comparison: Comparison,
        exam: Exam,
        synthetic: Sequence[Answers],
        real: Sequence[Answers],
        problems: Sequence[str],
    ) -> Score:
        assert self.groups is not None
        codes, labels = self.groups.codes[exam.rows], self.groups.labels
        fewest = FEWEST_ROWS if rates is decisions else FEWEST_CASES

        def gap(answers: Sequence[Answers]) -> Gap | None:
            whole, *parts = (rates(exam, one) for one in answers)
            return widest(whole, parts, codes, exam.draws, fewest)

        found = gap(synthetic)
        if found is None:
            return figure.absent(
                f"Fewer than two groups of {self.groups.column!r} have {fewest} rows to test on "
                f"with, and without, a value of {self.target!r}.",
                target=self.target,
                column=self.groups.column,
            )
        problems = list(problems)
        if len(np.unique(synthetic[0].predictions.argmax(axis=1))) == 1 and not problems:
            problems.append(
                "Boosted trees that learnt from synthetic rows predict the same value for every "
                "row, so no difference can show."
            )
        other = gap(real) if real else None
        details: dict[str, object] = {
            "target": self.target,
            "column": self.groups.column,
            "learner": "boosted",
            "decision": "likeliest class",
            "rate": found.rate.name,
            "value_predicted": exam.label(found.rate.k, comparison),
            "lowest_group": labels[found.groups[0]],
            "highest_group": labels[found.groups[1]],
            "rates": {labels[group]: rate for group, rate in found.rates.items()},
            "groups": len(labels),
            "rows_tested_on": int((codes != MISSING).sum()),
            "rows_in_no_group": int((codes == MISSING).sum()),
            "most_columns": MOST_COLUMNS,
            "columns_not_measured": self.n_more,
        }
        if other is not None:
            more, low, high = difference(found, other)
            details |= {
                "reference_low": other.interval.low,
                "reference_high": other.interval.high,
                "difference_to_real": more,
                "difference_low": low,
                "difference_high": high,
            }
        return figure.score(
            found.value,
            interval=found.interval,
            reference=None if other is None else other.value,
            reference_text="The same trees after learning from as many real training rows."
            if other is not None
            else "",
            problem=" ".join(problems),
            details=details,
        )


def decisions(exam: Exam, answers: Answers) -> list[Rates]:
    """Return how often each class is predicted (of two classes one tells all)."""
    predicted = answers.predictions.argmax(axis=1)
    everyone = np.ones(len(exam), dtype=bool)
    return [Rates("predictions", k, everyone, predicted == k) for k in _classes(exam)]


def recognitions(exam: Exam, answers: Answers) -> list[Rates]:
    """Return how often each class is predicted where it is true and where it is not."""
    predicted = answers.predictions.argmax(axis=1)
    return [
        Rates(name, k, (exam.truth == k) == true, predicted == k)
        for k in _classes(exam)
        for name, true in (("true positive rate", True), ("false positive rate", False))
    ]


def _classes(exam: Exam) -> Sequence[int]:
    return [1] if exam.task.n_classes == 2 else range(exam.task.n_classes)


def widest(
    rates: Sequence[Rates],
    parts: Sequence[Sequence[Rates]],
    codes: np.ndarray,
    draws: np.ndarray,
    fewest: int,
    level: float = 0.95,
) -> Gap | None:
    """Return the greatest difference of a rate between two groups.

    The greatest of many differences is too great by chance, and resampling makes it greater
    still, so its percentiles are of no use. All differences together get one simultaneous band
    (the bootstrap of the greatest studentised deviation); the greatest true difference then lies
    between the greatest lower and the greatest upper end. The interval is at least as wide as
    stated.

    Parameters
    ----------
    rates : sequence of Rates
    parts : sequence of sequence of Rates
        The same of models that learnt from disjoint parts of the rows.
    codes : ndarray of int, shape (n_rows,)
        Groups; -1 is left out.
    draws : ndarray of uint8, shape (n_rows, n_draws)
    fewest : int
        Rows that a group needs in a rate.
    level : float

    Returns
    -------
    Gap or None
        None where no rate has two groups with enough rows.

    References
    ----------
    Agresti and Caffo (2000), doi:10.1080/00031305.2000.10474560, for the standard errors, which
    stay above zero where a group's rate is 0 or 1.
    """
    n_groups = int(codes.max(initial=MISSING)) + 1
    member = codes[:, None] == np.arange(n_groups)
    weights = draws.T.astype(np.float32)
    found: list[tuple[float, float, int, int, int]] = []
    worst = np.zeros(draws.shape[1])
    shares: list[np.ndarray] = []
    for place, rate in enumerate(rates):
        among = member & rate.among[:, None]
        happened = among & rate.event[:, None]
        size, count = among.sum(axis=0), happened.sum(axis=0)
        shares.append(np.where(size >= fewest, count / np.maximum(size, 1), np.nan))
        softened = (count + 1) / (size + 2)
        variance = softened * (1 - softened) / (size + 2)
        drawn = weights @ happened.astype(np.float32)
        drawn = drawn / np.maximum(weights @ among.astype(np.float32), 1)
        of_parts = np.array([
            (among & part[place].event[:, None]).sum(axis=0) / np.maximum(size, 1)
            for part in parts
        ])  # fmt: skip
        groups = np.flatnonzero(size >= fewest).tolist()
        for i, low in enumerate(groups):
            for high in groups[i + 1 :]:
                gap = shares[place][high] - shares[place][low]
                tested = float(variance[low] + variance[high])
                learnt = float(spread(of_parts[:, high] - of_parts[:, low]))
                away = np.abs(drawn[:, high] - drawn[:, low] - gap) / np.sqrt(tested)
                worst = np.maximum(worst, away)
                pair = (low, high) if gap >= 0 else (high, low)
                half = half_width(tested, learnt, len(parts) - 1, level)
                found.append((abs(float(gap)), half, place, *pair))
    if not found:
        return None
    # What all differences together need beyond one alone.
    alone = NormalDist().inv_cdf((1 + level) / 2)
    further = max(1.0, float(np.quantile(worst, level)) / alone)
    value, _, place, low, high = max(found, key=lambda one: one[0])
    interval = Interval(
        max(0.0, max(gap - further * half for gap, half, *_ in found)),
        min(1.0, max(gap + further * half for gap, half, *_ in found)),
        level,
        f"{BOTH}, for all groups at once",
    )
    known = {g: float(r) for g, r in enumerate(shares[place]) if not np.isnan(r)}
    return Gap(value, interval, rates[place], (low, high), known)


def difference(first: Gap, second: Gap) -> tuple[float, float, float]:
    """Return by how much the first gap is the greater, with the ends of an interval.

    References
    ----------
    Zou and Donner (2008), doi:10.1002/sim.3095: from the intervals of both, as if independent;
    gaps on the same rows are positively correlated, so it is at least as wide as stated.
    """
    value = first.value - second.value
    low = np.hypot(first.value - first.interval.low, second.interval.high - second.value)
    high = np.hypot(first.interval.high - first.value, second.value - second.interval.low)
    return value, value - float(low), value + float(high)

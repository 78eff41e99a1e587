"""Utility: whether what is learnt from the synthetic rows holds on real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import MISSING, Table
from tabsynth.evaluation.intervals import bootstrap
from tabsynth.evaluation.learner import Design, classify, regress
from tabsynth.evaluation.result import Score

FEW = 10
"""A number with at most so many distinct values is predicted as a class."""
MOST_CLASSES = 20
"""Most classes that are told apart; rows of rarer ones are left out."""
FEWEST_TESTS = 20

Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Task:
    """What is predicted, and how.

    Attributes
    ----------
    place : int
        Feature that is the target.
    classes : ndarray of int or None, shape (n_levels + 1,)
        Class of each code, -1 where rows are left out; None where a number is predicted.
    n_classes : int
    n_left_out : int
        Distinct values that are too rare for a class of their own.
    """

    place: int
    classes: np.ndarray | None
    n_classes: int = 0
    n_left_out: int = 0

    @classmethod
    def of(cls, place: int, comparison: Comparison) -> Task:
        """Return the task of a target, read off the real rows."""
        feature = comparison.features[place]
        counts = comparison.train.counts(place)[:-1]
        if comparison.holdout is not None:
            counts = counts + comparison.holdout.counts(place)[:-1]
        n_distinct = int(np.count_nonzero(counts))
        if not feature.is_nominal and n_distinct > FEW:
            return cls(place, None)
        kept = np.argsort(-counts, kind="stable")[: min(MOST_CLASSES, n_distinct)]
        classes = np.full(len(feature) + 1, MISSING)
        classes[np.sort(kept)] = np.arange(len(kept))
        return cls(place, classes, len(kept), max(0, n_distinct - len(kept)))

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted."""
        return self.classes is not None

    def answers(self, table: Table) -> np.ndarray:
        """Return the class or number of each row, float64; NaN for rows that are left out."""
        codes = table.codes[:, self.place]
        if self.classes is None:
            numbers: np.ndarray = table.features[self.place].numbers[codes]
            return numbers
        classes: np.ndarray = self.classes[codes].astype(np.float64)
        classes[classes == MISSING] = np.nan
        return classes


@measures.register("tstr")
class TrainOnSynthetic(Measure):
    """Train on synthetic, test on real, beside train on real, test on real.

    Parameters
    ----------
    target : str
    name : str
        Of its score: "tstr" for the first target, "tstr:<target>" for others.

    References
    ----------
    Esteban, Hyland and Rätsch (2017), arXiv:1706.02633.
    """

    order = 40

    def __init__(self, target: str = "", name: str = "tstr") -> None:
        self.target = target
        self.figures = (
            Figure(
                name,
                f"Predicting {target!r} (train on synthetic, test on real)",
                "utility",
                "higher",
                1.0,
                f"How well boosted trees that learnt from synthetic rows predict {target!r} on "
                "real rows that the model never saw; the nearer to the reference the better.",
            ),
        )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return one measure for each target."""
        return [
            cls(target, f"tstr:{target}" if place else "tstr")
            for place, target in enumerate(comparison.targets)
        ]

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the AUC or R2, with an interval over the rows it was tested on."""
        place = comparison.place(self.target)
        if place is None:
            raise DataError(
                f"Column {self.target!r} is of a type that is never compared, so it cannot be "
                "predicted. Name another target, or give the column another type in the schema."
            )
        task = Task.of(place, comparison)
        n = comparison.n_equal
        design = Design.of([comparison.real, comparison.train, comparison.synthetic], [place])
        tests = design.matrix(comparison.real)
        truth = task.answers(comparison.real)
        asked = ~np.isnan(truth)
        if asked.sum() < FEWEST_TESTS:
            raise DataError(
                f"Only {asked.sum()} rows to test on have a usable value of {self.target!r}; "
                f"{FEWEST_TESTS} are needed."
            )
        if np.ptp(truth[asked]) == 0:
            raise DataError(
                f"{self.target!r} has the same value in all rows to test on, so there is nothing "
                "to predict."
            )
        seed = comparison.streams.integer(f"tstr {self.target}")

        def judged(table: Table) -> Statistic:
            known = task.answers(table)
            usable = ~np.isnan(known)
            if not usable.any():
                raise DataError(f"No row to learn from has a usable value of {self.target!r}.")
            inputs = design.matrix(table)[usable]
            if task.is_classification:
                rounds = 100 if task.n_classes <= 2 else max(20, 200 // task.n_classes)
                answers = classify(
                    design,
                    inputs,
                    known[usable].astype(np.int64),
                    tests[asked],
                    task.n_classes,
                    seed,
                    rounds,
                )
                return macro_area(answers, truth[asked].astype(np.int64))
            return r2(regress(design, inputs, known[usable], tests[asked], seed), truth[asked])

        once = np.ones((1, int(asked.sum())))
        synthetic = judged(comparison.synthetic.first(n))
        holdout = comparison.holdout is not None
        rng = comparison.rng(f"tstr interval {self.target}")
        metric = "R2"
        if task.is_classification:
            metric = "AUC" if task.n_classes <= 2 else "macro AUC, one class against the rest"
        meaning = (
            "0.5 is guessing, 1 is perfect"
            if task.is_classification
            else "0 is as good as the mean, 1 is perfect"
        )
        return [
            self.figures[0].score(
                synthetic(once)[0],
                explanation=f"{self.figures[0].explanation} Figure: {metric}; {meaning}.",
                interval=bootstrap(synthetic, int(asked.sum()), rng),
                reference=float(judged(comparison.train.first(n))(once)[0]) if holdout else None,
                reference_text="The same trees after learning from as many real training rows."
                if holdout
                else "",
                baseline=float(judged(comparison.independent.first(n))(once)[0]),
                problem=""
                if holdout
                else "No holdout: tested on the training rows, which flatters tables that repeat "
                "them.",
                details={
                    "target": self.target,
                    "metric": metric,
                    "rows_learnt_from": n,
                    "rows_tested_on": int(asked.sum()),
                    "classes": task.n_classes,
                    "rare_values_left_out": task.n_left_out,
                },
            )
        ]


def macro_area(probabilities: np.ndarray, truth: np.ndarray) -> Statistic:
    """Return a function that gives the area under the ROC curve for weighted rows.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n_rows, n_classes)
    truth : ndarray of int, shape (n_rows,)

    Returns
    -------
    callable
        Takes weights (n_draws, n_rows) and returns areas (n_draws,): of two classes that of the
        second one, of more the mean over the classes that occur, each against the rest.
    """
    n_classes = probabilities.shape[1]
    chosen = [1] if n_classes == 2 else range(n_classes)

    def statistic(weights: np.ndarray) -> np.ndarray:
        areas = np.array([_weighted_area(probabilities[:, k], truth == k, weights) for k in chosen])
        known = ~np.isnan(areas)
        total = np.where(known, areas, 0.0).sum(axis=0)
        n_known = known.sum(axis=0)
        return np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)

    return statistic


def _weighted_area(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area of one class against the rest, ties half; NaN where one side is empty."""
    order = np.argsort(scores, kind="stable")
    sorted_scores = scores[order]
    starts = np.flatnonzero(np.append(True, sorted_scores[1:] != sorted_scores[:-1]))
    ordered = weights[:, order]
    mine = np.add.reduceat(ordered * positive[order], starts, axis=1)
    rest = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
    below = np.cumsum(rest, axis=1) - rest / 2
    pairs = mine.sum(axis=1) * rest.sum(axis=1)
    won = (mine * below).sum(axis=1)
    return np.where(pairs > 0, won / np.where(pairs > 0, pairs, 1.0), np.nan)


def r2(predictions: np.ndarray, truth: np.ndarray) -> Statistic:
    """Return a function that gives R2 for weighted rows: (n_draws, n_rows) to (n_draws,)."""
    centred = truth - truth.mean()
    errors = (truth - predictions) ** 2

    def statistic(weights: np.ndarray) -> np.ndarray:
        size = weights.sum(axis=1)
        spread = weights @ centred**2 - (weights @ centred) ** 2 / size
        return np.where(spread > 0, 1 - weights @ errors / np.where(spread > 0, spread, 1), np.nan)

    return statistic

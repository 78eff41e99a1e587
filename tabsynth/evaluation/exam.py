"""Exams: what a model that learnt from some rows is asked about real ones, and its answers.

Every exam is set once, and every (learner, target, rows learnt from) is trained once, however many
measures look at it.

Figures of one trained model differ from those of the next, and resampling the rows tested on does
not show that. So every learner also learns from disjoint *parts* of the rows; how much its figures
differ between K parts (their variance), divided by K, is what they differ by from one full lesson
to the next.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import MISSING, Table
from tabsynth.evaluation.learner import Design, Predictor
from tabsynth.evaluation.predictor import LEARNERS, WIDE, scale_of
from tabsynth.evaluation.skill import Statistic, macro_area, r2, resample

FEW = 10
"""A number with at most so many distinct values is predicted as a class."""
MOST_CLASSES = 20
"""Most classes that are told apart; rows of rarer ones are left out."""
FEWEST_TESTS = 20
FURTHEST = 1e6
"""Standard deviations from the mean at which a number is as far off as can be."""
MOST_PARTS = 5
MOST_PARTS_WIDE = 3
ROWS_OF_PART = 500
"""Rows that a part has where there are enough for more than two parts."""

NOTHING_UNSEEN = (
    "No holdout: without real rows that no model has seen there is nothing to test on. Keep some "
    "rows back from training and pass them as holdout."
)

Lesson = tuple[tuple[str, int, int], ...]
"""Rows learnt from: "train", "synthetic", "holdout" or "independent" with first and last row."""


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
        0 where a number is predicted.
    n_left_out : int
        Distinct values that are too rare for a class of their own.
    scale : tuple of float
        Unit, centre and spread (see `scale_of`) by which numbers are standardised, so that
        numbers of any size can be learnt.
    """

    place: int
    classes: np.ndarray | None
    n_classes: int = 0
    n_left_out: int = 0
    scale: tuple[float, float, float] = (1.0, 0.0, 1.0)

    @classmethod
    def of(cls, place: int, comparison: Comparison) -> Task:
        """Return the task of a target, read off the real rows."""
        feature = comparison.features[place]
        counts = comparison.train.counts(place)[:-1]
        if comparison.holdout is not None:
            counts = counts + comparison.holdout.counts(place)[:-1]
        n_distinct = int(np.count_nonzero(counts))
        if not feature.is_nominal and n_distinct > FEW:
            numbers = feature.numbers[comparison.train.codes[:, place]]
            return cls(place, None, scale=scale_of(numbers[~np.isnan(numbers)]))
        kept = np.argsort(-counts, kind="stable")[: min(MOST_CLASSES, n_distinct)]
        classes = np.full(len(feature) + 1, MISSING)
        classes[np.sort(kept)] = np.arange(len(kept))
        return cls(place, classes, len(kept), max(0, n_distinct - len(kept)))

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted."""
        return self.classes is not None

    def answers(self, table: Table) -> np.ndarray:
        """Return the class or number of each row, float64; NaN for rows that are left out.

        Numbers are standardised, and those absurdly far off are drawn in to `FURTHEST`.
        """
        codes = table.codes[:, self.place]
        if self.classes is None:
            unit, centre, spread = self.scale
            numbers = table.features[self.place].numbers
            with np.errstate(over="ignore"):
                numbers = np.clip((numbers / unit - centre) / spread, -FURTHEST, FURTHEST)
            answers: np.ndarray = numbers[codes]
            return answers
        classes: np.ndarray = self.classes[codes].astype(np.float64)
        classes[classes == MISSING] = np.nan
        return classes

    @property
    def metric(self) -> str:
        """What skill is measured by."""
        if not self.is_classification:
            return "R2"
        return "AUC" if self.n_classes <= 2 else "macro AUC, one class against the rest"

    @property
    def meaning(self) -> str:
        """How the metric is read."""
        if self.is_classification:
            return f"Figure: {self.metric}; 0.5 is guessing, 1 is perfect."
        return f"Figure: {self.metric}; 0 is as good as the mean, 1 is perfect."

    def skill(self, predictions: np.ndarray, truth: np.ndarray) -> Statistic:
        """Return how good predictions are, by the metric."""
        rate = macro_area if self.is_classification else r2
        return rate(predictions, truth)


@dataclass(frozen=True, eq=False)
class Exam:
    """Real rows to predict a target of.

    Attributes
    ----------
    target : str
    task : Task
    design : Design
        How rows become inputs; the target is left out.
    rows : ndarray of int, shape (n_tests,)
        Which rows of `Comparison.real` are asked about: those with a usable value of the target.
    inputs : ndarray of float64, shape (n_tests, n_used)
    truth : ndarray of int64 or float64, shape (n_tests,)
        Classes, or standardised numbers.
    rng : Generator
        Of `draws`.
    """

    target: str
    task: Task
    design: Design
    rows: np.ndarray
    inputs: np.ndarray
    truth: np.ndarray
    rng: np.random.Generator

    def __len__(self) -> int:
        return len(self.truth)

    def label(self, k: int, comparison: Comparison) -> str:
        """Return the value of the target that class `k` stands for."""
        classes = self.task.classes
        assert classes is not None
        level = int(np.flatnonzero(classes[:-1] == k)[0])
        return str(comparison.features[self.task.place].levels[level])

    @cached_property
    def draws(self) -> np.ndarray:
        """Resamples of the rows, the same for all answers: uint8 of shape (n_tests, n_draws)."""
        return resample(len(self), self.rng)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one predictor answers.

    Attributes
    ----------
    predictions : ndarray of float64, shape (n_tests, n_classes) or (n_tests,)
    n_rows : int
        Rows it learnt from.
    n_unseen : int
        Classes asked about that none of them has.
    learnt_nothing : bool
        Whether the target has one value in all of them.
    predict : Predictor or None
        Kept of boosted trees alone; forests are too large.
    """

    predictions: np.ndarray
    n_rows: int
    n_unseen: int
    learnt_nothing: bool
    predict: Predictor | None = None


def task_of(comparison: Comparison, target: str) -> Task:
    """Return the task of a target; DataError where the column is not compared."""
    place = comparison.place(target)
    if place is None:
        raise DataError(
            f"Column {target!r} is of a type that is never compared, so it cannot be "
            "predicted. Name another target, or give the column another type in the schema."
        )
    return Task.of(place, comparison)


def exam_of(comparison: Comparison, target: str) -> Exam:
    """Return the exam of a target; DataError where there is nothing to ask."""
    return comparison.once(_SetExam(target))


def answers_of(comparison: Comparison, target: str, learner: str, lesson: Lesson) -> Answers:
    """Return what a learner answers after a lesson; DataError where it has no usable row."""
    return comparison.once(_TakeExam(target, learner, lesson))


def parts_of(comparison: Comparison, target: str, learner: str, table: str) -> list[Answers]:
    """Return the answers after each part of the first `n_equal` rows of a table.

    Parts without a usable row are left out; DataError where fewer than two remain.
    """
    found = []
    for start, stop in parts(comparison):
        with suppress(DataError):
            found.append(answers_of(comparison, target, learner, ((table, start, stop),)))
    if len(found) < 2:
        raise DataError(
            f"Too few rows to learn from have a usable value of {target!r} to see how much models "
            "differ."
        )
    return found


def parts(comparison: Comparison) -> list[tuple[int, int]]:
    """Return the first and last row of each part: 2 to `MOST_PARTS` parts of about equal size."""
    n = comparison.n_equal
    most = MOST_PARTS_WIDE if len(comparison.features) > WIDE else MOST_PARTS
    edges = np.linspace(0, n, max(2, min(most, n // ROWS_OF_PART)) + 1).astype(np.int64)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _taught(
    comparison: Comparison, exam: Exam, learner: str, lesson: Lesson
) -> tuple[Predictor, np.ndarray, int]:
    """Return what is learnt from a lesson, the answers in it and how many rows were used."""
    parts = [
        (comparison.independent if name == "independent" else getattr(comparison, name)).take(
            slice(start, stop)
        )
        for name, start, stop in lesson
    ]
    table = Table(comparison.features, np.concatenate([part.codes for part in parts]))
    known = exam.task.answers(table)
    usable = ~np.isnan(known)
    if not usable.any():
        raise DataError(f"No row to learn from has a usable value of {exam.target!r}.")
    known = known[usable].astype(exam.truth.dtype)
    inputs = exam.design.matrix(table)[usable]
    words = ("tstr", exam.target) if learner == "boosted" else ("tstr", learner, exam.target)
    seed = comparison.streams.integer(" ".join(words))
    predict, n_used = LEARNERS[learner].train(exam.design, inputs, known, exam.task.n_classes, seed)
    return predict, known, n_used


@dataclass(frozen=True)
class _SetExam:
    """Sets an exam; equal ones are set once."""

    target: str

    def __call__(self, comparison: Comparison) -> Exam:
        task = task_of(comparison, self.target)
        tables = [comparison.real, comparison.train, comparison.synthetic]
        design = Design.of(tables, [task.place])
        truth = task.answers(comparison.real)
        asked = np.flatnonzero(~np.isnan(truth))
        if len(asked) < FEWEST_TESTS:
            raise DataError(
                f"Only {len(asked)} rows to test on have a usable value of {self.target!r}; "
                f"{FEWEST_TESTS} are needed."
            )
        truth = truth[asked]
        if np.ptp(truth) == 0:
            raise DataError(
                f"{self.target!r} has the same value in all rows to test on, so there is nothing "
                "to predict."
            )
        return Exam(
            self.target,
            task,
            design,
            asked,
            design.matrix(comparison.real)[asked],
            truth.astype(np.int64) if task.is_classification else truth,
            comparison.rng(f"tstr interval {self.target}"),
        )


@dataclass(frozen=True)
class _TakeExam:
    """Learns and answers; equal ones do it once."""

    target: str
    learner: str
    lesson: Lesson

    def __call__(self, comparison: Comparison) -> Answers:
        exam = exam_of(comparison, self.target)
        predict, known, n_rows = _taught(comparison, exam, self.learner, self.lesson)
        unseen = 0
        if exam.task.is_classification:
            unseen = len(np.setdiff1d(exam.truth, known))
        kept = predict if self.learner == "boosted" else None
        return Answers(predict(exam.inputs), n_rows, unseen, bool(np.ptp(known) == 0), kept)

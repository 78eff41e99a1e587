"""Importance: whether the same columns matter in the synthetic rows as in the real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.cells import cells_of
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.exam import (
    NOTHING_UNSEEN,
    Answers,
    Exam,
    answers_of,
    exam_of,
    parts,
)
from tabsynth.evaluation.result import Interval, Score
from tabsynth.evaluation.skill import BOTH, everything, half_width, resample

MOST_ROWS = 4_000
"""Most rows that importance is measured on."""
MOST_CELLS = 3_000_000
"""Most cells that one model sees; every column that is measured shows it all rows anew."""
MOST_COLUMNS = 40
"""Most columns whose importance is measured."""
ROWS_AT_ONCE = 2_000
MOST_PARTS = 3
"""Parts of each table that a model learns from."""
FEWEST_COLUMNS = 3
TOP = 5
SHOWN = 20
NOISE = 2.0
"""Standard errors below which a column counts as of no importance."""


@measures.register("importance")
class ImportanceAgreement(Measure):
    """Agreement of permutation importances of models of synthetic and of real rows.

    The importance of a column is how much the error of a model (Brier score, squared error) grows
    on unseen real rows when that column is shuffled among them. Importances within `NOISE`
    standard errors of zero count as zero, so that columns that do not matter are tied and their
    chance order counts neither way. The agreement of two models is Spearman's rank correlation.

    Models learn from disjoint parts of the rows (see `tabsynth.evaluation.exam`). The score is the
    mean over all pairs of a synthetic and a real part; the reference is the mean over all pairs of
    two real parts. Both compare models of equally many rows that share none.

    Parameters
    ----------
    target : str

    References
    ----------
    Breiman (2001), doi:10.1023/A:1010933404324; Fisher, Rudin and Dominici (2019),
    arXiv:1801.01489.
    """

    order = 44

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.figures = (
            Figure(
                f"importance:{target}",
                f"Which columns matter to predict {target!r}",
                "utility",
                "higher",
                1.0,
                "How alike boosted trees that learnt from synthetic rows and boosted trees that "
                f"learnt from real rows rank the columns by how much they help to predict "
                f"{target!r} on the same unseen real rows (Spearman's rank correlation): 1 is the "
                "same order, 0 no relation, -1 the reverse.",
            ),
        )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return one measure for each target."""
        return [cls(target) for target in comparison.targets]

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the rank correlation, with an interval over rows tested on and learnt from."""
        if comparison.holdout is None:
            raise DataError(NOTHING_UNSEEN)
        exam = exam_of(comparison, self.target)
        n_used = len(exam.design.places)
        if n_used < FEWEST_COLUMNS:
            raise DataError(
                f"Only {n_used} columns besides {self.target!r} vary; a ranking needs "
                f"{FEWEST_COLUMNS}."
            )
        columns = _likely(comparison, exam)
        shown_cells = n_used * len(columns) * max(1, exam.task.n_classes // 4)
        rows = min(len(exam), MOST_ROWS, max(200, MOST_CELLS // shown_cells))
        rng = comparison.rng(f"importance {self.target}")
        order = rng.permutation(rows)
        draws = np.concatenate([everything(rows), resample(rows, rng)], axis=1)

        lessons = parts(comparison)[:MOST_PARTS]

        def importances(table: str, n_models: int) -> np.ndarray:
            models = [
                answers_of(comparison, self.target, "boosted", ((table, start, stop),))
                for start, stop in lessons[:n_models]
            ]
            return np.array([_importances(exam, one, columns, order, draws) for one in models])

        real, synthetic = (importances(table, MOST_PARTS) for table in ("train", "synthetic"))
        independent = importances("independent", 2)
        if not real[:, 0].any():
            raise DataError(
                f"No column helps to predict {self.target!r} in real rows, so there is no ranking "
                "to agree with."
            )
        agreed = _agreements(synthetic, real)
        value = float(agreed[:, :, 0].mean())
        among = _agreements(real, real)[:, :, 0][np.triu_indices(len(real), 1)]
        names = [comparison.features[exam.design.places[column]].name for column in columns]
        means = {"real": real[:, 0].mean(axis=0), "synthetic": synthetic[:, 0].mean(axis=0)}
        shown = np.argsort(-means["real"], kind="stable")[:SHOWN]
        top = {
            name: [i for i in np.argsort(-mean, kind="stable")[:TOP] if mean[i] > 0]
            for name, mean in means.items()
        }
        return [
            self.figures[0].score(
                value,
                interval=_interval(value, agreed),
                reference=float(among.mean()),
                reference_text="Parts of the real training rows, one against the other.",
                baseline=float(_agreements(independent, real)[:, :, 0].mean()),
                problem=""
                if synthetic[:, 0].any()
                else "No column helps the models that learnt from synthetic rows.",
                details={
                    "target": self.target,
                    "learner": "boosted",
                    "statistic": "Spearman; within two standard errors of zero counts as zero",
                    "columns": n_used,
                    "columns_measured": len(columns),
                    "parts": len(real),
                    "rows_learnt_from": min(stop - start for start, stop in lessons),
                    "rows_measured_on": rows,
                    "columns_that_matter_real": int((means["real"] > 0).sum()),
                    "columns_that_matter_synthetic": int((means["synthetic"] > 0).sum()),
                    "top_columns": len(top["real"]),
                    "top_columns_shared": len(set(top["real"]) & set(top["synthetic"])),
                    **{
                        name: {names[i]: float(mean[i]) for i in shown}
                        for name, mean in means.items()
                    },
                },
            )
        ]


def _likely(comparison: Comparison, exam: Exam) -> np.ndarray:
    """Return which columns of the design to measure, ascending: ndarray of int.

    Of more than `MOST_COLUMNS` those that alone explain the most variance of the target, in the
    training rows or in the synthetic ones, by parts of equal share or categories.
    """
    n_used = len(exam.design.places)
    if n_used <= MOST_COLUMNS:
        return np.arange(n_used)
    explained = np.zeros((2, n_used))
    for row, table in enumerate((comparison.train, comparison.synthetic)):
        answers = exam.task.answers(table)
        usable = ~np.isnan(answers)
        answers = answers[usable]
        if exam.task.is_classification:
            targets = list(np.eye(exam.task.n_classes)[answers.astype(np.int64)].T)
        else:
            targets = [(answers - answers.mean()) / (answers.std() or 1.0)]
        for column, place in enumerate(exam.design.places):
            counts = table.counts(place)
            cells = cells_of(comparison.features[place], counts)[table.codes[usable, place]]
            size = np.maximum(np.bincount(cells), 1)
            explained[row, column] = sum(
                float((np.bincount(cells, weights=target) ** 2 / size).sum()) for target in targets
            )
    explained /= np.maximum(explained.max(axis=1, keepdims=True), 1e-300)
    first = np.argsort(-explained.max(axis=0), kind="stable")[:MOST_COLUMNS]
    return np.sort(first)


def _importances(
    exam: Exam, answers: Answers, columns: np.ndarray, order: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """Return how much each column helps a model, with what is noise set to zero.

    Parameters
    ----------
    exam : Exam
    answers : Answers
        Of boosted trees.
    columns : ndarray of int, shape (n_columns,)
        Which columns of the design.
    order : ndarray of int, shape (n_rows,)
        How the first rows of the exam are shuffled.
    draws : ndarray of uint8, shape (n_rows, n_draws)

    Returns
    -------
    ndarray of float64, shape (n_draws, n_columns)
    """
    predict = answers.predict
    assert predict is not None
    n_rows = len(order)
    inputs, truth = exam.inputs[:n_rows], exam.truth[:n_rows]
    if exam.task.is_classification:
        truth = np.eye(exam.task.n_classes)[truth]

    def errors(predictions: np.ndarray) -> np.ndarray:
        missed: np.ndarray = np.square(predictions - truth)
        return missed.sum(axis=1) if missed.ndim > 1 else missed

    before = errors(answers.predictions[:n_rows])
    grown = np.empty((n_rows, len(columns)))
    at_once = max(1, ROWS_AT_ONCE // n_rows)
    for start in range(0, len(columns), at_once):
        chosen = columns[start : start + at_once]
        shuffled = np.tile(inputs, (len(chosen), 1, 1))
        shuffled[np.arange(len(chosen)), :, chosen] = inputs[order][:, chosen].T
        predictions = predict(shuffled.reshape(-1, inputs.shape[1]))
        for place, predicted in enumerate(np.split(predictions, len(chosen)), start):
            grown[:, place] = errors(predicted) - before
    noise = NOISE * grown.std(axis=0, ddof=1) / np.sqrt(n_rows)
    helped: np.ndarray = draws.T @ (grown / n_rows)
    return np.where(helped > noise, helped, 0.0)


def _agreements(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the rank correlation of every pair of models; 0 where a model has only ties.

    Parameters
    ----------
    first, second : ndarray of float64, shape (n_models, n_draws, n_used)

    Returns
    -------
    ndarray of float64, shape (n_first, n_second, n_draws)
    """
    from scipy.stats import rankdata

    def standard(importances: np.ndarray) -> np.ndarray:
        ranks = rankdata(importances, axis=2)
        ranks = ranks - ranks.mean(axis=2, keepdims=True)
        size = np.sqrt((ranks**2).sum(axis=2, keepdims=True))
        scaled: np.ndarray = ranks / np.where(size > 0, size, 1.0)
        return scaled

    agreed: np.ndarray = np.einsum("adf,bdf->abd", standard(first), standard(second))
    # Rounding must not put full agreement outside its own interval.
    clipped: np.ndarray = np.clip(agreed, -1.0, 1.0)
    return clipped


def _interval(value: float, agreed: np.ndarray) -> Interval:
    """Return the interval of a mean over pairs of models: draws of rows, jackknife over models."""
    once, drawn = agreed[:, :, 0], agreed[:, :, 1:].mean(axis=(0, 1))
    learnt = sum(float(once.mean(axis=1 - axis).var(ddof=1) / once.shape[axis]) for axis in (0, 1))
    half = half_width(float(drawn.var()), learnt, sum(once.shape) - 2)
    return Interval(
        max(-1.0, value - half),
        min(1.0, value + half),
        0.95,
        BOTH,
    )

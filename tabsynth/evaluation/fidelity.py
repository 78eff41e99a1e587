"""Fidelity: how like the real rows the synthetic ones are, by column, by pair and as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.cells import Distances, column_distances, pair_distances
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.intervals import area, area_interval
from tabsynth.evaluation.learner import Design, classify
from tabsynth.evaluation.result import Score

FRESH = "As many real training rows in place of the synthetic ones: what a perfect table gets."
FOLDS = 3
ROUNDS = 200


def _distance_score(
    figure: Figure, comparison: Comparison, found: Distances, **details: object
) -> Score:
    holdout = found.fresh is not None
    return figure.score(
        found.synthetic.mean(),
        reference=float(found.fresh.mean()) if found.fresh is not None else None,
        reference_text=FRESH if holdout else "",
        # Without a holdout shuffled columns would be compared with themselves.
        baseline=float(found.independent.mean()) if holdout or found.members.ndim > 1 else None,
        details={"measured": len(found.members), "of": found.n_all, **details},
    )


@measures.register("tvd_1way")
class ColumnDistance(Measure):
    """Mean total variation distance of single columns."""

    order = 10
    figures = (
        Figure(
            "tvd_1way",
            "Single columns (total variation)",
            "fidelity",
            "lower",
            0.0,
            "How far the shares of values in single columns are from the real ones, averaged over "
            "the columns: 0 is no difference, 1 is nothing in common; numbers are compared in "
            "20 bins of equal share.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the mean over columns, with the worst columns in the details."""
        found = comparison.once(column_distances)
        worst = np.argsort(-found.synthetic, kind="stable")[:10]
        names = [comparison.features[place].name for place in worst]
        details = {"worst": dict(zip(names, found.synthetic[worst].tolist(), strict=True))}
        return [_distance_score(self.figures[0], comparison, found, **details)]


@measures.register("tvd_2way")
class PairDistance(Measure):
    """Mean total variation distance of pairs of columns."""

    order = 20
    figures = (
        Figure(
            "tvd_2way",
            "Pairs of columns (total variation)",
            "fidelity",
            "lower",
            0.0,
            "How far the shares of combinations of two values are from the real ones, averaged "
            "over the pairs of columns: 0 is no difference, 1 is nothing in common; it shows "
            "whether columns still belong together.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the mean over pairs, with the worst pairs in the details."""
        if len(comparison.features) < 2:
            return [self.figures[0].absent("Only one column is compared, so there are no pairs.")]
        found = comparison.once(pair_distances)
        worst = np.argsort(-found.synthetic, kind="stable")[:10]
        features = comparison.features
        pairs = [
            [features[i].name, features[j].name, float(gap)]
            for (i, j), gap in zip(found.members[worst], found.synthetic[worst], strict=True)
        ]
        return [_distance_score(self.figures[0], comparison, found, worst=pairs)]


@measures.register("c2st")
class TwoSampleTest(Measure):
    """Classifier two-sample test.

    References
    ----------
    Lopez-Paz and Oquab (2017), arXiv:1610.06545.
    """

    order = 30
    figures = (
        Figure(
            "c2st",
            "Telling synthetic from real (C2ST)",
            "fidelity",
            "half",
            0.5,
            "How well boosted trees tell synthetic rows from real rows that the model never saw "
            "(area under the ROC curve on rows left out of their training): 0.5 is guessing, "
            "1 is always right; the nearer to 0.5 the better.",
            FRESH,
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the area, with the same for fresh rows and for independent columns."""
        n = min(comparison.n_equal, len(comparison.real))
        seed = comparison.streams.integer("c2st")
        value, variance = told_apart(comparison.real.first(n), comparison.synthetic.first(n), seed)
        baseline, _ = told_apart(comparison.real.first(n), comparison.independent.first(n), seed)
        reference = None
        if comparison.holdout is not None:
            reference, _ = told_apart(comparison.real.first(n), comparison.train.first(n), seed)
        interval = replace(
            area_interval(value, variance, n), method=f"DeLong over {FOLDS} folds, variance doubled"
        )
        return [
            self.figures[0].score(
                value,
                interval=interval,
                reference=reference,
                reference_text=FRESH if reference is not None else "",
                baseline=baseline,
                details={"rows_a_side": n, "folds": FOLDS, "rounds": ROUNDS},
            )
        ]


def told_apart(real: Table, other: Table, seed: int) -> tuple[float, float]:
    """Return how well trees tell two tables apart, out of fold: mean area and its variance.

    Parameters
    ----------
    real, other : Table
        In random order, the same number of rows each.
    seed : int
    """
    design = Design.of([real, other])
    if not design.places:
        raise DataError("No column varies, so there is nothing to tell rows apart by.")
    inputs = np.concatenate([design.matrix(real), design.matrix(other)])

    def odds(tested: np.ndarray, classes: np.ndarray) -> np.ndarray:
        learnt = inputs[~tested], classes[~tested]
        return classify(design, *learnt, inputs[tested], 2, seed, ROUNDS)[:, 1]

    return out_of_fold(odds, len(real), len(other))


def out_of_fold(
    odds: Callable[[np.ndarray, np.ndarray], np.ndarray], n_real: int, n_other: int
) -> tuple[float, float]:
    """Return how well a learner tells two tables apart, out of fold: mean area and its variance.

    Parameters
    ----------
    odds : callable
        Takes which rows are tested, bool of shape (n_real + n_other,), real rows first, and the
        class of each row, int64, 1 for the other table; learns from the rows that are not tested
        and returns a number for each tested row, higher where class 1 is likelier.
    n_real, n_other : int
        Numbers of rows, which are in random order within each table.
    """
    classes = np.repeat([0, 1], [n_real, n_other])
    folds = np.concatenate([np.arange(n_real), np.arange(n_other)]) % FOLDS
    areas = []
    for fold in range(FOLDS):
        tested = folds == fold
        found = odds(tested, classes)
        areas.append(area(found[classes[tested] == 1], found[classes[tested] == 0]))
    value, variance = np.mean(areas, axis=0)
    # Where there is nothing to find, what one fold teaches about a second one is what the second
    # teaches about the first: every pair of folds counts twice, which doubles the variance.
    return float(value), float(2 * variance / FOLDS)

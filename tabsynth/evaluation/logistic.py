"""Logistic: the two-sample test with a rule that adds columns up, to read beside the trees."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.fidelity import FOLDS, out_of_fold
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.intervals import area_interval
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.sides import FRESH, Sides

MOST_ROWS = 10_000
"""Most rows of each side."""
MOST_INPUTS = 300
"""Most inputs of the rule, as far as two for each column allow."""
MOST_CATEGORIES = 30
"""Most categories of a column with an input of their own; rarer ones have none."""
STEPS = 100


@dataclass(frozen=True)
class Inputs:
    """How tables become the input of a linear rule.

    A number is standardised and has a second input where cells are missing; of a category each
    frequent value is an input.

    Attributes
    ----------
    lookups : tuple of ndarray of float64, shape (n_levels + 1, n_inputs)
        Inputs of each code of each feature; none for features that never vary.
    """

    lookups: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, tables: Sequence[Table]) -> Inputs:
        """Return the inputs for tables over the same features, scaled on all their rows."""
        features = tables[0].features
        most = min(MOST_CATEGORIES, max(2, MOST_INPUTS // max(1, len(features))))
        lookups = []
        for place, feature in enumerate(features):
            counts = np.sum([table.counts(place) for table in tables], axis=0)
            if np.count_nonzero(counts) < 2:
                lookups.append(np.zeros((len(counts), 0)))
            elif feature.is_nominal:
                kept = np.argsort(-counts, kind="stable")[:most]
                lookups.append(
                    _standardised(np.eye(len(counts))[:, kept[counts[kept] > 0]], counts)
                )
            else:
                lookups.append(_standardised(_numeric(feature.numbers, counts), counts))
        return cls(tuple(lookups))

    @property
    def n(self) -> int:
        """Number of inputs."""
        return sum(lookup.shape[1] for lookup in self.lookups)

    def matrix(self, table: Table) -> np.ndarray:
        """Return the inputs of the rows, float64 of shape (n_rows, n)."""
        return np.concatenate(
            [lookup[table.codes[:, place]] for place, lookup in enumerate(self.lookups)], axis=1
        )


def _numeric(numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return a number and whether it is missing; missing cells get the mean."""
    present = counts[:-1]
    missing = np.zeros(len(counts))
    missing[-1] = 1.0
    if not present.any():
        return missing[:, None]
    filled = numbers.copy()
    middle = (numbers[:-1] * (present / present.sum())).sum()
    filled[-1] = middle
    return np.stack([filled - middle, missing], axis=1) if counts[-1] else filled[:, None] - middle


def _standardised(lookup: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the columns that vary, with mean 0 and standard deviation 1 over all rows."""
    shares = counts / counts.sum()
    centred = lookup - shares @ lookup
    size = np.abs(centred).max(axis=0)
    centred = centred / np.where(size > 0, size, 1.0)
    spread = np.sqrt(shares @ centred**2)
    scaled: np.ndarray = centred[:, spread > 0] / spread[spread > 0]
    return scaled


@measures.register("c2st_logistic")
class LogisticTest(Measure):
    """Classifier two-sample test with logistic regression.

    References
    ----------
    Lopez-Paz and Oquab (2017), arXiv:1610.06545.
    """

    order = 32
    figures = (
        Figure(
            "c2st_logistic",
            "Telling synthetic from real (logistic regression)",
            "fidelity",
            "half",
            0.5,
            "How well a simple rule, which adds up what each column says by itself, tells "
            "synthetic rows from real ones it has not learnt from (area under the ROC curve): 0.5 "
            "is guessing, 1 is always right. It hardly sees whether columns belong together, so "
            "independent columns pass; read it beside the test with trees.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the area, with the same for fresh rows and for independent columns."""
        sides = Sides.equal(comparison, MOST_ROWS)
        n = len(sides.real)
        value, variance = told_apart_linearly(sides.real, sides.synthetic)
        baseline, _ = told_apart_linearly(sides.real, sides.independent)
        reference = None
        if sides.fresh is not None:
            reference, _ = told_apart_linearly(sides.real, sides.fresh)
        interval = replace(
            area_interval(value, variance, n), method=f"DeLong over {FOLDS} folds, variance doubled"
        )
        return [
            self.figures[0].score(
                value,
                interval=interval,
                reference=reference,
                reference_text=FRESH if reference is not None else "",
                baseline=baseline if sides.fresh is not None else None,
                details={
                    "rows_a_side": n,
                    "folds": FOLDS,
                    "inputs": Inputs.of([sides.real, sides.synthetic]).n,
                },
            )
        ]


def told_apart_linearly(real: Table, other: Table) -> tuple[float, float]:
    """Return how well a logistic regression tells two tables apart: mean area and its variance.

    Parameters
    ----------
    real, other : Table
        In random order, the same number of rows each.
    """
    design = Inputs.of([real, other])
    if not design.n:
        raise DataError("No column varies, so there is nothing to tell rows apart by.")
    inputs = np.concatenate([design.matrix(real), design.matrix(other)])

    def odds(tested: np.ndarray, classes: np.ndarray) -> np.ndarray:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        with warnings.catch_warnings():
            # A rule that is not at its very best yet is a rule all the same.
            warnings.simplefilter("ignore", ConvergenceWarning)
            rule = LogisticRegression(max_iter=STEPS, tol=1e-3)
            rule.fit(inputs[~tested], classes[~tested])
        decided: np.ndarray = rule.decision_function(inputs[tested])
        return decided

    return out_of_fold(odds, len(real), len(other))

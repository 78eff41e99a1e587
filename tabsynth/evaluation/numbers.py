"""Numbers: distances between distributions of numbers and dates that know which is larger."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.sides import Found, Sides

Distance = Callable[[np.ndarray, np.ndarray], float]


def largest_gap(real: np.ndarray, other: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance between two counts of ascending levels.

    Parameters
    ----------
    real, other : ndarray of int, shape (n_levels,)

    Returns
    -------
    float
        In [0, 1]; 1 where one of them is empty.

    Examples
    --------
    >>> largest_gap(np.array([1, 1, 2]), np.array([2, 1, 1]))
    0.25
    """
    if not real.sum() or not other.sum():
        return 1.0
    return float(np.abs(_cumulated(real) - _cumulated(other)).max())


def moved_ranks(real: np.ndarray, other: np.ndarray) -> float:
    """Return the 1-Wasserstein distance after every level became its rank among the real rows.

    A level stands for the share of real rows below it plus half of those that have it. What that
    measures is past which share of the real rows the average value must be moved, so that single
    extreme values count no more than others.

    Parameters
    ----------
    real, other : ndarray of int, shape (n_levels,)
        Counts of ascending levels.

    Returns
    -------
    float
        In [0, 1/2]; 1/2 where one of them is empty.

    Examples
    --------
    >>> moved_ranks(np.array([1, 1, 1, 1, 0]), np.array([0, 1, 1, 1, 1]))
    0.21875
    """
    if not real.sum() or not other.sum():
        return 0.5
    below = _cumulated(real)
    ranks = below - real / real.sum() / 2
    gaps = np.abs(below - _cumulated(other))[:-1]
    return float((gaps * np.diff(ranks)).sum())


def moved_spreads(real: np.ndarray, other: np.ndarray, numbers: np.ndarray) -> float | None:
    """Return the 1-Wasserstein distance in units of the real mean distance from the median.

    1 is as far as if every value were the real median; None where real values do not differ.

    Parameters
    ----------
    real, other : ndarray of int, shape (n_levels,)
    numbers : ndarray of float64, shape (n_levels,)
        The levels, ascending.
    """
    if not real.sum() or not other.sum():
        return None
    below = _cumulated(real)
    steps = np.diff(numbers)
    spread = (np.minimum(below, 1 - below)[:-1] * steps).sum()
    if not spread > 0:
        return None
    return float((np.abs(below - _cumulated(other))[:-1] * steps).sum() / spread)


def _cumulated(counts: np.ndarray) -> np.ndarray:
    cumulated: np.ndarray = np.cumsum(counts) / counts.sum()
    return cumulated


def _numeric(comparison: Comparison) -> list[int]:
    """Return the places of numbers that at least one real row has."""
    return [
        place
        for place, feature in enumerate(comparison.features)
        if not feature.is_nominal and comparison.real.counts(place)[:-1].any()
    ]


def _distances(comparison: Comparison, places: list[int], distance: Distance) -> Found:
    sides = Sides.of(comparison)
    real = [sides.real.counts(place)[:-1] for place in places]

    def all_columns(table: Table) -> list[float]:
        return [
            distance(counts, table.counts(place)[:-1])
            for place, counts in zip(places, real, strict=True)
        ]

    return sides.each(all_columns)


class _NumberDistance(Measure):
    """Mean of a distance over the columns of numbers."""

    distance: Distance

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the mean over columns, with the worst columns in the details."""
        places = _numeric(comparison)
        if not places:
            problem = "No column of numbers or dates with a value is compared."
            return [self.figures[0].absent(problem)]
        found = _distances(comparison, places, type(self).distance)
        worst = np.argsort(-found.synthetic, kind="stable")[:10]
        names = [comparison.features[places[row]].name for row in worst]
        details = {
            "measured": len(places),
            "worst": dict(zip(names, found.synthetic[worst].tolist(), strict=True)),
            **self._more(comparison, [places[row] for row in worst]),
        }
        return [found.score(self.figures[0], marginal=True, details=details)]

    def _more(self, comparison: Comparison, places: list[int]) -> dict[str, object]:
        return {}


@measures.register("number_ks")
class LargestGap(_NumberDistance):
    """Mean Kolmogorov-Smirnov distance of numbers and dates."""

    order = 12
    distance = staticmethod(largest_gap)
    figures = (
        Figure(
            "number_ks",
            "Single numbers (Kolmogorov-Smirnov)",
            "fidelity",
            "lower",
            0.0,
            "The greatest difference, wherever one draws the line, between the share of synthetic "
            "and of real values below the line; averaged over numbers, dates and durations, "
            "missing cells left out: 0 is no difference, 1 is nothing in common.",
        ),
    )


@measures.register("number_wasserstein")
class MovedRanks(_NumberDistance):
    """Mean Wasserstein distance of numbers and dates, in ranks."""

    order = 13
    distance = staticmethod(moved_ranks)
    figures = (
        Figure(
            "number_wasserstein",
            "Single numbers (Wasserstein, in ranks)",
            "fidelity",
            "lower",
            0.0,
            "Past which share of the real rows the average synthetic value must be moved until "
            "numbers, dates and durations are spread like the real ones, averaged over the "
            "columns: 0.01 is one hundredth of the rows, 0.5 is the most. Ranks are counted, not "
            "units, so that a few extreme values do not decide.",
        ),
    )

    def _more(self, comparison: Comparison, places: list[int]) -> dict[str, object]:
        """Return the same of the worst columns in units of their own spread."""
        sides = Sides.of(comparison)
        moved = {}
        for place in places:
            feature = comparison.features[place]
            real, other = sides.real.counts(place)[:-1], sides.synthetic.counts(place)[:-1]
            moved[feature.name] = moved_spreads(real, other, feature.numbers[:-1])
        return {"in_mean_distances_from_the_median": moved}

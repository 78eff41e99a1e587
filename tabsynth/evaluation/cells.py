"""Cells: every column cut into few parts, and total variation distances between shares of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import Feature, Table

BINS = 20
"""Quantile bins of a continuous column."""
MOST_CELLS = 1000
"""Most cells of a column in pairs; rarer categories are taken together."""
MOST_PAIRS = 3000
"""Most pairs that are measured; of more, as many are drawn at random."""


def cells_of(feature: Feature, counts: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the cell of each code of a feature.

    Categories are cells of their own. A number that at least one row in `bins` has is a cell of
    its own too, so that ties are compared exactly; the others share quantile bins. Missing is the
    last cell.

    Parameters
    ----------
    feature : Feature
    counts : ndarray of int, shape (n_levels + 1,)
        How often each level occurs in the real rows that decide; missing last.
    bins : int

    Returns
    -------
    ndarray of int64, shape (n_levels + 1,)
    """
    n = len(feature)
    if feature.is_nominal:
        return np.arange(n + 1)
    present = counts[:n]
    total = present.sum()
    alone = present * bins >= max(total, 1)
    if np.count_nonzero(present) <= bins:
        alone = present > 0
    rest = np.where(alone, 0, present)
    n_rest = max(1, round(bins * rest.sum() / max(total, 1)))
    below = np.cumsum(rest) - rest
    cells = np.minimum(n_rest - 1, n_rest * below // max(rest.sum(), 1))
    cells[alone] = n_rest + np.arange(np.count_nonzero(alone))
    return np.append(cells, n_rest + np.count_nonzero(alone)).astype(np.int64)


def grouped(cells: np.ndarray, counts: np.ndarray, most: int = MOST_CELLS) -> np.ndarray:
    """Return cells with the rarest taken together where there are more than `most`.

    Parameters
    ----------
    cells : ndarray of int64, shape (n_levels + 1,)
        From `cells_of`, missing last.
    counts : ndarray of int, shape (n_levels + 1,)
    most : int
    """
    n = int(cells[-1]) + 1
    if n <= most:
        return cells
    size = np.bincount(cells, weights=counts, minlength=n)
    kept = np.sort(np.argsort(-size[:-1], kind="stable")[: most - 2])
    place = np.full(n, len(kept))
    place[kept] = np.arange(len(kept))
    place[-1] = len(kept) + 1
    regrouped: np.ndarray = place[cells]
    return regrouped


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the total variation distance between two vectors of counts.

    Examples
    --------
    >>> distance(np.array([50, 50]), np.array([7, 3]))
    0.2
    """
    gap = np.abs(first / max(first.sum(), 1) - second / max(second.sum(), 1)).sum() / 2
    return float(round(gap, 12))


@dataclass(frozen=True)
class Distances:
    """Distances of columns or pairs of columns from the real rows.

    Attributes
    ----------
    members : ndarray of int, shape (n,) or (n, 2)
        Indices of features.
    synthetic : ndarray of float, shape (n,)
    fresh : ndarray of float, shape (n,), or None
        Of as many training rows, None where there is no holdout.
    independent : ndarray of float, shape (n,)
    n_all : int
        How many columns or pairs there are; more than n where some were drawn.
    """

    members: np.ndarray
    synthetic: np.ndarray
    fresh: np.ndarray | None
    independent: np.ndarray
    n_all: int


def _compared(comparison: Comparison) -> list[Table]:
    """Return real, synthetic, independent and (with a holdout) fresh rows, to be compared."""
    n = comparison.n_equal
    tables = [
        comparison.real,
        comparison.synthetic.first(n),
        comparison.independent.first(n),
    ]
    return [*tables, comparison.train.first(n)] if comparison.holdout is not None else tables


def _distances(members: np.ndarray, gaps: np.ndarray, n_all: int) -> Distances:
    fresh = gaps[2] if len(gaps) > 2 else None
    return Distances(members, gaps[0], fresh, gaps[1], n_all)


def column_distances(comparison: Comparison) -> Distances:
    """Return the distance of every column."""
    tables = _compared(comparison)
    n = len(comparison.features)
    gaps = np.zeros((len(tables) - 1, n))
    for place, feature in enumerate(comparison.features):
        counts = [table.counts(place) for table in tables]
        cells = cells_of(feature, counts[0])
        summed = [np.bincount(cells, weights=part) for part in counts]
        gaps[:, place] = [distance(part, summed[0]) for part in summed[1:]]
    return _distances(np.arange(n), gaps, n)


def pair_cells(comparison: Comparison) -> tuple[list[np.ndarray], list[int]]:
    """Return the cells that pairs are counted in.

    Returns
    -------
    cells : list of ndarray of int64, shape (n_features, n_rows)
        For real, synthetic, independent and (with a holdout) fresh rows.
    sizes : list of int
        Number of cells of each feature.
    """
    tables = _compared(comparison)
    lookups = []
    for place, feature in enumerate(comparison.features):
        counts = tables[0].counts(place)
        lookups.append(grouped(cells_of(feature, counts), counts))
    cells = [
        np.array([lookup[table.codes[:, place]] for place, lookup in enumerate(lookups)])
        for table in tables
    ]
    return cells, [int(lookup[-1]) + 1 for lookup in lookups]


def gap_of_pair(tables: list[np.ndarray], sizes: list[int], i: int, j: int) -> list[float]:
    """Return the distances of a pair of columns in all tables from the first one."""
    counts = [
        np.bincount(cells[i] * sizes[j] + cells[j], minlength=sizes[i] * sizes[j])
        for cells in tables
    ]
    return [distance(part, counts[0]) for part in counts[1:]]


def pair_distances(comparison: Comparison) -> Distances:
    """Return the distance of every pair of columns, or of `MOST_PAIRS` drawn at random."""
    pairs = np.stack(np.triu_indices(len(comparison.features), 1), axis=1)
    n_all = len(pairs)
    if n_all > MOST_PAIRS:
        drawn = comparison.rng("pairs").choice(n_all, MOST_PAIRS, replace=False)
        pairs = pairs[np.sort(drawn)]
    cells, sizes = comparison.once(pair_cells)
    gaps = np.array([gap_of_pair(cells, sizes, i, j) for i, j in pairs])
    return _distances(pairs, gaps.reshape(len(pairs), len(cells) - 1).T, n_all)

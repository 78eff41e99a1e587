"""Vulnerable rows: those that lie alone, which attackers look for first."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.distance import Space, neighbours
from tabsynth.evaluation.frame import Table

SHARE = 0.05
"""Share of rows that count as the most vulnerable."""
NEIGHBOURS = 5
"""How many nearest rows decide how alone a row is."""
MOST_POINTS = 5000
"""Most rows among which neighbours are searched."""
UNIT = 0.35
"""Scale of numbers, so that they vary about as much as their ranks do."""


def with_tails(space: Space, table: Table) -> Space:
    """Return the space in which numbers lie by value and not by rank, far ones drawn nearer.

    Among ranks nobody lies alone: the highest income is as near to the next as any other. A
    number becomes the area hyperbolic sine of its distance from the median in robust standard
    deviations.

    Parameters
    ----------
    space : Space
    table : Table
        Training rows and unseen ones as one heap.
    """
    lookups = []
    for place, (feature, lookup) in enumerate(zip(table.features, space.lookups, strict=True)):
        counts = table.counts(place)[:-1]
        if feature.is_nominal or not counts.any():
            lookups.append(lookup)
            continue
        values = feature.numbers[:-1]
        below = np.cumsum(counts) / counts.sum()
        low, middle, high = values[np.searchsorted(below, [0.25, 0.5, 0.75])]
        spread = (high - low) / 1.35 or float(np.average(np.abs(values - middle), weights=counts))
        scaled = UNIT * np.arcsinh((values - middle) / (spread or 1.0))
        lookups.append(lookup.copy())
        lookups[-1][:-1, 0], lookups[-1][-1, 0] = scaled, 0.0
    return Space(tuple(lookups))


def loneliness(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how far each real row lies from the rows nearest to it.

    Parameters
    ----------
    points : ndarray of float32, shape (n_rows, n_dimensions)
        Training rows and unseen ones as one heap, so that both are judged alike.
    rng : Generator
        Draws the rows among which neighbours are searched, where there are many.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        Mean distance to the nearest rows other than itself.

    References
    ----------
    Meeus et al. (2023), arXiv:2306.10308 (choosing vulnerable records by their neighbours).
    """
    among = np.sort(rng.permutation(len(points))[:MOST_POINTS])
    found = neighbours(points, points[among], NEIGHBOURS + 1)
    itself = among[found.places] == np.arange(len(points))[:, None]
    # A row that was not drawn, or that equal rows hid from itself, leaves out the farthest.
    itself[~itself.any(axis=1), -1] = True
    kept = np.where(itself, 0.0, found.distances).sum(axis=1)
    mean: np.ndarray = kept / max(1, found.distances.shape[1] - 1)
    return mean


def most_vulnerable(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which real rows are the loneliest `SHARE`, bool of shape (n_rows,).

    Equally lonely rows are chosen among at random.
    """
    lonely = loneliness(points, rng)
    order = np.lexsort((rng.random(len(points)), -lonely))
    chosen = np.zeros(len(points), dtype=bool)
    chosen[order[: max(1, round(SHARE * len(points)))]] = True
    return chosen

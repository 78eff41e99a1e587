"""Scaled space: where a small change of a number is a small distance.

In `Space.of` a number is its rank. That takes a number that many rows share, 0 for example, far
away from one beside it, so that a copy with a little noise on it looks like another row. Here a
number keeps its own scale.
"""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import pool
from tabsynth.evaluation.distance import Space
from tabsynth.evaluation.frame import Feature, Table

WIDTH = 128
"""Most dimensions of the space, where columns allow."""
SPREAD = 12**-0.5
"""Standard deviation of a number in the space, that of ranks in [0, 1]."""


def scaled_space(comparison: Comparison) -> Space:
    """Return the space of all real rows; use with ``comparison.once``.

    Training rows and unseen ones count alike.
    """
    holdout = comparison.holdout
    assert holdout is not None
    space = Space.of([comparison.train, holdout], comparison.rng("scaled space"), WIDTH)
    lookups = [
        lookup if feature.is_nominal else _scaled(feature, count[:-1])
        for feature, count, lookup in zip(
            comparison.features, comparison.once(pool).counts, space.lookups, strict=True
        )
    ]
    return Space(tuple(lookups))


def _scaled(feature: Feature, counts: np.ndarray) -> np.ndarray:
    """Return coordinates of each level of a number: itself, with its tails drawn in."""
    lookup = np.zeros((len(counts) + 1, 2), dtype=np.float32)
    lookup[-1, 1] = np.sqrt(0.5)
    total = counts.sum()
    if not total:
        return lookup
    numbers, shares = feature.numbers[:-1], np.cumsum(counts) / total
    low, middle, high = (
        float(numbers[np.searchsorted(shares, share - 1e-9)]) for share in (0.01, 0.5, 0.99)
    )
    scale = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        # The bulk of the numbers gives the scale, unless it is one number.
        for some in (np.clip(numbers, low, high), numbers):
            mean = float((some * (counts / total)).sum())
            scale = scale or float(np.sqrt((((some - mean) ** 2) * (counts / total)).sum()))
        if np.isfinite(scale) and scale > 0:
            lookup[:-1, 0] = np.arcsinh((numbers - middle) / scale) * SPREAD
    return lookup


def part(space: Space, table: Table, places: np.ndarray) -> np.ndarray:
    """Return where rows lie by some columns alone, float32 of shape (n_rows, n_dimensions)."""
    some = Space(tuple(space.lookups[place] for place in places))
    return some.points(Table(table.features, table.codes[:, places]))


def compact(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points without the dimensions in which all of them agree."""
    low = np.minimum(first.min(axis=0), second.min(axis=0))
    high = np.maximum(first.max(axis=0), second.max(axis=0))
    return np.ascontiguousarray(first[:, high > low]), np.ascontiguousarray(second[:, high > low])

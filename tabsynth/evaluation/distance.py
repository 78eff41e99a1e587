"""Distances between rows of mixed types, and nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.frame import Feature, Table

WIDTH = 768
"""Most dimensions of the space, so that time and memory stay bounded for any table."""
CHUNK = 1 << 24
"""Most distances that are in memory at a time."""


@dataclass(frozen=True)
class Space:
    """A Euclidean space in which rows lie.

    A number is its rank among the real rows, scaled to [0, 1]. Two different categories are a
    distance apart that is larger for rare ones, since sharing a rare one tells more. A missing cell
    is a value of its own. Categories of columns with many get near-orthogonal directions instead of
    orthogonal ones: equal stays equal, different distances vary a little.

    Attributes
    ----------
    lookups : tuple of ndarray of float32, shape (n_levels + 1, n_dimensions)
        Coordinates of each code, missing last.
    """

    lookups: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, real: Sequence[Table], rng: np.random.Generator, width: int = WIDTH) -> Space:
        """Return the space of tables over the same features.

        Parameters
        ----------
        real : sequence of Table
            Real rows, which decide on ranks and frequencies. They must stand for members and
            non-members of the training rows alike.
        rng : Generator
        width : int
        """
        features = real[0].features
        counts = [sum(table.counts(place) for table in real) for place in range(len(features))]
        most = _most_dimensions([_needed(feature) for feature in features], width)
        lookups = []
        for feature, count in zip(features, counts, strict=True):
            if feature.is_nominal:
                lookups.append(_directions(np.asarray(count), most, rng))
            else:
                lookups.append(_ranks(np.asarray(count)))
        return cls(tuple(lookups))

    def points(self, table: Table) -> np.ndarray:
        """Return where the rows lie, float32 of shape (n_rows, n_dimensions)."""
        return np.concatenate(
            [lookup[table.codes[:, place]] for place, lookup in enumerate(self.lookups)],
            axis=1,
            dtype=np.float32,
        )


def _needed(feature: Feature) -> int:
    return len(feature) + 1 if feature.is_nominal else 2


def _most_dimensions(needed: list[int], width: int) -> int:
    """Return the most dimensions a column may have so that all together have at most `width`."""
    most = max(needed)
    while most > 4 and sum(min(most, some) for some in needed) > width:
        most = max(4, int(most * 0.9))
    return most


def _ranks(counts: np.ndarray) -> np.ndarray:
    """Return rank and missingness of each level of a number."""
    present = counts[:-1]
    total = max(present.sum(), 1)
    ranks = (np.cumsum(present) - present / 2) / total
    lookup = np.zeros((len(counts), 2), dtype=np.float32)
    lookup[:-1, 0] = ranks
    lookup[-1] = 0.5, np.sqrt(0.5)
    return lookup


def _directions(counts: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return a direction for each category, the longer the rarer."""
    n = len(counts)
    shares = (counts + 0.5) / (counts.sum() + 0.5 * n)
    # A category of half of the rows has weight 1/2, one of a thousandth 1.4.
    weights = 0.4 + np.minimum(-np.log(shares), 10.0) / 7
    codes = np.eye(n) if n <= most else rng.choice([-1.0, 1.0], size=(n, most)) / np.sqrt(most)
    directions: np.ndarray = (codes * np.sqrt(weights / 2)[:, None]).astype(np.float32)
    return directions


def nearest(queries: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the distance of each query to its nearest point.

    Parameters
    ----------
    queries : ndarray of float32, shape (n_queries, n_dimensions)
    points : ndarray of float32, shape (n_points, n_dimensions)
        At least one.

    Returns
    -------
    ndarray of float64, shape (n_queries,)
    """
    centre = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    shifted = points - centre
    # |q - p|^2 = |q|^2 + [-2 q, 1] . [p, |p|^2]; |q|^2 does not matter for which is nearest.
    right = np.concatenate([shifted, (shifted**2).sum(axis=1, keepdims=True)], axis=1).T.copy()
    step = max(1, CHUNK // len(points))
    found = np.empty(len(queries))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        left = np.concatenate([-2 * (some - centre), np.ones((len(some), 1), np.float32)], axis=1)
        place = (left @ right).argmin(axis=1)
        gaps = some.astype(np.float64) - points[place]
        found[start : start + step] = np.sqrt((gaps**2).sum(axis=1))
    return found

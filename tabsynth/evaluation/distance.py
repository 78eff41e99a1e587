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
SEARCHED = 160
"""Most dimensions in which neighbours are searched; of more, random projections are."""
FAR = np.float32(1e30)
"""Squared distance of what is no point."""


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


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest points of every query, nearest first.

    Attributes
    ----------
    distances : ndarray of float64, shape (n_queries, k)
    places : ndarray of int64, shape (n_queries, k)
        Which points they are.
    """

    distances: np.ndarray
    places: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """Distance to the nearest point, float64 of shape (n_queries,)."""
        distances: np.ndarray = self.distances[:, 0]
        return distances

    def with_equal(self, queries: np.ndarray, points: np.ndarray) -> Neighbours:
        """Return the same where no rounding hides rows that are equal.

        Parameters
        ----------
        queries, points : ndarray of uint64, shape (n_queries,) and (n_points,)
            Hashes of the rows.
        """
        order = np.argsort(points, kind="stable")
        found = np.minimum(np.searchsorted(points, queries, sorter=order), len(points) - 1)
        equal = order[found]
        hidden = (points[equal] == queries) & (self.distances[:, 0] > 0)
        if not hidden.any():
            return self
        distances, places = self.distances.copy(), self.places.copy()
        distances[hidden, 1:], places[hidden, 1:] = distances[hidden, :-1], places[hidden, :-1]
        distances[hidden, 0], places[hidden, 0] = 0.0, equal[hidden]
        return Neighbours(distances, places)


def neighbours(queries: np.ndarray, points: np.ndarray, k: int) -> Neighbours:
    """Return the `k` nearest points of each query.

    In a space of many dimensions they are searched among projections on random directions, which
    keeps time bounded; their distances are exact, and equal rows always find each other.

    Parameters
    ----------
    queries : ndarray of float32, shape (n_queries, n_dimensions)
    points : ndarray of float32, shape (n_points, n_dimensions)
        At least one.
    k : int
        At least 1; fewer are returned where there are fewer points.
    """
    k = min(k, len(points))
    centre = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    sought, among = queries - centre, points - centre
    if points.shape[1] > SEARCHED:
        rng = np.random.Generator(np.random.PCG64(points.shape[1]))
        directions = rng.standard_normal((points.shape[1], SEARCHED), dtype=np.float32)
        sought, among = sought @ directions, among @ directions
    # The k nearest lie in the k groups whose own nearest points are the nearest.
    n_groups = max(k, min(256, len(points) // 8))
    size = -(-len(points) // n_groups)
    right = np.concatenate([among, (among**2).sum(axis=1, keepdims=True)], axis=1)
    padding = np.zeros((n_groups * size - len(points), right.shape[1]), np.float32)
    padding[:, -1] = FAR
    right = np.concatenate([right, padding]).T.copy()
    distances = np.empty((len(queries), k))
    places = np.empty((len(queries), k), dtype=np.int64)
    for some in _chunks(len(queries), max(1, CHUNK // right.shape[1])):
        left = np.concatenate(
            [-2 * sought[some], np.ones((len(sought[some]), 1), np.float32)], axis=1
        )
        gaps = (left @ right).reshape(len(left), size, n_groups)
        groups = _smallest(gaps.min(axis=1), k)
        inside = np.take_along_axis(gaps, groups[:, None, :], axis=2).reshape(len(left), -1)
        within = _smallest(inside, k)
        chosen = within // k * n_groups + np.take_along_axis(groups, within % k, axis=1)
        exact = np.empty((len(left), k))
        for place in range(k):
            away = queries[some].astype(np.float64) - points[chosen[:, place]]
            exact[:, place] = np.sqrt(np.einsum("ij,ij->i", away, away))
        order = np.argsort(exact, axis=1, kind="stable")
        distances[some] = np.take_along_axis(exact, order, axis=1)
        places[some] = np.take_along_axis(chosen, order, axis=1)
    return Neighbours(distances, places)


def _chunks(n: int, step: int) -> list[slice]:
    return [slice(start, start + step) for start in range(0, n, step)]


def _smallest(values: np.ndarray, k: int) -> np.ndarray:
    """Return where the `k` smallest values of each row are, in no order."""
    if k >= values.shape[1]:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    places: np.ndarray = np.argpartition(values, k - 1, axis=1)[:, :k]
    return places

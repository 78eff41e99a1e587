"""Coverage: whether synthetic rows lie where real rows lie, and real rows where synthetic ones do.

Both figures work in the mixed-type metric of `tabsynth.evaluation.distance.Space`.
"""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.distance import Space
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.sides import Sides, found

MOST_ROWS = 5000
"""Most rows of each side, so that time stays bounded."""
WIDTH = 256
"""Most dimensions of the space, as far as one for each value of few-valued columns allows."""
NEIGHBOURS = 5
"""A real row is reached by a synthetic one that is no further than its fifth real neighbour."""
CHUNK = 1 << 22
TINY = 1e-12
"""Rounding of squared distances, which must not set apart what is equal."""


def squared_distances(queries: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return squared distances, float64 of shape (n_queries, n_points), not negative."""
    lengths = (queries**2).sum(axis=1)[:, None] + (points**2).sum(axis=1)
    squared: np.ndarray = np.maximum(lengths - 2 * (queries @ points.T), 0.0)
    return squared


def reached(real: np.ndarray, other: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return the nearest of the other rows that lies within reach of each real row.

    Parameters
    ----------
    real : ndarray of float64, shape (n_real, n_dimensions)
    other : ndarray of float64, shape (n_other, n_dimensions)
        At least one.
    radii : ndarray of float64, shape (n_real,)
        Squared.

    Returns
    -------
    ndarray of int64, shape (n_real,)
        Index into `other`, -1 where none is within the radius.
    """
    step = max(1, CHUNK // len(other))
    places = np.empty(len(real), dtype=np.int64)
    for start in range(0, len(real), step):
        some = slice(start, start + step)
        squared = squared_distances(real[some], other)
        nearest = squared.argmin(axis=1)
        within = squared[np.arange(len(nearest)), nearest] <= radii[some] + TINY
        places[some] = np.where(within, nearest, -1)
    return places


def among_themselves(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest other point of each point, and how far its k-th nearest one is.

    Parameters
    ----------
    points : ndarray of float64, shape (n, n_dimensions)
        At least two.
    k : int

    Returns
    -------
    places : ndarray of int64, shape (n,)
    radii : ndarray of float64, shape (n,)
        Squared distances.
    """
    k = min(k, len(points) - 1)
    step = max(1, CHUNK // len(points))
    places, radii = np.empty(len(points), dtype=np.int64), np.empty(len(points))
    for start in range(0, len(points), step):
        some = slice(start, start + step)
        squared = squared_distances(points[some], points)
        own = np.arange(len(squared))
        squared[own, start + own] = np.inf
        places[some] = squared.argmin(axis=1)
        radii[some] = np.partition(squared, k - 1, axis=1)[:, k - 1]
    return places, radii


def curve(balls: np.ndarray, counted: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what growing balls hold: a share of the rows that size them, a share of the others.

    Where both gain at one distance the curve goes straight, so that ties count as if they were
    broken at random.

    Parameters
    ----------
    balls : ndarray of float64, shape (n_balls,)
        Distances from the centre of the rows that size the balls.
    counted : ndarray of float64, shape (n_counted,)
        Distances of the rows that are counted inside them.
    n : int
        Of how many rows they are a share.

    Returns
    -------
    sizes, shares : ndarray of float64, shape (n_levels + 1,)
        From 0 on, not falling.

    Examples
    --------
    >>> [part.tolist() for part in curve(np.array([1.0, 2.0]), np.array([2.0]), 2)]
    [[0.0, 0.5, 1.0], [0.0, 0.0, 0.5]]
    """
    both = np.round(np.concatenate([balls, counted]), 9)
    levels, where = np.unique(both, return_inverse=True)
    sizes = np.bincount(where[: len(balls)], minlength=len(levels)) / len(balls)
    shares = np.bincount(where[len(balls) :], minlength=len(levels)) / n
    return np.append(0.0, np.cumsum(sizes)), np.append(0.0, np.cumsum(shares))


def departure(knots: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Return the area between two curves that go straight from knot to knot.

    Parameters
    ----------
    knots, first, second : ndarray of float64, shape (n,)
        Knots do not fall; where one comes twice the curves jump.

    Examples
    --------
    >>> departure(np.array([0.0, 1.0]), np.array([0.0, 0.0]), np.array([0.0, 1.0]))
    0.5
    """
    gaps = first - second
    before, after = np.abs(gaps[:-1]), np.abs(gaps[1:])
    total = before + after
    crossing = gaps[:-1] * gaps[1:] < 0
    heights = np.where(crossing, (before**2 + after**2) / np.where(crossing, total, 1.0), total)
    return float((heights * np.diff(knots)).sum() / 2)


def precision(real: np.ndarray, other: np.ndarray) -> float:
    """Return the integrated alpha-precision.

    Parameters
    ----------
    real, other : ndarray of float64, shape (n_rows,)
        Distances from the centre of the real rows.

    Examples
    --------
    >>> precision(np.array([1.0, 2.0]), np.array([2.0, 1.0])), precision(np.ones(2), np.zeros(2))
    (1.0, 0.0)
    """
    sizes, shares = curve(real, other, len(other))
    return _less(departure(sizes, shares, sizes))


def recall(own: np.ndarray, near: np.ndarray, real: np.ndarray, near_real: np.ndarray) -> float:
    """Return the integrated beta-recall.

    Parameters
    ----------
    own, real : ndarray of float64, shape (n_other,) and (n_real,)
        Distances of other rows and of real rows, each from the centre of their own table.
    near : ndarray of int64, shape (n_real,)
        The nearest other row of each real row, -1 where it is too far away.
    near_real : ndarray of int64, shape (n_real,)
        The nearest other real row of each real row.
    """
    found = curve(own, own[near[near >= 0]], len(near))
    expected = curve(real, real[near_real], len(near))
    knots = np.union1d(found[0], expected[0])
    return _less(departure(knots, np.interp(knots, *found), np.interp(knots, *expected)))


def _less(area: float) -> float:
    """Return 1 less twice an area, in [0, 1]."""
    return min(1.0, max(0.0, 1 - 2 * area))


@measures.register("coverage")
class Coverage(Measure):
    """Integrated alpha-precision and beta-recall.

    alpha-precision: of the ball around the centre of the real rows that holds a share alpha of
    them, which share of the synthetic rows does it hold? beta-recall: which share of the real rows
    has its nearest synthetic row inside the ball that holds a share beta of the synthetic rows,
    and no further away than its own fifth nearest real row? Either is 1 less twice the mean
    departure from what is expected, over all sizes of the ball.

    Notes
    -----
    Different from the paper: the space is the mixed-type one of `Space`, not a learnt embedding,
    and the centre is the mean. Of precision alpha is expected; of recall not beta, but what real
    rows find among themselves. In a space of many dimensions few central rows are the nearest of
    many others, so that even fresh real rows would not get beta, and independent columns, which
    make more such rows, could get nearer to it.

    References
    ----------
    Alaa et al. (2022), arXiv:2102.08921.
    """

    order = 34
    figures = (
        Figure(
            "alpha_precision",
            "Synthetic rows lie among real ones (alpha-precision)",
            "fidelity",
            "higher",
            1.0,
            "Whether as many synthetic as real rows lie within every distance from the centre of "
            "the real rows: 1 is the same at every distance; noise and rows that are too "
            "ordinary both lower it. It does not notice that few different rows come again and "
            "again.",
        ),
        Figure(
            "beta_recall",
            "Real rows are covered by synthetic ones (beta-recall)",
            "fidelity",
            "higher",
            1.0,
            "Whether real rows have a synthetic row about as near as their nearest real ones, "
            "ordinary and unusual rows alike: 1 is all of them; kinds of rows that are left out "
            "lower it. Copies of real rows score best, so it is no evidence of privacy.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return both figures."""
        sides = Sides.equal(comparison, MOST_ROWS)
        n = len(sides.real)
        if n < 2:
            problem = "At least 2 rows of each table are needed."
            return [figure.absent(problem) for figure in self.figures]
        # The real rows alone decide what is rare, so that fresh and synthetic ones are alike in it.
        space = Space.of([comparison.real], comparison.rng("directions"), WIDTH)
        points = [space.points(table).astype(np.float64) for table in sides.tables]
        real = points[0]
        if not (real != real[0]).any():
            problem = "No column varies in the real rows, so there is nothing to cover."
            return [figure.absent(problem) for figure in self.figures]
        centre = real.mean(axis=0)
        from_centre = _distance(real, centre)
        near_real, radii = among_themselves(real, NEIGHBOURS)
        precisions, recalls = [], []
        for other in points[1:]:
            precisions.append(precision(from_centre, _distance(other, centre)))
            own = _distance(other, other.mean(axis=0))
            recalls.append(recall(own, reached(real, other, radii), from_centre, near_real))
        details = {"rows_a_side": n, "dimensions": real.shape[1]}
        return [
            found(precisions).score(self.figures[0], details=details),
            found(recalls).score(self.figures[1], details={**details, "neighbours": NEIGHBOURS}),
        ]


def _distance(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    distances: np.ndarray = np.sqrt(((points - centre) ** 2).sum(axis=1))
    return distances

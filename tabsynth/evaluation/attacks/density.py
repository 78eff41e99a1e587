"""Attack by the ratio of densities: where the synthetic table has more rows than it should."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.attacks.base import Attack, Scene, attacks

DIMENSIONS = 8
"""Most dimensions in which densities are estimated."""
MOST_POINTS = 6000
"""Most rows that a density is estimated from."""
CHUNK = 1 << 23
"""Most kernels that are in memory at a time."""


@attacks.register("density")
class DensityRatio(Attack):
    """DOMIAS: density among the synthetic rows over density among reference rows.

    Both densities are Gaussian kernel estimates in the principal directions of the candidates,
    with the bandwidth of Scott's rule.

    References
    ----------
    van Breugel et al. (2023), arXiv:2302.12580.
    """

    title = "density ratio (DOMIAS)"
    order = 40

    def score(self, scene: Scene) -> np.ndarray:
        """Return the logarithm of the ratio of densities."""
        candidates = scene.points[: scene.n_calibrated]
        axes, centre = principal_axes(candidates, DIMENSIONS)
        if not axes.shape[1]:
            return np.zeros(len(candidates))
        queries = (candidates - centre) @ axes
        tables = (scene.synthetic_points, scene.reference_points)
        logs = [log_density(queries, (points[:MOST_POINTS] - centre) @ axes) for points in tables]
        ratio: np.ndarray = logs[0] - logs[1]
        return ratio


def principal_axes(points: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return directions of largest variance, scaled so that the variance along each is 1.

    Parameters
    ----------
    points : ndarray of float32, shape (n_points, n_dimensions)
    most : int

    Returns
    -------
    axes : ndarray of float32, shape (n_dimensions, n_axes)
        Fewer than `most` where points do not vary in more.
    centre : ndarray of float32, shape (n_dimensions,)
    """
    centre = points.mean(axis=0, dtype=np.float64)
    spread = points.astype(np.float64) - centre
    values, vectors = np.linalg.eigh(spread.T @ spread / len(points))
    values, vectors = values[::-1][:most], vectors[:, ::-1][:, :most]
    kept = values > 1e-6 * max(values[0], 1e-12)
    axes = vectors[:, kept] / np.sqrt(values[kept])
    return axes.astype(np.float32), centre.astype(np.float32)


def log_density(queries: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the logarithm of a Gaussian kernel estimate, up to a constant of the dimension.

    Parameters
    ----------
    queries : ndarray of float32, shape (n_queries, n_axes)
    points : ndarray of float32, shape (n_points, n_axes)
        In units in which the variance along each axis is about 1.

    Returns
    -------
    ndarray of float64, shape (n_queries,)
    """
    width = len(points) ** (-1 / (points.shape[1] + 4))
    queries, points = queries / np.float32(width), points / np.float32(width)
    right = np.concatenate([points, -0.5 * (points**2).sum(axis=1, keepdims=True)], axis=1).T.copy()
    left = np.concatenate([queries, np.ones((len(queries), 1), np.float32)], axis=1)
    found = np.empty(len(queries))
    step = max(1, CHUNK // len(points))
    for start in range(0, len(queries), step):
        exponents = left[start : start + step] @ right
        top = exponents.max(axis=1, keepdims=True)
        sums = np.exp(exponents - top).sum(axis=1, dtype=np.float64)
        found[start : start + step] = np.log(sums) + top[:, 0]
    found -= 0.5 * (queries.astype(np.float64) ** 2).sum(axis=1) + np.log(len(points))
    return found

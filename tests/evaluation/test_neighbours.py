from __future__ import annotations

import numpy as np
import pytest

from tabsynth.evaluation.distance import SEARCHED, Neighbours, neighbours


@pytest.mark.parametrize(
    ("n_queries", "n_points", "width", "k"),
    [(300, 1000, 5, 5), (50, 7, 3, 5), (40, 3, 2, 5), (100, 257, 12, 1), (9, 1, 1, 3)],
)
def test_the_nearest_points_are_those_of_a_search_through_all(
    streams, n_queries, n_points, width, k
):
    rng = streams.numpy("points")
    queries = rng.normal(size=(n_queries, width)).astype(np.float32)
    points = rng.normal(size=(n_points, width)).astype(np.float32)
    gaps = queries[:, None].astype(float) - points[None]
    distances = np.sqrt((gaps**2).sum(axis=2))
    found = neighbours(queries, points, k)
    nearest = np.sort(distances, axis=1)[:, : min(k, n_points)]
    np.testing.assert_allclose(found.distances, nearest)
    np.testing.assert_allclose(np.take_along_axis(distances, found.places, axis=1), nearest)
    np.testing.assert_array_equal(found.first, found.distances[:, 0])


def test_in_many_dimensions_copies_are_found_and_distances_are_exact(streams):
    rng = streams.numpy("wide")
    points = rng.normal(size=(2000, 3 * SEARCHED)).astype(np.float32)
    queries = np.concatenate([points[:50], points[50:100] + np.float32(0.01)])
    found = neighbours(queries, points, 3)
    np.testing.assert_array_equal(found.places[:, 0], np.arange(100))
    assert (found.first[:50] == 0).all()
    gaps = queries[:, None].astype(float) - points[found.places]
    np.testing.assert_allclose(found.distances, np.sqrt((gaps**2).sum(axis=2)))


def test_rounding_does_not_hide_equal_rows():
    found = Neighbours(np.array([[0.1, 0.2], [0.1, 0.2]]), np.array([[4, 5], [4, 5]]))
    mended = found.with_equal(
        np.array([7, 8], dtype=np.uint64), np.array([9, 7, 1], dtype=np.uint64)
    )
    np.testing.assert_array_equal(mended.distances, [[0, 0.1], [0.1, 0.2]])
    np.testing.assert_array_equal(mended.places, [[1, 4], [4, 5]])

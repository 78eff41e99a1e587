from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.distance import Space, nearest
from tabsynth.evaluation.frame import analyse
from tabsynth.schema import Column, Schema


def test_the_nearest_is_what_comparing_all_with_all_finds(streams, monkeypatch):
    monkeypatch.setattr("tabsynth.evaluation.distance.CHUNK", 1000)
    rng = streams.numpy("points")
    queries, points = rng.random((70, 5), np.float32), rng.random((90, 5), np.float32)
    every = np.sqrt(((queries[:, None].astype(float) - points[None]) ** 2).sum(axis=2))
    assert nearest(queries, points) == pytest.approx(every.min(axis=1), abs=1e-6)


def space_of(frame, kind, width=768, **parameters):
    schema = Schema((Column("x", kind, parameters=parameters),))
    table = analyse({"t": pd.DataFrame({"x": frame})}, schema)["t"]
    space = Space.of([table], np.random.Generator(np.random.PCG64(1)), width)
    return space.points(table)


def apart(points, i, j):
    return float(np.linalg.norm(points[i] - points[j]))


def test_numbers_are_apart_by_their_ranks_whatever_their_scale():
    plain, stretched = (space_of(x, "number") for x in ([1.0, 2, 3, 4], [1.0, 10, 100, 1e6]))
    assert plain == pytest.approx(stretched)
    assert apart(plain, 0, 3) == pytest.approx(0.75)


def test_a_missing_number_is_far_from_every_number():
    points = space_of([1.0, 2.0, 3.0, None, None], "number")
    assert apart(points, 3, 4) == 0
    assert min(apart(points, 3, place) for place in range(3)) > 0.7


def test_rare_categories_are_further_apart_than_frequent_ones():
    points = space_of(["a"] * 50 + ["b"] * 50 + ["c", "d"], "category")
    assert apart(points, 0, 1) == 0
    assert apart(points, 100, 101) > apart(points, 0, 50) > 0.5


def test_many_categories_take_bounded_room_and_stay_apart():
    points = space_of([f"c{k}" for k in range(900)], "category", width=64)
    assert 50 <= points.shape[1] <= 64
    gaps = nearest(points[:100], points[100:])
    assert gaps.min() > 0.5 * apart(points, 0, 1)

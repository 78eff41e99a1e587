from __future__ import annotations

import numpy as np
import pandas as pd

from tabsynth.evaluation.scaled import compact, scaled_space
from tabsynth.schema import Column, Schema


def test_a_small_change_of_a_number_that_many_share_is_a_small_distance(comparison):
    rng = np.random.default_rng(1)
    gains = np.where(rng.random(900) < 0.9, 0.0, rng.gamma(2, 1000, 900).round())
    gains[:2] = 0.0, 3.0
    frames = [pd.DataFrame({"gain": gains[start : start + 300]}) for start in (0, 300, 600)]
    compared = comparison(*frames, Schema((Column("gain", "number"),)))
    levels = compared.features[0].levels
    (lookup,) = scaled_space(compared).lookups
    zero, three, far = (int(np.searchsorted(levels, x)) for x in (0.0, 3.0, 2000.0))
    assert abs(lookup[three, 0] - lookup[zero, 0]) < 0.01
    assert lookup[far, 0] - lookup[zero, 0] > 0.2


def test_a_single_huge_number_leaves_the_others_apart(comparison):
    numbers = np.random.default_rng(2).normal(size=900)
    numbers[0] = 1e12
    frames = [pd.DataFrame({"x": numbers[start : start + 300]}) for start in (0, 300, 600)]
    (lookup,) = scaled_space(comparison(*frames, Schema((Column("x", "number"),)))).lookups
    assert 0.2 < lookup[:-2, 0].std() < 0.35
    assert lookup[-2, 0] < 10


def test_constant_and_empty_columns_have_a_place(comparison):
    schema = Schema((Column("a", "number"), Column("b", "number")))
    frame = pd.DataFrame({"a": np.ones(60), "b": np.full(60, np.nan)})
    space = scaled_space(comparison(frame, frame, frame, schema))
    for lookup in space.lookups:
        assert np.isfinite(lookup).all()


def test_missing_cells_are_away_from_all_numbers(comparison):
    numbers = np.append(np.arange(100.0), [np.nan] * 20)
    frame = pd.DataFrame({"a": numbers})
    (lookup,) = scaled_space(
        comparison(frame, frame, frame, Schema((Column("a", "number"),)))
    ).lookups
    gaps = np.sqrt(((lookup[:-1] - lookup[-1]) ** 2).sum(axis=1))
    assert gaps.min() > 0.7


def test_only_dimensions_that_differ_are_kept():
    first, second = np.zeros((3, 3), np.float32), np.zeros((2, 3), np.float32)
    second[:, 1] = 1
    kept = compact(first, second)
    assert [some.shape for some in kept] == [(3, 1), (2, 1)]

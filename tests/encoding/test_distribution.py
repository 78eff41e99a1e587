"""Summaries of numbers merge, stay small, and keep what later steps need."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tabsynth.encoding.distribution import LIMIT, Distribution
from tabsynth.encoding.grid import Grid

integers = hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(-(2**63), 2**63 - 1))
small = hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(-50, 50))
reals = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e12, 1e12, allow_nan=False))


def none_missing(data):
    return np.zeros(len(data), dtype=bool)


@given(st.one_of(integers, small, reals), st.integers(0, 60))
def test_the_summary_of_two_chunks_is_the_summary_of_the_whole(data, cut):
    cut = min(cut, len(data))
    whole = Distribution.of(data, none_missing(data))
    parts = Distribution.of(data[:cut], none_missing(data[:cut])).merge(
        Distribution.of(data[cut:], none_missing(data[cut:]))
    )
    assert np.array_equal(whole.values, parts.values)
    assert np.array_equal(whole.counts, parts.counts)
    assert (whole.missing, whole.decimals, whole.step) == (
        parts.missing,
        parts.decimals,
        parts.step,
    )


def test_missing_cells_are_counted_and_do_not_count_as_values():
    summary = Distribution.of(np.array([1, 2, 3]), np.array([False, True, False]))
    assert summary.missing == 1
    assert summary.values.tolist() == [1, 3]


def test_many_distinct_values_are_thinned_but_ranks_and_ties_stay_right():
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.normal(size=300_000), np.full(30_000, 0.125)])
    summary = Distribution.of(data, none_missing(data))
    assert len(summary.values) <= LIMIT
    assert summary.n_present == len(data)
    assert summary.counts[summary.values == 0.125] == 30_000
    assert (summary.values[0], summary.values[-1]) == (data.min(), data.max())
    for share in (0.01, 0.3, 0.9):
        rank = summary.counts[summary.values <= np.quantile(data, share)].sum() / len(data)
        assert abs(rank - (data <= np.quantile(data, share)).mean()) < 4 / LIMIT


@given(st.one_of(integers, small, reals))
def test_the_grid_gives_back_every_number_it_was_made_from(data):
    grid = Grid.of(Distribution.of(data, none_missing(data)))
    back = grid.number(grid.index(data), data.dtype)
    assert np.array_equal(back, data)


def test_unsigned_integers_beyond_int64_lie_on_a_grid():
    data = np.array([2**64 - 1, 2**64 - 11, 2**63 + 5], dtype=np.uint64)
    grid = Grid.of(Distribution.of(data, none_missing(data)))
    assert grid.is_lattice
    assert np.array_equal(grid.number(grid.index(data), data.dtype), data)


def test_multiples_and_decimals_are_recognised():
    fives = Grid.of(Distribution.of(np.array([10, 25, 40, 10]), np.zeros(4, dtype=bool)))
    assert (fives.origin, fives.step) == (10, 15)
    cents = Grid.of(Distribution.of(np.array([0.1, 0.25, 3.07]), np.zeros(3, dtype=bool)))
    assert (cents.decimals, cents.step) == (2, 3)
    assert not Grid.of(Distribution.of(np.array([np.pi, np.e]), np.zeros(2, dtype=bool))).is_lattice

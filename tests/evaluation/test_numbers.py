from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.numbers import largest_gap, moved_ranks, moved_spreads
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

X = Schema((Column("x", "number"),))


def scores(name, train, synthetic, schema, holdout=None):
    """Return the scores of a measure by name, none where it is not planned."""
    frames = {"train": train, "synthetic": synthetic}
    if holdout is not None:
        frames["holdout"] = holdout
    comparison = Comparison.of(
        analyse(frames, schema), streams=Streams(7), frames=frames, schema=schema
    )
    planned = measures.get(name).plan(comparison)
    return {score.name: score for kind in planned for score in kind.measure(comparison)}


def both(real, other, schema=X, holdout=None):
    """Return the scores of both measures for tables of one column."""
    frames = [None if some is None else pd.DataFrame({"x": some}) for some in (real, other)]
    held = None if holdout is None else pd.DataFrame({"x": holdout})
    found = [
        scores(name, *frames, schema, held)[name] for name in ("number_ks", "number_wasserstein")
    ]
    return tuple(found)


def test_distances_of_tiny_tables_are_those_computed_by_hand():
    gap, moved = both([1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 6.0])
    assert gap.value == 0.5
    # Ranks of 1, 2, 3, 4 are 1/8, 3/8, 5/8, 7/8; those of 5 and 6 are 1: moved by
    # (5/8 - 1/8) + (7/8 - 3/8) + (1 - 5/8) + (1 - 7/8), a quarter each.
    assert moved.value == pytest.approx(0.375)


def test_numbers_that_are_all_larger_are_as_far_as_can_be():
    gap, moved = both([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert (gap.value, moved.value) == (1.0, 0.5)


def test_the_gap_equals_that_of_the_standard_library_of_science():
    from scipy.stats import ks_2samp

    rng = Streams(2).numpy("gap")
    real, other = rng.integers(0, 40, 300), rng.integers(5, 50, 300)
    counts = [np.bincount(some, minlength=50) for some in (real, other)]
    assert largest_gap(*counts) == pytest.approx(ks_2samp(real, other).statistic)


def test_moved_ranks_equal_the_distance_between_sorted_ranks():
    rng = Streams(2).numpy("ranks")
    real, other = rng.integers(0, 40, 300), rng.integers(5, 50, 300)
    counts = [np.bincount(some, minlength=50) for some in (real, other)]

    def rank(values):
        return [(np.mean(real < value) + np.mean(real <= value)) / 2 for value in values]

    expected = np.abs(np.sort(rank(real)) - np.sort(rank(other))).mean()
    assert moved_ranks(*counts) == pytest.approx(expected)


def test_one_extreme_value_cannot_decide():
    real = np.arange(1000.0)
    _, moved = both(real, np.append(real[:-1], 1e15))
    assert moved.value < 0.001
    assert moved.details["in_mean_distances_from_the_median"]["x"] > 1000


def test_a_column_of_medians_is_one_mean_distance_away():
    counts, numbers = np.array([1, 1, 1, 1, 1]), np.array([0.0, 1.0, 5.0, 7.0, 100.0])
    assert moved_spreads(counts, np.array([0, 0, 5, 0, 0]), numbers) == pytest.approx(1.0)


def test_a_constant_column_has_no_spread_to_measure_in_and_no_distance_to_itself():
    gap, moved = both([5.0] * 4, [5.0] * 4)
    assert (gap.value, moved.value) == (0, 0)
    assert moved.details["in_mean_distances_from_the_median"] == {"x": None}


@pytest.mark.parametrize(("factor", "shift"), [(2.5, 0), (1e6, -3), (-1, 7)])
def test_another_unit_changes_nothing(factor, shift):
    rng = Streams(3).numpy("unit")
    real, other, held = (np.round(rng.lognormal(3, 1, 200)) for _ in range(3))
    first = both(real, other, holdout=held)
    second = both(*(factor * some + shift for some in (real, other)), holdout=factor * held + shift)
    for one, two in zip(first, second, strict=True):
        assert two.value == pytest.approx(one.value)
        assert two.reference == pytest.approx(one.reference)


def test_a_column_without_synthetic_values_is_as_far_as_can_be_and_missing_cells_are_left_out():
    gap, moved = both([1.0, 2.0, np.nan], [np.nan] * 3)
    assert (gap.value, moved.value) == (1.0, 0.5)
    gap, moved = both([1.0, 2.0, np.nan, np.nan], [1.0, 2.0, 1.0, 2.0])
    assert (gap.value, moved.value) == (0, 0)


def test_without_numbers_there_is_a_reason():
    frame = pd.DataFrame({"x": list("ab") * 20})
    score = scores("number_ks", frame, frame, Schema((Column("x", "category"),)))["number_ks"]
    assert score.value is None
    assert score.problem == "No column of numbers or dates with a value is compared."
    empty = pd.DataFrame({"x": [np.nan] * 40})
    assert scores("number_ks", empty, empty, X)["number_ks"].value is None


def test_dates_count_as_numbers_and_the_mean_is_over_columns():
    times = pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(4), "D")
    real = pd.DataFrame({"t": times, "x": [1, 2, 3, 4]})
    other = pd.DataFrame({"t": times + pd.Timedelta("2D"), "x": [1, 2, 3, 4]})
    schema = Schema((Column("t", "datetime"), Column("x", "number")))
    score = scores("number_ks", real, other, schema)["number_ks"]
    assert score.value == 0.25
    assert score.details["worst"] == {"t": 0.5, "x": 0}


def test_fresh_rows_are_near_the_reference_and_without_a_holdout_nothing_is_compared():
    rng = Streams(4).numpy("fresh")
    real, fresh, held = rng.normal(size=(3, 2000))
    for score in both(real, fresh, holdout=held):
        assert abs(score.value - score.reference) < 0.03
        assert score.baseline == score.reference
    for score in both(real, fresh):
        assert score.reference is None
        assert score.baseline is None

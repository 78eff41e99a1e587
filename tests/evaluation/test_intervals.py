from __future__ import annotations

import numpy as np
import pytest

from tabsynth.evaluation.intervals import (
    area,
    area_interval,
    clopper_pearson,
    reach,
    rows_for_reach,
)


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_clopper_pearson_covers_the_true_share_at_least_as_often_as_it_says(streams, share):
    found = streams.numpy("shares").binomial(200, share, 2000)
    cover = {k: clopper_pearson(k, 200) for k in set(found.tolist())}
    hits = [cover[k].low <= share <= cover[k].high for k in found.tolist()]
    # At least 0.95; 2,000 draws have a standard error of 0.005.
    assert np.mean(hits) >= 0.935


def test_clopper_pearson_is_the_exact_interval():
    interval = clopper_pearson(5, 100)
    # scipy.stats.binomtest(5, 100).proportion_ci(0.95, "exact")
    assert (interval.low, interval.high) == pytest.approx((0.016432, 0.112835), abs=1e-6)


def test_no_and_all_successes_give_bounds_of_0_and_1():
    assert clopper_pearson(0, 10).low == 0
    assert clopper_pearson(10, 10).high == 1


def test_the_area_counts_ties_half():
    value, _ = area(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    # Pairs: 1 ties 1, 1 > 0, 2 > 1, 2 > 0.
    assert value == pytest.approx(3.5 / 4)


def test_the_variance_of_the_area_is_that_of_repeated_samples(streams):
    rng = streams.numpy("normal")
    found = np.array([area(rng.normal(1, 1, 80), rng.normal(0, 1, 120)) for _ in range(600)])
    # The standard deviation of 600 draws has a relative error of 3 %.
    assert found[:, 0].std() == pytest.approx(np.sqrt(found[:, 1].mean()), rel=0.12)


def test_perfect_separation_has_an_interval_that_is_no_point():
    value, variance = area(np.arange(10.0) + 100, np.arange(10.0))
    interval = area_interval(value, variance, 10)
    assert value == 1
    assert 0.6 < interval.low < 0.75
    assert interval.high == 1


def test_the_interval_of_the_reach_holds_the_truth_and_rarely_alarms(streams):
    rng = streams.numpy("scores")
    low, high = [], []
    for _ in range(200):
        _, interval = reach(rng.normal(0, 1, 800), rng.normal(0, 1, 800), 0.01, rng)
        low.append(interval.low <= 0.01)
        high.append(interval.high >= 0.01)
    assert np.mean(low) >= 0.96
    assert np.mean(high) >= 0.96


def test_the_reach_of_scores_that_are_all_equal_is_that_of_guessing(streams):
    rng = streams.numpy("ties")
    found = [reach(np.zeros(500), np.zeros(500), 0.01, rng)[0] for _ in range(100)]
    # At most 5 of 500 others lie above the threshold: the mean is near 6 in 501 of the members.
    assert np.mean(found) == pytest.approx(0.012, abs=0.002)


def test_copies_are_within_reach(streams):
    rng = streams.numpy("copies")
    members = np.append(rng.normal(0, 1, 1900), np.full(100, 50.0))
    value, interval = reach(members, rng.normal(0, 1, 1000), 0.01, rng)
    # 5 % are recognised without an error; 1 % of the others pass by chance.
    assert value == pytest.approx(0.06, abs=0.01)
    assert interval.low > 0.03


def test_the_reach_has_no_lower_bound_with_fewer_rows_than_needed(streams):
    n = rows_for_reach(0.01)
    members = np.full(1000, 9.0)
    for others, bounded in ((n - 1, False), (n, True)):
        _, interval = reach(members, np.zeros(others), 0.01, streams.numpy("few"))
        assert (interval.low > 0.9) is bounded

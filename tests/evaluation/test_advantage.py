from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from tabsynth.evaluation.advantage import advantage, by_area, by_top


@pytest.mark.parametrize("test", [by_area, by_top, advantage])
def test_nothing_is_claimed_without_rows_or_without_differences(test):
    none, some = np.zeros(0), np.arange(5.0)
    assert test(none, some) == test(some, none) == 1
    assert test(np.ones(50), np.ones(70)) == 1


@pytest.mark.parametrize(("m", "n"), [(50, 50), (400, 100), (100, 400), (200, 1000)])
def test_the_area_of_two_distinct_scores_is_judged_about_exactly(m, n):
    for high in (1, 3, 10, 50):
        for hits in range(max(0, high - n), min(high, m) + 1):
            exact = hypergeom.sf(hits - 1, m + n, m, high)
            members = np.repeat([1.0, 0.0], [hits, m - hits])
            others = np.repeat([1.0, 0.0], [high - hits, n - high + hits])
            # The approximation by moments may err by a seventh, and only by that.
            assert by_area(members, others) >= exact / 1.15 or exact > 0.06 or exact < 1e-9


@pytest.mark.parametrize(
    ("m", "n", "kind"), [(300, 60, "ties"), (60, 300, "ties"), (60, 300, "few"), (40, 40, "plain")]
)
def test_chance_alone_is_significant_no_more_often_than_said(streams, m, n, kind):
    rng = streams.numpy(f"{m} {n} {kind}")
    scores = rng.normal(size=m + n)
    if kind == "ties":
        scores = rng.geometric(0.5, m + n).astype(float)
    if kind == "few":
        scores *= rng.random(m + n) < 0.03
    drawn = [rng.permutation(scores) for _ in range(1000)]
    for test in (by_area, by_top, advantage):
        p_values = np.array([test(some[:m], some[m:]) for some in drawn])
        # Four standard deviations of a share of 0.05 among 1000.
        assert (p_values <= 0.05).mean() <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 1000)


def test_a_few_members_at_the_top_are_found_among_many_rows(streams):
    members, others = streams.numpy("top").normal(size=(2, 5000))
    members[:25] = 10
    assert by_area(members, others) > 1e-3
    assert by_top(members, others) < 1e-5


def test_a_small_shift_of_all_members_is_found(streams):
    members, others = streams.numpy("shift").normal(size=(2, 5000))
    assert advantage(members + 0.15, others) < 1e-6
    assert advantage(members - 0.15, others) > 0.5


def test_scores_count_by_their_order_only(streams):
    members, others = streams.numpy("order").normal(size=(2, 300))
    assert advantage(members, others) == advantage(np.exp(members), np.exp(others))

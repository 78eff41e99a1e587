from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from tabsynth.evaluation.contrast import SMALLEST, Tally, exclusive, fisher, tails


@pytest.mark.parametrize("table", [(3, 40, 1, 50), (0, 40, 5, 50), (9, 10, 2, 70), (5, 5, 5, 5)])
def test_fisher_is_the_exact_test_of_one_side(table):
    hits, rows, other_hits, other_rows = table
    known = fisher_exact(
        [[hits, rows - hits], [other_hits, other_rows - other_hits]], alternative="greater"
    ).pvalue
    assert fisher(*table) == pytest.approx(known)


def test_no_p_value_is_zero():
    assert fisher(20_000, 20_000, 0, 20_000) == SMALLEST
    scores = np.repeat([1.0, 0.0], 20_000)
    assert 0 < tails(scores, scores > 0) < 1e-200


def test_scores_without_a_difference_say_nothing():
    members = np.arange(100) < 50
    assert tails(np.zeros(100), members) == 1
    assert tails(np.zeros(0), np.zeros(0, dtype=bool)) == 1


@pytest.mark.parametrize("n_members", [50, 300, 500])
@pytest.mark.parametrize("kind", ["continuous", "few levels", "nearly all equal"])
def test_p_values_of_chance_are_seldom_small(n_members, kind):
    rng = np.random.default_rng(1)
    scores = {
        "continuous": rng.normal(size=600),
        "few levels": rng.integers(0, 4, 600),
        "nearly all equal": rng.random(600) < 0.02,
    }[kind].astype(float)
    draws = 400
    p_values = [tails(scores, rng.permutation(600) < n_members) for _ in range(draws)]
    for level in (0.01, 0.05, 0.2):
        # Three standard deviations of a binomial share of 400.
        allowed = level + 3 * np.sqrt(level * (1 - level) / draws)
        assert np.mean(np.array(p_values) <= level) <= allowed


def test_a_few_exposed_rows_are_seen_among_many():
    rng = np.random.default_rng(2)
    scores, members = rng.normal(size=4000), np.arange(4000) < 2000
    scores[:20] += 10
    assert tails(scores, members) < 1e-4
    assert tails(scores, ~members) > 0.2


def test_a_small_shift_of_all_rows_is_seen():
    rng = np.random.default_rng(3)
    members = np.arange(4000) < 2000
    assert tails(rng.normal(size=4000) + 0.2 * members, members) < 1e-4


@pytest.mark.parametrize("by", ["rows", "persons"])
@pytest.mark.parametrize("sizes", [(300, 300), (500, 100), (100, 500)])
def test_repeated_values_raise_no_alarm_however_they_were_dealt_out(by, sizes):
    rng = np.random.default_rng(4)
    draws, p_values = 120, []
    for _ in range(draws):
        values = rng.integers(0, 400, sum(sizes))
        if by == "rows":
            mine = rng.permutation(len(values)) < sizes[0]
        else:
            mine = (rng.random(400) < sizes[0] / sum(sizes))[values]
        fresh = rng.integers(0, 400, 300)
        p_values.append(exclusive(values[mine], values[~mine], fresh).p_value)
    allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
    assert np.mean(np.array(p_values) <= 0.05) <= allowed


def test_copied_values_are_counted_by_who_holds_them():
    found = exclusive(np.array([1, 2, 3, 3, 9]), np.array([4, 5, 9]), np.array([1, 3, 9, 9, 4]))
    # 9 is held by both sides.
    assert (found.hits, found.values, found.other_hits, found.other_values) == (2, 3, 1, 2)
    values = np.arange(200)
    assert exclusive(values[:100], values[100:], values[:20]).p_value < 1e-5
    assert exclusive(values[100:], values[:100], values[:20]).p_value == 1
    # Every value twice: a person with two rows.
    twice = np.repeat(values, 2)
    assert exclusive(twice[:200], twice[200:], values[:20]).p_value < 1e-5


def test_a_tally_counts_success_in_proportion_to_chance():
    tally = Tally(4)
    tally.add(np.array([0, 1, 2]), np.array([True, True, False]))
    tally.add(np.array([0]), np.array([True]))
    assert tally.tried.tolist() == [2, 1, 1, 0]
    assert tally.expected == pytest.approx([2 / 3 + 1, 2 / 3, 2 / 3, 0])
    value, interval = tally.rate(np.arange(4) < 3)
    assert value == pytest.approx(0.75)
    assert interval.low <= value <= interval.high
    assert tally.rate(np.arange(4) == 3) is None
    assert not tally.contrasts(np.arange(4) < 3)
    assert tally.contrasts(np.arange(4) < 1)


def test_intervals_of_a_tally_cover_the_share_that_they_estimate():
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(200):
        tally = Tally(400)
        chances = rng.beta(2, 2, 400)
        for _ in range(5):
            rows = np.flatnonzero(rng.random(400) < 0.7)
            tally.add(rows, rng.random(len(rows)) < chances[rows])
        _, interval = tally.rate(np.ones(400, dtype=bool))
        covered += interval.low <= 0.5 <= interval.high
    # 95% of 200, less three standard deviations.
    assert covered >= 180

"""Noisy histograms of one column: what they cost, what they count, and what they let through."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabsynth.errors import BudgetExceeded
from tabsynth.privacy import histogram
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.cells import Cells, declared, enough, powers, projected, whole_counts
from tabsynth.privacy.histogram import Buyer
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise

FREE = 1e6
"""A rho whose noise rounds to nothing."""


class Account(Ledger):
    """A ledger that writes everything down and refuses nothing."""

    def debit(self, *spends):
        """Write down."""
        self.spends += spends


def buyer(seed=0):
    """Return a buyer with all the money there is, and repeatable noise."""
    return Buyer(Account(PrivacyBudget(1.0)), Noise(debug_insecure_seed=seed))


def none(n):
    """Return flags of `n` rows, of which none is missing."""
    return np.zeros(n, dtype=bool)


def test_a_release_is_debited_before_noise_is_drawn():
    class Refusing:
        def counts(self, counts, sigma):
            raise AssertionError("noise was drawn")

    poor = Buyer(Ledger(PrivacyBudget(0.1)), Refusing())
    with pytest.raises(BudgetExceeded):
        poor.counts("anything", np.zeros(2, dtype=np.int64), rho=1.0)
    assert poor.ledger.spends == []


def test_what_is_written_down_is_the_noise_that_is_added():
    some = buyer(1)
    exact = np.full(20_000, 7)
    noisy, sigma = some.counts("anything", exact, rho=0.02)
    (spend,) = some.ledger.spends
    assert spend.noise == sigma == 5.0
    assert spend.rho == pytest.approx(0.02)
    # A standard deviation over 20,000 draws is within 2 % of the truth with near certainty.
    assert np.std(noisy - exact) == pytest.approx(sigma, rel=0.02)
    assert abs(np.mean(noisy - exact)) < 5 * sigma / math.sqrt(len(exact))


@pytest.mark.parametrize("sigma", [0.5, 3.0, 70.0])
@pytest.mark.parametrize("delta", [1e-3, 1e-8])
def test_a_label_of_one_row_passes_the_threshold_as_rarely_as_is_claimed(sigma, delta):
    least = histogram.threshold(sigma, delta)
    # The exact probability that 1 + discrete Gaussian noise is at least the threshold.
    grid = np.arange(-int(12 * sigma) - 20, int(12 * sigma) + 21, dtype=np.float64)
    weight = np.exp(-(grid**2) / (2 * sigma**2))
    assert weight[grid >= least - 1].sum() / weight.sum() <= delta
    # It is not wasteful: three steps and half a deviation lower, more would pass.
    lower = least - 4 - 0.5 * sigma
    assert weight[grid >= lower].sum() / weight.sum() > delta


def test_the_delta_of_a_threshold_is_written_down():
    some = buyer()
    histogram.labels("labels", np.array([500, 1]), 3, rho=0.01, delta=1e-7, buyer=some)
    assert [spend.delta for spend in some.ledger.spends] == [1e-7]


def test_labels_that_many_rows_hold_are_shown_and_those_of_single_rows_are_not():
    for seed in range(50):
        counts = np.array([2_000, 1, 900, 1])
        _, _, shown, _ = histogram.labels("labels", counts, 0, 0.005, 1e-8, buyer(seed))
        assert shown.tolist() == [True, False, True, False]


@pytest.mark.parametrize("whole", [True, False])
def test_powers_of_two_follow_each_other_without_a_gap(whole):
    low, high = powers(whole)
    assert (low <= high).all()
    following = high[:-1] + 1 if whole else np.nextafter(high[:-1], np.inf)
    wide = np.abs(high[:-1]) < 2**52
    np.testing.assert_array_equal(following[wide], low[1:][wide])
    assert low[0] <= -(2.0**61)
    assert high[-1] >= 2.0**61 - 1


@pytest.mark.parametrize("whole", [True, False])
def test_bounds_hold_the_numbers_and_an_outlier_does_not_widen_them(whole):
    numbers = np.concatenate([np.arange(-20.0, 90.0).repeat(50), [987_654_321.0]])
    for seed in range(20):
        found = histogram.bounds(
            "bounds", numbers, none(len(numbers)), whole, (None, None), 0.005, buyer(seed)
        )
        assert -32 <= found.low[0] <= -16
        assert 89 <= found.high[-1] <= 128


def test_bounds_that_are_declared_are_kept():
    numbers = np.arange(0.0, 90.0).repeat(50)
    found = histogram.bounds("bounds", numbers, none(4500), True, (-5.0, None), 0.1, buyer())
    assert found.low[0] == -5
    assert found.high[-1] == 127


@pytest.mark.parametrize("rows", [0, 20])
def test_no_bounds_are_found_where_noise_hides_all_rows(rows):
    for seed in range(50):
        some = histogram.bounds(
            "bounds", np.zeros(rows), none(rows), True, (None, None), 0.005, buyer(seed)
        )
        assert some is None


def test_where_noise_shows_missing_cells_alone_there_is_one_cell_that_holds_nothing():
    missing = np.ones(1000, dtype=bool)
    missing[:3] = False
    numbers = np.where(missing, 0.0, 777.0)
    for seed in range(50):
        some = histogram.bounds("b", numbers, missing, True, (None, None), 0.005, buyer(seed))
        assert some.low.tolist() == some.high.tolist() == [0.0]
        assert some.counts.tolist() == [0]
        assert some.missing == pytest.approx(1000, abs=60)


@given(
    st.lists(st.integers(-3000, 3000), min_size=1, max_size=60),
    st.booleans(),
    st.floats(1e-4, 10.0),
)
def test_cells_cover_their_bounds_and_every_row_is_in_one(numbers, whole, rho):
    data = np.array(numbers, dtype=np.float64)
    before = declared(-3000.0, 3000.0, whole)
    found = histogram.cells("counts", data, none(len(data)), before, len(data), rho, buyer())
    assert found.low[0] == -3000
    assert found.high[-1] == 3000
    assert (found.low <= found.high).all()
    assert (found.high[:-1] < found.low[1:]).all()
    assert 0.0 in found.low[found.low == found.high]
    points, cell = found.spread(16)
    assert (np.diff(points) > 0).all()
    assert (points >= found.low[cell]).all()
    assert (points <= found.high[cell]).all()
    assert set(cell.tolist()) == set(range(len(found.low)))


def test_without_noise_cells_hold_equally_many_rows_and_count_them_exactly():
    rng = np.random.default_rng(0)
    numbers = np.rint(np.exp(rng.normal(6, 2, 20_000)))
    before = histogram.bounds("b", numbers, none(20_000), True, (None, None), FREE, buyer())
    found = histogram.cells("c", numbers, none(20_000), before, 20_000, FREE, buyer())
    inside = [
        ((numbers >= low) & (numbers <= high)).sum()
        for low, high in zip(found.low, found.high, strict=True)
    ]
    assert found.counts.tolist() == inside
    assert max(inside) < 20_000 / 40  # ties of small numbers cannot be cut


def test_few_whole_numbers_get_a_cell_each():
    before = declared(1.0, 16.0, True)
    found = histogram.cells("c", np.array([3.0, 3.0]), none(2), before, 2, FREE, buyer())
    assert found.low.tolist() == found.high.tolist() == list(range(1, 17))
    assert found.counts.tolist() == [0, 0, 2, *[0] * 13]


@given(
    st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=40),
    st.floats(0, 1e5),
)
def test_projected_counts_are_not_negative_and_sum_to_the_total(noisy, total):
    counts = projected(np.array(noisy), total)
    assert (counts >= 0).all()
    assert counts.sum() == pytest.approx(total, abs=1e-6 * max(1.0, total, *map(abs, noisy)))


def test_counts_that_are_right_already_stay_as_they_are():
    counts = np.array([3.0, 0.0, 5.0])
    np.testing.assert_allclose(projected(counts, 8.0), counts)


@given(st.lists(st.floats(0, 1e4), max_size=40))
def test_whole_counts_have_the_same_sum(counts):
    whole = whole_counts(np.array(counts))
    assert (whole >= 0).all()
    assert abs(int(whole.sum()) - sum(counts)) <= 0.501


@pytest.mark.parametrize(
    ("votes", "place"), [([1000, 0, 0], 0), ([0, 0, 1000], 2), ([900, 100, 1], 1), ([0, 0, 0], 0)]
)
def test_enough_leaves_out_what_nobody_or_nearly_nobody_votes_for(votes, place):
    assert enough(np.array(votes), 2.0) == place


def test_a_cell_of_a_single_number_is_one_point():
    cells = Cells(np.array([0.0, 1.0]), np.array([0.0, 8.0]), np.array([5, 16]), 0, 1.0, whole=True)
    points, cell = cells.spread(16)
    assert points.tolist() == list(range(9))
    assert cell.tolist() == [0, *[1] * 8]

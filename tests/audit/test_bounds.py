"""Bounds on epsilon: known values, and mechanisms whose epsilon is known."""

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from tabsynth import ConfigError
from tabsynth.privacy.audit import (
    fewest_correct,
    gaussian_mu,
    many_run_epsilon,
    many_run_p_value,
    most_many_run,
    most_one_run,
    one_run_epsilon,
    one_run_p_value,
    rates,
)

DRAWS = 400
ALPHA = 0.05
# Of 400 audits at most 33 may be wrong: a share of 5% gives more once in a hundred times.
MOST_WRONG = int(binom.ppf(0.99, DRAWS, ALPHA))


@pytest.mark.parametrize(
    ("counts", "delta", "published"),
    [((1000, 100, 75), 1e-4, 0.673), ((100_000, 1510, 1439), 1e-5, 2.675)],
)
def test_one_run_gives_the_values_that_its_authors_print(counts, delta, published):
    # Steinke, Nasr and Jagielski (2023), appendix D and section 7.
    assert one_run_epsilon(*counts, delta=delta) == pytest.approx(published, abs=1e-3)
    assert abs(one_run_epsilon(*counts) - published) > 1e-3  # delta counts


def test_one_run_without_delta_has_a_closed_form():
    expected = -math.log(0.05 ** (-1 / 16) - 1)
    assert one_run_epsilon(16, 16, 16) == pytest.approx(expected, abs=1e-9)


def test_the_largest_bounds_are_the_known_ones():
    found = [most_many_run(n, n) for n in (100, 250, 1000, 5000)]
    assert found == pytest.approx([3.3, 4.2, 5.6, 7.2], abs=0.05)
    found = [most_one_run(n, n) for n in (100, 1000)]
    assert found == pytest.approx([3.5, 5.8], abs=0.05)


def test_one_run_bounds_randomised_response_from_below():
    epsilon, n = 1.0, 1000
    rng = np.random.default_rng(1)
    right = rng.binomial(n, math.e / (1 + math.e), DRAWS)
    bound = {v: one_run_epsilon(n, n, int(v)) for v in np.unique(right)}
    bounds = np.array([bound[v] for v in right])
    assert (bounds > epsilon).sum() <= MOST_WRONG
    assert np.median(bounds) > epsilon / 2


def test_many_runs_bound_randomised_response_from_below():
    epsilon, n = 1.0, 1000
    rng = np.random.default_rng(2)
    found = rng.binomial(n, math.e / (1 + math.e), DRAWS)
    wrong = rng.binomial(n, 1 / (1 + math.e), DRAWS)
    bounds = np.array(
        [many_run_epsilon(int(f), n, int(w), n) for f, w in zip(found, wrong, strict=True)]
    )
    assert (bounds > epsilon).sum() <= MOST_WRONG
    assert np.median(bounds) > epsilon / 2


def test_mu_of_a_gaussian_mechanism_is_bounded_from_below():
    mu, n, cut = 1.0, 1000, 0.5
    rng = np.random.default_rng(3)
    found, wrong = (rng.binomial(n, norm.sf(cut - m), DRAWS) for m in (mu, 0.0))
    bounds = np.array(
        [gaussian_mu(int(f), n, int(w), n) for f, w in zip(found, wrong, strict=True)]
    )
    assert (bounds > mu).sum() <= MOST_WRONG
    assert np.median(bounds) > mu / 2


@pytest.mark.parametrize("delta", [0.0, 0.01])
def test_one_run_p_values_hold_for_the_worst_mechanism(delta):
    # With probability delta a coin is given away, else it goes through randomised response.
    epsilon, n = 0.5, 100
    p = delta + (1 - delta) / (1 + math.exp(-epsilon))
    right = np.random.default_rng(4).binomial(n, p, 4000)
    values = {v: one_run_p_value(n, n, int(v), epsilon, delta) for v in np.unique(right)}
    p_values = np.array([values[v] for v in right])
    for level in (0.01, 0.05, 0.2):
        assert (p_values <= level).mean() <= level + 3 * math.sqrt(level / 4000)


def test_the_other_side_counts_too():
    # 99% of runs without the row are recognised, and half of those with it.
    assert many_run_epsilon(50, 100, 1, 100) > 1.9
    # Nothing is said without the row, but the row is never missed.
    assert many_run_epsilon(100, 100, 50, 100) > 1.9


def test_p_values_and_bounds_say_the_same():
    for counts in [(30, 50, 12, 50), (50, 50, 0, 50), (25, 50, 25, 50), (20, 20, 15, 20)]:
        for epsilon in (0.0, 0.5, 1.5):
            p_value = many_run_p_value(*counts, epsilon)
            for level in (0.001, 0.05, 0.3):
                refuted = many_run_epsilon(*counts, alpha=level) > epsilon
                assert refuted == (p_value <= level)


def test_more_right_guesses_refute_more_and_delta_refutes_less():
    bounds = [one_run_epsilon(100, 100, v) for v in range(0, 101, 5)]
    assert bounds == sorted(bounds)
    assert one_run_epsilon(100, 100, 90, delta=1e-3) < one_run_epsilon(100, 100, 90)
    assert many_run_epsilon(50, 50, 0, 50, delta=0.1) < many_run_epsilon(50, 50, 0, 50)
    fewest = fewest_correct(100, 100)
    assert one_run_epsilon(100, 100, fewest) > 0
    assert one_run_epsilon(100, 100, fewest - 1) == 0
    assert fewest_correct(4, 4) is None


def test_guessing_blindly_refutes_nothing():
    assert one_run_epsilon(100, 100, 50) == 0
    assert many_run_epsilon(25, 50, 25, 50) == 0
    assert gaussian_mu(25, 50, 25, 50) == 0
    assert rates(0, 10, 10, 10) == (0.0, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: one_run_p_value(10, 11, 5, 0.0),
        lambda: one_run_p_value(10, 10, 11, 0.0),
        lambda: one_run_p_value(10, 10, 5, -1.0),
        lambda: one_run_p_value(10, 10, 5, 1.0, 1.0),
        lambda: one_run_epsilon(10, 10, 5, alpha=0.0),
        lambda: many_run_epsilon(11, 10, 0, 10),
        lambda: many_run_epsilon(-1, 10, 0, 10),
    ],
)
def test_impossible_counts_are_refused(call):
    with pytest.raises(ConfigError):
        call()

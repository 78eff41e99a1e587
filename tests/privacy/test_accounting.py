"""The accountant against closed forms, other bounds, and another accountant."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import numpy as np
import pytest
from dp_accounting.pld import privacy_loss_distribution as pld
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri_exp
from scipy.stats import norm

from tabsynth.errors import PrivacyError
from tabsynth.privacy.accounting import (
    Spend,
    epsilon_of,
    gaussian_epsilon,
    gaussian_rho,
    noise_for,
    zcdp_epsilon,
    zcdp_rho,
)
from tabsynth.privacy.choices import choice_epsilon, choice_mu
from tabsynth.privacy.renyi import renyi_epsilon

RATE = 500 / 32_561
GAUSSIANS = [(10.0, 1.0, 1), (25.0, 1.0, 14), (40.0, 1.0, 30)]


def spends_of(history, delta=0.0):
    return [
        Spend("x", "gaussian" if q == 1 else "sampled gaussian", noise, steps, q, delta)
        for noise, q, steps in history
    ]


def oracle(history, delta, interval=1e-4):
    """Return the epsilon of another accountant, pessimistic to `interval` a step."""
    total = None
    for noise, q, steps in history:
        one = pld.from_gaussian_mechanism(
            noise, sampling_prob=q, value_discretization_interval=interval
        ).self_compose(steps)
        total = one if total is None else total.compose(one)
    return total.get_epsilon_for_delta(delta)


def test_one_gaussian_has_the_epsilon_of_its_closed_form():
    assert epsilon_of(spends_of([(10.0, 1.0, 1)]), 1e-5) == pytest.approx(0.3407, abs=5e-5)


@pytest.mark.parametrize("mu", [0.05, 0.3, 1.0, 4.0, 15.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-6, 1e-3])
def test_the_epsilon_of_a_gaussian_solves_its_equation_from_above(mu, delta):
    epsilon = gaussian_epsilon(mu, delta)

    def excess(e):
        return norm.cdf(mu / 2 - e / mu) - math.exp(e + norm.logcdf(-mu / 2 - e / mu))

    if epsilon > 0:
        assert excess(epsilon) <= delta * (1 + 1e-5)
        assert excess(epsilon * (1 - 1e-6)) > delta * (1 - 1e-5)
    else:
        assert excess(0.0) <= delta


def test_gaussians_compose_as_one_with_the_precisions_added_up():
    alone = 1 / math.sqrt(sum(steps / noise**2 for noise, _, steps in GAUSSIANS))
    together = epsilon_of(spends_of(GAUSSIANS), 1e-6)
    assert together == pytest.approx(epsilon_of(spends_of([(alone, 1.0, 1)]), 1e-6), rel=1e-9)


def test_a_step_that_samples_every_row_is_a_gaussian():
    steps = [Spend("x", "sampled gaussian", 3.0, 20, 1.0)]
    assert epsilon_of(steps, 1e-6) == epsilon_of(spends_of([(3.0, 1.0, 20)]), 1e-6)
    assert steps[0].rho == pytest.approx(20 / 18)


@pytest.mark.parametrize(
    "history",
    [
        GAUSSIANS,
        [(3.0, RATE, 2000)],
        [(10.0, 1.0, 1), (3.0, RATE, 2000)],
        [*GAUSSIANS, (6.0, 0.25, 300)],
        [(20.0, 1.0, 2), (0.7, 0.004, 200)],
    ],
    ids=str,
)
def test_histories_cost_what_another_accountant_says_and_a_little_more(history):
    delta = 1e-6
    ours, theirs = epsilon_of(spends_of(history), delta), oracle(history, delta)
    assert theirs * (1 - 2e-3) <= ours <= theirs * 1.06
    rest = tuple(step for step in history if step[1] < 1)
    rho = sum(steps / (2 * noise**2) for noise, q, steps in history if q == 1)
    assert ours <= renyi_epsilon(rest, rho, delta) * (1 + 1e-9)


@pytest.mark.audit
@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("rate", [0.002, 0.05, 0.25, 1.0])
def test_the_bound_holds_from_little_noise_to_much_and_from_one_step_to_thousands(noise, rate):
    for steps in (1, 30, 300, 2000):
        bound = renyi_epsilon(((noise, rate, steps),), 0.0, 1e-6)
        if bound > 150:  # the other accountant needs minutes there
            continue
        # Its rounding adds up over steps: it has to be fine where a step costs little.
        interval = 2e-6 if bound < 0.1 else 1e-4 if bound < 20 else 1e-3
        theirs = oracle([(noise, rate, steps)], 1e-6, interval)
        ours = epsilon_of([Spend("x", "sampled gaussian", noise, steps, rate)], 1e-6)
        assert ours >= theirs * (1 - 1e-3)
        # Above 60 it is the bound from Renyi divergences.
        assert ours <= theirs * (1.06 if theirs < 60 else 1.08) + 6e-4
        assert ours <= bound * (1 + 1e-9)


def test_a_cost_beyond_composing_is_the_bound_from_renyi_divergences():
    history = ((0.5, 0.25, 2000),)
    ours = epsilon_of(spends_of(history), 1e-6)
    assert ours == renyi_epsilon(history, 0.0, 1e-6)
    assert 679.196 < ours < 1.06 * 679.196  # what another accountant says


def test_hardly_any_noise_and_hardly_any_information_have_a_cost_too():
    for kind, rate in (("gaussian", 1.0), ("sampled gaussian", 0.1), ("exponential", 1.0)):
        least, most = (epsilon_of([Spend("x", kind, n, 1, rate)], 1e-6) for n in (1e-12, 1e12))
        least, most = (most, least) if kind == "exponential" else (least, most)
        assert least > 1e4
        assert most < 1e-3


def test_a_delta_too_small_for_composing_is_still_bounded():
    history = [(3.0, RATE, 200)]
    tiny, small = (epsilon_of(spends_of(history), delta) for delta in (1e-13, 1e-9))
    assert small < tiny < math.inf


def test_cost_grows_with_steps_and_rate_and_falls_with_noise():
    def cost(noise=2.0, rate=0.01, steps=400, delta=1e-6):
        return epsilon_of([Spend("x", "sampled gaussian", noise, steps, rate)], delta)

    for costs in (
        [cost(steps=steps) for steps in (1, 40, 400)],
        [cost(rate=rate) for rate in (0.002, 0.01, 0.1, 1.0)],
        [cost(noise=noise) for noise in (8.0, 2.0, 0.8)],
        [cost(delta=delta) for delta in (1e-3, 1e-6, 1e-9)],
    ):
        assert np.all(np.diff(costs) > 0)


@given(
    rho=st.floats(1e-6, 50.0),
    more=st.floats(1.001, 3.0),
    delta=st.sampled_from([1e-9, 1e-6, 1e-4, 1e-2]),
)
@settings(max_examples=60, deadline=None)
def test_the_conversion_of_rho_is_the_least_over_all_orders(rho, more, delta):
    found = zcdp_epsilon(rho, delta)
    orders = 1 + np.geomspace(1e-4, 1e6, 20_001)
    # Proposition 12 of Canonne, Kamath and Steinke, written as it is there.
    least = (
        rho * orders
        + (-math.log(delta) - np.log(orders - 1) + orders * np.log1p(-1 / orders)) / (orders - 1)
    ).min()
    assert found == pytest.approx(max(0.0, least), rel=1e-5, abs=1e-9)
    assert found >= gaussian_epsilon(math.sqrt(2 * rho), delta)
    assert zcdp_epsilon(rho * more, delta) >= found


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 30.0])
def test_the_largest_rho_of_a_budget_does_not_exceed_it(epsilon):
    rho = zcdp_rho(epsilon, 1e-6)
    assert zcdp_epsilon(rho, 1e-6) <= epsilon
    assert zcdp_epsilon(rho * 1.0001, 1e-6) > epsilon


def test_a_choice_costs_epsilon_squared_over_eight():
    # The worst case of a bounded range: the likelihood ratio is one of two values, epsilon apart.
    epsilon = 0.8
    rho = Spend("x", "exponential", epsilon, steps=3).rho
    assert rho == pytest.approx(3 * epsilon**2 / 8)
    for t in np.linspace(0.0, epsilon, 41)[1:-1]:
        p = math.expm1(t - epsilon) / math.expm1(-epsilon)
        q = p * math.exp(-t)
        assert (1 - p) / (1 - q) == pytest.approx(math.exp(t - epsilon))
        for order in (1.5, 2.0, 8.0, 32.0):
            moment = p**order * q ** (1 - order) + (1 - p) ** order * (1 - q) ** (1 - order)
            assert math.log(moment) / (order - 1) <= order * epsilon**2 / 8 + 1e-12


def test_choices_and_gaussians_are_counted_in_rho():
    every = [*spends_of(GAUSSIANS), Spend("x", "exponential", 0.1, 12)]
    rho = sum(spend.rho for spend in every)
    assert epsilon_of(every, 1e-6) == pytest.approx(zcdp_epsilon(rho, 1e-6))


@pytest.mark.parametrize("epsilon", [1e-9, 0.01, 0.3, 1.0, 1.99, 2.0, 5.0, 40.0, 2_000.0])
def test_a_choice_tells_no_more_than_the_gaussian_release_it_is_counted_as(epsilon):
    mu = choice_mu(epsilon)
    assert choice_epsilon(mu) == pytest.approx(epsilon, rel=1e-9)
    assert mu**2 / 2 >= Spend("x", "exponential", epsilon).rho or epsilon > 9
    # The worst cases of a bounded range, by the chance of either result without the row: where the
    # less likely of the two mistakes is met, the Gaussian has to make the other one no more often.
    shares = np.linspace(0.0, 1.0, 4001)[1:-1] if epsilon < 60 else np.array([0.5])
    t = epsilon * shares
    log_first = np.log(-np.expm1(t - epsilon)) - t - math.log(-math.expm1(-epsilon))
    log_second = np.log(-np.expm1(-t)) + t - epsilon - math.log(-math.expm1(-epsilon))
    told = -ndtri_exp(log_first) - ndtri_exp(log_second)
    assert told.max() <= mu * (1 + 1e-9) + 1e-15
    assert told[len(told) // 2] == pytest.approx(mu, rel=1e-6)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 5.0])
@pytest.mark.parametrize(("share", "number"), [(0.08, 40), (0.5, 10)])
def test_choices_counted_as_gaussian_cover_another_accountant(epsilon, share, number):
    rho = gaussian_rho(epsilon, 1e-6)
    noise = math.sqrt(1 / (2 * (1 - share) * rho))
    choice = choice_epsilon(math.sqrt(2 * share * rho / number))
    every = [Spend("x", "gaussian", noise), Spend("y", "exponential", choice, number)]
    ours = epsilon_of(every, 1e-6, gaussian=True)
    assert ours == pytest.approx(epsilon, rel=1e-6)
    mesh = 1e-5 * max(1.0, epsilon)
    counts = pld.from_gaussian_mechanism(noise, value_discretization_interval=mesh)
    for part in (0.3, 0.5, 0.7):
        t = part * choice
        p = math.expm1(choice - t) / math.expm1(choice)
        one = {0: math.log(p), 1: math.log1p(-p)}
        other = {0: one[0] + t, 1: one[1] + t - choice}
        worst = pld.from_two_probability_mass_functions(
            one, other, value_discretization_interval=mesh
        ).self_compose(number)
        # It rounds up, by less than its mesh a release.
        assert counts.compose(worst).get_epsilon_for_delta(1e-6) <= ours + (number + 1) * mesh


def test_counting_choices_as_gaussian_pays_where_they_are_few_and_changes_nothing_else():
    few = [*spends_of(GAUSSIANS), Spend("c", "exponential", 0.05, 3)]
    many = [Spend("c", "exponential", 0.1, 100)]
    assert epsilon_of(few, 1e-6, gaussian=True) < epsilon_of(few, 1e-6)
    assert epsilon_of(many, 1e-6, gaussian=True) > epsilon_of(many, 1e-6)
    bare = spends_of(GAUSSIANS)
    assert epsilon_of(bare, 1e-6, gaussian=True) == epsilon_of(bare, 1e-6)
    assert epsilon_of(few, 1e-6, gaussian=True) > epsilon_of(bare, 1e-6)
    assert epsilon_of(few, 1e-6, gaussian=True, replace_one=True) > 1.9 * epsilon_of(
        few, 1e-6, gaussian=True
    )


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 30.0])
def test_the_largest_rho_of_gaussian_releases_does_not_exceed_a_budget(epsilon):
    rho = gaussian_rho(epsilon, 1e-6)
    assert gaussian_epsilon(math.sqrt(2 * rho), 1e-6) <= epsilon
    assert gaussian_epsilon(math.sqrt(2.0002 * rho), 1e-6) > epsilon
    assert rho > zcdp_rho(epsilon, 1e-6)


def test_choices_beside_sampled_steps_are_counted_in_renyi_divergences():
    every = [Spend("x", "exponential", 0.1, 12), Spend("y", "sampled gaussian", 2.0, 300, 0.02)]
    together = epsilon_of(every, 1e-6)
    assert together == renyi_epsilon(((2.0, 0.02, 300),), every[0].rho, 1e-6)
    assert together > max(epsilon_of([spend], 1e-6) for spend in every)


def test_the_divergence_of_a_sampled_step_is_that_of_its_two_distributions():
    noise, rate = 0.9, 0.07
    x = np.linspace(-15, 30, 100_001)
    base = norm.logpdf(x, 0, noise)
    mixed = np.logaddexp(math.log1p(-rate) + base, math.log(rate) + norm.logpdf(x, 1, noise))
    for delta in (1e-5, 1e-2):
        best = math.inf
        for order in 1 + np.geomspace(0.5, 12, 100):
            moment = np.trapezoid(np.exp(order * mixed + (1 - order) * base), x)
            bound = math.log(moment) / (order - 1)
            bound += math.log1p(-1 / order) - (math.log(delta) + math.log(order)) / (order - 1)
            best = min(best, bound)
        ours = renyi_epsilon(((noise, rate, 1),), 0.0, delta)
        assert best * (1 - 1e-3) <= ours <= best * 1.02


def test_the_delta_of_thresholds_comes_off_first():
    counts = [Spend("x", "gaussian", 10.0, delta=4e-6), Spend("y", "gaussian", 10.0, delta=1e-6)]
    bare = spends_of([(10.0, 1.0, 2)])
    assert epsilon_of(counts, 1e-5) == pytest.approx(epsilon_of(bare, 5e-6))
    assert math.isinf(epsilon_of(counts, 4.9e-6))
    assert math.isinf(epsilon_of(counts, 9.9e-6, replace_one=True))
    assert epsilon_of([], 1e-5) == 0.0


@pytest.mark.parametrize(
    "every",
    [
        spends_of(GAUSSIANS),
        [*spends_of(GAUSSIANS), Spend("c", "exponential", 0.2, 3)],
        spends_of([(10.0, 1.0, 1), (3.0, RATE, 500)]),
        [Spend("c", "exponential", 0.2, 3), *spends_of([(3.0, RATE, 500)])],
        spends_of([(10.0, 1.0, 3)], delta=1e-7),
    ],
    ids=["gaussian", "chosen", "sampled", "all", "thresholds"],
)
def test_replacing_a_row_costs_more_than_adding_one_and_not_much_more_than_twice(every):
    one, two = (epsilon_of(every, 1e-6, replace_one=flag) for flag in (False, True))
    assert one < two < 2.5 * one


def test_replacing_a_row_under_sampling_covers_the_pair_that_is_farthest_apart():
    # Rows at opposite ends of the ball: (1 - q) N(0) + q N(1) against (1 - q) N(0) + q N(-1).
    noise, rate, delta = 1.0, 0.05, 1e-5
    x = np.linspace(-20, 20, 400_001)

    def density(mean):
        return (1 - rate) * norm.pdf(x, 0, noise) + rate * norm.pdf(x, mean, noise)

    epsilon = epsilon_of([Spend("x", "sampled gaussian", noise, 1, rate)], delta, replace_one=True)
    excess = np.trapezoid(np.maximum(density(1.0) - math.exp(epsilon) * density(-1.0), 0), x)
    assert excess <= delta


@pytest.mark.parametrize("epsilon", [0.5, 6.0])
@pytest.mark.parametrize(("rate", "steps"), [(RATE, 2000), (0.25, 300), (1.0, 50)])
def test_noise_for_a_budget_uses_it_up_and_never_exceeds_it(epsilon, rate, steps):
    before = [Spend("x", "gaussian", 60.0, 4), Spend("y", "gaussian", 60.0, delta=1e-7)]
    start = time.process_time()
    noise = noise_for(before, rate, steps, epsilon, 1e-6)
    assert time.process_time() - start < 10  # about one where the machine is idle

    def cost(noise):
        step = Spend("steps", "sampled gaussian", noise, steps, rate)
        return epsilon_of([*before, step], 1e-6)

    assert cost(noise) <= epsilon
    assert cost(noise * 0.994) > epsilon


def test_noise_for_a_budget_holds_beside_choices():
    before = [Spend("x", "exponential", 0.1, 4)]
    noise = noise_for(before, 0.02, 200, 1.0, 1e-6)
    step = Spend("steps", "sampled gaussian", noise, 200, 0.02)
    assert 0.98 < epsilon_of([*before, step], 1e-6) <= 1.0


def test_noise_for_a_budget_that_is_spent_is_refused_with_what_to_do():
    with pytest.raises(PrivacyError, match="larger epsilon"):
        noise_for(spends_of([(1.0, 1.0, 1)]), 0.01, 100, 1.0, 1e-6)
    with pytest.raises(PrivacyError, match="'marginal'"):
        noise_for([], 0.5, 10**9, 1e-4, 1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"mechanism": "laplace"},
        {"noise": 0.0},
        {"noise": math.nan},
        {"noise": "1"},
        {"steps": 0},
        {"steps": 1.5},
        {"rate": 0.0},
        {"rate": 1.1},
        {"rate": 0.5},
        {"delta": -1e-9},
        {"delta": 1.0},
        {"sensitivity": -1.0},
    ],
    ids=str,
)
def test_a_release_that_means_nothing_is_refused(changes):
    with pytest.raises(PrivacyError):
        Spend.from_dict({"what": "x", "mechanism": "gaussian", "noise": 1.0, **changes})


def test_a_release_comes_back_from_json_and_what_a_report_adds_is_left_out():
    spend = Spend("x", "sampled gaussian", np.float64(2.0), np.int64(3), 0.1, 0.0, 1.5)
    state = spend.to_dict()
    assert {type(value) for value in state.values()} <= {str, float, int}
    assert Spend.from_dict({**state, "epsilon": 1.0}) == spend
    with pytest.raises(PrivacyError):
        Spend.from_dict({"what": "x"})


def test_importing_the_accountant_imports_nothing_heavy():
    code = (
        "import sys, tabsynth.privacy.accounting, tabsynth.privacy.ledger, "
        "tabsynth.privacy.noise, tabsynth.privacy.odometer;"
        "print(*{'torch', 'scipy', 'opacus', 'opendp', 'dp_accounting'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

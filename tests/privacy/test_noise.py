"""Noise has the distribution that is accounted for, and nobody can repeat it."""

from __future__ import annotations

import builtins
import math
import os

import numpy as np
import pytest
from scipy.stats import binom, chi2, chisquare, kstest

from tabsynth.errors import PrivacyError
from tabsynth.privacy import noise as module
from tabsynth.privacy.accounting import Spend
from tabsynth.privacy.noise import HALVES, MORE_VARIANCE, MOST_COUNT, PART, Noise, deviation

UNLIKELY = 1e-6
"""A sound sampler fails a test about once in a million runs."""


@pytest.fixture(params=["secure", "debug"])
def noise(request):
    return Noise() if request.param == "secure" else Noise(debug_insecure_seed=5)


@pytest.mark.parametrize("sigma", [0.5, 3.0, 1e4])
def test_counts_get_noise_of_the_variance_that_is_documented(noise, sigma):
    n = 20_000
    added = noise.counts(np.zeros(n, dtype=np.int64), sigma)
    variance = sigma**2 + MORE_VARIANCE
    # The excess kurtosis of rounded noise is small and negative.
    scaled = (added.astype(float) ** 2).sum() / variance
    low, high = chi2.ppf([UNLIKELY, 1 - UNLIKELY], n)
    slack = 0.06 * n if sigma < 1 and not noise.secure else 0  # the debug one lacks a trifle
    assert low - slack <= scaled <= high
    assert abs(added.mean()) < 5 * math.sqrt(variance / n)


def test_counts_have_the_probabilities_of_a_discrete_gaussian():
    sigma, n = 1.2, 30_000
    added = Noise().counts(np.zeros(n, dtype=np.int64), sigma)
    values = np.arange(-30, 31)
    shares = np.exp(-(values**2) / (2 * (sigma**2 + MORE_VARIANCE)))
    shares /= shares.sum()
    kept = shares * n > 20
    seen = np.array([(added == value).sum() for value in values[kept]])
    rest = n - seen.sum()
    assert chisquare([*seen, rest], [*(shares[kept] * n), n * shares[~kept].sum()])[1] > UNLIKELY


def excess_of_discrete(scale, shift, epsilon):
    """Return delta at each epsilon of a discrete Gaussian, by adding up its probabilities."""
    x = np.arange(-int(45 * scale) - 60, int(45 * scale) + 61)
    shares = np.exp(-(x**2) / (2 * scale**2))
    shares /= shares.sum()
    loss = (2 * x * shift + shift**2) / (2 * scale**2)
    return np.array([(shares * -np.expm1(np.minimum(e - loss, 0))).sum() for e in epsilon])


def excess_of_continuous(sigma, shift, epsilon):
    from scipy.special import log_ndtr

    mu = shift / sigma
    first = log_ndtr(mu / 2 - epsilon / mu)
    return np.exp(first) * -np.expm1(epsilon + log_ndtr(-mu / 2 - epsilon / mu) - first)


@pytest.mark.parametrize("shift", [1, 2, 3])
@pytest.mark.parametrize("sigma", [0.2, 0.4, 0.5, 0.6, 1.0, 2.0, 7.0, 30.0])
def test_an_account_of_continuous_noise_covers_the_discrete_noise_at_every_epsilon(sigma, shift):
    # The noise is symmetric, so that epsilon below 0 follows from epsilon above 0.
    mu = shift / sigma
    epsilon = np.linspace(0.0, min(mu**2 / 2 + 7 * mu, 300), 1500)
    continuous = excess_of_continuous(sigma, shift, epsilon)
    discrete = excess_of_discrete(deviation(sigma), shift, epsilon)
    told = continuous > 1e-16
    assert np.all(discrete[told] <= continuous[told] * (1 + 1e-6))


def test_without_more_variance_discrete_noise_would_tell_more_than_is_accounted():
    epsilon = np.linspace(0.0, 6.0, 1500)
    assert np.any(
        excess_of_discrete(1.0, 1, epsilon) > 1.01 * excess_of_continuous(1.0, 1, epsilon)
    )


def test_counts_keep_their_shape_and_are_whole_numbers(noise):
    for shape in [(0,), (3,), (2, 3, 4), (0, 5), ()]:
        noisy = noise.counts(np.full(shape, 7, dtype=np.int32), 2.0)
        assert noisy.shape == shape
        assert noisy.dtype == np.int64
    assert noise.counts(np.full(2, 7, dtype=np.uint8), 1.0).dtype == np.int64


def test_counts_do_not_change_and_huge_ones_get_noise_like_any_other(noise):
    counts = np.array([MOST_COUNT, 0, 10**12])
    kept = counts.copy()
    noisy = noise.counts(counts, 1e6)
    assert (counts == kept).all()
    assert np.abs(noisy - counts).max() < 1e7
    assert (noisy != counts).any()


@pytest.mark.parametrize(
    ("counts", "sigma"),
    [
        (np.array([1.0]), 1.0),
        (np.array([True]), 1.0),
        (np.array([1]), 0.0),
        (np.array([1]), math.inf),
        (np.array([1]), math.nan),
        (np.array([MOST_COUNT + 1]), 1.0),
        (np.array([np.iinfo(np.int64).min]), 1.0),
        (np.array([2**63], dtype=np.uint64), 1.0),
    ],
    ids=str,
)
def test_counts_that_cannot_be_protected_are_refused_without_being_shown(noise, counts, sigma):
    with pytest.raises(PrivacyError) as caught:
        noise.counts(counts, sigma)
    assert str(counts[0]) not in str(caught.value).split() or counts[0] == 1


@pytest.mark.parametrize("rate", [1e-4, 0.013, 0.5, 0.999])
def test_each_row_takes_part_with_the_rate(noise, rate):
    n = 400_000
    flags = noise.mask(n, rate)
    assert flags.dtype == np.bool_
    low, high = binom.ppf([UNLIKELY, 1 - UNLIKELY], n, rate)
    assert low <= flags.sum() <= high


def test_rows_take_part_independently():
    rate, n = 0.2, 300_000
    flags = Noise().mask(n, rate)
    for lag in (1, 2, 64):
        both = (flags[:-lag] & flags[lag:]).sum()
        assert abs(both - n * rate**2) < 6 * math.sqrt(n * rate**2)


def test_every_row_takes_part_at_rate_one_and_none_where_there_is_none(noise):
    assert noise.mask(1000, 1.0).all()
    assert noise.mask(0, 0.5).shape == noise.mask(0, 1.0).shape == (0,)
    assert not noise.mask(1000, 1e-300).any()


@pytest.mark.parametrize("rate", [0.1, 1 / 3, 500 / 32_561, 1e-17, 2.0**-64, 1 - 2.0**-53])
def test_the_rate_is_rounded_down_and_never_up(monkeypatch, rate):
    limit = math.floor(rate * 2**64)  # exact: a float times a power of two
    words = np.array([0, limit - 1, limit, limit + 1, 2**64 - 1], dtype=object) % 2**64
    drawn = np.array([int(word) for word in words], dtype=np.uint64)
    monkeypatch.setattr(os, "urandom", lambda n: drawn.tobytes())
    taken = Noise().mask(len(drawn), rate)
    assert taken.tolist() == [int(word) < limit for word in drawn]
    from fractions import Fraction

    assert Fraction(limit, 2**64) <= Fraction(rate)


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.0001, math.nan])
def test_a_rate_that_is_none_is_refused(noise, rate):
    with pytest.raises(PrivacyError, match="rate"):
        noise.mask(10, rate)


@pytest.mark.parametrize("n", [0, 1, 2, 7, PART, PART + 1])
def test_as_many_normal_numbers_come_as_are_asked_for(noise, n):
    drawn = noise.gaussian(n)
    assert drawn.shape == (n,)
    assert drawn.dtype == np.float64


def test_normal_numbers_are_standard_normal(noise):
    n = 200_001
    drawn = noise.gaussian(n)
    assert kstest(drawn, "norm").pvalue > UNLIKELY
    low, high = chi2.ppf([UNLIKELY, 1 - UNLIKELY], n)
    assert low <= (drawn**2).sum() <= high
    assert abs(drawn.mean()) < 5 / math.sqrt(n)
    assert abs((drawn**4).mean() - 3) < 5 * math.sqrt(96 / n)


def test_normal_numbers_are_independent_of_each_other_and_of_other_calls(noise):
    n = 100_000
    one, two = noise.gaussian(n), noise.gaussian(n)
    most = 5 / math.sqrt(n)
    assert abs((one * two).mean()) < most
    # The two halves of a part are cosine and sine of the same draws.
    for lag in (1, 2, PART // 2 - 1, PART // 2, PART // 2 + 1, n // 2 - 1, n // 2, n // 2 + 1):
        assert abs((one[:-lag] * one[lag:]).mean()) < 5 / math.sqrt(n - lag)
        assert abs((one[:-lag] ** 2 * one[lag:] ** 2).mean() - 1) < 5 * 3 / math.sqrt(n - lag)


def test_normal_numbers_stay_finite_for_the_least_and_greatest_words(monkeypatch):
    for byte in (b"\x00", b"\xff"):
        monkeypatch.setattr(os, "urandom", lambda n, byte=byte: byte * n)
        drawn = Noise().gaussian(4)
        assert np.isfinite(drawn).all()
        assert np.abs(drawn).max() <= 8.7 * math.sqrt(HALVES)


def test_scores_are_chosen_with_the_probabilities_of_the_exponential_mechanism(noise):
    scores, epsilon, sensitivity, n = np.array([0.0, 3.0, 5.0, -40.0, 4.0]), 1.5, 2.0, 3000
    shares = np.exp(epsilon * scores / (2 * sensitivity))
    shares /= shares.sum()
    chosen = [noise.choose(scores, epsilon, sensitivity) for _ in range(n)]
    seen = np.bincount(chosen, minlength=5)
    assert seen[3] == 0
    assert chisquare(np.delete(seen, 3), n * np.delete(shares, 3) / (1 - shares[3]))[1] > UNLIKELY


@pytest.mark.parametrize(("epsilon", "sensitivity"), [(0.05, 1.0), (0.7, 3.0), (2.0, 0.5)])
def test_choosing_costs_by_its_own_library_what_the_accountant_says(epsilon, sensitivity):
    mechanism = module._noisy_max(2 * sensitivity / epsilon)
    assert mechanism.map(sensitivity) == pytest.approx(epsilon**2 / 8, rel=1e-9)
    assert Spend("x", "exponential", epsilon).rho == pytest.approx(epsilon**2 / 8, rel=1e-12)


@pytest.mark.parametrize("sigma", [0.5, 10.0, 1e4])
def test_noise_on_counts_costs_by_its_own_library_no_more_than_the_accountant_says(sigma):
    scale = deviation(sigma)
    opendp = module._opendp()
    domain = opendp.vector_domain(opendp.atom_domain(T="i64"))
    space = (domain, opendp.l2_distance(T="f64"))
    mechanism = opendp.m.make_gaussian(*space, scale=scale)
    assert mechanism.map(1.0) <= Spend("x", "gaussian", sigma).rho
    assert mechanism.map(1.0) == pytest.approx(1 / (2 * scale**2), rel=1e-9)


@pytest.mark.parametrize(
    ("scores", "epsilon", "sensitivity"),
    [
        ([1.0, math.nan], 1.0, 1.0),
        ([1.0, math.inf], 1.0, 1.0),
        ([], 1.0, 1.0),
        ([[1.0]], 1.0, 1.0),
        ([1.0], 0.0, 1.0),
        ([1.0], math.nan, 1.0),
        ([1.0], 1.0, -1.0),
    ],
    ids=str,
)
def test_scores_that_mean_nothing_are_refused(noise, scores, epsilon, sensitivity):
    with pytest.raises(PrivacyError):
        noise.choose(np.array(scores), epsilon, sensitivity)


def everything(noise):
    return [
        *noise.gaussian(8).tolist(),
        *noise.counts(np.zeros(8, dtype=np.int64), 1e6).tolist(),
        *noise.mask(64, 0.5).tolist(),
        *(noise.choose(np.zeros(1000), 1.0, 1.0) for _ in range(4)),
    ]


def test_a_debug_seed_repeats_noise_and_is_marked():
    first, second = (Noise(debug_insecure_seed=3) for _ in range(2))
    assert everything(first) == everything(second)
    assert everything(Noise(debug_insecure_seed=4)) != everything(Noise(debug_insecure_seed=3))
    assert not first.secure


def test_without_a_debug_seed_nothing_is_repeated():
    first, second = everything(Noise()), everything(Noise())
    assert Noise().secure
    # Of every kind, not only some.
    for part in (slice(0, 8), slice(8, 16), slice(16, 80), slice(80, 84)):
        assert first[part] != second[part]


def test_a_library_that_is_missing_is_named_with_the_way_to_install_it(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("opendp"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    for cached in (module._opendp, module._gaussian, module._noisy_max):
        cached.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PrivacyError, match="pip install opendp"):
        Noise().counts(np.zeros(1, dtype=np.int64), 1.0)
    monkeypatch.undo()
    for cached in (module._opendp, module._gaussian, module._noisy_max):
        cached.cache_clear()

"""The accountant: what releases cost together, in epsilon at a delta.

Gaussian releases compose exactly. With sampled Gaussian ones (steps of DP-SGD) among them, privacy
loss distributions are composed numerically. With exponential ones among them, all is counted in
zero-concentrated or in Gaussian differential privacy, as was decided before; with both, in Renyi
divergences. The delta of thresholded counts is added on top. Every figure is an upper bound:
searches end on the safe side.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np

from tabsynth.errors import PrivacyError
from tabsynth.privacy.choices import choice_mu
from tabsynth.privacy.renyi import History, converted, renyi_epsilon
from tabsynth.privacy.spend import Mechanism, Spend

__all__ = [
    "MOST_EPSILON",
    "Mechanism",
    "Spend",
    "epsilon_of",
    "gaussian_epsilon",
    "gaussian_rho",
    "noise_for",
    "zcdp_epsilon",
    "zcdp_rho",
]

MOST_EPSILON = 1e4
MOST_COMPOSED = 60.0
"""Above this epsilon, loss distributions are not composed: Renyi divergences are as tight there."""
LEAST_DELTA = 1e-10
"""Below this delta, rounding in the Fourier transform could show."""
MOST_CELLS = 1 << 23
"""Nor are they on a finer mesh than this."""
MOST_NOISE, LEAST_NOISE = 1e5, 1e-2
"""Between them, noise is searched for."""
_ERROR = 0.01
"""Error that composing loss distributions may add to epsilon, relative."""
_CLOSE = 0.004
"""Precision of noise, relative."""
_SAVED = 0.92
"""What composing loss distributions costs over a bound by Renyi divergences, as a first guess."""
_STEPS, _TRIES = 100, 20


def epsilon_of(
    spends: Iterable[Spend], delta: float, *, replace_one: bool = False, gaussian: bool = False
) -> float:
    """Return the epsilon that releases cost together, at `delta`.

    Parameters
    ----------
    spends : iterable of Spend
    delta : float
    replace_one : bool
        For tables in which one row was replaced by another; an upper bound. Releases that all rows
        take part in change by twice as much. With sampled ones among them, where nothing as simple
        is known to hold under composition, a replacement is a removal and an addition after it.
    gaussian : bool
        Whether choices are counted as the Gaussian releases that tell as much, which pays where
        they are a small part of all. Where releases follow from earlier ones, it has to be decided
        before the first: each of the two accounts holds for a budget, not the better of both.

    Returns
    -------
    float
        0 for no releases; infinite where thresholds alone cost more than `delta`.

    Notes
    -----
    What a release is has to be fixed before it, but may depend on what was released before where
    all are Gaussian or exponential. Privacy loss distributions of sampled releases are composed as
    if noise, rate and number of steps were the same whatever came out before.

    References
    ----------
    Balle and Wang (2018), arXiv:1805.06530 (Gaussian). Gopi, Lee and Wutschitz (2021),
    arXiv:2106.02848 (sampled Gaussian). Bun and Steinke (2016), arXiv:1605.02065, and Canonne,
    Kamath and Steinke (2020), arXiv:2004.00010 (zero-concentrated). Mironov, Talwar and Zhang
    (2019), arXiv:1908.10530 (Renyi). Cesar and Rogers (2021), arXiv:2004.07223 (exponential,
    epsilon squared over 8). Feldman and Zrnic (2021), arXiv:2008.11193, and Smith and Thakurta
    (2022), arXiv:2210.17520 (adaptive budgets, zero-concentrated and Gaussian).
    Lebeda, Regehr, Kamath and Steinke (2024), arXiv:2405.20769 (replacing under sampling).

    Examples
    --------
    >>> round(epsilon_of([Spend("counts", "gaussian", 10.0)], 1e-5), 4)
    0.3407
    """
    every = list(spends)
    if not every:
        return 0.0
    times = 2.0 if replace_one else 1.0
    left = delta - times * math.fsum(spend.delta for spend in every)
    if left <= 0:
        return math.inf
    unsampled = math.fsum(s.steps / float(s.noise) ** 2 for s in every if s.unsampled)
    chosen = math.fsum(s.rho for s in every if s.mechanism == "exponential")
    history = tuple(
        (float(s.noise), float(s.rate), int(s.steps))
        for s in every
        if s.mechanism == "sampled gaussian" and not s.unsampled
    )
    if history:

        def at(share: float) -> float:
            return _sampled(history, math.sqrt(unsampled), chosen, share)

        return _removed_and_added(at, left) if replace_one else at(left)
    if chosen and gaussian:
        squares = (s.steps * choice_mu(s.noise) ** 2 for s in every if s.mechanism == "exponential")
        return gaussian_epsilon(times * math.sqrt(unsampled + math.fsum(squares)), left)
    if chosen:
        return zcdp_epsilon(times**2 * (chosen + unsampled / 2), left)
    return gaussian_epsilon(times * math.sqrt(unsampled), left)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Return the epsilon of a Gaussian mechanism whose noise is 1 / `mu` times its sensitivity.

    References
    ----------
    Balle and Wang (2018), arXiv:1805.06530, theorem 8.
    """
    from scipy.special import log_ndtr

    def excess(epsilon: float) -> float:
        first = log_ndtr(mu / 2 - epsilon / mu)
        second = epsilon + log_ndtr(-mu / 2 - epsilon / mu)
        return float(-math.exp(first) * math.expm1(min(0.0, second - first)))

    if mu <= 0 or excess(0.0) <= delta:
        return 0.0
    return _least(lambda epsilon: excess(epsilon) <= delta)


def zcdp_epsilon(rho: float, delta: float) -> float:
    """Return the epsilon at `delta` of rho-zero-concentrated differential privacy.

    References
    ----------
    Canonne, Kamath and Steinke (2020), arXiv:2004.00010, proposition 12 with corollary 13.

    Examples
    --------
    >>> round(zcdp_epsilon(0.02, 1e-5), 3)
    0.794
    """
    if rho <= 0:
        return 0.0
    from scipy.optimize import minimize_scalar

    def at(log_excess: float) -> float:
        return float(converted(rho, 1 + math.exp(log_excess), delta))

    # Every order gives a bound, so that an imprecise search is never an unsafe one.
    start = math.log(math.sqrt(math.log(1 / delta) / rho))
    found = minimize_scalar(
        at, bounds=(start - 8, start + 8), method="bounded", options={"xatol": 1e-9}
    )
    return max(0.0, min(float(found.fun), at(start)))


@lru_cache(maxsize=256)
def zcdp_rho(epsilon: float, delta: float) -> float:
    """Return the largest rho whose epsilon at `delta` is at most `epsilon`.

    Examples
    --------
    >>> round(zcdp_epsilon(zcdp_rho(1.0, 1e-6), 1e-6), 6)
    1.0
    """
    return _most(lambda rho: zcdp_epsilon(rho, delta) <= epsilon)


@lru_cache(maxsize=256)
def gaussian_rho(epsilon: float, delta: float) -> float:
    """Return the largest mu squared over 2 of Gaussian releases that cost at most `epsilon`.

    That is their rho too, and larger than the largest rho of which no more is known.

    Examples
    --------
    >>> round(gaussian_rho(1.0, 1e-6) / zcdp_rho(1.0, 1e-6), 3)
    1.15
    """
    return _most(lambda rho: gaussian_epsilon(math.sqrt(2 * rho), delta) <= epsilon)


def noise_for(
    spends: Sequence[Spend], rate: float, steps: int, epsilon: float, delta: float
) -> float:
    """Return the noise multiplier of `steps` sampled Gaussian steps that use up a budget.

    Parameters
    ----------
    spends : sequence of Spend
        What was or will be released besides.
    rate : float
        Of the sampling of rows.
    steps : int
    epsilon, delta : float
        The whole budget.

    Returns
    -------
    float
        At most 0.6% more than is needed, and never less.

    Raises
    ------
    PrivacyError
        If `spends` leave nothing, or too little for any noise up to 100,000.
    """
    if epsilon_of(spends, delta) >= epsilon:
        raise PrivacyError(
            "Nothing of the budget is left for training. Give a larger epsilon or declare more "
            "of the schema."
        )

    def cost(noise: float) -> float:
        return epsilon_of([*spends, Spend("steps", "sampled gaussian", noise, steps, rate)], delta)

    left = delta - math.fsum(spend.delta for spend in spends)
    rho = math.fsum(spend.rho for spend in spends if math.isfinite(spend.rho))
    history = tuple(
        (float(s.noise), float(s.rate), int(s.steps)) for s in spends if math.isinf(s.rho)
    )

    def bound(noise: float) -> float:
        return renyi_epsilon((*history, (noise, float(rate), int(steps))), rho, left)

    # Renyi divergences are cheap and bound the cost from above: they tell where to look.
    high = _least(lambda noise: bound(noise) <= epsilon, MOST_NOISE, within=1e-3)
    if math.isinf(high):
        high = MOST_NOISE
        if cost(high) > epsilon:
            raise PrivacyError(
                f"epsilon = {epsilon:g} is too small for {steps:,} steps of training. Give a "
                "larger epsilon, or take the model 'marginal'."
            )
    high *= 1 + 1e-6  # where the two were rounded differently
    return _closer(cost, bound, high, epsilon)


def _closer(
    cost: Callable[[float], float], bound: Callable[[float], float], high: float, epsilon: float
) -> float:
    """Return little more than the least noise that costs at most `epsilon`; `high` costs no more.

    What is saved over `bound` changes slowly with the noise: it is guessed at first, and then told
    by the costs that were computed, of which each takes about a second.
    """
    low, aim = 0.0, epsilon * (1 - _CLOSE / 4)
    seen: list[tuple[float, float]] = []

    def needed(epsilon: float) -> float:
        def holds(noise: float) -> bool:
            return bound(noise) * _saved(seen, noise) <= epsilon

        return _least(holds, MOST_NOISE, within=1e-4)

    for _ in range(_TRIES):
        if (seen and high <= max(low, needed(epsilon)) * (1 + _CLOSE)) or high < LEAST_NOISE:
            break
        trial = needed(aim)
        if not low < trial < high:
            trial = (low + high) / 2
        found, most = cost(trial), bound(trial)
        if not (0 < found < math.inf and most > 0):
            break
        seen = [*seen[-1:], (trial, found / most)]
        if found <= epsilon:
            high = trial
            if found >= epsilon * (1 - _CLOSE):
                break
        else:  # by so little that rounding may be the reason: farther away
            low, aim = trial, aim * (1 - _CLOSE / 4)
    return high


def _saved(seen: Sequence[tuple[float, float]], noise: float) -> float:
    """Return the cost at some noise over its bound: on a line through the last two that are known.

    The line is bounded on either side, so that it never leads far away.
    """
    if not seen:
        return _SAVED
    (there, ratio), (here, other) = seen[0], seen[-1]
    if there == here:
        return other
    slope = (other - ratio) / math.log(here / there)
    line = other + slope * math.log(noise / here)
    return min(max(line, 0.95 * min(ratio, other)), 1.05 * max(ratio, other))


def _sampled(history: History, mu: float, rho: float, delta: float) -> float:
    """Return an upper bound on epsilon where sampled releases are among others."""
    bound = renyi_epsilon(history, rho + mu**2 / 2, delta)
    if rho or delta < LEAST_DELTA or not 0 < bound <= MOST_COMPOSED:
        return bound
    every = (*history, (1 / mu, 1.0, 1)) if mu else history
    found = _composed(every, delta, bound)
    if found < bound / 2:
        found = _composed(every, delta, found)
    return min(bound, found)


@lru_cache(maxsize=256)
def _composed(history: History, delta: float, bound: float) -> float:
    """Return an upper bound on epsilon, from privacy loss distributions; infinite if they fail.

    `bound` is a rough one, which says how fine the mesh has to be.
    """
    from tabsynth.privacy.dpsgd import composed_epsilon

    steps = sum(times for _, _, times in history)
    error = min(max(_ERROR * bound, 5e-4), 0.1)
    cells = 2 * (bound + 3) * math.sqrt(steps * math.log(12e3 / delta) / 2) / error
    if cells > MOST_CELLS:
        return math.inf
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = composed_epsilon(history, delta, error)
        except (ValueError, RuntimeError, MemoryError, OverflowError):
            return math.inf
    return found if found > 0 else math.inf


def _removed_and_added(at: Callable[[float], float], delta: float) -> float:
    """Return epsilon where one row is removed and another added, from that of one of the two.

    Where both are (epsilon, share)-private, both together are (2 epsilon, (1 + e^epsilon) share)-
    private: `share` is searched for. `at` returns the epsilon of one at a share.
    """
    share = delta / 2
    for _ in range(_TRIES):
        epsilon = at(share)
        if epsilon > 300:
            return math.inf
        if (1 + math.exp(epsilon)) * share <= delta:
            return 2 * epsilon
        # A little less than what would do for this epsilon, as a smaller share has a larger one.
        share = 0.8 * delta / (1 + math.exp(epsilon))
    return math.inf


def _least(
    holds: Callable[[float], bool], most: float = MOST_EPSILON, *, within: float = 0.0
) -> float:
    """Return the least number above which `holds` is true, from above; infinite above `most`.

    Relative precision is `within`.
    """
    low, high = 0.0, 1.0
    while not holds(high):
        low, high = high, high * 2
        if high > most:
            return math.inf
    for _ in range(_STEPS):
        if high - low <= within * low:
            break
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _most(holds: Callable[[float], bool]) -> float:
    """Return the largest number below which `holds` is true, from below."""
    low, high = 0.0, 1.0
    while holds(high) and high < MOST_EPSILON:
        low, high = high, high * 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low

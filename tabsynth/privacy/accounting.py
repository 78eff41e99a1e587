"""The accountant: what releases cost together, in epsilon at a delta.

Four kinds of releases are known. Gaussian ones compose exactly. With sampled Gaussian ones (steps
of DP-SGD) among them, privacy loss distributions are composed numerically. With exponential ones
among them, all is counted in zero-concentrated differential privacy; with both, in Renyi
divergences. The delta of thresholded counts is added on top.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from tabsynth.errors import PrivacyError

Mechanism = Literal["gaussian", "sampled gaussian", "exponential"]
MOST_EPSILON = 1e4
_STEPS = 100
_ORDERS = np.concatenate([1 + np.geomspace(1e-3, 1, 60), np.geomspace(2.01, 1e4, 300)])


@dataclass(frozen=True)
class Spend:
    """One release, or several of a kind, as the accountant sees it.

    Attributes
    ----------
    what : str
        What was released, in words for a reader, without a value of the table.
    mechanism : {"gaussian", "sampled gaussian", "exponential"}
    noise : float
        Standard deviation of the noise over the L2 sensitivity to one row (Gaussian kinds); for
        "exponential" the epsilon of one choice.
    steps : int
        How often.
    rate : float
        Probability with which each row takes part in a step, independently of all others.
    delta : float
        Probability that a value held by one row passes a threshold, if there is one.
    sensitivity : float
        Most that one row changes what noise is added to, in its own unit (L2); for the reader.
    """

    what: str
    mechanism: Mechanism
    noise: float
    steps: int = 1
    rate: float = 1.0
    delta: float = 0.0
    sensitivity: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise) and self.noise > 0):
            raise PrivacyError(f"noise must be a positive number. Got {self.noise!r}.")
        if self.steps < 1 or not 0 < self.rate <= 1 or not 0 <= self.delta < 1:
            raise PrivacyError("A release needs a step, a rate in (0, 1] and a delta in [0, 1).")

    @property
    def rho(self) -> float:
        """Its cost in zero-concentrated differential privacy; infinite for a sampled release."""
        if self.mechanism == "gaussian":
            return self.steps / (2 * self.noise**2)
        if self.mechanism == "exponential":
            return self.steps * self.noise**2 / 8
        return math.inf

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "what": self.what,
            "mechanism": self.mechanism,
            "noise": self.noise,
            "steps": self.steps,
            "rate": self.rate,
            "delta": self.delta,
            "sensitivity": self.sensitivity,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Spend:
        """Rebuild from the JSON form."""
        return cls(**state)


def epsilon_of(spends: Iterable[Spend], delta: float, *, replace_one: bool = False) -> float:
    """Return the epsilon that releases cost together, at `delta`.

    Parameters
    ----------
    spends : iterable of Spend
    delta : float
    replace_one : bool
        For tables in which one row was replaced by another, counted as twice the change; an upper
        bound.

    Returns
    -------
    float
        0 for no releases; infinite where thresholds alone cost more than `delta`.

    References
    ----------
    Balle and Wang (2018), arXiv:1805.06530 (Gaussian). Gopi, Lee and Wutschitz (2021),
    arXiv:2106.02848 (sampled Gaussian). Bun and Steinke (2016), arXiv:1605.02065, and Canonne,
    Kamath and Steinke (2020), arXiv:2004.00010 (zero-concentrated). Cesar and Rogers (2021),
    arXiv:2004.07223 (exponential, epsilon squared over 8).

    Examples
    --------
    >>> round(epsilon_of([Spend("counts", "gaussian", 10.0)], 1e-5), 4)
    0.3407
    """
    every, times = list(spends), 2.0 if replace_one else 1.0
    left = delta - times * sum(spend.delta for spend in every)
    if not every:
        return 0.0
    if left <= 0:
        return math.inf
    chosen = [spend for spend in every if spend.mechanism == "exponential"]
    # Steps that every row takes part in are Gaussian releases like any other.
    sampled = [spend for spend in every if spend.mechanism == "sampled gaussian" and spend.rate < 1]
    gaussian = [spend for spend in every if spend not in chosen and spend not in sampled]
    mu = times * math.sqrt(sum(spend.steps / spend.noise**2 for spend in gaussian))
    rho = times**2 * sum(spend.rho for spend in chosen)
    if sampled:
        history = tuple((spend.noise / times, spend.rate, spend.steps) for spend in sampled)
        if chosen:
            return _renyi(history, rho + mu**2 / 2, left)
        return _composed((*history, (1 / mu, 1.0, 1)) if mu else history, left)
    if chosen:
        return zcdp_epsilon(rho + mu**2 / 2, left)
    return gaussian_epsilon(mu, left)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Return the epsilon of a Gaussian mechanism whose noise is 1 / `mu` times its sensitivity.

    References
    ----------
    Balle and Wang (2018), arXiv:1805.06530, theorem 8.
    """
    from scipy.stats import norm

    def excess(epsilon: float) -> float:
        first = norm.cdf(mu / 2 - epsilon / mu)
        return float(first - math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu)))

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
    0.896
    """
    if rho <= 0:
        return 0.0
    from scipy.optimize import minimize_scalar

    def at(log_excess: float) -> float:
        return _converted(rho, 1 + math.exp(log_excess), delta)

    start = math.log(math.sqrt(math.log(1 / delta) / rho))
    found = minimize_scalar(at, bounds=(start - 8, start + 8), method="bounded")
    return max(0.0, min(float(found.fun), at(start)))


def zcdp_rho(epsilon: float, delta: float) -> float:
    """Return the largest rho whose epsilon at `delta` is at most `epsilon`.

    Examples
    --------
    >>> round(zcdp_epsilon(zcdp_rho(1.0, 1e-6), 1e-6), 6)
    1.0
    """
    return _most(lambda rho: zcdp_epsilon(rho, delta) <= epsilon)


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

    Raises
    ------
    PrivacyError
        If `spends` leave nothing.
    """

    def fits(noise: float) -> bool:
        more = Spend("steps", "sampled gaussian", noise, steps, rate)
        return epsilon_of([*spends, more], delta) <= epsilon

    if epsilon_of(spends, delta) >= epsilon:
        raise PrivacyError(
            "Nothing of the budget is left for training. Give a larger epsilon or declare more "
            "of the schema."
        )
    high = 1.0
    while not fits(high):
        high *= 2
        if high > 1e5:
            raise PrivacyError(
                f"epsilon = {epsilon:g} is too small for {steps:,} steps of training. Give a "
                "larger epsilon, or take the model 'marginal'."
            )
    low = high / 2
    while fits(low):
        high, low = low, low / 2
        if low < 1e-2:
            return high
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def _converted(rho: float, order: float, delta: float) -> float:
    """Return the epsilon that a Renyi divergence of `rho` times `order` at `order` gives."""
    less = math.log1p(-1 / order)
    return rho * order + less - (math.log(delta) + math.log(order)) / (order - 1)


@lru_cache(maxsize=256)
def _composed(history: tuple[tuple[float, float, int], ...], delta: float) -> float:
    """Return an upper bound on epsilon, from privacy loss distributions."""
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    accountant.history = list(history)
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("ignore")
        try:
            return float(accountant.get_epsilon(delta=delta))
        except (ValueError, RuntimeError, MemoryError, OverflowError):
            return _renyi(history, 0.0, delta)


def _renyi(history: tuple[tuple[float, float, int], ...], rho: float, delta: float) -> float:
    """Return an upper bound on epsilon, from Renyi divergences."""
    from opacus.accountants.analysis.rdp import compute_rdp

    orders = _ORDERS.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        divergence = sum(
            np.asarray(compute_rdp(q=q, noise_multiplier=noise, steps=steps, orders=orders))
            for noise, q, steps in history
        )
    every = [
        _converted(rho, order, delta) + float(more)
        for order, more in zip(orders, np.broadcast_to(divergence, len(orders)), strict=True)
        if math.isfinite(more)
    ]
    return max(0.0, min(every, default=math.inf))


def _least(holds: Callable[[float], bool]) -> float:
    """Return the least number above which `holds` is true, from above."""
    low, high = 0.0, 1.0
    while not holds(high):
        low, high = high, high * 2
        if high > MOST_EPSILON:
            return math.inf
    for _ in range(_STEPS):
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

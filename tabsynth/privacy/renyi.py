"""Renyi divergences of sampled Gaussian releases, and the epsilon they give: cheap upper bounds."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

History = tuple[tuple[float, float, int], ...]
"""Noise, rate and number of steps of sampled Gaussian releases."""
_SMALL, _LARGEST = 64, 8192
_LEAST_NOISE = 0.05
"""With less noise, orders that are no whole numbers are not integrated."""
_SMALL_ORDERS = 1 + np.geomspace(0.01, 7.9, 48)
_WHOLE_ORDERS = np.concatenate(
    [np.arange(1, _SMALL + 1), np.geomspace(_SMALL + 1, _LARGEST, 80).astype(np.int64)]
)
_ORDERS = np.concatenate(
    [1 + np.geomspace(1e-3, _SMALL - 1, 400), np.geomspace(_SMALL + 1, _LARGEST, 300)]
)


def renyi_epsilon(history: History, rho: float, delta: float) -> float:
    """Return an upper bound on epsilon at `delta`, from Renyi divergences.

    Parameters
    ----------
    history : tuple of (float, float, int)
        Noise, rate and number of steps of sampled Gaussian releases.
    rho : float
        What all other releases cost in zero-concentrated differential privacy.
    delta : float

    Examples
    --------
    >>> round(renyi_epsilon(((1.0, 0.01, 1000),), 0.0, 1e-5), 2)
    2.1
    """
    divergence = rho * _ORDERS
    for noise, rate, steps in history:
        divergence = divergence + steps * _divergence(noise, rate)
    # Not a number where an infinity met an infinity: no bound from that order.
    epsilon = converted(divergence / _ORDERS, _ORDERS, delta)
    return max(0.0, float(np.min(epsilon, initial=math.inf, where=np.isfinite(epsilon))))


def converted(rho: Any, order: Any, delta: float) -> Any:
    """Return the epsilon that a Renyi divergence of `rho` times `order` at `order` gives.

    References
    ----------
    Canonne, Kamath and Steinke (2020), arXiv:2004.00010, proposition 12.
    """
    less = np.log1p(-1 / order)
    return rho * order + less - (math.log(delta) + np.log(order)) / (order - 1)


@lru_cache(maxsize=1024)
def _divergence(noise: float, rate: float) -> np.ndarray:
    """Return a bound on the Renyi divergences of one sampled step at all orders, float64.

    Exact at whole orders, and at small ones between. (order - 1) times the divergence is a convex
    function of the order, so that straight lines between these bound it from above.

    References
    ----------
    Mironov, Talwar and Zhang (2019), arXiv:1908.10530, section 3.3.
    """
    if rate == 1:
        return _ORDERS / (2 * noise**2)
    order, i, chance, first = _binomials()
    half = i * (i - 1) / (2 * noise**2)
    # The terms of 0 and 1 add nothing to 1; without them nothing cancels.
    terms = chance + i * math.log(rate) + (order - i) * math.log1p(-rate)
    terms += half + np.log(-np.expm1(-half))
    most = np.maximum.reduceat(terms, first)
    lengths = np.diff(first, append=len(terms))
    total = most + np.log(np.add.reduceat(np.exp(terms - np.repeat(most, lengths)), first))
    orders, logs = _WHOLE_ORDERS, np.concatenate([[0.0], np.logaddexp(0.0, total)])
    if noise >= _LEAST_NOISE:
        orders = np.concatenate([orders, _SMALL_ORDERS])
        logs = np.concatenate([logs, _integrated(noise, rate)])
    rising = np.argsort(orders)
    found: np.ndarray = np.interp(_ORDERS, orders[rising], logs[rising]) / (_ORDERS - 1)
    return found


def _integrated(noise: float, rate: float) -> np.ndarray:
    """Return the logarithms of the moments of small orders, float64.

    The trapezoidal rule converges faster than any power of the step here, and what it leaves is
    below the rounding that is added on top.
    """
    from scipy.special import logsumexp

    step = min(noise / 8, noise**2 / 2)
    x = np.arange(-13 * noise, _SMALL_ORDERS[-1] + 13 * noise, step)
    gain = np.logaddexp(math.log1p(-rate), math.log(rate) + (2 * x - 1) / (2 * noise**2))
    terms = _SMALL_ORDERS[:, None] * gain - x**2 / (2 * noise**2)
    logs = logsumexp(terms, axis=1) + math.log(step / (noise * math.sqrt(2 * math.pi)))
    return np.asarray(np.maximum(logs, 0.0) + 1e-12)


@lru_cache(maxsize=1)
def _binomials() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return order, i, logarithm of (order over i), and where each whole order begins."""
    from scipy.special import gammaln

    orders = _WHOLE_ORDERS[1:]
    order = np.repeat(orders, orders - 1)
    first = np.concatenate([[0], np.cumsum(orders - 1)[:-1]])
    i = np.arange(len(order)) - np.repeat(first, orders - 1) + 2
    chance = gammaln(order + 1) - gammaln(i + 1) - gammaln(order - i + 1)
    return order, i.astype(np.float64), chance, first

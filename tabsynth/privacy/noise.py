"""Noise: the one place where randomness that protects rows is drawn.

It comes from the operating system and is never kept; the seed of a fit has no part in it. Whole
numbers get noise from OpenDP, whose samplers are exact. Gradients get it here, in float64.
"""

from __future__ import annotations

import math
import os
from functools import cache
from typing import Any

import numpy as np

from tabsynth.errors import PrivacyError

MORE_VARIANCE = 0.1
"""Added to the variance of noise on counts; at most 0.09 is needed, and 1/12 for a large sigma."""
MOST_COUNT = 1 << 53
"""Counts above this are refused, so that noise never meets the end of 64 bits."""
HALVES = 4
"""Normal draws that are summed up, so that the float grid of a single one cannot be read off."""
PART = 8_192
"""Normal numbers drawn at a time; few enough for all that they come from to stay in the cache."""


class Noise:
    """A source of noise.

    Parameters
    ----------
    debug_insecure_seed : int, optional
        For tests alone: makes noise repeatable, and the guarantee void.

    Attributes
    ----------
    secure : bool
        Whether draws come from the operating system.

    Notes
    -----
    Privacy: no timing is hidden. Gradients are floats, for which no exact sampler is known; the sum
    of four draws makes attacks on the float grid of the noise impracticable (Holohan and Braghin
    2021, arXiv:2107.10138), which is not a proof.
    """

    def __init__(self, debug_insecure_seed: int | None = None) -> None:
        self.secure = debug_insecure_seed is None
        self._rng = None
        if debug_insecure_seed is not None:
            self._rng = np.random.Generator(np.random.PCG64(debug_insecure_seed))

    def counts(self, counts: np.ndarray, sigma: float) -> np.ndarray:
        """Return whole numbers with discrete Gaussian noise.

        Parameters
        ----------
        counts : ndarray of int64, any shape
        sigma : float
            Standard deviation of the Gaussian noise that this is accounted as.

        Returns
        -------
        ndarray of int64, of the same shape

        Notes
        -----
        The variance of what is added is ``sigma**2 + MORE_VARIANCE`` (`deviation`). A discrete
        Gaussian tells a trifle more than a continuous one of the same variance; with the variance
        that rounding a continuous one would add (1/12), and a little on top, it tells no more at
        any epsilon, so that every account of Gaussian noise holds for it.

        Privacy: a count that one row changes by 1 is covered by ``sigma`` over a sensitivity of 1.
        About 20 microseconds a cell.

        References
        ----------
        Canonne, Kamath and Steinke (2020), arXiv:2004.00010, theorem 7.
        """
        if counts.dtype.kind not in "iu":
            raise PrivacyError("Only whole numbers get discrete noise.")
        if not (np.isfinite(sigma) and sigma > 0):
            raise PrivacyError(f"sigma must be a positive number. Got {sigma!r}.")
        if counts.size and max(int(counts.max()), -int(counts.min())) > MOST_COUNT:
            raise PrivacyError(f"Counts above {MOST_COUNT:,} are not supported.")
        flat = counts.astype(np.int64).reshape(-1)
        if not len(flat):
            return flat.reshape(counts.shape)
        scale = deviation(float(sigma))
        if self._rng is not None:
            noise = np.rint(self._rng.normal(0.0, float(sigma), len(flat))).astype(np.int64)
            return (flat + noise).reshape(counts.shape)
        noisy = _gaussian(scale)(flat.tolist())
        return np.array(noisy, dtype=np.int64).reshape(counts.shape)

    def choose(self, scores: np.ndarray, epsilon: float, sensitivity: float) -> int:
        """Return the place of a high score: the exponential mechanism.

        Place i comes out with a probability in proportion to
        ``exp(epsilon * scores[i] / (2 * sensitivity))``.

        Parameters
        ----------
        scores : ndarray of float64, shape (n,)
            Finite.
        epsilon : float
        sensitivity : float
            Most that one row changes a score.

        Notes
        -----
        Privacy: costs epsilon squared over 8 in zero-concentrated differential privacy.

        References
        ----------
        McSherry and Talwar (2007), doi:10.1109/FOCS.2007.66. Cesar and Rogers (2021),
        arXiv:2004.07223.
        """
        scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
            raise PrivacyError("Scores to choose from must be a vector of finite numbers.")
        for name, value in (("epsilon", epsilon), ("sensitivity", sensitivity)):
            if not (np.isfinite(value) and value > 0):
                raise PrivacyError(f"{name} must be a positive number. Got {value!r}.")
        if self._rng is not None:
            rate = epsilon / (2 * sensitivity)
            return int(np.argmax(scores * rate + self._rng.gumbel(size=len(scores))))
        return int(_noisy_max(2.0 * float(sensitivity) / float(epsilon))(scores.tolist()))

    def mask(self, n_rows: int, rate: float) -> np.ndarray:
        """Return flags of rows, each set with probability `rate` by itself; bool (n_rows,).

        The probability is a multiple of 2**-64, rounded down: rows never take part more often than
        is accounted for.
        """
        if not 0 < rate <= 1:
            raise PrivacyError(f"rate must be above 0 and at most 1. Got {rate!r}.")
        if self._rng is not None:
            return self._rng.random(n_rows) < rate
        if rate == 1:
            return np.ones(n_rows, dtype=np.bool_)
        bits = np.frombuffer(os.urandom(8 * n_rows), dtype=np.uint64)
        # Scaling by a power of two is exact, and so is the comparison of whole numbers.
        flags: np.ndarray = bits < np.uint64(int(float(rate) * 2.0**64))
        return flags

    def gaussian(self, n: int) -> np.ndarray:
        """Return `n` standard normal numbers, float64.

        No draw is larger than 8.7 times the square root of `HALVES`; the chance of one that would
        have been is far below any delta.
        """
        if self._rng is not None:
            drawn: np.ndarray = self._rng.normal(size=(HALVES, n)).sum(0) / HALVES**0.5
            return drawn
        parts = [_normal_sums(min(PART, n - begin)) for begin in range(0, n, PART)]
        return np.concatenate(parts) if parts else np.zeros(0)


def _normal_sums(n: int) -> np.ndarray:
    """Return `n` sums of `HALVES` normal draws, over the root of their number.

    Draws come in pairs, one of each for a sum and its neighbour (Box and Muller 1958).
    """
    half = (n + 1) // 2
    bits = np.frombuffer(os.urandom(16 * HALVES * half), dtype=np.uint64) >> np.uint64(11)
    levels = bits.astype(np.float64).reshape(2, HALVES, half)
    levels += 0.5
    radius, angle = levels
    radius *= 2.0**-53
    np.log(radius, out=radius)
    radius *= -2.0 / HALVES
    np.sqrt(radius, out=radius)
    angle *= 2.0 * np.pi * 2.0**-53
    both = np.empty((2, half))
    (radius * np.cos(angle)).sum(0, out=both[0])
    (radius * np.sin(angle)).sum(0, out=both[1])
    return both.reshape(-1)[:n]


def deviation(sigma: float) -> float:
    """Return the parameter of the discrete Gaussian that counts get for `sigma`.

    For what depends on the noise itself, such as a threshold that it passes by chance.

    Examples
    --------
    >>> round(deviation(1.0), 3)
    1.049
    """
    return math.sqrt(sigma**2 + MORE_VARIANCE)


@cache
def _opendp() -> Any:
    """Return OpenDP.

    Raises
    ------
    PrivacyError
        If it is not installed.
    """
    try:
        import opendp.prelude as opendp
    except ImportError:
        raise PrivacyError(
            "A privacy budget needs OpenDP, whose samplers are exact, and it is not installed. "
            "Install it with: pip install opendp"
        ) from None
    opendp.enable_features("contrib")
    return opendp


@cache
def _gaussian(sigma: float) -> Any:
    """Return OpenDP's discrete Gaussian mechanism on vectors of integers."""
    opendp = _opendp()
    domain = opendp.vector_domain(opendp.atom_domain(T="i64"))
    return opendp.m.make_gaussian(domain, opendp.l2_distance(T="f64"), scale=sigma)


@cache
def _noisy_max(scale: float) -> Any:
    """Return OpenDP's report-noisy-max with Gumbel noise, which is the exponential mechanism."""
    opendp = _opendp()
    domain = opendp.vector_domain(opendp.atom_domain(T="f64", nan=False))
    metric, measure = opendp.linf_distance(T="f64"), opendp.zero_concentrated_divergence()
    return opendp.m.make_noisy_max(domain, metric, measure, scale=scale)

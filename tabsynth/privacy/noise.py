"""Noise: the one place where randomness that protects rows is drawn.

It comes from the operating system and is never kept; the seed of a fit has no part in it. Whole
numbers get noise from OpenDP, whose samplers are exact. Gradients get it here, in float64.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np

from tabsynth.errors import PrivacyError

HALVES = 4
"""Normal draws that are summed up, so that the float grid of a single one cannot be read off."""


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
            Parameter of the discrete Gaussian, almost its standard deviation.

        Returns
        -------
        ndarray of int64, of the same shape

        References
        ----------
        Canonne, Kamath and Steinke (2020), arXiv:2004.00010.
        """
        if counts.dtype.kind not in "iu":
            raise PrivacyError("Only whole numbers get discrete noise.")
        if not (np.isfinite(sigma) and sigma > 0):
            raise PrivacyError(f"sigma must be a positive number. Got {sigma!r}.")
        flat = counts.astype(np.int64).reshape(-1)
        if self._rng is not None:
            noise = np.rint(self._rng.normal(0.0, sigma, len(flat))).astype(np.int64)
            return (flat + noise).reshape(counts.shape)
        if not len(flat):
            return flat.reshape(counts.shape)
        noisy = _gaussian(float(sigma))(flat.tolist())
        return np.array(noisy, dtype=np.int64).reshape(counts.shape)

    def choose(self, scores: np.ndarray, epsilon: float, sensitivity: float) -> int:
        """Return the place of a high score: the exponential mechanism.

        Parameters
        ----------
        scores : ndarray of float64, shape (n,)
        epsilon : float
        sensitivity : float
            Most that one row changes a score.
        """
        if self._rng is not None:
            rate = epsilon / (2 * sensitivity)
            return int(np.argmax(scores * rate + self._rng.gumbel(size=len(scores))))
        return int(_noisy_max(2.0 * sensitivity / epsilon)(scores.astype(np.float64).tolist()))

    def mask(self, n_rows: int, rate: float) -> np.ndarray:
        """Return flags of rows, each set with probability `rate` by itself; bool (n_rows,)."""
        if self._rng is not None:
            return self._rng.random(n_rows) < rate
        bits = np.frombuffer(os.urandom(8 * n_rows), dtype=np.uint64)
        limit = min(int(rate * 2.0**64), 2**64 - 1)
        flags: np.ndarray = bits < np.uint64(limit) if rate < 1 else np.ones(n_rows, dtype=bool)
        return flags

    def gaussian(self, n: int) -> np.ndarray:
        """Return `n` standard normal numbers, float64."""
        total = np.zeros(n)
        for _ in range(HALVES):
            total += self._normal(n)
        total /= HALVES**0.5
        return total

    def _normal(self, n: int) -> np.ndarray:
        """Return `n` standard normal numbers (Box and Muller 1958)."""
        if self._rng is not None:
            return self._rng.normal(size=n)
        half = (n + 1) // 2
        bits = np.frombuffer(os.urandom(16 * half), dtype=np.uint64) >> np.uint64(11)
        level = (bits.astype(np.float64) + 0.5) * 2.0**-53
        radius, angle = np.sqrt(-2.0 * np.log(level[:half])), 2.0 * np.pi * level[half:]
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:n]


@cache
def _opendp() -> Any:
    import opendp.prelude as opendp

    opendp.enable_features("contrib")
    return opendp


def _gaussian(sigma: float) -> Any:
    """Return OpenDP's discrete Gaussian mechanism on vectors of integers."""
    opendp = _opendp()
    domain = opendp.vector_domain(opendp.atom_domain(T="i64"))
    return opendp.m.make_gaussian(domain, opendp.l2_distance(T="f64"), scale=sigma)


def _noisy_max(scale: float) -> Any:
    """Return OpenDP's report-noisy-max with Gumbel noise, which is the exponential mechanism."""
    opendp = _opendp()
    domain = opendp.vector_domain(opendp.atom_domain(T="f64", nan=False))
    metric, measure = opendp.linf_distance(T="f64"), opendp.zero_concentrated_divergence()
    return opendp.m.make_noisy_max(domain, metric, measure, scale=scale)

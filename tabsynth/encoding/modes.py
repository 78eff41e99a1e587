"""The `modes` coding: mode-specific normalisation, by EM on a weighted histogram."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.intervals import (
    find_atoms,
    nearest_integers,
    partition,
    softened_ends,
    stands_out,
)
from tabsynth.encoding.layout import Block

CELLS = 256
"""Most cells of the histogram that the mixture is fitted to."""
CLOSE = 1e-5
"""Nats a row that an iteration must gain for there to be another one."""
SPREAD = 4.0
"""Standard deviations that an offset of 1 stands for (Xu et al. 2019)."""
ATOM_SHARE = 0.01
MOST_ATOMS = 64


class ModeCoder:
    """Codes numbers by the component of a Gaussian mixture and the distance from its mean.

    Codes: the components by ascending mean, then the atoms by ascending value.

    Attributes
    ----------
    means, deviations, weights : ndarray of float64, shape (n_modes,)
    atoms : ndarray of float64 or int64, shape (n_atoms,)
        Values that many rows share exactly, far more than share their neighbours.
    bounds : tuple of float
        Decoded numbers stay between these; means over several rows, not single extremes.

    References
    ----------
    Xu et al., "Modeling Tabular Data using Conditional GAN", 2019, arXiv:1907.00503, section 4.2.
    """

    def __init__(
        self,
        means: np.ndarray,
        deviations: np.ndarray,
        weights: np.ndarray,
        atoms: np.ndarray,
        bounds: tuple[float, float],
    ) -> None:
        self.means, self.deviations, self.weights = means, deviations, weights
        self.atoms, self.bounds = atoms, bounds
        self.lattice = atoms.dtype.kind == "i"

    @property
    def n_codes(self) -> int:
        """Number of components and atoms."""
        return len(self.means) + len(self.atoms)

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number that can be decoded."""
        ends = [*(self.bounds if len(self.means) else ()), *self.atoms[:1], *self.atoms[-1:]]
        return min(ends, default=0), max(ends, default=0)

    @classmethod
    def fit(cls, values: np.ndarray, counts: np.ndarray, coding: Coding, floor: int) -> Self:
        """Fit to sorted distinct `values` (int64 lattice indices or float64) and their counts."""
        nothing = np.zeros(0)
        if not len(values):
            return cls(nothing, nothing, nothing, values, (0.0, 0.0))
        bounds = softened_ends(values, counts, min(floor, int(counts.sum())))
        if len(values) <= 2 * coding.size:
            shared = counts >= floor
        else:
            shared = find_atoms(counts, ATOM_SHARE, floor, MOST_ATOMS) & stands_out(counts)
        rest = ~shared
        rows = int(counts[rest].sum())
        if not rows or (rows < floor and shared.any()):
            # Too few rows for a component of their own: they go to the nearest atom.
            return cls(nothing, nothing, nothing, values[shared], bounds)
        means, deviations, weights = fit_mixture(
            values[rest].astype(np.float64), counts[rest], coding.size, least=floor / rows
        )
        if values.dtype.kind == "i":
            deviations = np.maximum(deviations, 0.25)
        return cls(means, deviations, weights, values[shared], bounds)

    def blocks(self, owner: str, nullable: bool) -> tuple[Block, ...]:
        """Return the one block."""
        size = self.n_codes + nullable
        flags = tuple(index < len(self.means) for index in range(size))
        missing = self.n_codes if nullable else None
        return (Block(owner, size, flags if len(self.means) else (), missing=missing),)

    def encode(
        self, index: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return codes (n, 1) and offsets (n, 0 or 1) of lattice indices or floats."""
        n, m = len(index), len(self.means)
        codes = np.zeros(n, dtype=np.int64)
        offsets = np.zeros((n, 1 if m else 0))
        spot = np.clip(np.searchsorted(self.atoms, index), 0, max(len(self.atoms) - 1, 0))
        is_atom = self.atoms[spot] == index if len(self.atoms) else np.zeros(n, dtype=bool)
        codes[is_atom] = m + spot[is_atom]
        rest = np.flatnonzero(~is_atom)
        if not m:
            if len(rest):  # numbers never seen: the nearest atom
                left = np.clip(spot[rest] - 1, 0, None)
                nearer = np.abs(self.atoms[left] - index[rest]) < np.abs(
                    self.atoms[spot[rest]] - index[rest]
                )
                codes[rest] = np.where(nearer, left, spot[rest])
            return codes[:, None], offsets
        x = np.clip(index[rest].astype(np.float64), *self.bounds)
        z = np.clip((x[:, None] - self.means) / self.deviations, -1e9, 1e9)
        logits = np.log(self.weights / self.deviations) - 0.5 * z**2
        # A component that would clip the offset is taken only where all of them would.
        reach = np.abs(z) <= SPREAD
        logits = np.where(reach, logits, -1e6 - np.abs(z))
        if rng is None:
            chosen = logits.argmax(axis=1)
        else:
            cumulated = np.cumsum(np.exp(logits - logits.max(axis=1, keepdims=True)), axis=1)
            draw = rng.random(len(rest))[:, None] * cumulated[:, -1:]
            chosen = (cumulated <= draw).sum(axis=1)
        codes[rest] = chosen
        offsets[rest, 0] = np.clip(z[np.arange(len(rest)), chosen] / SPREAD, -1.0, 1.0)
        return codes[:, None], offsets

    def decode(self, codes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return lattice indices (int64) or floats of codes below `n_codes`."""
        m = len(self.means)
        code = np.clip(codes[:, 0], 0, self.n_codes - 1)
        result = np.zeros(len(code), dtype=self.atoms.dtype)
        if len(self.atoms):
            result[:] = self.atoms[np.clip(code - m, 0, None)]
        rest = code < m
        if rest.any():
            mode = code[rest]
            x = self.means[mode] + offsets[rest, 0].astype(np.float64) * (
                SPREAD * self.deviations[mode]
            )
            x = np.clip(x, *self.bounds)
            result[rest] = nearest_integers(x) if self.lattice else x
        return result

    def state(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "means": self.means.tolist(),
            "deviations": self.deviations.tolist(),
            "weights": self.weights.tolist(),
            "atoms": self.atoms.tolist(),
            "bounds": list(self.bounds),
        }

    @classmethod
    def load(cls, state: dict[str, Any], lattice: bool) -> Self:
        """Rebuild from the JSON form."""
        return cls(
            np.array(state["means"], dtype=np.float64),
            np.array(state["deviations"], dtype=np.float64),
            np.array(state["weights"], dtype=np.float64),
            np.array(state["atoms"], dtype=np.int64 if lattice else np.float64),
            (state["bounds"][0], state["bounds"][1]),
        )


def fit_mixture(
    values: np.ndarray, counts: np.ndarray, size: int, steps: int = 100, least: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a one-dimensional Gaussian mixture by EM on a weighted histogram.

    Deterministic: it starts from equally filled quantile ranges, and components that come to hold
    less than half a percent of the weight, or less than `least`, are pruned as it goes.

    Parameters
    ----------
    values : ndarray of float64, shape (m,)
        Sorted, distinct.
    counts : ndarray of int64, shape (m,)
    size : int
        Most components.
    steps : int
        Most iterations.
    least : float
        Smallest share of the rows that a component may hold, in [0, 1].

    Returns
    -------
    means, deviations, weights : ndarray of float64, shape (at most size,)
        By ascending mean.
    """
    starts = partition(counts, CELLS, 1)
    weight = np.add.reduceat(counts, starts).astype(np.float64)
    centre = float(values.mean())
    scale = float(np.ptp(values)) or 1e-6 * max(abs(centre), 1.0)
    least = max(least, 0.005)
    scaled = (values - centre) / scale
    x = np.add.reduceat(scaled * counts, starts) / weight
    inner = np.maximum(np.add.reduceat(scaled**2 * counts, starts) / weight - x**2, 0.0)
    weight /= weight.sum()
    first = partition((weight * 1e9).astype(np.int64) + 1, size, 1)
    groups = np.add.reduceat(weight, first)
    mu = np.add.reduceat(weight * x, first) / groups
    floor = 1e-4 * max(_quartile_range(x, weight), 1e-3 / CELLS)
    var = np.maximum(np.add.reduceat(weight * (x**2 + inner), first) / groups - mu**2, floor**2)
    pi = groups / groups.sum()
    last = -np.inf
    # Rows, and the first two moments, that a cell brings to a component.
    moments = np.stack([np.ones_like(x), x, x**2 + inner], axis=1)
    for _ in range(steps):
        share = (x[:, None] - mu) ** 2
        share += inner[:, None]
        share *= -0.5 / var
        share += np.log(pi) - 0.5 * np.log(var)
        top = share.max(axis=1)
        share -= top[:, None]
        np.exp(share, out=share)
        norm = share.sum(axis=1)
        value = float(weight @ (top + np.log(norm)))
        share *= (weight / norm)[:, None]
        held, first_moment, second_moment = moments.T @ share
        keep = held >= min(least, held.max())
        held = held[keep]
        mu = first_moment[keep] / held
        var = np.maximum(second_moment[keep] / held - mu**2, floor**2)
        pi = held / held.sum()
        if keep.all() and value - last < CLOSE:
            break
        last = value
    order = np.argsort(mu, kind="stable")
    deviations = np.sqrt(var[order]) * scale
    return mu[order] * scale + centre, deviations, pi[order]


def _quartile_range(x: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted inter-quartile range of sorted `x`."""
    ends = np.cumsum(weight)
    low, high = np.searchsorted(ends, [0.25, 0.75])
    return float(x[min(int(high), len(x) - 1)] - x[int(low)])

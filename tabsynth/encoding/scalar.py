"""The `scalar` coding: one code and one scaled value, which is the value's rank."""

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

KNOTS = 2048
ATOM_SHARE = 0.01
MOST_ATOMS = 64


class ScalarCoder:
    """Codes a number as its rank, scaled to ``[-1, 1]``, linear between knots.

    Code 0 is any ordinary number; the atoms follow by ascending value. The offset is filled for
    atoms too, so that a model may read the offset alone.

    Attributes
    ----------
    knots, ranks : ndarray of float64, shape (n_knots,)
        Ascending values and their ranks.
    atoms : ndarray of float64 or int64, shape (n_atoms,)
    shared : ndarray of float64 or int64, shape (n_shared,)
        Ascending values that several rows share. Offsets are coarser than numbers and fine
        lattices, so that these would come back a hair off; an offset of one stands for just it.
    """

    def __init__(
        self,
        knots: np.ndarray,
        ranks: np.ndarray,
        atoms: np.ndarray,
        shared: np.ndarray | None = None,
    ) -> None:
        self.knots, self.ranks, self.atoms = knots, ranks, atoms
        self.lattice = atoms.dtype.kind == "i"
        self.shared = atoms[:0] if shared is None else shared
        if len(self.shared):
            self._places = np.interp(self.shared.astype(np.float64), knots, ranks).astype(
                np.float32
            )

    @property
    def n_codes(self) -> int:
        """One for ordinary numbers, one an atom."""
        return (1 if len(self.knots) else 0) + len(self.atoms)

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number that can be decoded."""
        ends = [*self.knots[:1], *self.knots[-1:], *self.atoms[:1], *self.atoms[-1:]]
        return min(ends, default=0), max(ends, default=0)

    @classmethod
    def fit(cls, values: np.ndarray, counts: np.ndarray, coding: Coding, floor: int) -> Self:
        """Fit to sorted distinct `values` (int64 lattice indices or float64) and their counts."""
        if not len(values):
            return cls(np.zeros(0), np.zeros(0), values)
        shared = find_atoms(counts, ATOM_SHARE, floor, MOST_ATOMS) & stands_out(counts)
        total = counts.sum()
        starts = partition(counts, KNOTS, floor)
        weight = np.add.reduceat(counts, starts)
        knots = np.add.reduceat(values.astype(np.float64) * counts, starts) / weight
        ranks = (np.cumsum(weight) - weight / 2) / total * 2.0 - 1.0
        low, high = softened_ends(values, counts, min(floor, int(total)))
        knots = np.concatenate([[min(low, knots[0])], knots, [max(high, knots[-1])]])
        ranks = np.concatenate([[-1.0], ranks, [1.0]])
        return cls(knots, ranks, values[shared], values[counts >= floor])

    def blocks(self, owner: str, nullable: bool) -> tuple[Block, ...]:
        """Return the one block."""
        size = self.n_codes + nullable
        flags = tuple(index < self.n_codes for index in range(size)) if len(self.knots) else ()
        missing = self.n_codes if nullable else None
        return (Block(owner, size, flags, missing=missing),)

    def encode(
        self, index: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return codes (n, 1) and offsets (n, 1) of lattice indices or floats."""
        codes = np.zeros(len(index), dtype=np.int64)
        if len(self.atoms):
            spot = np.clip(np.searchsorted(self.atoms, index), 0, len(self.atoms) - 1)
            is_atom = self.atoms[spot] == index
            codes[is_atom] = 1 + spot[is_atom]
        offsets = np.interp(index.astype(np.float64), self.knots, self.ranks)
        return codes[:, None], offsets[:, None]

    def decode(self, codes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return lattice indices (int64) or floats of codes below `n_codes`."""
        x = np.interp(offsets[:, 0].astype(np.float64), self.ranks, self.knots)
        result: np.ndarray = nearest_integers(x) if self.lattice else x
        if len(self.shared):
            place = offsets[:, 0].astype(np.float32)
            near = np.minimum(np.searchsorted(self._places, place), len(self.shared) - 1)
            result = np.where(self._places[near] == place, self.shared[near], result)
        if len(self.atoms):
            atom = codes[:, 0] >= 1
            result[atom] = self.atoms[np.clip(codes[atom, 0] - 1, 0, len(self.atoms) - 1)]
        return result

    def state(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "knots": self.knots.tolist(),
            "ranks": self.ranks.tolist(),
            "atoms": self.atoms.tolist(),
            "shared": self.shared.tolist(),
        }

    @classmethod
    def load(cls, state: dict[str, Any], lattice: bool) -> Self:
        """Rebuild from the JSON form."""
        return cls(
            np.array(state["knots"], dtype=np.float64),
            np.array(state["ranks"], dtype=np.float64),
            np.array(state["atoms"], dtype=np.int64 if lattice else np.float64),
            np.array(state.get("shared", ()), dtype=np.int64 if lattice else np.float64),
        )

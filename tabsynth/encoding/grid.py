"""Grid: the lattice that a column's numbers lie on, so that decoding gives such numbers again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.encoding.distribution import Distribution


@dataclass(frozen=True)
class Grid:
    """Numbers ``(origin + step * k) / 10**decimals`` with 64-bit integer k, or any float.

    Attributes
    ----------
    origin : int
        Where k is 0.
    step : int
        Distance between neighbours, in units of the last decimal place; 0: no lattice, numbers
        are taken as they are.
    decimals : int
    """

    origin: int
    step: int
    decimals: int = 0

    @property
    def is_lattice(self) -> bool:
        """Whether numbers lie on a lattice."""
        return self.step > 0

    @classmethod
    def of(cls, distribution: Distribution) -> Grid:
        """Return the grid that all values of `distribution` lie on."""
        values = distribution.values
        if not len(values):
            return cls(0, 1)
        if values.dtype.kind in "iu":
            origin, step = int(values[0]), max(distribution.step, 1)
            if (int(values[-1]) - origin) // step < 2**62:
                return cls(origin, step)
            # Spread over (nearly) all 64 bits: every integer is its own index.
            return cls(2**63 if values.dtype.kind == "u" else 0, 1)
        if distribution.decimals is None:
            return cls(0, 0)
        scaled = np.rint(values * 10.0**distribution.decimals).astype(np.int64)
        step = int(np.gcd.reduce(np.diff(scaled))) if len(scaled) > 1 else 1
        return cls(int(scaled[0]), max(step, 1), distribution.decimals)

    def index(self, numbers: np.ndarray) -> np.ndarray:
        """Return k as int64 of shape (n,), or the numbers as float64 where there is no lattice."""
        if not self.is_lattice:
            return numbers.astype(np.float64)
        index: np.ndarray
        if numbers.dtype.kind in "iu":
            # Modulo 2**64: true distances are not negative and fit in 64 bits, or step is 1.
            distance = numbers.view(np.uint64) - _wrap(self.origin)
            index = (distance // np.uint64(self.step)).view(np.int64)
            return index
        scaled = np.rint(numbers * 10.0**self.decimals) - self.origin
        return np.rint(scaled / self.step).astype(np.int64)

    def number(self, index: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        """Return the numbers at `index`, as int64, uint64 or float64 like the column's."""
        if not self.is_lattice:
            return index.astype(np.float64)
        if dtype.kind == "u":
            return index.view(np.uint64) * np.uint64(self.step) + np.uint64(self.origin)
        if dtype.kind == "i":
            wrapped = index.view(np.uint64) * np.uint64(self.step) + _wrap(self.origin)
            return wrapped.view(np.int64)
        return (index * self.step + self.origin) / 10.0**self.decimals

    def to_list(self) -> list[int]:
        """Return the JSON form."""
        return [self.origin, self.step, self.decimals]


def _wrap(number: int) -> np.uint64:
    """Return a Python integer as the 64 bits of its two's complement."""
    return np.uint64(number % 2**64)

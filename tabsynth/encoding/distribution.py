"""Distribution: a mergeable summary of the numbers in a column, of bounded size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LIMIT = 1 << 16
"""Distinct values kept before a summary is thinned."""


@dataclass(frozen=True)
class Distribution:
    """Distinct values and how often each occurs.

    Above `LIMIT` distinct values neighbours are put together under one of them, so that every
    rank is right to within ``2 / LIMIT`` of the rows for each merge; values that many rows share
    are kept by themselves.

    Attributes
    ----------
    values : ndarray of int64, uint64 or float64, shape (m,)
        Sorted, distinct.
    counts : ndarray of int64, shape (m,)
    missing : int
        Number of missing cells.
    decimals : int or None
        Decimal places that every value fits in; None where it takes more than `MOST_DECIMALS`.
    step : int
        Integers only: greatest common divisor of the distances between values; 0 where there is
        at most one value.

    Examples
    --------
    >>> import numpy as np
    >>> a = Distribution.of(np.array([3.0, 1.5, 3.0]), np.array([False, False, False]))
    >>> (a.values.tolist(), a.counts.tolist(), a.decimals)
    ([1.5, 3.0], [1, 2], 1)
    """

    values: np.ndarray
    counts: np.ndarray
    missing: int
    decimals: int | None
    step: int

    MOST_DECIMALS = 9

    @property
    def n_present(self) -> int:
        """Number of cells that are not missing."""
        return int(self.counts.sum())

    @classmethod
    def of(cls, data: np.ndarray, missing: np.ndarray) -> Distribution:
        """Summarise one chunk."""
        values, counts = np.unique(data[~missing], return_counts=True)
        integral = values.dtype.kind in "iu"
        return cls(
            values,
            counts.astype(np.int64),
            int(missing.sum()),
            0 if integral else _decimals(values),
            _step(values) if integral else 0,
        )._thin()

    def merge(self, other: Distribution) -> Distribution:
        """Return the summary of both chunks together."""
        both = np.concatenate([self.values, other.values])
        values, where = np.unique(both, return_inverse=True)
        counts = np.zeros(len(values), dtype=np.int64)
        np.add.at(counts, where, np.concatenate([self.counts, other.counts]))
        decimals: int | None = None
        if self.decimals is not None and other.decimals is not None:
            decimals = max(self.decimals, other.decimals)
        step = int(np.gcd(self.step, other.step))
        if len(self.values) and len(other.values) and values.dtype.kind in "iu":
            step = int(np.gcd(step, abs(int(self.values[0]) - int(other.values[0]))))
        return Distribution(values, counts, self.missing + other.missing, decimals, step)._thin()

    def _thin(self) -> Distribution:
        if len(self.values) <= LIMIT:
            return self
        target = self.n_present / (LIMIT // 2)
        heavy = self.counts >= target
        group = np.floor((np.cumsum(self.counts) - self.counts) / target).astype(np.int64)
        # A heavy value begins a group of its own, and so does the value after it.
        breaks = np.concatenate([[True], np.diff(group) > 0]) | heavy
        breaks[1:] |= heavy[:-1]
        starts = np.flatnonzero(breaks)
        ends = np.concatenate([starts[1:], [len(self.values)]])
        middle = (starts + ends - 1) // 2
        middle[0], middle[-1] = starts[0], ends[-1] - 1  # keep both ends of the range
        counts = np.add.reduceat(self.counts, starts)
        return Distribution(self.values[middle], counts, self.missing, self.decimals, self.step)


def _decimals(values: np.ndarray) -> int | None:
    """Return the decimal places that all `values` (float64) fit in, or None."""
    if not len(values):
        return 0
    largest = np.abs(values).max()
    for places in range(Distribution.MOST_DECIMALS + 1):
        scaled = values * 10.0**places
        if largest * 10.0**places >= 2**53:
            return None
        if np.array_equal(np.rint(scaled) / 10.0**places, values):
            return places
    return None


def _step(values: np.ndarray) -> int:
    """Return the greatest common divisor of the differences of sorted integers."""
    if len(values) < 2:
        return 0
    # Differences of sorted 64-bit integers fit in uint64, whatever their signs.
    differences = np.diff(values.astype(np.uint64) if values.dtype.kind == "u" else values)
    return int(np.gcd.reduce(differences.view(np.uint64)))

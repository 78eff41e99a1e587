"""Cells: intervals of numbers with noisy counts, and what can be made of noisy counts for nothing.

No rows are seen here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SINGLE_VALUES = 128
"""Most whole numbers between two bounds that get a cell each."""
_TOP, _BOTTOM = 61, -20


@dataclass(frozen=True, eq=False)
class Cells:
    """Intervals of numbers that follow each other, and how many rows each holds, with noise.

    Attributes
    ----------
    low, high : ndarray of float64, shape (m,)
        First and last number of each, ascending; the same where it is a single number.
    counts : ndarray of int64, shape (m,)
    missing : int
        Rows without a number.
    sigma : float
        Standard deviation of the noise; infinite where nothing was counted yet.
    whole : bool
        Whether numbers are whole.
    """

    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    missing: int
    sigma: float
    whole: bool

    @property
    def few(self) -> bool:
        """Whether so few whole numbers lie between the bounds that each can be a cell."""
        return self.whole and bool(self.high[-1] - self.low[0] < SINGLE_VALUES)

    def projected(self, total: float) -> tuple[np.ndarray, float]:
        """Return counts, and missing rows, that are not negative and sum to `total`; float64."""
        every = projected(np.append(self.counts, self.missing).astype(np.float64), total)
        return every[:-1], float(every[-1])

    def spread(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Return evenly spaced numbers of every cell, at most `most`, and the cell of each.

        Returns
        -------
        numbers : ndarray of float64, ascending and distinct
        cells : ndarray of int64
        """
        width = self.high - self.low
        sizes = np.where(width > 0, most, 1)
        if self.whole:
            sizes = np.minimum(width + 1, sizes)
        sizes = sizes.astype(np.int64)
        cells = np.repeat(np.arange(len(sizes)), sizes)
        place = np.arange(len(cells)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        if self.whole:
            numbers = self.low[cells] + np.floor((place + 0.5) * (width[cells] + 1) / sizes[cells])
            numbers = np.minimum(numbers, self.high[cells])
        else:
            numbers = self.low[cells] + (place + 0.5) / sizes[cells] * width[cells]
        first = np.unique(numbers, return_index=True)[1]
        return numbers[first], cells[first]


def powers(whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of cells between signed powers of two, 0 in a cell of its own."""
    exponents = np.arange(0 if whole else _BOTTOM, _TOP + 1)
    low, high = 2.0**exponents, 2.0 ** (exponents + 1)
    if whole:
        high = high - 1
    else:
        low[0], high = np.nextafter(0.0, 1.0), np.nextafter(high, 0.0)
    return np.concatenate([-high[::-1], [0.0], low]), np.concatenate([-low[::-1], [0.0], high])


def declared(lower: float, upper: float, whole: bool) -> Cells:
    """Return the one cell between two bounds that are known; nothing is counted."""
    ends = np.array([lower]), np.array([upper])
    return Cells(*ends, np.zeros(1, dtype=np.int64), 0, math.inf, whole)


def divided(before: Cells, n_rows: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of about `size` cells that shall hold equally many rows."""
    lower, upper = float(before.low[0]), float(before.high[-1])
    if before.few:
        single = np.arange(lower, upper + 1)
        return single, single
    mass = np.ones(len(before.low))
    if math.isfinite(before.sigma):
        mass = before.projected(n_rows)[0]
    # Single numbers, such as 0 and both bounds, are counted by themselves.
    width = before.high - before.low
    rest = np.where(width > 0, mass, 0.0)
    if not rest.sum() > 0:
        rest = width
    if not rest.sum() > 0:
        return before.low, before.high
    share = np.concatenate([[0.0], np.cumsum(rest)])
    wanted = np.linspace(0, share[-1], size + 1)[:-1]
    within = np.clip(np.searchsorted(share, wanted, side="right") - 1, 0, len(rest) - 1)
    part = (wanted - share[within]) / np.where(rest[within] > 0, rest[within], 1.0)
    cuts = before.low[within] + np.clip(part, 0.0, 1.0) * width[within]
    # What seems to be empty is a cell by itself, so that no rows are drawn from there.
    gaps = before.low[1:][(rest[1:] == 0) & (rest[:-1] > 0)]
    points = np.array(sorted({lower, upper, *({0.0} if lower < 0 < upper else ())}))
    after = points + 1 if before.whole else np.nextafter(points, np.inf)
    starts = np.ceil(cuts) if before.whole else cuts
    starts = np.unique(np.concatenate([starts, gaps, before.low[:1], points, after]))
    starts = starts[(starts >= lower) & (starts <= upper)]
    following = starts[1:] - 1 if before.whole else np.nextafter(starts[1:], -np.inf)
    return starts, np.append(following, upper)


def projected(noisy: np.ndarray, total: float) -> np.ndarray:
    """Return the nearest counts that are not negative and sum to `total`.

    Parameters
    ----------
    noisy : ndarray of float64, shape (m,)
    total : float
        Not negative.

    Returns
    -------
    ndarray of float64, shape (m,)

    References
    ----------
    Duchi et al. (2008), doi:10.1145/1390156.1390191.

    Examples
    --------
    >>> projected(np.array([5.0, 1.0, -2.0]), 4.0).tolist()
    [4.0, 0.0, 0.0]
    """
    if total <= 0:
        return np.zeros(len(noisy))
    ordered = np.sort(noisy)[::-1]
    excess = (np.cumsum(ordered) - total) / np.arange(1, len(noisy) + 1)
    # The first one always belongs to them; only rounding could have it otherwise.
    last = max(np.flatnonzero(ordered > excess), default=0)
    counts: np.ndarray = np.maximum(noisy - excess[last], 0.0)
    return counts


def whole_counts(counts: np.ndarray) -> np.ndarray:
    """Return float64 counts as int64 with the same sum, rounded where the remainders are."""
    ends = np.rint(np.cumsum(counts)).astype(np.int64)
    return np.diff(ends, prepend=0)


def most_voted(noisy: Sequence[float] | np.ndarray) -> int:
    """Return the place of the highest noisy count, the first of several."""
    return int(np.argmax(noisy))


def enough(noisy: np.ndarray, sigma: float, share: float = 0.005) -> int:
    """Return the first place with nearly no votes behind it.

    Parameters
    ----------
    noisy : ndarray of int64, shape (m,)
        Votes, with noise.
    sigma : float
    share : float
        Of the votes, what may be left out.

    Examples
    --------
    >>> enough(np.array([60, 2, 900, -3, 1]), 3.0)
    2
    """
    least = share * max(float(noisy.sum()), 0.0)
    behind = np.cumsum(noisy[::-1].astype(np.float64))[::-1]
    size = np.sqrt(np.arange(len(noisy), 0, -1))
    certain = (noisy > max(least, 4 * sigma)) | (behind > np.maximum(least, 4 * sigma * size))
    return int(np.flatnonzero(certain)[-1]) if certain.any() else 0

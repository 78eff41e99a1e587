"""Noisy histograms of one column: row counts, votes, bounds, cells and labels.

Everything here counts rows, each in one cell at most, so that a row that is added or taken away
changes the counts by 1 (L2). Every function debits the ledger before it adds noise. What is done
with noisy counts afterwards costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tabsynth.privacy.accounting import Spend
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise

FALSE_POSITIVES = 1e-3
"""Probability that any empty cell at all passes for a filled one where bounds are looked for."""
SINGLE_VALUES = 128
"""Most whole numbers between two bounds that get a cell each."""
MOST_CELLS = 256
FEWEST_CELLS = 16
ROWS_A_CELL = 8.0
"""Rows that cells shall have, in standard deviations of the noise."""
FIRST_SHARE = 0.3
"""Part of the price of cells that is paid for finding out where rows are."""
_TOP, _BOTTOM = 61, -20
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Buyer:
    """A ledger and a source of noise: who buys counts.

    Attributes
    ----------
    ledger : Ledger
    noise : Noise
    """

    ledger: Ledger
    noise: Noise

    def counts(
        self, what: str, counts: np.ndarray, rho: float, delta: float = 0.0
    ) -> tuple[np.ndarray, float]:
        """Return counts with discrete Gaussian noise, int64, and the deviation of the noise.

        Parameters
        ----------
        what : str
            What is bought, in words.
        counts : ndarray of int64
            One row adds 1 to one of them, or to none.
        rho : float
            Its price, zero-concentrated.
        delta : float
            What a threshold that follows adds to the price.

        Raises
        ------
        BudgetExceeded
        """
        sigma = sigma_of(rho)
        self.ledger.debit(Spend(what, "gaussian", sigma, delta=delta))
        return self.noise.counts(counts.astype(np.int64), sigma), sigma


def sigma_of(rho: float) -> float:
    """Return the standard deviation of the noise that `rho` pays for.

    Examples
    --------
    >>> sigma_of(0.005)
    10.0
    """
    return math.sqrt(1 / (2 * rho))


def threshold(sigma: float, delta: float) -> int:
    """Return the least count that may be released if only released labels are shown.

    A label that one row alone holds reaches it with a probability of at most `delta`.

    Parameters
    ----------
    sigma : float
        Of the discrete Gaussian noise of counts.
    delta : float

    References
    ----------
    Canonne, Kamath and Steinke (2020), arXiv:2004.00010, proposition 25: the tail of the discrete
    Gaussian from m is at most that of the continuous one from m - 1.

    Examples
    --------
    >>> threshold(10.0, 1e-8)
    59
    """
    return 2 + math.ceil(sigma * -_NORMAL.inv_cdf(delta))


def labels(
    what: str, counts: np.ndarray, missing: int, rho: float, delta: float, buyer: Buyer
) -> tuple[np.ndarray, int, np.ndarray, float]:
    """Return which labels may be shown: those whose noisy count reaches a threshold.

    Parameters
    ----------
    what : str
        What is bought, in words.
    counts : ndarray of int64, shape (n_labels,)
        Rows that hold each label that any row holds, at least 1.
    missing : int
        Rows that hold none.
    rho, delta : float
        The price.
    buyer : Buyer

    Returns
    -------
    noisy : ndarray of int64, shape (n_labels,)
        Only those at `shown` may be used.
    missing : int
        With noise; known to exist beforehand, so without a threshold.
    shown : ndarray of bool, shape (n_labels,)
    sigma : float

    Notes
    -----
    Privacy: a label that no other row holds is shown with a probability of at most `delta`; apart
    from that, this is noise on counts.

    References
    ----------
    Korolova et al. (2009), doi:10.1145/1526709.1526733; Desfontaines, Voss and Gipson (2022),
    arXiv:2006.03684.
    """
    held = np.append(counts, missing).astype(np.int64)
    noisy, sigma = buyer.counts(what, held, rho, delta)
    return noisy[:-1], int(noisy[-1]), noisy[:-1] >= threshold(sigma, delta), sigma


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


def bounds(
    what: str,
    numbers: np.ndarray,
    missing: np.ndarray,
    whole: bool,
    limits: tuple[float | None, float | None],
    rho: float,
    buyer: Buyer,
) -> Cells | None:
    """Return cells between signed powers of two, from the first to the last that holds rows.

    Parameters
    ----------
    what : str
        What is bought, in words.
    numbers : ndarray of float64, shape (n_rows,)
        Between `limits`.
    missing : ndarray of bool, shape (n_rows,)
    whole : bool
        Whether `numbers` are whole.
    limits : tuple of float or None
        The bounds that are known.
    rho : float
    buyer : Buyer

    Returns
    -------
    Cells or None
        None where noise hides all rows.

    References
    ----------
    Wilson et al. (2020), arXiv:1909.01917, section 5.1.1.
    """
    low, high = powers(whole)
    cell = np.clip(np.searchsorted(low, numbers, side="right") - 1, 0, len(low) - 1)
    counts = np.bincount(np.where(missing, len(low), cell), minlength=len(low) + 1)
    noisy, sigma = buyer.counts(what, counts, rho)
    least = sigma * -_NORMAL.inv_cdf(FALSE_POSITIVES / len(low))
    passing = np.flatnonzero(noisy[:-1] >= least)
    if not len(passing):
        return None
    first, last = int(passing[0]), int(passing[-1])
    lower, upper = low[first], high[last]
    if limits[0] is not None:
        lower = limits[0]
    if limits[1] is not None:
        upper = limits[1]
    lower, upper = min(lower, upper), max(lower, upper)
    inside = (high >= lower) & (low <= upper)
    if not inside.any():
        return declared(lower, upper, whole)
    starts, ends = low[inside].copy(), high[inside].copy()
    starts[0], ends[-1] = lower, upper
    return Cells(starts, ends, noisy[:-1][inside], int(noisy[-1]), sigma, whole)


def declared(lower: float, upper: float, whole: bool) -> Cells:
    """Return the one cell between two bounds that are known; nothing is counted."""
    ends = np.array([lower]), np.array([upper])
    return Cells(*ends, np.zeros(1, dtype=np.int64), 0, math.inf, whole)


def cells(
    what: str,
    numbers: np.ndarray,
    missing: np.ndarray,
    before: Cells,
    n_rows: int,
    rho: float,
    buyer: Buyer,
) -> Cells:
    """Return counts of cells that hold about equally many rows, as far as noise can tell.

    A few whole numbers get a cell each. Otherwise 0 and both bounds do, and there are so many
    others that each has a few times as many rows as its noise. These are counted twice: cells that
    follow from `before` show where rows are, and cells that follow from them are the result.

    Parameters
    ----------
    what : str
        What is bought, in words.
    numbers : ndarray of float64, shape (n_rows,)
        Those beyond the cells of `before` are counted in the outermost ones.
    missing : ndarray of bool, shape (n_rows,)
    before : Cells
        What is known already.
    n_rows : int
        A public or noisy number of rows.
    rho : float
        The price of both together.
    buyer : Buyer
    """

    def counted(words: str, low: np.ndarray, high: np.ndarray, price: float) -> Cells:
        cell = np.clip(np.searchsorted(low, numbers, side="right") - 1, 0, len(low) - 1)
        counts = np.bincount(np.where(missing, len(low), cell), minlength=len(low) + 1)
        noisy, sigma = buyer.counts(words, counts, price)
        return Cells(low, high, noisy[:-1], int(noisy[-1]), sigma, before.whole)

    if not before.few:
        price, rho = FIRST_SHARE * rho, (1 - FIRST_SHARE) * rho
        before = counted(f"first {what}", *divided(before, n_rows, _cells(n_rows, price)), price)
    return counted(what, *divided(before, n_rows, _cells(n_rows, rho)), rho)


def _cells(n_rows: int, rho: float) -> int:
    """Return how many cells are worth their price."""
    size = round(n_rows / (ROWS_A_CELL * sigma_of(rho)))
    return min(max(size, FEWEST_CELLS), MOST_CELLS)


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

"""Noisy histograms of one column: row counts, votes, bounds, cells and labels.

Everything here counts rows, each in one cell at most, so that a row that is added or taken away
changes the counts by 1 (L2). Every function debits the ledger before it adds noise. What is done
with noisy counts afterwards costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tabsynth.privacy.accounting import Spend
from tabsynth.privacy.cells import Cells, declared, divided, powers
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise, deviation

FALSE_POSITIVES = 1e-3
"""Probability that any empty cell at all passes for a filled one where bounds are looked for."""
MOST_CELLS = 256
FEWEST_CELLS = 16
ROWS_A_CELL = 8.0
"""Rows that cells shall have, in standard deviations of the noise."""
FIRST_SHARE = 0.3
"""Part of the price of cells that is paid for finding out where rows are."""
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
    return noisy[:-1], int(noisy[-1]), noisy[:-1] >= threshold(deviation(sigma), delta), sigma


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
        None where noise hides all rows. Where it hides all numbers, but not that cells are missing,
        a single cell that holds nothing.

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
        if noisy[-1] < least:
            return None
        nothing = np.zeros(1)
        return Cells(nothing, nothing, np.zeros(1, dtype=np.int64), int(noisy[-1]), sigma, whole)
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

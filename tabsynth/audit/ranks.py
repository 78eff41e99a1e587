"""Ranks: the exact chance that few runs are ordered so well by accident."""

from __future__ import annotations

import numpy as np


def rank_p_value(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the chance of positive scores being so high among all, if they are as the others.

    Every choice of so many of the scores is as likely as any other, whatever the scores and
    however they are tied. The sum of midranks is compared with all choices, which are counted and
    not drawn.

    Parameters
    ----------
    positive, negative : ndarray of float
        Few hundred in all.

    Returns
    -------
    float
        One-sided, in (0, 1].

    References
    ----------
    Mann and Whitney (1947), doi:10.1214/aoms/1177730491, with ties.

    Examples
    --------
    >>> rank_p_value(np.array([3.0, 4.0]), np.array([1.0, 2.0]))
    0.16666666666666666
    """
    from scipy.stats import rankdata

    m = len(positive)
    doubled = np.round(2 * rankdata(np.concatenate([positive, negative]))).astype(np.int64)
    total = int(doubled.sum())
    ways = np.zeros((m + 1, total + 1))
    ways[0, 0] = 1.0
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, : total + 1 - rank].copy()
    least = int(doubled[:m].sum())
    return float(ways[m, least:].sum() / ways[m].sum())


def fewest_runs_separate(m: int, n: int) -> float:
    """Return the p-value of `m` positive scores that are all above `n` others.

    Examples
    --------
    >>> fewest_runs_separate(2, 2)
    0.16666666666666666
    """
    from scipy.special import comb

    return float(1 / comb(m + n, m))

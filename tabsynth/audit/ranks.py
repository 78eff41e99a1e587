"""Ranks: what the order of few runs says, where approximations for many do not hold."""

from __future__ import annotations

import math

import numpy as np

from tabsynth.evaluation.result import Interval


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


def area_of_few(value: float, smaller: int, level: float = 0.95, tests: int = 1) -> Interval:
    """Return an interval of an area under the ROC curve that holds for few runs.

    Whatever the scores are, the variance is at most that of a share of as many draws as the smaller
    side has, so that Wilson's interval of such a share is taken.

    Parameters
    ----------
    value : float
        The area, ties counted half.
    smaller : int
        Runs of the smaller side.
    level : float
    tests : int
        How many intervals hold together (Bonferroni).

    References
    ----------
    Birnbaum and Klose (1957), Bounds for the variance of the Mann-Whitney statistic, Annals of
    Mathematical Statistics 28; Wilson (1927), doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> interval = area_of_few(1.0, 8)
    >>> round(interval.low, 2), interval.high
    (0.68, 1.0)
    """
    from scipy.stats import norm

    z = float(norm.ppf(1 - (1 - level) / 2 / tests))
    share = z**2 / smaller
    middle = (value + share / 2) / (1 + share)
    half = math.sqrt(value * (1 - value) * share + share**2 / 4) / (1 + share)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Interval(low, high, level, "Wilson, with the largest variance that is possible")

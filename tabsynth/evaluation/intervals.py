"""Confidence intervals for shares, areas under curves and the reach of an attack."""

from __future__ import annotations

import math

import numpy as np

from tabsynth.evaluation.result import Interval


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Return the exact interval of a binomial share.

    References
    ----------
    Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> interval = clopper_pearson(0, 100)
    >>> interval.low, round(interval.high, 4)
    (0.0, 0.0362)
    """
    tail = (1 - level) / 2
    return Interval(
        _share_low(successes, trials, tail),
        _share_high(successes, trials, tail),
        level,
        "Clopper-Pearson",
    )


def _share_low(successes: int, trials: int, tail: float) -> float:
    from scipy.stats import beta

    return float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0


def _share_high(successes: int, trials: int, tail: float) -> float:
    from scipy.stats import beta

    if successes == trials:
        return 1.0
    return float(beta.ppf(1 - tail, successes + 1, trials - successes))


def area(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    """Return the area under the ROC curve and its variance, ties counted half.

    Parameters
    ----------
    positive, negative : ndarray of float
        Scores of the two classes, higher for the positive one.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595; computed with midranks after
    Sun and Xu (2014), doi:10.1109/LSP.2014.2337313.
    """
    from scipy.stats import rankdata

    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / n
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    variance = above.var(ddof=1) / m + below.var(ddof=1) / n if m > 1 and n > 1 else math.inf
    return float(above.mean()), float(variance)


def area_interval(
    value: float, variance: float, smaller: int, level: float = 0.95, tests: int = 1
) -> Interval:
    """Return the interval of an area under the ROC curve.

    On the scale of log-odds, where the area is nearly normal: near 0 and 1 an interval of equal
    arms covers the truth too seldom.

    Parameters
    ----------
    value, variance : float
        From `area`.
    smaller : int
        Rows of the smaller class. Where classes are separated without an error the variance says
        nothing, and the bound of a share of 0 errors in so many rows is taken.
    level : float
    tests : int
        How many intervals hold together (Bonferroni).

    References
    ----------
    Pepe (2003), The Statistical Evaluation of Medical Tests for Classification and Prediction,
    chapter 5 (confidence limits by log-odds).
    """
    from scipy.special import expit, logit
    from scipy.stats import norm

    tail = (1 - level) / 2 / tests
    low, high = 0.0, 1.0
    if variance == 0 and value in (0.0, 1.0):
        bound = tail ** (1 / smaller)
        low, high = (bound, 1.0) if value == 1 else (0.0, 1 - bound)
    elif 0 < value < 1 and math.isfinite(variance):
        half = float(norm.ppf(1 - tail)) * math.sqrt(variance) / (value * (1 - value))
        low, high = float(expit(logit(value) - half)), float(expit(logit(value) + half))
    method = "DeLong" if tests == 1 else f"DeLong, Bonferroni over {tests} attacks"
    return Interval(low, high, level, method)


def reach(
    members: np.ndarray,
    others: np.ndarray,
    rate: float,
    rng: np.random.Generator,
    level: float = 0.95,
    tests: int = 1,
) -> tuple[float, Interval]:
    """Return the share of members found when only the share `rate` of others is taken for members.

    The threshold depends on `others` alone and members are counted above it, so nothing is judged
    on the rows that set it. Its own uncertainty goes into the interval: among thresholds that
    order statistics of `others` show to have at most (at least) that rate of false alarms, the
    lower (upper) bound of Clopper and Pearson is taken, with the error split over the four events.

    Parameters
    ----------
    members, others : ndarray of float
        Scores of the attack, higher for likelier members; ties are broken at random.
    rate : float
        False positive rate in (0, 1).
    rng : Generator
    level : float
    tests : int
        How many intervals hold together (Bonferroni).
    """
    from scipy.stats import beta

    m, n = len(members), len(others)
    ranks = np.empty(m + n)
    ranks[np.lexsort((rng.random(m + n), np.concatenate([members, others])))] = np.arange(m + n)
    thresholds = np.append(np.sort(ranks[m:])[::-1], -1.0)
    mine = np.sort(ranks[:m])

    def found(place: int) -> int:
        """Return how many members lie above the threshold with `place` others above it."""
        return m - int(np.searchsorted(mine, thresholds[place], side="right"))

    tail = (1 - level) / 4 / tests
    places = np.arange(1, n + 1)
    # The rate of false alarms above the j-th highest of n others is Beta(j, n + 1 - j).
    strict = np.flatnonzero(beta.sf(rate, places, n + 1 - places) <= tail)
    loose = np.flatnonzero(beta.cdf(rate, places, n + 1 - places) <= tail)
    low = _share_low(found(int(strict[-1])), m, tail) if len(strict) else 0.0
    high = _share_high(found(int(loose[0])), m, tail) if len(loose) else 1.0
    method = "Clopper-Pearson, threshold by order statistics"
    if tests > 1:
        method += f", Bonferroni over {tests} attacks"
    return found(int(rate * n)) / m, Interval(low, high, level, method)


def rows_for_reach(rate: float, level: float = 0.95, tests: int = 1) -> int:
    """Return how many others `reach` needs before its lower bound can be above 0."""
    tail = (1 - level) / 4 / tests
    return math.ceil(math.log(tail) / math.log1p(-rate))

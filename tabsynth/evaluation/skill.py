"""Skill: how good predictions are, for the rows asked and for draws of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tabsynth.evaluation.result import Interval

DRAWS = 200
"""Resamples of the rows asked."""
BOTH = "bootstrap over the rows tested on, and spread over parts of the rows learnt from"
"""How intervals are computed that hold for other rows to learn from, too."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""Takes how often each row was drawn, (n_rows, n_draws), and returns figures (n_draws,)."""


def resample(n_rows: int, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """Return how often each row is drawn, uint8 of shape (n_rows, draws); columns sum to n_rows."""
    counts = np.empty((draws, n_rows), dtype=np.uint8)
    for draw in range(draws):
        drawn = np.bincount(rng.integers(n_rows, size=n_rows), minlength=n_rows)
        counts[draw] = np.minimum(drawn, 255)
    return np.ascontiguousarray(counts.T)


def everything(n_rows: int) -> np.ndarray:
    """Return the draw of every row once, uint8 of shape (n_rows, 1)."""
    return np.ones((n_rows, 1), dtype=np.uint8)


def percentiles(value: float, drawn: np.ndarray, level: float = 0.95) -> Interval | None:
    """Return the percentile interval over resampled rows; None where no draw has an answer.

    It is widened to hold the value itself, which figures that resampling shifts can fall out of.

    Parameters
    ----------
    value : float
    drawn : ndarray of float, shape (n_draws,)
        Draws without an answer are NaN and left out.
    level : float

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or np.isnan(value):
        return None
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        min(float(low), value), max(float(high), value), level, "bootstrap over the rows tested on"
    )


def spread(parts: np.ndarray) -> np.ndarray:
    """Return the variance between full lessons of a figure, from its values after K parts of one.

    Parameters
    ----------
    parts : ndarray of float, shape (K, ...)

    Returns
    -------
    ndarray of float64, shape (...)
    """
    variance: np.ndarray = np.asarray(parts.var(axis=0, ddof=1) / len(parts))
    return variance


def half_width(tested: float, learnt: float, freedom: int, level: float = 0.95) -> float:
    """Return half the width of an interval over the rows tested on and the rows learnt from.

    Parameters
    ----------
    tested, learnt : float
        Variances; the second one is estimated from few parts.
    freedom : int
        Degrees of freedom of the second one.
    level : float
    """
    from scipy.stats import norm, t

    tail = (1 + level) / 2
    return float(np.sqrt(norm.ppf(tail) ** 2 * tested + t.ppf(tail, freedom) ** 2 * learnt))


def macro_area(probabilities: np.ndarray, truth: np.ndarray) -> Statistic:
    """Return a function that gives the area under the ROC curve for drawn rows.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n_rows, n_classes)
    truth : ndarray of int, shape (n_rows,)

    Returns
    -------
    Statistic
        Of two classes the area of the second one, of more the mean over the classes that occur,
        each against the rest.
    """
    n_classes = probabilities.shape[1]
    chosen = [1] if n_classes == 2 else np.unique(truth).tolist()

    def statistic(draws: np.ndarray) -> np.ndarray:
        areas = np.array([_area(probabilities[:, k], truth == k, draws) for k in chosen])
        known = ~np.isnan(areas)
        total = np.where(known, areas, 0.0).sum(axis=0)
        n_known = known.sum(axis=0)
        return np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)

    return statistic


def _area(scores: np.ndarray, positive: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return the area of one class against the rest, ties half; NaN where one side is empty."""
    rest = np.flatnonzero(~positive)
    rest = rest[np.argsort(scores[rest], kind="stable")]
    # Whole numbers below 2**24, which float32 holds exactly.
    below = np.zeros((len(rest) + 1, draws.shape[1]), dtype=np.float32)
    np.cumsum(draws[rest], axis=0, dtype=np.float32, out=below[1:])
    mine = draws[positive].astype(np.float32)
    low = np.searchsorted(scores[rest], scores[positive], side="left")
    high = np.searchsorted(scores[rest], scores[positive], side="right")
    won = (mine * (below[low] + below[high])).sum(axis=0, dtype=np.float64) / 2
    pairs = mine.sum(axis=0, dtype=np.float64) * below[-1]
    return np.where(pairs > 0, won / np.where(pairs > 0, pairs, 1.0), np.nan)


def r2(predictions: np.ndarray, truth: np.ndarray) -> Statistic:
    """Return a function that gives R2 for drawn rows; NaN where the truth does not vary."""
    centred = truth - truth.mean()
    errors = (truth - predictions) ** 2
    columns = np.stack([np.ones(len(truth)), centred, centred**2, errors], axis=1)

    def statistic(draws: np.ndarray) -> np.ndarray:
        size, total, squares, lost = (draws.T @ columns).T
        spread = squares - total**2 / size
        return np.where(spread > 0, 1 - lost / np.where(spread > 0, spread, 1), np.nan)

    return statistic


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the area under the precision-recall curve; a guess gets the share of positives."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(positive, scores))


def f1(predicted: np.ndarray, positive: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall; 0 where nothing is found.

    Examples
    --------
    >>> f1(np.array([True, True, False]), np.array([True, False, True]))
    0.5
    """
    both = 2 * int((predicted & positive).sum())
    return both / max(int(predicted.sum()) + int(positive.sum()), 1)

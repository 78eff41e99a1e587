"""Contrasts: whether training rows are more exposed than unseen rows of the same source.

Every test here rests on one fact. Where the synthetic rows tell nothing about who was trained on,
it is chance which of all real rows, training and unseen rows pooled, are the training rows. So a
score that every real row gets by a rule that does not look at that, such as "how many of the
combinations that only this row has are in the synthetic table", is as large for training rows as
for unseen ones, whatever the numbers of rows, ties and repeated rows. Fisher's exact test counts
who has the high scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.evaluation.base import Figure
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.intervals import clopper_pearson
from tabsynth.evaluation.result import Finding, Interval, Score

FEWEST = 50
"""Fewest training and unseen rows that are contrasted."""
SHARES = (0.001, 0.005, 0.025, 0.125, 0.5)
"""Shares of the real rows that are called exposed in turn, the highest scores first."""
MOST_HOLDERS = 4
"""A value that more real rows share tells about none of them."""
SMALLEST = 1e-300
"""p-values are not written smaller, so that none is 0."""


def fisher(hits: int, rows: int, other_hits: int, other_rows: int) -> float:
    """Return the one-sided p-value of Fisher's exact test: more hits among the first rows.

    Examples
    --------
    >>> round(fisher(3, 3, 0, 3), 3)
    0.05
    """
    from scipy.stats import hypergeom

    if not hits:
        return 1.0
    p_value = hypergeom.sf(hits - 1, rows + other_rows, hits + other_hits, rows)
    return float(np.clip(p_value, SMALLEST, 1.0))


def tails(
    scores: np.ndarray, members: np.ndarray, shares: Sequence[float] = SHARES, fewest: int = 5
) -> float:
    """Return the p-value of "training rows are among the highest scores too often".

    Fisher's exact test for each share of the rows that is called exposed; the smallest p-value
    times the number of tests.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows,)
        Of training and unseen rows, by a rule that does not look at which is which.
    members : ndarray of bool, shape (n_rows,)
        Which are training rows.
    shares : sequence of float
    fewest : int
        Smaller groups of rows are not tested, since they cannot tell.
    """
    n = len(scores)
    if not n:
        return 1.0
    ordered = np.sort(scores)[::-1]
    places = sorted({math.ceil(share * n) for share in shares})
    thresholds = dict.fromkeys(float(ordered[k - 1]) for k in places if k >= fewest)
    p_values = []
    for threshold in thresholds:
        exposed = scores >= threshold
        if exposed.all():
            continue
        hits, rows = int(exposed[members].sum()), int(members.sum())
        p_values.append(fisher(hits, rows, int(exposed.sum()) - hits, n - rows))
    return min(1.0, min(p_values, default=1.0) * max(1, len(p_values)))


@dataclass(frozen=True)
class Exclusive:
    """How many of the values that only training rows hold were found, and of unseen rows likewise.

    Attributes
    ----------
    hits, values : int
        Values held by training rows only.
    other_hits, other_values : int
        Values held by unseen rows only.
    p_value : float
    """

    hits: int
    values: int
    other_hits: int
    other_values: int
    p_value: float


def exclusive(train: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray) -> Exclusive:
    """Contrast values that only training rows hold with those that only unseen rows hold.

    The unit is a value, held by at most `MOST_HOLDERS` rows. Values of one row are tested as by
    Fisher. One that c rows hold lies in the training rows alone with the share of the training
    rows where all rows of a person go to the same side, and with another where rows are dealt out
    one by one; the larger of the two is taken, so the test holds for both.

    Parameters
    ----------
    train, holdout, synthetic : ndarray
        Values or hashes of them, one for each cell.
    """
    from scipy.stats import binom, hypergeom

    m, n = len(train), len(holdout)
    values, where = np.unique(np.concatenate([train, holdout]), return_inverse=True)
    ours = np.bincount(where[:m], minlength=len(values))
    theirs = np.bincount(where[m:], minlength=len(values))
    sizes = ours + theirs
    kept = ((ours == 0) | (theirs == 0)) & (sizes <= MOST_HOLDERS)
    found, mine, sizes = np.isin(values, synthetic)[kept], ours[kept] > 0, sizes[kept]
    chances = np.ones(1)
    for size in range(1, MOST_HOLDERS + 1):
        these = sizes == size
        total = int(found[these].sum())
        if not total:
            continue
        counts = np.arange(total + 1)
        if size == 1:
            pmf = hypergeom.pmf(counts, int(these.sum()), int(mine[these].sum()), total)
        else:
            pmf = binom.pmf(counts, total, max(m / (m + n), _all_in_train(size, m, n)))
        chances = np.convolve(chances, pmf)
    hits = int(found[mine].sum())
    p_value = float(np.clip(chances[hits:].sum(), SMALLEST, 1.0)) if hits else 1.0
    others = int(found[~mine].sum())
    return Exclusive(hits, int(mine.sum()), others, int((~mine).sum()), p_value)


def _all_in_train(size: int, m: int, n: int) -> float:
    """Return the chance that `size` rows dealt to one side were dealt to the training rows."""
    steps = np.arange(size)
    ours = float(np.prod(np.maximum(m - steps, 0) / (m + n - steps)))
    theirs = float(np.prod(np.maximum(n - steps, 0) / (m + n - steps)))
    return ours / (ours + theirs) if ours + theirs else 1.0


class Tally:
    """Of each real row, how many attempts on it succeeded, and how many would have by chance.

    Attempts of one kind (one set of columns, one secret) share the chance of success that all real
    rows together have.

    Attributes
    ----------
    tried, found, expected, variance : ndarray of float64, shape (n_rows,)
    """

    def __init__(self, n_rows: int) -> None:
        self.tried, self.found, self.expected, self.variance = np.zeros((4, n_rows))

    def add(self, rows: np.ndarray, success: np.ndarray) -> None:
        """Count one attempt on each of `rows` (each at most once)."""
        if not len(rows):
            return
        chance = success.mean()
        self.tried[rows] += 1
        self.found[rows] += success
        self.expected[rows] += chance
        self.variance[rows] += chance * (1 - chance)

    def contrasts(self, members: np.ndarray) -> bool:
        """Return whether there were attempts both on training rows and on unseen ones."""
        tried = self.tried > 0
        return bool(tried[members].any() and tried[~members].any())

    def p_value(self, members: np.ndarray) -> float:
        """Return the p-value of "attempts on training rows succeed too often"."""
        some = self.variance > 0
        scores = (self.found - self.expected)[some] / np.sqrt(self.variance[some])
        # Sums in another order must not break ties.
        return tails(np.round(scores, 9), members[some])

    def rate(self, rows: np.ndarray) -> tuple[float, Interval] | None:
        """Return the share of attempts on some rows that succeeded; None where none was made.

        The attempts on one row hang together: the interval is of the ratio of two sums over rows
        (by linearisation), or of Clopper and Pearson over rows where that has no width.
        """
        tried, found = self.tried[rows], self.found[rows]
        total, n = float(tried.sum()), int(np.count_nonzero(tried))
        if not total:
            return None
        value = float(found.sum()) / total
        spread = math.sqrt(float(((found - value * tried) ** 2).sum())) / total
        if spread == 0 or n < 2:
            bounds = clopper_pearson(round(value * n), n)
            low, high = min(bounds.low, value), max(bounds.high, value)
            return value, Interval(low, high, 0.95, "Clopper-Pearson over rows")
        low, high = max(0.0, value - 1.96 * spread), min(1.0, value + 1.96 * spread)
        return value, Interval(low, high, 0.95, "ratio over rows, linearised")


def contrasted(
    figure: Figure,
    ours: tuple[float, Interval] | None,
    theirs: tuple[float, Interval] | None,
    findings: Sequence[Finding],
    *,
    baseline: float | None = None,
    nothing: str = "",
    problem: str = "",
    details: Mapping[str, Any] | None = None,
) -> Score:
    """Return the score of an attack: how it fares on training rows, against unseen ones.

    Parameters
    ----------
    figure : Figure
    ours, theirs : tuple of float and Interval, or None
        Success on training rows and on unseen rows; None where there was nothing to attack.
    findings : sequence of Finding
    baseline : float, optional
    nothing : str
        Why there was nothing to attack, where `ours` or `theirs` is None.
    problem : str
        What weakens the figure.
    details : mapping, optional
        More figures.

    Notes
    -----
    Of the difference of two rates the details hold `risk`, the share of training rows that are
    exposed beyond what unseen rows are: (attack - control) / (1 - control).
    """
    if ours is None or theirs is None:
        return figure.score(None, problem=nothing, details=details or {}, findings=tuple(findings))
    (attack, interval), (control, chance) = ours, theirs
    risks = [_risk(attack, control), _risk(interval.low, chance.high)]
    return figure.score(
        attack,
        interval=interval,
        reference=control,
        baseline=baseline,
        problem=problem,
        details={
            "chance": chance.high,
            "risk": risks[0],
            "risk_low": risks[1],
            "risk_high": _risk(interval.high, chance.low),
            **(details or {}),
        },
        findings=tuple(findings),
    )


def _risk(attack: float, control: float) -> float:
    return (attack - control) / (1 - control) if control < 1 else 0.0


def share(hits: int, rows: int) -> tuple[float, Interval] | None:
    """Return a share with its exact interval, None of nothing."""
    return (hits / rows, clopper_pearson(hits, rows)) if rows else None


def too_few(comparison: Comparison) -> str:
    """Return why rows are too few to contrast, empty where they are enough."""
    assert comparison.holdout is not None
    rows = {"training": len(comparison.train), "holdout": len(comparison.holdout)}
    few = [f"{n:,} {name} rows" for name, n in rows.items() if n < FEWEST]
    if not few:
        return ""
    return f"There are only {' and '.join(few)}; at least {FEWEST} are needed to contrast them."


def unable(figure: Figure, attack: str, principle: str, level: int, problem: str) -> Score:
    """Return the score of an attack that could not be run, with a finding that says so."""
    finding = Finding(attack, principle, level, None, problem=problem)
    return figure.score(None, problem=problem, findings=(finding,))


@dataclass(frozen=True, eq=False)
class Pool:
    """All real rows of a comparison, training rows first, and the synthetic ones.

    Attributes
    ----------
    real, synthetic : ndarray of int32, shape (n_features, n_rows)
        Codes, by column.
    members : ndarray of bool, shape (n_rows,)
        Which real rows are training rows.
    counts : tuple of ndarray, shape (n_levels + 1,)
        How many real rows have each level, missing last.
    """

    real: np.ndarray
    synthetic: np.ndarray
    members: np.ndarray
    counts: tuple[np.ndarray, ...]

    @property
    def varying(self) -> np.ndarray:
        """Indices of the features that have at least two values among the real rows."""
        some = [place for place, count in enumerate(self.counts) if np.count_nonzero(count) > 1]
        return np.array(some, dtype=np.int64)


def pool(comparison: Comparison) -> Pool:
    """Return the rows of a comparison; use with ``comparison.once``."""
    holdout = comparison.holdout
    assert holdout is not None
    real = np.concatenate([comparison.train.codes, holdout.codes]).T.copy()
    members = np.arange(real.shape[1]) < len(comparison.train)
    places = range(len(comparison.features))
    counts = tuple(comparison.train.counts(p) + holdout.counts(p) for p in places)
    return Pool(real, comparison.synthetic.codes.T.copy(), members, counts)

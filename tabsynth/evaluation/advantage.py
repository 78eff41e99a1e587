"""Advantage: whether training rows score higher than unseen ones in an attack beyond chance.

All tests are one-sided and of one kind: if nothing leaks, the training rows are a random draw
from all candidates, whatever the scores are, however they are tied and however many of each there
are. Nothing is assumed about the distribution of scores.
"""

from __future__ import annotations

import numpy as np

SMALLEST = 16
"""Fewest candidates at the top that are looked at."""
LARGEST = 0.2
"""Largest share of candidates at the top that is looked at."""
FLOOR = 1e-300
"""p-values are not written smaller, so that none is 0."""


def advantage(members: np.ndarray, others: np.ndarray) -> float:
    """Return the p-value of training rows scoring higher, on the whole or among the highest.

    Parameters
    ----------
    members, others : ndarray of float
        Scores of training rows and of unseen ones, higher for likelier training rows.

    Returns
    -------
    float
        In (0, 1]; Bonferroni over `by_area` and `by_top`.

    Examples
    --------
    >>> rng = np.random.Generator(np.random.PCG64(0))
    >>> others, members = rng.normal(size=(2, 1000))
    >>> advantage(members, others) > 0.05
    True
    >>> members[:30] = 9
    >>> advantage(members, others) < 1e-6
    True
    """
    return min(1.0, 2 * min(by_area(members, others), by_top(members, others)))


def by_area(members: np.ndarray, others: np.ndarray) -> float:
    """Return the p-value of the area under the ROC curve being above one half.

    The sum of the ranks of the training rows is compared with its distribution over all draws
    of as many candidates, which is approximated from its exact first three moments: with few
    distinct scores and unequal numbers it is skew. The larger of that (a shifted gamma
    distribution) and of the normal approximation is taken, after a correction for steps.

    References
    ----------
    Mielke and Berry (2007), doi:10.1007/978-0-387-69813-7 (permutation by Pearson type III).
    """
    from scipy.stats import norm, pearson3, rankdata

    m, n = len(members), len(others)
    total = m + n
    if not m or not n or total < 3:
        return 1.0
    ranks = rankdata(np.concatenate([members, others]))
    gaps = np.diff(np.unique(ranks))
    if not len(gaps):
        return 1.0
    step = np.gcd.reduce(np.round(2 * gaps).astype(np.int64)) / 2
    centred = ranks - (total + 1) / 2
    variance = m * n / (total * (total - 1)) * float((centred**2).sum())
    third = m * n * (n - m) / (total * (total - 1) * (total - 2)) * float((centred**3).sum())
    z = (float(centred[:m].sum()) - step / 2) / np.sqrt(variance)
    skew = third / variance**1.5
    p_value = float(norm.sf(z))
    if abs(skew) > 1e-6:
        p_value = max(p_value, float(pearson3.sf(z, skew)))
    return max(FLOOR, p_value)


def by_top(members: np.ndarray, others: np.ndarray) -> float:
    """Return the p-value of there being more training rows at the top than chance puts there.

    The top is looked at in several sizes, each twice the one before; equal scores are all in or
    all out. Who is at the top does not depend on who is a training row, so that their number
    there is hypergeometric exactly (Fisher's test); Bonferroni over the sizes.

    References
    ----------
    Fisher (1922), doi:10.2307/2340521.
    """
    from scipy.stats import hypergeom

    m, total = len(members), len(members) + len(others)
    if not m or m == total:
        return 1.0
    ordered = np.sort(np.concatenate([members, others]))[::-1]
    sizes = [min(SMALLEST, total)]
    while 2 * sizes[-1] <= LARGEST * total:
        sizes.append(2 * sizes[-1])
    levels = np.unique(ordered[np.array(sizes) - 1])
    levels = levels[levels > ordered[-1]]
    if not len(levels):
        return 1.0
    top = total - np.searchsorted(ordered[::-1], levels, side="left")
    found = m - np.searchsorted(np.sort(members), levels, side="left")
    p_values = hypergeom.sf(found - 1, total, m, top)
    return float(np.clip(len(levels) * p_values.min(), FLOOR, 1.0))

"""Dependence: how much of what columns tell about each other is kept."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.cells import MOST_PAIRS
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.sides import BINS, coarse_cells, found

CHANCE = 0.01
"""Chance that columns without any dependence are taken for dependent, over all pairs together."""


def information(counts: np.ndarray) -> tuple[float, float, int]:
    """Return what one column tells about the other, and what it takes to judge that.

    Parameters
    ----------
    counts : ndarray of int, shape (n_first, n_second)
        How often each combination occurs.

    Returns
    -------
    normalised : float
        Mutual information, less what independent columns show by chance in a sample of this size,
        (r - 1)(c - 1) / 2n, divided by the geometric mean of both entropies.
    plain : float
        2n times the mutual information in nats without any correction: the G statistic.
    freedom : int
        Degrees of freedom (r - 1)(c - 1) of the r rows and c columns that occur.

    References
    ----------
    Roulston (1999), doi:10.1016/S0167-2789(98)00269-3 (the correction).

    Examples
    --------
    >>> round(information(np.array([[5000, 0], [0, 5000]]))[0], 4)
    0.9999
    """
    n = int(counts.sum())
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    freedom = int((np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1))
    if freedom <= 0:
        return 0.0, 0.0, 0
    first, second = _entropy(rows, n), _entropy(columns, n)
    shared = max(0.0, first + second - _entropy(counts.ravel(), n))
    corrected = max(0.0, shared - freedom / (2 * n))
    return corrected / float(np.sqrt(first * second)), 2 * n * shared, freedom


def _entropy(counts: np.ndarray, n: int) -> float:
    shares = counts[counts > 0] / n
    return float(-(shares * np.log(shares)).sum())


def kept(real: np.ndarray, other: np.ndarray) -> float:
    """Return how much of the information in `real` is in `other`, none made up.

    1 less the mean relative difference, weighted by the larger of both; that is the sum of the
    smaller ones divided by the sum of the larger ones.

    Parameters
    ----------
    real, other : ndarray of float64, shape (n_pairs,)
        Not negative, not all zero.

    Examples
    --------
    >>> kept(np.array([0.75, 0.25]), np.array([0.25, 0.25]))
    0.5
    """
    return float(np.minimum(real, other).sum() / np.maximum(real, other).sum())


@measures.register("mutual_information")
class MutualInformation(Measure):
    """Weighted comparison of the matrices of normalised mutual information."""

    order = 24
    figures = (
        Figure(
            "mutual_information",
            "Dependence between columns kept (mutual information)",
            "fidelity",
            "higher",
            1.0,
            "How much of what columns tell about each other, pair by pair, is the same in the "
            "synthetic rows, pairs that tell more counting more: 1 is all kept and none made up, "
            "0 is all lost; corrected for what columns seem to tell by chance. It does not say "
            "whether single values are right.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share kept, with the pairs that differ most in the details."""
        features = comparison.features
        pairs = np.stack(np.triu_indices(len(features), 1), axis=1)
        n_all = len(pairs)
        if not n_all:
            return [self.figures[0].absent("Only one column is compared, so there are no pairs.")]
        if n_all > MOST_PAIRS:
            drawn = comparison.rng("pairs").choice(n_all, MOST_PAIRS, replace=False)
            pairs = pairs[np.sort(drawn)]
        cells, sizes = comparison.once(coarse_cells)
        told = np.zeros((3, len(cells), len(pairs)))
        for row, (i, j) in enumerate(pairs):
            for side, part in enumerate(cells):
                joint = part[i] * sizes[j] + part[j]
                counts = np.bincount(joint, minlength=sizes[i] * sizes[j])
                told[:, side, row] = information(counts.reshape(sizes[i], sizes[j]))
        shared = told[0]
        if not _is_beyond_chance(told[1, :2], told[2, :2]):
            problem = (
                "In the real rows no column tells anything about another one beyond chance, so "
                "there is no dependence to keep; nor is there any in the synthetic rows."
            )
            return [self.figures[0].absent(problem)]
        known = found([kept(shared[0], part) if part.any() else 0.0 for part in shared[1:]])
        gaps = np.abs(shared[1] - shared[0])
        worst = np.argsort(-gaps, kind="stable")[:10]
        names = [feature.name for feature in features]
        details = {
            "measured": len(pairs),
            "of": n_all,
            "bins": BINS,
            "mean_difference": float(gaps.mean()),
            "worst": [
                [names[i], names[j], float(real), float(synthetic)]
                for (i, j), real, synthetic in zip(
                    pairs[worst], shared[0, worst], shared[1, worst], strict=True
                )
            ],
        }
        return [known.score(self.figures[0], details=details)]


def _is_beyond_chance(plain: np.ndarray, freedom: np.ndarray) -> bool:
    """Return whether any G statistic is larger than chance explains, over all of them together."""
    from scipy.stats import chi2

    tested = freedom > 0
    unlikely = chi2.sf(plain[tested], freedom[tested]) < CHANCE / max(1, tested.sum())
    return bool(unlikely.any())

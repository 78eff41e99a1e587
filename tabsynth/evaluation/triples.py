"""Triples of columns: whether three columns still belong together."""

from __future__ import annotations

from math import comb

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.cells import distance
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.sides import BINS, MOST_CELLS, coarse_cells, found

MOST_TRIPLES = 1000
"""Most triples that are measured; of more, as many are drawn at random."""


def triples(ranks: np.ndarray) -> np.ndarray:
    """Return the triples of different indices with these places in colexicographic order.

    Parameters
    ----------
    ranks : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of int64, shape (n, 3)
        Ascending in each row.

    Examples
    --------
    >>> triples(np.arange(4)).tolist()
    [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    """
    most = 2
    while comb(most, 3) <= (ranks.max() if len(ranks) else 0):
        most += 1
    of_three = np.array([comb(index, 3) for index in range(most)], dtype=np.int64)
    of_two = np.array([comb(index, 2) for index in range(most)], dtype=np.int64)
    last = np.searchsorted(of_three, ranks, side="right") - 1
    rest = ranks - of_three[last]
    middle = np.searchsorted(of_two, rest, side="right") - 1
    return np.stack([rest - of_two[middle], middle, last], axis=1)


@measures.register("tvd_3way")
class TripleDistance(Measure):
    """Mean total variation distance of triples of columns."""

    order = 22
    figures = (
        Figure(
            "tvd_3way",
            "Triples of columns (total variation)",
            "fidelity",
            "lower",
            0.0,
            "How far the shares of combinations of three values are from the real ones, averaged "
            "over triples of columns: 0 is no difference, 1 is nothing in common; numbers are "
            f"compared in {BINS} bins of equal share and rare categories are taken together.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the mean over triples, with the worst ones in the details."""
        features = comparison.features
        n_all = comb(len(features), 3)
        if not n_all:
            problem = f"Only {len(features)} columns are compared, so there are no triples."
            return [self.figures[0].absent(problem.replace("1 columns are", "1 column is"))]
        ranks = np.arange(min(n_all, MOST_TRIPLES))
        if n_all > MOST_TRIPLES:
            drawn = comparison.rng("triples").choice(n_all, MOST_TRIPLES, replace=False)
            ranks = np.sort(drawn)
        members = triples(ranks)
        cells, sizes = comparison.once(coarse_cells)
        gaps = np.empty((len(members), len(cells) - 1))
        for row, (i, j, k) in enumerate(members):
            counts = [
                np.bincount(
                    (part[i] * sizes[j] + part[j]) * sizes[k] + part[k],
                    minlength=sizes[i] * sizes[j] * sizes[k],
                )
                for part in cells
            ]
            gaps[row] = [distance(part, counts[0]) for part in counts[1:]]
        known = found(list(gaps.T))
        worst = np.argsort(-known.synthetic, kind="stable")[:10]
        listed = [
            [*(features[place].name for place in members[row]), float(known.synthetic[row])]
            for row in worst
        ]
        details = {
            "measured": len(members),
            "of": n_all,
            "bins": BINS,
            "most_cells_of_a_column": MOST_CELLS,
            "worst": listed,
        }
        return [known.score(self.figures[0], details=details)]

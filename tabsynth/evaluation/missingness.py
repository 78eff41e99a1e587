"""Missing cells: whether they lie in the same columns, and together, as in the real rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.cells import distance
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import MISSING, Table
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.sides import Sides, found


def patterns(tables: Sequence[Table]) -> list[np.ndarray]:
    """Return how often each pattern of missing cells occurs in each of the tables.

    Parameters
    ----------
    tables : sequence of Table
        Over the same features.

    Returns
    -------
    list of ndarray of int64, shape (n_patterns,)
        The patterns that occur in any table, in the same order for all.
    """
    packed = np.concatenate([np.packbits(table.codes == MISSING, axis=1) for table in tables])
    whole = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, where = np.unique(whole, return_inverse=True)
    ends = np.cumsum([len(table) for table in tables])[:-1]
    most = int(where.max(initial=-1)) + 1
    return [np.bincount(part, minlength=most) for part in np.split(where, ends)]


@measures.register("missing_patterns")
class MissingPatterns(Measure):
    """Total variation distance between the patterns of missing cells."""

    order = 14
    figures = (
        Figure(
            "missing_patterns",
            "Missing cells (total variation of their patterns)",
            "fidelity",
            "lower",
            0.0,
            "How far the shares of rows with exactly these and these cells missing are from the "
            "real shares: 0 is no difference, 1 is nothing in common. It shows whether cells are "
            "missing as often as in the real rows, and in the same columns together.",
        ),
    )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return the measure if any cell is missing in any table."""
        tables = (comparison.train, comparison.synthetic, comparison.holdout)
        gaps = any((table.codes == MISSING).any() for table in tables if table is not None)
        return [cls()] if gaps else []

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the distance, with rates of missing cells by column in the details."""
        sides = Sides.of(comparison)
        counts = patterns(sides.tables)
        known = found([distance(part, counts[0]) for part in counts[1:]])
        real, synthetic = (
            (table.codes == MISSING).mean(axis=0) for table in (sides.real, sides.synthetic)
        )
        gaps = np.abs(real - synthetic)
        gone = (real > 0) | (synthetic > 0)
        worst = [int(row) for row in np.argsort(-gaps, kind="stable")[:10] if gone[row]]
        details = {
            "columns_with_missing_cells": int(gone.sum()),
            "patterns_of_real_rows": int(np.count_nonzero(counts[0])),
            "mean_difference_of_rates": float(gaps[gone].mean()) if gone.any() else 0.0,
            "worst": {
                comparison.features[row].name: [float(real[row]), float(synthetic[row])]
                for row in worst
            },
        }
        return [known.score(self.figures[0], details=details)]

"""Nearest share: whether synthetic rows lie nearer to training rows than to unseen ones."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.distance import Space, neighbours
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.scaled import scaled_space

MOST_ROWS = 4000
"""Most rows of each table that are compared."""
EQUAL = 1e-6
"""Distances that differ by less count as equal."""


@measures.register("dcr_share")
class NearestShare(Measure):
    """Share of synthetic rows whose nearest real row is a training row: the DCR share.

    It is known from other tools as a figure of privacy (distance to the closest record). It is
    none: an average over synthetic rows does not see single people who are given away, and a
    filter that takes near rows out makes it look good while it gives away more. It says whether
    the synthetic rows follow the training rows further than the population, and no finding for the
    verdict comes from it.

    Privacy
    -------
    Compares samples of the training and the unseen rows with synthetic rows.

    References
    ----------
    Ganev and De Cristofaro (2023), arXiv:2312.05114 (why it is no evidence of privacy).
    """

    order = 36
    needs_holdout = True
    figures = (
        Figure(
            "dcr_share",
            "Nearest real row is a training row (DCR share; no evidence of privacy)",
            "fidelity",
            "half",
            0.5,
            "Of the synthetic rows the share whose nearest real row is a training row, among as "
            "many training as unseen rows: 0.5 is no preference, 1 is copies. It describes "
            "likeness and is no evidence of privacy: single people can be given away at 0.5.",
            "Half of the unseen rows in place of the synthetic ones, against the other half.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share."""
        train, holdout = comparison.train, comparison.holdout
        assert holdout is not None
        space = comparison.once(scaled_space)
        half = min(len(holdout) // 2, MOST_ROWS)
        fresh, others = holdout.first(half), holdout.take(slice(half, None))
        return [
            self.figures[0].score(
                _share(space, comparison.synthetic, train, holdout),
                reference=_share(space, fresh, train, others),
                baseline=_share(space, comparison.independent, train, holdout),
                details={"rows": min(len(comparison.synthetic), MOST_ROWS)},
            )
        ]


def _share(space: Space, made: Table, train: Table, unseen: Table) -> float:
    """Return the share of rows that are nearer to `train`; a draw counts half."""
    n = min(len(train), len(unseen), MOST_ROWS)
    points = space.points(made.first(MOST_ROWS))
    to_train, to_unseen = (
        neighbours(points, space.points(table.first(n)), 1).first for table in (train, unseen)
    )
    drawn = np.abs(to_train - to_unseen) < EQUAL
    return float(np.where(drawn, 0.5, to_train < to_unseen).mean())

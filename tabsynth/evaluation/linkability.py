"""Linkability: two sources that know different columns of a person, joined by a synthetic row."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import Tally, contrasted, pool, tails, too_few, unable
from tabsynth.evaluation.distance import Space, neighbours
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.result import Finding, Score
from tabsynth.evaluation.scaled import compact, part, scaled_space

MOST_ROWS = 2_000
"""Most training rows, and unseen rows, that are linked."""
NEAREST = 5
"""Synthetic rows that each source takes for the person at most."""
SPLITS = 4
"""How often the columns are dealt to two sources."""


@measures.register("linkability")
class Linkability(Measure):
    """Success of an attacker who joins two parts of a person's row through the synthetic table.

    The columns are dealt to two sources at random. Each looks up the synthetic rows nearest to what
    it knows; the parts are linked where both find the same synthetic row among their nearest.

    Privacy
    -------
    Looks up a sample of the training rows.

    References
    ----------
    Article 29 Working Party, Opinion 05/2014 on anonymisation techniques (WP216). The success on
    unseen rows as a control is an idea of Giomi et al. (2023), doi:10.56553/popets-2023-0055.
    """

    order = 66
    needs_holdout = True
    minimum_rows = 1
    figures = (
        Figure(
            "linkability",
            "Linkability",
            "disclosure",
            "lower",
            0.0,
            "Two parties know different columns of the same training row, and each looks up the "
            "synthetic row nearest to what it knows: the share of training rows for which both "
            "find the same one, on average over ways to deal the columns to them. Only what "
            "exceeds the same share for real rows that the model never saw is a risk.",
            "The same share of real rows that the model never saw.",
        ),
    )
    attack = "two halves of a real row that lead to the same synthetic row"

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share of training rows that are linked, over several deals of columns."""
        figure, holdout = self.figures[0], comparison.holdout
        assert holdout is not None
        problem = too_few(comparison)
        if problem:
            return [unable(figure, self.attack, "linkability", 2, problem)]
        varying = comparison.once(pool).varying
        if len(varying) < 2:
            return [figure.absent("Two sources need at least two columns that vary.")]
        rng = comparison.rng("linkability")
        space = comparison.once(scaled_space)
        train, others = comparison.train.first(MOST_ROWS), holdout.first(MOST_ROWS)
        queries = Table(train.features, np.concatenate([train.codes, others.codes]))
        members = np.arange(len(queries)) < len(train)
        ranks = np.array(
            [
                _linked(space, queries, comparison.synthetic, halves)
                for halves in _halves(varying, rng)
            ]
        )
        linked = {
            f"{name}_{k}": float((ranks[:, rows] < k).mean())
            for name, rows in (("linked_training", members), ("linked_unseen", ~members))
            for k in range(1, NEAREST + 1)
        }
        tally, everybody = Tally(len(queries)), np.arange(len(queries))
        for some in ranks:
            tally.add(everybody, some == 0)
        scores = -np.round(np.log1p(ranks).sum(axis=0), 9)
        finding = Finding(self.attack, "linkability", 2, tails(scores, members))
        return [
            contrasted(
                figure,
                tally.rate(members),
                tally.rate(~members),
                [finding],
                details={
                    "deals_of_columns": len(ranks),
                    "training_rows": int(members.sum()),
                    "unseen_rows": int((~members).sum()),
                    "p_reversed": tails(scores, ~members),
                    **linked,
                },
            )
        ]


def _halves(places: np.ndarray, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return some ways to deal columns to two sources."""
    dealt = []
    for _ in range(SPLITS if len(places) > 2 else 1):
        order = rng.permutation(places)
        half = len(order) // 2
        dealt.append((np.sort(order[:half]), np.sort(order[half:])))
    return dealt


def _linked(
    space: Space, queries: Table, made: Table, halves: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return how many more rows than the nearest both sources must look at to meet.

    0 where both find the same nearest row, `NEAREST` where they do not meet.
    """
    places = []
    for half in halves:
        points = compact(part(space, queries, half), part(space, made, half))
        places.append(neighbours(*points, NEAREST).places)
    first, second = places
    met = first[:, :, None] == second[:, None, :]
    steps = np.arange(first.shape[1])
    later = np.maximum(steps[:, None], steps[None, :])
    ranks: np.ndarray = np.where(met, later, NEAREST).min(axis=(1, 2))
    return ranks

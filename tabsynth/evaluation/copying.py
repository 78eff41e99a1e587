"""Copying: synthetic rows that are training rows, or lie suspiciously near to one."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import (
    FEWEST,
    contrasted,
    exclusive,
    share,
    tails,
    too_few,
    unable,
)
from tabsynth.evaluation.distance import neighbours
from tabsynth.evaluation.intervals import clopper_pearson
from tabsynth.evaluation.result import Finding, Score
from tabsynth.evaluation.scaled import compact, scaled_space

ALIKE = (
    "Every row of one real table is also in the other one, so copies of training rows cannot be "
    "told from chance."
)
NEAR = 0.5
"""A near copy lies nearer to a real row than this times the distance of the next real row."""
MOST_QUERIES = 8_000
"""Training rows, and unseen rows, that near copies are looked for."""
WORK = 4e10
"""Most multiplications for the search; of wide tables fewer rows are looked at."""
BASELINE_QUERIES = 2_000


@measures.register("exact_copies")
class ExactCopies(Measure):
    """Share of synthetic rows that are training rows.

    Privacy
    -------
    Counts on all training rows; exact, without noise.
    """

    order = 50
    needs_holdout = True
    minimum_rows = 1
    figures = (
        Figure(
            "exact_copies",
            "Exact copies of training rows",
            "disclosure",
            "lower",
            0.0,
            "Share of synthetic rows that equal a training row in every compared column. Some "
            "equality is chance where columns are few; much more than among fresh real rows "
            "means that rows were copied.",
            "Share of real rows that the model never saw that equal a training row.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share, of all rows there are."""
        tables = comparison.complete
        known = np.unique(tables["train"].ids)
        copied = np.isin(tables["synthetic"].ids, known)
        chance = np.isin(tables["holdout"].ids, known)
        shuffled = np.isin(comparison.independent.ids, known)
        # A table that favours frequent rows hits more of them, unseen ones too. Training rows that
        # are k times as many as unseen ones are hit at most k times as often by chance.
        unseen = np.isin(tables["synthetic"].ids, np.unique(tables["holdout"].ids))
        more = max(1.0, len(tables["train"]) / len(tables["holdout"]))
        chances = (
            clopper_pearson(int(chance.sum()), len(chance)).high,
            more * clopper_pearson(int(unseen.sum()), len(unseen)).high,
        )
        found = exclusive(*(tables[name].ids for name in ("train", "holdout", "synthetic")))
        few = too_few(comparison)
        alike = "" if min(found.values, found.other_values) else ALIKE
        finding = Finding(
            "real rows found word for word in the synthetic table",
            "copying",
            1,
            None if few else found.p_value,
            problem=few,
        )
        return [
            self.figures[0].score(
                copied.mean(),
                interval=clopper_pearson(int(copied.sum()), len(copied)),
                reference=float(chance.mean()),
                baseline=float(shuffled.mean()),
                problem=few or alike,
                details={
                    "chance": min(1.0, max(chances)),
                    "copies": int(copied.sum()),
                    "rows": len(copied),
                    "copies_among_fresh_rows": int(chance.sum()),
                    "fresh_rows": len(chance),
                    "copies_of_fresh_rows": int(unseen.sum()),
                    "training_rows_of_their_own": found.values,
                    "training_rows_copied": found.hits,
                    "unseen_rows_of_their_own": found.other_values,
                    "unseen_rows_met": found.other_hits,
                },
                findings=() if alike and not few else (finding,),
            )
        ]


@measures.register("near_copies")
class NearCopies(Measure):
    """Share of training rows with a synthetic row much nearer than any other real row.

    The distance to the nearest synthetic row is divided by that to the nearest other real row, so
    that an outlier whose copy was moved a little is as telling as a row in the crowd. Rows that
    another real row equals are left out: nothing can be nearer.

    Privacy
    -------
    Compares a sample of the training rows with all synthetic rows.
    """

    order = 51
    needs_holdout = True
    minimum_rows = 1
    figures = (
        Figure(
            "near_copies",
            "Near copies of training rows",
            "disclosure",
            "lower",
            0.0,
            "Share of training rows that have a synthetic row less than half as far away as the "
            "nearest other real row. Some are chance; clearly more than for real rows that the "
            "model never saw means that rows were copied with small changes.",
            "The same share of real rows that the model never saw.",
        ),
    )
    attack = "synthetic rows much nearer to a real row than any other real row"

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share."""
        figure, holdout = self.figures[0], comparison.holdout
        assert holdout is not None
        problem = too_few(comparison)
        if problem:
            return [unable(figure, self.attack, "copying", 1, problem)]
        space = comparison.once(scaled_space)
        width, n_made = sum(x.shape[1] for x in space.lookups), len(comparison.synthetic)
        most = max(FEWEST, min(MOST_QUERIES, int(WORK / width / (n_made + 2 * MOST_QUERIES) / 2)))
        train, others = comparison.train.first(most), holdout.first(most)
        ids = np.concatenate([train.ids, others.ids])
        _, where, sizes = np.unique(ids, return_inverse=True, return_counts=True)
        alone = sizes[where] == 1
        members = (np.arange(len(ids)) < len(train))[alone]
        if not min(members.sum(), (~members).sum()):
            problem = (
                "Every row of one real table has an equal among all, so nearness tells nothing."
            )
            return [figure.absent(problem)]
        real, others_points = compact(
            np.concatenate([space.points(train), space.points(others)]),
            np.concatenate(
                [space.points(comparison.synthetic), space.points(comparison.independent)]
            ),
        )
        made, shuffled = others_points[:n_made], others_points[n_made:]
        # The nearest real row of a row that no other equals is the row itself.
        to_real = neighbours(real[alone], real, 2).distances[:, 1]
        to_made = neighbours(real[alone], made, 1).with_equal(ids[alone], comparison.synthetic.ids)
        ratios = to_made.first / np.maximum(to_real, 1e-9)
        near = ratios < NEAR
        some = slice(min(BASELINE_QUERIES, int(members.sum())))
        chance = neighbours(real[alone][some], shuffled, 1).first < NEAR * to_real[some]
        finding = Finding(self.attack, "copying", 1, tails(-ratios, members))
        return [
            contrasted(
                figure,
                share(int(near[members].sum()), int(members.sum())),
                share(int(near[~members].sum()), int((~members).sum())),
                [finding],
                baseline=float(chance.mean()),
                details={
                    "training_rows": int(members.sum()),
                    "unseen_rows": int((~members).sum()),
                    "synthetic_rows": n_made,
                    "p_reversed": tails(-ratios, ~members),
                },
            )
        ]

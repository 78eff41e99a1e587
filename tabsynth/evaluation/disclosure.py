"""Disclosure: what the synthetic rows give away about the rows that the model learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.distance import Space, nearest
from tabsynth.evaluation.intervals import (
    area,
    area_interval,
    clopper_pearson,
    reach,
    rows_for_reach,
)
from tabsynth.evaluation.result import Interval, Score

RATE = 0.01
"""False positive rate at which attacks are judged."""


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
        return [
            self.figures[0].score(
                copied.mean(),
                interval=clopper_pearson(int(copied.sum()), len(copied)),
                reference=float(chance.mean()),
                baseline=float(shuffled.mean()),
                details={
                    "chance": min(1.0, max(chances)),
                    "copies": int(copied.sum()),
                    "rows": len(copied),
                    "copies_among_fresh_rows": int(chance.sum()),
                    "fresh_rows": len(chance),
                    "copies_of_fresh_rows": int(unseen.sum()),
                },
            )
        ]


@dataclass(frozen=True)
class Outcome:
    """How far one attack got.

    Attributes
    ----------
    area, reach : float
        Area under the ROC curve; share of members found at a false positive rate of `RATE`.
    area_interval, reach_interval : Interval
        All attacks' intervals hold together.
    """

    area: float
    reach: float
    area_interval: Interval
    reach_interval: Interval


def attacks(to_synthetic: np.ndarray, to_reference: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of every attack by distance, higher for likelier training rows.

    Parameters
    ----------
    to_synthetic, to_reference : ndarray of float64, shape (n_rows,)
        Distance of each candidate to the nearest synthetic row, and to the nearest row of a sample
        of real rows that nobody trained on.

    References
    ----------
    Chen et al. (2020), doi:10.1145/3372297.3417238 (calibration by a reference).
    """
    small = 0.01 * float(np.median(to_reference)) + 1e-6
    return {
        "nearest synthetic row": -to_synthetic,
        "difference to a reference": to_reference - to_synthetic,
        "ratio to a reference": np.log((to_reference + small) / (to_synthetic + small)),
    }


def outcomes(
    scores: dict[str, np.ndarray], n_members: int, rng: np.random.Generator
) -> dict[str, Outcome]:
    """Return how far every attack got; the first `n_members` candidates are training rows."""
    found = {}
    for name, score in scores.items():
        members, others = score[:n_members], score[n_members:]
        value, variance = area(members, others)
        share, interval = reach(members, others, RATE, rng, tests=len(scores))
        found[name] = Outcome(
            value,
            share,
            area_interval(value, variance, min(len(members), len(others)), tests=len(scores)),
            interval,
        )
    return found


def _by_area(found: dict[str, Outcome]) -> str:
    return max(found, key=lambda name: abs(found[name].area - 0.5))


def _by_reach(found: dict[str, Outcome]) -> str:
    return max(found, key=lambda name: (found[name].reach_interval.low, found[name].reach))


@measures.register("membership")
class Membership(Measure):
    """Membership attacks by distance: who was among the training rows.

    Half of the holdout are the candidates that were not; the other half is what an attacker might
    have of similar data. The synthetic rows, fresh real rows and independent columns are attacked
    in the same way. All attacks are run and the strongest is reported; intervals allow for that.

    References
    ----------
    Carlini et al. (2022), arXiv:2112.03570 (judging attacks at a low false positive rate).
    """

    order = 60
    needs_holdout = True
    minimum_rows = 40
    figures = (
        Figure(
            "membership_auc",
            "Membership attack (AUC)",
            "disclosure",
            "half",
            0.5,
            "How well an attacker who has the synthetic table tells who was among the training "
            "rows, by how near the nearest synthetic row is: 0.5 is guessing, 1 is always right. "
            "It is an average over all rows and can miss a few that are exposed.",
            "The same attacks on a quarter of the unseen real rows in place of the synthetic ones.",
        ),
        Figure(
            "membership_tpr",
            "Membership attack (found at 1% false alarms)",
            "disclosure",
            "lower",
            RATE,
            "Share of training rows that the same attacker recognises when wrong about only 1% "
            "of the others: 0.01 is guessing; more means that at least some rows are exposed.",
            "The same attacks on a quarter of the unseen real rows in place of the synthetic ones.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the area and the reach of the strongest attacks."""
        holdout = comparison.holdout
        assert holdout is not None
        half = len(holdout) // 2
        others, reference = holdout.first(half), holdout.take(slice(half, None))
        space = Space.of([comparison.train, holdout], comparison.rng("directions"))
        candidates = np.concatenate([space.points(comparison.train), space.points(others)])
        ids = np.concatenate([comparison.train.ids, others.ids])

        def to(table: Any) -> np.ndarray:
            found = nearest(candidates, space.points(table))
            # Rounding must not hide what is equal.
            found[np.isin(ids, table.ids)] = 0.0
            return found

        fresh = to(reference.first(len(reference) // 2))
        rest = to(reference.take(slice(len(reference) // 2, None)))
        near = np.minimum(fresh, rest)

        def attacked(distances: np.ndarray, calibration: np.ndarray) -> dict[str, Outcome]:
            scores = attacks(distances, calibration)
            return outcomes(scores, len(comparison.train), comparison.rng("ties"))

        found = attacked(to(comparison.synthetic), near)
        expected = attacked(fresh, rest)
        baseline = attacked(to(comparison.independent), near)
        by_area, by_reach = _by_area(found), _by_reach(found)
        needed = rows_for_reach(RATE, tests=len(found))
        details = {
            "attacks": {
                name: {
                    "auc": outcome.area,
                    "tpr": outcome.reach,
                    "tpr_low": outcome.reach_interval.low,
                    "tpr_high": outcome.reach_interval.high,
                }
                for name, outcome in found.items()
            },
            "members": len(comparison.train),
            "non_members": len(others),
            "reference_rows": len(reference),
        }
        return [
            self.figures[0].score(
                found[by_area].area,
                interval=found[by_area].area_interval,
                reference=expected[_by_area(expected)].area,
                baseline=baseline[_by_area(baseline)].area,
                details={"best": by_area, **details},
            ),
            self.figures[1].score(
                found[by_reach].reach,
                interval=found[by_reach].reach_interval,
                reference=expected[_by_reach(expected)].reach,
                baseline=baseline[_by_reach(baseline)].reach,
                problem=""
                if len(others) >= needed
                else f"Only {len(others):,} rows stand against the training rows; with fewer than "
                f"{needed:,} (a holdout of {2 * needed:,}) no leak can be shown by this figure.",
                details={"best": by_reach, "false_positive_rate": RATE, **details},
            ),
        ]

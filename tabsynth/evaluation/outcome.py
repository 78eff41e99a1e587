"""Outcome: how far one membership attack got, from the scores it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tabsynth.evaluation.advantage import advantage
from tabsynth.evaluation.intervals import area, area_interval, clopper_pearson, reach
from tabsynth.evaluation.result import Finding, Interval

RATE = 0.01
"""False positive rate at which attacks are judged."""
RARE = 0.001
"""A lower one, where at least ten unseen rows are beyond it."""
CURVE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""False positive rates of the drawn curve."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """How far one attack got on some rows.

    Attributes
    ----------
    title : str
        The attack in words.
    problem : str
        Why it could not be run; the rest says nothing then.
    members, others : int
        How many rows it was judged on.
    area, reach : float
        Area under the ROC curve; share of members found at a false positive rate of `RATE`.
    area_interval, reach_interval : Interval
        All attacks' intervals hold together.
    p_value, p_reversed : float
        Of training rows scoring higher than unseen ones, and of the contrary.
    halves : mapping
        Rates at the threshold of one half of the others, on the other half and on the members.
    roc : mapping
        False and true positive rates, for drawing.
    rare : mapping
        Reach at `RARE`, where rows allow.
    """

    title: str
    problem: str = ""
    members: int = 0
    others: int = 0
    area: float = 0.5
    reach: float = 0.0
    area_interval: Interval = field(default_factory=lambda: Interval(0.0, 1.0))
    reach_interval: Interval = field(default_factory=lambda: Interval(0.0, 1.0))
    p_value: float = 1.0
    p_reversed: float = 1.0
    halves: dict[str, float] = field(default_factory=dict)
    roc: dict[str, list[float]] = field(default_factory=dict)
    rare: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        title: str,
        members: np.ndarray,
        others: np.ndarray,
        rng: np.random.Generator,
        tests: int,
    ) -> Outcome:
        """Judge the scores of training rows and of unseen rows; without either nothing is found.

        Parameters
        ----------
        title : str
        members, others : ndarray of float
        rng : Generator
            Breaks ties of the reach.
        tests : int
            How many attacks' intervals hold together.
        """
        if not len(members) or not len(others):
            return cls(title, "", len(members), len(others))
        value, variance = area(members, others)
        smaller = min(len(members), len(others))
        share, interval = reach(members, others, RATE, rng, tests=tests)
        rare = {}
        if len(others) * RARE >= 10:
            at_rare, span = reach(members, others, RARE, rng, tests=tests)
            rare = {"rate": RARE, "tpr": at_rare, "tpr_low": span.low, "tpr_high": span.high}
        return cls(
            title,
            "",
            len(members),
            len(others),
            value,
            share,
            area_interval(value, variance, smaller, tests=tests),
            interval,
            advantage(members, others),
            advantage(others, members),
            at_half(members, others, rng),
            curve(members, others),
            rare,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for the details of a score."""
        if self.problem:
            return {"problem": self.problem}
        return {
            "auc": self.area,
            "auc_low": self.area_interval.low,
            "auc_high": self.area_interval.high,
            "tpr": self.reach,
            "tpr_low": self.reach_interval.low,
            "tpr_high": self.reach_interval.high,
            "p_value": self.p_value,
            "members": self.members,
            "non_members": self.others,
            **({"halves": self.halves} if self.halves else {}),
            **({"rare": self.rare} if self.rare else {}),
        }

    def finding(self, population: str) -> Finding:
        """Return what the attack says of a population."""
        return Finding(
            f"{self.title}, on {population}",
            "membership",
            2,
            None if self.problem else self.p_value,
            problem=self.problem,
        )


def at_half(members: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Return both rates at a threshold chosen on one half of the others, judged on the rest.

    Rates have intervals of Clopper and Pearson, which hold for this threshold as it is. Empty where
    the half is too small to have a threshold.
    """
    half = len(others) // 2
    if half * RATE < 1:
        return {}
    scores = np.concatenate([members, others])
    ranks = np.empty(len(scores))
    ranks[np.lexsort((rng.random(len(scores)), scores))] = np.arange(len(scores))
    m = len(members)
    threshold = np.sort(ranks[m : m + half])[half - 1 - int(RATE * half)]
    found: dict[str, float] = {}
    for name, side in (("tpr", ranks[:m]), ("fpr", ranks[m + half :])):
        hits = int((side > threshold).sum())
        span = clopper_pearson(hits, len(side))
        found |= {name: hits / len(side), f"{name}_low": span.low, f"{name}_high": span.high}
    return found


def curve(members: np.ndarray, others: np.ndarray) -> dict[str, list[float]]:
    """Return a few points of the ROC curve, most of them at low false positive rates.

    Equal scores are found in proportion, as if ties were broken at random.
    """
    levels, where = np.unique(np.concatenate([members, others]), return_inverse=True)
    found = np.bincount(where[: len(members)], minlength=len(levels))[::-1].cumsum()
    wrong = np.bincount(where[len(members) :], minlength=len(levels))[::-1].cumsum()
    # Of steps straight up the highest is taken.
    shares, last = np.append(0.0, wrong / len(others)), np.append(0.0, found / len(members))
    rates = [rate for rate in CURVE if rate * len(others) >= 1]
    reached = [float(np.interp(rate, shares, last)) for rate in rates]
    return {"fpr": rates, "tpr": reached}

"""Many runs: fits with and without one row, told apart by what their synthetic rows look like."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tabsynth.audit.base import Audit, Job, Run, audits
from tabsynth.audit.ground import together
from tabsynth.audit.learner import Rule
from tabsynth.audit.probes import RowProbe, Sight
from tabsynth.audit.ranks import area_of_few
from tabsynth.audit.result import MethodResult
from tabsynth.audit.wording import reasons_of, word_of
from tabsynth.errors import ConfigError
from tabsynth.evaluation.intervals import area
from tabsynth.evaluation.result import Finding
from tabsynth.privacy.audit import (
    gaussian_mu,
    many_run_epsilon,
    many_run_p_value,
    most_many_run,
    rates,
)

RUNS = 100
"""Fits of each of the two tables."""
FEWEST = 20
MOST_REFERENCE = 1000
"""Most rows that distances are compared with."""


@audits.register("multi-run")
class MultiRun(Audit):
    """Two tables that differ in one row are fitted many times each.

    The row is made of values of the table in a combination that lies alone, the worst case that is
    found. A rule is learnt on half of the runs: a direction among what the synthetic rows say about
    the row, and where to cut it. The other half is judged by it.

    Privacy
    -------
    Attacks private rows themselves; what it returns is exact and confidential.

    References
    ----------
    Jagielski, Ullman and Oprea (2020), arXiv:2006.07709; Nasr et al. (2021), arXiv:2101.04535.
    """

    title = "many runs with and without one row"
    order = 20

    @cached_property
    def _n(self) -> int:
        """Fits of each table."""
        asked = self.setting.runs
        if asked is not None and asked < FEWEST:
            raise ConfigError(
                f"An audit with and without a row takes at least {FEWEST} runs of each table, half "
                f"of which are judged. Got {asked}."
            )
        return RUNS if asked is None else asked

    @cached_property
    def job(self) -> Job:
        """The runs without the row and those with it, in turn."""
        setting = self.setting
        n = len(setting.frame)
        target = setting.ground.craft(1)
        pool = together([setting.frame, target])
        rng = setting.streams.numpy("reference")
        reference = np.sort(rng.permutation(n)[:MOST_REFERENCE])
        sight = Sight(
            pool.iloc[[n]].reset_index(drop=True),
            pool.iloc[reference].reset_index(drop=True),
            setting.schema,
            n,
            setting.streams.child("probe"),
        )
        sides = (np.arange(n), np.arange(n + 1))
        runs = [
            Run(sides[place % 2], setting.streams.integer(f"run {place}"))
            for place in range(2 * self._n)
        ]
        return setting.job(pool, RowProbe(sight), runs)

    @property
    def summary(self) -> str:
        """What will be done."""
        return f"{2 * self._n:,} fits, {self._n:,} with and {self._n:,} without one made row"

    def settings(self) -> dict[str, Any]:
        """Return the number of runs of each table."""
        return {"runs": self._n}

    def judge(self, seen: Sequence[np.ndarray]) -> MethodResult:
        """Learn a rule on the first half, and count on the second."""
        setting = self.setting
        features = np.array([values[0] for values in seen])
        inside = np.arange(len(features)) % 2 == 1
        learnt = np.arange(len(features)) < 2 * (self._n // 2)
        rng = setting.streams.numpy("folds")
        rule = Rule.learn(features[learnt], inside[learnt], rng, setting.delta)
        scores = rule.scores(features[~learnt])
        sides = scores[inside[~learnt]], scores[~inside[~learnt]]
        found, wrong = (int((side > rule.threshold).sum()) for side in sides)
        counts = (found, len(sides[0]), wrong, len(sides[1]))
        epsilon = many_run_epsilon(*counts, alpha=setting.level, delta=setting.delta)
        p_value = many_run_p_value(*counts, setting.epsilon, setting.slack)
        each = len(sides[0])
        largest = most_many_run(each, each, alpha=setting.level, delta=setting.delta)
        word = word_of(setting, p_value, largest > setting.epsilon)
        power, alarms = rates(*counts, setting.level)
        value = area(*sides)[0]
        interval = area_of_few(value, each, 1 - setting.level)
        said = (
            f"The row was said to be there in {found:,} of {each:,} runs with it and in {wrong:,} "
            f"of {each:,} without it (area under the ROC curve {value:.2f}, interval "
            f"{interval.low:.2f} to {interval.high:.2f})."
        )
        return MethodResult(
            "multi-run",
            self.title,
            word,
            epsilon,
            1 - setting.level,
            largest,
            "A rule learnt on half of the runs judged the others, and epsilon is bounded by the "
            "exact bounds (Clopper-Pearson) of how often it was right and wrong.",
            self._smallest(each),
            reasons_of(setting, word, epsilon, largest, said),
            len(features),
            (Finding(self.title, "membership", 3, p_value, p_value),),
            {
                "runs_each": self._n,
                "judged_each": each,
                "found": found,
                "wrong": wrong,
                "tpr_low": power,
                "fpr_high": alarms,
                "auc": value,
                "auc_low": interval.low,
                "auc_high": interval.high,
                "gaussian_mu": gaussian_mu(*counts, alpha=setting.level),
            },
        )

    def _smallest(self, each: int) -> str:
        """Return in how many runs the row would have had to be found without a false alarm."""
        setting = self.setting
        for found in range(each + 1):
            bound = many_run_epsilon(found, each, 0, each, alpha=setting.level, delta=setting.slack)
            if bound > setting.epsilon:
                return (
                    f"A leak would have been detected if the row had been found in {found:,} of "
                    f"{each:,} runs with it without a false alarm."
                )
        return f"Nothing could have been detected in {each:,} runs of each table: take more."

"""Shadow models: fits on random halves of the rows, asked about the most vulnerable ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tabsynth.audit.base import Audit, Job, Run, audits
from tabsynth.audit.learner import Rule
from tabsynth.audit.probes import RowProbe, Sight
from tabsynth.audit.ranks import area_of_few, fewest_runs_separate, rank_p_value
from tabsynth.audit.result import MethodResult
from tabsynth.audit.wording import reasons_of, word_of
from tabsynth.errors import ConfigError
from tabsynth.evaluation.intervals import area
from tabsynth.evaluation.result import Finding
from tabsynth.evaluation.verdict import holm
from tabsynth.privacy.audit import many_run_epsilon, many_run_p_value, most_many_run

RUNS = 32
"""Shadow fits."""
FEWEST = 16
NUMBERS = range(1, 21)
"""How many rows may be looked for."""
MOST_REFERENCE = 1000
"""Most rows that distances are compared with."""
FEWEST_ROWS = 40


@audits.register("shadow")
class Shadow(Audit):
    """Many fits, each on a random half of the rows, asked whether a few rows were among them.

    The rows are those that lie most alone. For each a rule is learnt on half of the fits from the
    counts of random combinations of its values among the synthetic rows, and judged on the other
    half. Whether a row is learnt does not depend on whether another one is.

    Privacy
    -------
    Attacks private rows themselves; what it returns is exact and confidential. Rows are named by
    their numbers.

    References
    ----------
    Stadler, Oprisanu and Troncoso (2022), arXiv:2011.07018 (shadow models of synthetic data);
    Houssiau et al. (2022), arXiv:2211.06550 (counts as features); Meeus et al. (2023),
    arXiv:2306.10308 (choice of the rows).
    """

    title = "shadow models"
    order = 30

    @cached_property
    def _n(self) -> int:
        asked, rows = self.setting.runs, len(self.setting.frame)
        if rows < FEWEST_ROWS:
            raise ConfigError(
                f"An audit with shadow models needs at least {FEWEST_ROWS} rows, as each learns "
                f"half of them. The table has {rows}."
            )
        if asked is not None and asked < FEWEST:
            raise ConfigError(
                f"An audit with shadow models takes at least {FEWEST} runs, half of which are "
                f"judged. Got {asked}."
            )
        return RUNS if asked is None else asked

    @cached_property
    def _targets(self) -> np.ndarray:
        """The rows in question: as many as a perfect attack could still be told from chance."""
        setting, judged = self.setting, self._n - self._n // 2
        sides = judged // 2, judged - judged // 2
        able = [fewest_runs_separate(*sides) * n <= setting.level for n in NUMBERS]
        if setting.claim is not None:
            bounds = [
                most_many_run(*sides, alpha=setting.level / n, delta=setting.delta) for n in NUMBERS
            ]
            # Fewer rows leave room above the claim: half of what is there for a single row.
            able = [2 * bound >= setting.claim + bounds[0] for bound in bounds]
        return setting.ground.loneliest(max([n for n in NUMBERS if able[n - 1]], default=1))

    @cached_property
    def _inside(self) -> np.ndarray:
        """Which run learns which target, bool of shape (n_runs, n_targets).

        In both halves of the runs every target is learnt by half of them.
        """
        rng = self.setting.streams.numpy("targets learnt")
        halves = []
        for n in (self._n // 2, self._n - self._n // 2):
            chosen = np.zeros((n, len(self._targets)), dtype=bool)
            chosen[: n // 2] = True
            halves.append(rng.permuted(chosen, axis=0))
        return np.concatenate(halves)

    @cached_property
    def job(self) -> Job:
        """The shadow fits."""
        setting, frame = self.setting, self.setting.frame
        others = np.setdiff1d(np.arange(len(frame)), self._targets)
        runs = []
        for place, inside in enumerate(self._inside):
            rng = setting.streams.numpy(f"half {place}")
            half = rng.permutation(others)[: len(others) // 2]
            rows = np.sort(np.concatenate([half, self._targets[inside]]))
            runs.append(Run(rows, setting.streams.integer(f"run {place}")))
        rng = setting.streams.numpy("reference")
        reference = np.sort(rng.permutation(others)[:MOST_REFERENCE])
        sight = Sight(
            frame.iloc[self._targets].reset_index(drop=True),
            frame.iloc[reference].reset_index(drop=True),
            setting.schema,
            len(frame) // 2,
            setting.streams.child("probe"),
        )
        return setting.job(frame, RowProbe(sight), runs)

    @property
    def summary(self) -> str:
        """What will be done."""
        return (
            f"{self._n:,} fits on random halves of the rows, looking for the {len(self._targets)} "
            "rows that lie most alone"
        )

    def settings(self) -> dict[str, Any]:
        """Return the number of fits."""
        return {"runs": self._n}

    def judge(self, seen: Sequence[np.ndarray]) -> MethodResult:
        """Learn and judge a rule for each target."""
        setting, n_targets = self.setting, len(self._targets)
        features = np.array(seen)
        learnt = np.arange(self._n) < self._n // 2
        level = setting.level / n_targets
        records: list[dict[str, Any]] = []
        for place, row in enumerate(self._targets):
            inside, mine = self._inside[:, place], features[:, place]
            rng = setting.streams.numpy(f"folds {place}")
            rule = Rule.learn(mine[learnt], inside[learnt], rng, setting.delta)
            scores = rule.scores(mine[~learnt])
            sides = scores[inside[~learnt]], scores[~inside[~learnt]]
            found, wrong = (int((side > rule.threshold).sum()) for side in sides)
            counts = (found, len(sides[0]), wrong, len(sides[1]))
            value = area(*sides)[0]
            smaller = min(len(sides[0]), len(sides[1]))
            interval = area_of_few(value, smaller, 1 - setting.level, n_targets)
            p_value = (
                rank_p_value(*sides)
                if setting.claim is None
                else many_run_p_value(*counts, setting.claim, setting.delta)
            )
            records.append(
                {
                    "row": int(row) + 1,
                    "auc": value,
                    "auc_low": interval.low,
                    "auc_high": interval.high,
                    "found": found,
                    "wrong": wrong,
                    "epsilon": many_run_epsilon(*counts, alpha=level, delta=setting.delta),
                    "p_value": p_value,
                }
            )
        findings = holm(
            [
                Finding(f"{self.title}, row {one['row']:,}", "membership", 3, one["p_value"])
                for one in records
            ]
        )
        return self._result(records, findings)

    def _result(self, records: list[dict[str, Any]], findings: tuple[Finding, ...]) -> MethodResult:
        setting = self.setting
        level = setting.level / len(records)
        judged = self._n - self._n // 2
        inside, outside = judged // 2, judged - judged // 2
        worst = min(records, key=lambda one: (one["p_value"], -one["auc"]))
        epsilon = max(one["epsilon"] for one in records)
        largest = most_many_run(inside, outside, alpha=level, delta=setting.delta)
        adjusted = findings[0].adjusted
        assert adjusted is not None
        least = fewest_runs_separate(inside, outside)
        # Without a claim ranks are tested, which see more than a bound on epsilon does.
        able = least <= level if setting.claim is None else largest > setting.claim
        word = word_of(setting, adjusted, able)
        found = (
            f"Of {len(records)} rows the most exposed is row {worst['row']:,}: fits that learnt it "
            f"are told from others with an area under the ROC curve of {worst['auc']:.2f} "
            f"(interval {worst['auc_low']:.2f} to {worst['auc_high']:.2f}, p = "
            f"{adjusted:.2g} after correction for {len(records)} rows)."
        )
        return MethodResult(
            "shadow",
            self.title,
            word,
            epsilon,
            1 - setting.level,
            largest,
            "For each row a logistic regression on counts of its values among the synthetic rows "
            "was learnt on half of the fits and judged on the other half; p-values are exact and "
            "corrected after Holm.",
            f"A row would have been detected if all {inside} judged fits that learnt it had looked "
            f"likelier than all {outside} that did not (p = {least:.2g} before correction)."
            if able
            else f"Nothing could have been detected in {self._n} fits: take more.",
            reasons_of(setting, word, epsilon, largest, found),
            self._n,
            findings,
            {"judged_with_each_row": inside, "judged_without": outside, "rows": records},
        )

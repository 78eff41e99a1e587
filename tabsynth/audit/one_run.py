"""One run: coins decide which canaries are learnt, and one fit is asked which they were."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tabsynth.audit.base import Audit, Job, Run, audits
from tabsynth.audit.ground import together
from tabsynth.audit.probes import CanaryProbe, Sight, ordered_attacks
from tabsynth.audit.result import MethodResult
from tabsynth.audit.wording import reasons_of, word_of
from tabsynth.errors import ConfigError
from tabsynth.evaluation.result import Finding
from tabsynth.privacy.audit import fewest_correct, most_one_run, one_run_epsilon, one_run_p_value

MOST_CANARIES = 1000
"""As many as there are by default, where the table has five times as many rows."""
FEWEST = 16
MOST_REFERENCE = 5000
"""Most of the other rows that attackers compare with."""
GUESSES = ((1 / 2, 1 / 2), (1 / 4, 1 / 4), (1 / 8, 1 / 8), (1 / 8, 0.0), (1 / 32, 0.0))
"""Shares of the canaries that are said to be in, those with the highest scores, and to be out."""


@audits.register("one-run")
class OneRun(Audit):
    """Each canary is learnt or not by a fair coin; attacks on one fit guess the coins.

    Half of the canaries are the rows of the table that lie most alone, half are made of values of
    the table in combinations that lie alone. All other rows are always learnt. Attackers know
    those, all canaries and the synthetic rows, not the coins. Guesses are made by the nearest
    synthetic row and by all attacks together, about all canaries or about the most conspicuous;
    which it is was fixed before, and the level is shared out among them.

    Privacy
    -------
    Attacks private rows themselves; what it returns is exact and confidential.

    References
    ----------
    Steinke, Nasr and Jagielski (2023), arXiv:2305.08846.
    """

    title = "one run with canaries"
    order = 10

    @cached_property
    def job(self) -> Job:
        """One run."""
        setting = self.setting
        n, n_made = len(setting.frame), len(self._made)
        pool = together([setting.frame, self._made])
        canaries = np.concatenate([self._natural, np.arange(n, n + n_made)])
        others = np.setdiff1d(np.arange(n), self._natural)
        rows = np.sort(np.concatenate([others, canaries[self._coins]]))
        rng = setting.streams.numpy("reference")
        reference = np.sort(rng.permutation(others)[:MOST_REFERENCE])
        sight = Sight(
            pool.iloc[canaries].reset_index(drop=True),
            pool.iloc[reference].reset_index(drop=True),
            setting.schema,
            n,
            setting.streams.child("probe"),
        )
        return setting.job(pool, CanaryProbe(sight), [Run(rows, setting.streams.integer("run"))])

    @cached_property
    def _n_canaries(self) -> int:
        n, asked = len(self.setting.frame), self.setting.canaries
        most = n // 2
        if most < FEWEST:
            raise ConfigError(
                f"An audit with canaries needs at least {2 * FEWEST} rows. The table has {n}."
            )
        if asked is None:
            return min(MOST_CANARIES, max(FEWEST, n // 5))
        if not FEWEST <= asked <= most:
            raise ConfigError(
                f"There can be {FEWEST} to {most:,} canaries (half of the {n:,} rows). Got "
                f"{asked:,}."
            )
        return asked

    @cached_property
    def _natural(self) -> np.ndarray:
        return self.setting.ground.loneliest(self._n_canaries // 2)

    @cached_property
    def _made(self) -> Any:
        return self.setting.ground.craft(self._n_canaries - len(self._natural))

    @cached_property
    def _coins(self) -> np.ndarray:
        coins: np.ndarray = self.setting.streams.numpy("coins").integers(0, 2, self._n_canaries) > 0
        return coins

    @property
    def summary(self) -> str:
        """What will be done."""
        return (
            f"1 fit with {self._n_canaries:,} canaries, each learnt or not by a fair coin "
            f"({len(self._natural):,} rows of the table that lie alone, {len(self._made):,} made)"
        )

    def settings(self) -> dict[str, Any]:
        """Return the number of canaries."""
        return {"canaries": self._n_canaries}

    def judge(self, seen: Sequence[np.ndarray]) -> MethodResult:
        """Guess the coins and count."""
        setting, m = self.setting, self._n_canaries
        suspicions = self._suspicions(seen[0])
        tests = len(suspicions) * len(GUESSES)
        level = setting.level / tests
        table: list[dict[str, Any]] = []
        for by, suspicion in suspicions.items():
            order = np.argsort(-suspicion, kind="stable")
            for share_in, share_out in GUESSES:
                k_in = max(1, int(share_in * m))
                k_out = m - k_in if share_in + share_out == 1 else int(share_out * m)
                right = int(self._coins[order[:k_in]].sum())
                right += int((~self._coins[order[m - k_out :]]).sum())
                guesses = k_in + k_out
                counts = (m, guesses, right)
                table.append(
                    {
                        "by": by,
                        "said_in": k_in,
                        "said_out": k_out,
                        "right": right,
                        "p_value": one_run_p_value(*counts, setting.epsilon, setting.slack),
                        "epsilon": one_run_epsilon(*counts, alpha=level, delta=setting.delta),
                    }
                )
        best = min(table, key=lambda row: (-row["epsilon"], row["p_value"]))
        epsilon = best["epsilon"]
        p_value = min(1.0, tests * min(row["p_value"] for row in table))
        largest = most_one_run(m, m, alpha=level, delta=setting.delta)
        word = word_of(setting, p_value, largest > setting.epsilon)
        guesses = best["said_in"] + best["said_out"]
        found = (
            f"Of {guesses:,} guesses about which canaries had been learnt, made by {best['by']}, "
            f"{best['right']:,} were right ({best['right'] / guesses:.0%}; guessing blindly gets "
            "half of them)."
        )
        return MethodResult(
            "one-run",
            self.title,
            word,
            epsilon,
            1 - setting.level,
            largest,
            "Epsilon is refuted up to where so many right guesses would have a chance of at most "
            f"{setting.level:.2g}, shared out among {tests} ways to guess (Steinke, Nasr and "
            "Jagielski 2023).",
            self._smallest(level),
            reasons_of(setting, word, epsilon, largest, found),
            1,
            (Finding(f"{self.title}: guesses by {best['by']}", "membership", 3, p_value, p_value),),
            {
                "canaries": m,
                "natural": len(self._natural),
                "made": len(self._made),
                "learnt": int(self._coins.sum()),
                "guesses": table,
            },
        )

    def _suspicions(self, seen: np.ndarray) -> dict[str, np.ndarray]:
        """Return scores of the canaries, each among its kind, ties broken at random."""
        from scipy.stats import rankdata

        titles = [kind.title for kind in ordered_attacks()]
        kinds = np.repeat([0, 1], [len(self._natural), len(self._made)])
        rng = self.setting.streams.numpy("ties")
        ranked = {}
        for title, scores in zip(titles, seen, strict=True):
            if np.isnan(scores).any():
                continue
            ranks = np.zeros(len(scores))
            for kind in (0, 1):
                some = kinds == kind
                ranks[some] = rankdata(scores[some]) / (some.sum() + 1)
            ranked[title] = ranks
        found = {"all attacks together": np.mean(list(ranked.values()), axis=0)}
        first = next((title for title in titles if title in ranked), None)
        if first is not None:
            found[f"the {first}"] = ranked[first]
        return {by: ranks + 1e-6 * rng.random(len(ranks)) for by, ranks in found.items()}

    def _smallest(self, level: float) -> str:
        """Return how many guesses would have had to be right."""
        setting, m = self.setting, self._n_canaries
        fewest = fewest_correct(m, m, alpha=level, epsilon=setting.epsilon, delta=setting.slack)
        if fewest is None:
            return f"Nothing could have been detected with {m:,} canaries: take more."
        return (
            f"A leak would have been detected if {fewest / m:.0%} of the guesses about all {m:,} "
            "canaries had been right."
        )

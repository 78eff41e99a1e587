"""Power: the smallest leak that the attacks would have seen, found by planting one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.advantage import advantage
from tabsynth.evaluation.attacks import Scene
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import fisher
from tabsynth.evaluation.disclosure import scene_of

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Shares of the synthetic rows that are replaced by copies of training rows."""
DRAWS = 10
"""How often each share is planted."""
ENOUGH = 8
"""In how many of those draws it must be detected."""


def smallest_leak(comparison: Comparison, level: float) -> float | None:
    """Return the smallest share of planted copies that would have been detected.

    Synthetic rows drawn at random are replaced by training rows drawn at random, and the tests of
    exact copies and of the nearest synthetic row, as it is and compared with a reference, are
    taken again. A share counts as detected if it is in `ENOUGH` of `DRAWS` draws. Distances are
    not measured again: a planted row is 0 away from its original, and a synthetic row that it
    replaced is passed over for the next nearest.

    Parameters
    ----------
    comparison : Comparison
        With a holdout.
    level : float
        A planted leak is detected if a test has at most this p-value: alpha over the number of
        all tests, since then it is below alpha after Holm's correction.

    Returns
    -------
    float or None
        One of `SHARES`; None if none of them would have been detected.
    """
    planting = _Planting.of(comparison)
    for share in SHARES:
        rng = comparison.rng(f"planting {share}")
        seen = missed = 0
        while seen < ENOUGH and missed <= DRAWS - ENOUGH:
            if planting.p_value(share, rng, level) <= level:
                seen += 1
            else:
                missed += 1
        if seen == ENOUGH:
            return share
    return None


@dataclass(frozen=True, eq=False)
class _Planting:
    """What is known once for all draws.

    Attributes
    ----------
    scene : Scene
    alone : ndarray of bool, shape (n_complete_train,)
        Which training rows no other real row equals.
    hit : ndarray of bool, shape (n_complete_train,)
        Which training rows are in the synthetic table as it is.
    other_hits, others : int
        Unseen rows that no other real row equals: how many are in the synthetic table, and all.
    n_synthetic : int
        Rows of the complete synthetic table.
    visible : float
        Chance that both a planted row and its original are among the sampled rows.
    which : ndarray of int, shape (n_candidates,)
        Equal candidates have equal numbers.
    """

    scene: Scene
    alone: np.ndarray
    hit: np.ndarray
    other_hits: int
    others: int
    n_synthetic: int
    visible: float
    which: np.ndarray

    @classmethod
    def of(cls, comparison: Comparison) -> _Planting:
        scene = comparison.once(scene_of)
        train, holdout, made = (
            comparison.complete[name].ids for name in ("train", "holdout", "synthetic")
        )
        real = np.concatenate([train, holdout])
        _, where, sizes = np.unique(real, return_inverse=True, return_counts=True)
        alone, hit = sizes[where] == 1, np.isin(real, made)
        m = len(train)
        parts = ((scene.n_members, m), (len(scene.synthetic), len(made)))
        return cls(
            scene,
            alone[:m],
            hit[:m],
            int((alone & hit)[m:].sum()),
            int(alone[m:].sum()),
            len(made),
            float(np.prod([some / all_ for some, all_ in parts])),
            np.unique(scene.candidates.ids, return_inverse=True)[1],
        )

    def p_value(self, share: float, rng: np.random.Generator, level: float) -> float:
        """Return the smallest p-value with planted copies, or the first that is at most `level`."""
        planted = min(max(1, round(share * self.n_synthetic)), len(self.alone))
        hit = self.hit.copy()
        hit[rng.choice(len(hit), planted, replace=False)] = True
        least = fisher(
            int((hit & self.alone).sum()), int(self.alone.sum()), self.other_hits, self.others
        )
        if least <= level:
            return least
        scene, m, n = self.scene, self.scene.n_members, self.scene.n_calibrated
        seen = min(rng.binomial(planted, self.visible), m)
        replaced = np.zeros(len(scene.synthetic), dtype=bool)
        replaced[rng.choice(len(replaced), round(share * len(replaced)), replace=False)] = True
        near = self._passing_over(replaced)
        copied = np.zeros(int(self.which.max()) + 1, dtype=bool)
        copied[self.which[rng.choice(m, seen, replace=False)]] = True
        near[copied[self.which]] = 0.0
        usual = scene.to_reference.first
        small = 0.01 * float(np.median(usual)) + 1e-6
        ratio = np.log((usual + small) / (near[:n] + small))
        for scores in (-near, usual - near[:n], ratio):
            least = min(least, advantage(scores[:m], scores[m:]))
            if least <= level:
                break
        return least

    def _passing_over(self, replaced: np.ndarray) -> np.ndarray:
        """Return the distances to the nearest synthetic row that was not replaced."""
        found = self.scene.to_synthetic
        left = ~replaced[found.places]
        left[:, -1] = True
        first = left.argmax(axis=1)
        near: np.ndarray = found.distances[np.arange(len(first)), first].copy()
        return near

"""Critic: boosted trees that tell drawn rows from real ones, so that the likelier are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.layout import Layout
from tabsynth.models.trees.oblivious import MOST_COLUMNS, Oblivious, binned, cuts_of
from tabsynth.monitor import Monitor, Progress, ignore

MOST_ROWS = 6_000
"""Most rows of either kind that one tree is grown on, drawn at random for each."""


@dataclass(frozen=True, eq=False)
class Critic(Oblivious):
    """Oblivious trees that add up to the logarithm of the odds of being real."""

    @classmethod
    def fit(
        cls,
        layout: Layout,
        real: np.ndarray,
        drawn: np.ndarray,
        rounds: int,
        rng: np.random.Generator,
        monitor: Monitor = ignore,
    ) -> Self:
        """Grow `rounds` trees.

        Parameters
        ----------
        layout : Layout
        real, drawn : ndarray of float32, shape (n_blocks, n_rows)
            As `column_of` gives them, real rows and drawn ones.
        rounds : int
        rng : Generator
        monitor : callable
        """
        nominal = np.array([block.is_nominal for block in layout])
        cuts = np.stack([cuts_of(column) for column in real])
        bins = np.concatenate([binned(cuts, real), binned(cuts, drawn)], axis=1)
        n_real, n = real.shape[1], bins.shape[1]
        label = np.arange(n) < n_real
        prior = np.where(label, 0.5 * n / n_real, 0.5 * n / (n - n_real))
        logit = np.zeros(n)
        critic = cls.empty(cuts, rounds)
        varying = np.flatnonzero(np.ptp(bins, axis=1) > 0)
        if not len(varying):
            return critic
        for tree in range(rounds):
            monitor(Progress("growing the critic", tree, rounds))
            rows = np.concatenate(
                [
                    rng.permutation(n_real)[: min(MOST_ROWS, -(-n_real // 2))],
                    n_real + rng.permutation(n - n_real)[: min(MOST_ROWS, -(-(n - n_real) // 2))],
                ]
            )
            columns = rng.permutation(varying)[:MOST_COLUMNS]
            share = 1.0 / (1.0 + np.exp(-logit[rows]))
            gradient = (label[rows] - share) * prior[rows]
            weight = share * (1 - share) * prior[rows]
            critic.grow(tree, columns, nominal, bins[:, rows], gradient, weight)
            logit += critic.values[tree][critic.leaves(tree, bins)]
        monitor(Progress("growing the critic", rounds, rounds))
        return critic

    def score(self, columns: np.ndarray) -> np.ndarray:
        """Return the logarithm of the odds of being real, float64 of shape (n_rows,)."""
        return self.outputs(columns)

"""Critic: boosted trees that tell drawn rows from real ones, so that the likelier are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.layout import Layout
from tabsynth.models.trees.arrays import Arrays
from tabsynth.monitor import Monitor, Progress, ignore

BINS = 64
"""Most bins in which the critic sees a block."""
DEPTH = 5
"""Questions that each tree asks."""
RATE = 0.2
"""Share of each tree's step that is taken."""
MOST_BLOCKS = 16
"""Most blocks that one tree chooses from, drawn at random for each."""
MOST_ROWS = 6_000
"""Most rows of either kind that one tree is grown on, drawn at random for each."""
RIDGE = 20.0
"""Rows by which leaves of few rows are held back."""


@dataclass(frozen=True, eq=False)
class Critic(Arrays):
    """Oblivious boosted trees: every tree asks the same questions of all rows.

    Attributes
    ----------
    cuts : ndarray of float32, shape (n_blocks, n_cuts)
        Ends of the bins of each block, ascending; infinite where there are fewer.
    block, bin : ndarray of int32, shape (n_trees, depth)
        What each question is about.
    equal : ndarray of bool, shape (n_trees, depth)
        Whether it asks for this very bin; else, for one beyond it.
    values : ndarray of float32, shape (n_trees, 2**depth)
        What the answers add to the logarithm of the odds of being real.
    """

    cuts: np.ndarray
    block: np.ndarray
    bin: np.ndarray
    equal: np.ndarray
    values: np.ndarray

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
        cuts = np.stack([_cuts(column) for column in real])
        bins = np.concatenate([_binned(cuts, real), _binned(cuts, drawn)], axis=1)
        n_real, n = real.shape[1], bins.shape[1]
        label = np.arange(n) < n_real
        prior = np.where(label, 0.5 * n / n_real, 0.5 * n / (n - n_real))
        logit = np.zeros(n)
        critic = cls(
            cuts,
            np.zeros((rounds, DEPTH), dtype=np.int32),
            np.zeros((rounds, DEPTH), dtype=np.int32),
            np.zeros((rounds, DEPTH), dtype=bool),
            np.zeros((rounds, 1 << DEPTH), dtype=np.float32),
        )
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
            blocks = rng.permutation(varying)[:MOST_BLOCKS]
            share = 1.0 / (1.0 + np.exp(-logit[rows]))
            gradient = (label[rows] - share) * prior[rows]
            weight = share * (1 - share) * prior[rows]
            critic._grow(tree, blocks, nominal, bins[:, rows], gradient, weight)
            logit += critic.values[tree][critic._leaves(tree, bins)]
        monitor(Progress("growing the critic", rounds, rounds))
        return critic

    def _grow(
        self,
        tree: int,
        blocks: np.ndarray,
        nominal: np.ndarray,
        bins: np.ndarray,
        gradient: np.ndarray,
        weight: np.ndarray,
    ) -> None:
        """Choose the questions of one tree and set its values."""
        some = bins[blocks].astype(np.int64)
        keys = some + BINS * np.arange(len(blocks))[:, None]
        leaf = np.zeros(some.shape[1], dtype=np.int64)
        floor = RIDGE * 0.25
        for level in range(DEPTH):
            place = (keys + leaf * (BINS * len(blocks))).ravel()
            shape = (1 << level, len(blocks), BINS)
            size = (1 << level) * len(blocks) * BINS
            sums = [
                np.bincount(place, np.tile(part, len(blocks)), minlength=size).reshape(shape)
                for part in (gradient, weight)
            ]
            total = [part.sum(axis=2, keepdims=True) for part in sums]
            picked = nominal[blocks][None, :, None]
            inside = [np.where(picked, part, np.cumsum(part, axis=2)) for part in sums]
            gain = np.zeros(shape[1:])
            for first, second in (
                inside,
                [whole - part for whole, part in zip(total, inside, strict=True)],
            ):
                gain += (first**2 / (np.maximum(second, 0.0) + floor)).sum(axis=0)
            chosen, cut = np.unravel_index(int(gain.argmax()), gain.shape)
            self.block[tree, level], self.bin[tree, level] = blocks[chosen], cut
            self.equal[tree, level] = nominal[blocks[chosen]]
            answer = some[chosen] == cut if self.equal[tree, level] else some[chosen] > cut
            leaf |= answer.astype(np.int64) << level
        size = 1 << DEPTH
        sums = [np.bincount(leaf, part, minlength=size) for part in (gradient, weight)]
        self.values[tree] = RATE * sums[0] / (sums[1] + floor)

    def _leaves(self, tree: int, bins: np.ndarray) -> np.ndarray:
        """Return the leaf of each row in one tree."""
        leaf = np.zeros(bins.shape[1], dtype=np.int64)
        for level in range(DEPTH):
            column = bins[self.block[tree, level]]
            cut, equal = self.bin[tree, level], self.equal[tree, level]
            leaf |= (column == cut if equal else column > cut).astype(np.int64) << level
        return leaf

    def score(self, columns: np.ndarray) -> np.ndarray:
        """Return the logarithm of the odds of being real, float64 of shape (n_rows,)."""
        bins = _binned(self.cuts, columns)
        logit = np.zeros(columns.shape[1])
        for tree in range(len(self.values)):
            logit += self.values[tree][self._leaves(tree, bins)]
        return logit


def _cuts(column: np.ndarray) -> np.ndarray:
    """Return the upper ends of bins that hold about equally many rows, float32 (BINS - 1,)."""
    values, counts = np.unique(column, return_counts=True)
    cuts = np.full(BINS - 1, np.inf, dtype=np.float32)
    if len(values) <= BINS:
        cuts[: len(values) - 1] = values[:-1]
        return cuts
    ends = np.cumsum(counts)
    wanted = np.searchsorted(ends, ends[-1] * np.arange(1, BINS) / BINS)
    found = np.unique(values[np.minimum(wanted, len(values) - 2)])
    cuts[: len(found)] = found
    return cuts


def _binned(cuts: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the bin of each cell, uint8 of shape (n_blocks, n_rows)."""
    pairs = zip(cuts, columns, strict=True)
    return np.stack([np.searchsorted(c, column).astype(np.uint8) for c, column in pairs])

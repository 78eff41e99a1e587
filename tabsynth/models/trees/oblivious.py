"""Oblivious boosted trees: every tree asks the same few questions of all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.models.trees.arrays import Arrays

BINS = 64
"""Most bins in which trees see a column."""
DEPTH = 5
"""Questions that each tree asks."""
RATE = 0.2
"""Share of each tree's step that is taken."""
MOST_COLUMNS = 16
"""Most columns that one tree chooses from, drawn at random for each."""
RIDGE = 5.0
"""Weight by which leaves of few rows are held back."""


@dataclass(frozen=True, eq=False)
class Oblivious(Arrays):
    """Oblivious trees, whose answers add up.

    Attributes
    ----------
    cuts : ndarray of float32, shape (n_columns, n_cuts)
        Ends of the bins of each column, ascending; infinite where there are fewer.
    column, bin : ndarray of int32, shape (n_trees, depth)
        What each question is about.
    equal : ndarray of bool, shape (n_trees, depth)
        Whether it asks for this very bin; else, for one beyond it.
    values : ndarray of float32, shape (n_trees, 2**depth)
        What the answers add.
    """

    cuts: np.ndarray
    column: np.ndarray
    bin: np.ndarray
    equal: np.ndarray
    values: np.ndarray

    @classmethod
    def empty(cls, cuts: np.ndarray, rounds: int) -> Self:
        """Return `rounds` trees that add nothing."""
        return cls(
            cuts,
            np.zeros((rounds, DEPTH), dtype=np.int32),
            np.zeros((rounds, DEPTH), dtype=np.int32),
            np.zeros((rounds, DEPTH), dtype=bool),
            np.zeros((rounds, 1 << DEPTH), dtype=np.float32),
        )

    def grow(
        self,
        tree: int,
        columns: np.ndarray,
        nominal: np.ndarray,
        bins: np.ndarray,
        gradient: np.ndarray,
        weight: np.ndarray,
    ) -> None:
        """Choose the questions of one tree and set its values.

        Parameters
        ----------
        tree : int
        columns : ndarray of int
            Those that it may ask about.
        nominal : ndarray of bool, shape (n_columns,)
            Which columns are asked for a single bin.
        bins : ndarray of uint8, shape (n_columns, n_rows)
        gradient, weight : ndarray of float64, shape (n_rows,)
        """
        some = bins[columns].astype(np.int64)
        many = len(columns)
        keys = some + BINS * np.arange(many)[:, None]
        parts = [np.tile(part, many) for part in (gradient, weight)]
        picked = nominal[columns][None, :, None]
        leaf = np.zeros(some.shape[1], dtype=np.int64)
        for level in range(DEPTH):
            place = (keys + leaf * (BINS * many)).ravel()
            shape = (1 << level, many, BINS)
            size = (1 << level) * many * BINS
            sums = [np.bincount(place, part, minlength=size).reshape(shape) for part in parts]
            inside = [np.where(picked, part, np.cumsum(part, axis=2)) for part in sums]
            beyond = [
                part.sum(axis=2, keepdims=True) - some_part
                for part, some_part in zip(sums, inside, strict=True)
            ]
            gain = np.zeros(shape[1:])
            for first, second in (inside, beyond):
                gain += (first**2 / (np.maximum(second, 0.0) + RIDGE)).sum(axis=0)
            chosen, cut = np.unravel_index(int(gain.argmax()), gain.shape)
            self.column[tree, level], self.bin[tree, level] = columns[chosen], cut
            self.equal[tree, level] = nominal[columns[chosen]]
            answer = some[chosen] == cut if self.equal[tree, level] else some[chosen] > cut
            leaf |= answer.astype(np.int64) << level
        up, down = (np.bincount(leaf, part, minlength=1 << DEPTH) for part in (gradient, weight))
        self.values[tree] = RATE * up / (down + RIDGE)

    def leaves(self, tree: int, bins: np.ndarray) -> np.ndarray:
        """Return the leaf of each row in one tree."""
        leaf = np.zeros(bins.shape[1], dtype=np.uint8)
        for level in range(DEPTH):
            column = bins[self.column[tree, level]]
            cut, equal = self.bin[tree, level], self.equal[tree, level]
            leaf |= (column == cut if equal else column > cut).view(np.uint8) << np.uint8(level)
        return leaf

    def outputs(self, columns: np.ndarray) -> np.ndarray:
        """Return what all trees add together, float64 of shape (n_rows,).

        Parameters
        ----------
        columns : ndarray of float32, shape (n_columns, n_rows)
        """
        bins = binned(self.cuts, columns)
        added = np.zeros(columns.shape[1])
        for tree in range(len(self.values)):
            added += self.values[tree][self.leaves(tree, bins)]
        return added


def cuts_of(column: np.ndarray) -> np.ndarray:
    """Return the upper ends of bins that hold about equally many rows, float32 (BINS - 1,).

    A value of more rows than that is a bin by itself, and the others share the bins that are left.
    """
    values, counts = np.unique(column, return_counts=True)
    cuts = np.full(BINS - 1, np.inf, dtype=np.float32)
    if len(values) <= BINS:
        cuts[: len(values) - 1] = values[:-1]
        return cuts
    # A heavy value may cut the bin that it lies in into two, so there are bins for so many at most.
    most = BINS // 3
    largest = np.argsort(-counts, kind="stable")[:most]
    heavy = np.zeros(len(values), dtype=bool)
    for place in largest.tolist():
        if counts[place] * (BINS - heavy.sum()) < counts[~heavy].sum():
            break
        heavy[place] = True
    rest, left = int(counts[~heavy].sum()), BINS - int(heavy.sum())
    while True:
        bin_of = (np.cumsum(np.where(heavy, 0, counts)) - 1) * left // rest
        new = np.append(True, np.diff(bin_of) > 0) | heavy | np.append(False, heavy[:-1])
        if new.sum() <= BINS:
            break
        left -= 1
    ends = values[np.flatnonzero(new)[1:] - 1]
    cuts[: len(ends)] = ends
    return cuts


def binned(cuts: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the bin of each cell, uint8 of shape (n_columns, n_rows)."""
    pairs = zip(cuts, columns, strict=True)
    return np.stack([np.searchsorted(c, column).astype(np.uint8) for c, column in pairs])

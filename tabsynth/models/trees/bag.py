"""Bag: a few trees of one block as arrays, read for all rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.models.trees.alphabet import Alphabet
from tabsynth.models.trees.arrays import Questions

COMMON = 0.05
"""A letter that this share of all rows has stands for itself in every leaf."""


@dataclass(frozen=True, eq=False)
class Bag(Questions):
    """Trees that give each row a leaf, and what the leaves hold.

    Attributes
    ----------
    predictors : ndarray of int32, shape (n_predictors,)
        Blocks that the trees ask about.
    roots : ndarray of int32, shape (n_trees,)
        Node at which each tree begins.
    feature : ndarray of int32, shape (n_nodes,)
        Which of the predictors a node asks about; -1 on a leaf.
    threshold : ndarray of float64, shape (n_nodes,)
        Rows at most so large go left.
    left, right : ndarray of int32, shape (n_nodes,)
        The nodes below; on a leaf `left` is its number.
    scores : ndarray of float32, shape (n_trees, n_codes)
        What takes the place of the codes of nominal predictors, side by side, in each tree.
    starts : ndarray of int64, shape (n_leaves + 1,)
        Where the rows of each leaf begin among those of all leaves.
    ends : ndarray of int64, shape (n_entries,)
        What leaves hold, leaf after leaf: groups of rows, here where each ends.
    low, high : ndarray of float64, shape (n_entries,)
        Between which places of the alphabet each group lies.
    """

    predictors: np.ndarray
    scores: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def leaves(self, tree: int, inputs: np.ndarray) -> np.ndarray:
        """Return the leaf of each row in one tree.

        Parameters
        ----------
        tree : int
        inputs : ndarray of float32, shape (n_rows, n_predictors)
        """
        found: np.ndarray = self.left[self.reached(tree, inputs)]
        return found

    def draw(self, leaves: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a place of the alphabet from each of `leaves`."""
        first, last = self.starts[leaves], self.starts[leaves + 1]
        row = first + np.floor(rng.random(len(leaves)) * (last - first)).astype(np.int64)
        group = np.searchsorted(self.ends, row, side="right")
        low = self.low[group]
        places: np.ndarray = low + (self.high[group] - low) * rng.random(len(leaves))
        return places


def _gaps(low: np.ndarray, starts: np.ndarray, open_: np.ndarray) -> np.ndarray:
    """Return where groups of places are cut in two: at a gap wider than all the rest of them.

    Parameters
    ----------
    low : ndarray of float64, shape (n_rows,)
        Ascending inside each group.
    starts : ndarray of int, shape (n_groups,)
    open_ : ndarray of bool, shape (n_rows,)
        Rows of groups that may be cut.
    """
    n = len(low)
    sizes = np.diff(np.append(starts, n))
    rank = np.arange(n) - np.repeat(starts, sizes)
    gaps = np.diff(low, prepend=low[:1])
    gaps[starts] = 0.0
    widest = np.repeat(np.maximum.reduceat(gaps, starts), sizes)
    width = np.repeat(low[starts + sizes - 1] - low[starts], sizes)
    inside = (rank >= 2) & (np.repeat(sizes, sizes) - rank >= 2)
    found: np.ndarray = open_ & inside & (gaps == widest) & (gaps > width / 2)
    return found


def contents(
    leaves: np.ndarray,
    letters: np.ndarray,
    places: np.ndarray,
    alphabet: Alphabet,
    n_leaves: int,
    floor: int,
) -> dict[str, np.ndarray]:
    """Return `starts`, `ends`, `low` and `high` of a bag.

    A letter that at least `floor` rows of a leaf share, or that is common in the whole table, or
    that has no neighbours, stands for itself. The other rows of the leaf are put together in
    groups of at least `floor` neighbours on the line of letters, which are cut in two where most
    of the way between them is one gap.

    Parameters
    ----------
    leaves, letters : ndarray of int, shape (n_rows,)
        The leaf and the letter of each row.
    places : ndarray of float64, shape (n_rows,)
        Its place inside the letter.
    alphabet : Alphabet
    n_leaves, floor : int
    """
    n_letters, bounds = len(alphabet), alphabet.bounds
    keys = leaves.astype(np.int64) * n_letters + letters
    distinct, where, counts = np.unique(keys, return_inverse=True, return_counts=True)
    letter = distinct % n_letters
    alone = (counts >= floor) | ~alphabet.ordered[letter] | (np.diff(bounds)[letter] >= COMMON)
    solid = alone[where]
    low = np.where(solid, bounds[letters], places)
    high = np.where(solid, bounds[letters + 1], places)
    order = np.lexsort((low, ~solid, leaves))
    leaves, solid, keys = leaves[order], solid[order], keys[order]
    low, high = low[order], high[order]
    part = leaves.astype(np.int64) * 2 + ~solid
    begins = np.flatnonzero(np.diff(part, prepend=-1))
    sizes = np.diff(np.append(begins, len(part)))
    rank = np.arange(len(part)) - np.repeat(begins, sizes)
    groups = np.repeat(np.maximum(1, sizes // floor), sizes)
    group = np.where(solid, 0, rank * groups // np.repeat(sizes, sizes))
    new = np.diff(part, prepend=-1) != 0
    new |= np.where(solid, np.diff(keys, prepend=-1) != 0, np.diff(group, prepend=-1) != 0)
    new |= _gaps(low, np.flatnonzero(new), ~solid)
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(part))
    first, last = low[starts], high[ends - 1]
    # A group reaches half of its own spacing further, but not into the next group of its leaf.
    reach = np.where(solid[starts], 0.0, (last - first) / np.maximum(ends - starts - 1, 1) / 2)
    gap = np.maximum(first[1:] - last[:-1], 0.0) / 2
    beside = (part[starts][1:] == part[starts][:-1]) & ~solid[starts][1:]
    up, down = reach.copy(), reach.copy()
    up[:-1] = np.where(beside, np.minimum(reach[:-1], gap), 0.0)
    down[1:] = np.where(beside, np.minimum(reach[1:], gap), 0.0)
    up[-1:], down[:1] = 0.0, 0.0
    rows = np.bincount(leaves, minlength=n_leaves)
    return {
        "starts": np.concatenate([[0], np.cumsum(rows)]).astype(np.int64),
        "ends": ends.astype(np.int64),
        "low": first - down,
        "high": last + up,
    }

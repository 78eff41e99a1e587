"""Counts of code combinations, and how far an estimate of them is off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import PrivacyError

Groups = Mapping[int, np.ndarray]
"""Of some blocks: the group of each of their codes."""
MOST_CELLS = 1 << 24
"""Most cells of a table of counts."""


@dataclass(frozen=True, eq=False)
class Counts:
    """How often the code combinations of a few blocks occur, exactly or with noise.

    Attributes
    ----------
    blocks : tuple of int
        Indices of blocks.
    values : ndarray of float64, shape (size of block, ...)
        May be negative where there is noise.
    sigma : float
        Standard deviation of the noise of each cell; 0 for exact counts.
    """

    blocks: tuple[int, ...]
    values: np.ndarray
    sigma: float


def with_parent(layout: Layout, block: int) -> tuple[int, ...]:
    """Return a block, with the one that it refines before it where there is one."""
    parent = layout[block].parent
    return (block,) if parent is None else (parent, block)


def counted(table: EncodedTable, blocks: Sequence[int], groups: Groups | None = None) -> np.ndarray:
    """Return the exact counts of the code combinations of a few blocks, int64.

    Raises
    ------
    PrivacyError
        If there would be too many cells.
    """
    shape, columns = [], []
    for block in blocks:
        column, size = table.codes[:, block], int(table.layout.sizes[block])
        if groups is not None and block in groups:
            group = groups[block]
            column, size = group[column], int(group.max()) + 1
        shape.append(size)
        columns.append(column)
    if math.prod(shape) > MOST_CELLS:
        raise PrivacyError(f"A table of {math.prod(shape):,} counts is larger than is allowed.")
    cells = np.ravel_multi_index(tuple(columns), tuple(shape))
    return np.bincount(cells, minlength=math.prod(shape)).reshape(shape)


class Tally:
    """Exact counts of the rows of a table, remembered while they are few.

    Parameters
    ----------
    table : EncodedTable

    Notes
    -----
    Privacy: none of it may leave without noise; for `TrainingData`, and nobody else.
    """

    def __init__(self, table: EncodedTable) -> None:
        self._table = table
        self._groups: Groups | None = None
        self._kept: dict[tuple[int, ...], np.ndarray] = {}
        self._cells = 0

    def counted(self, blocks: Sequence[int], groups: Groups | None = None) -> np.ndarray:
        """Return the counts of the code combinations of a few blocks (see `counted`)."""
        if groups is not self._groups:
            self._groups, self._kept, self._cells = groups, {}, 0
        key = tuple(blocks)
        found = self._kept.get(key)
        if found is None:
            found = counted(self._table, key, groups)
            if self._cells + found.size <= MOST_CELLS:
                self._kept[key] = found.astype(np.int32)
                self._cells += found.size
        return found


def scores(
    table: Tally,
    estimates: Sequence[Counts],
    weights: Sequence[float] | None,
    penalties: Sequence[float] | None,
    groups: Groups | None,
) -> np.ndarray:
    """Return how badly each set is estimated, float64 (n_sets,)."""
    errors = [np.abs(table.counted(e.blocks, groups) - e.values).sum() for e in estimates]
    scores = np.array(errors) - (0.0 if penalties is None else np.asarray(penalties))
    return scores * (1.0 if weights is None else np.asarray(weights))

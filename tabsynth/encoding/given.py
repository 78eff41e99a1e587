"""Given: what rows yet to be made must hold, as codes and offsets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable

CELLS = 16
"""Parts that an offset is cut into where offsets are compared."""


@dataclass(frozen=True)
class Given:
    """What each row must hold: the codes and offsets of some of its blocks.

    Attributes
    ----------
    table : EncodedTable
        One row for every row wanted; it means something in known blocks only.
    known : ndarray of bool, shape (n_rows, n_blocks)
        Which blocks of each row are given. A block and the one that refines it are given together.

    Examples
    --------
    >>> from tabsynth.encoding import Block
    >>> layout = Layout((Block("ward", 3), Block("sex", 2)))
    >>> wanted = EncodedTable.empty(2, layout)
    >>> given = Given(wanted, np.array([[True, False], [True, True]]))
    >>> given.owners(), given.patterns()[1].tolist()
    (['ward', 'sex'], [0, 1])
    """

    table: EncodedTable
    known: np.ndarray

    def __post_init__(self) -> None:
        if self.known.shape != self.table.codes.shape:
            raise ValueError(
                f"known {self.known.shape} does not fit codes {self.table.codes.shape}"
            )
        for number, block in enumerate(self.layout):
            if block.parent is not None and not np.array_equal(
                self.known[:, number], self.known[:, block.parent]
            ):
                raise ValueError(f"block {number} is not given together with its parent")

    @property
    def layout(self) -> Layout:
        """The layout of the rows."""
        return self.table.layout

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def blocks(self) -> np.ndarray:
        """Blocks that any row has given, int64 in ascending order."""
        return np.flatnonzero(self.known.any(axis=0))

    @cached_property
    def offset_columns(self) -> np.ndarray:
        """Columns of offsets of `blocks`, int64 in ascending order."""
        return np.flatnonzero(np.isin(self.layout.offset_blocks, self.blocks))

    def owners(self) -> list[str]:
        """Return the names of the columns that any row has given."""
        return list(dict.fromkeys(self.layout[int(block)].owner for block in self.blocks))

    def take(self, rows: np.ndarray) -> Given:
        """Return the rows at the positions or flags `rows`."""
        return Given(self.table.take(rows), self.known[rows])

    def patterns(self) -> tuple[Given, np.ndarray]:
        """Return every distinct row once, and which of them each row is, int64 (n_rows,)."""
        known = self.known[:, self.blocks]
        with_offset = self.layout.offset_blocks[self.offset_columns]
        parts = (
            known.astype(np.int32),
            np.where(known, self.table.codes[:, self.blocks], 0).astype(np.int32),
            np.where(
                self.known[:, with_offset], self.table.offsets[:, self.offset_columns], 0
            ).astype(np.float32),
        )
        first, which = distinct(np.concatenate([part.view(np.int32) for part in parts], axis=1))
        return self.take(first), which

    def impose(self, table: EncodedTable) -> EncodedTable:
        """Return the rows of `table` with what is given put in its place."""
        moved = self.known[:, self.layout.offset_blocks]
        return EncodedTable(
            np.where(self.known, self.table.codes, table.codes),
            np.where(moved, self.table.offsets, table.offsets),
            self.layout,
        )


def compared(table: EncodedTable) -> np.ndarray:
    """Return what rows are compared by: one integer a block, int32 of shape (n_rows, n_blocks).

    It is the code where codes stand for single values or for bins, whose position inside is not
    looked at. Where they do not (mixture components, a single code for all numbers), it tells
    `CELLS` parts of the offset apart too. A block that refines another is not looked at: it is 0.
    """
    keys = table.codes.copy()
    for number, block in enumerate(table.layout):
        if block.parent is not None:
            keys[:, number] = 0
    for column, number in enumerate(table.layout.offset_blocks):
        block = table.layout[int(number)]
        if block.parent is None and not block.ordinal:
            part = np.floor((table.offsets[:, column] + 1) * (CELLS / 2)).astype(np.int32)
            open_ = np.array(block.continuous)[keys[:, number]]
            keys[:, number] = keys[:, number] * CELLS + np.clip(part, 0, CELLS - 1) * open_
    return keys


def distinct(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each distinct row is first, and which of them each row is.

    Parameters
    ----------
    keys : ndarray of int32, shape (n_rows, n_columns)

    Returns
    -------
    first, which : ndarray of int64
    """
    n_rows, width = keys.shape
    if not width or not n_rows:
        return np.arange(min(n_rows, 1)), np.zeros(n_rows, dtype=np.int64)
    rows = np.ascontiguousarray(keys).view(np.dtype((np.void, 4 * width)))[:, 0]
    _, first, which = np.unique(rows, return_index=True, return_inverse=True)
    return first, which.astype(np.int64)

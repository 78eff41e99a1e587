"""EncodedTable: a table as small integers and bounded offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.encoding.layout import Layout


@dataclass(frozen=True)
class EncodedTable:
    """Rows as codes and offsets; ``4 (c + r)`` bytes a row, whatever the number of categories.

    Attributes
    ----------
    codes : ndarray of int32, shape (n_rows, n_blocks)
        ``0 <= codes[:, b] < layout[b].size``.
    offsets : ndarray of float32, shape (n_rows, n_offset_blocks)
        In ``[-1, 1]``; column j belongs to block ``layout.offset_blocks[j]`` and is 0 where the
        row's code there carries no offset (the `scalar` coding fills it for atoms too).
    layout : Layout
    """

    codes: np.ndarray
    offsets: np.ndarray
    layout: Layout

    def __post_init__(self) -> None:
        expected = (len(self.layout), len(self.layout.offset_blocks))
        if (self.codes.ndim, self.offsets.ndim) != (2, 2) or (
            self.codes.shape[1],
            self.offsets.shape[1],
        ) != expected:
            raise ValueError(
                f"codes {self.codes.shape} and offsets {self.offsets.shape} do not fit a layout "
                f"of {expected[0]} blocks, {expected[1]} of them with offsets"
            )

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> EncodedTable:
        """Return the rows at the positions or flags `rows`."""
        return EncodedTable(self.codes[rows], self.offsets[rows], self.layout)

    @classmethod
    def empty(cls, n_rows: int, layout: Layout) -> EncodedTable:
        """Return a table of zeros."""
        return cls(
            np.zeros((n_rows, len(layout)), dtype=np.int32),
            np.zeros((n_rows, len(layout.offset_blocks)), dtype=np.float32),
            layout,
        )

    @classmethod
    def concatenate(cls, tables: Sequence[EncodedTable]) -> EncodedTable:
        """Return the rows of all `tables`, which share a layout, one below the other."""
        return cls(
            np.concatenate([table.codes for table in tables]),
            np.concatenate([table.offsets for table in tables]),
            tables[0].layout,
        )

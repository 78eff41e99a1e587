"""Alphabet: what a leaf may hold of one block, so that no value of few rows is ever kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.intervals import partition
from tabsynth.encoding.layout import Block
from tabsynth.models.trees.arrays import Arrays

CELLS = 1024
"""Most cells that the values of few rows in a block are put together in."""
CELL_ROWS = 50
"""Rows of a cell, where rows allow. A cell fits itself to where its rows are: one of five rows is
a quarter denser at them than elsewhere, one of fifty rows a fiftieth."""
FEWEST_CELLS = 50
"""Below so many cells they hold fewer rows, down to the floor."""


@dataclass(frozen=True, eq=False)
class Alphabet(Arrays):
    """The letters of a block: values that many rows share, and cells that hold many rows.

    A value (code and offset) that at least `floor` rows share is a letter of its own and comes out
    as it is. All others are put together in cells of at least `floor` neighbours, and come out
    anywhere inside their cell, so that which of them were there cannot be read off. Letters lie
    side by side on a line, in the order of their values, each as wide as it is frequent: a place
    on the line names a letter, and inside a cell an offset.

    Attributes
    ----------
    code : ndarray of int32, shape (n_letters,)
    low, high : ndarray of float32, shape (n_letters,)
        Ends of the offset, in ``[-1, 1]``; equal for a shared value, 0 where the code has none.
    bounds : ndarray of float64, shape (n_letters + 1,)
        Where letters begin and end: from 0 to 1, and on to 2 for missing cells.
    ordered : ndarray of bool, shape (n_letters,)
        Which letters are like their neighbours: not categories, and not missing cells.
    """

    code: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bounds: np.ndarray
    ordered: np.ndarray

    def __len__(self) -> int:
        return len(self.code)

    @classmethod
    def fit(
        cls,
        block: Block,
        codes: np.ndarray,
        offsets: np.ndarray | None,
        floor: int,
        *,
        by_frequency: bool = False,
    ) -> tuple[Self, np.ndarray]:
        """Find the letters of a block.

        Parameters
        ----------
        block : Block
        codes : ndarray of int32, shape (n_rows,)
        offsets : ndarray of float32, shape (n_rows,), or None
        floor : int
            Fewest rows that share a letter, as long as there are as many.
        by_frequency : bool
            Whether the most frequent letters come first, instead of the lowest values.

        Returns
        -------
        alphabet : Alphabet
        letters : ndarray of int32, shape (n_rows,)
            The letter of each row.
        """
        used, where = np.unique(codes, return_inverse=True)
        letter, code = where.astype(np.int64), used
        low = high = np.zeros(len(used), dtype=np.float32)
        if offsets is not None:
            parts, start, n = [], 0, len(codes)
            size = max(floor, n // CELLS, min(CELL_ROWS, n // FEWEST_CELLS))
            for place, one in enumerate(used.tolist()):
                rows = np.flatnonzero(where == place)
                ends = _letters(offsets[rows], floor, size)
                letter[rows] = start + ends[2]
                start += len(ends[0])
                parts.append((one, ends[0], ends[1]))
            code = np.repeat([part[0] for part in parts], [len(part[1]) for part in parts])
            low, high = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
        missing = (
            np.zeros(len(code), dtype=bool) if block.missing is None else code == block.missing
        )
        first = -np.bincount(letter) if by_frequency else low + high
        order = np.lexsort((code, first, missing))
        rank = np.empty(len(order), dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        letters = rank[letter]
        counts = np.bincount(letters, minlength=len(order)).astype(np.float64)
        absent = missing[order]
        present = np.cumsum(counts[~absent]) / max(1.0, counts[~absent].sum())
        bounds = np.concatenate([[0.0], present, np.full(int(absent.sum()), 2.0)])
        bounds[int((~absent).sum())] = 1.0
        ordered = np.full(len(order), not block.is_nominal) & ~absent
        code = code[order].astype(np.int32)
        return cls(code, low[order], high[order], bounds, ordered), letters

    def places(self, letters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a place inside the letter of each row, float64."""
        wide = self.bounds[letters + 1] - self.bounds[letters]
        places: np.ndarray = self.bounds[letters] + wide * rng.random(len(letters))
        return places

    def read(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return codes int32 (n_rows,) and offsets float32 (n_rows,) at `places`."""
        letter = np.searchsorted(self.bounds, places, side="right") - 1
        letter = np.clip(letter, 0, len(self.code) - 1)
        wide = self.bounds[letter + 1] - self.bounds[letter]
        inside = np.clip((places - self.bounds[letter]) / np.where(wide > 0, wide, 1.0), 0.0, 1.0)
        low, high = self.low[letter], self.high[letter]
        offsets = low + (high - low) * inside.astype(np.float32)
        return self.code[letter], np.clip(offsets, low, high)


def _letters(
    offsets: np.ndarray, floor: int, rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ends of the letters of one code and the letter of each row.

    Parameters
    ----------
    offsets : ndarray of float32, shape (n_rows,)
    floor : int
        Rows that make a value a letter of its own.
    rows : int
        About how many rows are put together in a cell.
    """
    values, where, counts = np.unique(offsets, return_inverse=True, return_counts=True)
    shared = counts >= floor
    rest = np.flatnonzero(~shared)
    alone = int(counts[rest].sum())
    if 0 < alone < floor and shared.any():
        # Too few rows for a cell of their own: they take the nearest shared value.
        places = np.flatnonzero(shared)
        after = np.clip(np.searchsorted(places, rest), 0, len(places) - 1)
        before = np.maximum(after - 1, 0)
        nearer = values[rest] - values[places[before]] < values[places[after]] - values[rest]
        nearest = np.where(nearer, before, after)
        letter = np.zeros(len(values), dtype=np.int32)
        letter[places] = np.arange(len(places))
        letter[rest] = nearest
        return values[places], values[places], letter[where]
    letter = np.zeros(len(values), dtype=np.int32)
    letter[shared] = np.arange(int(shared.sum()))
    low, high = values[shared], values[shared]
    if len(rest):
        starts = partition(counts[rest], max(1, alone // rows), min(floor, alone))
        letter[rest] = len(low) + np.repeat(
            np.arange(len(starts)), np.diff(np.append(starts, len(rest)))
        )
        bottom, top = _ends(values[rest], starts)
        low, high = np.concatenate([low, bottom]), np.concatenate([high, top])
    return low, high, letter[where]


def _ends(values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of cells, which reach half way to their neighbours.

    None reaches further than its values are apart on average, so that real gaps stay.
    """
    last = np.append(starts[1:], len(values)) - 1
    low, high = values[starts].copy(), values[last].copy()
    spacing = (high - low) / np.maximum(last - starts, 1)
    gaps = (low[1:] - high[:-1]) / 2
    high[:-1] += np.minimum(gaps, spacing[:-1])
    low[1:] -= np.minimum(gaps, spacing[1:])
    return low, np.maximum(low, high)

"""The `bins` coding: quantile bins and atoms in the order of their values."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.intervals import find_atoms, partition, softened_ends
from tabsynth.encoding.layout import Block

PART_ROWS = 50
"""Rows of a part of a bin, where rows allow. An interval fits itself to the rows it was cut from,
so that their numbers come back more often than others: by a twentieth in one of twenty rows."""

_LARGEST = float(2**64 - 2**11)
"""The largest float below 2**64."""


class BinCoder:
    """Codes numbers by the interval they fall in and the position inside it.

    Intervals are disjoint and sorted; one of a single value is an atom. With sub-bins an interval
    is cut further, and the second block tells the part. Every interval that is drawn from holds at
    least `floor` rows, and the two outermost ends are means over `floor` rows.

    Attributes
    ----------
    low, high : ndarray of float64 or int64, shape (n_leaves,)
        First and last value of each smallest interval; integers where the column has a lattice.
    code, part : ndarray of int64, shape (n_leaves,)
        The codes of each smallest interval in the first and the second block.
    """

    def __init__(
        self, low: np.ndarray, high: np.ndarray, code: np.ndarray, part: np.ndarray, parts: int
    ) -> None:
        self.low, self.high, self.code, self.part = low, high, code, part
        self.parts = parts
        self.lattice = low.dtype.kind == "i"
        self.n_codes = int(code.max()) + 1 if len(code) else 0
        self._first = np.searchsorted(code, np.arange(self.n_codes))
        self._n_parts = np.bincount(code, minlength=self.n_codes)

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number that can be decoded."""
        return (self.low[0], self.high[-1]) if len(self.low) else (0, 0)

    @classmethod
    def fit(cls, values: np.ndarray, counts: np.ndarray, coding: Coding, floor: int) -> Self:
        """Cut sorted distinct `values` (int64 lattice indices or float64) with their counts."""
        m = len(values)
        if m == 0:
            empty = np.zeros(0, dtype=np.int64)
            return cls(values, values, empty, empty, 1)
        total = int(counts.sum())
        if m <= coding.distinct:
            atoms = counts >= floor
            size = coding.distinct
        else:
            atoms = find_atoms(counts, 1.0 / coding.size, floor, coding.size)
            size = coding.size
        starts: list[np.ndarray] = [np.flatnonzero(atoms)]
        # The stretches between atoms are cut by themselves, so that no interval holds an atom.
        rest = np.flatnonzero(~atoms)
        rows_left = int(counts[rest].sum())
        breaks = np.flatnonzero(np.diff(np.concatenate([[-2], rest])) > 1)
        for begin, end in zip(breaks, [*breaks[1:], len(rest)], strict=False):
            stretch = rest[begin:end]
            rows = counts[stretch].sum()
            share = max(1, round(size * rows / max(rows_left, 1)))
            starts.append(stretch[0] + partition(counts[stretch], share, floor))
        first = np.sort(np.concatenate(starts))
        first = _absorb(first, counts, floor)
        low, high, code, part = [], [], [], []
        for index, (begin, end) in enumerate(zip(first, np.append(first[1:], m), strict=True)):
            inner = counts[begin:end]
            cuts = partition(inner, coding.sub_bins, max(floor, PART_ROWS)) + begin
            low.append(values[cuts])
            high.append(values[np.append(cuts[1:], end) - 1])
            code.append(np.full(len(cuts), index))
            part.append(np.arange(len(cuts)))
        sizes = np.add.reduceat(
            np.ones(m, dtype=np.int64), np.searchsorted(values, np.concatenate(low))
        )
        lows, highs = _widened(np.concatenate(low), np.concatenate(high), sizes)
        bottom, top = softened_ends(values, counts, min(floor, total))
        if lows.dtype.kind == "i":
            bottom, top = np.ceil(bottom), np.floor(top)
        if bottom > lows[0]:
            lows[0] = bottom if bottom < highs[0] else highs[0]
        if top < highs[-1]:
            highs[-1] = top if top > lows[-1] else lows[-1]
        codes = np.concatenate(code)
        parts = int(np.bincount(codes).max())
        return cls(lows, highs, codes, np.concatenate(part), parts)

    def blocks(self, owner: str, nullable: bool) -> tuple[Block, ...]:
        """Return one block, or two where there are sub-bins."""
        size = self.n_codes + nullable
        missing = self.n_codes if nullable else None
        leaf_open = self.high > self.low
        code_open = np.zeros(size, dtype=bool)
        np.logical_or.at(code_open, self.code, leaf_open)
        if self.parts <= 1:
            flags = tuple(code_open.tolist()) if code_open.any() else ()
            return (Block(owner, size, flags, ordinal=True, missing=missing),)
        part_open = np.zeros(self.parts, dtype=bool)
        np.logical_or.at(part_open, self.part, leaf_open)
        refined = np.zeros(size, dtype=bool)
        refined[: self.n_codes] = self._n_parts > 1
        # The position inside goes with the part; an uncut bin is part 0 of itself.
        flags = tuple(part_open.tolist()) if part_open.any() else ()
        return (
            Block(owner, size, ordinal=True, missing=missing, refined=tuple(refined.tolist())),
            Block(owner, self.parts, flags, ordinal=True, parent=0),
        )

    def encode(
        self, index: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return codes (n, n_blocks) and offsets (n, 0 or 1) of lattice indices or floats."""
        leaf = np.clip(np.searchsorted(self.low, index, side="right") - 1, 0, None)
        # Numbers between two intervals go to the nearer one.
        nxt = np.minimum(leaf + 1, len(self.low) - 1)
        nearer = (index > self.high[leaf]) & (
            self.low[nxt].astype(np.float64) - index < index - self.high[leaf].astype(np.float64)
        )
        leaf = np.where(nearer & (nxt > leaf), nxt, leaf)
        low, high = self.low[leaf].astype(np.float64), self.high[leaf].astype(np.float64)
        inside = np.clip(index.astype(np.float64), low, high) - low
        width = high - low
        if self.lattice:
            position = (inside + 0.5) / (width + 1.0)
        else:
            position = inside / np.where(width > 0, width, 1.0)
        offset = np.where(width > 0, 2.0 * position - 1.0, 0.0)
        codes = self.code[leaf][:, None]
        if self.parts > 1:
            codes = np.stack([self.code[leaf], self.part[leaf]], axis=1)
        return codes, offset[:, None] if (self.high > self.low).any() else offset[:, None][:, :0]

    def decode(self, codes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return lattice indices (int64) or floats of codes below `n_codes`."""
        code = np.clip(codes[:, 0], 0, self.n_codes - 1)
        part = codes[:, 1] if self.parts > 1 else np.zeros(len(code), dtype=np.int64)
        leaf = self._first[code] + np.minimum(part, self._n_parts[code] - 1)
        low, high = self.low[leaf], self.high[leaf]
        offset = offsets[:, 0].astype(np.float64) if offsets.shape[1] else np.zeros(len(code))
        position = np.clip((offset + 1.0) / 2.0, 0.0, 1.0)
        if self.lattice:
            count = high.astype(np.float64) - low.astype(np.float64) + 1.0
            # Unsigned and modulo 2**64, as an interval may be wider than int64.
            inside = np.minimum(np.floor(position * count), _LARGEST).astype(np.uint64)
            inside = np.minimum(inside, high.view(np.uint64) - low.view(np.uint64))
            index: np.ndarray = (low.view(np.uint64) + inside).view(np.int64)
            return index
        number: np.ndarray = low + position * (high - low)
        return number

    def state(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "code": self.code.tolist(),
            "part": self.part.tolist(),
            "parts": self.parts,
        }

    @classmethod
    def load(cls, state: dict[str, Any], lattice: bool) -> Self:
        """Rebuild from the JSON form."""
        kind = np.int64 if lattice else np.float64
        return cls(
            np.array(state["low"], dtype=kind),
            np.array(state["high"], dtype=kind),
            np.array(state["code"], dtype=np.int64),
            np.array(state["part"], dtype=np.int64),
            state["parts"],
        )


def _widened(
    lows: np.ndarray, highs: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Let intervals reach into the gaps between them, half of a gap each.

    Intervals that begin and end with values of the table would be more often at such values than
    at others that are as likely, and so give away which values there were. None reaches further
    than the distance that its `sizes` values have on average, so that real gaps stay; an interval
    of a single value stays what it is.
    """
    low, high = lows.astype(np.float64), highs.astype(np.float64)
    spacing = np.where(highs > lows, (high - low) / np.maximum(sizes - 1, 1), 0.0)
    gaps = low[1:] - high[:-1]
    if lows.dtype.kind == "i":
        inside = np.maximum(gaps - 1.0, 0.0)
        up = np.minimum(np.floor(inside / 2), np.floor(spacing[:-1]))
        down = np.minimum(inside - np.floor(inside / 2), np.floor(spacing[1:]))
    else:
        up, down = np.minimum(gaps / 2, spacing[:-1]), np.minimum(gaps / 2, spacing[1:])
    lows, highs = lows.copy(), highs.copy()
    highs[:-1] += up.astype(highs.dtype)
    lows[1:] -= down.astype(lows.dtype)
    return lows, highs


def _absorb(first: np.ndarray, counts: np.ndarray, floor: int) -> np.ndarray:
    """Join runs that hold fewer than `floor` rows to a neighbour; return the runs' starts."""
    starts = first.tolist()
    rows = np.add.reduceat(counts, first).tolist()
    index = 0
    while index < len(rows) and len(rows) > 1:
        if rows[index] >= floor:
            index += 1
            continue
        left = index > 0 and (index + 1 == len(rows) or rows[index - 1] <= rows[index + 1])
        target = index - 1 if left else index
        rows[target : target + 2] = [rows[target] + rows[target + 1]]
        del starts[target + 1]
        index = max(target, 0)
    return np.array(starts, dtype=np.int64)

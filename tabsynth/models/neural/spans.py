"""Spans: where the codes of every block lie in one row of numbers, blocks of a width together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tabsynth.encoding.layout import Layout

WIDE = 512
"""Blocks of more codes than this are reached through few numbers instead of a full layer."""


@dataclass(frozen=True)
class Bucket:
    """Blocks of similar width, padded to one width, side by side.

    Attributes
    ----------
    start : int
        Where the bucket begins in a row.
    count, width : int
        Number of blocks, and positions that each of them takes.
    """

    start: int
    count: int
    width: int

    @property
    def stop(self) -> int:
        """Where the bucket ends."""
        return self.start + self.count * self.width


class Spans:
    """The positions of a layout's codes in a row that holds a number for each of them.

    A row of logits or probabilities has blocks of similar width next to each other and padded to
    the widest of them, so that whatever is done to every block (softmax, cross-entropy, drawing) is
    a handful of operations on ``(rows, blocks, width)`` views, whatever the number of blocks.

    Parameters
    ----------
    layout : Layout
    device : torch.device

    Attributes
    ----------
    buckets : tuple of Bucket
        In the order of their positions.
    order : ndarray of int64, shape (n_blocks,)
        The layout's block of each column of an index.
    width : int
        Length of a row, padding included.
    positions : ndarray of int64, shape (layout.width,)
        Position of each code, codes in the order of the layout.
    starts, sizes : tensor of int64, shape (n_blocks,)
        First position and number of codes of each column of an index.
    narrow_width, n_narrow : int
        Where the blocks of more than `WIDE` codes begin in a row, and how many blocks there are
        before them.
    n_slots : int
        Number of codes that may carry an offset. A child's offset goes with its own code where its
        parent's code is refined, and with the parent's code where it is not.
    slot_positions : tensor of int64, shape (n_slots,)
        Position of the code of each slot.
    offset_columns : tensor of int64, shape (n_offset_blocks,)
        Column of an index that each column of offsets goes with.

    Notes
    -----
    An *index* is what codes become: positions of shape (n_rows, n_blocks), its columns in the order
    of the positions.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from tabsynth.encoding.layout import Block, Layout
    >>> layout = Layout((Block("a", 7), Block("b", 2), Block("c", 8)))
    >>> spans = Spans(layout, torch.device("cpu"))
    >>> spans.width, spans.buckets
    (18, (Bucket(start=0, count=1, width=2), Bucket(start=2, count=2, width=8)))
    >>> spans.index(np.array([[4, 1, 5]], dtype=np.int32))
    tensor([[ 1,  6, 15]], dtype=torch.int32)
    """

    def __init__(self, layout: Layout, device: torch.device) -> None:
        self.layout = layout
        self.device = device
        sizes = layout.sizes
        # Widths between two half powers of 2 share a bucket: at most a third of it is padding.
        group = np.ceil(2 * np.log2(np.maximum(sizes, 1))).astype(np.int64)
        self.order = np.lexsort((np.arange(len(sizes)), group))
        self.column = np.argsort(self.order)
        buckets: list[Bucket] = []
        starts = np.zeros(len(sizes), dtype=np.int64)
        filled = 0
        for value in np.unique(group):
            members = self.order[group[self.order] == value]
            bucket = Bucket(filled, len(members), int(sizes[members].max()))
            starts[members] = filled + np.arange(len(members)) * bucket.width
            buckets.append(bucket)
            filled = bucket.stop
        self.buckets = tuple(buckets)
        self.width = filled
        block_of_code = np.repeat(np.arange(len(sizes)), sizes)
        self.positions = np.arange(layout.width) + (starts - layout.starts)[block_of_code]
        self._starts = starts
        self.starts = self._tensor(starts[self.order])
        self.sizes = self._tensor(sizes[self.order])

        narrow = [bucket for bucket in buckets if bucket.width <= WIDE]
        self.narrow_width = narrow[-1].stop if narrow else 0
        self.n_narrow = sum(bucket.count for bucket in narrow)
        self.offset_columns = self._tensor(self.column[layout.offset_blocks])
        self._find_parents()
        self._find_slots()

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def _find_parents(self) -> None:
        """Note, depth by depth, which columns refine which, and the positions they refine."""
        blocks = self.layout.blocks
        refined = np.zeros(self.width, dtype=bool)
        depth = np.zeros(len(blocks), dtype=np.int64)
        for number, block in enumerate(blocks):
            if block.refined:
                start = self._starts[number]
                refined[start : start + block.size] = block.refined
            parent = block.parent
            while parent is not None:
                depth[number] += 1
                parent = blocks[parent].parent
        self.refined = self._tensor(refined)
        self.levels: list[tuple[torch.Tensor, torch.Tensor]] = []
        for level in range(1, int(depth.max(initial=0)) + 1):
            children = np.flatnonzero(depth == level)
            parents = np.array([blocks[int(child)].parent for child in children], dtype=np.int64)
            columns = self._tensor(self.column[children]), self._tensor(self.column[parents])
            self.levels.append(columns)

    def _find_slots(self) -> None:
        """Give a number to each code that may carry an offset."""
        slots = [self.positions[self.layout.continuous]]
        refined = self.refined.cpu().numpy()
        parents = np.zeros(len(self.layout.offset_blocks), dtype=np.int64)
        for number, index in enumerate(self.layout.offset_blocks):
            block = self.layout[int(index)]
            parents[number] = self.column[index]
            if block.parent is not None:
                parents[number] = self.column[block.parent]
                begin = self._starts[block.parent]
                codes = begin + np.arange(self.layout[block.parent].size)
                if block.continuous[0]:
                    slots.append(codes[~refined[codes]])
        positions = np.concatenate(slots)
        self.n_slots = len(positions)
        self.slot_positions = self._tensor(positions.astype(np.int64))
        which = np.full(self.width, self.n_slots, dtype=np.int64)
        which[positions] = np.arange(self.n_slots)
        self._slots = self._tensor(which)
        self._offset_parents = self._tensor(parents)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.order)

    def index(self, codes: np.ndarray) -> torch.Tensor:
        """Return the positions of `codes`, int32 of shape (n_rows, n_blocks)."""
        placed = codes[:, self.order] + self._starts[self.order].astype(np.int32)
        return self._tensor(placed.astype(np.int32, copy=False))

    def codes(self, index: torch.Tensor) -> np.ndarray:
        """Return the codes at the positions `index`, int32, columns in the layout's order."""
        codes = (index - self.starts).to(torch.int32).cpu().numpy()
        return np.ascontiguousarray(codes[:, self.column])

    def meant(self, index: torch.Tensor) -> torch.Tensor:
        """Return which entries of `index` mean something: all but children of unrefined codes."""
        flags = torch.ones_like(index, dtype=torch.bool)
        for children, parents in self.levels:
            flags[:, children] = flags[:, parents] & self.refined[index[:, parents].long()]
        return flags

    def slots(self, index: torch.Tensor) -> torch.Tensor:
        """Return the slot of each offset; `n_slots` where the code carries none.

        Returns
        -------
        tensor of int64, shape (n_rows, n_offset_blocks)
        """
        columns = self.offset_columns
        slots = self._slots[index[:, columns].long()]
        if self.levels:
            above = self._slots[index[:, self._offset_parents].long()]
            slots = torch.where(self.meant(index)[:, columns], slots, above)
        return slots

    def views(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """Return one view of shape (n_rows, bucket.count, bucket.width) for each bucket."""
        lengths = [bucket.count * bucket.width for bucket in self.buckets]
        parts = torch.split(rows, lengths, dim=1)
        return [
            part.view(len(part), bucket.count, bucket.width)
            for part, bucket in zip(parts, self.buckets, strict=True)
        ]

    def expand(self, values: torch.Tensor) -> torch.Tensor:
        """Return one value a block, (n_rows, n_blocks), at all positions of the block."""
        parts, column = [], 0
        for bucket in self.buckets:
            part = values[:, column : column + bucket.count, None]
            parts.append(part.expand(-1, -1, bucket.width).flatten(1))
            column += bucket.count
        return torch.cat(parts, dim=1)

    def totals(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the sum over each block, (n_rows, n_blocks), of one value a position."""
        return torch.cat([view.sum(-1) for view in self.views(rows)], dim=1)

"""Spans: where the codes of every block lie in one row of numbers, blocks of a width together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tabsynth.encoding.layout import Layout


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
    n_continuous : int
        Number of codes that carry an offset.
    continuous : tensor of int64, shape (width,)
        Which of those codes a position is; `n_continuous` where it is none.
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
    >>> layout = Layout((Block("a", 5), Block("b", 2), Block("c", 6)))
    >>> spans = Spans(layout, torch.device("cpu"))
    >>> spans.width, spans.buckets
    (14, (Bucket(start=0, count=1, width=2), Bucket(start=2, count=2, width=6)))
    >>> spans.index(np.array([[4, 1, 5]], dtype=np.int32))
    tensor([[ 1,  6, 13]], dtype=torch.int32)
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

        continuous = np.flatnonzero(layout.continuous)
        self.n_continuous = len(continuous)
        which = np.full(filled, self.n_continuous, dtype=np.int64)
        which[self.positions[continuous]] = np.arange(len(continuous))
        self.continuous = self._tensor(which)
        self.offset_columns = self._tensor(self.column[layout.offset_blocks])
        self._find_parents()

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

    def offset_codes(self, index: torch.Tensor) -> torch.Tensor:
        """Return which continuous code each offset goes with; `n_continuous` where none does.

        Returns
        -------
        tensor of int64, shape (n_rows, n_offset_blocks)
        """
        codes = self.continuous[index[:, self.offset_columns].long()]
        if self.levels:
            meant = self.meant(index)[:, self.offset_columns]
            codes = torch.where(meant, codes, self.n_continuous)
        return codes

    def views(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """Return one view of shape (n_rows, bucket.count, bucket.width) for each bucket."""
        lengths = [bucket.count * bucket.width for bucket in self.buckets]
        parts = torch.split(rows, lengths, dim=1)
        return [
            part.unflatten(1, (bucket.count, bucket.width))
            for part, bucket in zip(parts, self.buckets, strict=True)
        ]

    def spread(self, values: np.ndarray, padding: float) -> torch.Tensor:
        """Return `values` of the codes (in the layout's order, last axis) at their positions."""
        rows = np.full((*values.shape[:-1], self.width), padding, dtype=np.float32)
        rows[..., self.positions] = values
        return self._tensor(rows)

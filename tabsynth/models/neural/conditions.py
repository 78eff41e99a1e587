"""Training by sampling: which code of which block the next rows are to have."""

from __future__ import annotations

import numpy as np
import torch

from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.models.neural.device import widest
from tabsynth.models.neural.spans import Spans

RARE = 1e-3
"""Share of the rows below which a code is asked for by its condition."""


class Conditions:
    """The conditions that a table offers: one for every code of every discrete block.

    A condition is a number in ``[0, n_conditions)``. Blocks follow each other, so that a vector of
    conditions is one embedding whatever block it speaks of, and cannot end up in another block.

    Parameters
    ----------
    index : tensor of int, shape (n_rows, n_blocks)
        Positions of the codes of all rows.
    spans : Spans

    Attributes
    ----------
    n_blocks : int
        Number of blocks that conditions speak of.
    columns : tensor of int64, shape (n_conditions,)
        Column of an index that each condition speaks of.
    positions : tensor of int64, shape (n_conditions,)
        Position of the code that it asks for.
    counts : tensor of int64, shape (n_conditions,)
        Rows that fulfil it.

    Notes
    -----
    Discrete are the blocks of two codes or more that carry no offset, refine nothing and are not
    refined.

    References
    ----------
    Xu et al., "Modeling Tabular Data using Conditional GAN", 2019, arXiv:1907.00503, section 4.3.
    """

    def __init__(self, index: torch.Tensor, spans: Spans) -> None:
        columns = discrete_columns(spans)
        self.n_blocks = len(columns)
        device = index.device
        none = torch.zeros(0, dtype=torch.int64, device=device)
        of, positions, counts, order, starts = [none], [none], [none], [none], [none]
        for number, column in enumerate(columns):
            codes = index[:, column].long() - spans.starts[column]
            size = int(spans.sizes[column])
            count = torch.bincount(codes, minlength=size)
            of.append(torch.full((size,), column, device=device))
            positions.append(spans.starts[column] + torch.arange(size, device=device))
            counts.append(count)
            starts.append(number * len(index) + count.cumsum(0) - count)
            order.append(torch.argsort(codes, stable=True))
        self.columns, self.positions = torch.cat(of), torch.cat(positions)
        self.counts, self._starts = torch.cat(counts), torch.cat(starts)
        self._order = torch.cat(order)

    def __len__(self) -> int:
        return len(self.counts)

    def weights(self, *, logarithmic: bool) -> torch.Tensor:
        """Return the probability of each condition, float64; every block is as likely as another.

        Parameters
        ----------
        logarithmic : bool
            Whether codes come by the logarithm of their frequency, so that rare ones are seen in
            training, or by the frequency itself.
        """
        shares = torch.log1p(self.counts) if logarithmic else self.counts
        totals = torch.bincount(self.columns, weights=shares.to(widest(shares.device)))
        return shares / totals[self.columns] / self.n_blocks

    def rows(self, conditions: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw for each condition one of the rows that fulfil it, int64."""
        level = torch.rand(
            conditions.shape,
            generator=generator,
            device=conditions.device,
            dtype=widest(conditions.device),
        )
        counts = self.counts[conditions]
        place = torch.minimum((level * counts).long(), counts - 1)
        return self._order[self._starts[conditions] + place]


def discrete_columns(spans: Spans) -> list[int]:
    """Return the columns of an index that conditions may speak of."""
    return sorted(int(spans.column[number]) for number in discrete_blocks(spans.layout))


def discrete_blocks(layout: Layout) -> list[int]:
    """Return the blocks that conditions may speak of."""
    parents = {block.parent for block in layout}
    return [
        number
        for number, block in enumerate(layout)
        if block.size > 1
        and not block.has_offset
        and block.parent is None
        and number not in parents
    ]


def rarest_condition(given: Given, frequencies: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the condition of the rarest code that each row is given, if it is rarer than `RARE`.

    Rows of one condition follow the other columns less well than rows of all conditions together,
    which the last step of the training calibrates. So it is asked for only where rows of all
    conditions would hardly ever fit. -1 stands for no condition.

    Parameters
    ----------
    given : Given
    frequencies : ndarray of float, shape (n_conditions,)
        How often each condition is met.
    column : ndarray of int64, shape (n_blocks,)
        Column of an index that each block is (see `Spans`).

    Returns
    -------
    ndarray of int64, shape (n_rows,)
    """
    best = np.full(len(given), -1)
    if not len(frequencies):
        return best
    blocks = sorted(discrete_blocks(given.layout), key=lambda number: column[number])
    lowest = np.full(len(given), RARE / max(len(blocks), 1))
    begin = 0
    for block in blocks:
        condition = begin + given.table.codes[:, block].astype(np.int64)
        begin += given.layout[block].size
        # A condition that was never met in training says nothing to the generator.
        often = frequencies[condition]
        better = given.known[:, block] & (often > 0) & (often < lowest)
        best[better], lowest[better] = condition[better], often[better]
    return best


def draw_conditions(n: int, edges: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw `n` conditions, given the cumulated weights of all of them."""
    level = torch.rand(n, generator=generator, device=edges.device, dtype=edges.dtype)
    drawn = torch.searchsorted(edges, level * edges[-1], right=True)
    return drawn.clamp_max(len(edges) - 1)

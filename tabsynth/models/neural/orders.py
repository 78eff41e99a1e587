"""Orders: which blocks of a row come before which, as the table has them or with some given."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from tabsynth.models.neural.spans import Spans


class Orders:
    """Masks of the blocks that come before others: the order of drawing, and orders for given ones.

    Where columns are given, they come first and all others follow in the order of drawing. Such
    orders are drawn here for random columns, few more often than many: a number of columns k comes
    with a frequency in proportion to 1 / k.

    Parameters
    ----------
    spans : Spans
    order : sequence of int
        Columns of an index in the order of drawing.
    share : float
        How often columns are drawn to be given.
    generator : torch.Generator
        On the device of `spans`.

    Examples
    --------
    >>> from tabsynth.encoding.layout import Block, Layout
    >>> spans = Spans(Layout((Block("a", 2), Block("b", 2))), torch.device("cpu"))
    >>> Orders(spans, [0, 1], 0.0, torch.Generator()).usual
    tensor([[0., 1.],
            [0., 0.]])
    """

    def __init__(
        self, spans: Spans, order: Sequence[int], share: float, generator: torch.Generator
    ) -> None:
        n, layout = len(order), spans.layout
        owners = list(dict.fromkeys(block.owner for block in layout))
        rank = np.empty(n, dtype=np.int64)
        rank[np.array(order, dtype=np.int64)] = np.arange(n)
        owner = [owners.index(layout[int(number)].owner) for number in spans.order]
        self._rank = torch.from_numpy(rank).to(spans.device)
        self._owner = torch.tensor(owner, device=spans.device)
        self._n_owners, self._share, self._generator = len(owners), share, generator
        self.usual = _before(self._rank)
        self.any_order = bool(share) and len(owners) > 1

    def draw(self) -> torch.Tensor:
        """Return the mask of an order, (n_blocks, n_blocks): 1 where the first is before."""
        if not self.any_order:
            return self.usual
        shape, device = (self._n_owners + 2,), self._rank.device
        level = torch.rand(shape, generator=self._generator, device=device)
        size = (level[0] * math.log(self._n_owners)).exp().floor() * (level[1] < self._share)
        given = (level[2:].argsort().argsort() < size)[self._owner]
        return _before(self._rank + len(self._rank) * ~given)


def _before(rank: torch.Tensor) -> torch.Tensor:
    return (rank[:, None] < rank).float()

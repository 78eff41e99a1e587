"""Codes told by hidden units and by the code of a target, whose counts with each are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from tabsynth.models.neural.heads import NEVER, CodeHead, draw, softmax
from tabsynth.models.neural.leads import first_target, given_leader
from tabsynth.models.neural.marginals import meet
from tabsynth.models.neural.offsets import OffsetHead
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.weighting import Decoding, Weigher
from tabsynth.privacy.training import TrainingData

MOST_CODES = 64
"""Most codes of a target that leads; each of them is calibrated for by itself."""
ROUNDS = 40
"""Most corrections of what a code adds."""
FEWEST = 20.0
"""Rows, by expectation, of a leader's code that tell too little to correct what it adds."""


class LedHead(nn.Module):
    """A `CodeHead` whose logits the code of one block, the leader, adds to.

    The leader is drawn first, from its own logits, and its code goes along as a last hidden unit.
    Given all of these the blocks are independent of each other, as those of a `CodeHead` are.

    Parameters
    ----------
    head : CodeHead
    leader : int
        Column of an index.
    table : ndarray of float, shape (codes of the leader, spans.width), optional
        What it adds; nothing where left out.
    """

    def __init__(self, head: CodeHead, leader: int, table: np.ndarray | None = None) -> None:
        super().__init__()
        self.head, self.spans, self.leader = [head], head.spans, leader
        start, self.n_codes = int(self.spans.starts[leader]), int(self.spans.sizes[leader])
        self.own = slice(start, start + self.n_codes)
        zeros = head.bias.detach().new_zeros((self.n_codes, self.spans.width))
        added = zeros if table is None else torch.from_numpy(np.array(table)).to(zeros)
        self.table = nn.Parameter(added, requires_grad=False)

    def extend(self, hidden: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Return hidden units with the leader's code, which `level`, (n_rows,) in [0, 1), draws."""
        edges = torch.softmax(self.head[0](hidden)[:, self.own], 1).cumsum(1)
        reached = level.to(edges)[:, None] * edges[:, -1:] * (1 - 1e-6)
        codes = torch.searchsorted(edges, reached, right=True)
        return torch.cat([hidden, codes.to(hidden.dtype)], dim=1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n_rows, spans.width), of hidden units and the leader's code."""
        codes = hidden[:, -1].long()
        logits: torch.Tensor = self.head[0](hidden[:, :-1]) + self.table[codes]
        places = torch.arange(self.n_codes, device=codes.device)
        logits[:, self.own] = torch.where(places == codes[:, None], 0.0, NEVER)
        return logits

    def draw(
        self, hidden: torch.Tensor, offsets: OffsetHead | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw rows (see `draw_rows`); `hidden` has the leader's code."""
        index = draw(self(hidden), self.spans, generator)
        if offsets is None:
            return index, hidden.new_zeros((len(index), 0))
        return index, offsets.draw(hidden[:, :-1], self.spans.slots(index), generator)

    def draw_from(
        self, hidden: torch.Tensor, offsets: OffsetHead | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw the leader's code from hidden units, then rows."""
        level = torch.rand(len(hidden), generator=generator, device=hidden.device)
        return self.draw(self.extend(hidden, level), offsets, generator)

    @torch.no_grad()
    def calibrate(
        self, hidden: list[torch.Tensor], wanted: Mapping[int, torch.Tensor], shares: torch.Tensor
    ) -> None:
        """Move what each code of the leader adds until codes come with the shares given it.

        Parameters
        ----------
        hidden : list of tensor
            Chunks of hidden units that stand for rows to be drawn, without the leader's code; the
            head is calibrated to `shares` already.
        wanted : mapping of int to tensor of float, shape (codes of the leader, codes)
            Of columns of an index; others are to keep their shares.
        shares : tensor of float, shape (spans.width,)
        """
        logits = [self.head[0](some) for some in hidden]
        led = [softmax(some, self.spans)[:, self.own] for some in logits]
        told = torch.zeros_like(shares, dtype=torch.bool)
        for column, own in wanted.items():
            start = int(self.spans.starts[column])
            told[start : start + own.shape[1]] = True
        for code in range(self.n_codes):
            aims = shares.clone()
            for column, own in wanted.items():
                start = int(self.spans.starts[column])
                aims[start : start + own.shape[1]] = own[code]
            weights = [some[:, code] for some in led]
            if float(torch.stack([some.sum() for some in weights]).sum()) > FEWEST:
                moved = meet(logits, torch.where(told, aims, 0.0), self.spans, ROUNDS, weights)
                self.table[code] = torch.where(told & (aims <= 0), NEVER, moved)

    def decoding(
        self, plain: Decoding, offsets: OffsetHead | None, noise: torch.Generator
    ) -> Decoding:
        """Return how rows are made: the last number of a latent draws the leader's code."""

        def latents(n: int, aim: int) -> torch.Tensor:
            units = plain.latents(n, aim)
            level = torch.rand((n, 1), generator=noise, device=noise.device)
            return torch.cat([units, level.to(units.dtype)], dim=1)

        def hidden(latents: torch.Tensor) -> torch.Tensor:
            return self.extend(plain.hidden(latents[:, :-1]), latents[:, -1])

        def weigh(hidden: torch.Tensor) -> Weigher:
            assert offsets is not None
            return offsets.weigh(hidden[:, :-1])

        def finish(
            hidden: torch.Tensor, noise: torch.Generator
        ) -> tuple[torch.Tensor, torch.Tensor]:
            return self.draw(hidden, offsets, noise)

        weigher = None if offsets is None else weigh
        return Decoding(self.spans, latents, hidden, self, weigher, finish)


@dataclass(frozen=True)
class Given:
    """Shares of codes for each code of a leader.

    Attributes
    ----------
    leader : int
        Column of an index.
    shares : dict of int to tensor
        See `given_leader`.
    """

    leader: int
    shares: dict[int, torch.Tensor]


def buy_shares(
    data: TrainingData, spans: Spans, shares: torch.Tensor, targets: Sequence[str]
) -> Given | None:
    """Return shares given the first target, from counts that are bought; None without one.

    Parameters
    ----------
    data, spans, shares
        See `given_leader`.
    targets : sequence of str
    """
    block = first_target(spans.layout, targets)
    if block is None or spans.layout[block].size > MOST_CODES:
        return None
    found = given_leader(data, spans, shares, block)
    return Given(int(spans.column[block]), found) if found else None

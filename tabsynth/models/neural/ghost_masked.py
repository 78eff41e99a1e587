"""The masked network as layers that tell how long the gradients of rows are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from tabsynth.models.neural.ghost import Batched, Lookup, Masked
from tabsynth.models.neural.masked import BlockHead, MaskedNetwork
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.private import train_privately
from tabsynth.monitor import Monitor
from tabsynth.privacy.training import PrivateSteps, TrainingData


class GhostMasked(nn.Module):
    """The weights of a `MaskedNetwork` that are trained under a budget; gives the loss of each row.

    Noise is the smaller the fewer weights there are, and a row's gradient is cut to one length over
    all of them. So weights that tell little are left out: what codes share as places on a line, the
    biases of logits, since shares are calibrated afterwards, what a block says to those that it is
    never before, and all that leads to a block that none is before. The weights are copies; `store`
    puts them into the network.

    Parameters
    ----------
    network : MaskedNetwork
        May have leads; then all blocks that are learnt and led have one leader.
    orders : Orders
    learnt : sequence of int, optional
        Columns of an index that take part, in rising order; all where left out. Others are neither
        heard nor told.
    """

    places: torch.Tensor
    table: torch.Tensor

    def __init__(
        self, network: MaskedNetwork, orders: Orders, learnt: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.network, self.spans, spans = [network], network.spans, network.spans
        n, d, h = network.sizes
        columns = torch.tensor(list(range(n) if learnt is None else learnt), device=spans.device)
        before = orders.usual[columns][:, columns]
        self.hearers = self.speakers = columns
        if not orders.any_order:
            self.speakers, self.hearers = columns[before.any(1)], columns[before.any(0)]
        self.pairs = self.speakers[:, None], self.hearers[None]

        starts, sizes = spans.starts[self.speakers].tolist(), spans.sizes[self.speakers].tolist()
        spans_of = [torch.arange(a, a + size) for a, size in zip(starts, sizes, strict=True)]
        self.spoken = torch.cat(spans_of or [torch.zeros(0, dtype=torch.int64)]).to(spans.device)
        places = torch.zeros(spans.width, dtype=torch.int64, device=spans.device)
        places[self.spoken] = torch.arange(len(self.spoken), device=spans.device)
        self.register_buffer("places", places, persistent=False)
        self.embed = Lookup(nn.Parameter(network.embed.detach()[self.spoken]))
        first = network.first.detach().view(n, d, n, h)
        present = network.present.detach().view(n, n, h)[self.pairs] if orders.any_order else None
        self.first = Masked(
            first[self.speakers][:, :, self.hearers],
            present,
            network.first_bias.detach().view(n, h)[self.hearers],
            self.among(orders.draw()),
        )
        self.inner = _batched(network.inner, self.hearers, network.inner_bias)
        self.heads = nn.ModuleList()
        self.rows: list[tuple[BlockHead, torch.Tensor]] = []
        begin, tables, self.leader = 0, [], self._leader()
        for bucket, head in zip(spans.buckets, network.heads, strict=True):
            assert isinstance(head, BlockHead)
            mine = self.hearers[(self.hearers >= begin) & (self.hearers < begin + bucket.count)]
            if len(mine):
                self.rows.append((head, mine - begin))
                self.heads.append(
                    nn.Sequential(*(_batched(layer, mine - begin) for layer in head.layers))
                )
                tables.append(self._table(mine.tolist(), bucket.width))
            begin += bucket.count
        self.counts = [len(rows) for _, rows in self.rows]
        self.lengths = [table.shape[1] for table in tables]
        table = torch.cat(tables, dim=1) if tables else torch.zeros((1, 0))
        self.register_buffer("table", table, persistent=False)

    def _leader(self) -> int | None:
        """Return the column whose code adds to the logits of others, if there is one."""
        leaders = self.network[0].leaders
        found = {leaders[column] for column in self.hearers.tolist() if column in leaders}
        assert len(found) <= 1
        return found.pop() if found else None

    def _table(self, columns: list[int], width: int) -> torch.Tensor:
        """Return the biases of columns, for each code of the leader, (n_codes, n * width)."""
        network, spans = self.network[0], self.spans
        n_codes = 1 if self.leader is None else int(spans.sizes[self.leader])
        parts = []
        for column in columns:
            start, size = int(spans.starts[column]), int(spans.sizes[column])
            part = network.bias.detach()[start : start + width].repeat(n_codes, 1)
            if column in network.leaders:
                part[:, :size] += network.leads[str(column)]
            parts.append(part)
        return torch.cat(parts, dim=1)

    def among(self, before: torch.Tensor) -> torch.Tensor:
        """Return the part of an order that is about the blocks that speak and those that hear."""
        return before[self.pairs]

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihood of each row's codes in nats, (n_rows,).

        Parameters
        ----------
        index : tensor of int, shape (n_rows, n_blocks)
        """
        spans = self.spans
        hidden = self.first(self.embed(self.places[index[:, self.speakers]]))
        hidden = torch.relu(hidden).transpose(0, 1).contiguous()
        hidden = hidden + torch.relu(self.inner(hidden))
        bias = self.table.to(hidden.dtype)
        if self.leader is not None:
            bias = bias[(index[:, self.leader] - spans.starts[self.leader]).long()]
        codes = (index[:, self.hearers] - spans.starts[self.hearers]).long().T
        parts = (
            torch.split(hidden, self.counts),
            torch.split(bias, self.lengths, dim=1),
            torch.split(codes, self.counts),
        )
        losses = []
        for head, some, added, wanted in zip(self.heads, *parts, strict=True):
            logits = head(some) + added.view(len(added), len(some), -1).transpose(0, 1)
            each = nn.functional.cross_entropy(
                logits.flatten(0, 1), wanted.reshape(-1), reduction="none"
            )
            losses.append(each.view(wanted.shape))
        total = torch.cat(losses)
        if spans.levels:
            total = total * spans.meant(index)[:, self.hearers].T
        return total.sum(0)

    @torch.no_grad()
    def store(self) -> None:
        """Put the weights into the network; all others of it become 0, but the biases."""
        network = self.network[0]
        n, d, h = network.sizes
        for weight in (network.embed, network.smooth, network.first, network.present):
            weight.zero_()
        for weight in (network.first_bias, network.inner, network.inner_bias):
            weight.zero_()
        network.embed[self.spoken] = self.embed.weight
        # Indices with slices between them come first.
        network.first.view(n, d, n, h)[self.pairs[0], :, self.pairs[1]] = (
            self.first.dense().transpose(1, 2)
        )
        if self.first.present is not None:
            network.present.view(n, n, h)[self.pairs] = self.first.present
        network.first_bias.view(n, h)[self.hearers] = self.first.bias
        network.inner[self.hearers] = self.inner.weight
        if self.inner.bias is not None:
            network.inner_bias[self.hearers] = self.inner.bias
        for head in network.heads:
            for weight in head.parameters():
                weight.zero_()
        for (head, rows), layers in zip(self.rows, self.heads, strict=True):
            assert isinstance(layers, nn.Sequential)
            for weight, layer in zip(head.layers, layers, strict=True):
                weight[rows] = layer.weight


def _batched(weight: torch.Tensor, rows: torch.Tensor, bias: torch.Tensor | None = None) -> Batched:
    """Return a layer for some blocks."""
    some = None if bias is None else nn.Parameter(bias.detach()[rows])
    return Batched(nn.Parameter(weight.detach()[rows]), some)


def train_masked(
    network: MaskedNetwork,
    orders: Orders,
    learnt: Sequence[int],
    data: TrainingData,
    run: PrivateSteps,
    learning_rate: float,
    average: float,
    phase: str,
    device: torch.device,
    monitor: Monitor,
) -> int:
    """Train a masked network through the door to the rows; return how many steps were taken.

    See `train_privately`.

    Parameters
    ----------
    network : MaskedNetwork
    orders : Orders
        Gives the order of blocks of each step, for all of its rows.
    learnt : sequence of int
        See `GhostMasked`. Of one alone nothing is to be learnt, and no step is taken.
    """
    ghost = GhostMasked(network, orders, learnt)

    def after(step: int) -> None:
        ghost.first.before = ghost.among(orders.draw())

    if len(learnt) > 1:
        train_privately(ghost, data, run, learning_rate, average, phase, device, monitor, after)
    ghost.store()
    return run.steps if len(learnt) > 1 else 0

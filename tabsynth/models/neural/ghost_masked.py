"""The masked network as layers that tell how long the gradients of rows are."""

from __future__ import annotations

import torch
from torch import nn

from tabsynth.models.neural.ghost import Batched, Lookup, Masked, Placed
from tabsynth.models.neural.masked import BlockHead, MaskedNetwork
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.private import place, train_privately
from tabsynth.monitor import Monitor
from tabsynth.privacy.training import PrivateSteps, TrainingData


class GhostMasked(nn.Module):
    """A `MaskedNetwork` in one order of blocks, which returns the loss of each row.

    Parameters
    ----------
    network : MaskedNetwork
        Its weights are trained; its biases of logits once `finish` was called.
    before : tensor of float, shape (n_blocks, n_blocks)
        See `Orders`.
    """

    def __init__(self, network: MaskedNetwork, before: torch.Tensor) -> None:
        super().__init__()
        # Not a module of this one: its layers are used through those below.
        self._whole = (network,)
        self.spans = network.spans
        self.embed = Lookup(network.embed)
        self.places = Batched(network.smooth) if len(network.places) else None
        self.first = Masked(network.first, network.present, network.first_bias, before)
        self.inner = Batched(network.inner, network.inner_bias)
        lengths = [bucket.count * bucket.width for bucket in self.spans.buckets]
        self.ranks: list[nn.ModuleList] = []
        heads = []
        for head, bucket, bias in zip(
            network.heads,
            self.spans.buckets,
            torch.split(network.bias.detach().clone(), lengths),
            strict=True,
        ):
            assert isinstance(head, BlockHead)
            layers = list(head.layers)
            self.ranks.append(nn.ModuleList(Batched(layer) for layer in layers[:-1]))
            own = nn.Parameter(bias.view(bucket.count, 1, bucket.width).clone())
            heads.append(Placed(layers[-1], head.smooth, head.features, own))
        self.all_ranks, self.heads = nn.ModuleList(self.ranks), nn.ModuleList(heads)

    def forward(self, index: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihood of each row's codes in nats, (n_rows,).

        Parameters
        ----------
        index : tensor of int, shape (n_rows, n_blocks)
        offsets : tensor of float, shape (n_rows, n_offset_blocks)
        """
        network, spans = self._whole[0], self.spans
        told = self.embed(index)
        if self.places is not None:
            features = network.places.features(spans, index, offsets).to(told.dtype)
            said = self.places(features.transpose(0, 1).contiguous())
            told = told.index_add(1, network.places.columns, said.transpose(0, 1))
        hidden = torch.relu(self.first(told)).transpose(0, 1).contiguous()
        hidden = hidden + torch.relu(self.inner(hidden))
        counts = [bucket.count for bucket in spans.buckets]
        codes = torch.split((index - spans.starts).long().T, counts)
        losses = []
        for layers, head, some, wanted in zip(
            self.ranks, self.heads, torch.split(hidden, counts), codes, strict=True
        ):
            for layer in layers:
                some = layer(some)
            logits, target = head(some).flatten(0, 1), wanted.reshape(-1)
            each = nn.functional.cross_entropy(logits, target, reduction="none")
            losses.append(each.view(wanted.shape))
        total = torch.cat(losses)
        if spans.levels:
            total = total * spans.meant(index).T
        return total.sum(0)

    @torch.no_grad()
    def finish(self, orders: Orders) -> None:
        """Put the biases of logits into the network, and let blocks hear what they learnt to."""
        network, before = self._whole[0], orders.usual
        network.bias.copy_(torch.cat([head.bias.reshape(-1) for head in self.heads]))
        if orders.any_order:
            return
        # What a block was never told has only taken noise.
        n, d, _ = network.sizes
        network.first.view(n, d, n, -1).mul_(before[:, None, :, None])
        network.present.view(n, n, -1).mul_(before[:, :, None])


def train_masked(
    network: MaskedNetwork,
    orders: Orders,
    data: TrainingData,
    run: PrivateSteps,
    learning_rate: float,
    average: float,
    phase: str,
    device: torch.device,
    monitor: Monitor,
) -> None:
    """Train a masked network through the door to the rows (see `train_privately`).

    Parameters
    ----------
    network : MaskedNetwork
    orders : Orders
        Gives the order of blocks of each step, for all of its rows.
    """
    ghost, index = GhostMasked(network, orders.draw()), place(network.spans)

    def loss(codes: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        losses: torch.Tensor = ghost(index(codes), offsets)
        return losses

    def after(step: int) -> None:
        ghost.first.before = orders.draw()

    train_privately(ghost, loss, data, run, learning_rate, average, phase, device, monitor, after)
    ghost.finish(orders)

"""The masked network as layers that tell how long the gradients of rows are."""

from __future__ import annotations

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
    all of them. So weights that tell little are left out: what codes share as places on a line is
    set to 0, and the biases of logits stay what they are, since shares are calibrated afterwards.

    Parameters
    ----------
    network : MaskedNetwork
    orders : Orders
    """

    def __init__(self, network: MaskedNetwork, orders: Orders) -> None:
        super().__init__()
        self.spans = network.spans
        self.embed = Lookup(network.embed)
        network.present.requires_grad_(orders.any_order)
        n, d, h = network.sizes
        present = network.present if orders.any_order else None
        self.first = Masked(
            network.first.view(n, d, n, h), present, network.first_bias, orders.draw()
        )
        self.inner = Batched(network.inner, network.inner_bias)
        network.smooth.requires_grad_(False).zero_()
        self.bias = network.bias.requires_grad_(False)
        self.heads = nn.ModuleList()
        for head in network.heads:
            assert isinstance(head, BlockHead)
            head.smooth.requires_grad_(False).zero_()
            self.heads.append(nn.Sequential(*(Batched(layer) for layer in head.layers)))

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihood of each row's codes in nats, (n_rows,).

        Parameters
        ----------
        index : tensor of int, shape (n_rows, n_blocks)
        """
        spans = self.spans
        hidden = torch.relu(self.first(self.embed(index))).transpose(0, 1).contiguous()
        hidden = hidden + torch.relu(self.inner(hidden))
        counts = [bucket.count for bucket in spans.buckets]
        lengths = [bucket.count * bucket.width for bucket in spans.buckets]
        parts = torch.split(hidden, counts), torch.split(self.bias, lengths)
        codes = torch.split((index - spans.starts).long().T, counts)
        losses = []
        for head, some, bias, wanted in zip(self.heads, *parts, codes, strict=True):
            logits = head(some) + bias.view(len(some), 1, -1)
            each = nn.functional.cross_entropy(
                logits.flatten(0, 1), wanted.reshape(-1), reduction="none"
            )
            losses.append(each.view(wanted.shape))
        total = torch.cat(losses)
        if spans.levels:
            total = total * spans.meant(index).T
        return total.sum(0)


@torch.no_grad()
def forget_untold(network: MaskedNetwork, before: torch.Tensor) -> None:
    """Let blocks say nothing to those that they were never before: this has only taken noise."""
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
    ghost = GhostMasked(network, orders)

    def after(step: int) -> None:
        ghost.first.before = orders.draw()

    train_privately(ghost, data, run, learning_rate, average, phase, device, monitor, after)
    if not orders.any_order:
        forget_untold(network, orders.usual)

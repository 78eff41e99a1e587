"""Heads: from hidden units to codes, all blocks of a table at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from tabsynth.models.neural.linear import Linear
from tabsynth.models.neural.spans import Spans

NEVER = -1e4
"""The logit of a code that is never drawn."""

NARROW = 24
"""Blocks of at most as many codes are narrow."""

RANK = 32
"""Number of hidden units in front of the blocks that have very many codes."""


class CodeHead(nn.Module):
    """The linear layer from hidden units to the logits of all codes.

    Blocks of more than `WIDE` codes are reached through `RANK` units, so that thousands of
    categories cost little more than hundreds.

    Parameters
    ----------
    spans : Spans
    n_in : int
        Number of hidden units.
    generator : torch.Generator
    gain : float
        See `Linear`.
    """

    def __init__(
        self, spans: Spans, n_in: int, generator: torch.Generator, gain: float = 0.1
    ) -> None:
        super().__init__()
        self.spans = spans
        width = spans.narrow_width
        self.narrow = Linear(n_in, width, generator, gain, bias=False)
        self.wide: nn.Sequential | None = None
        if spans.width > width:
            self.wide = nn.Sequential(
                Linear(n_in, RANK, generator),
                Linear(RANK, spans.width - width, generator, gain, bias=False),
            )
        self.bias = nn.Parameter(torch.full((spans.width,), NEVER))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n_rows, spans.width), of hidden units (n_rows, n_in)."""
        if self.wide is None:
            return nn.functional.linear(hidden, self.narrow.weight, self.bias)
        return torch.cat([self.narrow(hidden), self.wide(hidden)], dim=1) + self.bias

    @torch.no_grad()
    def start_at(self, shares: torch.Tensor) -> None:
        """Set the biases so that codes come with `shares`, (spans.width,), and others never."""
        self.bias.copy_(torch.where(shares > 0, shares.clamp_min(1e-30).log(), NEVER))


def softmax(logits: torch.Tensor, spans: Spans) -> torch.Tensor:
    """Return the softmax of every block.

    Parameters
    ----------
    logits : tensor of float, shape (n_rows, spans.width)
        Padding holds `NEVER`.
    spans : Spans

    Returns
    -------
    tensor of float, shape (n_rows, spans.width)
        0 in the padding.
    """
    return torch.cat([_softmax(view).flatten(1) for view in spans.views(logits)], dim=1)


def _softmax(view: torch.Tensor) -> torch.Tensor:
    """Return the softmax along the last dimension, with rows innermost where that is short.

    The processor works on several rows at once only if they lie side by side: three times as fast
    at a width of ten, no faster at eighty.
    """
    if view.shape[-1] > NARROW:
        return torch.softmax(view, -1)
    return torch.softmax(view.permute(1, 2, 0).contiguous(), 1).permute(2, 0, 1)


class _CrossEntropy(torch.autograd.Function):
    """Softmax and cross-entropy in one, which keeps a single array for the way back."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, index: torch.Tensor, spans: Spans) -> torch.Tensor:
        shares = softmax(logits, spans)
        ctx.save_for_backward(shares, index)
        ctx.spans = spans
        return -shares.gather(1, index).clamp_min(1e-30).log()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        shares, index = ctx.saved_tensors
        gradient = ctx.spans.expand(weight).mul_(shares)
        return gradient.scatter_add_(1, index, -weight), None, None


def cross_entropy(logits: torch.Tensor, index: torch.Tensor, spans: Spans) -> torch.Tensor:
    """Return the negative log-likelihood of every code.

    Parameters
    ----------
    logits : tensor of float, shape (n_rows, spans.width)
    index : tensor of int64, shape (n_rows, n_blocks)
        Positions of the codes.
    spans : Spans

    Returns
    -------
    tensor of float, shape (n_rows, n_blocks)
        In nats.
    """
    loss: torch.Tensor = _CrossEntropy.apply(logits, index, spans)  # type: ignore[no-untyped-call]
    return loss


def draw(logits: torch.Tensor, spans: Spans, generator: torch.Generator) -> torch.Tensor:
    """Draw a code of every block from the softmax of its logits.

    Returns
    -------
    tensor of int64, shape (n_rows, n_blocks)
        Positions. A child of a code that is not refined gets its code 0.
    """
    shape = (len(logits), spans.n_blocks)
    level = torch.rand(shape, generator=generator, device=logits.device)
    column, parts = 0, []
    for view in spans.views(logits):
        count = view.shape[1]
        edges = torch.softmax(view, -1).cumsum(-1)
        reached = level[:, column : column + count, None] * edges[..., -1:]
        parts.append(torch.searchsorted(edges, reached, right=True)[..., 0])
        column += count
    codes = torch.minimum(torch.cat(parts, dim=1), spans.sizes - 1)
    index = codes + spans.starts
    if spans.levels:
        index = torch.where(spans.meant(index), index, spans.starts)
    return index


def draw_gumbel(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """Draw standard Gumbel noise."""
    uniform = torch.rand(shape, generator=generator, device=device).clamp_min_(1e-20)
    return uniform.log_().neg_().clamp_min_(1e-20).log_().neg_()

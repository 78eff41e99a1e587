"""Heads: from rows of numbers to codes and offsets, all blocks of a table at once."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from tabsynth.models.neural.spans import Spans

NEVER = -1e4
"""The logit of a code that is never drawn."""


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
    parts = [torch.softmax(view, -1).flatten(1) for view in spans.views(logits)]
    return torch.cat(parts, dim=1)


class _CrossEntropy(torch.autograd.Function):
    """Softmax and cross-entropy in one, which keeps a single array for the way back."""

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, index: torch.Tensor, spans: Spans
    ) -> torch.Tensor:
        shares = softmax(logits, spans)
        ctx.save_for_backward(shares, index)
        ctx.spans = spans
        return -shares.gather(1, index).clamp_min(1e-30).log()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, weight: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        shares, index = ctx.saved_tensors
        column, parts = 0, []
        for view in ctx.spans.views(shares):
            count = view.shape[1]
            parts.append((view * weight[:, column : column + count, None]).flatten(1))
            column += count
        gradient = torch.cat(parts, dim=1)
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
    uniform = torch.rand(
        (len(logits), spans.n_blocks), generator=generator, device=logits.device
    )
    column, parts = 0, []
    for view in spans.views(logits):
        count = view.shape[1]
        edges = torch.softmax(view, -1).cumsum(-1)
        level = uniform[:, column : column + count, None] * edges[..., -1:]
        parts.append((edges <= level).sum(-1))
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

"""Shares of codes: read from rows, and met by a network's biases."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tabsynth.models.neural.device import widest
from tabsynth.models.neural.heads import CodeHead, softmax
from tabsynth.models.neural.spans import Spans

CLOSE = 5e-4
"""Total variation between shares that are met and wanted, at which calibration ends."""


def read_shares(index: torch.Tensor, spans: Spans) -> torch.Tensor:
    """Return the share of every code among the rows where its block means something.

    Returns
    -------
    tensor of float, shape (spans.width,)
        0 in the padding; blocks sum to 1, or to 0 where no row means anything.
    """
    counts = torch.bincount(
        index.reshape(-1).long(),
        weights=spans.meant(index).reshape(-1).to(widest(index.device)),
        minlength=spans.width,
    )
    return _normalise(counts.float(), spans)


def _normalise(counts: torch.Tensor, spans: Spans) -> torch.Tensor:
    totals = spans.expand(spans.totals(counts[None]))[0]
    return counts / totals.clamp_min(1e-30)


def _expected(
    logits: torch.Tensor, spans: Spans, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return how many rows get each code, by expectation, counting only what means something."""
    shares = softmax(logits, spans)
    if weights is not None:
        shares = shares * weights[:, None]
    if spans.levels:
        refined = spans.totals(shares * spans.refined)
        meant = torch.ones_like(refined)
        for children, parents in spans.levels:
            meant[:, children] = meant[:, parents] * refined[:, parents]
        shares = shares * spans.expand(meant)
    return shares.sum(0)


@torch.no_grad()
def calibrate(
    head: CodeHead,
    hidden: Callable[[], list[torch.Tensor]],
    shares: torch.Tensor,
    spans: Spans,
    rounds: int = 40,
) -> None:
    """Move the biases of a head until its codes come with the shares that they have in the data.

    This is iterative proportional fitting of the one-way margins: a small correction for what
    training left, which does not touch how codes depend on the hidden units.

    Parameters
    ----------
    head : CodeHead
        Changed in place.
    hidden : callable
        Returns chunks of hidden units that stand for rows to be drawn.
    shares : tensor of float, shape (spans.width,)
        See `read_shares`.
    spans : Spans
    rounds : int
        Most corrections. An adversary is often sure of its codes, so that its biases have far to
        go; no more are made once no block is further than `CLOSE` from its shares.
    """
    logits = [head(chunk) for chunk in hidden()]
    head.bias.add_(meet(logits, shares, spans, rounds))


@torch.no_grad()
def meet(
    logits: list[torch.Tensor],
    shares: torch.Tensor,
    spans: Spans,
    rounds: int,
    weights: list[torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return what to add to logits for codes to come with shares.

    Parameters
    ----------
    logits : list of tensor of float, shape (n_rows, spans.width)
        Of rows to be drawn, in chunks.
    shares : tensor of float, shape (spans.width,)
        All 0 in blocks that are left alone.
    spans : Spans
    rounds : int
        Most corrections.
    weights : list of tensor of float, shape (n_rows,), optional
        What rows count; 1 where left out.

    Returns
    -------
    tensor of float, shape (spans.width,)
    """
    wanted, held = shares.clamp_min(1e-30).log(), shares > 0
    told = spans.expand(spans.totals(shares[None]) > 0)[0]
    moved = torch.zeros_like(shares)
    counted = [None] * len(logits) if weights is None else weights
    for _ in range(rounds):
        parts = zip(logits, counted, strict=True)
        counts = torch.stack([_expected(some + moved, spans, w) for some, w in parts]).sum(0)
        found = _normalise(counts, spans)
        missed = torch.where(told, (found - shares).abs(), 0.0)
        if float(spans.totals(missed[None]).max()) < 2 * CLOSE:
            break
        step = (wanted - found.clamp_min(1e-9).log()).clamp(-2.0, 2.0)
        moved.add_(torch.where(held, step, 0.0))
    return moved

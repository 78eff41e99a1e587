"""Layers whose weights are drawn from a generator of our own."""

from __future__ import annotations

import math

import torch
from torch import nn


def uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> nn.Parameter:
    """Return a parameter drawn evenly from ``[-bound, bound]``."""
    draws = torch.rand(shape, generator=generator)
    return nn.Parameter(draws.mul_(2 * bound).sub_(bound))


class Linear(nn.Module):
    """``x @ weight.T + bias``.

    Parameters
    ----------
    n_in, n_out : int
        Number of inputs and outputs.
    generator : torch.Generator
        On the processor, whatever device the layer is moved to.
    gain : float
        The weights have standard deviation ``gain / sqrt(n_in)``.
    bias : bool
        Whether there is one.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        generator: torch.Generator,
        gain: float = 1.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.weight = uniform((n_out, n_in), gain * math.sqrt(3 / max(n_in, 1)), generator)
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Apply the layer to inputs of shape (n_rows, n_in)."""
        return nn.functional.linear(inputs, self.weight, self.bias)

"""Offsets given a code: a logistic distribution squashed into the interval from -1 to 1."""

from __future__ import annotations

import math

import torch
from torch import nn

from tabsynth.models.neural.linear import Linear
from tabsynth.models.neural.spans import Spans

EDGE = 1 - 1e-3
NARROWEST = math.log(0.01)


def stretch(offsets: torch.Tensor) -> torch.Tensor:
    """Map offsets in ``[-1, 1]`` to the real line; `squash` is the way back."""
    return 2 * torch.atanh(offsets.clamp(-EDGE, EDGE))


def squash(values: torch.Tensor) -> torch.Tensor:
    """Map the real line to ``(-1, 1)``."""
    return torch.tanh(values / 2)


class OffsetHead(nn.Module):
    """The distribution of the offset inside each continuous code.

    A stretched offset is logistic, with a location that may depend on the hidden units and a scale
    of its own for every code. Location 0 with scale 1 is the uniform distribution on ``[-1, 1]``;
    a smaller scale is a peak, and no draw ever leaves the interval.

    Parameters
    ----------
    spans : Spans
    n_in : int
        Number of hidden units; 0 where the location depends on the code alone.
    generator : torch.Generator
    """

    def __init__(self, spans: Spans, n_in: int, generator: torch.Generator) -> None:
        super().__init__()
        self.spans = spans
        self.shift = Linear(n_in, spans.n_continuous, generator, gain=0.1) if n_in else None
        self.location = nn.Parameter(torch.zeros(spans.n_continuous))
        self.log_scale = nn.Parameter(torch.zeros(spans.n_continuous))

    @torch.no_grad()
    def start_at(self, codes: torch.Tensor, offsets: torch.Tensor) -> None:
        """Set location and scale of every code to what its rows show.

        Parameters
        ----------
        codes : tensor of int64, shape (n_rows, n_offset_blocks)
            See `Spans.offset_codes`.
        offsets : tensor of float, shape (n_rows, n_offset_blocks)
        """
        size = self.spans.n_continuous
        flat, values = codes.reshape(-1), stretch(offsets).reshape(-1).double()
        counts = torch.bincount(flat, minlength=size + 1)[:size].double()
        mean = torch.bincount(flat, values, size + 1)[:size] / counts.clamp_min(1)
        square = torch.bincount(flat, values.square(), size + 1)[:size] / counts.clamp_min(1)
        # As if two rows more had come from the uniform distribution.
        spread = (square - mean.square()).clamp_min(0) * counts + 2 * math.pi**2 / 3
        scale = (spread / (counts + 2)).sqrt() * math.sqrt(3) / math.pi
        self.location.copy_(mean * counts / (counts + 2))
        self.log_scale.copy_(scale.log().clamp_min(NARROWEST))

    def _parameters_of(
        self, hidden: torch.Tensor, codes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        location = self.location[codes]
        if self.shift is not None:
            location = location + self.shift(hidden).gather(1, codes)
        return location, self.log_scale.clamp_min(NARROWEST)[codes]

    def loss(
        self, hidden: torch.Tensor, codes: torch.Tensor, offsets: torch.Tensor
    ) -> torch.Tensor:
        """Return the negative log-likelihood, 0 where there is no offset.

        Returns
        -------
        tensor of float, shape (n_rows, n_offset_blocks)
            In nats, against the uniform distribution's 0.
        """
        size = self.spans.n_continuous
        location, log_scale = self._parameters_of(hidden, codes.clamp_max(size - 1))
        values = stretch(offsets)
        scaled = (values - location) * torch.exp(-log_scale)
        loss = scaled + 2 * nn.functional.softplus(-scaled) + log_scale
        uniform = values + 2 * nn.functional.softplus(-values)
        return (loss - uniform) * (codes < size)

    def draw(
        self, hidden: torch.Tensor, codes: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Draw offsets, 0 where the code has none."""
        size = self.spans.n_continuous
        location, log_scale = self._parameters_of(hidden, codes.clamp_max(size - 1))
        uniform = torch.rand(codes.shape, generator=generator, device=codes.device)
        noise = torch.logit(uniform, eps=1e-6)
        return squash(location + noise * torch.exp(log_scale)) * (codes < size)

"""Offsets given a code: a logistic distribution squashed into the interval from -1 to 1."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from tabsynth.models.neural.device import widest
from tabsynth.models.neural.heads import CodeHead, draw
from tabsynth.models.neural.linear import Linear
from tabsynth.models.neural.spans import Spans

EDGE = 1 - 1e-3
"""Offsets nearer to -1 or 1 than this count as this, so that they stay finite when stretched."""

NARROWEST = math.log(0.01)
"""Least logarithm of a scale."""


def stretch(offsets: torch.Tensor) -> torch.Tensor:
    """Map offsets in ``[-1, 1]`` to the real line; `squash` is the way back."""
    return 2 * torch.atanh(offsets.clamp(-EDGE, EDGE))


def squash(values: torch.Tensor) -> torch.Tensor:
    """Map the real line to ``[-1, 1]``."""
    return torch.tanh(values / 2)


class OffsetHead(nn.Module):
    """The distribution of the offset in each slot.

    A stretched offset is logistic, with a location that depends on the hidden units and a scale of
    its own for every slot. Location 0 with scale 1 is the uniform distribution on ``[-1, 1]``, a
    smaller scale is a peak, and no draw ever leaves the interval.

    Parameters
    ----------
    spans : Spans
    n_in : int
        Number of hidden units.
    generator : torch.Generator
    """

    used: torch.Tensor

    def __init__(self, spans: Spans, n_in: int, generator: torch.Generator) -> None:
        super().__init__()
        self.spans = spans
        self.shift = Linear(n_in, spans.n_slots, generator, gain=0.1)
        self.log_scale = nn.Parameter(torch.zeros(spans.n_slots))
        # Whether offsets of the slot were anything but 0; the last one stands for no slot.
        self.register_buffer("used", torch.zeros(spans.n_slots + 1, dtype=torch.bool))

    @torch.no_grad()
    def start_at(self, slots: torch.Tensor, offsets: torch.Tensor) -> None:
        """Set location and scale of every slot to what its rows show.

        Parameters
        ----------
        slots : tensor of int64, shape (n_rows, n_offset_blocks)
            See `Spans.slots`.
        offsets : tensor of float, shape (n_rows, n_offset_blocks)
        """
        size, wide = self.spans.n_slots, widest(offsets.device)
        flat, values = slots.reshape(-1), stretch(offsets).reshape(-1).to(wide)
        counts = torch.bincount(flat, minlength=size + 1)[:size].to(wide)
        mean = torch.bincount(flat, values, size + 1)[:size] / counts.clamp_min(1)
        square = torch.bincount(flat, values.square(), size + 1)[:size] / counts.clamp_min(1)
        self.used[:size] = square > 0
        # As if two rows more had come from the uniform distribution.
        spread = (square - mean.square()).clamp_min(0) * counts + 2 * math.pi**2 / 3
        scale = (spread / (counts + 2)).sqrt() * math.sqrt(3) / math.pi
        assert self.shift.bias is not None
        self.shift.bias.copy_(mean * counts / (counts + 2))
        self.log_scale.copy_(scale.log().clamp_min(NARROWEST))

    @torch.no_grad()
    def spread_evenly(self) -> None:
        """Spread offsets evenly inside each code, and let hidden units say nothing about them."""
        assert self.shift.bias is not None
        for value in (self.shift.weight, self.shift.bias, self.log_scale):
            value.zero_()
        self.used[:-1] = True

    def _parameters_of(
        self, hidden: torch.Tensor, slots: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        slots = slots.clamp_max(self.spans.n_slots - 1)
        return self.shift(hidden).gather(1, slots), self.log_scale.clamp_min(NARROWEST)[slots]

    def loss(
        self, hidden: torch.Tensor, slots: torch.Tensor, offsets: torch.Tensor
    ) -> torch.Tensor:
        """Return the negative log-likelihood, 0 where there is no offset.

        Returns
        -------
        tensor of float, shape (n_rows, n_offset_blocks)
            In nats; the uniform distribution on ``[-1, 1]`` has 0.
        """
        location, log_scale = self._parameters_of(hidden, slots)
        values = stretch(offsets)
        scaled = (values - location) * torch.exp(-log_scale)
        loss = scaled + 2 * nn.functional.softplus(-scaled) + log_scale
        uniform = values + 2 * nn.functional.softplus(-values)
        return (loss - uniform) * self.used[slots]

    def weigh(self, hidden: torch.Tensor) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Return what gives the log-density of offsets, up to a term that hidden units lack.

        It takes slots and stretched offsets, each of shape (n_offsets,), and returns a tensor of
        shape (n_offsets, n_rows).
        """
        locations: torch.Tensor = self.shift(hidden).T
        scales = torch.exp(self.log_scale.clamp_min(NARROWEST))

        def density(slots: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
            scaled = (values[:, None] - locations[slots]) / scales[slots, None]
            weights = -scaled - 2 * nn.functional.softplus(-scaled)
            return weights * self.used[slots, None]

        return density

    def draw(
        self, hidden: torch.Tensor, slots: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Draw offsets, 0 where there is none."""
        location, log_scale = self._parameters_of(hidden, slots)
        level = torch.rand(slots.shape, generator=generator, device=slots.device)
        noise = torch.logit(level, eps=1e-6)
        return squash(location + noise * torch.exp(log_scale)) * self.used[slots]

    def soften(self, hidden: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw an offset in every slot, such that a gradient flows to locations and scales.

        Returns
        -------
        tensor of float, shape (n_rows, n_slots)
        """
        location = self.shift(hidden)
        level = torch.rand(location.shape, generator=generator, device=location.device)
        noise = torch.logit(level, eps=1e-6)
        scale = torch.exp(self.log_scale.clamp_min(NARROWEST))
        return squash(location + noise * scale) * self.used[:-1]


def draw_rows(
    codes: CodeHead, offsets: OffsetHead | None, hidden: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw rows from hidden units: positions of codes (n_rows, n_blocks), and offsets.

    Parameters
    ----------
    codes : CodeHead
    offsets : OffsetHead or None
        None where no code has an offset.
    hidden : tensor of float, shape (n_rows, n_units)
    generator : torch.Generator
    """
    index = draw(codes(hidden), codes.spans, generator)
    if offsets is None:
        return index, hidden.new_zeros((len(index), 0))
    return index, offsets.draw(hidden, codes.spans.slots(index), generator)

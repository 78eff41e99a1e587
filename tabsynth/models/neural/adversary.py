"""The two networks of an adversarial model: one makes rows, the other tells them from real ones."""

from __future__ import annotations

import torch
from torch import nn

from tabsynth.models.neural.heads import CodeHead, draw_gumbel, softmax
from tabsynth.models.neural.inputs import RowInputs
from tabsynth.models.neural.linear import Linear, uniform
from tabsynth.models.neural.offsets import OffsetHead, draw_rows
from tabsynth.models.neural.spans import Spans

CONDITION_UNITS = 64
"""Most units that a condition is told by."""

LEAK = 0.2
"""Slope of the critic's units below 0."""


class Generator(nn.Module):
    """From noise and conditions to rows.

    Three hidden layers with batch normalisation, of which the second and the third add to what they
    are given, then a logit for every code and a logistic distribution for the offset in every slot.

    Parameters
    ----------
    spans : Spans
    n_conditions : int
        Number of conditions there are; 0 for none.
    n_noise, n_hidden : int
        Units of the noise and of each hidden layer.
    generator : torch.Generator
        For the first weights.
    """

    def __init__(
        self,
        spans: Spans,
        n_conditions: int,
        n_noise: int,
        n_hidden: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.spans, self.n_noise = spans, n_noise
        units = min(n_conditions, CONDITION_UNITS)
        self.condition = uniform((n_conditions, units), 3**0.5, generator)
        sizes = (n_noise + units, n_hidden, n_hidden)
        self.layers = nn.ModuleList(
            Linear(size, n_hidden, generator, gain=2**0.5) for size in sizes
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(n_hidden) for _ in sizes)
        self.codes = CodeHead(spans, n_hidden, generator)
        self.offsets = OffsetHead(spans, n_hidden, generator) if spans.n_slots else None

    def told(self, conditions: torch.Tensor) -> torch.Tensor:
        """Return what the network is told of conditions, float of shape (n_rows, units)."""
        return self.condition[conditions]

    def forward(self, noise: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        """Return the last hidden units of rows.

        Parameters
        ----------
        noise : tensor of float, shape (n_rows, n_noise)
        conditions : tensor of int64, shape (n_rows,)
            Ignored where there are no conditions.
        """
        inputs = noise
        if len(self.condition):
            inputs = torch.cat([noise, self.told(conditions)], dim=1)
        hidden: torch.Tensor | None = None
        for layer, norm in zip(self.layers, self.norms, strict=True):
            if hidden is None:
                hidden = torch.relu(norm(layer(inputs)))
            else:
                hidden = hidden + torch.relu(norm(layer(hidden)))
        assert hidden is not None
        return hidden

    def soften(
        self, hidden: torch.Tensor, temperature: float, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw rows through which a gradient flows.

        Codes are drawn by the Gumbel trick; forth they are whole, back they are the softmax at
        `temperature`, so that no critic can tell rows by codes that are shared out. Offsets are
        their location and noise of their scale.

        Returns
        -------
        logits, shares : tensor of float, shape (n_rows, spans.width)
        offsets : tensor of float, shape (n_rows, spans.n_slots)
            Offset in every slot times the share of its code.

        References
        ----------
        Jang, Gu and Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017,
        arXiv:1611.01144.
        """
        logits = self.codes(hidden)
        noise = draw_gumbel(logits.shape, generator, logits.device)
        soft = softmax((logits + noise) / temperature, self.spans)
        whole = [
            torch.zeros_like(view).scatter_(2, view.max(-1, keepdim=True).indices, 1.0).flatten(1)
            for view in self.spans.views(soft.detach())
        ]
        shares = soft + (torch.cat(whole, dim=1) - soft.detach())
        if self.offsets is None:
            return logits, shares, shares[:, :0]
        offsets = self.offsets.soften(hidden, generator)
        return logits, shares, offsets * shares[:, self.spans.slot_positions]

    def draw(
        self, hidden: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw rows: positions of codes (n_rows, n_blocks) and offsets."""
        return draw_rows(self.codes, self.offsets, hidden, generator)


class Critic(nn.Module):
    """From packs of rows, and the conditions they were drawn for, to one score a pack.

    Every row goes through the same first layer; what comes out of the rows of a pack is put side by
    side.

    Parameters
    ----------
    spans : Spans
    n_conditions : int
        Number of conditions there are; 0 for none.
    n_row, n_hidden : int
        Units of each row and of each hidden layer.
    pack : int
        Rows of a pack.
    generator : torch.Generator
        For the first weights.

    References
    ----------
    Lin, Khetan, Fanti and Oh, "PacGAN: The power of two samples in generative adversarial
    networks", 2018, arXiv:1712.04086.
    """

    def __init__(
        self,
        spans: Spans,
        n_conditions: int,
        n_row: int,
        n_hidden: int,
        pack: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.pack = pack
        self.rows = RowInputs(spans, n_row, generator)
        self.condition = uniform((n_conditions, n_row), 0.5, generator)
        self.packed = Linear(pack * n_row, n_hidden, generator, gain=2**0.5)
        self.inner = Linear(n_hidden, n_hidden, generator, gain=2**0.5)
        self.outer = Linear(n_hidden, 1, generator)

    def forward(self, rows: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        """Return the scores of packs, shape (n_rows / pack,).

        Parameters
        ----------
        rows : tensor of float, shape (n_rows, n_row)
            What `self.rows` makes of rows.
        conditions : tensor of int64, shape (n_rows,)
        """
        if len(self.condition):
            rows = rows + self.condition[conditions]
        hidden = nn.functional.leaky_relu(rows, LEAK).view(len(rows) // self.pack, -1)
        hidden = nn.functional.leaky_relu(self.packed(hidden), LEAK)
        hidden = nn.functional.leaky_relu(self.inner(hidden), LEAK)
        scores: torch.Tensor = self.outer(hidden)[:, 0]
        return scores

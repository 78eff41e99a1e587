"""The two networks of an autoencoder: one describes rows by a few numbers, the other undoes it."""

from __future__ import annotations

import torch
from torch import nn

from tabsynth.models.neural.heads import CodeHead, cross_entropy
from tabsynth.models.neural.inputs import RowInputs
from tabsynth.models.neural.linear import Linear
from tabsynth.models.neural.offsets import OffsetHead, draw_rows
from tabsynth.models.neural.spans import Spans


class Encoder(nn.Module):
    """From rows to the means and log-variances of their latents.

    Parameters
    ----------
    spans : Spans
    n_latent, n_hidden : int
        Dimensions of the latent, and units of each hidden layer.
    generator : torch.Generator
        For the first weights.
    """

    def __init__(
        self, spans: Spans, n_latent: int, n_hidden: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.rows = RowInputs(spans, n_hidden, generator)
        self.inner = Linear(n_hidden, n_hidden, generator, gain=2**0.5)
        self.outer = Linear(n_hidden, 2 * n_latent, generator, gain=0.1)

    def forward(
        self, index: torch.Tensor, offsets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means and log-variances, each of shape (n_rows, latent)."""
        hidden = torch.relu(self.inner(torch.relu(self.rows(index, offsets))))
        mean, log_variance = self.outer(hidden).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)


class Decoder(nn.Module):
    """From latents to distributions of codes and offsets.

    Parameters
    ----------
    spans : Spans
    n_latent, n_hidden : int
        Dimensions of the latent, and units of each hidden layer.
    generator : torch.Generator
        For the first weights.
    """

    def __init__(
        self, spans: Spans, n_latent: int, n_hidden: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.spans, self.n_latent = spans, n_latent
        self.body = nn.Sequential(
            Linear(n_latent, n_hidden, generator, gain=2**0.5),
            nn.ReLU(),
            Linear(n_hidden, n_hidden, generator, gain=2**0.5),
            nn.ReLU(),
        )
        self.codes = CodeHead(spans, n_hidden, generator)
        self.offsets = OffsetHead(spans, n_hidden, generator) if spans.n_slots else None

    def loss(
        self, latent: torch.Tensor, index: torch.Tensor, offsets: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean negative log-likelihood of rows given their latents, in nats."""
        hidden = self.body(latent)
        wide = index.long()
        each = cross_entropy(self.codes(hidden), wide, self.spans)
        if self.spans.levels:
            each = each * self.spans.meant(wide)
        total = each.sum()
        if self.offsets is not None:
            total = total + self.offsets.loss(hidden, self.spans.slots(wide), offsets).sum()
        return total / len(index)

    def draw(
        self, latent: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw rows: positions of codes (n_rows, n_blocks) and offsets."""
        return self.finish(self.body(latent), generator)

    def finish(
        self, hidden: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw rows from hidden units."""
        return draw_rows(self.codes, self.offsets, hidden, generator)

"""The autoencoder as layers that tell how long the gradients of rows are."""

from __future__ import annotations

import torch
from torch import nn

from tabsynth.models.neural.autoencoder import Decoder, Encoder
from tabsynth.models.neural.chance import RowChance
from tabsynth.models.neural.ghost import Affine, Bag, Shift
from tabsynth.models.neural.heads import CodeHead, cross_entropy
from tabsynth.models.neural.inputs import RowInputs
from tabsynth.models.neural.linear import Linear


def affine(layer: nn.Module) -> Affine:
    """Return a layer of the same weights."""
    assert isinstance(layer, Linear)
    return Affine(layer.weight, layer.bias)


class GhostInputs(nn.Module):
    """The weights of `RowInputs` for codes; offsets are not heard."""

    def __init__(self, inputs: RowInputs) -> None:
        super().__init__()
        self.spans = inputs.spans
        self.narrow = Bag(inputs.narrow) if self.spans.n_narrow else None
        self.wide = Bag(inputs.wide) if inputs.wide is not None else None
        self.widen = affine(inputs.widen) if inputs.widen is not None else None
        self.bias = Shift(inputs.bias)

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        """Return the outputs for rows, float of shape (n_rows, n_out)."""
        total, narrow = torch.zeros((), device=index.device), self.spans.n_narrow
        if self.narrow is not None:
            total = total + self.narrow(index[:, :narrow])
        if self.wide is not None and self.widen is not None:
            wide = index[:, narrow:] - self.spans.narrow_width
            total = total + self.widen(self.wide(wide))
        outputs: torch.Tensor = self.bias(total)
        return outputs


class GhostHead(nn.Module):
    """The weights of a `CodeHead`; its biases stay, since shares are calibrated afterwards."""

    def __init__(self, head: CodeHead) -> None:
        super().__init__()
        self.narrow = affine(head.narrow)
        self.wide = nn.Sequential(*map(affine, head.wide)) if head.wide is not None else None
        self.bias = head.bias.requires_grad_(False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n_rows, spans.width), of hidden units (n_rows, n_in)."""
        logits: torch.Tensor = self.narrow(hidden)
        if self.wide is not None:
            logits = torch.cat([logits, self.wide(hidden)], dim=1)
        return logits + self.bias


class GhostAutoencoder(nn.Module):
    """The weights of encoder and decoder that are trained under a budget; one loss a row.

    Offsets are spread evenly inside their codes: neither network hears or tells them.

    Parameters
    ----------
    encoder : Encoder
    decoder : Decoder
    beta : float
        Weight of the divergence from the prior.
    chance : RowChance
        Blurs latents, each row's by itself; its seed may be known, as the gradient of a row is then
        still a function of this row alone.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, beta: float, chance: RowChance) -> None:
        super().__init__()
        self.spans, self.beta, self.chance = decoder.spans, beta, chance
        self.rows = GhostInputs(encoder.rows)
        self.inner, self.outer = affine(encoder.inner), affine(encoder.outer)
        layers = (affine(layer) if isinstance(layer, Linear) else layer for layer in decoder.body)
        self.body = nn.Sequential(*layers)
        self.codes = GhostHead(decoder.codes)
        if decoder.offsets is not None:
            decoder.offsets.spread_evenly()

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row in nats, (n_rows,), of an index (n_rows, n_blocks)."""
        hidden = torch.relu(self.inner(torch.relu(self.rows(index))))
        mean, log_variance = self.outer(hidden).chunk(2, dim=1)
        log_variance = log_variance.clamp(-8.0, 4.0)
        blur = self.chance.normal(index, mean.shape[1]).to(mean.dtype)
        latent = mean + blur * torch.exp(0.5 * log_variance)
        wide = index.long()
        each = cross_entropy(self.codes(self.body(latent)), wide, self.spans)
        if self.spans.levels:
            each = each * self.spans.meant(wide)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        losses: torch.Tensor = each.sum(1) + self.beta * divergence
        return losses

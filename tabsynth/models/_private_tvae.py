"""TVAE under a privacy budget: its networks are built, and trained."""

from __future__ import annotations

import torch

from tabsynth.models._tvae import PRIVATE, PRIVATE_STEPS, TVAEParameters
from tabsynth.models.neural.autoencoder import Decoder, Encoder
from tabsynth.models.neural.chance import RowChance
from tabsynth.models.neural.ghost_autoencoder import GhostAutoencoder
from tabsynth.models.neural.private import plan_steps, train_privately
from tabsynth.models.neural.spans import Spans
from tabsynth.monitor import Monitor
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams


def fit_autoencoder(
    data: TrainingData,
    own: TVAEParameters,
    spans: Spans,
    shares: torch.Tensor,
    streams: Streams,
    phase: str,
    monitor: Monitor,
) -> tuple[Decoder, tuple[int, int], int]:
    """Return a decoder, its dimensions of the latent and hidden units, and the steps taken.

    Parameters
    ----------
    data : TrainingData
        Under a budget.
    own : TVAEParameters
    spans : Spans
    shares : tensor of float, shape (spans.width,)
        Of codes, noisy.
    streams : Streams
    phase : str
        What is being done, for the reports.
    monitor : callable
    """
    usual, device, weights = own.over(PRIVATE), spans.device, streams.torch("weights")
    sizes = usual.latent, usual.hidden
    encoder = Encoder(spans, *sizes, weights).to(device)
    decoder = Decoder(spans, *sizes, weights).to(device)
    decoder.codes.start_at(shares)
    run = plan_steps(own, data.n_rows, PRIVATE_STEPS, own.clip)
    chance = RowChance(spans.width, streams.torch("noise"), device)
    ghost = GhostAutoencoder(encoder, decoder, own.beta, chance)
    rates = usual.learning_rate, usual.average
    train_privately(ghost, data, run, *rates, phase, device, monitor, chance.goes_on)
    return decoder.eval().requires_grad_(False), sizes, run.steps

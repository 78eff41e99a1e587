"""CTGAN under a privacy budget: generator and critic are built, and trained."""

from __future__ import annotations

import torch

from tabsynth.models._ctgan import (
    BATCH,
    CRITIC_AVERAGE,
    MADE,
    PRIVATE,
    PRIVATE_STEPS,
    TURNS,
    CTGANParameters,
)
from tabsynth.models.neural.adversary import Generator
from tabsynth.models.neural.chance import RowChance
from tabsynth.models.neural.ghost_critic import GhostCritic
from tabsynth.models.neural.private import plan_steps
from tabsynth.models.neural.private_adversary import Conditioned, Duel, train_adversary
from tabsynth.models.neural.spans import Spans
from tabsynth.monitor import Monitor
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams


def fit_adversary(
    data: TrainingData,
    own: CTGANParameters,
    spans: Spans,
    shares: torch.Tensor,
    streams: Streams,
    phase: str,
    monitor: Monitor,
) -> tuple[Generator, torch.Tensor, int]:
    """Return a generator, the frequencies of its conditions, and the steps that were taken.

    Parameters
    ----------
    data : TrainingData
        Under a budget.
    own : CTGANParameters
    spans : Spans
    shares : tensor of float, shape (spans.width,)
        Of codes, noisy.
    streams : Streams
    phase : str
        What is being done, for the reports.
    monitor : callable
    """
    usual, device, weights = own.over(PRIVATE), spans.device, streams.torch("weights")
    met = Conditioned.of(shares, spans, own.conditional)
    generator = Generator(spans, len(met.columns), own.noise, usual.hidden, weights).to(device)
    generator.codes.start_at(shares)
    if generator.offsets is not None:
        generator.offsets.spread_evenly()
    chance = RowChance(spans.width, streams.torch("chance"), device)
    critic = GhostCritic(spans, met.columns, usual.embedding, weights, chance).to(device)
    run = plan_steps(own, data.n_rows, PRIVATE_STEPS, own.clip)
    rates, averages = (usual.learning_rate, usual.critic_rate), (usual.average, CRITIC_AVERAGE)
    duel = Duel(MADE, TURNS, BATCH, own.temperature, usual.loss, rates, averages)
    noise = streams.torch("noise", device.type)
    train_adversary(generator, critic, met, data, run, duel, noise, phase, monitor)
    return generator, met.frequencies, run.steps

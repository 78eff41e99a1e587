"""An adversary under a privacy budget: noise on what the critic learns from rows, and nowhere else.

Only the critic meets rows, and only through the door to them. The generator learns from the critic,
from chance and from noisy shares, so that it may be of any kind and take any number of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from tabsynth.models.neural.adversary import Generator
from tabsynth.models.neural.conditions import discrete_columns, draw_conditions
from tabsynth.models.neural.device import widest
from tabsynth.models.neural.ghost_critic import GhostCritic, shortened
from tabsynth.models.neural.heads import cross_entropy
from tabsynth.models.neural.losses import generator_loss
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.private import place
from tabsynth.models.neural.schedule import cosine_rate
from tabsynth.models.neural.spans import Spans
from tabsynth.monitor import Monitor, Progress
from tabsynth.privacy.training import PrivateSteps, TrainingData

BETAS = (0.0, 0.9), (0.5, 0.99)
"""Of Adam, for generator and critic, whose gradients are noisy."""
AHEAD = 0.2
"""Share of the steps in which the critic learns alone."""


@dataclass(frozen=True)
class Conditioned:
    """Conditions and how often each is met, by noisy shares.

    Attributes
    ----------
    columns, positions : tensor of int64, shape (n_conditions,)
        See `Conditions`.
    frequencies : tensor of float, shape (n_conditions,)
    """

    columns: torch.Tensor
    positions: torch.Tensor
    frequencies: torch.Tensor

    @classmethod
    def of(cls, shares: torch.Tensor, spans: Spans, wanted: bool) -> Conditioned:
        """Return the conditions of a layout; none where they are not `wanted`.

        Parameters
        ----------
        shares : tensor of float, shape (spans.width,)
            Of codes, noisy.
        spans : Spans
        wanted : bool
        """
        found = discrete_columns(spans) if wanted else []
        columns = torch.tensor(found, dtype=torch.int64, device=spans.device)
        columns = torch.repeat_interleave(columns, spans.sizes[columns])
        positions = torch.arange(len(columns), device=spans.device)
        fresh = torch.ones_like(columns, dtype=torch.bool)
        fresh[1:] = columns[1:] != columns[:-1]
        begin = torch.cummax(torch.where(fresh, positions, 0), 0).values if found else positions
        positions = positions - begin + spans.starts[columns]
        frequencies = shares[positions].to(widest(spans.device)) / max(len(found), 1)
        return cls(columns, positions, frequencies)


@dataclass(frozen=True)
class Duel:
    """How generator and critic take turns.

    Attributes
    ----------
    made : int
        Made rows that the critic sees in a step.
    turns, batch : int
        Steps of the generator for each of the critic, and made rows of each.
    temperature : float
        See `Generator.soften`.
    loss : {"bce", "hinge"}
    rates : tuple of float
        Learning rates of generator and critic, at their highest.
    averages : tuple of float
        Decays of the moving averages of their weights.
    """

    made: int
    turns: int
    batch: int
    temperature: float
    loss: str
    rates: tuple[float, float]
    averages: tuple[float, float]


def real_losses(scores: torch.Tensor, name: str) -> torch.Tensor:
    """Return what the critic pays for each real row."""
    return torch.relu(1 - scores) if name == "hinge" else nn.functional.softplus(-scores)


def made_losses(scores: torch.Tensor, name: str) -> torch.Tensor:
    """Return what the critic pays for each made row."""
    return torch.relu(1 + scores) if name == "hinge" else nn.functional.softplus(scores)


def train_adversary(
    generator: Generator,
    critic: GhostCritic,
    met: Conditioned,
    data: TrainingData,
    run: PrivateSteps,
    duel: Duel,
    noise: torch.Generator,
    phase: str,
    monitor: Monitor,
) -> None:
    """Train a generator against a critic whose gradients are private.

    Parameters
    ----------
    generator : Generator
    critic : GhostCritic
    met : Conditioned
        Conditions of made rows.
    data, run, monitor
        See `TrainingData.train`.
    duel : Duel
    noise : torch.Generator
        What rows are made from; has no part in what protects rows.
    phase : str
        What is being done, for the reports.

    Notes
    -----
    Privacy: made rows come to the critic's gradient after the noise, and their number is fixed.
    Theirs are cut to the same length, so that both halves weigh alike.

    References
    ----------
    Xie et al., "Differentially Private Generative Adversarial Network", 2018, arXiv:1802.06739.
    """
    device, spans = noise.device, critic.spans
    making, judging = (
        Adam(network.parameters(), betas=betas, clip=1e3, average=average)
        for network, betas, average in zip((generator, critic), BETAS, duel.averages, strict=True)
    )
    index, edges = place(spans), met.frequencies.cumsum(0)

    def make(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return conditions, logits and shares of made rows."""
        conditions = torch.zeros(n, dtype=torch.int64, device=device)
        if len(edges):
            conditions = draw_conditions(n, edges, noise)
        units = torch.randn((n, generator.n_noise), generator=noise, device=device)
        logits, shares, _ = generator.soften(generator(units, conditions), duel.temperature, noise)
        return conditions, logits, shares

    def real(codes: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        return real_losses(critic(index(codes)), duel.loss)

    def learn(rate: float) -> None:
        """Let the generator take a step."""
        conditions, logits, shares = make(duel.batch)
        scores, _, _ = critic.judge(shares, conditions)
        total = generator_loss(duel.loss, scores)
        if len(edges):
            column = met.columns[conditions][:, None]
            wanted = spans.starts.expand(duel.batch, -1)
            wanted = wanted.scatter(1, column, met.positions[conditions][:, None])
            total = total + cross_entropy(logits, wanted, spans).gather(1, column).mean()
        making.clear()
        total.backward()  # type: ignore[no-untyped-call]
        making.step(rate)

    def update(step: int) -> None:
        with torch.no_grad():
            conditions, _, shares = make(duel.made)
        scores, units, squared = critic.judge(shares, conditions)
        weighed = shortened(made_losses(scores, duel.loss), units, squared, run.clip)
        # Adds to the gradient that has its noise already.
        (weighed / duel.made).backward()  # type: ignore[no-untyped-call]
        share, ahead = cosine_rate(step, run.steps, 1), step < AHEAD * run.steps
        judging.step(duel.rates[1] * share)
        critic.chance.goes_on(step)
        critic.requires_grad_(False)
        with judging.averaged():
            for _ in range(0 if ahead else duel.turns):
                learn(duel.rates[0] * share)
        critic.requires_grad_(True)

    def tell(progress: Progress) -> None:
        monitor(Progress(phase, progress.done, progress.total))

    data.train(critic, real, run, update, device, tell)
    making.use_average()

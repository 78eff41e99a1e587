"""CTGAN: a conditional adversarial network for tables, trained by sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import nn

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import DataError
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.models.neural.adversary import Critic, Generator
from tabsynth.models.neural.conditions import Conditions, draw_conditions
from tabsynth.models.neural.device import (
    DEVICES,
    choose_device,
    read_weights,
    to_numpy,
    write_weights,
)
from tabsynth.models.neural.heads import cross_entropy
from tabsynth.models.neural.losses import LOSSES, critic_loss, generator_loss
from tabsynth.models.neural.marginals import calibrate, read_shares
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.sampling import sample_in_chunks, settling_chunks
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.training import cosine_rate, plan, run_steps
from tabsynth.models.neural.validation import check_choice, check_integer, check_real
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams

CODINGS = {
    "modes": Coding("modes", size=10),
    "bins": Coding("bins", size=32, sub_bins=16),
    "scalar": Coding("scalar"),
}
BATCH = 100
"""Rows of a step, where nothing else is said: an adversary gains more from steps than from rows."""
OPERATIONS = 8e12
"""Arithmetic that a training spends at most: an adversary needs more of it than an autoencoder."""


@dataclass(frozen=True)
class CTGANParameters(HyperParameters):
    """Hyper-parameters of `CTGAN`.

    Attributes
    ----------
    coding : {"modes", "bins", "scalar"}
        How numbers are coded: mode-specific normalisation, quantile bins with sub-bins, or one
        scaled value each.
    conditional : bool
        Whether rows are made for conditions: a code of a discrete block, rare ones more often than
        they occur.
    loss : {"wgan-gp", "hinge", "bce"}
        What the networks pay: the Wasserstein distance, the hinge loss, or the cross-entropy.
    noise : int
        Units of noise that a row is made from.
    hidden : int
        Units of each of the two hidden layers of generator and critic.
    embedding : int
        Units that the critic makes of a row before it looks at several together.
    pac : int
        Rows that the critic judges together. Batches are rounded up to a multiple of it.
    penalty : float
        Weight of the gradient penalty.
    penalty_every : int
        Steps from one gradient penalty, weighted that much more, to the next.
    temperature : float
        Of the softmax through which the gradient of a drawn code flows.
    learning_rate, critic_rate : float
        Of Adam, for the generator and for the critic, at their highest; they fall along half a
        cosine.
    average : float
        Decay of the moving average of the generator's weights, which is what is kept.
    epochs, steps : int or None
        Passes over the table, or steps, which come first where both are given; None chooses from
        the size of the table.
    batch_size : int or None
        Rows of a step, drawn with replacement; at most the rows of the table. None chooses.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and sample. Runs repeat byte for byte on the processor only.
    """

    coding: str = "modes"
    conditional: bool = True
    loss: str = "wgan-gp"
    noise: int = 128
    hidden: int = 256
    embedding: int = 256
    pac: int = 1
    penalty: float = 1.0
    penalty_every: int = 2
    temperature: float = 0.5
    learning_rate: float = 2e-3
    critic_rate: float = 2e-3
    average: float = 0.998
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        check_choice("coding", self.coding, tuple(CODINGS))
        check_choice("loss", self.loss, LOSSES)
        check_choice("device", self.device, DEVICES)
        for name in ("noise", "hidden", "embedding", "pac", "penalty_every"):
            check_integer(name, getattr(self, name), 1)
        for name in ("epochs", "steps", "batch_size"):
            check_integer(name, getattr(self, name), 1, optional=True)
        check_real("penalty", self.penalty, 0.0)
        check_real("temperature", self.temperature, 1e-3)
        check_real("learning_rate", self.learning_rate, 1e-8, 1.0)
        check_real("critic_rate", self.critic_rate, 1e-8, 1.0)
        check_real("average", self.average, 0.0, 1.0 - 1e-6)


@dataclass(frozen=True)
class _Rows:
    """The rows of the table, on the device."""

    index: torch.Tensor
    offsets: torch.Tensor
    slots: torch.Tensor
    conditions: Conditions
    spans: Spans

    def draw(
        self, n: int, edges: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw conditions (zeros where there are none) and a row that fulfils each."""
        device = self.index.device
        if edges is None:
            none = torch.zeros(n, dtype=torch.int64, device=device)
            return none, torch.randint(len(self.index), (n,), generator=generator, device=device)
        conditions = draw_conditions(n, edges, generator)
        return conditions, self.conditions.rows(conditions, generator)

    def dense(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return shares and offsets in slots of a batch, as `Generator.soften` gives them."""
        shares = self.offsets.new_zeros((len(rows), self.spans.width))
        shares.scatter_(1, self.index[rows].long(), 1.0)
        offsets = self.offsets.new_zeros((len(rows), self.spans.n_slots + 1))
        offsets.scatter_(1, self.slots[rows], self.offsets[rows])
        return shares, offsets[:, :-1]


@models.register("ctgan")
class CTGAN(Model):
    """Conditional generative adversarial network.

    In training, a discrete block and one of its codes (by the logarithm of its frequency) are
    drawn for every row; the critic sees real rows with that code, and the generator, told of it,
    pays for other codes. Rows are sampled with conditions that follow the *real* frequencies. The
    critic judges `pac` rows at a time, by the Wasserstein distance with a gradient penalty.

    Attributes
    ----------
    loss_history_ : list of dict
        Means between reports: "step", "loss" (of the generator), "distance" (the critic's estimate
        of the Wasserstein distance), "penalty", "condition" (cross-entropy, in nats a row).

    Notes
    -----
    Privacy: reads the rows through ``TrainingData.table``. No formal guarantee; what is kept is the
    generator and the frequencies of codes, not the critic.

    Batch normalisation uses the statistics of a batch in training. When training ends they are
    taken anew for the averaged weights, over rows whose conditions follow the real frequencies, and
    stay as they are: a row does not depend on which others are sampled with it.

    References
    ----------
    Xu et al., "Modeling Tabular Data using Conditional GAN", 2019, arXiv:1907.00503.
    Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028.
    """

    name = "ctgan"
    description = "Conditional adversarial network: the classic; slower and less exact than tvae."
    parameters_type = CTGANParameters
    parameters: CTGANParameters

    _layout: Layout
    _generator: Generator
    _frequencies: torch.Tensor

    @property
    def coding(self) -> Coding:
        """Mixture components, or quantile bins with sub-bins."""
        return CODINGS[self.parameters.coding]

    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
        """Train generator and critic, then settle the generator.

        Raises
        ------
        DataError
            If there are no rows.
        PrivacyError
            Under a privacy budget.
        """
        own, table = self.parameters, data.table()
        if not len(table):
            raise DataError(
                f"{self.name} cannot be fitted: the table has no rows. Give it at least one."
            )
        self._layout = data.layout
        self.loss_history_: list[dict[str, float]] = []
        if not len(self._layout):
            return self
        device = choose_device(own.device)
        spans = Spans(self._layout, device)
        index = spans.index(table.codes)
        offsets = torch.from_numpy(table.offsets).to(device)
        rows = _Rows(index, offsets, spans.slots(index), Conditions(index, spans), spans)
        shares = read_shares(index, spans)
        count = len(rows.conditions) if own.conditional else 0
        weights = streams.torch("weights")
        generator = Generator(spans, count, own.noise, own.hidden, weights)
        critic = Critic(spans, count, own.embedding, own.hidden, own.pac, weights)
        generator.to(device)
        critic.to(device)
        generator.codes.start_at(shares)
        if generator.offsets is not None:
            generator.offsets.start_at(rows.slots, offsets)
        self._generator = generator
        self._frequencies = torch.zeros(0, dtype=torch.float64, device=device)
        if count:
            self._frequencies = rows.conditions.weights(logarithmic=False)
        self._train(critic, rows, streams, monitor)
        self._settle(shares, streams.torch("settling", device.type))
        return self

    def _train(self, critic: Critic, rows: _Rows, streams: Streams, monitor: Monitor) -> None:
        own, generator, device = self.parameters, self._generator, rows.index.device
        making, judging = (
            Adam(network.parameters(), betas=(0.0, 0.9), clip=1e3, average=average)
            for network, average in ((generator, own.average), (critic, 0.0))
        )
        run = plan(
            len(rows.index),
            # A step goes through the generator three times and the critic seven.
            making.weights.numel() + 2 * judging.weights.numel(),
            epochs=own.epochs,
            steps=own.steps,
            batch_size=own.batch_size or BATCH,
            usual_epochs=60,
            most_steps=10_000,
            operations=OPERATIONS,
        )
        # At least two packs, as a batch is normalised; rows are drawn with replacement.
        batch = max(2, -(-run.batch_size // own.pac)) * own.pac
        noise = streams.torch("noise", device.type)
        edges = None
        if own.conditional and len(rows.conditions):
            edges = rows.conditions.weights(logarithmic=True).cumsum(0)

        def judge(
            step: int,
            told: torch.Tensor,
            chosen: torch.Tensor,
            made: tuple[torch.Tensor, torch.Tensor],
        ) -> Mapping[str, torch.Tensor]:
            """Let the critic take a step on rows made without a gradient."""
            judging.clear()
            real = critic.rows(rows.index[chosen], rows.offsets[chosen])
            fake = critic.rows.soft(*made)
            scores = critic(torch.cat([real, fake]), torch.cat([told, told]))
            ours, theirs = scores.chunk(2)
            loss = critic_loss(own.loss, ours, theirs)
            losses = {"distance": ours.mean() - theirs.mean()}
            if own.penalty and step % own.penalty_every == 0:
                penalty = self._penalty(critic, rows.dense(chosen), made, told, noise)
                loss = loss + own.penalty * own.penalty_every * penalty
                losses["penalty"] = penalty * own.penalty_every
            loss.backward()  # type: ignore[no-untyped-call]
            judging.step(own.critic_rate * cosine_rate(step, run.steps, 1))
            return losses

        def update(step: int) -> Mapping[str, torch.Tensor]:
            conditions, chosen = rows.draw(batch, edges, noise)
            units = torch.randn((batch, own.noise), generator=noise, device=device)
            hidden = generator(units, conditions)
            logits, made, moved = generator.soften(hidden, own.temperature, noise)
            losses = dict(judge(step, conditions, chosen, (made.detach(), moved.detach())))
            critic.requires_grad_(False)
            loss = generator_loss(own.loss, critic(critic.rows.soft(made, moved), conditions))
            critic.requires_grad_(True)
            if edges is not None:
                column = rows.conditions.columns[conditions][:, None]
                wanted = rows.spans.starts.expand(batch, -1)
                wanted = wanted.scatter(1, column, rows.conditions.positions[conditions][:, None])
                missed = cross_entropy(logits, wanted, rows.spans).gather(1, column).mean()
                losses["condition"] = missed
                loss = loss + missed
            making.clear()
            loss.backward()  # type: ignore[no-untyped-call]
            making.step(own.learning_rate * cosine_rate(step, run.steps, 1))
            return {"loss": loss, **losses}

        self.loss_history_ = run_steps(f"training {self.name}", run.steps, update, monitor)
        making.use_average()

    def _penalty(
        self,
        critic: Critic,
        real: tuple[torch.Tensor, torch.Tensor],
        made: tuple[torch.Tensor, torch.Tensor],
        conditions: torch.Tensor,
        noise: torch.Generator,
    ) -> torch.Tensor:
        """Return how far the critic's slope between real and made packs is from 1, squared."""
        pac = self.parameters.pac
        place = torch.rand((len(conditions) // pac, 1), generator=noise, device=noise.device)
        place = place.repeat_interleave(pac, dim=0)
        points = [
            torch.lerp(ours, theirs, place).requires_grad_()
            for ours, theirs in zip(real, made, strict=True)
        ]
        scores = critic(critic.rows.soft(*points), conditions)
        slopes = torch.autograd.grad(scores.sum(), points, create_graph=True)
        squares = torch.stack([slope.square().sum(1) for slope in slopes]).sum(0)
        length = (squares.view(-1, pac).sum(1) + 1e-12).sqrt()
        return (length - 1).square().mean()

    def _hidden(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """Return the hidden units of rows whose conditions follow the real frequencies."""
        device = self._frequencies.device
        if len(self._frequencies):
            conditions = draw_conditions(n, self._frequencies.cumsum(0), generator)
        else:
            conditions = torch.zeros(n, dtype=torch.int64, device=device)
        units = torch.randn((n, self.parameters.noise), generator=generator, device=device)
        hidden: torch.Tensor = self._generator(units, conditions)
        return hidden

    @torch.no_grad()
    def _settle(self, shares: torch.Tensor, noise: torch.Generator) -> None:
        """Fix the statistics of batch normalisation, then calibrate the shares of codes."""
        sizes = settling_chunks(self._generator.spans)
        for layer in self._generator.modules():
            if isinstance(layer, nn.BatchNorm1d):
                layer.reset_running_stats()
                layer.momentum = None
        for n in sizes:
            self._hidden(n, noise)
        self._generator.eval().requires_grad_(False)
        calibrate(
            self._generator.codes,
            lambda: [self._hidden(n, noise) for n in sizes],
            shares,
            self._generator.spans,
        )

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw rows."""
        if not len(self._layout):
            return EncodedTable.empty(n_rows, self._layout)
        spans = self._generator.spans
        noise = streams.torch("ctgan", spans.device.type)

        def make(count: int) -> tuple[torch.Tensor, torch.Tensor]:
            return self._generator.draw(self._hidden(count, noise), noise)

        return sample_in_chunks(f"sampling {self.name}", make, n_rows, spans, monitor)

    def state(self) -> ModelState:
        """Return the generator and the frequencies of the conditions."""
        if not len(self._layout):
            return ModelState()
        tensors = read_weights(self._generator, "generator")
        return ModelState(tensors={**tensors, "frequencies": to_numpy(self._frequencies)})

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild the generator."""
        model = cls(parameters)
        model._layout = layout
        if not len(layout):
            return model
        own = model.parameters
        spans = Spans(layout, choose_device(own.device))
        frequencies = torch.from_numpy(np.array(state.tensors["frequencies"]))
        model._frequencies = frequencies.to(spans.device)
        weights = Streams(0).torch("weights")
        generator = Generator(spans, len(frequencies), own.noise, own.hidden, weights)
        write_weights(generator, state.tensors, "generator")
        model._generator = generator.to(spans.device)
        return model

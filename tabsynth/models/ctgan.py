"""CTGAN: a conditional adversarial network for tables, trained by sampling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.models._completion import MAX_TRIES, Completed
from tabsynth.models._ctgan import (
    CODINGS,
    PRIVATE_CODING,
    SECONDS,
    CTGANParameters,
    plan_training,
    refuse_unprivate,
)
from tabsynth.models._private_ctgan import fit_adversary
from tabsynth.models.base import HyperParameters, IterativeModel, ModelState, models
from tabsynth.models.neural.adversary import Critic, Generator
from tabsynth.models.neural.checkpoint import Checkpoint, Kept, open_checkpoint
from tabsynth.models.neural.conditions import Conditions, draw_conditions, rarest_condition
from tabsynth.models.neural.device import (
    autocast,
    choose_device,
    compiled,
    on_few_threads,
    read_weights,
    to_numpy,
    widest,
    write_weights,
)
from tabsynth.models.neural.heads import cross_entropy
from tabsynth.models.neural.led import LedHead, buy_shares
from tabsynth.models.neural.losses import critic_loss, generator_loss
from tabsynth.models.neural.marginals import calibrate, read_shares
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.private import known_shares, refuse_checkpoint, refuse_watching
from tabsynth.models.neural.rows import Rows
from tabsynth.models.neural.sampling import sample_in_chunks, settling_chunks
from tabsynth.models.neural.schedule import cosine_rate
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.training import Training
from tabsynth.models.neural.weighting import complete_by_weighting, decoding_of
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams


@models.register("ctgan")
class CTGAN(IterativeModel):
    """Conditional generative adversarial network.

    In training, a discrete block and one of its codes (by the logarithm of its frequency) are
    drawn for every row; the critic sees real rows with that code, and the generator, told of it,
    pays for other codes. Rows are sampled with conditions that follow the *real* frequencies. The
    critic judges `pac` rows at a time, by the Wasserstein distance with a gradient penalty.

    Attributes
    ----------
    loss_history_ : DataFrame
        Means between reports: "step", "seconds", "loss" (of the generator), "distance" (the
        critic's estimate of the Wasserstein distance), "penalty", "condition" (cross-entropy, in
        nats a row).
    steps_, stopped_ : int, str or None
        See `IterativeModel`.

    Notes
    -----
    Privacy: without a budget, reads the rows through ``TrainingData.table``; no formal guarantee.
    Under one, the critic alone meets rows, through ``TrainingData.train``, one at a time and each
    with one of its own columns as the condition; made rows get theirs by noisy shares. Counts with
    a target are bought through ``TrainingData.measure``. What is kept is the generator and the
    frequencies of codes, not the critic.

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
    private = True
    completes = "by weighting"
    parameters: CTGANParameters

    _generator: Generator
    _led: LedHead | None = None
    _frequencies: torch.Tensor

    @property
    def coding(self) -> Coding:
        """Mixture components, or quantile bins with sub-bins."""
        return CODINGS[self.parameters.coding or "modes"]

    def coding_for(self, epsilon: float) -> Coding:
        """Quantile bins with sub-bins, few of both."""
        return PRIVATE_CODING

    def check_private(self) -> None:
        """Refuse packs, codings with offsets, the Wasserstein loss, and what watches training."""
        super().check_private()
        refuse_watching(self.parameters)
        refuse_unprivate(self.parameters)

    @on_few_threads
    def fit(
        self,
        data: TrainingData,
        streams: Streams,
        monitor: Monitor = ignore,
        *,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train generator and critic, then settle the generator.

        Raises
        ------
        DataError
            If there are no rows.
        BudgetExceeded, PrivacyError
            Under a privacy budget: if too little of it is left, or for what `check_private` and a
            checkpoint are refused for.
        """
        if data.private:
            return self._fit_privately(data, streams, monitor, checkpoint)
        own, table = self.parameters, self._begin(data)
        if not len(self._layout):
            return self
        device = choose_device(own.device)
        spans = Spans(self._layout, device)
        index = spans.index(table.codes)
        offsets = torch.from_numpy(table.offsets).to(device)
        rows = Rows(index, offsets, Conditions(index, spans), spans)
        shares = read_shares(index, spans)
        count = len(rows.conditions) if own.conditional else 0
        weights = streams.torch("weights")
        generator = Generator(spans, count, own.noise, own.given.hidden, weights)
        critic = Critic(spans, count, own.given.embedding, own.given.hidden, own.pac, weights)
        generator.to(device)
        critic.to(device)
        generator.codes.start_at(shares)
        if generator.offsets is not None:
            generator.offsets.start_at(spans.slots(index), offsets)
        self._generator = generator
        self._frequencies = torch.zeros(0, dtype=widest(device), device=device)
        if count:
            self._frequencies = rows.conditions.weights(logarithmic=False)
        file = open_checkpoint(checkpoint, self, table, streams, device)
        self._train(critic, rows, streams, monitor, file)
        self._settle(shares, streams.torch("settling", device.type))
        return self

    def _fit_privately(
        self,
        data: TrainingData,
        streams: Streams,
        monitor: Monitor,
        checkpoint: str | Path | None,
    ) -> Self:
        """Train against a critic behind the door to the rows, then calibrate to noisy shares."""
        own = self.parameters
        self._forget(data)
        self._led = None
        self.check_private()
        refuse_checkpoint(checkpoint)
        if not len(self._layout):
            return self
        spans = Spans(self._layout, choose_device(own.device))
        shares = known_shares(data.known(), spans)
        given = buy_shares(data, spans, shares, own.targets)
        self._generator, self._frequencies, self.steps_ = fit_adversary(
            data, own, spans, shares, streams, f"training {self.name}", monitor
        )
        noise = streams.torch("settling", spans.device.type)
        self._settle(shares, noise)
        if given is not None:
            hidden = [self._hidden(n, noise) for n in settling_chunks(spans)]
            self._led = LedHead(self._generator.codes, given.leader)
            self._led.calibrate(hidden, given.shares, shares)
        return self

    def estimate(self, n_rows: int, n_columns: int) -> float:
        """Return about how many seconds `fit` takes (see `Model.estimate`)."""
        own = self.parameters
        run = plan_training(self.parameters, n_rows, own.given.hidden * (1_000 + 60 * n_columns))
        a_step, a_cell = SECONDS
        training = run.steps * (a_step + a_cell * run.batch_size * n_columns)
        return super().estimate(n_rows, n_columns) + min(training, own.max_seconds or training)

    def _train(
        self,
        critic: Critic,
        rows: Rows,
        streams: Streams,
        monitor: Monitor,
        checkpoint: Checkpoint | None,
    ) -> None:
        own, generator, device = self.parameters, self._generator, rows.index.device
        usual = own.given
        making, judging = (
            Adam(network.parameters(), betas=(0.0, 0.9), clip=1e3, average=average)
            for network, average in ((generator, usual.average), (critic, 0.0))
        )
        # A step goes through the generator three times and the critic seven.
        run = plan_training(
            self.parameters, len(rows.index), making.weights.numel() + 2 * judging.weights.numel()
        )
        # At least two packs, as a batch is normalised; rows are drawn with replacement.
        batch = max(2, -(-run.batch_size // own.pac)) * own.pac
        noise = streams.torch("noise", device.type)
        precision, hide = autocast(own.precision, device), compiled(generator, own.compile)
        edges = None
        if own.conditional and len(rows.conditions):
            edges = rows.conditions.weights(logarithmic=True).cumsum(0)

        def judge(
            step: int,
            place: float,
            told: torch.Tensor,
            chosen: torch.Tensor,
            made: tuple[torch.Tensor, torch.Tensor],
        ) -> Mapping[str, torch.Tensor]:
            """Let the critic take a step on rows made without a gradient."""
            judging.clear()
            with precision:
                real = critic.rows(rows.index[chosen], rows.offsets[chosen])
                fake = critic.rows.soft(*made)
                scores = critic(torch.cat([real, fake]), torch.cat([told, told]))
            ours, theirs = scores.float().chunk(2)
            loss = critic_loss(usual.loss, ours, theirs)
            losses = {"distance": ours.mean() - theirs.mean()}
            if own.penalty and step % own.penalty_every == 0:
                penalty = self._penalty(critic, real, fake, told, noise)
                loss = loss + own.penalty * own.penalty_every * penalty
                losses["penalty"] = penalty * own.penalty_every
            loss.backward()  # type: ignore[no-untyped-call]
            judging.step(usual.critic_rate * cosine_rate(place, run.steps, 1))
            return losses

        def update(step: int, place: float) -> Mapping[str, torch.Tensor]:
            conditions, chosen = rows.draw(batch, edges, noise)
            units = torch.randn((batch, own.noise), generator=noise, device=device)
            with precision:
                hidden = hide(units, conditions)
                logits, made, moved = generator.soften(hidden, own.temperature, noise)
            losses = dict(judge(step, place, conditions, chosen, (made.detach(), moved.detach())))
            critic.requires_grad_(False)
            with precision:
                scores = critic(critic.rows.soft(made, moved), conditions)
            loss = generator_loss(usual.loss, scores.float())
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
            making.step(usual.learning_rate * cosine_rate(place, run.steps, 1))
            return {"loss": loss, **losses}

        kept: dict[str, Kept] = {"generator": generator, "critic": critic, "noise": noise}
        kept |= {"making": making, "judging": judging}
        training = Training(
            f"training {self.name}", run.steps, kept, own, monitor, checkpoint=checkpoint
        )
        training.train(self, update)
        making.use_average()

    def _penalty(
        self,
        critic: Critic,
        real: torch.Tensor,
        made: torch.Tensor,
        conditions: torch.Tensor,
        noise: torch.Generator,
    ) -> torch.Tensor:
        """Return how far the critic's slope between real and made packs is from 1, squared.

        The critic's first layer is linear: what it makes of a row between two others lies between
        what it makes of them, so that it needs no pass of its own.
        """
        pac = self.parameters.pac
        place = torch.rand((len(conditions) // pac, 1), generator=noise, device=noise.device)
        place = place.repeat_interleave(pac, dim=0)
        between = torch.lerp(real.float(), made.float(), place)
        scores = critic(between, conditions)
        (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        squares = critic.rows.squared_slopes(slope)
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

        def make(rows: slice, noise: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
            hidden = self._hidden(rows.stop - rows.start, noise)
            if self._led is not None:
                return self._led.draw_from(hidden, self._generator.offsets, noise)
            return self._generator.draw(hidden, noise)

        return sample_in_chunks(f"sampling {self.name}", make, n_rows, spans, streams, monitor)

    def complete(
        self, given: Given, streams: Streams, monitor: Monitor = ignore, max_tries: int = MAX_TRIES
    ) -> Completed:
        """Weigh noise by what is given; codes that are very rare are asked for."""
        if not len(self._layout):
            return super().complete(given, streams, monitor, max_tries)
        spans = self._generator.spans
        noise = streams.torch("ctgan", spans.device.type)
        decoding = decoding_of(self._generator, self._frequencies, noise)
        if self._led is not None:
            decoding = self._led.decoding(decoding, self._generator.offsets, noise)
        aims = rarest_condition(given, to_numpy(self._frequencies), spans.column)
        return complete_by_weighting(decoding, given, aims, streams, monitor, max_tries, self.name)

    def state(self) -> ModelState:
        """Return the generator and the frequencies of the conditions."""
        if not len(self._layout):
            return ModelState()
        tensors = read_weights(self._generator, "generator")
        tensors["frequencies"] = to_numpy(self._frequencies)
        values: dict[str, Any] = {"steps": self.steps_, "stopped": self.stopped_}
        if self._led is not None:
            values["leader"], tensors["led"] = self._led.leader, to_numpy(self._led.table)
        return ModelState(values, tensors)

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild the generator."""
        model = cls(parameters)
        model._layout = layout
        model.steps_, model.stopped_ = state.values.get("steps", 0), state.values.get("stopped")
        if not len(layout):
            return model
        own = model.parameters
        spans = Spans(layout, choose_device(own.device))
        frequencies = torch.from_numpy(np.array(state.tensors["frequencies"]))
        model._frequencies = frequencies.to(spans.device, widest(spans.device))
        weights = Streams(0).torch("weights")
        n_hidden = len(state.tensors["generator.layers.0.weight"])
        generator = Generator(spans, len(frequencies), own.noise, n_hidden, weights)
        write_weights(generator, state.tensors, "generator")
        model._generator = generator.to(spans.device)
        if "led" in state.tensors:
            model._led = LedHead(generator.codes, state.values["leader"], state.tensors["led"])
        return model

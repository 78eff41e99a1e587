"""TVAE: a variational autoencoder for tables whose codes are drawn, never taken by argmax."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.models._completion import MAX_TRIES, Completed
from tabsynth.models._private_tvae import fit_autoencoder
from tabsynth.models._tvae import CODINGS, PRIVATE_CODING, SECONDS, TVAEParameters, refuse_coding
from tabsynth.models.base import HyperParameters, IterativeModel, ModelState, models
from tabsynth.models.neural.autoencoder import Decoder, Encoder
from tabsynth.models.neural.checkpoint import Checkpoint, Kept, open_checkpoint
from tabsynth.models.neural.device import (
    autocast,
    choose_device,
    compiled,
    on_few_threads,
    read_weights,
    to_numpy,
    write_weights,
)
from tabsynth.models.neural.holdout import hold_out
from tabsynth.models.neural.led import LedHead, buy_shares
from tabsynth.models.neural.marginals import calibrate, read_shares
from tabsynth.models.neural.mixture import Mixture, fit_mixture
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.private import known_shares, refuse_checkpoint, refuse_watching
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks, settling_chunks
from tabsynth.models.neural.schedule import Batches, Plan, cosine_rate, plan
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.stopping import EarlyStopping
from tabsynth.models.neural.training import Training
from tabsynth.models.neural.weighting import Decoding, complete_by_weighting
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams

POSTERIOR_ROWS = 10_000
"""Rows whose posteriors the distribution of the latent is fitted to."""


@models.register("tvae")
class TVAE(IterativeModel):
    """Variational autoencoder of rows.

    Rows enter as sums of embeddings. The decoder gives a softmax for the codes of every block and a
    squashed logistic for every offset, and rows are *drawn* from them, so that rare categories stay
    as frequent as they are. Three things mend the marginals: the heads begin at the shares of
    the codes, the latent is drawn from a mixture fitted to where the training rows lie, and
    a last step moves the biases until the shares of all codes are met.

    Attributes
    ----------
    loss_history_ : DataFrame
        Mean losses between reports: "step", "seconds", and in nats a row "loss", "reconstruction",
        "divergence" and, where rows are held out, "held_out".
    steps_, stopped_ : int, str or None
        See `IterativeModel`.

    Notes
    -----
    Privacy: without a budget, reads the rows through ``TrainingData.table``; no formal guarantee.
    Under one, buys counts through ``TrainingData.measure`` and takes steps through
    ``TrainingData.train``. What is kept is the decoder and the mixture of latents, not the encoder.

    References
    ----------
    Xu et al., "Modeling Tabular Data using Conditional GAN", 2019, arXiv:1907.00503.
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, arXiv:1312.6114.
    """

    name = "tvae"
    description = "Variational autoencoder: quick to train, keeps most of the dependence."
    private = True
    parameters_type = TVAEParameters
    completes = "by weighting"
    parameters: TVAEParameters

    _decoder: Decoder
    _mixture: Mixture | None
    _active: torch.Tensor
    _led: LedHead | None = None
    _sizes: tuple[int, int] | None = None
    """Dimensions of the latent and hidden units, where a budget chose them."""

    @property
    def coding(self) -> Coding:
        """Quantile bins with sub-bins, or mixture components."""
        return CODINGS[self.parameters.coding]

    def coding_for(self, epsilon: float) -> Coding:
        """Quantile bins with sub-bins, few of both."""
        return PRIVATE_CODING

    def check_private(self) -> None:
        """Refuse codings other than bins, rows held out, a time limit, compiling, short floats."""
        super().check_private()
        refuse_watching(self.parameters, self.parameters.held_out)
        refuse_coding(self.parameters)

    @on_few_threads
    def fit(
        self,
        data: TrainingData,
        streams: Streams,
        monitor: Monitor = ignore,
        *,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train encoder and decoder, fit the mixture of latents, calibrate the shares of codes.

        Raises
        ------
        DataError
            If there are no rows.
        BudgetExceeded, PrivacyError
            Under a privacy budget: if too little of it is left, or for a checkpoint and what
            `check_private` refuses.
        """
        self._mixture = self._sizes = self._led = None
        if data.private:
            return self._fit_privately(data, streams, monitor, checkpoint)
        own, table = self.parameters, self._begin(data)
        if not len(self._layout):
            return self
        device = choose_device(own.device)
        spans = Spans(self._layout, device)
        index = spans.index(table.codes)
        offsets = torch.from_numpy(table.offsets).to(device)
        shares = read_shares(index, spans)
        weights = streams.torch("weights")
        sizes = own.given.latent, own.given.hidden
        encoder = Encoder(spans, *sizes, weights).to(device)
        decoder = Decoder(spans, *sizes, weights).to(device)
        decoder.codes.start_at(shares)
        if decoder.offsets is not None:
            decoder.offsets.start_at(spans.slots(index), offsets)
        file = open_checkpoint(checkpoint, self, table, streams, device)
        self._train(encoder, decoder, index, offsets, streams, monitor, file)
        self._decoder = decoder.eval().requires_grad_(False)
        generator = streams.torch("latent", device.type)
        self._fit_latent(encoder.eval(), index, offsets, generator)
        self._calibrate(shares, generator)
        return self

    def _calibrate(self, shares: torch.Tensor, generator: torch.Generator) -> None:
        decoder = self._decoder
        calibrate(decoder.codes, lambda: self._hidden(generator), shares, decoder.spans)

    @torch.no_grad()
    def _hidden(self, generator: torch.Generator) -> list[torch.Tensor]:
        """Return hidden units that stand for rows to be drawn."""
        decoder, sizes = self._decoder, settling_chunks(self._decoder.spans)
        return [decoder.body(self._draw_latent(n, generator)) for n in sizes]

    def _fit_privately(
        self,
        data: TrainingData,
        streams: Streams,
        monitor: Monitor,
        checkpoint: str | Path | None,
    ) -> Self:
        """Train small networks through the door to the rows, then calibrate to noisy shares."""
        self._forget(data)
        self.check_private()
        refuse_checkpoint(checkpoint)
        if not len(self._layout):
            return self
        own = self.parameters
        spans = Spans(self._layout, choose_device(own.device))
        shares = known_shares(data.known(), spans)
        given = buy_shares(data, spans, shares, own.targets)
        self._decoder, self._sizes, self.steps_ = fit_autoencoder(
            data, own, spans, shares, streams, f"training {self.name}", monitor
        )
        noise = streams.torch("latent", spans.device.type)
        self._calibrate(shares, noise)
        if given is not None:
            self._led = LedHead(self._decoder.codes, given.leader)
            self._led.calibrate(self._hidden(noise), given.shares, shares)
        return self

    def _plan(self, n_rows: int, n_weights: int) -> Plan:
        own = self.parameters
        return plan(
            n_rows,
            n_weights,
            epochs=own.epochs,
            steps=own.steps,
            batch_size=own.batch_size,
            usual_epochs=40,
            most_steps=3500,
        )

    def estimate(self, n_rows: int, n_columns: int) -> float:
        """Return about how many seconds `fit` takes (see `Model.estimate`)."""
        own = self.parameters
        run = self._plan(n_rows, own.given.hidden * (1_000 + 60 * n_columns))
        a_step, a_cell = SECONDS
        training = run.steps * (a_step + a_cell * run.batch_size * n_columns)
        return super().estimate(n_rows, n_columns) + min(training, own.max_seconds or training)

    def _train(
        self,
        encoder: Encoder,
        decoder: Decoder,
        index: torch.Tensor,
        offsets: torch.Tensor,
        streams: Streams,
        monitor: Monitor,
        checkpoint: Checkpoint | None,
    ) -> None:
        own, device, usual = self.parameters, index.device, self.parameters.given
        unseen, seen = hold_out(len(index), own.held_out, streams.torch("held out", device.type))
        optimizer = Adam(
            [*encoder.parameters(), *decoder.parameters()],
            decay=own.weight_decay,
            average=usual.average,
        )
        run = self._plan(len(seen), optimizer.weights.numel())
        warm_up = max(1, min(300, run.steps // 4))
        noise = streams.torch("noise", device.type)
        rows = Batches(len(seen), run.batch_size, streams.torch("rows", device.type))
        precision = autocast(own.precision, device)
        encode, miss = compiled(encoder, own.compile), compiled(decoder.loss, own.compile)

        def describe(
            chosen: torch.Tensor, noise: torch.Generator
        ) -> tuple[torch.Tensor, torch.Tensor]:
            """Return reconstruction and divergence of rows, in nats a row."""
            some, moved = index[chosen], offsets[chosen]
            with precision:
                mean, log_variance = encode(some, moved)
                draws = torch.randn(mean.shape, generator=noise, device=device)
                latent = mean + draws * torch.exp(0.5 * log_variance)
                reconstruction = miss(latent, some, moved)
            each = mean.square() + log_variance.exp() - 1 - log_variance
            return reconstruction, 0.5 * each.sum() / len(chosen)

        def update(step: int, place: float) -> Mapping[str, torch.Tensor]:
            reconstruction, divergence = describe(seen[rows.draw()], noise)
            loss = reconstruction + own.beta * min(1.0, (place + 1) / warm_up) * divergence
            optimizer.clear()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step(
                own.given.learning_rate * cosine_rate(place, run.steps, warm_up // 6 + 1)
            )
            return {"loss": loss, "reconstruction": reconstruction, "divergence": divergence}

        def unseen_loss() -> torch.Tensor:
            """Return the loss of the rows held out, always blurred by the same noise."""
            noise = streams.torch("held out noise", device.type)
            total = torch.zeros((), device=device)
            for chosen in torch.split(unseen, chunk_rows(decoder.spans)):
                reconstruction, divergence = describe(chosen, noise)
                total += (reconstruction + own.beta * divergence) * len(chosen)
            return total / len(unseen)

        early = EarlyStopping(optimizer, unseen_loss, own.patience) if len(unseen) else None
        kept: dict[str, Kept] = {"encoder": encoder, "decoder": decoder, "optimizer": optimizer}
        kept |= {"noise": noise, "rows": rows}
        training = Training(
            f"training {self.name}",
            run.steps,
            kept,
            own,
            monitor,
            checkpoint=checkpoint,
            early=early,
        )
        training.train(self, update)
        if early is None:
            optimizer.use_average()
        else:
            early.use_best()

    @torch.inference_mode()
    def _fit_latent(
        self,
        encoder: Encoder,
        index: torch.Tensor,
        offsets: torch.Tensor,
        generator: torch.Generator,
    ) -> None:
        """Fit a mixture to the posteriors of the rows, in the dimensions that say something."""
        order = torch.randperm(len(index), generator=generator, device=index.device)
        parts = [
            encoder(index[rows], offsets[rows])
            for rows in torch.split(order[:POSTERIOR_ROWS], chunk_rows(encoder.rows.spans))
        ]
        means = torch.cat([mean for mean, _ in parts])
        variances = torch.cat([log_variance for _, log_variance in parts]).exp()
        self._active = means.var(0, correction=0) > 1e-2
        if self.parameters.components and self._active.any():
            self._mixture = fit_mixture(
                means[:, self._active],
                variances[:, self._active],
                self.parameters.components,
                generator,
            )

    def _draw_latent(self, n_rows: int, generator: torch.Generator) -> torch.Tensor:
        shape = n_rows, self._decoder.n_latent
        latent = torch.randn(shape, generator=generator, device=generator.device)
        if self._mixture is not None:
            latent[:, self._active] = self._mixture.draw(n_rows, generator)
        return latent

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw rows."""
        if not len(self._layout):
            return EncodedTable.empty(n_rows, self._layout)
        spans = self._decoder.spans

        def make(rows: slice, noise: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
            latent = self._draw_latent(rows.stop - rows.start, noise)
            if self._led is not None:
                hidden = self._decoder.body(latent)
                return self._led.draw_from(hidden, self._decoder.offsets, noise)
            return self._decoder.draw(latent, noise)

        return sample_in_chunks(f"sampling {self.name}", make, n_rows, spans, streams, monitor)

    def complete(
        self, given: Given, streams: Streams, monitor: Monitor = ignore, max_tries: int = MAX_TRIES
    ) -> Completed:
        """Weigh latents by what is given."""
        if not len(self._layout):
            return super().complete(given, streams, monitor, max_tries)
        decoder, head = self._decoder, self._decoder.offsets
        generator = streams.torch("tvae", decoder.spans.device.type)
        decoding = Decoding(
            decoder.spans,
            lambda n, _: self._draw_latent(n, generator),
            decoder.body,
            decoder.codes,
            head.weigh if head else None,
            decoder.finish,
        )
        if self._led is not None:
            decoding = self._led.decoding(decoding, head, generator)
        aims = np.zeros(len(given), dtype=np.int64)
        return complete_by_weighting(decoding, given, aims, streams, monitor, max_tries, self.name)

    def state(self) -> ModelState:
        """Return the decoder and the mixture of latents."""
        if not len(self._layout):
            return ModelState()
        tensors = read_weights(self._decoder, "decoder")
        if self._mixture is not None:
            tensors["latent.active"] = to_numpy(self._active)
            for name in ("weights", "means", "factors"):
                tensors[f"latent.{name}"] = to_numpy(getattr(self._mixture, name))
        values: dict[str, Any] = {"steps": self.steps_, "stopped": self.stopped_}
        if self._sizes is not None:
            values["sizes"] = list(self._sizes)
        if self._led is not None:
            values["leader"], tensors["led"] = self._led.leader, to_numpy(self._led.table)
        return ModelState(values, tensors)

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild the decoder and the mixture of latents."""
        model = cls(parameters)
        model._layout, model._mixture = layout, None
        model.steps_, model.stopped_ = state.values.get("steps", 0), state.values.get("stopped")
        if not len(layout):
            return model
        device = choose_device(model.parameters.device)
        spans = Spans(layout, device)
        usual, weights = model.parameters.given, Streams(0).torch("weights")
        sizes = state.values.get("sizes")
        model._sizes = None if sizes is None else (int(sizes[0]), int(sizes[1]))
        decoder = Decoder(spans, *(model._sizes or (usual.latent, usual.hidden)), weights)
        write_weights(decoder, state.tensors, "decoder")
        model._decoder = decoder.to(device)
        if "led" in state.tensors:
            model._led = LedHead(decoder.codes, state.values["leader"], state.tensors["led"])
        if "latent.means" in state.tensors:
            fitted = {
                name.removeprefix("latent."): torch.from_numpy(np.array(value)).to(device)
                for name, value in state.tensors.items()
                if name.startswith("latent.")
            }
            model._active = fitted.pop("active")
            model._mixture = Mixture(**fitted)
        return model

"""TVAE: a variational autoencoder for tables whose codes are drawn, never taken by argmax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError, DataError
from tabsynth.models._completion import MAX_TRIES, Completed
from tabsynth.models.base import HyperParameters, IterativeModel, ModelState, models
from tabsynth.models.neural.autoencoder import Decoder, Encoder
from tabsynth.models.neural.checkpoint import Checkpoint, Kept, open_checkpoint
from tabsynth.models.neural.device import (
    DEVICES,
    autocast,
    choose_device,
    compiled,
    on_few_threads,
    read_weights,
    to_numpy,
    write_weights,
)
from tabsynth.models.neural.marginals import calibrate, read_shares
from tabsynth.models.neural.mixture import Mixture, fit_mixture
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks, settling_chunks
from tabsynth.models.neural.schedule import Batches, cosine_rate, plan
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.stopping import EarlyStopping
from tabsynth.models.neural.training import Training, TrainingParameters
from tabsynth.models.neural.validation import check_choice, check_integer, check_real
from tabsynth.models.neural.weighting import Decoding, complete_by_weighting
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams

CODINGS = {
    "bins": Coding("bins", size=32, sub_bins=16),
    "modes": Coding("modes", size=10),
}
FEWEST_HELD_OUT = 20
"""Rows held out at least, where any are."""
POSTERIOR_ROWS = 10_000
"""Rows whose posteriors the distribution of the latent is fitted to."""


@dataclass(frozen=True)
class TVAEParameters(TrainingParameters):
    """Hyper-parameters of `TVAE`.

    Attributes
    ----------
    coding : {"bins", "modes"}
        How numbers are coded: quantile bins with sub-bins, or mode-specific normalisation.
    latent : int
        Dimensions of the latent.
    hidden : int
        Units of each of the two hidden layers of encoder and decoder.
    beta : float
        Weight of the divergence from the prior. Below 1 rows are told apart better, and the latent
        strays from the prior, which `components` mends.
    components : int
        Gaussians of the mixture that is fitted to the latents of the training rows and drawn from;
        0 draws from the prior.
    learning_rate : float
        Of AdamW, at its highest; it falls along half a cosine.
    weight_decay : float
        Of AdamW.
    average : float
        Decay of the moving average of the weights, which is what is kept.
    held_out : float
        Share of the rows that is not trained on but watched: training ends when the averaged
        weights describe them no better, and the best ones are kept. 0 holds none out.
    patience : int
        Looks at the rows held out, of 50, that may find nothing better before training ends.
    epochs, steps : int or None
        Passes over the table, or steps, which come first where both are given; None chooses from
        the size of the table.
    batch_size : int or None
        Rows of a step; None chooses from the size of the table.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and sample. Runs repeat byte for byte on the processor only.
    """

    coding: str = "bins"
    latent: int = 32
    hidden: int = 256
    beta: float = 0.5
    components: int = 20
    learning_rate: float = 6e-3
    weight_decay: float = 1e-2
    average: float = 0.998
    held_out: float = 0.0
    patience: int = 5
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("held_out", self.held_out, 0.0, 0.5)
        check_integer("patience", self.patience, 1)
        check_choice("coding", self.coding, tuple(CODINGS))
        check_choice("device", self.device, DEVICES)
        check_integer("latent", self.latent, 1)
        check_integer("hidden", self.hidden, 1)
        check_integer("components", self.components, 0)
        check_integer("epochs", self.epochs, 1, optional=True)
        check_integer("steps", self.steps, 1, optional=True)
        check_integer("batch_size", self.batch_size, 1, optional=True)
        check_real("beta", self.beta, 0.0)
        check_real("learning_rate", self.learning_rate, 1e-8, 1.0)
        check_real("weight_decay", self.weight_decay, 0.0, 1.0)
        check_real("average", self.average, 0.0, 1.0 - 1e-6)


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
    Privacy: reads the rows through ``TrainingData.table``. No formal guarantee; what is kept is the
    decoder and the mixture of latents, not the encoder.

    References
    ----------
    Xu et al., "Modeling Tabular Data using Conditional GAN", 2019, arXiv:1907.00503.
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, arXiv:1312.6114.
    """

    name = "tvae"
    description = "Variational autoencoder: quick to train, keeps most of the dependence."
    parameters_type = TVAEParameters
    completes = "by weighting"
    parameters: TVAEParameters

    _layout: Layout
    _decoder: Decoder
    _mixture: Mixture | None
    _active: torch.Tensor

    @property
    def coding(self) -> Coding:
        """Quantile bins with sub-bins, or mixture components."""
        return CODINGS[self.parameters.coding]

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
        PrivacyError
            Under a privacy budget.
        """
        own, table = self.parameters, data.table()
        if not len(table):
            raise DataError("tvae cannot be fitted: the table has no rows. Give it at least one.")
        self._layout, self._mixture = data.layout, None
        self.loss_history_, self.steps_, self.stopped_ = pd.DataFrame(), 0, None
        if not len(self._layout):
            return self
        device = choose_device(own.device)
        spans = Spans(self._layout, device)
        index = spans.index(table.codes)
        offsets = torch.from_numpy(table.offsets).to(device)
        shares = read_shares(index, spans)
        weights = streams.torch("weights")
        encoder = Encoder(spans, own.latent, own.hidden, weights)
        decoder = Decoder(spans, own.latent, own.hidden, weights)
        encoder.to(device)
        decoder.to(device)
        decoder.codes.start_at(shares)
        if decoder.offsets is not None:
            decoder.offsets.start_at(spans.slots(index), offsets)
        file = open_checkpoint(checkpoint, self, table, streams, device)
        self._train(encoder, decoder, index, offsets, streams, monitor, file)
        self._decoder = decoder.eval().requires_grad_(False)
        generator = streams.torch("latent", device.type)
        self._fit_latent(encoder.eval(), index, offsets, generator)

        def hidden() -> list[torch.Tensor]:
            sizes = settling_chunks(spans)
            return [decoder.body(self._draw_latent(n, generator)) for n in sizes]

        calibrate(decoder.codes, hidden, shares, spans)
        return self

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
        own, device = self.parameters, index.device
        unseen, seen = self._hold_out(len(index), streams.torch("held out", device.type))
        optimizer = Adam(
            [*encoder.parameters(), *decoder.parameters()],
            decay=own.weight_decay,
            average=own.average,
        )
        run = plan(
            len(seen),
            optimizer.weights.numel(),
            epochs=own.epochs,
            steps=own.steps,
            batch_size=own.batch_size,
            usual_epochs=50,
            most_steps=3500,
        )
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
            optimizer.step(own.learning_rate * cosine_rate(place, run.steps, warm_up // 6 + 1))
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
        kept: dict[str, Kept] = {
            "encoder": encoder,
            "decoder": decoder,
            "optimizer": optimizer,
            "noise": noise,
            "rows": rows,
        }
        training = Training(
            "training tvae", run.steps, kept, own, monitor, checkpoint=checkpoint, early=early
        )
        training.run(update)
        self.loss_history_ = training.history()
        self.steps_, self.stopped_ = training.step, training.stopped
        if early is None:
            optimizer.use_average()
        else:
            early.use_best()

    def _hold_out(
        self, n_rows: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the numbers of the rows that are held out, and of those that are not."""
        count, device = round(self.parameters.held_out * n_rows), generator.device
        if not self.parameters.held_out:
            return torch.arange(0, device=device), torch.arange(n_rows, device=device)
        if count < FEWEST_HELD_OUT:
            raise ConfigError(
                f"held_out = {self.parameters.held_out} of {n_rows:,} rows are {count}; at least "
                f"{FEWEST_HELD_OUT} are needed to judge by. Raise it, or set it to 0."
            )
        order = torch.randperm(n_rows, generator=generator, device=device)
        return order[:count], order[count:]

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
        device = generator.device
        latent = torch.randn((n_rows, self.parameters.latent), generator=generator, device=device)
        if self._mixture is not None:
            latent[:, self._active] = self._mixture.draw(n_rows, generator)
        return latent

    @on_few_threads
    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw rows."""
        if not len(self._layout):
            return EncodedTable.empty(n_rows, self._layout)
        spans = self._decoder.spans
        generator = streams.torch("tvae", spans.device.type)

        def make(count: int) -> tuple[torch.Tensor, torch.Tensor]:
            return self._decoder.draw(self._draw_latent(count, generator), generator)

        return sample_in_chunks("sampling tvae", make, n_rows, spans, monitor)

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
            lambda hidden: decoder.finish(hidden, generator),
        )
        aims = super().aim(given)
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
        return ModelState({"steps": self.steps_, "stopped": self.stopped_}, tensors)

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
        own, weights = model.parameters, Streams(0).torch("weights")
        decoder = Decoder(spans, own.latent, own.hidden, weights)
        write_weights(decoder, state.tensors, "decoder")
        model._decoder = decoder.to(device)
        if "latent.means" in state.tensors:
            fitted = {
                name.removeprefix("latent."): torch.from_numpy(np.array(value)).to(device)
                for name, value in state.tensors.items()
                if name.startswith("latent.")
            }
            model._active = fitted.pop("active")
            model._mixture = Mixture(**fitted)
        return model

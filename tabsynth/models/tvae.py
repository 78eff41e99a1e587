"""TVAE: a variational autoencoder for tables whose codes are drawn, never taken by argmax."""

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
from tabsynth.models.neural.device import (
    DEVICES,
    choose_device,
    read_weights,
    to_numpy,
    write_weights,
)
from tabsynth.models.neural.heads import CodeHead, cross_entropy, draw
from tabsynth.models.neural.inputs import RowInputs
from tabsynth.models.neural.linear import Linear
from tabsynth.models.neural.marginals import calibrate, read_shares
from tabsynth.models.neural.mixture import Mixture, fit_mixture
from tabsynth.models.neural.offsets import OffsetHead
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks, settling_chunks
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.training import batches, cosine_rate, plan, run_steps
from tabsynth.models.neural.validation import check_choice, check_integer, check_real
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams

CODINGS = {
    "bins": Coding("bins", size=32, sub_bins=16),
    "modes": Coding("modes", size=10),
    "scalar": Coding("scalar"),
}
POSTERIOR_ROWS = 10_000
"""Rows whose posteriors the distribution of the latent is fitted to."""


@dataclass(frozen=True)
class TVAEParameters(HyperParameters):
    """Hyper-parameters of `TVAE`.

    Attributes
    ----------
    coding : {"bins", "modes", "scalar"}
        How numbers are coded: quantile bins with sub-bins, mode-specific normalisation, or one
        scaled value each.
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
    beta: float = 0.2
    components: int = 40
    learning_rate: float = 6e-3
    weight_decay: float = 1e-2
    average: float = 0.998
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
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


class Encoder(nn.Module):
    """From rows to the means and log-variances of their latents."""

    def __init__(self, spans: Spans, sizes: TVAEParameters, generator: torch.Generator) -> None:
        super().__init__()
        self.rows = RowInputs(spans, sizes.hidden, generator)
        self.inner = Linear(sizes.hidden, sizes.hidden, generator, gain=2**0.5)
        self.outer = Linear(sizes.hidden, 2 * sizes.latent, generator, gain=0.1)

    def forward(
        self, index: torch.Tensor, offsets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means and log-variances, each of shape (n_rows, latent)."""
        hidden = torch.relu(self.inner(torch.relu(self.rows(index, offsets))))
        mean, log_variance = self.outer(hidden).chunk(2, dim=1)
        return mean, log_variance.clamp(-8.0, 4.0)


class Decoder(nn.Module):
    """From latents to distributions of codes and offsets."""

    def __init__(self, spans: Spans, sizes: TVAEParameters, generator: torch.Generator) -> None:
        super().__init__()
        self.spans = spans
        self.body = nn.Sequential(
            Linear(sizes.latent, sizes.hidden, generator, gain=2**0.5),
            nn.ReLU(),
            Linear(sizes.hidden, sizes.hidden, generator, gain=2**0.5),
            nn.ReLU(),
        )
        self.codes = CodeHead(spans, sizes.hidden, generator)
        self.offsets = OffsetHead(spans, sizes.hidden, generator) if spans.n_slots else None

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
        hidden = self.body(latent)
        index = draw(self.codes(hidden), self.spans, generator)
        if self.offsets is None:
            return index, hidden.new_zeros((len(index), 0))
        return index, self.offsets.draw(hidden, self.spans.slots(index), generator)


@models.register("tvae")
class TVAE(Model):
    """Variational autoencoder of rows.

    Rows enter as sums of embeddings. The decoder gives a softmax for the codes of every block and a
    squashed logistic for every offset, and rows are *drawn* from them, so that rare categories stay
    as frequent as they are. Three things mend the marginals: the heads begin at the shares of
    the codes, the latent is drawn from a mixture fitted to where the training rows lie, and
    a last step moves the biases until the shares of all codes are met.

    Attributes
    ----------
    loss_history_ : list of dict
        Mean losses between reports: "step", "loss", "reconstruction", "divergence"; in nats a row.

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
    parameters: TVAEParameters

    _layout: Layout
    _decoder: Decoder
    _mixture: Mixture | None
    _active: torch.Tensor

    @property
    def coding(self) -> Coding:
        """Quantile bins with sub-bins, or mixture components."""
        return CODINGS[self.parameters.coding]

    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
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
            raise DataError(
                f"{self.name} cannot be fitted: the table has no rows. Give it at least one."
            )
        self._layout, self._mixture = data.layout, None
        self.loss_history_: list[dict[str, float]] = []
        if not len(self._layout):
            return self
        device = choose_device(own.device)
        spans = Spans(self._layout, device)
        index = spans.index(table.codes)
        offsets = torch.from_numpy(table.offsets).to(device)
        shares = read_shares(index, spans)
        weights = streams.torch("weights")
        encoder = Encoder(spans, own, weights)
        decoder = Decoder(spans, own, weights)
        encoder.to(device)
        decoder.to(device)
        decoder.codes.start_at(shares)
        if decoder.offsets is not None:
            decoder.offsets.start_at(spans.slots(index), offsets)
        self._train(encoder, decoder, index, offsets, streams, monitor)
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
    ) -> None:
        own, device = self.parameters, index.device
        optimizer = Adam(
            [*encoder.parameters(), *decoder.parameters()],
            decay=own.weight_decay,
            average=own.average,
        )
        run = plan(
            len(index),
            optimizer.weights.numel(),
            epochs=own.epochs,
            steps=own.steps,
            batch_size=own.batch_size,
            usual_epochs=33,
            most_steps=3500,
        )
        warm_up = max(1, min(300, run.steps // 4))
        noise = streams.torch("noise", device.type)
        rows = batches(len(index), run.batch_size, streams.torch("rows", device.type), device)

        def update(step: int) -> Mapping[str, torch.Tensor]:
            chosen = next(rows)
            some, moved = index[chosen], offsets[chosen]
            mean, log_variance = encoder(some, moved)
            draws = torch.randn(mean.shape, generator=noise, device=device)
            latent = mean + draws * torch.exp(0.5 * log_variance)
            reconstruction = decoder.loss(latent, some, moved)
            each = mean.square() + log_variance.exp() - 1 - log_variance
            divergence = 0.5 * each.sum() / len(chosen)
            weight = own.beta * min(1.0, (step + 1) / warm_up)
            loss = reconstruction + weight * divergence
            optimizer.clear()
            loss.backward()
            optimizer.step(own.learning_rate * cosine_rate(step, run.steps, warm_up // 6 + 1))
            return {"loss": loss, "reconstruction": reconstruction, "divergence": divergence}

        self.loss_history_ = run_steps(f"training {self.name}", run.steps, update, monitor)
        optimizer.use_average()

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

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw rows."""
        if not len(self._layout):
            return EncodedTable.empty(n_rows, self._layout)
        spans = self._decoder.spans
        generator = streams.torch("tvae", spans.device.type)

        def make(count: int) -> tuple[torch.Tensor, torch.Tensor]:
            return self._decoder.draw(self._draw_latent(count, generator), generator)

        return sample_in_chunks(f"sampling {self.name}", make, n_rows, spans, monitor)

    def state(self) -> ModelState:
        """Return the decoder and the mixture of latents."""
        if not len(self._layout):
            return ModelState()
        tensors = read_weights(self._decoder, "decoder")
        if self._mixture is not None:
            tensors["latent.active"] = to_numpy(self._active)
            for name in ("weights", "means", "factors"):
                tensors[f"latent.{name}"] = to_numpy(getattr(self._mixture, name))
        return ModelState(tensors=tensors)

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild the decoder and the mixture of latents."""
        model = cls(parameters)
        model._layout, model._mixture = layout, None
        if not len(layout):
            return model
        device = choose_device(model.parameters.device)
        spans = Spans(layout, device)
        decoder = Decoder(spans, model.parameters, Streams(0).torch("weights"))
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

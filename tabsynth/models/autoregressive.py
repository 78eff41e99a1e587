"""Autoregressive network: a row is drawn block after block, each told from those before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.models._autoregressive import (
    PRIVATE,
    AutoregressiveParameters,
    Settings,
    private_coding,
)
from tabsynth.models._completion import MAX_TRIES, Completed, Effort, Way
from tabsynth.models._order import order_blocks
from tabsynth.models._private_autoregressive import fit_masked
from tabsynth.models.base import HyperParameters, IterativeModel, ModelState, models
from tabsynth.models.neural.checkpoint import Checkpoint, Kept, open_checkpoint
from tabsynth.models.neural.device import (
    autocast,
    choose_device,
    compiled,
    on_few_threads,
    read_weights,
    write_weights,
)
from tabsynth.models.neural.holdout import hold_out
from tabsynth.models.neural.marginals import read_shares
from tabsynth.models.neural.masked import Factors, MaskedNetwork, draw_factors
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.private import refuse_checkpoint, refuse_watching
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks
from tabsynth.models.neural.schedule import Batches, Plan, cosine_rate, plan
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.stopping import EarlyStopping
from tabsynth.models.neural.training import Training
from tabsynth.models.neural.unrolled import Known, Unrolled
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams

MOST_WEIGHTS = 3_000_000
"""Most weights of the first layer; tables with more blocks get shorter embeddings and layers."""
PHASE = "sampling autoregressive"
"""What drawing is called in reports."""


SECONDS = 8e-3, 3.5e-6
"""What a step takes on one core, and what each cell of its rows adds, measured on public tables."""


@models.register("autoregressive")
class Autoregressive(IterativeModel):
    """Network that draws a row block after block, each from a softmax told by those before it.

    A number is drawn by its bin, then by the part of the bin, and evenly inside. In some steps of
    the training random columns come before all others, so that one network can draw the rest of a
    row from whatever is given of it. After training, each block's biases are moved until its codes
    come with the shares that they have in the table.

    Attributes
    ----------
    loss_history_ : DataFrame
        Mean losses between reports: "step", "seconds", and in nats a row "loss" and, where rows are
        held out, "held_out".
    steps_, stopped_ : int, str or None
        See `IterativeModel`.

    Notes
    -----
    Privacy: without a budget, reads the rows through ``TrainingData.table``; no formal guarantee,
    and rows held out decide how long the others are learnt. Under one, buys counts through
    ``TrainingData.measure`` and takes steps through ``TrainingData.train``.

    References
    ----------
    Germain et al., "MADE: Masked Autoencoder for Distribution Estimation", 2015, arXiv:1502.03509.
    Uria et al., "A Deep and Tractable Density Estimator", 2014, arXiv:1310.1757.
    """

    name = "autoregressive"
    description = "Autoregressive network: column after column; any columns can be given outright."
    private = True
    parameters_type = AutoregressiveParameters
    completes = "directly"
    parameters: AutoregressiveParameters

    _network: MaskedNetwork
    _private: bool = False
    _any_order: bool = True
    """Whether columns can be given that are not the first ones; not where only one was learnt."""

    @property
    def coding(self) -> Coding:
        """Quantile bins with sub-bins."""
        return self.parameters.given.coding

    def coding_for(self, epsilon: float) -> Coding:
        """Quantile bins with sub-bins, few of both."""
        return private_coding(self.parameters)

    @property
    def way(self) -> Way:
        """By rejection where only one order of the columns was learnt."""
        return self.completes if self._any_order else "by rejection"

    def check_private(self) -> None:
        """Refuse rows held out, a time limit, compiling and short floats."""
        super().check_private()
        refuse_watching(self.parameters, self.parameters.held_out)

    @on_few_threads
    def fit(
        self,
        data: TrainingData,
        streams: Streams,
        monitor: Monitor = ignore,
        *,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train the network, then calibrate the shares of codes.

        Raises
        ------
        ConfigError
            If too few rows would be held out to judge by.
        DataError
            If there are no rows.
        BudgetExceeded, PrivacyError
            Under a privacy budget: if too little of it is left, or for a checkpoint, a time limit,
            or rows held out.
        """
        self._private, self._any_order = data.private, True
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
        network = self._build(spans, own.given, streams.torch("weights")).to(device)
        network.start_at(shares)
        chance = streams.torch("held out", device.type)
        unseen, seen = hold_out(len(index), own.held_out, chance)
        file = open_checkpoint(checkpoint, self, table, streams, device)
        self._train(network, index, offsets, unseen, seen, streams, monitor, file)
        self._network = network.eval().requires_grad_(False)
        network.forget_unseen(index[seen])
        self._calibrate(shares, streams, device)
        return self

    def _fit_privately(
        self,
        data: TrainingData,
        streams: Streams,
        monitor: Monitor,
        checkpoint: str | Path | None,
    ) -> Self:
        """Train a small network through the door to the rows, then calibrate to noisy shares."""
        own = self.parameters
        self._forget(data)
        self.check_private()
        refuse_checkpoint(checkpoint)
        if not len(self._layout):
            return self
        device = choose_device(own.device)
        spans = Spans(self._layout, device)
        network = self._build(spans, own.over(PRIVATE), streams.torch("weights")).to(device)
        phase = f"training {self.name}"
        self.steps_, self._any_order = fit_masked(
            network, self._order(spans), data, own, streams, phase, monitor
        )
        self._network = network
        return self

    def _calibrate(self, shares: torch.Tensor, streams: Streams, device: torch.device) -> None:
        """Move the biases until codes come with `shares`."""
        with torch.inference_mode():
            unrolled = Unrolled(self._network, self._order(self._network.spans))
            noise = streams.torch("calibration", device.type)
            spans = self._network.spans
            starts, sizes = spans.starts.tolist(), spans.sizes.tolist()
            wanted = {c: shares[starts[c] : starts[c] + sizes[c]] for c in range(spans.n_blocks)}
            unrolled.make(unrolled.chunk_rows(), noise, shares=wanted)

    def _build(self, spans: Spans, usual: Settings, generator: torch.Generator) -> MaskedNetwork:
        """Return a network whose first layer is not too large, with new weights."""
        sizes = usual.embedding, usual.hidden
        share = (MOST_WEIGHTS / (spans.n_blocks**2 * usual.embedding * usual.hidden)) ** 0.5
        if share < 1:
            least = (min(4, usual.embedding), min(8, usual.hidden))
            sizes = (max(least[0], int(sizes[0] * share)), max(least[1], int(sizes[1] * share)))
        return MaskedNetwork(spans, *sizes, generator)

    def _order(self, spans: Spans) -> list[int]:
        """Return the columns of an index in the order of drawing."""
        order = order_blocks(self._layout, self.parameters.targets)
        return [int(spans.column[number]) for number in order]

    def _plan(self, n_rows: int, n_weights: int) -> Plan:
        own = self.parameters
        return plan(
            n_rows,
            n_weights,
            epochs=own.epochs,
            steps=own.steps,
            batch_size=own.batch_size,
            usual_epochs=15,
            most_steps=3500,
        )

    def estimate(self, n_rows: int, n_columns: int) -> float:
        """Return about how many seconds `fit` takes (see `Model.estimate`)."""
        run = self._plan(n_rows, 50_000 * n_columns)
        a_step, a_cell = SECONDS
        training = run.steps * (a_step + a_cell * run.batch_size * n_columns)
        return super().estimate(n_rows, n_columns) + min(
            training, self.parameters.max_seconds or training
        )

    def _train(
        self,
        network: MaskedNetwork,
        index: torch.Tensor,
        offsets: torch.Tensor,
        unseen: torch.Tensor,
        seen: torch.Tensor,
        streams: Streams,
        monitor: Monitor,
        checkpoint: Checkpoint | None,
    ) -> None:
        own, device, spans = self.parameters, index.device, network.spans
        usual = own.given
        optimizer = Adam(network.parameters(), decay=own.weight_decay, average=usual.average)
        run = self._plan(len(seen), optimizer.weights.numel())
        warm_up = max(1, min(100, run.steps // 10))
        chances = streams.torch("orders", device.type)
        orders = Orders(spans, self._order(spans), usual.shuffled, chances)
        noise = streams.torch("noise", device.type)
        rows = Batches(len(seen), run.batch_size, streams.torch("rows", device.type))
        precision, miss = autocast(own.precision, device), compiled(network, own.compile)
        (n, d, h), (units, numbers) = network.sizes, own.dropouts(len(index))

        def update(step: int, place: float) -> Mapping[str, torch.Tensor]:
            chosen = seen[rows.draw()]
            b = len(chosen)
            factors: Factors = (
                draw_factors((b, n, d), numbers, noise),
                draw_factors((n, b, h), units, noise),
                draw_factors((n, b, h), units, noise),
            )
            with precision:
                loss = miss(index[chosen], offsets[chosen], orders.draw(), factors)
            optimizer.clear()
            loss.backward()
            optimizer.step(usual.learning_rate * cosine_rate(place, run.steps, warm_up))
            return {"loss": loss}

        def unseen_loss() -> torch.Tensor:
            total = torch.zeros((), device=device)
            for chosen in torch.split(unseen, chunk_rows(spans)):
                total += network(index[chosen], offsets[chosen], orders.usual) * len(chosen)
            return total / len(unseen)

        early = EarlyStopping(optimizer, unseen_loss, own.patience) if len(unseen) else None
        kept: dict[str, Kept] = {
            "network": network,
            "optimizer": optimizer,
            "noise": noise,
            "orders": chances,
            "rows": rows,
        }
        phase = f"training {self.name}"
        training = Training(
            phase, run.steps, kept, own, monitor, checkpoint=checkpoint, early=early
        )
        training.train(self, update)
        if early is None:
            optimizer.use_average()
        else:
            early.use_best()

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw rows, block after block."""
        if not len(self._layout):
            return EncodedTable.empty(n_rows, self._layout)
        spans = self._network.spans
        unrolled = Unrolled(self._network, self._order(spans))

        def make(rows: slice, noise: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
            return unrolled.make(rows.stop - rows.start, noise)

        size = unrolled.chunk_rows()
        return sample_in_chunks(PHASE, make, n_rows, spans, streams, monitor, size)

    def complete(
        self, given: Given, streams: Streams, monitor: Monitor = ignore, max_tries: int = MAX_TRIES
    ) -> Completed:
        """Draw what is not given, told by what is; nothing is drawn in vain."""
        if not len(self._layout):
            return super().complete(given, streams, monitor, max_tries)
        if not self._any_order:
            return super().complete(given, streams, monitor, max_tries)
        spans, table = self._network.spans, given.table
        device = spans.device
        flags = given.known[:, spans.order]
        some, every = (
            frozenset(np.flatnonzero(which).tolist())
            for which in (flags.any(axis=0), flags.all(axis=0))
        )
        unrolled = Unrolled(self._network, self._order(spans), some, every)
        known = Known(
            spans.index(table.codes),
            torch.from_numpy(table.offsets).to(device),
            torch.from_numpy(flags).to(device),
        )

        def make(rows: slice, noise: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
            return unrolled.make(rows.stop - rows.start, noise, known.take(rows))

        size = unrolled.chunk_rows()
        made = sample_in_chunks(PHASE, make, len(given), spans, streams, monitor, size)
        return Completed(given.impose(made), Effort("directly", len(given), len(given)))

    def state(self) -> ModelState:
        """Return the network."""
        if not len(self._layout):
            return ModelState()
        values: dict[str, Any] = {"steps": self.steps_, "stopped": self.stopped_}
        if self._private:
            values |= {"any_order": self._any_order, "sizes": list(self._network.sizes[1:])}
            values["leaders"] = [[column, of] for column, of in self._network.leaders.items()]
        return ModelState(values, read_weights(self._network, "network"))

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild the network."""
        model = cls(parameters)
        model._layout = layout
        model.steps_, model.stopped_ = state.values.get("steps", 0), state.values.get("stopped")
        if not len(layout):
            return model
        spans = Spans(layout, choose_device(model.parameters.device))
        usual, values = model.parameters.given, state.values
        if "sizes" in values:
            model._private, model._any_order = True, bool(values["any_order"])
            usual = replace(usual, embedding=values["sizes"][0], hidden=values["sizes"][1])
        network = model._build(spans, usual, Streams(0).torch("weights"))
        for column, leader in values.get("leaders", ()):
            sizes = int(spans.sizes[leader]), int(spans.sizes[column])
            network.lead(column, leader, torch.zeros(sizes))
        write_weights(network, state.tensors, "network")
        model._network = network.to(spans.device)
        return model

"""Autoregressive network: a row is drawn block after block, each told from those before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError
from tabsynth.models._completion import MAX_TRIES, Completed, Effort
from tabsynth.models._order import order_blocks
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
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks
from tabsynth.models.neural.schedule import Batches, Plan, cosine_rate, plan
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.stopping import EarlyStopping
from tabsynth.models.neural.training import Training, TrainingParameters
from tabsynth.models.neural.unrolled import Known, Unrolled
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams
from tabsynth.validation import check_integer, check_real

MOST_WEIGHTS = 3_000_000
"""Most weights of the first layer; tables with more blocks get shorter embeddings and layers."""
PHASE = "sampling autoregressive"
"""What drawing is called in reports."""


@dataclass(frozen=True)
class AutoregressiveParameters(TrainingParameters):
    """Hyper-parameters of `Autoregressive`.

    Attributes
    ----------
    target : str or tuple of str
        Columns that people will predict; they are drawn first, so that all others are drawn given
        them. Names that are not learnt (keys, constants, columns left out) are passed over.
    bins, sub_bins : int
        Quantile bins of a number with many values, and parts that each of them is cut into.
    embedding, hidden : int
        Numbers for each code, and hidden units of each block in each of its two layers. Tables of
        more than some fifty blocks get fewer of both.
    shuffled : float
        Share of the steps that learn to draw rows whose columns are given in part, any of them.
    dropout, embedding_dropout : float or None
        Share of the hidden units, and of the embeddings' numbers, that are left out in a step. None
        takes the more the fewer rows there are, from 0.04 to 0.3, and half of it for embeddings.
    learning_rate : float
        Of AdamW, at its highest; it falls along half a cosine.
    weight_decay : float
        Of AdamW; strong, since it keeps rows from being learnt by heart.
    average : float
        Decay of the moving average of the weights, which is what is kept.
    held_out : float or None
        Share of the rows that is not trained on but watched: training ends when the averaged
        weights describe them no better, and the best ones are kept. 0 holds none out; None takes a
        twentieth and at least 50 rows, and none where these were more than a fifth.
    patience : int
        Looks at the rows held out, of 50, that may find nothing better before training ends.

    Notes
    -----
    Besides those of `TrainingParameters`.
    """

    target: str | tuple[str, ...] = ()
    bins: int = 64
    sub_bins: int = 32
    embedding: int = 16
    hidden: int = 64
    shuffled: float = 0.3
    dropout: float | None = None
    embedding_dropout: float | None = None
    learning_rate: float = 1e-2
    weight_decay: float = 0.5
    average: float = 0.995
    held_out: float | None = None
    patience: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isinstance(name, str) for name in self.targets):
            raise ConfigError(f"target must be a column name, or several. Got {self.target!r}.")
        check_integer("bins", self.bins, 1)
        check_integer("sub_bins", self.sub_bins, 1)
        check_integer("embedding", self.embedding, 1)
        check_integer("hidden", self.hidden, 1)
        check_real("shuffled", self.shuffled, 0.0, 1.0)
        for name in ("dropout", "embedding_dropout", "held_out"):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), 0.0, 0.5 if name == "held_out" else 0.9)
        check_real("learning_rate", self.learning_rate, 1e-8, 1.0)
        check_real("weight_decay", self.weight_decay, 0.0, 1.0)
        check_real("average", self.average, 0.0, 1.0 - 1e-6)
        check_integer("patience", self.patience, 1)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return self.target if isinstance(self.target, tuple) else (self.target,)

    def dropouts(self, n_rows: int) -> tuple[float, float]:
        """Return the dropout of hidden units and of embeddings for a table of `n_rows` rows."""
        usual = min(max(round(50 * 15 / n_rows**0.5) / 50, 0.04), 0.3)
        units = usual if self.dropout is None else self.dropout
        return units, units / 2 if self.embedding_dropout is None else self.embedding_dropout


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
    Privacy: reads the rows through ``TrainingData.table``. No formal guarantee; rows held out
    decide how long the others are learnt.

    References
    ----------
    Germain et al., "MADE: Masked Autoencoder for Distribution Estimation", 2015, arXiv:1502.03509.
    Uria et al., "A Deep and Tractable Density Estimator", 2014, arXiv:1310.1757.
    """

    name = "autoregressive"
    description = "Autoregressive network: column after column; any columns can be given outright."
    parameters_type = AutoregressiveParameters
    completes = "directly"
    parameters: AutoregressiveParameters

    _network: MaskedNetwork

    @property
    def coding(self) -> Coding:
        """Quantile bins with sub-bins."""
        return Coding("bins", size=self.parameters.bins, sub_bins=self.parameters.sub_bins)

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
        PrivacyError
            Under a privacy budget.
        """
        own, table = self.parameters, self._begin(data)
        if not len(self._layout):
            return self
        device = choose_device(own.device)
        spans = Spans(self._layout, device)
        index = spans.index(table.codes)
        offsets = torch.from_numpy(table.offsets).to(device)
        shares = read_shares(index, spans)
        network = self._build(spans, streams.torch("weights")).to(device)
        network.start_at(shares)
        chance = streams.torch("held out", device.type)
        unseen, seen = hold_out(len(index), own.held_out, chance)
        file = open_checkpoint(checkpoint, self, table, streams, device)
        self._train(network, index, offsets, unseen, seen, streams, monitor, file)
        self._network = network.eval().requires_grad_(False)
        network.forget_unseen(index[seen])
        with torch.inference_mode():
            unrolled = Unrolled(network, self._order(spans))
            noise = streams.torch("calibration", device.type)
            unrolled.make(unrolled.chunk_rows(), noise, shares=shares)
        return self

    def _build(self, spans: Spans, generator: torch.Generator) -> MaskedNetwork:
        """Return a network whose first layer is not too large, with new weights."""
        own = self.parameters
        sizes = own.embedding, own.hidden
        share = (MOST_WEIGHTS / (spans.n_blocks**2 * own.embedding * own.hidden)) ** 0.5
        if share < 1:
            least = (min(4, own.embedding), min(8, own.hidden))
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
        optimizer = Adam(network.parameters(), decay=own.weight_decay, average=own.average)
        run = self._plan(len(seen), optimizer.weights.numel())
        warm_up = max(1, min(100, run.steps // 10))
        chances = streams.torch("orders", device.type)
        orders = Orders(spans, self._order(spans), own.shuffled, chances)
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
            optimizer.step(own.learning_rate * cosine_rate(place, run.steps, warm_up))
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
        values = {"steps": self.steps_, "stopped": self.stopped_}
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
        network = model._build(spans, Streams(0).torch("weights"))
        write_weights(network, state.tensors, "network")
        model._network = network.to(spans.device)
        return model

"""Autoregressive network: one block of a row after the other, each told from those before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import DataError
from tabsynth.models.base import HyperParameters, IterativeModel, ModelState, models
from tabsynth.models.neural.checkpoint import Checkpoint, Kept, open_checkpoint
from tabsynth.models.neural.device import (
    DEVICES,
    autocast,
    choose_device,
    read_weights,
    write_weights,
)
from tabsynth.models.neural.marginals import read_shares
from tabsynth.models.neural.masked import MaskedNetwork, Unrolled
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks
from tabsynth.models.neural.schedule import Batches, cosine_rate
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.stopping import EarlyStopping
from tabsynth.models.neural.training import Training, TrainingParameters
from tabsynth.models.neural.validation import check_choice, check_integer, check_real
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams

MOST_WEIGHTS = 3_000_000
"""Most weights of the first layer; tables with more blocks get smaller embeddings and layers."""
CALIBRATION_ROWS = 8192
"""Rows that are made to calibrate the shares of codes."""
CALIBRATION_ROUNDS = 5
FEWEST_HELD_OUT = 50


@dataclass(frozen=True)
class AutoregressiveParameters(TrainingParameters):
    """Hyper-parameters of `Autoregressive`."""

    embedding: int = 16
    hidden: int = 64
    size: int = 64
    sub_bins: int = 32
    shuffled: float = 0.5
    embedding_dropout: float = 0.1
    dropout: float = 0.3
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    average: float = 0.998
    held_out: float = 0.05
    patience: int = 10
    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    device: str = "auto"


@models.register("autoregressive")
class Autoregressive(IterativeModel):
    """Masked autoregressive network."""

    name = "autoregressive"
    description = "Masked autoregressive network: block after block; any columns can be given."
    parameters_type = AutoregressiveParameters
    parameters: AutoregressiveParameters

    _layout: Layout
    _network: MaskedNetwork
    _order: list[int]

    @property
    def coding(self) -> Coding:
        """Quantile bins with sub-bins."""
        return Coding("bins", size=self.parameters.size, sub_bins=self.parameters.sub_bins)

    def fit(
        self,
        data: TrainingData,
        streams: Streams,
        monitor: Monitor = ignore,
        *,
        checkpoint: str | Path | None = None,
    ) -> Self:
        own, table = self.parameters, data.table()
        if not len(table):
            raise DataError("autoregressive cannot be fitted: the table has no rows.")
        self._layout = data.layout
        self.loss_history_, self.steps_, self.stopped_ = pd.DataFrame(), 0, None
        if not len(self._layout):
            return self
        device = choose_device(own.device)
        spans = Spans(self._layout, device)
        index = spans.index(table.codes)
        offsets = torch.from_numpy(table.offsets).to(device)
        shares = read_shares(index, spans)
        network = self._build(spans, streams.torch("weights")).to(device)
        network.start_at(shares)
        self._order = [int(column) for column in spans.column]
        file = open_checkpoint(checkpoint, self, table, streams, device)
        self._train(network, index, offsets, streams, monitor, file)
        self._network = network.eval().requires_grad_(False)
        with torch.inference_mode():
            noise = streams.torch("calibration", device.type)
            self._make(CALIBRATION_ROWS, noise, wanted=shares)
        return self

    def _build(self, spans: Spans, generator: torch.Generator) -> MaskedNetwork:
        own = self.parameters
        n = spans.n_blocks
        share = min(1.0, (MOST_WEIGHTS / (n * n * own.embedding * own.hidden)) ** 0.5)
        embedding = max(4, round(own.embedding * share))
        hidden = max(8, round(own.hidden * share))
        return MaskedNetwork(spans, embedding, hidden, generator)

    def _train(self, network, index, offsets, streams, monitor, checkpoint) -> None:
        own, device, spans = self.parameters, index.device, network.spans
        count = round(own.held_out * len(index))
        order = torch.randperm(len(index), generator=streams.torch("held out", device.type), device=device)
        if count < FEWEST_HELD_OUT:
            count = 0
        unseen, seen = order[:count], order[count:]
        optimizer = Adam(network.parameters(), decay=own.weight_decay, average=own.average)
        batch = own.batch_size or min(max(len(seen) // 48, 32), 512)
        batch = min(batch, len(seen))
        steps = own.steps or max(500, int((own.epochs or 30) * len(seen) / batch))
        noise = streams.torch("noise", device.type)
        chance = streams.numpy("orders")
        rows = Batches(len(seen), batch, streams.torch("rows", device.type))
        precision = autocast(own.precision, device)
        n, d, h = network.sizes
        groups = self._groups()
        natural = self._before(self._order, device)

        def dropped(shape, rate):
            keep = torch.rand(shape, generator=noise, device=device) >= rate
            return keep / (1 - rate)

        def update(step: int, place: float) -> Mapping[str, torch.Tensor]:
            chosen = seen[rows.draw()]
            before = natural
            if chance.random() < own.shuffled:
                shuffled = chance.permutation(len(groups))
                before = self._before([c for g in shuffled for c in groups[g]], device)
            drop = (
                dropped((batch, n, d), own.embedding_dropout),
                dropped((n, batch, h), own.dropout),
                dropped((n, batch, h), own.dropout),
            )
            with precision:
                loss = network.losses(index[chosen], offsets[chosen], before, drop).sum() / batch
            optimizer.clear()
            loss.backward()
            optimizer.step(own.learning_rate * cosine_rate(place, steps, 100))
            return {"loss": loss}

        def unseen_loss() -> torch.Tensor:
            total = torch.zeros((), device=device)
            for chosen in torch.split(unseen, chunk_rows(spans)):
                total += network.losses(index[chosen], offsets[chosen], natural).sum()
            return total / len(unseen)

        early = EarlyStopping(optimizer, unseen_loss, own.patience) if len(unseen) else None
        kept: dict[str, Kept] = {"network": network, "optimizer": optimizer, "noise": noise, "rows": rows}
        training = Training("training autoregressive", steps, kept, own, monitor, checkpoint=checkpoint, early=early)
        training.run(update)
        self.loss_history_ = training.history()
        self.steps_, self.stopped_ = training.step, training.stopped
        if early is None:
            optimizer.use_average()
        else:
            early.use_best()

    def _groups(self) -> list[list[int]]:
        """Return the columns of an index that belong together, in the order of the table."""
        layout = self._layout
        groups: dict[str, list[int]] = {}
        for number, block in enumerate(layout):
            groups.setdefault(block.owner, []).append(self._order[number])
        return list(groups.values())

    @staticmethod
    def _before(order, device) -> torch.Tensor:
        rank = np.empty(len(order), dtype=np.int64)
        rank[np.array(order)] = np.arange(len(order))
        return torch.from_numpy((rank[:, None] < rank[None, :]).astype(np.float32)).to(device)

    def _make(self, n_rows: int, noise: torch.Generator, wanted: torch.Tensor | None = None):
        network = self._network
        spans = network.spans
        device = spans.device
        unrolled = Unrolled(network, self._order)
        d = network.sizes[1]
        told = torch.zeros((n_rows, len(self._order) * d), device=device)
        index = spans.starts.expand(n_rows, -1).clone()
        offsets = torch.rand((n_rows, len(spans.offset_columns)), generator=noise, device=device) * 2 - 1
        for place, column in enumerate(self._order):
            hidden = unrolled.hidden(place, told)
            meant = spans.meant(index)[:, column] if spans.levels else None
            if wanted is not None:
                self._calibrate(unrolled, place, hidden, meant, wanted)
            edges = torch.softmax(unrolled.logits(place, hidden), 1).cumsum(1)
            level = torch.rand((n_rows, 1), generator=noise, device=device) * edges[:, -1:]
            codes = torch.searchsorted(edges, level, right=True)[:, 0].clamp_max(edges.shape[1] - 1)
            if meant is not None:
                codes = torch.where(meant, codes, 0)
            index[:, column] += codes
            unrolled.tell(place, told, index, offsets)
        return index, offsets * (spans.slots(index) < spans.n_slots)

    def _calibrate(self, unrolled, place, hidden, meant, wanted) -> None:
        network = self._network
        _, row, bucket = network.bucket_of(self._order[place])
        begin = bucket.start + row * bucket.width
        size = int(network.spans.sizes[self._order[place]])
        shares = wanted[begin : begin + size]
        rows = hidden if meant is None else hidden[meant]
        if not len(rows):
            return
        for _ in range(CALIBRATION_ROUNDS):
            found = torch.softmax(unrolled.logits(place, rows), 1).mean(0).clamp_min(1e-9)
            step = (shares.clamp_min(1e-30).log() - found.log()).clamp(-1.0, 1.0)
            network.bias[begin : begin + size] += torch.where(shares > 0, step, 0.0)

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        if not len(self._layout):
            return EncodedTable.empty(n_rows, self._layout)
        spans = self._network.spans
        noise = streams.torch("autoregressive", spans.device.type)
        return sample_in_chunks(
            "sampling autoregressive", lambda n: self._make(n, noise), n_rows, spans, monitor
        )

    def state(self) -> ModelState:
        if not len(self._layout):
            return ModelState()
        return ModelState({"order": self._order}, read_weights(self._network, "network"))

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        model = cls(parameters)
        model._layout = layout
        if not len(layout):
            return model
        spans = Spans(layout, choose_device(model.parameters.device))
        network = model._build(spans, Streams(0).torch("weights"))
        write_weights(network, state.tensors, "network")
        model._network = network.to(spans.device)
        model._order = list(state.values["order"])
        return model

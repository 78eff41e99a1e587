"""Independent columns: the baseline that every other model has to beat.

Each column is drawn from its own marginal; no dependence between columns survives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.models._completion import MAX_TRIES, Completed, Effort
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams


@dataclass(frozen=True)
class IndependentParameters(HyperParameters):
    """Hyper-parameters of `Independent`.

    Attributes
    ----------
    bins : int
        Quantile bins of a number.
    """

    bins: int = 256


@models.register("independent")
class Independent(Model):
    """Draws every column by itself from its marginal; the parts of one number stay together.

    Notes
    -----
    Privacy: it reads counts only, through ``TrainingData.measure``; under a budget they have noise
    and take all of it.
    """

    name = "independent"
    description = "Baseline: every column drawn by itself, no dependence between columns."
    parameters_type = IndependentParameters
    completes = "directly"
    private = True
    columns_share = 0.5
    parameters: IndependentParameters

    _layout: Layout
    _shares: list[np.ndarray]

    @property
    def coding(self) -> Coding:
        """Quantile bins, one block a column."""
        return Coding("bins", size=self.parameters.bins, distinct=self.parameters.bins)

    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
        """Read the counts of each block."""
        self._layout = data.layout
        known, self._shares = data.known(), []
        found = data.measure([counts.blocks for counts in known], data.rho) if known else []
        for block, (some, more) in enumerate(zip(known, found, strict=True)):
            # Without noise there is nothing to weigh; with it, both are measurements of the same.
            weight = some.sigma**2 / (some.sigma**2 + more.sigma**2) if more.sigma else 1.0
            counts = np.maximum(weight * more.values + (1 - weight) * some.values, 0.0)
            totals = counts.sum(axis=-1, keepdims=True)
            even = np.full(counts.shape[-1], 1 / counts.shape[-1])
            self._shares.append(np.where(totals > 0, counts / np.maximum(totals, 1e-300), even))
            monitor(Progress("reading marginals", block + 1, len(self._layout)))
        return self

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw codes from the marginals and positions inside bins uniformly."""
        table = EncodedTable.empty(n_rows, self._layout)
        rng = streams.numpy("independent")
        for block, shares in enumerate(self._shares):
            uniform = rng.random(n_rows)
            parent = self._layout[block].parent
            if parent is None:
                edges = np.cumsum(shares)
                draws = np.searchsorted(edges, uniform * edges[-1], side="right")
                table.codes[:, block] = np.minimum(draws, np.flatnonzero(shares)[-1])
                continue
            parents = table.codes[:, parent]
            edges = np.cumsum(shares, axis=1)[parents]
            draws = (edges <= uniform[:, None] * edges[:, -1:]).sum(axis=1)
            refined = np.array(self._layout[parent].refined)[parents]
            table.codes[:, block] = np.where(refined, draws, 0)
        for column, block in enumerate(self._layout.offset_blocks):
            flags = np.array(self._layout[int(block)].continuous)
            position = rng.uniform(-1, 1, n_rows)
            table.offsets[:, column] = position * flags[table.codes[:, block]]
        return table

    def complete(
        self,
        given: Given,
        streams: Streams,
        monitor: Monitor = ignore,
        max_tries: int = MAX_TRIES,
    ) -> Completed:
        """Put what is given in its place: other columns do not depend on it."""
        table = given.impose(self.sample(len(given), streams, monitor))
        return Completed(table, Effort("directly", len(given), len(given)))

    def state(self) -> ModelState:
        """Return the marginals."""
        return ModelState(tensors={f"shares_{i}": s for i, s in enumerate(self._shares)})

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild from the marginals."""
        model = cls(parameters)
        model._layout = layout
        model._shares = [state.tensors[f"shares_{i}"] for i in range(len(layout))]
        return model

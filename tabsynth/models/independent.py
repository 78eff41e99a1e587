"""Independent columns: the baseline that every other model has to beat.

Each column is drawn from its own marginal; no dependence between columns survives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
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
    """Draws every column by itself from its marginal (the parts of one number stay together).

    Notes
    -----
    Privacy: it reads marginals only, through ``TrainingData.marginal``.
    """

    name = "independent"
    description = "Baseline: every column drawn by itself, no dependence between columns."
    parameters_type = IndependentParameters
    parameters: IndependentParameters

    _layout: Layout
    _shares: list[np.ndarray]

    @property
    def coding(self) -> Coding:
        """Quantile bins, one block a column."""
        return Coding("bins", size=self.parameters.bins, distinct=self.parameters.bins)

    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
        """Read one marginal a block."""
        self._layout = data.layout
        self._shares = []
        for block in range(len(self._layout)):
            counts = data.marginal([block])
            self._shares.append(counts / max(counts.sum(), 1.0))
            monitor(Progress("reading marginals", block + 1, len(self._layout)))
        return self

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw codes from the marginals and positions inside bins uniformly."""
        table = EncodedTable.empty(n_rows, self._layout)
        rng = streams.numpy("independent")
        for block, shares in enumerate(self._shares):
            edges = np.cumsum(shares)
            draws = np.searchsorted(edges, rng.random(n_rows) * edges[-1], side="right")
            table.codes[:, block] = np.minimum(draws, np.flatnonzero(shares)[-1])
        for column, block in enumerate(self._layout.offset_blocks):
            flags = np.array(self._layout[int(block)].continuous)
            position = rng.uniform(-1, 1, n_rows)
            table.offsets[:, column] = position * flags[table.codes[:, block]]
        return table

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

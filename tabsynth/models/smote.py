"""SMOTE-style interpolation: rows between a real row and one of its nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams
from tabsynth.validation import check_integer

AMONG = 4096
"""Most rows among which neighbours are searched, drawn at random."""
WIDTH = 16
"""Dimensions in which the codes of a nominal block with more codes than that are told apart."""
BLOCK = 2048
"""Rows whose neighbours are searched at a time."""


@dataclass(frozen=True)
class SmoteParameters(HyperParameters):
    """Hyper-parameters of `Smote`.

    Attributes
    ----------
    neighbours : int
        Nearest rows, one of which is drawn.
    """

    neighbours: int = 5

    def __post_init__(self) -> None:
        check_integer("neighbours", self.neighbours, 1)


@models.register("smote")
class Smote(Model):
    """Interpolation between real rows, for augmentation only.

    A row is made from a real row and one of the real rows nearest to it: numbers lie somewhere
    between the two, codes are those of one or the other. Numbers are compared by ranks; two
    different codes are as far apart as numbers usually are, as in SMOTE-NC. Unlike there a code
    is drawn from the two rows and not voted for, so that rare codes stay as frequent as they are.

    Notes
    -----
    Privacy: none. What is kept is the rows themselves, and what is made lies between two of them;
    values of single rows come out exactly. Under a privacy budget it is refused.

    References
    ----------
    Chawla et al., "SMOTE: Synthetic Minority Over-sampling Technique", 2002,
    doi:10.1613/jair.953.
    """

    name = "smote"
    description = "SMOTE-style augmentation; not private: it interpolates between real rows."
    notice: ClassVar[str] = (
        "Model smote is not private: it interpolates real rows. Use its rows to augment training "
        "data, do not give them away; the model file holds the real rows themselves."
    )
    parameters_type = SmoteParameters
    parameters: SmoteParameters

    _kept: EncodedTable
    _near: np.ndarray

    @property
    def coding(self) -> Coding:
        """Ranks: one scaled number a column."""
        return Coding("scalar")

    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
        """Keep the rows and find the neighbours of each.

        Raises
        ------
        DataError
            If there are no rows.
        PrivacyError
            Under a privacy budget.
        """
        self._kept = self._rows(data)
        rng = streams.numpy("neighbours")
        points = _points(self._kept, rng)
        self._near = _nearest(points, self.parameters.neighbours, rng, monitor)
        return self

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw rows between neighbours."""
        rng, layout = streams.numpy("smote"), self._kept.layout
        first = rng.integers(0, len(self._kept), n_rows)
        second = self._near[first, rng.integers(0, self._near.shape[1], n_rows)]
        share = rng.random((n_rows, 1), dtype=np.float32)
        one, other = self._kept.take(first), self._kept.take(second)
        take = rng.random((n_rows, len(layout))) < share
        # A finer block goes with the one that it refines.
        for index, block in enumerate(layout):
            if block.parent is not None:
                take[:, index] = take[:, block.parent]
        codes = np.where(take, other.codes, one.codes)
        blocks = layout.offset_blocks
        alike = (one.codes == other.codes)[:, blocks]
        for place, index in enumerate(blocks):
            parent = layout[int(index)].parent
            if parent is not None:
                alike[:, place] &= one.codes[:, parent] == other.codes[:, parent]
        between = one.offsets + share * (other.offsets - one.offsets)
        picked = np.where(take[:, blocks], other.offsets, one.offsets)
        offsets = np.clip(np.where(alike, between, picked), -1.0, 1.0).astype(np.float32)
        monitor(Progress("sampling smote", n_rows, n_rows))
        return EncodedTable(codes, offsets, layout)

    def state(self) -> ModelState:
        """Return the rows and their neighbours."""
        rows = self._kept
        return ModelState(
            tensors={"codes": rows.codes, "offsets": rows.offsets, "near": self._near}
        )

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild from the rows and their neighbours."""
        model = cls(parameters)
        model._kept = EncodedTable(state.tensors["codes"], state.tensors["offsets"], layout)
        model._near = state.tensors["near"]
        return model


def _points(table: EncodedTable, rng: np.random.Generator) -> np.ndarray:
    """Return rows as points, float32 of shape (n_rows, n_dimensions)."""
    layout = table.layout
    slots = layout.slots
    numbers = [table.offsets[:, slot] for slot in slots.values()]
    numbers += [
        table.codes[:, index] / max(1, block.size - 1) * 2.0 - 1.0
        for index, block in enumerate(layout)
        if index not in slots and not block.is_nominal
    ]
    spreads = [float(column.std()) for column in numbers if column.std() > 0]
    apart = float(np.median(spreads)) if spreads else 1.0
    parts = [column[:, None] for column in numbers]
    for index, block in enumerate(layout):
        if block.is_nominal and block.size > 1:
            # Two different codes are `apart` from one another, exactly or about.
            places = np.eye(block.size)
            if block.size > WIDTH:
                places = rng.choice([-1.0, 1.0], (block.size, WIDTH)) / np.sqrt(WIDTH)
            parts.append(places[table.codes[:, index]] * (apart / np.sqrt(2)))
    if not parts:
        return np.zeros((len(table), 1), dtype=np.float32)
    return np.concatenate(parts, axis=1).astype(np.float32)


def _nearest(
    points: np.ndarray, most: int, rng: np.random.Generator, monitor: Monitor
) -> np.ndarray:
    """Return the nearest rows of each row among some drawn at random, int32 (n_rows, n_near).

    A row is not its own neighbour, unless it is the only one.
    """
    n = len(points)
    among = np.sort(rng.permutation(n)[:AMONG])
    count = min(most, len(among) - 1)
    if count < 1:
        return np.arange(n, dtype=np.int32)[:, None]
    near = np.empty((n, count), dtype=np.int32)
    some = points[among]
    squares = (some**2).sum(axis=1)
    for start in range(0, n, BLOCK):
        stop = min(n, start + BLOCK)
        distance = squares - 2.0 * (points[start:stop] @ some.T)
        distance[among[None] == np.arange(start, stop)[:, None]] = np.inf
        near[start:stop] = among[np.argpartition(distance, count - 1, axis=1)[:, :count]]
        monitor(Progress("finding neighbours", stop, n))
    return near

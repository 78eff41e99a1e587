"""Noisy counts of a few columns at a time, and the distribution that agrees with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError
from tabsynth.models._completion import MAX_TRIES, Completed, Effort
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.models.marginals.evidence import completed
from tabsynth.models.marginals.graph import Graph, Measurement
from tabsynth.models.marginals.selection import (
    Purchase,
    Variables,
    choose_adaptively,
    choose_tree,
)
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.privacy.counting import Counts
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams
from tabsynth.validation import check_integer, check_real

METHODS = ("auto", "tree", "adaptive")
PHASE = "counting"
PRESENT = 2.0
"""Codes with fewer rows together than so many standard deviations are taken as absent."""
TARGET_GROUPS = 8
"""Most groups of codes of a target; one of more is coarsened."""
FEW_PATTERNS = 1_000
"""Different sets of given values that are taken one after the other; more, many at a time."""


@dataclass(frozen=True)
class MarginalParameters(HyperParameters):
    """Hyper-parameters of `Marginal`.

    Attributes
    ----------
    target : str or tuple of str
        Columns that people will predict; counts with the first of them are bought before others.
    method : {"auto", "tree", "adaptive"}
        How it is decided which counts are bought. "tree": along a tree of large dependence (MST;
        with a target, triples with it, TAN). "adaptive": what is estimated worst, one set after
        another (AIM). "auto" is "adaptive" up to 60 columns, and "tree" beyond.
    bins, sub_bins : int
        Quantile bins of a number with many values, and parts that each of them is cut into; counts
        with other columns are of bins, parts are drawn given the bin alone.
    cells : int
        Most counts that the junction tree may have.
    rare : float
        Codes with fewer rows than so many standard deviations of the noise share one count.
    """

    target: str | tuple[str, ...] = ()
    method: str = "auto"
    bins: int = 24
    sub_bins: int = 16
    cells: int = 200_000
    rare: float = 3.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"method must be one of {', '.join(METHODS)}. Got {self.method!r}.")
        check_integer("bins", self.bins, 2)
        check_integer("sub_bins", self.sub_bins, 1)
        check_integer("cells", self.cells, 100)
        check_real("rare", self.rare, 0.0)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return (self.target,) if isinstance(self.target, str) else self.target


@models.register("marginal")
class Marginal(Model):
    """The distribution of largest entropy that agrees with counts of a few columns at a time.

    Which counts are taken is decided by what depends on what. Rows are drawn from it along a
    junction tree; the code of a number first, then the part of its bin given the bin, and evenly
    inside.

    Notes
    -----
    Privacy: sees counts alone, through ``TrainingData.measure`` and ``choose``; under a budget they
    have noise, and the rest is post-processing.

    References
    ----------
    McKenna, Miklau and Sheldon (2021), arXiv:2108.04978 (MST). McKenna, Mullins, Sheldon and Miklau
    (2022), arXiv:2201.12677 (AIM). Friedman, Geiger and Goldszmidt (1997),
    doi:10.1023/A:1007465528199 (TAN).
    """

    name = "marginal"
    description = "Noisy counts of a few columns at a time: made for small privacy budgets."
    parameters_type = MarginalParameters
    completes = "directly"
    private = True
    columns_share = 0.2
    parameters: MarginalParameters

    _layout: Layout
    _variables: Variables
    _graph: Graph
    _ungroup: list[np.ndarray]
    _parts: dict[int, np.ndarray]

    @property
    def coding(self) -> Coding:
        """Quantile bins with parts."""
        own = self.parameters
        return Coding("bins", size=own.bins, sub_bins=own.sub_bins, distinct=own.bins)

    def estimate(self, n_rows: int, n_columns: int) -> float:
        """Return about how many seconds `fit` takes (see `Model.estimate`)."""
        rounds = 4 * n_columns if self._adaptive(n_columns) else n_columns
        return super().estimate(n_rows, n_columns) + rounds * (0.1 + 1e-7 * n_rows * n_columns)

    def _adaptive(self, n_columns: int) -> bool:
        method = self.parameters.method
        return method == "adaptive" or (method == "auto" and n_columns <= 60)

    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
        """Choose counts, take them, and find the distribution that agrees with them."""
        own, self._layout = self.parameters, data.layout
        known = data.known()
        roots = [i for i, block in enumerate(self._layout) if block.parent is None]
        self._parts = {i: _shares(known[i]) for i in range(len(self._layout)) if i not in roots}
        self._variables, absent = self._group(roots, known)
        total = max(1.0, float(data.n_rows))
        measurements, self._ungroup = [], []
        for place, block in enumerate(roots):
            group = self._variables.groups[block]
            counts = np.bincount(group, known[block].values, self._variables.sizes[place])
            wide = known[block].sigma * math.sqrt(len(group) / self._variables.sizes[place])
            measurements.append(Measurement((place,), counts, wide))
            codes = np.where(absent[block], 0.0, np.maximum(known[block].values, 0.0) + 1e-9)
            within = codes / np.bincount(group, codes)[group]
            self._ungroup.append(within)
        if not roots:
            return self
        bought = Purchase(data, self._variables, measurements)
        choose = choose_adaptively if self._adaptive(len(roots)) else choose_tree
        if len(roots) == 1 or bought.left <= 0:
            choose = choose_tree
        self._graph = choose(bought, total, float(own.cells), monitor, PHASE)
        return self

    def _group(
        self, roots: list[int], known: list[Counts]
    ) -> tuple[Variables, dict[int, np.ndarray]]:
        """Put rare codes together, and those of a target of many; say which are absent."""
        groups: dict[int, np.ndarray] = {}
        absent: dict[int, np.ndarray] = {}
        target = None
        for place, block in enumerate(roots):
            meaning, counts = self._layout[block], known[block]
            if target is None and meaning.owner in self.parameters.targets:
                target = place
            group, absent[block] = _grouped(
                counts.values,
                counts.sigma,
                self.parameters.rare,
                None if meaning.is_nominal else meaning.missing,
                meaning.is_nominal,
            )
            if target == place:
                group = _coarsened(group, counts.values, TARGET_GROUPS, meaning.is_nominal)
            groups[block] = group
        sizes = tuple(int(groups[block].max()) + 1 for block in roots)
        return Variables(tuple(roots), groups, sizes, target), absent

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw rows along the junction tree."""
        monitor(Progress("sampling marginal", 0, n_rows))
        rng = streams.numpy("marginal")
        table = EncodedTable.empty(n_rows, self._layout)
        if len(self._layout):
            values = self._graph.sample(n_rows, rng)
            self._write(table, values, np.arange(n_rows), rng)
        monitor(Progress("sampling marginal", n_rows, n_rows))
        return table

    def _write(
        self,
        table: EncodedTable,
        values: np.ndarray,
        rows: np.ndarray,
        rng: np.random.Generator,
        given: Given | None = None,
    ) -> None:
        """Write drawn groups as codes and offsets into some rows of a table.

        Codes that are given are put in place before what depends on them is drawn.
        """
        n = len(rows)
        for place, block in enumerate(self._variables.blocks):
            group, within = self._variables.groups[block], self._ungroup[place]
            order = np.argsort(group, kind="stable")
            edges = np.cumsum(within[order])
            # Each group takes up one unit of the line, in their order.
            drawn = np.searchsorted(edges, values[:, place] + rng.random(n), side="right")
            codes = order[np.minimum(drawn, len(order) - 1)]
            wrong = group[codes] != values[:, place]
            if wrong.any():  # rounding at the ends of a unit
                rising = np.lexsort((within, group))
                last = np.searchsorted(group[rising], values[wrong, place], side="right") - 1
                codes[wrong] = rising[last]
            if given is not None:
                codes = np.where(given.known[rows, block], given.table.codes[rows, block], codes)
            table.codes[rows, block] = codes
        for block, shares in self._parts.items():
            parent = self._layout[block].parent
            assert parent is not None
            codes = table.codes[rows, parent]
            edges = np.cumsum(shares, axis=1)[codes]
            drawn = (edges < rng.random(n)[:, None] * edges[:, -1:]).sum(axis=1)
            refined = np.array(self._layout[parent].refined)[codes]
            codes = np.where(refined, drawn, 0)
            if given is not None:
                codes = np.where(given.known[rows, block], given.table.codes[rows, block], codes)
            table.codes[rows, block] = codes
        for slot, block in enumerate(self._layout.offset_blocks):
            flags = np.array(self._layout[int(block)].continuous)
            place_inside = rng.uniform(-1, 1, n)
            table.offsets[rows, slot] = place_inside * flags[table.codes[rows, block]]

    def complete(
        self, given: Given, streams: Streams, monitor: Monitor = ignore, max_tries: int = MAX_TRIES
    ) -> Completed:
        """Draw what is not given from its distribution given the rest, without drawing in vain."""
        if not len(self._layout) or not len(given):
            return super().complete(given, streams, monitor, max_tries)
        blocks = list(self._variables.blocks)
        flags = given.known[:, blocks]
        codes = given.table.codes[:, blocks].astype(np.int64)
        groups = [self._variables.groups[b][codes[:, i]] for i, b in enumerate(blocks)]
        wanted = np.where(flags, np.stack(groups, axis=1), -1)
        patterns, where = np.unique(wanted, axis=0, return_inverse=True)
        rng = streams.numpy("marginal")
        table = EncodedTable.empty(len(given), self._layout)
        where = where.reshape(-1)
        if len(patterns) > FEW_PATTERNS:
            monitor(Progress("sampling marginal", 0, len(given)))
            values = completed(self._graph, wanted, rng)
            self._write(table, values, np.arange(len(given)), rng, given)
            monitor(Progress("sampling marginal", len(given), len(given)))
            return Completed(given.impose(table), Effort("directly", len(given), len(given)))
        for number, pattern in enumerate(patterns):
            monitor(Progress("sampling marginal", number, len(patterns)))
            rows = np.flatnonzero(where == number)
            evidence = {i: int(value) for i, value in enumerate(pattern) if value >= 0}
            values = self._graph.sample(len(rows), rng, evidence)
            self._write(table, values, rows, rng, given)
        monitor(Progress("sampling marginal", len(patterns), len(patterns)))
        return Completed(given.impose(table), Effort("directly", len(given), len(given)))

    def state(self) -> ModelState:
        """Return groups, factors and shares."""
        tensors = {f"parts.{block}": shares for block, shares in self._parts.items()}
        values: dict[str, object] = {"factors": [], "target": None, "blocks": []}
        if len(self._layout):
            own = self._variables
            values["blocks"], values["target"] = list(own.blocks), own.target
            values["factors"] = [list(key) for key in self._graph.factors]
            for place, block in enumerate(own.blocks):
                tensors[f"groups.{block}"] = own.groups[block]
                tensors[f"within.{block}"] = self._ungroup[place]
            for place, factor in enumerate(self._graph.factors.values()):
                tensors[f"factor.{place}"] = factor
        return ModelState(values, tensors)

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild from groups, factors and shares."""
        model = cls(parameters)
        model._layout, tensors = layout, state.tensors
        model._parts = {
            i: tensors[f"parts.{i}"] for i in range(len(layout)) if f"parts.{i}" in tensors
        }
        blocks = tuple(state.values["blocks"])
        groups: Mapping[int, np.ndarray] = {b: tensors[f"groups.{b}"] for b in blocks}
        sizes = tuple(int(groups[b].max()) + 1 for b in blocks)
        model._variables = Variables(blocks, groups, sizes, state.values["target"])
        model._ungroup = [tensors[f"within.{b}"] for b in blocks]
        factors = {
            tuple(key): tensors[f"factor.{place}"]
            for place, key in enumerate(state.values["factors"])
        }
        if blocks:
            model._graph = Graph(sizes, factors)
        return model


def _shares(counts: Counts) -> np.ndarray:
    """Return the shares of the parts of each bin, float64 (n_codes, n_parts)."""
    found = np.maximum(counts.values, 0.0)
    totals = found.sum(axis=1, keepdims=True)
    even = np.full(found.shape[1], 1 / found.shape[1])
    shares: np.ndarray = np.where(totals > 0, found / np.maximum(totals, 1e-300), even)
    return shares


def _grouped(
    counts: np.ndarray, sigma: float, rare: float, missing: int | None, nominal: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the group of each code, and which codes the noise says nobody has.

    Codes of fewer rows than `rare` standard deviations share a group: those without an order one,
    those with one that of a neighbour. What has no more rows than noise alone would give is taken
    as absent; it joins the most frequent code, and is never drawn.
    """
    k = len(counts)
    group, absent = np.arange(k), np.zeros(k, dtype=bool)
    least = rare * sigma
    if nominal:
        few = np.flatnonzero(counts < least)
        if counts[few].sum() < PRESENT * sigma * math.sqrt(max(len(few), 1)):
            absent[few] = True
        elif len(few):
            group[few] = few[0]
    else:
        start, held = 0, 0.0
        for code in range(k):
            if code == missing:
                absent[code] = counts[code] < PRESENT * sigma
                continue
            group[code] = start
            held += float(counts[code])
            if held >= least:
                start, held = code + 1, 0.0
        rest = (group == start) & (np.arange(k) != missing)
        if start and rest.any() and held < least:
            group[rest] = group[start - 1]
    if absent.all():
        absent[:] = False
    group[absent] = group[int(np.argmax(np.where(absent, -np.inf, counts)))]
    found: np.ndarray = np.unique(group, return_inverse=True)[1]
    return found, absent


def _coarsened(group: np.ndarray, counts: np.ndarray, most: int, nominal: bool) -> np.ndarray:
    """Return groups of which there are at most `most`, of about equally many rows."""
    if int(group.max()) < most:
        return group
    rows = np.bincount(group, np.maximum(counts, 0.0))
    order = np.argsort(-rows, kind="stable") if nominal else np.arange(len(rows))
    if nominal:
        rank = np.empty(len(rows), dtype=np.int64)
        rank[order] = np.arange(len(rows))
        some: np.ndarray = np.minimum(rank, most - 1)[group]
        return some
    middle = (np.cumsum(rows) - rows / 2) / max(rows.sum(), 1e-300)
    coarse = np.minimum((middle * most).astype(np.int64), most - 1)
    found: np.ndarray = np.unique(coarse, return_inverse=True)[1][group]
    return found

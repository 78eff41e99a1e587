"""Sequential trees: each column is drawn from a leaf of a tree that knows the columns before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.models._order import order_blocks
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.models.trees.alphabet import Alphabet
from tabsynth.models.trees.bag import Bag
from tabsynth.models.trees.critic import MOST_ROWS, Critic
from tabsynth.models.trees.grow import Growth, grow, some_leaves
from tabsynth.models.trees.inputs import column_of, targets_of
from tabsynth.models.trees.oblivious import MOST_COLUMNS
from tabsynth.models.trees.order import cells_of, most_telling
from tabsynth.models.trees.redraw import Redraw
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams
from tabsynth.validation import check_integer, check_real

CHUNK = 1 << 15
"""Most rows that are made at a time."""
FEWEST_TREES, MOST_TREES = 5, 10
TREE_ROWS = 150_000
"""Rows of all trees of a column together, where trees are not given and rows allow."""
MOST_GROWN = 60_000
"""Most rows that a tree of several is grown on; its leaves hold all rows."""
FOR_CHOICE = 5_000
"""Rows on which the predictors of each block are chosen, where there are more than are taken."""
FOR_CRITIC = 50_000
"""Most drawn rows that the critic learns from."""


@dataclass(frozen=True)
class TreeParameters(HyperParameters):
    """Hyper-parameters of `Tree`.

    Attributes
    ----------
    target : str or tuple of str
        Columns that people will predict; they are learnt first, so that all others are drawn given
        them. Names that are not learnt (keys, constants, columns left out) are passed over.
    leaf : int
        Fewest rows in a leaf.
    trees : int or None
        Trees of each column, one of which is drawn for each row; None takes 5 to 10, the more the
        fewer rows there are.
    share : float
        Share of the rows that each of several trees is grown on, at most 60,000 of them; its leaves
        hold all rows.
    penalty : float
        What a split must explain to stay, in variances of what is left unexplained. Smaller values
        keep more of the table, and more of single rows.
    floor : int
        Rows that must share a value for it to come out exactly, and rows of a leaf that are put
        together; other values come out somewhere near by.
    predictors : int
        Most columns that the trees of one column ask about.
    rounds : int
        Trees of the critic that chooses among drawn rows; 0 takes rows as they are drawn.
    candidates : int
        Rows that are drawn for each row made, where there is a critic.
    guesses : int
        Most rounds of boosting by which targets are guessed from all other columns, to be drawn
        again in the end; 0 leaves them as they were drawn first.
    """

    target: str | tuple[str, ...] = ()
    leaf: int = 40
    trees: int | None = None
    share: float = 0.5
    penalty: float = 6.0
    floor: int = 5
    predictors: int = 30
    rounds: int = 300
    candidates: int = 6
    guesses: int = 300

    def __post_init__(self) -> None:
        check_integer("leaf", self.leaf, 1)
        check_integer("trees", self.trees, 1, optional=True)
        check_real("share", self.share, 0.01, 1.0)
        check_real("penalty", self.penalty, 0.0)
        check_integer("floor", self.floor, 1)
        check_integer("predictors", self.predictors, 1)
        check_integer("rounds", self.rounds, 0)
        check_integer("candidates", self.candidates, 2)
        check_integer("guesses", self.guesses, 0)

    def asked(self, n_rows: int, n_columns: int) -> float:
        """Return how many cells the trees of all columns ask about together."""
        before = np.minimum(np.arange(n_columns), self.predictors).sum()
        return float(self.count(n_rows) * self.grown_on(n_rows) * before)

    def grown_on(self, n_rows: int) -> int:
        """Return on how many rows each tree is grown."""
        return max(1, min(round(self.share * n_rows), MOST_GROWN))

    def count(self, n_rows: int) -> int:
        """Return how many trees each column gets in a table of `n_rows` rows."""
        if self.trees is not None:
            return self.trees
        return min(MOST_TREES, max(FEWEST_TREES, TREE_ROWS // n_rows))

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return (self.target,) if isinstance(self.target, str) else self.target


@models.register("tree")
class Tree(Model):
    """Decision trees, one small bag of them for each column.

    Columns are learnt one after another, each by trees that ask about the columns before it; a row
    is made by sending it through the trees and drawing each column from the leaf it comes to. A
    last step draws several such rows for each one made and takes the one that boosted trees, which
    were taught to tell drawn rows from real ones, hold for the most real. Then targets are drawn
    again, told by all other columns.

    Five things keep single rows from showing. Values that few rows share are drawn anew within a
    cell of several rows. Splits that explain no more than the best of many splits of noise would
    are undone. The rows of a leaf are put together in groups. What stands for the codes of many
    is learnt from other rows than the tree. And of several trees, each grown on a part of the
    rows, one is drawn for every cell.

    Notes
    -----
    Privacy: reads the rows through ``TrainingData.table``. No formal guarantee. What is kept is
    the trees, how many rows their leaves hold, and between which neighbours; no rows.

    References
    ----------
    Reiter, "Using CART to generate partially synthetic public use microdata", 2005, Journal of
    Official Statistics 21(3), 441-462.
    """

    name = "tree"
    description = "Sequential decision trees: fast, keeps what columns and numbers say together."
    parameters_type = TreeParameters
    parameters: TreeParameters

    _layout: Layout
    _order: list[int]
    _alphabets: dict[int, Alphabet]
    _bags: dict[int, Bag]
    _critic: Critic | None
    _redraws: list[Redraw]

    @property
    def coding(self) -> Coding:
        """Ranks: one scaled number a column."""
        return Coding("scalar")

    def estimate(self, n_rows: int, n_columns: int) -> float:
        """Return about how many seconds `fit` takes (see `Model.estimate`)."""
        own = self.parameters
        redrawn = len(own.targets) * n_rows * n_columns if own.guesses else 0
        seen = min(2 * n_rows, 2 * MOST_ROWS) * min(n_columns, MOST_COLUMNS)
        grown = 0.25e-6 * own.asked(n_rows, n_columns)
        judged = own.rounds * (2e-3 + 5e-8 * seen)
        return super().estimate(n_rows, n_columns) + grown + judged + 1e-5 * redrawn

    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
        """Grow the trees of each block, then the critic.

        Raises
        ------
        DataError
            If there are no rows.
        PrivacyError
            Under a privacy budget.
        """
        own, table = self.parameters, self._rows(data)
        n = len(table)
        self._layout, self._alphabets, self._bags, self._critic = data.layout, {}, {}, None
        n_blocks = len(self._layout)
        self._order = order_blocks(self._layout, own.targets)
        columns = np.empty((n_blocks, n), dtype=np.float32)
        for index, codes, offsets in _parts(table):
            columns[index] = column_of(self._layout[index], codes, offsets)
        some = streams.numpy("choice").permutation(n)[:FOR_CHOICE]
        cells = cells_of(columns[:, some]) if n_blocks > own.predictors else columns[:, :0]
        growth = Growth(own.leaf, own.penalty, own.floor)
        parts = {index: (codes, offsets) for index, codes, offsets in _parts(table)}
        found: dict[int, np.ndarray] = {}
        for done, index in enumerate(self._order):
            monitor(Progress("growing trees", done, n_blocks))
            block, (codes, offsets) = self._layout[index], parts[index]
            alphabet, letters = Alphabet.fit(block, codes, offsets, own.floor)
            before = np.array(self._order[:done], dtype=np.int32)
            if done > own.predictors:
                # What codes of many are compared by is decided by the blocks that come first.
                shown = targets_of(block, codes, columns[index], columns[before[: own.predictors]])
                before = before[most_telling(cells[before], shown[some], own.predictors)]
            targets = targets_of(block, codes, columns[index], columns[before])
            rng = streams.numpy(f"trees {index}")
            count = own.count(n) if len(before) else 1
            size = n if count == 1 else own.grown_on(n)
            samples = [np.sort(rng.permutation(n)[:size]) for _ in range(count)]
            self._alphabets[index], found[index] = alphabet, letters
            self._bags[index] = grow(
                self._layout, columns, before, targets, letters, alphabet, samples, rng, growth
            )
        monitor(Progress("growing trees", n_blocks, n_blocks))
        self._redraws = self._learn_redraws(columns, parts, found, growth, streams)
        if own.rounds and n_blocks > 1:
            _, _, drawn = self._draw(min(n, FOR_CRITIC), streams.numpy("drawn"))
            rng = streams.numpy("critic")
            self._critic = Critic.fit(self._layout, columns, drawn, own.rounds, rng, monitor)
        return self

    def _learn_redraws(
        self,
        columns: np.ndarray,
        parts: dict[int, tuple[np.ndarray, np.ndarray | None]],
        letters: dict[int, np.ndarray],
        growth: Growth,
        streams: Streams,
    ) -> list[Redraw]:
        """Return how targets are drawn again; those of a single block, if there are others."""
        own, n, found = self.parameters, columns.shape[1], []
        for name in own.targets if own.guesses else ():
            blocks = self._layout.owned_by(name)
            others = np.array([i for i in self._order if i not in blocks], dtype=np.int32)
            if len(blocks) != 1 or not len(others):
                continue
            rng = streams.numpy(f"redraw {blocks[0]}")
            redraw = Redraw.fit(
                self._layout,
                blocks[0],
                columns,
                parts[blocks[0]][0],
                self._alphabets[blocks[0]],
                letters[blocks[0]],
                others,
                own.guesses,
                own.count(n),
                own.grown_on(n),
                growth,
                rng,
            )
            found += [] if redraw is None else [redraw]
        return found

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw candidates column after column, and choose among them."""
        table = EncodedTable.empty(n_rows, self._layout)
        for start in range(0, n_rows, CHUNK):
            stop = min(n_rows, start + CHUNK)
            monitor(Progress("sampling tree", start, n_rows))
            rng = streams.numpy(f"rows from {start}")
            codes, offsets, columns = self._choose(stop - start, rng)
            for redraw in self._redraws:
                self._again(redraw, codes, offsets, columns, rng)
            table.codes[start:stop], table.offsets[start:stop] = codes, offsets
        monitor(Progress("sampling tree", n_rows, n_rows))
        return table

    def _again(
        self,
        redraw: Redraw,
        codes: np.ndarray,
        offsets: np.ndarray,
        columns: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Draw a target again, in place."""
        index, alphabet = redraw.block, self._alphabets[redraw.block]
        rows, drawn, moved = redraw.draw(self._layout, columns, codes[:, index], alphabet, rng)
        codes[rows, index] = drawn
        slot = self._layout.slots.get(index)
        if slot is not None:
            continuous = np.array(self._layout[index].continuous)[drawn]
            offsets[rows, slot] = np.where(continuous, moved, 0)
        shown = None if slot is None else offsets[:, slot]
        columns[index] = column_of(self._layout[index], codes[:, index], shown)

    def _choose(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw several candidates for each row; take one in proportion to its odds."""
        if self._critic is None:
            return self._draw(n, rng)
        many = self.parameters.candidates
        codes, offsets, columns = self._draw(n * many, rng)
        odds = self._critic.score(columns).reshape(many, n)
        best = (odds + rng.gumbel(size=odds.shape)).argmax(axis=0) * n + np.arange(n)
        return codes[best], offsets[best], columns[:, best]

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw rows from the trees: codes, offsets, and what trees see of them."""
        slots = self._layout.slots
        codes = np.zeros((n, len(self._layout)), dtype=np.int32)
        offsets = np.zeros((n, len(slots)), dtype=np.float32)
        columns = np.zeros((len(self._layout), n), dtype=np.float32)
        for index in self._order:
            block, bag = self._layout[index], self._bags[index]
            leaves = some_leaves(self._layout, columns, bag, rng)
            drawn, moved = self._alphabets[index].read(bag.draw(leaves, rng))
            if block.parent is not None:
                refined = np.array(self._layout[block.parent].refined)[codes[:, block.parent]]
                drawn, moved = np.where(refined, drawn, 0), np.where(refined, moved, 0)
            codes[:, index] = drawn
            slot = slots.get(index)
            if slot is not None:
                offsets[:, slot] = np.where(np.array(block.continuous)[drawn], moved, 0)
            columns[index] = column_of(block, drawn, None if slot is None else offsets[:, slot])
        return codes, offsets, columns

    def state(self) -> ModelState:
        """Return order, letters, trees and critic."""
        tensors: dict[str, np.ndarray] = {}
        for index in self._order:
            tensors |= self._bags[index].tensors(f"{index}.trees")
            tensors |= self._alphabets[index].tensors(f"{index}.letters")
        if self._critic is not None:
            tensors |= self._critic.tensors("critic")
        for redraw in self._redraws:
            tensors |= redraw.tensors(f"{redraw.block}.redraw")
        values = {
            "order": self._order,
            "critic": self._critic is not None,
            "redrawn": [redraw.block for redraw in self._redraws],
        }
        return ModelState(values, tensors)

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild from order, letters, trees and critic."""
        model = cls(parameters)
        model._layout, model._order = layout, list(state.values["order"])
        model._bags = {i: Bag.load(state.tensors, f"{i}.trees") for i in model._order}
        model._alphabets = {i: Alphabet.load(state.tensors, f"{i}.letters") for i in model._order}
        model._critic = Critic.load(state.tensors, "critic") if state.values["critic"] else None
        model._redraws = [
            Redraw.load(state.tensors, f"{block}.redraw", block)
            for block in state.values.get("redrawn", [])
        ]
        return model


def _parts(table: EncodedTable) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
    """Yield each block with its codes and its offsets, None where it has none."""
    slots = table.layout.slots
    for index in range(len(table.layout)):
        slot = slots.get(index)
        yield index, table.codes[:, index], None if slot is None else table.offsets[:, slot]

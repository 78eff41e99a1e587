"""Which counts are bought, and what distribution they give: trees, and sets chosen one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tabsynth.models.marginals.graph import Graph, Measurement, fitted
from tabsynth.models.marginals.junction import Set
from tabsynth.monitor import Monitor, Progress
from tabsynth.privacy.counting import Counts, Groups
from tabsynth.privacy.training import TrainingData

CHOICE = 0.1
"""Share of the budget of a round that choosing costs, if sets are chosen one by one."""
TREE_CHOICE = 0.3
"""Share of the budget that choosing the edges of a tree costs."""
EXACT_RHO = 1e3
"""What stands for the budget where counts are exact."""
EXPECTED = math.sqrt(2 / math.pi)
"""Mean absolute value of a standard normal number."""
MOST_ROUNDS = 160
"""Most rounds that the budget is divided into at first."""


@dataclass(frozen=True, eq=False)
class Variables:
    """The variables of a graph: blocks, with their codes put in groups.

    Attributes
    ----------
    blocks : tuple of int
        The block of each variable.
    groups : mapping of int to ndarray
        Of each block: the group of each code.
    sizes : tuple of int
        Number of groups of each variable.
    target : int or None
        The variable that people will predict.
    """

    blocks: tuple[int, ...]
    groups: Groups
    sizes: tuple[int, ...]
    target: int | None = None

    def of_blocks(self, variables: Sequence[int]) -> Set:
        """Return the blocks of some variables."""
        return tuple(self.blocks[v] for v in variables)

    def cells(self, variables: Sequence[int]) -> int:
        """Return how many combinations there are."""
        return math.prod(self.sizes[v] for v in variables)


@dataclass(eq=False)
class Purchase:
    """Counts bought so far, and how more are bought.

    Attributes
    ----------
    data : TrainingData
    variables : Variables
    measurements : list of Measurement
    """

    data: TrainingData
    variables: Variables
    measurements: list[Measurement]

    @property
    def left(self) -> float:
        """What may still be spent."""
        return min(self.data.rho, EXACT_RHO)

    def measure(self, sets: Sequence[Set], rho: float) -> None:
        """Buy counts."""
        own = self.variables
        found = self.data.measure([own.of_blocks(s) for s in sets], rho, own.groups)
        for some, counts in zip(sets, found, strict=True):
            self.measurements.append(Measurement(some, counts.values, counts.sigma))

    def use_up(self, sets: Sequence[Set]) -> None:
        """Buy counts of `sets` with all that is left; of single variables where there are none."""
        if self.left > 0:
            singles: list[Set] = [(v,) for v in range(len(self.variables.sizes))]
            self.measure(sets or singles, self.left * (1 - 1e-9))

    def choose(
        self,
        sets: Sequence[Set],
        estimates: Sequence[np.ndarray],
        rho: float,
        weights: Sequence[float] | None = None,
        penalties: Sequence[float] | None = None,
    ) -> Set:
        """Choose the set that is estimated worst, or nearly."""
        own = self.variables
        believed = [
            Counts(own.of_blocks(s), estimate, 0.0)
            for s, estimate in zip(sets, estimates, strict=True)
        ]
        place = self.data.choose(
            believed, rho, weights=weights, penalties=penalties, groups=own.groups
        )
        return sets[place]


def choose_tree(bought: Purchase, total: float, cap: float, monitor: Monitor, name: str) -> Graph:
    """Buy counts along the edges of a tree of large dependence, and fit to them.

    With a target every edge is a triple with it, where the counts stay few enough.

    References
    ----------
    McKenna, Miklau and Sheldon (2021), arXiv:2108.04978. Friedman, Geiger and Goldszmidt (1997),
    doi:10.1023/A:1007465528199.
    """
    own = bought.variables
    ones = fitted(own.sizes, bought.measurements, total, 200)
    target, rho = own.target, bought.left
    if target is not None:
        pairs = [tuple(sorted((target, v))) for v in range(len(own.sizes)) if v != target]
        bought.measure(pairs, 0.2 * rho)
        ones = fitted(own.sizes, bought.measurements, total, 300, ones)
        rho *= 0.8
    others = [v for v in range(len(own.sizes)) if v != target]
    edges = [
        e if target is None else tuple(sorted((*e, target)))
        for e in combinations(others, 2)
        if own.cells(e if target is None else (*e, target)) <= cap
    ]
    estimates = dict(zip(edges, (p * total for p in ones.marginals(edges)), strict=True))
    part = {v: v for v in others}
    chosen: list[Set] = []
    rounds = max(1, len(others) - 1)
    while True:
        open_ = [e for e in edges if len({part[v] for v in e if v != target}) == 2]
        if not open_:
            break
        monitor(Progress(name, len(chosen), rounds))
        edge = bought.choose(open_, [estimates[e] for e in open_], TREE_CHOICE * rho / rounds)
        chosen.append(edge)
        one, other = (part[v] for v in edge if v != target)
        part = {v: one if of == other else of for v, of in part.items()}
    bought.use_up(chosen)
    monitor(Progress(name, rounds, rounds))
    return fitted(own.sizes, bought.measurements, total, 1500, None)


def choose_adaptively(
    bought: Purchase, total: float, cap: float, monitor: Monitor, name: str
) -> Graph:
    """Buy the counts that are estimated worst, one set after another, and fit to all of them.

    Rounds begin small and many; one that taught less than its noise doubles what the next ones
    spend. The junction tree may grow in proportion to what was spent, up to `cap` cells.

    References
    ----------
    McKenna, Mullins, Sheldon and Miklau (2022), arXiv:2201.12677.
    """
    own, exact = bought.variables, math.isinf(bought.data.rho)
    n, target = len(own.sizes), own.target
    pairs: list[Set] = [tuple(s) for s in combinations(range(n), 2)]
    triples: list[Set] = []
    if target is not None:
        triples = [tuple(sorted((*s, target))) for s in pairs if target not in s]
    workload = [*pairs, *triples]
    within = np.bincount([v for s in workload for v in s], minlength=n)
    weights = {s: float(within[list(s)].sum()) for s in workload}
    most = max(weights.values(), default=1.0)
    weights = {s: w / most for s, w in weights.items()}
    whole = bought.left
    graph = fitted(own.sizes, bought.measurements, total, 200)
    share, spent, done = whole / min(8 * n, MOST_ROUNDS), 0.0, 0
    steps = max(15, min(60, 900 // n))
    measured: set[Set] = set()
    while spent < whole * (1 - 1e-6):
        left = whole - spent
        if left < 2 * share:
            share = left
        monitor(Progress(name, min(99, round(100 * spent / whole)), 100))
        sigma = 0.0 if exact else math.sqrt(1 / (2 * (1 - CHOICE) * share))
        limit = cap * (spent + share) / whole
        open_ = [s for s in workload if not (exact and s in measured) and _fits(graph, s, limit)]
        if not open_:
            if share >= left:
                break
            share *= 4
            continue
        shown = [p * total for p in graph.marginals(open_)]
        chosen = bought.choose(
            open_,
            shown,
            CHOICE * share,
            [weights[s] for s in open_],
            [EXPECTED * sigma * own.cells(s) for s in open_],
        )
        bought.measure([chosen], (1 - CHOICE) * share * (1 - 1e-9))
        measured.add(chosen)
        before = shown[open_.index(chosen)]
        graph = fitted(own.sizes, bought.measurements, total, steps, graph)
        change = float(np.abs(graph.marginal(chosen) * total - before).sum())
        spent, done = spent + share, done + 1
        if change <= EXPECTED * sigma * own.cells(chosen):
            share *= 4
        if exact and done >= 2 * n:
            break
    if not exact and spent < whole * (1 - 1e-6):
        bought.use_up([])
    monitor(Progress(name, 100, 100))
    return fitted(own.sizes, bought.measurements, total, 1000, graph)


def _fits(graph: Graph, some: Set, limit: float) -> bool:
    """Return whether a junction tree of at most `limit` cells can hold `some` too."""
    if graph.tree.home(some) is not None:
        return True
    if math.prod(graph.sizes[v] for v in some) > limit:
        return False
    return graph.tree.cells_with(some, graph.sizes) <= limit

"""Graphical models: the distribution of largest entropy that agrees with noisy counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.models.marginals.junction import JunctionTree, Set, junction_tree

LEAST = -60.0
"""Logarithms of probabilities are cut off here."""
_STEPS_DOWN = 25
_LOOK, _GAIN = 50, 1e-3
"""Steps after which to look whether the loss still falls, and by which part of it it has to."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """Counts of the combinations of a few variables.

    Attributes
    ----------
    variables : tuple of int
        Ascending.
    counts : ndarray of float64, shape (size of each variable)
    sigma : float
        Standard deviation of the noise of a cell; 0 for exact counts.
    """

    variables: Set
    counts: np.ndarray
    sigma: float


class Graph:
    """A distribution over a few variables, as a product of factors on a junction tree.

    Parameters
    ----------
    sizes : sequence of int
        Number of values of each variable.
    factors : mapping of tuple of int to ndarray
        Logarithms of factors, by their variables (ascending).

    Notes
    -----
    Privacy: made of what was released alone; whatever is computed from it is post-processing.
    """

    def __init__(self, sizes: Sequence[int], factors: Mapping[Set, np.ndarray]) -> None:
        self.sizes = tuple(int(size) for size in sizes)
        self.factors = {key: np.asarray(value, dtype=np.float64) for key, value in factors.items()}
        self.tree: JunctionTree = junction_tree(self.factors, self.sizes)
        self._homes = {key: self.tree.home(key) for key in self.factors}
        self._beliefs: list[np.ndarray] | None = None

    def beliefs(self) -> list[np.ndarray]:
        """Return the probabilities of each clique, arrays that sum to 1."""
        if self._beliefs is None:
            self._beliefs = self._summed(self.potentials())
        return self._beliefs

    def marginal(self, variables: Set) -> np.ndarray:
        """Return the probabilities of a few variables that lie in one clique."""
        home = self.tree.home(variables)
        if home is None:
            raise KeyError(f"The variables {variables} lie in no clique together.")
        return _onto(self.beliefs()[home], self.tree.cliques[home], variables)

    def marginals(self, sets: Sequence[Set]) -> list[np.ndarray]:
        """Return the probabilities of sets of variables, whether in one clique or not."""
        found: dict[Set, np.ndarray] = {}
        far: dict[Set, list[Set]] = {}
        for some in sets:
            if self.tree.home(some) is not None:
                found[some] = self.marginal(some)
            else:
                base = max(
                    (tuple(v for v in some if v != left) for left in some),
                    key=lambda rest: self.tree.home(rest) is not None,
                )
                far.setdefault(base, []).append(some)
        for base, wanted in far.items():
            beside = {some: next(v for v in some if v not in base) for some in wanted}
            joint = self._beside(base, set(beside.values()))
            for some, last in beside.items():
                found[some] = np.transpose(joint[last], np.argsort([*base, last]))
        return [found[some] for some in sets]

    def _beside(self, base: Set, wanted: set[int]) -> dict[int, np.ndarray]:
        """Return the joint probabilities of `base` with each wanted variable, that one last."""
        beliefs, tree = self.beliefs(), self.tree
        start, found = tree.home(base), dict[int, np.ndarray]()
        if start is None:
            # Variables that lie in no clique together are taken as independent.
            whole = np.ones(())
            for v in base:
                whole = np.multiply.outer(whole, self.marginal((v,)))
            return {v: np.multiply.outer(whole, self.marginal((v,))) for v in wanted}

        def passed(share: np.ndarray, known: Set, clique: int, onto: Set) -> np.ndarray:
            """Return `share` (of base, then of what is known) times the rest of a clique, summed.

            What a clique adds to what is known does not depend on `base` any more.
            """
            both = tuple(v for v in tree.cliques[clique] if v in known or v in onto)
            here = _onto(beliefs[clique], tree.cliques[clique], both)
            name = len(self.sizes)
            # The flat index of `base` gets a name that no variable has.
            labels = {v: place for place, v in enumerate((*both, name))}
            ends = [[labels[v] for v in some] for some in ((name, *known), both, (name, *onto))]
            summed: np.ndarray = np.einsum(share, ends[0], here, ends[1], ends[2])
            return summed

        shape = [self.sizes[v] for v in base]
        n = int(np.prod(shape))
        even = np.eye(n).reshape(n, *shape)
        pending: list[tuple[int, int, Set, np.ndarray]] = [(start, -1, base, even)]
        near = self._neighbours()
        while pending:
            here, before, known, share = pending.pop()
            for v in wanted & set(tree.cliques[here]) - set(found):
                found[v] = passed(share, known, here, (v,)).reshape(*shape, self.sizes[v])
            for other, separator in near[here]:
                if other == before:
                    continue
                shown = passed(share, known, here, separator)
                total = _onto(beliefs[other], tree.cliques[other], separator)
                pending.append((other, here, separator, shown / np.maximum(total, 1e-300)))
        return found

    def _neighbours(self) -> list[list[tuple[int, Set]]]:
        near: list[list[tuple[int, Set]]] = [[] for _ in self.tree.cliques]
        for place, parent in enumerate(self.tree.parents):
            if parent >= 0:
                near[place].append((parent, self.tree.separators[place]))
                near[parent].append((place, self.tree.separators[place]))
        return near

    def potentials(self, evidence: Mapping[int, int] | None = None) -> list[np.ndarray]:
        """Return the logarithms of the product of the factors in each clique."""
        shapes = [tuple(self.sizes[v] for v in clique) for clique in self.tree.cliques]
        found = [np.zeros(shape) for shape in shapes]
        for key, factor in self.factors.items():
            home = self._homes[key]
            assert home is not None
            found[home] += _expanded(factor[None], key, self.tree.cliques[home])[0]
        for variable, value in (evidence or {}).items():
            home = self.tree.home((variable,))
            assert home is not None
            ruled = np.full(self.sizes[variable], -np.inf)
            ruled[value] = 0.0
            clique = self.tree.cliques[home]
            found[home] = found[home] + _expanded(ruled[None], (variable,), clique)[0]
        return found

    def _summed(self, potentials: list[np.ndarray]) -> list[np.ndarray]:
        """Return the probabilities of each clique: messages up the tree, then down."""
        tree, logs = self.tree, list(potentials)
        messages: list[np.ndarray] = [np.zeros(())] * len(logs)
        for place in range(len(logs) - 1, 0, -1):
            clique, separator, parent = (
                tree.cliques[place],
                tree.separators[place],
                tree.parents[place],
            )
            messages[place] = _log_onto(logs[place], clique, separator)
            logs[parent] = (
                logs[parent] + _expanded(messages[place][None], separator, tree.cliques[parent])[0]
            )
        for place in range(len(logs)):
            if place:
                clique, separator, parent = (
                    tree.cliques[place],
                    tree.separators[place],
                    tree.parents[place],
                )
                shown = _log_onto(logs[parent], tree.cliques[parent], separator)
                with np.errstate(invalid="ignore"):
                    more = shown - messages[place]
                more = np.where(np.isnan(more), -np.inf, more)
                logs[place] = logs[place] + _expanded(more[None], separator, clique)[0]
        found = []
        for one in logs:
            weights = np.exp(one - one.max())
            found.append(weights / weights.sum())
        return found

    def sample(
        self, n: int, rng: np.random.Generator, evidence: Mapping[int, int] | None = None
    ) -> np.ndarray:
        """Draw rows, int64 of shape (n, n_variables).

        Parameters
        ----------
        n : int
        rng : Generator
        evidence : mapping of int to int, optional
            Values that some variables have in every row.
        """
        beliefs = self._summed(self.potentials(evidence)) if evidence else self.beliefs()
        rows = np.zeros((n, len(self.sizes)), dtype=np.int64)
        for place, clique in enumerate(self.tree.cliques):
            separator = self.tree.separators[place]
            new = [v for v in clique if v not in separator]
            if not new:
                continue
            order = [clique.index(v) for v in (*separator, *new)]
            table = np.transpose(beliefs[place], order)
            shape = [self.sizes[v] for v in new]
            table = table.reshape(-1, int(np.prod(shape)))
            given = np.zeros(n, dtype=np.int64)
            if separator:
                sizes = [self.sizes[v] for v in separator]
                given = np.ravel_multi_index(tuple(rows[:, v] for v in separator), sizes)
            drawn = draw_columns(table, given, rng)
            for variable, values in zip(new, np.unravel_index(drawn, shape), strict=True):
                rows[:, variable] = values
        return rows


def fitted(
    sizes: Sequence[int],
    measurements: Sequence[Measurement],
    total: float,
    steps: int,
    start: Graph | None = None,
) -> Graph:
    """Return the distribution that agrees best with noisy counts, by entropic mirror descent.

    Parameters
    ----------
    sizes : sequence of int
    measurements : sequence of Measurement
        Their variables may overlap; weighed by how little noise they have.
    total : float
        Number of rows.
    steps : int
        Most steps; fewer where the loss does not fall any more.
    start : Graph, optional
        Factors to begin with.

    References
    ----------
    McKenna, Sheldon and Miklau (2019), arXiv:1901.09136.
    """
    least = min((m.sigma for m in measurements if m.sigma > 0), default=1.0)
    targets: dict[Set, list[tuple[np.ndarray, float]]] = {}
    for one in measurements:
        weight = (least / max(one.sigma, least / 30)) ** 2
        targets.setdefault(one.variables, []).append((one.counts / total, weight))
    wanted: dict[Set, tuple[np.ndarray, float]] = {}
    for key, several in targets.items():
        weight = float(sum(w for _, w in several))
        shares = np.sum([y * w for y, w in several], axis=0) / weight
        wanted[key] = (shares, weight)
    factors = {key: np.zeros([sizes[v] for v in key]) for key in wanted}
    for key, factor in ({} if start is None else start.factors).items():
        if key in factors:
            factors[key] = factor.copy()
    if start is None:
        for key, (shares, _) in wanted.items():
            if len(key) == 1:
                factors[key] = np.log(np.maximum(shares, 1e-6))
    graph = Graph(sizes, factors)

    def judged(at: Graph) -> tuple[float, dict[Set, np.ndarray]]:
        loss, slopes = 0.0, {}
        for key, (shares, weight) in wanted.items():
            off = at.marginal(key) - shares
            loss += 0.5 * weight * float((off**2).sum())
            slopes[key] = weight * off
        return loss, slopes

    loss, slopes = judged(graph)
    rate, refused, before = 1.0 / max(w for _, w in wanted.values()), 0, loss
    for step in range(1, steps + 1):
        if step % _LOOK == 0:
            if before - loss <= _GAIN * before:
                break
            before = loss
        new = Graph.__new__(Graph)
        new.__dict__.update(graph.__dict__)
        new.factors = {key: graph.factors[key] - rate * slopes[key] for key in graph.factors}
        new._beliefs = None
        value, more = judged(new)
        if value <= loss:
            graph, slopes, loss, rate, refused = new, more, value, rate * 1.3, 0
        else:
            rate, refused = rate / 2, refused + 1
            if refused > _STEPS_DOWN:
                break
    return graph


def _expanded(values: np.ndarray, variables: Set, clique: Set) -> np.ndarray:
    """Return values, whose first axis is no variable, so that they go with an array of a clique."""
    shape = [values.shape[0]] + [1] * len(clique)
    for axis, variable in enumerate(variables):
        shape[1 + clique.index(variable)] = values.shape[1 + axis]
    return values.reshape(shape)


def _onto(values: np.ndarray, clique: Set, variables: Set) -> np.ndarray:
    axes = tuple(axis for axis, v in enumerate(clique) if v not in variables)
    found: np.ndarray = values.sum(axis=axes)
    return found


def _log_onto(logs: np.ndarray, clique: Set, variables: Set) -> np.ndarray:
    """Return the logarithms of sums over the variables that are not wanted."""
    axes = tuple(axis for axis, v in enumerate(clique) if v not in variables)
    if not axes:
        return logs
    top = logs.max(axis=axes, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        sums: np.ndarray = np.log(np.exp(logs - top).sum(axis=axes))
    return sums + top.reshape(sums.shape)


def draw_columns(table: np.ndarray, given: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a column for each row of `given`, in proportion to that row of `table`."""
    edges = np.cumsum(table, axis=1)
    last = edges[:, -1:]
    edges = np.where(last > 0, edges / np.where(last > 0, last, 1.0), 1.0)
    edges[:, -1] = 1.0
    flat = (edges + np.arange(len(table))[:, None]).reshape(-1)
    drawn = np.searchsorted(flat, given + rng.random(len(given)), side="right")
    found: np.ndarray = np.clip(drawn - given * table.shape[1], 0, table.shape[1] - 1)
    return found

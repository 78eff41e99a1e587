"""Rows of a graphical model given some of their values, many different sets of them at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabsynth.models.marginals.graph import Graph, draw_columns
from tabsynth.models.marginals.junction import Set

MOST_CELLS = 1 << 21
"""Most probabilities that are held at a time, unless one set of values alone needs more."""


def completed(
    graph: Graph, wanted: np.ndarray, rng: np.random.Generator, most: int = MOST_CELLS
) -> np.ndarray:
    """Draw what is not given of each row from its distribution given the rest.

    Rows in which the same variables are given are drawn together, as many different sets of values
    at a time as memory is allowed for. What is given leaves little of a clique, so that this is
    much less work than one set of values after another.

    Parameters
    ----------
    graph : Graph
    wanted : ndarray of int64, shape (n, n_variables)
        Values that are given; -1 where none is.
    rng : Generator
    most : int
        Most probabilities that are held at a time.

    Returns
    -------
    ndarray of int64, shape (n, n_variables)
    """
    rows, logs = wanted.copy(), graph.potentials()
    kinds, kind = np.unique(wanted >= 0, axis=0, return_inverse=True)
    ordered = np.argsort(kind.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(kind.reshape(-1), minlength=len(kinds)))
    for given, mine in zip(kinds, np.split(ordered, ends[:-1]), strict=True):
        rest = _Rest(graph, logs, given)
        patterns, place = np.unique(wanted[mine], axis=0, return_inverse=True)
        place = place.reshape(-1)
        size = max(1, most // rest.cells)
        for start in range(0, len(patterns), size):
            inside = (place >= start) & (place < start + size)
            some = patterns[start : start + size]
            rows[mine[inside]] = rest.drawn(some, place[inside] - start, rng)
    return rows


class _Rest:
    """The variables that are not given, where it is known which are.

    Parameters
    ----------
    graph : Graph
    logs : sequence of ndarray
        Logarithms of the potentials of each clique.
    given : ndarray of bool, shape (n_variables,)

    Attributes
    ----------
    cells : int
        Probabilities that one set of given values leaves.
    """

    def __init__(self, graph: Graph, logs: Sequence[np.ndarray], given: np.ndarray) -> None:
        self.graph, self.logs, self.given = graph, logs, given
        self.cliques = [self._free(clique) for clique in graph.tree.cliques]
        self.separators = [self._free(some) for some in graph.tree.separators]
        self.cells = sum(int(np.prod(self._shape(clique))) for clique in self.cliques)

    def _free(self, variables: Set) -> Set:
        return tuple(v for v in variables if not self.given[v])

    def _shape(self, variables: Set) -> list[int]:
        return [self.graph.sizes[v] for v in variables]

    def drawn(
        self, patterns: np.ndarray, place: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw rows, each given the values of one of `patterns`."""
        beliefs = self._beliefs(patterns)
        rows: np.ndarray = patterns[place]
        for clique, separator, belief in zip(self.cliques, self.separators, beliefs, strict=True):
            new = tuple(v for v in clique if v not in separator)
            if not new:
                continue
            axes = [1 + clique.index(v) for v in (*separator, *new)]
            table = np.transpose(belief, [0, *axes]).reshape(-1, int(np.prod(self._shape(new))))
            index = place if len(belief) > 1 else np.zeros(len(rows), dtype=np.int64)
            for v in separator:
                index = index * self.graph.sizes[v] + rows[:, v]
            found = np.unravel_index(draw_columns(table, index, rng), self._shape(new))
            for variable, values in zip(new, found, strict=True):
                rows[:, variable] = values
        return rows

    def _beliefs(self, patterns: np.ndarray) -> list[np.ndarray]:
        """Return probabilities of what is left of each clique, given what its parent holds.

        The first axis is that of `patterns`, or has length 1 where nothing given is near: cliques
        hand up what they know, and rows are drawn from the first clique down.
        """
        tree = self.graph.tree
        found = [
            _cut(log, clique, patterns, self.given)
            for log, clique in zip(self.logs, tree.cliques, strict=True)
        ]
        for place in range(len(found) - 1, 0, -1):
            clique, parent = self.cliques[place], tree.parents[place]
            separator = self.separators[place]
            axes = _new_axes(clique, separator)
            top = found[place].max(axis=axes, keepdims=True)
            found[place] = np.exp(found[place] - top)
            told = np.log(found[place].sum(axis=axes, keepdims=True)) + top
            own = self.cliques[parent]
            shape = [self.graph.sizes[v] if v in separator else 1 for v in own]
            found[parent] = found[parent] + told.reshape(len(told), *shape)
        axes = _new_axes(self.cliques[0], ())
        found[0] = np.exp(found[0] - found[0].max(axis=axes, keepdims=True))
        return found


def _new_axes(clique: Set, separator: Set) -> tuple[int, ...]:
    """Return the axes of what a clique adds to its separator, behind that of the patterns."""
    return tuple(1 + axis for axis, v in enumerate(clique) if v not in separator)


def _cut(log: np.ndarray, clique: Set, patterns: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the part of an array of a clique that goes with each pattern, patterns first."""
    known = [axis for axis, v in enumerate(clique) if given[v]]
    rest = [axis for axis, v in enumerate(clique) if not given[v]]
    if not known:
        return log[None]
    part: np.ndarray = np.transpose(log, known + rest)[
        tuple(patterns[:, clique[axis]] for axis in known)
    ]
    return part

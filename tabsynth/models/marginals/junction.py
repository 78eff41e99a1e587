"""Junction trees: how sets of variables hang together so that a distribution can be summed over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

Set = tuple[int, ...]


@dataclass(frozen=True)
class JunctionTree:
    """Cliques in an order in which each one meets those before it in its separator.

    Attributes
    ----------
    cliques : tuple of tuple of int
        Variables of each clique, ascending.
    parents : tuple of int
        The clique before it that each hangs on; -1 for the first.
    separators : tuple of tuple of int
        What a clique and its parent share; may be empty.

    References
    ----------
    Lauritzen and Spiegelhalter (1988), doi:10.1111/j.2517-6161.1988.tb01721.x.
    """

    cliques: tuple[Set, ...]
    parents: tuple[int, ...]
    separators: tuple[Set, ...]

    def home(self, variables: Iterable[int]) -> int | None:
        """Return the smallest clique that holds all `variables`, None where none does."""
        found: set[int] | None = None
        for variable in variables:
            here = self._holding[variable]
            found = here if found is None else found & here
        if found is None:
            found = set(range(len(self.cliques)))
        return min(found, key=lambda place: (len(self.cliques[place]), place), default=None)

    @cached_property
    def _holding(self) -> dict[int, set[int]]:
        """The cliques that hold each variable."""
        holding: dict[int, set[int]] = {}
        for place, clique in enumerate(self.cliques):
            for variable in clique:
                holding.setdefault(variable, set()).add(place)
        return holding

    def path(self, start: int, end: int) -> list[int]:
        """Return the cliques from one to another along the tree, both included."""
        up, down = [start], [end]
        while up[-1] != down[-1]:
            # A parent comes before its children, so that the later one is never above the other.
            longer = up if up[-1] > down[-1] else down
            longer.append(self.parents[longer[-1]])
        return up + down[-2::-1]

    def cells_with(self, some: Set, sizes: Sequence[int]) -> float:
        """Return how many cells would be enough for `some` to lie in one clique too.

        All but one of them that lie in a clique already are carried along the tree to the last
        one, or it to them. Infinite where no clique holds all but one.
        """
        cells, least = [_cells(clique, sizes) for clique in self.cliques], math.inf
        for last in some:
            rest = tuple(v for v in some if v != last)
            start, end = self.home(rest), self.home((last,))
            if start is None or end is None:
                continue
            path = self.path(start, end)
            held = [set(self.cliques[place]) for place in path]
            first = max(n for n, clique in enumerate(held) if clique.issuperset(rest))
            final = min(n for n, clique in enumerate(held) if last in clique and n >= first)
            for moved, part in (
                ((last,), slice(first, final)),
                (rest, slice(first + 1, final + 1)),
            ):
                more = 0.0
                for place in path[part]:
                    new = set(moved).difference(self.cliques[place])
                    more += cells[place] * (_cells(new, sizes) - 1)
                least = min(least, sum(cells) + more)
        return least


def junction_tree(sets: Iterable[Sequence[int]], sizes: Sequence[int]) -> JunctionTree:
    """Return a junction tree in which every set lies in a clique.

    Variables are eliminated in the order in which the next one makes the smallest clique.

    Parameters
    ----------
    sets : iterable of sequence of int
    sizes : sequence of int
        Of every variable; those in no set are cliques by themselves.

    Examples
    --------
    >>> junction_tree([(0, 1), (1, 2)], (2, 2, 2)).cliques
    ((1, 2), (0, 1))
    """
    found = eliminated(sets, sizes)
    maximal = [c for c in found if not any(set(c) < set(other) for other in found)]
    maximal = sorted(set(maximal))
    # A spanning tree of the largest separators has the running intersection property.
    order, parents, separators = [len(maximal) - 1], [-1], [()]
    left = list(range(len(maximal) - 1))
    while left:
        _, clique, place = max(
            (len(set(maximal[c]) & set(maximal[p])), -c, -n)
            for c in left
            for n, p in enumerate(order)
        )
        clique, place = -clique, -place
        shared = tuple(sorted(set(maximal[clique]) & set(maximal[order[place]])))
        order.append(clique)
        parents.append(place)
        separators.append(shared)  # type: ignore[arg-type]
        left.remove(clique)
    return JunctionTree(tuple(maximal[c] for c in order), tuple(parents), tuple(separators))


def eliminated(sets: Iterable[Sequence[int]], sizes: Sequence[int]) -> list[Set]:
    """Return the cliques that eliminating variables one after another makes."""
    near: dict[int, set[int]] = {variable: set() for variable in range(len(sizes))}
    for some in sets:
        for one, other in combinations(some, 2):
            near[one].add(other)
            near[other].add(one)
    logs = [math.log(size) for size in sizes]
    weight = {v: logs[v] + sum(logs[u] for u in near[v]) for v in near}
    cliques = []
    while near:
        variable = min(weight, key=lambda v: (weight[v], v))
        neighbours = near.pop(variable)
        del weight[variable]
        cliques.append(tuple(sorted({variable, *neighbours})))
        for one in neighbours:
            new = neighbours - near[one] - {one}
            near[one] |= new
            near[one].discard(variable)
            weight[one] += sum(logs[u] for u in new) - logs[variable]
    return cliques


def _cells(variables: Iterable[int], sizes: Sequence[int]) -> float:
    return math.prod(float(sizes[v]) for v in variables)

"""Junction trees: how sets of variables hang together so that a distribution can be summed over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
        wanted = set(variables)
        holding = [place for place, clique in enumerate(self.cliques) if wanted <= set(clique)]
        return min(holding, key=lambda place: len(self.cliques[place]), default=None)


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
            near[one] |= neighbours
            near[one] -= {one, variable}
        for one in neighbours:
            weight[one] = logs[one] + sum(logs[u] for u in near[one])
    return cliques


def cells_of(sets: Iterable[Sequence[int]], sizes: Sequence[int]) -> float:
    """Return how many cells the cliques of a junction tree have together."""
    found = eliminated(sets, sizes)
    maximal = [c for c in found if not any(set(c) < set(other) for other in found)]
    return float(sum(math.prod(float(sizes[v]) for v in clique) for clique in set(maximal)))

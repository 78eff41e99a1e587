"""Growing a bag of trees for one block, with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.encoding.layout import Layout
from tabsynth.models.trees.alphabet import Alphabet
from tabsynth.models.trees.bag import Bag, contents
from tabsynth.models.trees.inputs import code_starts, scores_of


@dataclass(frozen=True)
class Growth:
    """How far trees grow.

    Attributes
    ----------
    leaf : int
        Fewest rows in a leaf.
    penalty : float
        What a split must explain to stay, in variances of what is left unexplained.
    group : int
        Fewest rows that share what a leaf holds.
    """

    leaf: int
    penalty: float
    group: int


def inputs_of(
    layout: Layout,
    columns: np.ndarray,
    predictors: np.ndarray,
    scores: np.ndarray,
    rows: np.ndarray | slice,
) -> np.ndarray:
    """Return what a tree asks about, float32 of shape (n_rows, n_predictors).

    Parameters
    ----------
    layout : Layout
    columns : ndarray of float32, shape (n_blocks, n_rows)
        As `column_of` gives them.
    predictors : ndarray of int32, shape (n_predictors,)
    scores : ndarray of float32, shape (n_codes,)
        Of the codes of nominal predictors, side by side.
    rows : ndarray of int or slice
    """
    shown = []
    for block, start in zip(predictors, code_starts(layout, predictors).tolist(), strict=True):
        column = columns[block][rows]
        shown.append(column if start < 0 else scores[start:][column.astype(np.int64)])
    if not shown:
        # Trees ask about something, and so find nothing to ask.
        return np.zeros((len(columns.T[rows]), 1), dtype=np.float32)
    return np.stack(shown, axis=1)


def grow(
    layout: Layout,
    columns: np.ndarray,
    predictors: np.ndarray,
    targets: np.ndarray,
    letters: np.ndarray,
    alphabet: Alphabet,
    samples: list[np.ndarray],
    rng: np.random.Generator,
    growth: Growth,
) -> Bag:
    """Grow one tree on each sample of the rows, prune it, and fill its leaves with all rows.

    Parameters
    ----------
    layout, columns, predictors
        As for `inputs_of`.
    targets : ndarray of float64, shape (n_rows, n_targets)
        What leaves shall tell apart.
    letters : ndarray of int32, shape (n_rows,)
        What leaves hold.
    alphabet : Alphabet
    samples : list of ndarray of int64
        Rows that each tree is grown on.
    rng : Generator
    growth : Growth
    """
    from sklearn.tree import DecisionTreeRegressor

    parts: dict[str, list[np.ndarray]] = {}
    starts = code_starts(layout, predictors)
    n_nodes = n_leaves = n_rows = 0
    places = alphabet.places(letters, rng)
    for rows in samples:
        some, others = targets[rows], _outside(rows, len(targets))
        scores = [
            scores_of(
                columns[block][others].astype(np.int64), layout[int(block)].size, targets[others]
            )
            for block, start in zip(predictors, starts, strict=True)
            if start >= 0
        ]
        joined = np.concatenate(scores) if scores else np.zeros(0, dtype=np.float32)
        inputs = inputs_of(layout, columns, predictors, joined, slice(None))
        seed = int(rng.integers(2**31))
        tree = DecisionTreeRegressor(min_samples_leaf=growth.leaf, random_state=seed)
        fitted = tree.fit(inputs[rows], some).tree_
        left, right = fitted.children_left, fitted.children_right
        own = pruned(left, right, fitted.impurity, fitted.n_node_samples, growth.penalty)
        kept = own == np.arange(len(own))
        is_leaf = np.zeros(len(own), dtype=bool)
        is_leaf[own[left < 0]] = True
        inner = kept & ~is_leaf
        number, rank = np.cumsum(kept) - 1, np.cumsum(is_leaf) - 1
        held = rank[own[fitted.apply(inputs)]]
        filled = contents(held, letters, places, alphabet, int(is_leaf.sum()), growth.group)
        arrays = {
            "roots": np.array([n_nodes]),
            "feature": np.where(inner, fitted.feature, -1)[kept],
            "threshold": np.where(inner, fitted.threshold, 0.0)[kept],
            "left": np.where(inner, n_nodes + number[left], n_leaves + rank)[kept],
            "right": np.where(inner, n_nodes + number[right], 0)[kept],
            "scores": joined[None],
            "starts": filled["starts"][:-1] + n_rows,
            "ends": filled["ends"] + n_rows,
            "low": filled["low"],
            "high": filled["high"],
        }
        for name, array in arrays.items():
            parts.setdefault(name, []).append(array)
        n_nodes += int(kept.sum())
        n_leaves += int(is_leaf.sum())
        n_rows += len(letters)
    whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    whole["starts"] = np.append(whole["starts"], n_rows)
    for name in ("roots", "feature", "left", "right"):
        whole[name] = whole[name].astype(np.int32)
    return Bag(predictors=predictors, **whole)


def some_leaves(
    layout: Layout, columns: np.ndarray, bag: Bag, rng: np.random.Generator
) -> np.ndarray:
    """Return the leaf of each row in a tree of the bag drawn for it, int64 of shape (n_rows,).

    Parameters
    ----------
    layout, columns
        As for `inputs_of`.
    bag : Bag
    rng : Generator
    """
    n = columns.shape[1]
    which = rng.integers(0, len(bag.roots), n)
    leaves = np.empty(n, dtype=np.int64)
    for tree in range(len(bag.roots)):
        rows = np.flatnonzero(which == tree)
        inputs = inputs_of(layout, columns, bag.predictors, bag.scores[tree], rows)
        leaves[rows] = bag.leaves(tree, inputs)
    return leaves


def _outside(rows: np.ndarray, n: int) -> np.ndarray:
    """Return the rows that are not in a sample, or the sample where it holds all of them.

    What stands for the codes of many is learnt from these: learnt from the rows that the tree is
    grown on, a rare code would tell the tree what its own few rows hold.
    """
    outside = np.ones(n, dtype=bool)
    outside[rows] = False
    return np.flatnonzero(outside) if outside.any() else rows


def pruned(
    left: np.ndarray, right: np.ndarray, impurity: np.ndarray, rows: np.ndarray, penalty: float
) -> np.ndarray:
    """Return for each node the one that stands for it once splits that explain little are undone.

    Parameters
    ----------
    left, right : ndarray of int, shape (n_nodes,)
        The nodes below, which come later; -1 on a leaf.
    impurity : ndarray of float64, shape (n_nodes,)
        Mean squared error.
    rows : ndarray of int, shape (n_nodes,)
    penalty : float

    Returns
    -------
    ndarray of int, shape (n_nodes,)
        Itself for a node that stays.

    Notes
    -----
    A branch of k leaves stays where it takes away more than ``penalty * (k - 1)`` times the mean
    squared error that it leaves. The best of m different splits of pure noise takes away about
    ``2 log(m)`` of those.

    Examples
    --------
    >>> left, right = np.array([1, -1, -1]), np.array([2, -1, -1])
    >>> pruned(left, right, np.array([1.0, 0.9, 0.9]), np.array([60, 30, 30]), 8.0).tolist()
    [0, 0, 0]
    >>> pruned(left, right, np.array([1.0, 0.1, 0.1]), np.array([60, 30, 30]), 8.0).tolist()
    [0, 1, 2]
    """
    error = (impurity * rows).tolist()
    lefts, rights, sizes = left.tolist(), right.tolist(), rows.tolist()
    leaves, best = [1] * len(error), list(error)
    undone = [False] * len(error)
    for node in range(len(error) - 1, -1, -1):
        if lefts[node] < 0:
            continue
        one, other = lefts[node], rights[node]
        below, many = best[one] + best[other], leaves[one] + leaves[other]
        undone[node] = error[node] - below <= penalty * (many - 1) * below / sizes[node]
        if not undone[node]:
            best[node], leaves[node] = below, many
    own = list(range(len(error)))
    for node in range(len(error)):
        if lefts[node] >= 0 and (undone[node] or own[node] != node):
            own[lefts[node]] = own[rights[node]] = own[node]
    return np.array(own)

"""Guess: what boosted trees make of a column, told by all others."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from tabsynth.encoding.layout import Layout
from tabsynth.models.trees.arrays import Questions
from tabsynth.models.trees.grow import inputs_of
from tabsynth.models.trees.inputs import scores_of

FOLDS = 3
"""Parts of the rows, each guessed by trees that learnt from the others."""
LEAVES = 15
"""Most leaves of a tree."""
RATE = 0.1
"""Share of each tree's step that is taken."""
MOST_ROWS = 100_000
"""Most rows that the trees of one part learn from."""
PATIENCE = 10
"""Rounds that may make the guess of rows kept aside no better before growing ends."""


@dataclass(frozen=True, eq=False)
class Guess(Questions):
    """Boosted trees, one set for each part of the rows, learnt from the other parts.

    So a row is always guessed by trees that have not seen it, and guesses of rows learnt from are
    neither better nor surer than those of new rows.

    Attributes
    ----------
    predictors : ndarray of int32, shape (n_predictors,)
        Blocks that are asked about.
    scores : ndarray of float32, shape (n_folds, n_codes)
        What takes the place of the codes of nominal predictors, side by side, in each fold.
    base : ndarray of float64, shape (n_folds, n_outputs)
        The guess before anything is asked.
    ends : ndarray of int64, shape (n_folds,)
        Where the trees of each fold end; one for each output in each round.
    roots : ndarray of int32, shape (n_trees,)
        Node at which each tree begins.
    feature : ndarray of int32, shape (n_nodes,)
        Which of the predictors a node asks about; -1 on a leaf.
    threshold : ndarray of float64, shape (n_nodes,)
        Rows at most so large go left.
    left, right : ndarray of int32, shape (n_nodes,)
        The nodes below.
    value : ndarray of float32, shape (n_nodes,)
        What a leaf adds to the guess.
    """

    predictors: np.ndarray
    scores: np.ndarray
    base: np.ndarray
    ends: np.ndarray
    value: np.ndarray

    @classmethod
    def fit(
        cls,
        layout: Layout,
        columns: np.ndarray,
        predictors: np.ndarray,
        targets: np.ndarray,
        classes: np.ndarray | None,
        rounds: int,
        leaf: int,
        rng: np.random.Generator,
    ) -> tuple[Self, np.ndarray]:
        """Grow at most `rounds` rounds of trees for each part of the rows.

        Parameters
        ----------
        layout : Layout
        columns : ndarray of float32, shape (n_blocks, n_rows)
            As `column_of` gives them.
        predictors : ndarray of int32
        targets : ndarray of float64, shape (n_rows, n_targets)
            What codes of nominal predictors are compared by; the first is what is guessed, where
            there are no classes.
        classes : ndarray of int, shape (n_rows,), or None
            The class of each row, from 0 on, each of which some row has. Guesses are logits then:
            of the second class where there are two, else one of each.
        rounds, leaf : int
            Most rounds, and fewest rows in a leaf.
        rng : Generator

        Returns
        -------
        guess : Guess
        guesses : ndarray of float64, shape (n_rows, n_outputs)
            Of each row, by trees that have not seen it.
        """
        n = len(targets)
        fold = rng.permutation(n) % FOLDS
        parts: dict[str, list[np.ndarray]] = {}
        n_nodes = n_trees = 0
        for part in range(FOLDS):
            seen = np.flatnonzero(fold != part)
            if len(seen) > MOST_ROWS:
                seen = np.sort(rng.permutation(seen)[:MOST_ROWS])
            lines = [
                scores_of(columns[block][seen].astype(np.int64), layout[block].size, targets[seen])
                for block in predictors.tolist()
                if layout[block].is_nominal
            ]
            joined = np.concatenate(lines) if lines else np.zeros(0, dtype=np.float32)
            inputs = inputs_of(layout, columns, predictors, joined, seen)
            wanted = targets[seen, 0] if classes is None else classes[seen]
            seed = int(rng.integers(2**31))
            fitted = _boosted(inputs, wanted, classes is not None, rounds, leaf, seed)
            trees, base = nodes_of(fitted)
            for nodes in trees:
                inner = ~nodes["is_leaf"].astype(bool)
                arrays = {
                    "roots": np.array([n_nodes]),
                    "feature": np.where(inner, nodes["feature_idx"], -1),
                    "threshold": np.where(inner, nodes["num_threshold"], 0.0),
                    "left": np.where(inner, nodes["left"] + n_nodes, 0),
                    "right": np.where(inner, nodes["right"] + n_nodes, 0),
                    "value": nodes["value"],
                }
                for name, array in arrays.items():
                    parts.setdefault(name, []).append(array)
                n_nodes += len(nodes)
            n_trees += len(trees)
            for name, array in (("scores", joined), ("base", base), ("ends", np.array(n_trees))):
                parts.setdefault(name, []).append(array[None])
        whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
        for name in ("roots", "feature", "left", "right"):
            whole[name] = whole[name].astype(np.int32)
        whole["value"] = whole["value"].astype(np.float32)
        guess = cls(predictors=predictors, **whole)
        return guess, guess.of(layout, columns, fold)

    def of(self, layout: Layout, columns: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return a guess of each row, float64 of shape (n_rows, n_outputs).

        Parameters
        ----------
        layout : Layout
        columns : ndarray of float32, shape (n_blocks, n_rows)
        fold : ndarray of int, shape (n_rows,)
            By the trees of which part each row is guessed.
        """
        n_outputs = self.base.shape[1]
        guesses: np.ndarray = self.base[fold]
        starts = [0, *self.ends.tolist()]
        for part, (start, stop) in enumerate(pairwise(starts)):
            rows = np.flatnonzero(fold == part)
            inputs = inputs_of(layout, columns, self.predictors, self.scores[part], rows)
            for tree in range(start, stop):
                guesses[rows, (tree - start) % n_outputs] += self.added(tree, inputs)
        return guesses

    def added(self, tree: int, inputs: np.ndarray) -> np.ndarray:
        """Return what one tree adds to the guess of each row."""
        found: np.ndarray = self.value[self.reached(tree, inputs)]
        return found


def shares(logits: np.ndarray) -> np.ndarray:
    """Return how likely each class is, float64 of shape (n_rows, n_classes).

    Parameters
    ----------
    logits : ndarray of float64, shape (n_rows, n_outputs)
        As `Guess` gives them.
    """
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: np.ndarray = likely / likely.sum(axis=1, keepdims=True)
    return result


def _boosted(
    inputs: np.ndarray, wanted: np.ndarray, classes: bool, rounds: int, leaf: int, seed: int
) -> Any:
    """Return boosted trees that guess `wanted`."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    counts = np.bincount(wanted) if classes else np.array([len(wanted)])
    # Rows are kept aside to see when to stop, of each class some; where that is not possible, few
    # rounds do.
    watched = len(wanted) >= 100 and counts.min() >= 10
    return kind(
        max_iter=rounds if watched else min(rounds, 30),
        learning_rate=RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=leaf,
        early_stopping=watched,
        n_iter_no_change=PATIENCE,
        random_state=seed,
    ).fit(inputs, wanted)


def nodes_of(fitted: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the nodes of each tree, round after round, and the guess before them.

    Parameters
    ----------
    fitted : HistGradientBoostingClassifier or HistGradientBoostingRegressor

    Notes
    -----
    scikit-learn has no public way to read them. Other libraries that take such models out of it
    read the same attributes, and a test compares what comes of them with its own predictions.
    """
    trees = [tree.nodes for one_round in fitted._predictors for tree in one_round]
    return trees, np.asarray(fitted._baseline_prediction, dtype=np.float64).ravel()

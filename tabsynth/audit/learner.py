"""Learner: a rule that tells runs that learnt a row from runs that did not."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from tabsynth.privacy.audit import many_run_epsilon

FOLDS = 5
PENALTY = 0.02
"""Weight of the data against that of small coefficients (C of the logistic regression)."""
STEPS = 200


@dataclass(frozen=True, eq=False)
class Rule:
    """A direction among features and where to cut it.

    Attributes
    ----------
    centre, weights : ndarray of float64, shape (n_features,)
    threshold : float
        Scores above it say that the row was learnt.
    """

    centre: np.ndarray
    weights: np.ndarray
    threshold: float = 0.0

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Return a score for each run, higher where the row was likelier learnt."""
        found: np.ndarray = np.round((features - self.centre) @ self.weights, 9)
        return found

    @classmethod
    def learn(
        cls, features: np.ndarray, inside: np.ndarray, rng: np.random.Generator, delta: float = 0.0
    ) -> Rule:
        """Learn a rule from runs; the cut is chosen where runs that were not learnt from lie.

        Parameters
        ----------
        features : ndarray of float64, shape (n_runs, n_features)
        inside : ndarray of bool, shape (n_runs,)
            Which runs learnt the row; some did and some did not.
        rng : Generator
            Deals the folds.
        delta : float
        """
        rule = cls._direction(features, inside)
        fold = np.empty(len(inside), dtype=np.int64)
        for side in (inside, ~inside):
            fold[side] = rng.permutation(int(side.sum())) % FOLDS
        held = np.zeros(len(inside))
        for number in range(FOLDS):
            out = fold == number
            if len(np.unique(inside[~out])) < 2:
                return rule
            held[out] = cls._direction(features[~out], inside[~out]).scores(features[out])
        return cls(rule.centre, rule.weights, _cut(held, inside, delta))

    @classmethod
    def _direction(cls, features: np.ndarray, inside: np.ndarray) -> Rule:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        centre, spread = features.mean(axis=0), features.std(axis=0)
        weights = np.zeros(features.shape[1])
        varies = spread > 1e-9
        if varies.any():
            scaled = (features - centre)[:, varies] / spread[varies]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted = LogisticRegression(C=PENALTY, max_iter=STEPS).fit(scaled, inside)
            weights[varies] = fitted.coef_[0] / spread[varies]
        return cls(centre, weights)


def _cut(scores: np.ndarray, inside: np.ndarray, delta: float) -> float:
    """Return the threshold that would refute the largest epsilon, or tell most runs apart."""
    levels = np.unique(scores)
    cuts = np.concatenate([[levels[0] - 1], (levels[:-1] + levels[1:]) / 2])
    found = np.array([int((scores[inside] > cut).sum()) for cut in cuts])
    wrong = np.array([int((scores[~inside] > cut).sum()) for cut in cuts])
    n_in, n_out = int(inside.sum()), int((~inside).sum())
    bounds = np.array(
        [
            many_run_epsilon(int(f), n_in, int(w), n_out, delta=delta)
            for f, w in zip(found, wrong, strict=True)
        ]
    )
    gains = found / n_in - wrong / n_out
    return float(cuts[np.lexsort((gains, bounds))[-1]])

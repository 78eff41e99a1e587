"""Gradient-boosted trees on analysis tables: the judge of fidelity and of utility."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tabsynth.evaluation.frame import Table

MOST_CATEGORIES = 255
"""What the learner takes; rarer categories are given to it as one."""

Predictor = Callable[[np.ndarray], np.ndarray]
"""What was learnt: inputs (n_rows, n_used) to probabilities (n_rows, n_classes), or to numbers
(n_rows,)."""


@dataclass(frozen=True)
class Design:
    """How tables become the input of a learner.

    Attributes
    ----------
    places : tuple of int
        Features used; those that never vary are left out.
    lookups : tuple of ndarray of float64, shape (n_levels + 1,)
        Input of each code; NaN for missing.
    nominal : tuple of bool
    """

    places: tuple[int, ...]
    lookups: tuple[np.ndarray, ...]
    nominal: tuple[bool, ...]

    @classmethod
    def of(cls, tables: Sequence[Table], without: Sequence[int] = ()) -> Design:
        """Return the design for tables over the same features, some of which are left out."""
        places, lookups, nominal = [], [], []
        for place, feature in enumerate(tables[0].features):
            counts = np.sum([table.counts(place) for table in tables], axis=0)
            if place in without or np.count_nonzero(counts) < 2:
                continue
            lookup = feature.numbers
            if feature.is_nominal and len(feature) > MOST_CATEGORIES:
                kept = np.argsort(-counts[:-1], kind="stable")[: MOST_CATEGORIES - 1]
                lookup = np.full(len(feature) + 1, float(MOST_CATEGORIES - 1))
                lookup[np.sort(kept)] = np.arange(len(kept))
                lookup[-1] = np.nan
            places.append(place)
            lookups.append(lookup)
            nominal.append(feature.is_nominal)
        return cls(tuple(places), tuple(lookups), tuple(nominal))

    def matrix(self, table: Table) -> np.ndarray:
        """Return the input, float64 of shape (n_rows, n_used)."""
        columns = [
            lookup[table.codes[:, place]]
            for place, lookup in zip(self.places, self.lookups, strict=True)
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))

    def settings(self, n_rows: int, seed: int, rounds: int) -> dict[str, Any]:
        """Return the parameters of the learner, the same for all tables of so many rows."""
        return {
            "max_iter": rounds,
            "min_samples_leaf": min(20, max(2, n_rows // 20)),
            "early_stopping": False,
            "categorical_features": list(self.nominal) if any(self.nominal) else None,
            "random_state": seed % 2**32,
        }


def classify(
    design: Design,
    inputs: np.ndarray,
    classes: np.ndarray,
    tests: np.ndarray,
    n_classes: int,
    seed: int,
    rounds: int = 100,
) -> np.ndarray:
    """Train a classifier and return its probabilities on `tests`.

    Parameters
    ----------
    design : Design
    inputs, tests : ndarray of float64, shape (n_rows, n_used)
    classes : ndarray of int, shape (n_rows,)
        In [0, n_classes); a class without rows gets probability 0.
    n_classes, seed, rounds : int

    Returns
    -------
    ndarray of float64, shape (n_tests, n_classes)
    """
    return boost(design, inputs, classes, n_classes, seed, rounds)(tests)


def regress(
    design: Design,
    inputs: np.ndarray,
    numbers: np.ndarray,
    tests: np.ndarray,
    seed: int,
    rounds: int = 100,
) -> np.ndarray:
    """Train a regressor and return its predictions on `tests`, float64 of shape (n_tests,)."""
    return boost(design, inputs, numbers, 0, seed, rounds)(tests)


def boost(
    design: Design,
    inputs: np.ndarray,
    answers: np.ndarray,
    n_classes: int,
    seed: int,
    rounds: int = 100,
    **more: Any,
) -> Predictor:
    """Train boosted trees.

    Parameters
    ----------
    design : Design
    inputs : ndarray of float64, shape (n_rows, n_used)
    answers : ndarray of int or float, shape (n_rows,)
        Classes in [0, n_classes), or numbers.
    n_classes : int
        0 where numbers are predicted.
    seed, rounds : int
    **more
        Further settings of the trees.

    Returns
    -------
    Predictor
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if not inputs.shape[1] or np.ptp(answers) == 0:
        return constant(answers, n_classes)
    kind = HistGradientBoostingClassifier if n_classes else HistGradientBoostingRegressor
    settings = design.settings(len(inputs), seed, rounds)
    if n_classes > 2:
        # Without it the leaves of rare classes grow without bound, and predictions are noise.
        settings["l2_regularization"] = 1.0
    trees = kind(**{**settings, **more})
    # Trees cannot bin a column without any value; they ask nothing about a constant one.
    empty = np.isnan(inputs).all(axis=0)
    with one_thread():
        trees.fit(np.where(empty, 0.0, inputs) if empty.any() else inputs, answers)
    return predictor(trees, n_classes)


def constant(answers: np.ndarray, n_classes: int) -> Predictor:
    """Return the predictor that knows the answers but no input: their shares, or their mean."""
    if not n_classes:
        return lambda inputs: np.full(len(inputs), answers.mean())
    shares = np.bincount(answers, minlength=n_classes) / len(answers)
    return lambda inputs: np.tile(shares, (len(inputs), 1))


def predictor(learner: Any, n_classes: int) -> Predictor:
    """Return what a fitted estimator of scikit-learn predicts.

    A class that it has never seen gets probability 0.
    """

    def predict(inputs: np.ndarray) -> np.ndarray:
        with one_thread():
            if not n_classes:
                numbers: np.ndarray = learner.predict(inputs)
                return numbers
            probabilities = np.zeros((len(inputs), n_classes))
            probabilities[:, learner.classes_] = learner.predict_proba(inputs)
            return probabilities

    return predict


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which learners run on one thread.

    Sums then have one order on every machine, and threads that wait for each other do not burn
    the time of a busy processor, which made training ten times slower.
    """
    limits: AbstractContextManager[Any] = _libraries().limit(limits=1)
    return limits


@cache
def _libraries() -> Any:
    """Return the control of the threads of the libraries that scikit-learn has loaded."""
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()

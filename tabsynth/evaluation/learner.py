"""Gradient-boosted trees on analysis tables: the judge of fidelity and of utility."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.evaluation.frame import Table

MOST_CATEGORIES = 255
"""What the learner takes; rarer categories are given to it as one."""


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
    from sklearn.ensemble import HistGradientBoostingClassifier

    found = np.unique(classes)
    probabilities = np.zeros((len(tests), n_classes))
    if len(found) == 1 or not inputs.shape[1]:
        probabilities[:] = np.bincount(classes, minlength=n_classes) / len(classes)
        return probabilities
    learner = HistGradientBoostingClassifier(**design.settings(len(inputs), seed, rounds))
    with _one_thread():
        learner.fit(inputs, classes)
        probabilities[:, found] = learner.predict_proba(tests)
    return probabilities


def regress(
    design: Design,
    inputs: np.ndarray,
    numbers: np.ndarray,
    tests: np.ndarray,
    seed: int,
    rounds: int = 100,
) -> np.ndarray:
    """Train a regressor and return its predictions on `tests`, float64 of shape (n_tests,)."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    if not inputs.shape[1] or np.ptp(numbers) == 0:
        return np.full(len(tests), numbers.mean())
    learner = HistGradientBoostingRegressor(**design.settings(len(inputs), seed, rounds))
    with _one_thread():
        learner.fit(inputs, numbers)
        predictions: np.ndarray = learner.predict(tests)
    return predictions


def _one_thread() -> AbstractContextManager[Any]:
    """Return a context in which trees grow on one thread.

    Sums then have one order on every machine, and threads that wait for each other do not burn
    the time of a busy processor, which made training ten times slower.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="openmp")
    return limits

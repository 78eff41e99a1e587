"""Plausibility: how readily a classifier takes a synthetic row for a real one, row by row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.evaluation.fidelity import FOLDS, ROUNDS
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.intervals import area
from tabsynth.evaluation.learner import Design, classify
from tabsynth.random import Streams
from tabsynth.schema.schema import Schema

MOST_ROWS = 20_000
"""Rows of each kind that a classifier is taught on at most."""


@dataclass(frozen=True, eq=False)
class Plausibility:
    """What classifiers think of synthetic rows that they were not taught on.

    Attributes
    ----------
    odds : ndarray of float64, shape (n_rows,)
        Probability of being synthetic, where half of all rows are.
    c2st : float
        Area under the ROC curve of all rows, out of fold; 0.5 is guessing.
    """

    odds: np.ndarray
    c2st: float


@dataclass(frozen=True)
class Rejected:
    """What was left out as least plausible.

    Attributes
    ----------
    rejected, drawn : int
        Rows left out, and rows drawn.
    c2st_before : float
        How well trees told all rows drawn from the training rows (area, out of fold).
    """

    rejected: int
    drawn: int
    c2st_before: float

    def in_words(self) -> str:
        """Return a clause about it.

        Examples
        --------
        >>> Rejected(111, 1111, 0.712).in_words()
        '111 of 1,111 rows drawn were left out as least plausible; the C2ST of all of them against \
the training rows was 0.712'
        """
        return (
            f"{self.rejected:,} of {self.drawn:,} rows drawn were left out as least plausible; the "
            f"C2ST of all of them against the training rows was {self.c2st_before:.3f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def plausibility(
    train: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, seed: int
) -> Plausibility:
    """Return how readily each synthetic row is taken for a real one.

    Both tables are cut in three at random. Boosted trees, those of the score `c2st`, are taught to
    tell two thirds of the synthetic rows from two thirds of the real ones, as many of each, and
    judge the rest.

    Parameters
    ----------
    train, synthetic : DataFrame
        Columns that are never compared (identifiers, personal data, free text) may be absent.
    schema : Schema
    seed : int

    Raises
    ------
    SchemaError
        If cells do not fit the schema.

    Privacy
    -------
    Reads private rows, exactly and without noise; what is chosen by it depends on them. Pass rows
    that the model learnt from, never the holdout, or nothing is left to judge the choice by. Under
    a privacy budget it must be refused.

    Examples
    --------
    >>> from tabsynth.schema import Column
    >>> train = pd.DataFrame({"age": [30, 40] * 30})
    >>> synthetic = pd.DataFrame({"age": [30, 40, 50] * 20})
    >>> found = plausibility(train, synthetic, Schema((Column("age", "number"),)), 7)
    >>> np.unique(synthetic["age"][found.odds > 0.6]).tolist()
    [50]
    """
    tables = analyse({"training table": train, "synthetic table": synthetic}, schema)
    real, made = tables["training table"], tables["synthetic table"]
    streams = Streams(seed).child("plausibility")
    design = Design.of([real, made])
    odds, areas = np.full(len(made), 0.5), []
    if not design.places:
        return Plausibility(odds, 0.5)
    inputs = [design.matrix(real), design.matrix(made)]
    orders = [
        streams.numpy(name).permutation(len(some))
        for name, some in (("real", real), ("synthetic", made))
    ]
    folds = [np.arange(len(order)) % FOLDS for order in orders]
    for fold in range(FOLDS):
        tested = [order[own == fold] for order, own in zip(orders, folds, strict=True)]
        taught = [order[own != fold] for order, own in zip(orders, folds, strict=True)]
        n = min(MOST_ROWS, *map(len, taught))
        learnt = np.concatenate([some[rows[:n]] for some, rows in zip(inputs, taught, strict=True)])
        classes = np.repeat([0, 1], n)
        tests = np.concatenate([some[rows] for some, rows in zip(inputs, tested, strict=True)])
        if not n or not len(tested[1]):
            continue
        seen = streams.integer(f"fold {fold}")
        found = classify(design, learnt, classes, tests, 2, seen, ROUNDS)[:, 1]
        odds[tested[1]] = found[len(tested[0]) :]
        if len(tested[0]):
            areas.append(area(found[len(tested[0]) :], found[: len(tested[0])])[0])
    return Plausibility(odds, float(np.mean(areas)) if areas else 0.5)

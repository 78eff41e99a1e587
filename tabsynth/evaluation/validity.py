"""Validity: cells inside known ranges, known categories, and keys that are keys."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tabsynth.columns.base import ColumnType, Profile, columns
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import MISSING, Table, analyse
from tabsynth.evaluation.intervals import clopper_pearson
from tabsynth.evaluation.result import Score
from tabsynth.schema.dtype import levels_of
from tabsynth.schema.schema import Column

UNSEEN = "The same for real rows that the model never saw, judged by the training rows alone."

Judge = Callable[[int, np.ndarray], np.ndarray]
"""Takes a place and counts of a feature's levels in real rows, and says which levels are fine."""


def kind_of(comparison: Comparison, name: str) -> ColumnType | None:
    """Return the type of a column, None where there is no schema."""
    if comparison.schema is None or name not in comparison.schema:
        return None
    column = comparison.schema[name]
    return columns.get(column.type)(column, comparison.schema.missing_of(column))


class _Cells(Measure):
    """Share of the cells of some columns that are fine, of all synthetic rows."""

    minimum_rows = 1
    nominal: bool

    @classmethod
    def _places(cls, comparison: Comparison) -> list[int]:
        return [
            place
            for place, feature in enumerate(comparison.features)
            if feature.is_nominal == cls.nominal
        ]

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return the measure if there is a column to check."""
        return [cls()] if cls._places(comparison) else []

    @abstractmethod
    def _judge(self, comparison: Comparison) -> Judge:
        """Return what says which cells are fine."""

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share, with the columns that have other cells in the details."""
        tables = comparison.complete
        real = [tables["train"], *([tables["holdout"]] if "holdout" in tables else [])]
        places = self._places(comparison)
        judge = self._judge(comparison)
        fine, checked, rows = _judged(judge, places, real, tables["synthetic"])
        if not checked.sum():
            problem = "All synthetic cells of the columns to check are missing."
            return [self.figures[0].absent(problem)]
        reference = baseline = None
        if "holdout" in tables:
            good, asked, _ = _judged(judge, places, real[:1], tables["holdout"])
            reference = float(good.sum() / asked.sum()) if asked.sum() else None
            good, asked, _ = _judged(judge, places, real, comparison.independent)
            baseline = float(good.sum() / asked.sum()) if asked.sum() else None
        shares = fine / np.maximum(checked, 1)
        worst = [int(row) for row in np.argsort(shares, kind="stable")[:10] if shares[row] < 1]
        whole = clopper_pearson(int(rows.sum()), len(rows))
        details = {
            "cells": int(checked.sum()),
            "cells_not_fine": int((checked - fine).sum()),
            "columns": len(places),
            "share_of_rows_fine": float(rows.mean()),
            "share_of_rows_fine_low": whole.low,
            "share_of_rows_fine_high": whole.high,
            "worst": {comparison.features[places[row]].name: float(shares[row]) for row in worst},
        }
        return [
            self.figures[0].score(
                fine.sum() / checked.sum(),
                reference=reference,
                reference_text=UNSEEN if reference is not None else "",
                baseline=baseline,
                details=details,
            )
        ]


def _judged(
    judge: Judge, places: Sequence[int], real: Sequence[Table], table: Table
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return fine and checked cells by column, and which rows are fine in all of them."""
    fine, checked = np.zeros((2, len(places)), dtype=np.int64)
    rows = np.ones(len(table), dtype=bool)
    for row, place in enumerate(places):
        known = np.sum([some.counts(place)[:-1] for some in real], axis=0)
        # A missing cell is neither; as an index it picks the last entry.
        good = np.append(judge(place, known), True)[table.codes[:, place]]
        present = table.codes[:, place] != MISSING
        fine[row], checked[row] = (good & present).sum(), present.sum()
        rows &= good
    return fine, checked, rows


@measures.register("in_range")
class InRange(_Cells):
    """Share of numbers and dates inside the known range."""

    order = 70
    nominal = False
    figures = (
        Figure(
            "in_range",
            "Numbers and dates inside the known range",
            "validity",
            "higher",
            1.0,
            "Share of synthetic numbers, dates and durations between the smallest and the "
            "largest value of all real rows, or the minimum and maximum that the schema declares. "
            "A value outside is not wrong by itself: a few fresh real ones lie outside too.",
            UNSEEN,
        ),
    )

    def _judge(self, comparison: Comparison) -> Judge:
        def inside(place: int, known: np.ndarray) -> np.ndarray:
            feature = comparison.features[place]
            seen = known > 0
            low, high = _declared(comparison, feature.name)
            above = np.maximum.accumulate(seen) if low is None else feature.levels >= low
            below = (
                np.maximum.accumulate(seen[::-1])[::-1]
                if high is None
                else (feature.levels <= high)
            )
            within: np.ndarray = above & below
            return within

        return inside


def _declared(comparison: Comparison, name: str) -> tuple[Any, Any]:
    """Return the declared minimum and maximum of a column, None where learnt or not given."""
    kind = kind_of(comparison, name)
    limits = getattr(kind, "limits", None)
    if kind is None or limits is None:
        return None, None
    low, high = limits()
    learned = kind.column.learned
    return None if "minimum" in learned else low, None if "maximum" in learned else high


@measures.register("known_categories")
class KnownCategories(_Cells):
    """Share of labels that occur in real rows or are declared."""

    order = 71
    nominal = True
    figures = (
        Figure(
            "known_categories",
            "Known categories",
            "validity",
            "higher",
            1.0,
            "Share of synthetic labels (categories, truth values, constants) that occur in the "
            "real rows or are declared as levels of the column; others were made up. Of fresh "
            "real rows a few rare labels are new too.",
            UNSEEN,
        ),
    )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return the measure if there is a column of labels, or a constant one."""
        return [cls()] if cls._places(comparison) or _constants(comparison) else []

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share, constant columns included."""
        return super().measure(_with_constants(comparison))

    def _judge(self, comparison: Comparison) -> Judge:
        def occurs(place: int, known: np.ndarray) -> np.ndarray:
            feature = comparison.features[place]
            declared = _levels(comparison, feature.name)
            listed = np.array([level in declared for level in feature.levels], dtype=bool)
            good: np.ndarray = (known > 0) | listed
            return good

        return occurs


def _levels(comparison: Comparison, name: str) -> set[str]:
    """Return the labels that a column is declared to have, as texts."""
    kind = kind_of(comparison, name)
    if kind is None:
        return set()
    if kind.name == "boolean":
        return {"False", "True"}
    return {
        str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)
        for level in levels_of(kind.column.dtype) or ()
    }


def _constants(comparison: Comparison) -> list[Column]:
    """Return the columns that hold one value in every real row; they are not compared."""
    if comparison.schema is None or not comparison.frames:
        return []
    return [
        column
        for column in comparison.schema
        if column.type == "constant" and all(column.name in f for f in comparison.frames.values())
    ]


def _with_constants(comparison: Comparison) -> Comparison:
    """Return the comparison of all labels with constant columns among them."""
    constants = _constants(comparison)
    schema = comparison.schema
    if not constants or schema is None:
        return comparison
    labels = [
        *(schema[f.name] for f in comparison.features if f.is_nominal),
        *(replace(column, type="category", parameters={}) for column in constants),
    ]
    tables = analyse(comparison.frames, replace(schema, columns=tuple(labels), primary_key=None))
    return replace(
        comparison,
        train=tables["train"],
        synthetic=tables["synthetic"],
        holdout=tables.get("holdout"),
        complete=tables,
    )


@measures.register("unique_keys")
class UniqueKeys(Measure):
    """Share of keys that occur once."""

    order = 72
    minimum_rows = 1
    figures = (
        Figure(
            "unique_keys",
            "Keys that are unique",
            "validity",
            "higher",
            1.0,
            "Share of synthetic keys that no other row has, in columns whose keys are unique in "
            "the real table; a primary key that is missing counts as wrong.",
            "The same for real rows that the model never saw.",
        ),
    )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return the measure if there are keys in the synthetic table."""
        return [cls()] if _keys(comparison) else []

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share over all key columns, each in the details."""
        keys = _keys(comparison)
        fine, cells = np.array([_unique(comparison, key, "synthetic") for key in keys]).T
        if not cells.sum():
            return [self.figures[0].absent("All synthetic keys are missing.")]
        reference = None
        if "holdout" in comparison.frames:
            held = [key for key in keys if key.name in comparison.frames["holdout"]]
            good, asked = np.array(
                [(0, 0), *(_unique(comparison, key, "holdout") for key in held)]
            ).sum(axis=0)
            reference = float(good / asked) if asked else None
        interval = clopper_pearson(int(fine[0]), int(cells[0])) if len(keys) == 1 else None
        return [
            self.figures[0].score(
                fine.sum() / cells.sum(),
                interval=interval,
                reference=reference,
                reference_text=self.figures[0].reference_text if reference is not None else "",
                details={
                    "keys": int(cells.sum()),
                    "columns": {
                        key.name: float(some / of) if of else None
                        for key, some, of in zip(keys, fine, cells, strict=True)
                    },
                },
            )
        ]


def _keys(comparison: Comparison) -> list[Column]:
    """Return the columns of the synthetic table that hold unique keys."""
    schema = comparison.schema
    if schema is None or "synthetic" not in comparison.frames:
        return []
    return [
        column
        for column in schema
        if column.name in comparison.frames["synthetic"]
        and (
            column.name == schema.primary_key
            or (column.type == "identifier" and bool(column.get("unique", True)))
        )
    ]


def _unique(comparison: Comparison, column: Column, table: str) -> tuple[int, int]:
    """Return how many keys occur once, and how many there are."""
    schema = comparison.schema
    assert schema is not None
    series = comparison.frames[table][column.name]
    counts = Profile(column.name, series, schema.missing_of(column)).counts
    n = len(series) if column.name == schema.primary_key else counts.sum()
    return int((counts == 1).sum()), int(n)

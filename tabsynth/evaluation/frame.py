"""Tables of any origin in one exact form, so that every measure works on small integers.

A column that is compared becomes a `Feature`: the sorted distinct values (*levels*) that occur in
any of the tables. A table becomes a matrix of level indices. Ranks, bins and distances are then
look-ups by level, and equal rows are rows of equal indices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from tabsynth.columns.base import ColumnType, Values, columns
from tabsynth.errors import SchemaError
from tabsynth.schema.schema import Schema

MISSING = -1
"""Code of a missing cell. As an index it picks the last entry, which look-ups keep for it."""


@dataclass(frozen=True, eq=False)
class Feature:
    """One compared column: what its codes stand for.

    Attributes
    ----------
    name : str
    measure : {"continuous", "nominal"}
    levels : ndarray, shape (n_levels,)
        Distinct values of all tables, ascending: int64, uint64 or float64 of continuous columns,
        texts (object) of nominal ones.
    """

    name: str
    measure: Literal["continuous", "nominal"]
    levels: np.ndarray

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def is_nominal(self) -> bool:
        """Whether levels have no order."""
        return self.measure == "nominal"

    @cached_property
    def numbers(self) -> np.ndarray:
        """Number of each code, float64 of shape (n_levels + 1,); NaN, the last, is for missing."""
        numbers = np.arange(len(self)) if self.is_nominal else self.levels
        return np.append(numbers.astype(np.float64), np.nan)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one table.

    Attributes
    ----------
    features : tuple of Feature
        The same for all tables that are compared.
    codes : ndarray of int32, shape (n_rows, n_features)
        Index of the level of each cell, -1 where missing.
    """

    features: tuple[Feature, ...]
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray | slice) -> Table:
        """Return the table of some rows."""
        return Table(self.features, self.codes[rows])

    def first(self, n: int) -> Table:
        """Return the table of the first `n` rows."""
        return self if n >= len(self) else self.take(slice(n))

    def pick(self, places: np.ndarray) -> Table:
        """Return the table of some columns, in this order."""
        return Table(tuple(self.features[place] for place in places), self.codes[:, places])

    def by_content(self) -> np.ndarray:
        """Return the places of the columns in an order that their names decide on in ties alone.

        Those with more different values come first, then those whose values are rarer.
        """
        counts = [np.sort(self.counts(place)) for place in range(len(self.features))]
        keys = [(-np.count_nonzero(some), some[some > 0].tolist()) for some in counts]
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)

    def counts(self, place: int) -> np.ndarray:
        """Return how often each level of a feature occurs, missing last: (n_levels + 1,)."""
        codes, n = self.codes[:, place], len(self.features[place])
        return np.bincount(np.where(codes == MISSING, n, codes), minlength=n + 1)

    @cached_property
    def ids(self) -> np.ndarray:
        """A 64-bit hash of each row, uint64; rows are equal where it is equal.

        Two different rows of a million share one with a probability below 1e-7.
        """
        ids = np.zeros(len(self), dtype=np.uint64)
        for place in range(self.codes.shape[1]):
            ids = _mix(ids + (self.codes[:, place].astype(np.int64) + 2).view(np.uint64))
        return ids

    def ordered(self) -> Table:
        """Return the rows in an order that does not depend on the one they came in."""
        return self.take(np.argsort(self.ids, kind="stable"))

    def shuffled(self, rng: np.random.Generator) -> Table:
        """Return the table with every column shuffled by itself: independent columns."""
        return Table(self.features, rng.permuted(self.codes, axis=0))


def _mix(values: np.ndarray) -> np.ndarray:
    """Return well-mixed 64-bit words (the finaliser of SplitMix64)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed


def analyse(frames: Mapping[str, pd.DataFrame], schema: Schema) -> dict[str, Table]:
    """Turn data frames into tables over the same features.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        By what messages call them ("training table"); each has every compared column.
    schema : Schema

    Returns
    -------
    dict of str to Table

    Raises
    ------
    SchemaError
        If cells do not fit the schema: all problems of all tables, never the cells.
    """
    problems: list[str] = []
    features: list[Feature] = []
    codes: dict[str, list[np.ndarray]] = {name: [] for name in frames}
    for name, kind in compared(schema).items():
        values = {}
        for table, frame in frames.items():
            try:
                values[table] = _parse(kind, frame[name])
            except SchemaError as error:
                problems += [f"In the {table}: {problem}" for problem in error.problems]
        if len(values) < len(frames):
            continue
        feature, found = _align(name, kind.measure, values)
        features.append(feature)
        for table in frames:
            codes[table].append(found[table])
    if problems:
        raise SchemaError(problems)
    return {
        table: Table(
            tuple(features),
            np.stack(codes[table], axis=1)
            if features
            else np.zeros((len(frame), 0), dtype=np.int32),
        )
        for table, frame in frames.items()
    }


def compared(schema: Schema) -> dict[str, ColumnType]:
    """Return the column types of the columns that can be compared, in order of their names."""
    kinds = {
        column.name: columns.get(column.type)(column, schema.missing_of(column))
        for column in sorted(schema, key=lambda column: column.name)
    }
    return {name: kind for name, kind in kinds.items() if kind.measure != "none"}


def _parse(kind: ColumnType, series: pd.Series) -> Values:
    if len(series):
        return kind.parse(series)
    labels = () if kind.measure == "nominal" else None
    return Values(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool), labels)


def _align(
    name: str, measure: Any, values: Mapping[str, Values]
) -> tuple[Feature, dict[str, np.ndarray]]:
    """Return the feature of a column and the codes of every table."""
    present = {table: ~column.missing for table, column in values.items()}
    if measure == "nominal":
        texts = {table: _texts(column) for table, column in values.items()}
        used = {
            table: texts[table][np.unique(column.data[present[table]])]
            for table, column in values.items()
        }
        levels = np.array(sorted({text for some in used.values() for text in some}), dtype=object)
        place = {text: index for index, text in enumerate(levels)}
        found = {}
        for table, column in values.items():
            lookup = np.array([place.get(text, MISSING) for text in texts[table]], dtype=np.int32)
            found[table] = _fill(present[table], lookup[column.data[present[table]]])
        return Feature(name, "nominal", levels), found
    for table, column in values.items():
        if column.data.dtype.kind == "f":
            present[table] = present[table] & ~np.isnan(column.data)
    everything = _join([column.data[present[table]] for table, column in values.items()])
    levels, where = np.unique(everything, return_inverse=True)
    found, start = {}, 0
    for table in values:
        end = start + int(present[table].sum())
        found[table] = _fill(present[table], where[start:end])
        start = end
    return Feature(name, "continuous", levels), found


def _join(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return arrays end to end; empty ones do not turn whole numbers into real ones."""
    return np.concatenate([part for part in parts if len(part)] or [np.zeros(0)])


def _fill(present: np.ndarray, codes: np.ndarray) -> np.ndarray:
    filled = np.full(len(present), MISSING, dtype=np.int32)
    filled[present] = codes
    return filled


def _texts(values: Values) -> np.ndarray:
    """Return labels as texts, alike for tables that hold numbers and tables that hold text."""
    texts = [
        str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
        for label in values.labels or ()
    ]
    return np.array(texts, dtype=object)

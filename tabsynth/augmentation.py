"""Real rows with synthetic ones appended: more of them, or more of those that are few."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tabsynth.codec import TableCodec, types_of
from tabsynth.columns import ColumnType, UnlearntCodec, Values
from tabsynth.errors import ConfigError
from tabsynth.random import Streams
from tabsynth.stored import check_table, in_zone, stored_as

MOST_VALUES = 100
"""Most values of a column whose rows are balanced."""

CLASSES = ("category", "boolean")
"""Types of columns whose values are classes."""

REAL_ROWS = "The result holds real rows: it is not de-identified. Treat it like the source."
"""What goes with every table that has real rows in it."""


def check_augmentation(table: pd.DataFrame, codec: TableCodec, mark: str | None) -> None:
    """Check that rows can be appended to a table, and that the column that marks them is new.

    Raises
    ------
    DataError
        If columns are not known, or named more than once.
    ConfigError
        If the name of the mark is taken, or is none.
    """
    check_table(table, types_of(codec.schema))
    if mark is None:
        return
    if not isinstance(mark, str) or not mark.strip():
        raise ConfigError("mark must be the name of a new column, such as 'is_synthetic'.")
    if mark in table.columns or mark in codec.schema:
        raise ConfigError(f"mark: there is a column {mark!r} already. Give another name.")


def wanted_classes(
    table: pd.DataFrame, column: str, ratio: float, codec: TableCodec
) -> pd.DataFrame:
    """Return what the rows must hold that balance a column: a data frame of that column.

    Parameters
    ----------
    table : DataFrame
    column : str
    ratio : float
        Rows that each value shall have, as a share of those of the most common one.
    codec : TableCodec

    Raises
    ------
    ConfigError
        If there is no such column, it has no classes or too many, or rows of some cannot be made.
    """
    types = types_of(codec.schema)
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 < ratio <= 1:
        raise ConfigError(f"ratio must be a number above 0 and at most 1. Got {ratio!r}.")
    if column not in types or column not in table.columns:
        able = [n for n in table.columns if n in types and types[n].name in CLASSES]
        raise ConfigError(
            f"There is no column {column!r}. Columns that can be balanced: {', '.join(able)}."
        )
    type_ = types[column]
    if type_.name not in CLASSES:
        raise ConfigError(
            f"Column {column!r} ({type_.name}) has no classes to balance. Name a column of the "
            f"type {' or '.join(CLASSES)}."
        )
    values = type_.parse(in_zone(table[column], type_.column.dtype))
    counts = np.bincount(values.data[~values.missing], minlength=len(values.labels or ()))
    held = np.flatnonzero(counts)
    if not len(held):
        raise ConfigError(f"Column {column!r} holds no value, so there is nothing to balance.")
    if len(held) > MOST_VALUES:
        raise ConfigError(
            f"Column {column!r} has {len(held):,} values; at most {MOST_VALUES} can be balanced. "
            "Name a column with fewer, or put values together."
        )
    goal = math.ceil(round(ratio * int(counts.max()), 9))
    few = held[counts[held] < goal]
    # The rarest last, as people write tables of counts.
    few = few[np.argsort(-counts[few], kind="stable")]
    codes = np.repeat(few, goal - counts[few])
    unable = ~codec.codecs[column].accepts(Values(few, np.zeros(len(few), bool), values.labels))
    if unable.any():
        raise ConfigError(
            f"Column {column!r} ({type_.name}): the model cannot make {int(unable.sum()):,} of the "
            f"{len(held):,} values, as too few rows held them when it was learnt. Take their rows "
            "out, or learn again with a lower minimum_count."
        )
    wanted = type_.render(Values(codes, np.zeros(len(codes), bool), values.labels))
    return pd.DataFrame({column: wanted})


def append_rows(
    table: pd.DataFrame, made: pd.DataFrame, codec: TableCodec, mark: str | None, streams: Streams
) -> pd.DataFrame:
    """Return the rows of a table, and after them rows made, in the columns and dtypes of the table.

    Keys that are unique are made anew where they would be those of real rows. Columns that are
    left out of rows made are missing there.

    Raises
    ------
    DataError
        If a column of the table cannot hold what was made.
    SampleError
        If there are not enough keys.
    """
    types = types_of(codec.schema)
    columns: dict[str, pd.Series] = {}
    for name in table.columns:
        real, type_ = table[name], types[name]
        if name in made:
            values = type_.parse(in_zone(made[name], type_.column.dtype))
        else:
            n = len(made)
            values = Values(np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool), ())
        if type_.name == "identifier" and type_.column.get("unique", True):
            values = _fresh(values, real, type_, codec, streams)
        columns[name] = _joined(real, values, type_)
    result = pd.DataFrame(columns, index=pd.RangeIndex(len(table) + len(made)))
    result.columns = table.columns
    if mark is not None:
        result[mark] = np.arange(len(result)) >= len(table)
    return result


def _joined(real: pd.Series, values: Values, type_: ColumnType) -> pd.Series:
    """Return a column with values after it."""
    if isinstance(real.dtype, pd.CategoricalDtype) and type_.measure == "none":
        # The levels of keys and personal data are their values, so new ones come to them.
        made = type_.render(values)
        if isinstance(made.dtype, pd.CategoricalDtype):
            both = [real.cat.as_unordered(), made.cat.as_unordered()]
            return pd.Series(pd.api.types.union_categoricals(both))
    made = stored_as(values, type_, real)
    joined: pd.Series = pd.concat([real, made], ignore_index=True)
    return joined


def _fresh(
    values: Values, real: pd.Series, type_: ColumnType, codec: TableCodec, streams: Streams
) -> Values:
    """Return keys that no real row has; `values` where none has one of them."""
    own = codec.codecs[type_.column.name]
    theirs = type_.parse(real)
    taken = _keys(theirs)[~theirs.missing]
    present = ~values.missing
    if not isinstance(own, UnlearntCodec) or not np.isin(_keys(values)[present], taken).any():
        return values
    n = int(present.sum())
    made = own.make(n + len(set(taken)), streams.numpy(f"keys {type_.column.name}"))
    free = np.flatnonzero(~np.isin(_keys(made), taken))[:n]
    source = np.zeros(len(values), dtype=np.int64)
    source[present] = free
    fresh = made.take(source)
    return Values(fresh.data, values.missing, fresh.labels)


def _keys(values: Values) -> np.ndarray:
    """Return keys as texts, ndarray of str."""
    if values.labels is None:
        return values.data.astype("U")
    texts: np.ndarray = np.array([*map(str, values.labels), ""])[values.data]
    return texts

"""What a data frame must be before anything can be said about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabsynth.errors import DataError, SchemaError
from tabsynth.schema.labels import CELL_TYPES

MINIMUM_ROWS = 10
"""Fewest rows that anything can be learnt from."""

_MISSING_TYPES = (type(None), type(pd.NA), type(pd.NaT))


def check_frame(frame: pd.DataFrame) -> None:
    """Check that a table can be used at all: see `infer_schema` for what is refused.

    Raises
    ------
    DataError, SchemaError
        With all problems of one kind at once.
    """
    check_header(frame)
    if not len(frame):
        raise DataError(f"The table has no rows; at least {MINIMUM_ROWS} are needed to learn from.")
    problems = [problem for name in frame for problem in _foreign_cells(str(name), frame[name])]
    if problems:
        raise DataError("\n".join(problems))


def check_header(frame: pd.DataFrame) -> None:
    """Check what can be known of a table without its rows: that columns have names of their own.

    Raises
    ------
    DataError, SchemaError
        With all problems of one kind at once.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"A table must be a pandas DataFrame. Got {type(frame).__name__}.")
    if not frame.shape[1]:
        raise DataError("The table has no columns.")
    numbered = [
        f"Column {place} of the table is named by {_kind_words(name)}; rename columns to text."
        for place, name in enumerate(frame.columns, 1)
        if not isinstance(name, str)
    ]
    if numbered:
        raise SchemaError(numbered)
    twice = frame.columns[frame.columns.duplicated()].unique().tolist()
    if twice:
        listed = ", ".join(map(repr, twice))
        raise DataError(f"Columns named more than once: {listed}. Give every column its own name.")


def _kind_words(name: Any) -> str:
    if isinstance(name, tuple):
        return "several levels"
    number = isinstance(name, (int, float, np.number)) and not isinstance(name, bool)
    return "a number" if number else f"a value of type {type(name).__name__}"


def _foreign_cells(name: str, series: pd.Series) -> list[str]:
    """Return a sentence where cells hold something that is no single value."""
    dtype: Any = series.dtype
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa

        if not pa.types.is_nested(dtype.pyarrow_dtype):
            return []
        kinds, row = [str(dtype.pyarrow_dtype)], 1
    elif dtype.kind == "O" and isinstance(dtype, np.dtype):
        types = series.map(type)
        foreign = [
            kind for kind in types.unique() if not issubclass(kind, (*CELL_TYPES, *_MISSING_TYPES))
        ]
        if not foreign:
            return []
        row = int(np.flatnonzero(types.isin(foreign))[0]) + 1
        kinds = [kind.__name__ for kind in foreign]
    else:
        return []
    return [
        f"Column {name!r} has cells that hold no single value ({', '.join(kinds)}; first in row "
        f"{row}). Spread them over columns or turn them into text."
    ]

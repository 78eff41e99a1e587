"""Columns as text, for formats that are text; vectorised through Arrow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tabsynth.errors import DataError

TEXT = pa.large_string()
_FRACTION_OF_ZERO = r"\.0+$"


def join(*parts: Any) -> pa.Array:
    """Return texts put together row by row; parts are arrays of type `TEXT` or single texts."""
    scalars = [pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*scalars, pa.scalar("", TEXT))


def text_cells(
    series: pd.Series, path: str, *, separator: str = " ", booleans: tuple[str, str]
) -> tuple[pa.Array, bool]:
    """Return a column as texts.

    Parameters
    ----------
    series : Series
    path : str
        The file to name in messages.
    separator : str
        What stands between date and time.
    booleans : tuple of str
        The words for true and false, in this order.

    Returns
    -------
    cells : large_string array, shape (n_rows,)
        Null where missing. Floats as `repr` gives them, dates and times in ISO 8601, with a
        fraction of a second only where there is one.
    is_text : bool
        False for numbers and booleans, true for everything else.

    Raises
    ------
    DataError
        If the column holds lists, mappings, bytes or a mixture of types.

    Examples
    --------
    >>> cells, is_text = text_cells(pd.Series([1.0, None]), "t.csv", booleans=("true", "false"))
    >>> cells.to_pylist(), is_text
    (['1.0', None], False)
    """
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels, is_text = text_cells(
            dtype.categories.to_series(name=series.name),
            path,
            separator=separator,
            booleans=booleans,
        )
        codes = series.cat.codes.to_numpy()
        return levels.take(pa.array(codes, mask=codes < 0)), is_text
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _zoned(series, separator), True
    if dtype.kind == "m" or isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        return pa.array(series.astype("str"), TEXT, from_pandas=True), True
    if pd.api.types.is_object_dtype(dtype):
        return _object_cells(series, path, separator, booleans)
    if dtype.kind == "c":
        raise _unwritable(series, path, "complex numbers")
    array = pa.array(series.array, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return _arrow_cells(array, series, path, separator, booleans)


def _arrow_cells(
    array: pa.Array, series: pd.Series, path: str, separator: str, booleans: tuple[str, str]
) -> tuple[pa.Array, bool]:
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return array.cast(TEXT), True
    if pa.types.is_boolean(kind):
        return pc.if_else(array, *(pa.scalar(word, TEXT) for word in booleans)), False
    if pa.types.is_floating(kind):
        return _float_cells(array), False
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return array.cast(TEXT), False
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            return _zoned(series.astype(pd.DatetimeTZDtype(kind.unit, kind.tz)), separator), True
        return _stamps(array, separator), True
    if pa.types.is_date(kind):
        return array.cast(TEXT), True
    if pa.types.is_time(kind):
        return pc.replace_substring_regex(array.cast(TEXT), _FRACTION_OF_ZERO, ""), True
    if pa.types.is_duration(kind):
        return text_cells(
            series.astype(np.dtype(f"m8[{kind.unit}]")),
            path,
            separator=separator,
            booleans=booleans,
        )
    raise _unwritable(series, path, "bytes" if "binary" in str(kind) else "nested values")


def _float_cells(array: pa.Array) -> pa.Array:
    """Return floats as `repr` writes them; NaN is null."""
    array = pc.if_else(pc.is_nan(array), None, array)
    text = array.cast(TEXT)
    # Arrow writes the same digits as repr, but 1 for 1.0, 0.00001 for 1e-05, 1e+15 for 1 and zeros.
    text = pc.replace_substring_regex(text, r"^(-?\d+)$", r"\1.0")
    other = pc.match_substring_regex(text, r"e|^-?0\.0000")
    if pa.types.is_float16(array.type):
        other = pc.is_valid(array)
    if pc.any(other).as_py():
        values = array.filter(other).to_numpy(zero_copy_only=False)
        written = pa.array(values.astype(np.str_), TEXT)
        text = pc.replace_with_mask(text, pc.fill_null(other, False), written)
    return text


def _stamps(array: pa.Array, separator: str) -> pa.Array:
    text = pc.replace_substring_regex(array.cast(TEXT), _FRACTION_OF_ZERO, "")
    if separator == " ":
        return text
    return pc.replace_substring(text, " ", separator)


def _zoned(series: pd.Series, separator: str) -> pa.Array:
    """Return local times with their offset from UTC ("+01:00"), without a time zone database."""
    local = series.dt.tz_localize(None)
    shift = (local - series.dt.tz_convert("UTC").dt.tz_localize(None)).dt.total_seconds()
    minutes, places = np.unique(shift.fillna(0.0).to_numpy() // 60, return_inverse=True)
    offsets = pa.array(
        [f"{'-' if m < 0 else '+'}{abs(int(m)) // 60:02d}:{abs(int(m)) % 60:02d}" for m in minutes],
        TEXT,
    )
    stamps = _stamps(pa.array(local.array, from_pandas=True), separator)
    return join(stamps, offsets.take(pa.array(places)))


# What pandas calls the contents of an object column -> how one value is written, and if as text.
_WRITERS: dict[str, tuple[Callable[[Any], str], bool]] = {
    "string": (str, True),
    "empty": (str, True),
    "integer": (str, False),
    "decimal": (str, False),
    "date": (date.isoformat, True),
    "time": (time.isoformat, True),
    "timedelta": (lambda value: str(pd.Timedelta(value)), True),
    "period": (str, True),
    "interval": (str, True),
}


def _object_cells(
    series: pd.Series, path: str, separator: str, booleans: tuple[str, str]
) -> tuple[pa.Array, bool]:
    """Return the cells of a column of Python objects of one kind."""
    kind = pd.api.types.infer_dtype(series, skipna=True)
    missing = series.isna().to_numpy()
    if kind in ("boolean", "floating", "mixed-integer-float"):
        values = series.astype("boolean" if kind == "boolean" else "float64")
        return text_cells(values, path, separator=separator, booleans=booleans)
    if kind == "datetime":
        write: Callable[[Any], str] = lambda value: datetime.isoformat(value, separator)  # noqa: E731
        is_text = True
    elif kind in _WRITERS:
        write, is_text = _WRITERS[kind]
    else:
        raise _unwritable(series, path, _contents(series, kind))
    cells = np.full(len(series), None, dtype=object)
    cells[~missing] = list(map(write, series[~missing]))
    return pa.array(cells, TEXT), is_text


def _contents(series: pd.Series, kind: str) -> str:
    if kind == "bytes":
        return "bytes"
    types = set(map(type, series.dropna()))
    if any(issubclass(one, (list, tuple, dict, set, np.ndarray)) for one in types):
        return "nested values"
    return f"values of several types ({', '.join(sorted(one.__name__ for one in types))})"


def _unwritable(series: pd.Series, path: str, contents: str) -> DataError:
    return DataError(
        f"Cannot write {path}: column {series.name!r} holds {contents}, which a cell of text "
        "cannot. Turn the column into text or numbers, or leave it out."
    )

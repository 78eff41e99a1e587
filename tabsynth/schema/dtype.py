"""How a column is stored: a spec that fits in a schema file, and the exact dtype back from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.errors import SampleError, SchemaError
from tabsynth.schema.arrays import TEXT, Spec, array_of, dtype_of, objects_of
from tabsynth.schema.labels import label_to_json

_ARROW_TEXT = {"string", "large_string"}
_CELLS = {"string": "str", "empty": "mixed", "integer": "int", "floating": "float"}
_MISSING_NAMES = {"float": "NaN", "NAType": "NA", "NaTType": "NaT"}


def describe(series: pd.Series) -> str | dict[str, Any]:
    """Return how a column is stored, as JSON.

    Parameters
    ----------
    series : Series

    Returns
    -------
    str or dict
        See `Spec`. The levels of a `category` dtype are part of its spec, used or not: they are
        taken as declared by whoever made the table.

    Raises
    ------
    SchemaError
        If columns of this dtype cannot be kept.

    Examples
    --------
    >>> describe(pd.Series([1, 2])), describe(pd.Series(["a"], dtype="category"))
    ('int64', {'category': 'str', 'ordered': False, 'levels': ['a']})
    """
    try:
        return _describe(series)
    except (TypeError, ValueError, NotImplementedError):
        raise SchemaError(
            f"Column {str(series.name)!r}: columns stored as {series.dtype} cannot be kept. "
            "Convert it first, for example to text, numbers or timestamps."
        ) from None


def is_text(spec: Spec | None) -> bool:
    """Return whether a column of this spec holds texts.

    Examples
    --------
    >>> is_text("str"), is_text({"arrow": "large_string"}), is_text("int64")
    (True, True, False)
    """
    if spec is None or isinstance(spec, str):
        return spec in TEXT
    return spec.get("object") == "str" or spec.get("arrow") in _ARROW_TEXT


def restore(
    data: np.ndarray | Sequence[Any],
    missing: np.ndarray | Sequence[bool],
    spec: Spec | None,
    name: str,
    *,
    missing_as: str | None = None,
) -> pd.Series:
    """Return a column of exactly the dtype that `spec` describes.

    Parameters
    ----------
    data : ndarray or sequence, shape (n_rows,)
        Values of the column; anything under a missing cell. Dates and durations are `datetime64`
        or `timedelta64` of any unit, Python objects, or integer ticks of the dtype's own unit;
        with a time zone, `datetime64` and ticks are wall-clock time in that zone.
    missing : ndarray of bool, shape (n_rows,)
    spec : str or mapping or None
        What `describe` returned. Without one, pandas chooses.
    name : str
        Name of the column.
    missing_as : str, optional
        Text written into the missing cells of a column of texts.

    Raises
    ------
    SampleError
        If the dtype cannot hold the values, or cannot hold missing cells and there are some.

    Examples
    --------
    >>> restore([1, 2], [False, True], "Int64", "n").dtype
    Int64Dtype()
    """
    gaps = np.asarray(missing, dtype=bool)
    if missing_as is not None and gaps.any() and is_text(spec):
        data = objects_of(data)
        data[gaps] = missing_as
        gaps = np.zeros(len(gaps), dtype=bool)
    try:
        array = array_of(data, gaps, spec)
    except SampleError as error:
        raise SampleError(f"Column {name!r}: {error}") from None
    except (TypeError, ValueError, OverflowError, ArithmeticError, NotImplementedError):
        raise SampleError(
            f"Column {name!r}: its values do not fit in a column stored as {_words(spec)}."
        ) from None
    series: pd.Series = pd.Series(array, dtype=array.dtype, name=name)
    return series


def levels_of(spec: Spec | None) -> list[Any] | None:
    """Return the levels of a `category` dtype in their order, None for other dtypes.

    Examples
    --------
    >>> levels_of({"category": "int64", "ordered": True, "levels": [3, 1]})
    [3, 1]
    """
    if not isinstance(spec, Mapping) or "category" not in spec:
        return None
    return list(restore([], [], spec, "").cat.categories.tolist())


def _words(spec: Spec | None) -> str:
    """Return the spec without levels, for messages."""
    if isinstance(spec, Mapping):
        return " of ".join(str(part) for part in next(iter(spec.items())))
    return str(spec)


def _describe(series: pd.Series) -> str | dict[str, Any]:
    dtype: Any = series.dtype
    spec: str | dict[str, Any]
    if isinstance(dtype, pd.CategoricalDtype):
        return _describe_categories(dtype)
    if isinstance(dtype, pd.StringDtype):
        name = "str" if dtype.na_value is np.nan else "string"
        usual = name == "str" and dtype.storage == "pyarrow"
        spec = name if usual else f"{name}[{dtype.storage}]"
    elif isinstance(dtype, pd.ArrowDtype):
        spec = {"arrow": str(dtype.pyarrow_dtype)}
    elif dtype.kind == "O" and isinstance(dtype, np.dtype):
        return _describe_objects(series)
    elif isinstance(dtype, (pd.PeriodDtype, pd.SparseDtype, pd.IntervalDtype)) or (
        isinstance(dtype, np.dtype) and dtype.kind not in "iufbmM"
    ):
        raise TypeError
    else:
        spec = str(dtype)
    if dtype_of(spec) != dtype:
        raise TypeError
    return spec


def _describe_categories(dtype: pd.CategoricalDtype) -> dict[str, Any]:
    levels: Any = dtype.categories
    inner: str | dict[str, Any]
    if isinstance(levels.dtype, pd.IntervalDtype):
        inner = {"interval": str(levels.dtype.subtype), "closed": levels.dtype.closed}
        listed = [label_to_json(level)["interval"][:2] for level in levels]
    else:
        inner = _describe(pd.Series(levels))
        if isinstance(inner, str) and inner.startswith(("datetime64", "timedelta64")):
            listed = np.asarray(levels.asi8).tolist()
        else:
            listed = [label_to_json(level) for level in levels.tolist()]
    return {"category": inner, "ordered": bool(dtype.ordered), "levels": listed}


def _describe_objects(series: pd.Series) -> dict[str, Any]:
    kind = pd.api.types.infer_dtype(series, skipna=True)
    spec: dict[str, Any] = {
        "object": _CELLS.get(kind, "mixed" if kind.startswith("mixed") else kind)
    }
    if kind == "datetime" or kind == "datetime64":
        first = series.dropna().iloc[0]
        spec["object"] = "timestamp" if isinstance(first, pd.Timestamp) else "datetime"
        if first.tzinfo is not None:
            spec["zone"] = str(first.tzinfo)
    if kind == "decimal":
        exponents = {int(number.as_tuple().exponent) for number in series.dropna().unique()}
        if len(exponents) == 1 and (exponent := exponents.pop()) <= 0:
            spec["places"] = -exponent
    nulls = series[series.isna().to_numpy()]
    if len(nulls):
        commonest = nulls.map(type).value_counts().index[0].__name__
        if commonest in _MISSING_NAMES:
            spec["missing"] = _MISSING_NAMES[commonest]
    return spec

"""Arrays of exactly the dtype that a spec describes, from values and a mask."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.errors import SampleError
from tabsynth.schema.labels import label_from_json

Spec = str | Mapping[str, Any]
"""A dtype's name (``int64``, ``str``), or a mapping for what a name does not say in full:
``{arrow: ...}``, ``{category: ..., ordered: ..., levels: [...]}``, ``{object: ...}``."""

TEXT: dict[str, tuple[Any, Any]] = {
    "str": ("pyarrow", np.nan),
    "str[python]": ("python", np.nan),
    "string": ("pyarrow", pd.NA),
    "string[pyarrow]": ("pyarrow", pd.NA),
    "string[python]": ("python", pd.NA),
}
"""Storage and missing value of the text dtypes of pandas, by their name in a spec."""

_MISSING = {"None": None, "NaN": np.nan, "NA": pd.NA, "NaT": pd.NaT}


def dtype_of(spec: Spec) -> Any:
    """Return the pandas or NumPy dtype of a spec that is not an object or category one."""
    if isinstance(spec, Mapping):
        return pd.ArrowDtype(_arrow_type(spec["arrow"]))
    if spec in TEXT:
        storage, na_value = TEXT[spec]
        return pd.StringDtype(storage, na_value=na_value)
    return pd.api.types.pandas_dtype(spec)


def _arrow_type(name: str) -> Any:
    """Return the Arrow type that is written as `name`."""
    import pyarrow as pa

    found = re.fullmatch(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)", name)
    if found:
        make = getattr(pa, f"decimal{found[1]}")
        return make(int(found[2]), int(found[3]))
    found = re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", name)
    if found:
        return pa.timestamp(found[1], tz=found[2])
    found = re.fullmatch(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>", name)
    if found:
        return pa.dictionary(
            pa.type_for_alias(found[2]), _arrow_type(found[1]), ordered=found[3] == "1"
        )
    return pa.type_for_alias(name)


def objects_of(data: np.ndarray | Sequence[Any]) -> np.ndarray:
    """Return a fresh object array of Python values."""
    objects = np.empty(len(data), dtype=object)
    objects[:] = data.tolist() if isinstance(data, np.ndarray) else list(data)
    return objects


def array_of(data: np.ndarray | Sequence[Any], gaps: np.ndarray, spec: Spec | None) -> Any:
    """Return an array of the dtype of `spec`, missing where `gaps` is true.

    Raises
    ------
    SampleError, TypeError, ValueError, ArithmeticError, NotImplementedError
        If the dtype cannot hold the values.
    """
    if spec is None:
        if isinstance(data, np.ndarray) and data.dtype.kind in "mM":
            return _ticks(data, gaps, data.dtype)
        values = objects_of(data)
        values[gaps] = None
        return pd.Series(values.tolist(), dtype=None if len(values) else "str").array
    if isinstance(spec, Mapping):
        if "category" in spec:
            return _categories(data, gaps, spec)
        if "object" in spec:
            return _cells(data, gaps, spec)
        return _arrow(data, gaps, dtype_of(spec))
    if spec == "object":
        return _cells(data, gaps, {"object": "mixed"})
    dtype = dtype_of(spec)
    if isinstance(dtype, pd.StringDtype):
        values = objects_of(data)
        values[gaps] = dtype.na_value
        return pd.array(values, dtype=dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _instants(data, gaps, dtype).array
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        return _ticks(data, gaps, dtype)
    if isinstance(dtype, np.dtype):
        if dtype.kind in "iub" and gaps.any():
            raise SampleError(
                f"{int(gaps.sum()):,} cells are missing, which a column stored as {dtype} cannot "
                "hold. This is a mistake in tabsynth or in a column type; please report it."
            )
        return _numbers(data, gaps, dtype)
    values = _numbers(data, gaps, dtype.numpy_dtype)
    return dtype.construct_array_type()(values, gaps.copy())


def _numbers(data: np.ndarray | Sequence[Any], gaps: np.ndarray, dtype: np.dtype[Any]) -> Any:
    """Return numbers or booleans, checked to be the same ones in `dtype`."""
    values = data if isinstance(data, np.ndarray) else objects_of(data)
    if values.dtype == object:
        values = values.copy()
        values[gaps] = 0
        if dtype.kind == "f":
            values = values.astype(np.float64)
    elif gaps.any():
        values = np.where(gaps, values.dtype.type(0), values)
    with np.errstate(over="ignore", invalid="ignore"):
        result = values.astype(dtype)
    if dtype.kind == "f":
        if (np.isinf(result) & (values != result)).any():
            raise OverflowError
        result[gaps] = np.nan
    elif not (result == values).all():
        raise OverflowError
    return result


def _ticks(data: np.ndarray | Sequence[Any], gaps: np.ndarray, dtype: Any) -> np.ndarray:
    """Return `datetime64` or `timedelta64` without a zone."""
    dtype = np.dtype(dtype)
    values = data if isinstance(data, np.ndarray) else objects_of(data)
    if values.dtype.kind in "iu":
        result = values.astype(np.int64).view(dtype)
    elif values.dtype.kind == dtype.kind:
        result = values.astype(dtype)
    else:
        present = pd.Index(values[~gaps])
        present = pd.DatetimeIndex(present) if dtype.kind == "M" else pd.TimedeltaIndex(present)
        result = np.zeros(len(values), dtype=dtype)
        result[~gaps] = present.to_numpy(dtype=dtype)
    times: np.ndarray = result.copy()
    times[gaps] = np.array("NaT", dtype=dtype)
    return times


def _instants(
    data: np.ndarray | Sequence[Any], gaps: np.ndarray, dtype: pd.DatetimeTZDtype
) -> pd.DatetimeIndex:
    """Return points in time of a zone, from objects that know theirs or from wall-clock time."""
    values = data if isinstance(data, np.ndarray) else objects_of(data)
    if values.dtype == object and (~gaps).any():
        filled = values.copy()
        filled[gaps] = pd.NaT
        found = pd.DatetimeIndex(filled)
        if found.tz is not None:
            return found.tz_convert(dtype.tz).as_unit(dtype.unit)
    wall = pd.DatetimeIndex(_ticks(values, gaps, f"datetime64[{dtype.unit}]"))
    summer = np.zeros(len(wall), dtype=bool)
    return wall.tz_localize(dtype.tz, ambiguous=summer, nonexistent="shift_forward")


def _cells(
    data: np.ndarray | Sequence[Any], gaps: np.ndarray, spec: Mapping[str, Any]
) -> np.ndarray:
    """Return an object array whose cells are of the kind that `spec` names."""
    kind = spec["object"]
    if isinstance(data, np.ndarray) and data.dtype.kind == "M":
        data = _dates(data, gaps, spec)
    elif isinstance(data, np.ndarray) and data.dtype.kind == "m":
        lengths = pd.Series(data)
        data = lengths.astype(object).to_numpy()
    cells = objects_of(data)
    if kind == "decimal" and isinstance(data, np.ndarray) and data.dtype.kind in "iuf":
        places = spec.get("places")
        step = None if places is None else Decimal(1).scaleb(-places)
        distinct, where = np.unique(data, return_inverse=True)
        decimals = [Decimal(str(number)) for number in distinct.tolist()]
        if step is not None:
            decimals = [number.quantize(step) for number in decimals]
        cells = objects_of(decimals)[where] if len(decimals) else cells
    elif kind == "int" and isinstance(data, np.ndarray) and data.dtype.kind == "f":
        cells = objects_of(np.where(gaps, 0, data).astype(np.int64))
    elif kind == "bool" and isinstance(data, np.ndarray) and data.dtype.kind in "iuf":
        cells = objects_of(np.where(gaps, 0, data).astype(bool))
    cells[gaps] = _MISSING[spec.get("missing", "None")]
    return cells


def _dates(data: np.ndarray, gaps: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
    """Return wall-clock times as dates, datetimes or timestamps."""
    kind, zone = spec["object"], spec.get("zone")
    if kind == "date":
        days: np.ndarray = data.astype("datetime64[D]").astype(object)
        return days
    times = pd.DatetimeIndex(np.where(gaps, np.array("NaT", dtype=data.dtype), data))
    if zone is not None:
        dtype = pd.DatetimeTZDtype(times.unit, zone)
        times = _instants(times.to_numpy(), gaps, dtype)
    return times.to_pydatetime() if kind == "datetime" else times.astype(object).to_numpy()


def _categories(data: np.ndarray | Sequence[Any], gaps: np.ndarray, spec: Mapping[str, Any]) -> Any:
    """Return categories with all levels of the spec, used or not, in their order."""
    inner, listed = spec["category"], spec["levels"]
    if isinstance(inner, Mapping) and "interval" in inner:
        closed = inner["closed"]
        dtype = pd.IntervalDtype(inner["interval"], closed)
        ends = [tuple(label_from_json(end) for end in level) for level in listed]
        levels: Any = pd.IntervalIndex.from_tuples(ends, closed=closed, dtype=dtype)
        present: Any = pd.IntervalIndex(objects_of(data)[~gaps], closed=closed, dtype=dtype)
    else:
        levels = _levels(listed, inner)
        held = objects_of(data)[~gaps]
        array = array_of(held, np.zeros(len(held), dtype=bool), inner)
        present = pd.Index(array, dtype=array.dtype)
    codes = np.full(len(gaps), -1, dtype=np.int64)
    codes[~gaps] = levels.get_indexer(present)
    if (codes[~gaps] < 0).any():
        raise SampleError("some values are no level of its categories.")
    return pd.Categorical.from_codes(
        codes, dtype=pd.CategoricalDtype(levels, ordered=spec["ordered"])
    )


def _levels(listed: Sequence[Any], inner: Spec) -> Any:
    """Return the levels of categories; points in time are listed as ticks since 1970 in UTC."""
    if isinstance(inner, str) and inner.startswith(("datetime64", "timedelta64")):
        dtype: Any = pd.api.types.pandas_dtype(inner)
        ticks = np.array(listed, dtype=np.int64)
        if isinstance(dtype, pd.DatetimeTZDtype):
            times = pd.DatetimeIndex(ticks.view(f"datetime64[{dtype.unit}]"))
            return times.tz_localize("UTC").tz_convert(dtype.tz)
        return pd.Index(ticks.view(dtype))
    labels = [label_from_json(level) for level in listed]
    array = array_of(labels, np.zeros(len(labels), dtype=bool), inner)
    return pd.Index(array, dtype=array.dtype)


def _arrow(data: np.ndarray | Sequence[Any], gaps: np.ndarray, dtype: pd.ArrowDtype) -> Any:
    """Return an Arrow-backed array."""
    import pyarrow as pa

    kind = dtype.pyarrow_dtype
    values = data if isinstance(data, np.ndarray) else objects_of(data)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        zone = pd.DatetimeTZDtype(kind.unit, kind.tz)
        array = pa.Array.from_pandas(_instants(values, gaps, zone)).cast(kind)
    elif values.dtype.kind in "mM" or (values.dtype.kind == "f" and pa.types.is_decimal(kind)):
        array = pa.array(values, mask=gaps).cast(kind)
    elif pa.types.is_dictionary(kind):
        cells = objects_of(values)
        cells[gaps] = None
        plain = pa.array(cells.tolist(), type=kind.value_type)
        array = plain.dictionary_encode().cast(kind)
    else:
        cells = objects_of(values)
        cells[gaps] = None
        array = pa.array(cells.tolist(), type=kind)
    return pd.arrays.ArrowExtensionArray(array)

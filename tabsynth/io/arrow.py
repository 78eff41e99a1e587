"""Arrow columns as pandas columns, without integers that turn into floats at a gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from tabsynth.errors import DataError

TEXT_DTYPE = pd.StringDtype(na_value=np.nan)


def refuse_nested(schema: pa.Schema, path: str) -> None:
    """Check that no column holds lists or mappings.

    Raises
    ------
    DataError
        If some do; all of them are named.
    """
    nested = [repr(one.name) for one in schema if pa.types.is_nested(one.type)]
    if nested:
        raise nested_error(nested, path)


def nested_error(names: list[str], path: str) -> DataError:
    """Return the error for columns (names in quotes) that hold lists or mappings."""
    columns = f"column {names[0]} holds" if len(names) == 1 else f"columns {', '.join(names)} hold"
    return DataError(
        f"{path}: {columns} nested values (lists or mappings). Give each cell a single value: "
        "spread them over columns of their own, or leave them out."
    )


def natural_dtype(kind: pa.DataType, gaps: bool) -> pd.api.extensions.ExtensionDtype | None:
    """Return the pandas dtype that keeps a column of an Arrow type exactly.

    Parameters
    ----------
    kind : DataType
    gaps : bool
        Whether cells are missing.

    Returns
    -------
    ExtensionDtype or None
        None where the NumPy dtype (or category) that Arrow chooses by itself keeps everything.

    Examples
    --------
    >>> natural_dtype(pa.int64(), gaps=True)
    Int64Dtype()
    """
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return TEXT_DTYPE
    if pa.types.is_decimal(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        return pd.ArrowDtype(kind)
    if gaps and pa.types.is_boolean(kind):
        return pd.BooleanDtype()
    if gaps and pa.types.is_integer(kind):
        unsigned = "U" if pa.types.is_unsigned_integer(kind) else ""
        dtype = pd.api.types.pandas_dtype(f"{unsigned}Int{kind.bit_width}")
        assert isinstance(dtype, pd.api.extensions.ExtensionDtype)
        return dtype
    return None


def to_series(column: pa.ChunkedArray, dtype: pd.api.extensions.ExtensionDtype | None) -> pd.Series:
    """Return a column as a series of `dtype`, or of the dtype that Arrow chooses where None."""
    if isinstance(dtype, pd.ArrowDtype):
        return pd.Series(pd.arrays.ArrowExtensionArray(column.cast(dtype.pyarrow_dtype)))
    if dtype is not None and hasattr(dtype, "__from_arrow__"):
        return pd.Series(dtype.__from_arrow__(column.combine_chunks()))
    return pd.Series(column.unify_dictionaries().to_pandas(), copy=False)

"""Parquet: dtypes kept, also those that Parquet itself does not know."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tabsynth.errors import DataError
from tabsynth.io.arrow import TEXT_DTYPE, natural_dtype, refuse_nested, to_series
from tabsynth.io.base import FORMATS, Format, ReadOptions, TableFile, TableWriter, check_names
from tabsynth.io.rows import rechunk
from tabsynth.io.source import Source, looks_like_text, read_all

_METADATA = b"tabsynth"
_MAX_LEVELS = 65_536
_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")

# The dtypes that pandas notes by these names and that an Arrow column turns into by itself.
_EXTENSIONS: dict[str, pd.api.extensions.ExtensionDtype] = {
    "str": TEXT_DTYPE,
    "string": pd.StringDtype(),
    "boolean": pd.BooleanDtype(),
    "Int8": pd.Int8Dtype(),
    "Int16": pd.Int16Dtype(),
    "Int32": pd.Int32Dtype(),
    "Int64": pd.Int64Dtype(),
    "UInt8": pd.UInt8Dtype(),
    "UInt16": pd.UInt16Dtype(),
    "UInt32": pd.UInt32Dtype(),
    "UInt64": pd.UInt64Dtype(),
    "Float32": pd.Float32Dtype(),
    "Float64": pd.Float64Dtype(),
}


@FORMATS.register("parquet")
class Parquet(Format):
    """Apache Parquet.

    Columns get the dtypes that pandas wrote into the file. Without such a note, texts become
    `str`, integers and booleans with gaps `Int64` (or another width) and `boolean`, decimals,
    dates and times of day Arrow-backed columns, dictionaries `category`; timestamps keep their
    unit and time zone. An unnamed index is dropped, a named one is a column.
    """

    name = "parquet"
    title = "Parquet file"
    suffixes = (".parquet", ".pq")
    signature = b"PAR1"

    def read(self, source: Source, options: ReadOptions) -> TableFile:
        """Read the whole of `source`."""
        with _opened(source) as file:
            columns = _Columns(file, source.path)
            return TableFile(columns.frame(file.read()), source.path, self.name)

    def chunks(self, source: Source, rows: int, options: ReadOptions) -> Iterator[pd.DataFrame]:
        """Yield frames of `rows` rows."""
        with _opened(source) as file:
            columns = _Columns(file, source.path)
            columns.settle_categories()
            for table in rechunk(file.iter_batches(batch_size=rows), file.schema_arrow, rows):
                yield columns.frame(table)

    def writer(self, stream: BinaryIO, path: str, details: Mapping[str, Any]) -> TableWriter:
        """Return a writer to `stream`."""
        return ParquetWriter(stream, path)


@contextmanager
def _opened(source: Source) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, with our errors for what is wrong with it."""
    source.check()
    try:
        if source.replayable:
            with open(source.path, "rb") as file:
                start = file.read(512)
        else:
            held = read_all(source)
            start = held.getvalue()[:512]
        if not start:
            raise source.empty()
        source.recognise(start)
        if not start.startswith(source.signature):
            kind = "text, perhaps CSV or JSON" if looks_like_text(start) else "another kind of file"
            raise DataError(
                f"{source.path}: is not a Parquet file but {kind}. Give it the suffix of what it "
                "is (.csv, .jsonl), or say the format."
            )
        with pq.ParquetFile(
            source.path if source.replayable else held, coerce_int96_timestamp_unit="us"
        ) as parquet:
            yield parquet
    except (pa.ArrowException, OSError):  # the message may show bytes of the file
        raise DataError(
            f"{source.path}: is a damaged or cut-off Parquet file, or one that needs features "
            "this version of Arrow does not have. Copy or write the file again."
        ) from None


class _Columns:
    """The columns of a Parquet file and the pandas dtypes they get.

    Attributes
    ----------
    schema : Schema
        The columns to read, in the order of the file.
    """

    def __init__(self, file: pq.ParquetFile, path: str) -> None:
        self._file = file
        metadata = file.schema_arrow.metadata or {}
        self._noted: dict[str, dict[str, Any]] = {
            column["field_name"]: column
            for column in json.loads(metadata.get(b"pandas", b"{}")).get("columns", [])
            if column.get("field_name") is not None
        }
        self.schema = pa.schema(
            [one for one in file.schema_arrow if not _UNNAMED_INDEX.fullmatch(one.name)]
        )
        check_names(self.schema.names, path)
        refuse_nested(self.schema, path)
        self._categories = _load_categories(metadata.get(_METADATA, b"{}"))
        self._gaps: dict[str, bool] = {}

    def settle_categories(self) -> None:
        """Find the levels of dictionary columns, which each part of the file has for itself."""
        for one in self.schema:
            if pa.types.is_dictionary(one.type) and one.name not in self._categories:
                column = self._file.read([one.name]).column(one.name)
                dtype = to_series(column, None).dtype
                assert isinstance(dtype, pd.CategoricalDtype)
                self._categories[one.name] = dtype

    def frame(self, table: pa.Table) -> pd.DataFrame:
        """Return rows of the file as a frame of these columns."""
        columns = [self._series(one, table.column(one.name)) for one in self.schema]
        frame = pd.DataFrame(
            dict(enumerate(columns)), index=pd.RangeIndex(table.num_rows), copy=False
        )
        frame.columns = pd.Index(self.schema.names, dtype="str")
        return frame

    def _series(self, one: pa.Field, column: pa.ChunkedArray) -> pd.Series:
        noted = self._noted.get(one.name, {})
        written = str(noted.get("numpy_type", ""))
        if written.endswith("[pyarrow]"):
            return to_series(column, _arrow_dtype(written, one.type))
        if one.name in self._categories:
            return _as_category(column, self._categories[one.name])
        if written in _EXTENSIONS:
            return to_series(column, _EXTENSIONS[written])
        if written == "object" and noted.get("pandas_type") not in ("unicode", "decimal"):
            return _as_objects(column)  # pandas notes Arrow decimals as objects, too
        countable = pa.types.is_integer(one.type) or pa.types.is_boolean(one.type)
        series = to_series(column, natural_dtype(one.type, countable and self._has_gaps(one)))
        if written.startswith(("datetime64[", "timedelta64[")) and series.dtype.kind in "mM":
            unit = written.partition("[")[2].rstrip("]")
            series = series.dt.as_unit(unit)
        return series

    def _has_gaps(self, one: pa.Field) -> bool:
        """Return whether a column has missing cells anywhere in the file."""
        if one.name not in self._gaps:
            self._gaps[one.name] = one.nullable and self._find_gaps(one.name)
        return self._gaps[one.name]

    def _find_gaps(self, name: str) -> bool:
        """Look for missing cells in the statistics of the file, and in the column without them."""
        metadata, place = self._file.metadata, self._file.schema_arrow.get_field_index(name)
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(place).statistics
            if statistics is None or not statistics.has_null_count:
                return bool(self._file.read([name]).column(name).null_count)
            if statistics.null_count:
                return True
        return False


def _arrow_dtype(written: str, kind: pa.DataType) -> pd.ArrowDtype:
    """Return the Arrow-backed dtype that pandas noted, as far as pandas can read its own note."""
    if written != "string[pyarrow]":  # pandas takes that for a dtype of its own
        try:
            dtype = pd.api.types.pandas_dtype(written)
            if isinstance(dtype, pd.ArrowDtype):
                return dtype
        except (TypeError, NotImplementedError):
            pass
    return pd.ArrowDtype(kind)


def _as_objects(column: pa.ChunkedArray) -> pd.Series:
    """Return a column of Python objects, None where missing."""
    countable = pa.types.is_integer(column.type) and column.null_count > 0
    objects = to_series(column, natural_dtype(column.type, True) if countable else None)
    objects = objects.astype(object)
    return objects.where(objects.notna(), None)


def _as_category(column: pa.ChunkedArray, dtype: pd.CategoricalDtype) -> pd.Series:
    """Return a column as categories; as it is in the file where the levels do not fit it."""
    series = to_series(column, natural_dtype(column.type, column.null_count > 0))
    if isinstance(series.dtype, pd.CategoricalDtype):
        known = series.cat.categories.isin(dtype.categories).all()
        return series.astype(dtype) if known else series
    codes = dtype.categories.get_indexer_for(pd.Index(series))
    if np.count_nonzero(codes < 0) > column.null_count:
        return series
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), copy=False)


def _dump_categories(frame: pd.DataFrame) -> bytes:
    """Return the levels of category columns, which Parquet keeps only for texts that have rows."""
    kept = {}
    for name, dtype in frame.dtypes.items():
        if not isinstance(dtype, pd.CategoricalDtype) or len(dtype.categories) > _MAX_LEVELS:
            continue
        levels = dtype.categories
        if levels.dtype.kind in "iufb" or levels.inferred_type in ("string", "empty"):
            kept[str(name)] = {
                "levels": levels.tolist(),
                "dtype": str(levels.dtype),
                "ordered": dtype.ordered,
            }
    return json.dumps({"categories": kept}).encode()


def _load_categories(metadata: bytes) -> dict[str, pd.CategoricalDtype]:
    noted = json.loads(metadata).get("categories", {})
    return {
        name: pd.CategoricalDtype(pd.Index(one["levels"], dtype=one["dtype"]), one["ordered"])
        for name, one in noted.items()
    }


class ParquetWriter(TableWriter):
    """Writes Parquet; the first frame decides on the types of all."""

    def __init__(self, stream: BinaryIO, path: str) -> None:
        super().__init__(path)
        self._stream = stream
        # Parquet asks for the position in the file, which a pipe does not have.
        self._buffer = None if stream.seekable() else io.BytesIO()
        self._writer: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None

    def _write(self, frame: pd.DataFrame) -> None:
        table = self._table(frame)
        if self._writer is None:
            self._schema = table.schema.with_metadata(
                {**table.schema.metadata, _METADATA: _dump_categories(frame)}
            )
            self._writer = pq.ParquetWriter(self._buffer or self._stream, self._schema)
        try:
            table = table.cast(self._schema)
        except (pa.ArrowException, ValueError):
            raise DataError(
                f"Cannot write {self.path}: a chunk has other types than the first one. Give every "
                "chunk the same dtypes."
            ) from None
        self._writer.write_table(table)

    def _close(self) -> None:
        assert self._writer is not None
        self._writer.close()
        if self._buffer is not None:
            self._stream.write(self._buffer.getbuffer())

    def abandon(self) -> None:
        """Let go of the writer after a failure."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()

    def _table(self, frame: pd.DataFrame) -> pa.Table:
        try:
            table = pa.Table.from_pandas(_with_long_integers(frame), preserve_index=False)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            raise self._unwritable(_culprit(frame)) from None
        refuse_nested(table.schema, self.path)
        for one in table.schema:  # texts among bytes would come back as bytes
            if "binary" in str(one.type) and (
                pd.api.types.infer_dtype(frame[one.name], skipna=True) != "bytes"
            ):
                raise self._unwritable(one.name)
        return table

    def _unwritable(self, name: str) -> DataError:
        return DataError(
            f"Cannot write {self.path}: column {name!r} holds values of several types, or of a "
            "type that Parquet does not have. Turn it into text or numbers."
        )


def _culprit(frame: pd.DataFrame) -> str:
    """Return the name of the first column that Arrow cannot hold."""
    for name in frame.columns:
        try:
            pa.Table.from_pandas(frame[[name]], preserve_index=False)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            return str(name)
    return str(frame.columns[0])


def _with_long_integers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with Python integers of more than 64 bits as Arrow decimals."""
    replaced: dict[str, Any] = {}
    for name, dtype in frame.dtypes.items():
        if pd.api.types.is_object_dtype(dtype) and (
            pd.api.types.infer_dtype(frame[name], skipna=True) == "integer"
        ):
            try:
                pa.array(frame[name].array, pa.int64(), from_pandas=True)
            except OverflowError:
                decimals = pa.array(frame[name].array, pa.decimal128(38, 0), from_pandas=True)
                replaced[str(name)] = pd.arrays.ArrowExtensionArray(decimals)
    return frame.assign(**replaced) if replaced else frame

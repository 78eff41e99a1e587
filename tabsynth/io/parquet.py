"""Parquet: dtypes kept, also those that Parquet itself does not know."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

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
            return TableFile(columns.frame(file.read(columns.names)), source.path, self.name)

    def chunks(self, source: Source, rows: int, options: ReadOptions) -> Iterator[pd.DataFrame]:
        """Yield frames of `rows` rows."""
        with _opened(source) as file:
            columns = _Columns(file, source.path)
            columns.settle_categories()
            batches = file.iter_batches(batch_size=rows, columns=columns.names)
            for table in rechunk(batches, columns.schema, rows):
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
        self._noted = {
            column["field_name"]: column
            for column in json.loads(metadata.get(b"pandas", b"{}")).get("columns", [])
            if column.get("field_name") is not None
        }
        self.schema = pa.schema(
            [one for one in file.schema_arrow if not _is_unnamed_index(one.name, self._noted)]
        )
        check_names(self.schema.names, path)
        refuse_nested(self.schema, path)
        self._categories = _load_categories(metadata)

    @property
    def names(self) -> list[str]:
        """Names of the columns to read."""
        names: list[str] = self.schema.names
        return names

    def settle_categories(self) -> None:
        """Find the levels of dictionary columns, which each part of the file has for itself."""
        unknown = [
            one.name
            for one in self.schema
            if pa.types.is_dictionary(one.type) and one.name not in self._categories
        ]
        table = self._file.read(unknown) if unknown else None
        for name in unknown:
            self._categories[name] = to_series(table.column(name), None).dtype

    def frame(self, table: pa.Table) -> pd.DataFrame:
        """Return a table of these columns as a frame."""
        columns = [self._series(one, table.column(place)) for place, one in enumerate(self.schema)]
        frame = pd.DataFrame(
            dict(enumerate(columns)), index=pd.RangeIndex(table.num_rows), copy=False
        )
        frame.columns = pd.Index(self.names, dtype="str")
        return frame

    def _series(self, one: pa.Field, column: pa.ChunkedArray) -> pd.Series:
        noted = self._noted.get(one.name, {})
        written = str(noted.get("numpy_type", ""))
        if one.name in self._categories:
            return _as_category(to_series(column, None), self._categories[one.name])
        if written.endswith("[pyarrow]"):
            return to_series(column, _arrow_dtype(written, one.type))
        if written in _EXTENSIONS:
            return to_series(column, _EXTENSIONS[written])
        if written == "object" and noted.get("pandas_type") != "unicode":
            return to_series(column, None)
        series = to_series(column, natural_dtype(one.type, self._has_gaps(one)))
        unit = written.partition("[")[2][:-1]
        if written.startswith(("datetime64[", "timedelta64[")) and series.dtype.kind in "mM":
            series = series.dt.as_unit(unit)
        return series

    def _has_gaps(self, one: pa.Field) -> bool:
        """Return whether a column has missing cells anywhere in the file."""
        if one.name in self._gaps:
            return self._gaps[one.name]
        return self._gaps.setdefault(one.name, self._find_gaps(one))

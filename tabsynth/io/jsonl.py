"""JSON Lines: one JSON object a line."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from tabsynth.errors import DataError
from tabsynth.io.arrow import natural_dtype, nested_error, refuse_nested, to_series
from tabsynth.io.base import FORMATS, Format, ReadOptions, TableFile, TableWriter, check_names
from tabsynth.io.cells import join, text_cells
from tabsynth.io.rows import rechunk
from tabsynth.io.source import Source, Text
from tabsynth.io.text import TextWriter

_BLOCK_SIZE = 16 << 20
_LARGE = pa.decimal128(38, 0)
_NULL_FIRST = re.compile(rb"\s*null")
_NULL_LATER = re.compile(rb"\n\s*null")
_LARGE_LITERAL = re.compile(rb"[:\s]-?\d{19,38}\s*[,}]")


@FORMATS.register("jsonl")
class JsonLines(Format):
    """One JSON object a line; keys are columns, in the order in which they first occur.

    Texts stay texts (dates too), integers with gaps become `Int64`, booleans with gaps `boolean`,
    integers that need more than 64 bits Arrow decimals. A key that a line does not have, and
    null, are missing. A column that mixes integers and fractions is `float64`.
    """

    name = "jsonl"
    title = "JSON Lines file"
    suffixes = (".jsonl", ".ndjson")
    compressible = True

    def read(self, source: Source, options: ReadOptions) -> TableFile:
        """Read the whole of `source`."""
        reading = _Reading(source, options, hold=True)
        table = pa.Table.from_batches(list(reading.batches()), reading.schema)
        return TableFile(reading.frame(table), source.path, self.name)

    def chunks(self, source: Source, rows: int, options: ReadOptions) -> Iterator[pd.DataFrame]:
        """Yield frames of `rows` rows; the file is read twice, the first time for its types."""
        reading = _Reading(source, options, hold=not source.replayable)
        for table in rechunk(reading.batches(), reading.schema, rows):
            yield reading.frame(table)

    def writer(self, stream: BinaryIO, path: str, details: Mapping[str, Any]) -> TableWriter:
        """Return a writer to `stream`; always UTF-8 without a mark."""
        return JsonLinesWriter(stream, path)


class _Reading:
    """One JSON Lines file whose types are known, read in blocks of whole lines.

    Parameters
    ----------
    source : Source
    options : ReadOptions
    hold : bool
        Whether to keep the text in memory instead of reading it again.
    """

    def __init__(self, source: Source, options: ReadOptions, *, hold: bool) -> None:
        self.source = source
        self._options = options
        self._held = list(_line_blocks(source, options)) if hold else None
        self.schema, self._gaps = self._infer()

    def _blocks(self) -> Iterator[bytes]:
        if self._held is not None:
            return iter(self._held)
        return _line_blocks(self.source, self._options)

    def _infer(self) -> tuple[pa.Schema, set[str]]:
        """Return the types of the whole file and the names of the columns that have gaps."""
        types: dict[str, pa.DataType] = {}
        n_present: dict[str, int] = {}
        large: set[str] = set()
        n_rows = 0
        for block in self._blocks():
            table = self._parse(block, None, n_rows)
            refuse_nested(table.schema, self.source.path)
            for name, column in zip(table.column_names, table.columns, strict=True):
                types[name] = self._common(name, types.get(name, pa.null()), column.type)
                n_present[name] = n_present.get(name, 0) + len(column) - column.null_count
                if _may_be_large(column, block):
                    large.add(name)
            n_rows += table.num_rows
        if not types:
            raise DataError(
                f"{self.source.path}: its objects have no keys, so there are no columns."
            )
        check_names(list(types), self.source.path)
        for name in sorted(large):
            if types[name] == pa.float64() and self._all_integers(name):
                types[name] = _LARGE
        return pa.schema(types.items()), {name for name in types if n_present[name] < n_rows}

    def _common(self, name: str, one: pa.DataType, other: pa.DataType) -> pa.DataType:
        """Return the type that holds two types; texts that look like dates are texts."""
        one, other = (pa.string() if pa.types.is_timestamp(t) else t for t in (one, other))
        if one == other or pa.types.is_null(other):
            return one
        if pa.types.is_null(one):
            return other
        if {one, other} == {pa.int64(), pa.float64()}:
            return pa.float64()
        raise self._mixed(name)

    def _all_integers(self, name: str) -> bool:
        """Return whether all numbers of a column are integers of at most 38 digits."""
        schema = pa.schema([(name, _LARGE)])
        try:
            for block in self._blocks():
                _read_json(block, schema, "ignore")
        except pa.ArrowInvalid:
            return False
        return True

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of type `schema`."""
        n_rows = 0
        for block in self._blocks():
            table = self._parse(block, self.schema, n_rows)
            n_rows += table.num_rows
            yield from table.to_batches()

    def frame(self, table: pa.Table) -> pd.DataFrame:
        """Return a table of type `schema` as a frame."""
        columns = [
            to_series(table.column(place), natural_dtype(one.type, one.name in self._gaps))
            for place, one in enumerate(self.schema)
        ]
        frame = pd.DataFrame(
            dict(enumerate(columns)), index=pd.RangeIndex(table.num_rows), copy=False
        )
        frame.columns = pd.Index(self.schema.names, dtype="str")
        return frame

    def _parse(self, block: bytes, schema: pa.Schema | None, n_before: int) -> pa.Table:
        null = _NULL_FIRST.match(block) or _NULL_LATER.search(block)
        if null is not None:  # the parser crashes on it (github.com/apache/arrow/issues/47409)
            lines = block[: null.start()].split(b"\n")
            row = n_before + sum(bool(line.strip()) for line in lines) + 1
            raise self._no_object(f"row {row} (blank lines are not counted)")
        try:
            return _read_json(block, schema, "infer")
        except pa.ArrowInvalid as error:  # its message may show cells
            raise self._translate(str(error), n_before) from None

    def _translate(self, message: str, n_before: int) -> DataError:
        """Return our error for one of the parser's."""
        path = self.source.path
        place = re.search(r"in row (\d+)$", message)
        row = f"row {n_before + int(place[1]) + 1} (blank lines are not counted)" if place else ""
        changed = re.search(r"Column\(/(.*)\) changed from (\w+) to (\w+) in row", message)
        if changed is not None:
            if {"array", "object"} & {changed[2], changed[3]}:
                return nested_error([repr(changed[1])], path)
            return self._mixed(changed[1], f", from {row} on")
        if re.search(r"Column\(\) changed from object", message):
            return self._no_object(row)
        twice = re.search(r"Column\(/(.*)\) was specified twice", message)
        if twice is not None:
            return DataError(
                f"{path}: the key {twice[1]!r} occurs more than once in {row}. Rename one of them."
            )
        if "too big" in message:
            return DataError(
                f"{path}: a number in {row} is too large for a 64-bit float. Write it as text, or "
                "leave it out."
            )
        return DataError(
            f"{path}: {row or 'a row'} is not valid JSON. Write every row as a JSON object on a "
            "line of its own."
        )

    def _no_object(self, row: str) -> DataError:
        return DataError(
            f"{self.source.path}: {row} is no JSON object. Write every row as an object on a line "
            'of its own, like {"age": 31, "sex": "f"}.'
        )

    def _mixed(self, name: str, place: str = "") -> DataError:
        return DataError(
            f"{self.source.path}: column {name!r} holds values of several types, for instance "
            f"numbers and texts{place}. Give all of them the same type."
        )


def _read_json(block: bytes, schema: pa.Schema | None, unexpected: str) -> pa.Table:
    return pyarrow.json.read_json(
        io.BytesIO(block),
        # One block, so that the row numbers in messages count from its start.
        pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
        pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
    )


def _line_blocks(source: Source, options: ReadOptions) -> Iterator[bytes]:
    """Yield the text in blocks of whole lines, some 16 MiB each, none of them blank."""
    held: list[bytes] = []
    n_held, first = 0, True
    for text in Text(source, options.encoding):
        cut = text.rfind(b"\n") + 1
        if n_held + len(text) < _BLOCK_SIZE or not cut:
            held.append(text)
            n_held += len(text)
            continue
        block = b"".join((*held, text[:cut]))
        held, n_held = [text[cut:]], len(text) - cut
        if block.strip():
            _refuse_array(block, source, first)
            first = False
            yield block
    block = b"".join(held)
    if block.strip():
        _refuse_array(block, source, first)
        yield block
    elif first:
        raise source.empty()


def _refuse_array(block: bytes, source: Source, first: bool) -> None:
    if first and block.lstrip()[:1] == b"[":
        raise DataError(
            f"{source.path}: is a JSON array, not JSON Lines. Write every row as a JSON object on "
            "a line of its own, without brackets around them and commas between them."
        )


def _may_be_large(column: pa.ChunkedArray, block: bytes) -> bool:
    """Return whether a column of floats may have been integers beyond 64 bits."""
    if column.type != pa.float64():
        return False
    largest = pc.max(pc.abs(column)).as_py()
    return largest is not None and largest >= 2.0**63 and bool(_LARGE_LITERAL.search(block))


class JsonLinesWriter(TextWriter):
    """Writes one JSON object a line, with every key in every line.

    Missing is null, floats are written so that they read back exactly, dates and times are texts
    in ISO 8601 ("2020-02-29T12:30:00"). A table without rows is an empty file.
    """

    def _lines(self, frame: pd.DataFrame) -> Iterator[pa.Array]:
        if not len(frame):
            return
        parts: list[Any] = []
        for name in frame.columns:
            cells, is_text = text_cells(
                frame[name], self.path, separator="T", booleans=("true", "false")
            )
            if is_text:
                cells = join('"', _escaped(cells), '"')
            elif pc.any(pc.match_substring(cells, "inf")).as_py():
                raise DataError(
                    f"Cannot write {self.path}: column {name!r} holds infinite values, which JSON "
                    "does not have. Write CSV or Parquet."
                )
            key = json.dumps(name, ensure_ascii=False)
            parts += [("," if parts else "{") + key + ":", pc.fill_null(cells, "null")]
        yield join(*parts, "}\n")


def _escaped(text: pa.Array) -> pa.Array:
    r"""Return texts with quotes, backslashes and control characters escaped as JSON wants it."""
    text = pc.replace_substring(text, "\\", "\\\\")
    text = pc.replace_substring(text, '"', '\\"')
    if pc.any(pc.match_substring_regex(text, r"[\x00-\x1f]")).as_py():
        for code in range(32):
            escape = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code, f"\\u{code:04x}")
            text = pc.replace_substring(text, chr(code), escape)
    return text

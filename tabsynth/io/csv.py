"""CSV: read as text cell by cell, written in the dialect it was read in."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tabsynth.errors import DataError
from tabsynth.io.base import FORMATS, Format, ReadOptions, TableFile, TableWriter, check_names
from tabsynth.io.cells import text_cells
from tabsynth.io.dialect import DELIMITERS, QUOTE, Dialect, check_delimiter, find_dialect
from tabsynth.io.rows import rechunk
from tabsynth.io.source import Source, Text
from tabsynth.io.text import TextWriter

_HEAD_SIZE = 1 << 20
_BLOCK_SIZE = 4 << 20  # also the longest record that can be read
_SHOWN = 5
_END = "tabsynthend"
_LINE_ENDS = b"\r\n"


@FORMATS.register("csv")
class Csv(Format):
    """Comma-separated values, also with semicolons, tabs or bars, with a header.

    Every cell is read as text, exactly as it stands: "007" stays "007", an empty cell is "" and
    "NA" is "NA". What means missing is for the schema to say. Blank lines are skipped, except in
    a file of one column, where a blank line between others is an empty cell.
    """

    name = "csv"
    title = "CSV file"
    suffixes = (".csv", ".tsv", ".txt")
    compressible = True

    def read(self, source: Source, options: ReadOptions) -> TableFile:
        """Read the whole of `source`."""
        reading = _Reading(source, options)
        table = pa.Table.from_batches(list(reading.batches()), reading.schema)
        return TableFile(reading.frame(table), source.path, self.name, reading.details)

    def chunks(self, source: Source, rows: int, options: ReadOptions) -> Iterator[pd.DataFrame]:
        """Yield frames of `rows` rows."""
        reading = _Reading(source, options)
        for table in rechunk(reading.batches(), reading.schema, rows):
            yield reading.frame(table)

    def writer(self, stream: BinaryIO, path: str, details: Mapping[str, Any]) -> TableWriter:
        """Return a writer to `stream` in the dialect that `details` describe."""
        return CsvWriter(stream, path, details)


class _Reading:
    """One pass over a CSV file, begun: its dialect is known and its rows are not read yet."""

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self.source = source
        text = Text(source, options.encoding)
        self._blocks = iter(text)
        head = self._first_blocks()
        start = head.decode(errors="ignore")
        if start.startswith(('{"', "[{")):
            text.close()
            raise DataError(
                f"{source.path}: is not a CSV file but JSON. Give it the suffix .jsonl (one object "
                "a line), or the format jsonl."
            )
        self.dialect: Dialect = find_dialect(
            start,
            complete=len(head) < _HEAD_SIZE,
            delimiter=options.delimiter,
            preferred="\t" if ".tsv" in source.path.lower()[-7:] else ",",
        )
        check_names(self.dialect.names, source.path)
        self.details = {
            "delimiter": self.dialect.delimiter,
            "encoding": text.encoding,
            "bom": text.bom,
            "quote": QUOTE,
            "line_ending": self.dialect.line_ending,
        }
        self._text = text
        self._head = head
        # Stand-ins for the names, which may be anything, during parsing.
        places = [f"c{place}" for place in range(len(self.dialect.names))]
        self.schema = pa.schema([(place, pa.large_string()) for place in places])

    def _first_blocks(self) -> bytes:
        """Return the beginning of the text, 1 MiB or all of it, without leading blank lines."""
        head = b""
        for block in self._blocks:
            head = (head + block).lstrip(_LINE_ENDS)
            if len(head) >= _HEAD_SIZE:
                break
        if not head.strip():
            raise self.source.empty()
        return head

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches, all columns as text.

        Raises
        ------
        DataError
            If records are ragged, a quote is never closed, or the bytes are not text.
        """
        ends = _Ends(self.source.path, self.dialect)
        one_column = len(self.schema) == 1
        feed = _Feed(self._head, self._blocks, ends.marker.encode())
        rows = 0
        try:
            with pyarrow.csv.open_csv(
                pa.PythonFile(feed, mode="r"),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,  # row numbers are known only then
                    block_size=_BLOCK_SIZE,
                    column_names=self.schema.names,
                    skip_rows_after_names=1,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.dialect.delimiter,
                    quote_char=QUOTE,
                    newlines_in_values=True,
                    ignore_empty_lines=not one_column,
                    invalid_row_handler=ends.note,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=self.schema,
                    strings_can_be_null=False,
                    null_values=[],
                    check_utf8=False,  # done by Text, which knows the place
                ),
            ) as reader:
                for batch in reader:
                    rows += batch.num_rows
                    yield batch
        except pa.ArrowInvalid:  # its message may show cells
            raise ends.unclosed(rows + 2, at_least=True) from None
        finally:
            self._text.close()
        ends.check(rows)

    def frame(self, table: pa.Table) -> pd.DataFrame:
        """Return a table of texts as a frame with its real column names."""
        dtype = pd.StringDtype(na_value=np.nan)
        columns = {
            place: dtype.__from_arrow__(pa.chunked_array([column.combine_chunks()]))
            if column.num_chunks > 1
            else dtype.__from_arrow__(column)
            for place, column in enumerate(table.columns)
        }
        frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)
        frame.columns = pd.Index(self.dialect.names, dtype="str")
        return frame


class _Feed(io.RawIOBase):
    """The text of a file for the parser, with blank lines at its end replaced by a marker row."""

    def __init__(self, head: bytes, blocks: Iterator[bytes], marker: bytes) -> None:
        super().__init__()
        self._blocks = blocks
        self._marker = marker
        self._ready = head
        self._held = b""  # line ends that may turn out to be the last ones
        self._ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        parts, length = [self._ready], len(self._ready)
        while not self._ended and (size < 0 or length < size):
            part = self._next()
            parts.append(part)
            length += len(part)
        joined = b"".join(parts)
        if size < 0:
            size = length
        self._ready = joined[size:]
        return joined[:size]

    def _next(self) -> bytes:
        block = next(self._blocks, None)
        if block is None:
            self._ended = True
            return b"\n" + self._marker + b"\n"
        text = block.rstrip(_LINE_ENDS)
        if not text:
            self._held += block
            return b""
        text, self._held = self._held + text, block[len(text) :]
        return text


@dataclass
class _Ends:
    """Notes how records end: those with a wrong number of cells, and whether the last one ended.

    A marker row with one cell too many stands at the end of what the parser reads. If the parser
    does not meet it as a row of its own, then a quote before it was never closed.
    """

    path: str
    dialect: Dialect
    found: bool = False
    ragged: list[tuple[int, int]] = field(default_factory=list)
    n_ragged: int = 0
    swallowed_in: int | None = None

    @property
    def marker(self) -> str:
        """The marker row."""
        return self.dialect.delimiter.join([_END] * (len(self.dialect.names) + 1))

    def note(self, row: Any) -> str:
        """Take note of a ragged row; called by the parser."""
        if row.text == self.marker:
            self.found = True
        elif row.text.endswith(self.marker) or row.text.endswith(self.marker + "\n"):
            self.swallowed_in = row.number
        else:
            self.n_ragged += 1
            if len(self.ragged) < _SHOWN:
                self.ragged.append((row.number, row.actual_columns))
        return "skip"

    def check(self, rows: int) -> None:
        """Raise what was noted, after `rows` good rows."""
        if not self.found and not self.n_ragged:
            raise self.unclosed(self.swallowed_in or rows + 1)
        if not self.n_ragged:
            return
        expected = len(self.dialect.names)
        places = ", ".join(f"row {number} has {actual}" for number, actual in self.ragged)
        more = f" and {self.n_ragged - _SHOWN:,} more rows" if self.n_ragged > _SHOWN else ""
        delimiter = "tab" if self.dialect.delimiter == "\t" else repr(self.dialect.delimiter)
        raise DataError(
            f"{self.path}: the header has {expected} {_fields(expected)}, but {places}{more} (the "
            "header is row 1; blank lines are not counted). Add or remove delimiters there, put "
            f"quotes around cells that hold a delimiter ({delimiter}), close quotes that were "
            "opened, or say what the delimiter is with delimiter= (on the command line: "
            "--delimiter)."
        )

    def unclosed(self, row: int, *, at_least: bool = False) -> DataError:
        """Return the error for a quote that is never closed."""
        where = f"in row {row} or later" if at_least else f"in row {row}"
        longer = (
            f", or its cell is longer than {_BLOCK_SIZE >> 20} MiB" if at_least else ""
        )
        return DataError(
            f"{self.path}: a quote that opens {where} is never closed{longer} (the header is row "
            f"1; blank lines are not counted). Close it, or double it ({QUOTE * 2}) where it is "
            "meant as a character."
        )


def _fields(count: int) -> str:
    return "field" if count == 1 else "fields"


class CsvWriter(TextWriter):
    """Writes CSV with as few quotes as possible.

    Missing is an empty cell, floats are written so that they read back exactly, booleans are True
    and False, dates and times are ISO 8601 with a space ("2020-02-29 12:30:00").

    Parameters
    ----------
    stream : binary file
    path : str
        The path to name in messages; for a `.tsv` file the delimiter is always a tab.
    details : mapping
        As in `TableFile.details`; what is absent gets "," UTF-8 without a mark, and "\n".
    """

    def __init__(self, stream: BinaryIO, path: str, details: Mapping[str, Any]) -> None:
        super().__init__(
            stream,
            path,
            encoding=str(details.get("encoding", "utf-8")),
            bom=bool(details.get("bom", False)),
        )
        tabs = ".tsv" in path.lower()[-7:]
        self.delimiter = "\t" if tabs else check_delimiter(str(details.get("delimiter", ",")))
        self.line_ending = str(details.get("line_ending", "\n"))
        self._header_written = False

    def _lines(self, frame: pd.DataFrame) -> Iterator[pa.Array]:
        if not self._header_written:
            self._header_written = True
            header = pa.array(list(frame.columns), pa.large_string())
            yield pa.array(
                [self.delimiter.join(self._quoted(header, frame.shape[1] == 1).to_pylist())
                 + self.line_ending],
                pa.large_string(),
            )
        if not len(frame):
            return
        cells = []
        for name in frame.columns:
            text, is_text = text_cells(frame[name], self.path, separator=" ", booleans=_BOOLEANS)
            text = pc.fill_null(text, "")
            alone = frame.shape[1] == 1
            exotic = self.delimiter not in DELIMITERS  # it may occur in numbers and dates
            cells.append(self._quoted(text, alone) if is_text or alone or exotic else text)
        cells[-1] = _append(cells[-1], self.line_ending)
        yield cells[0] if len(cells) == 1 else pc.binary_join_element_wise(*cells, self.delimiter)

    def _quoted(self, text: pa.Array, alone: bool) -> pa.Array:
        """Put quotes around cells that need them; an empty cell does where it is `alone`."""
        special = pc.match_substring_regex(text, f"[{QUOTE}\r\n\\x{ord(self.delimiter):02x}]")
        if alone:
            special = pc.or_(special, pc.equal(text, ""))
        if not pc.any(special).as_py():
            return text
        doubled = pc.replace_substring(text, QUOTE, QUOTE * 2)
        return pc.if_else(special, pc.binary_join_element_wise(QUOTE, doubled, QUOTE, ""), text)


_BOOLEANS = ("True", "False")


def _append(text: pa.Array, ending: str) -> pa.Array:
    return pc.binary_join_element_wise(text, ending, "")

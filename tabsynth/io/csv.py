"""CSV: read as text cell by cell, written in the dialect it was read in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tabsynth.errors import DataError
from tabsynth.io.arrow import TEXT_DTYPE, to_series
from tabsynth.io.base import FORMATS, Format, ReadOptions, TableFile, TableWriter, check_names
from tabsynth.io.cells import TEXT, join, text_cells
from tabsynth.io.dialect import DELIMITERS, QUOTE, Dialect, check_delimiter, find_dialect
from tabsynth.io.records import LINE_ENDS, LONGEST_RECORD, Feed, RecordEnds
from tabsynth.io.rows import rechunk
from tabsynth.io.source import Source, Text
from tabsynth.io.text import TextWriter

_HEAD_SIZE = 1 << 20


_BOOLEANS = ("True", "False")


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
        if start.startswith(('{"', '[{"')):
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
        self.schema = pa.schema([(place, TEXT) for place in places])

    def _first_blocks(self) -> bytes:
        """Return the beginning of the text, 1 MiB or all of it, without leading blank lines."""
        head = b""
        for block in self._blocks:
            head = (head + block).lstrip(LINE_ENDS)
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
        ends = RecordEnds(self.source.path, self.dialect)
        one_column = len(self.schema) == 1
        feed = Feed(self._head, self._blocks, ends.marker.encode())
        rows = 0
        try:
            with pyarrow.csv.open_csv(
                pa.PythonFile(feed, mode="r"),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,  # row numbers are known only then
                    block_size=LONGEST_RECORD,
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
            raise ends.unclosed(rows + 1, at_least=True) from None
        finally:
            self._text.close()
        ends.check(rows)

    def frame(self, table: pa.Table) -> pd.DataFrame:
        """Return a table of texts as a frame with its real column names."""
        columns = [to_series(column, TEXT_DTYPE) for column in table.columns]
        frame = pd.DataFrame(
            dict(enumerate(columns)), index=pd.RangeIndex(table.num_rows), copy=False
        )
        frame.columns = pd.Index(self.dialect.names, dtype="str")
        return frame


class CsvWriter(TextWriter):
    r"""Writes CSV with as few quotes as possible.

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
        alone = frame.shape[1] == 1
        if not self._header_written:
            self._header_written = True
            names = self._quoted(pa.array(list(frame.columns), TEXT), alone).to_pylist()
            yield pa.array([self.delimiter.join(names) + self.line_ending], TEXT)
        if not len(frame):
            return
        exotic = self.delimiter not in DELIMITERS  # it may occur in numbers and dates
        parts: list[Any] = []
        for name in frame.columns:
            cells, is_text = text_cells(frame[name], self.path, separator=" ", booleans=_BOOLEANS)
            cells = pc.fill_null(cells, "")
            parts += [self._quoted(cells, alone) if is_text or alone or exotic else cells]
            parts += [self.delimiter]
        parts[-1] = self.line_ending
        yield join(*parts)

    def _quoted(self, text: pa.Array, alone: bool) -> pa.Array:
        """Put quotes around cells that need them; an empty cell does where it is `alone`."""
        special = pc.match_substring_regex(text, f"[{QUOTE}\r\n\\x{ord(self.delimiter):02x}]")
        if alone:
            special = pc.or_(special, pc.equal(text, ""))
        if not pc.any(special).as_py():
            return text
        doubled = pc.replace_substring(text, QUOTE, QUOTE * 2)
        return pc.if_else(special, join(QUOTE, doubled, QUOTE), text)

"""What goes into the CSV parser and what it says about records that do not end as they should."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from tabsynth.errors import DataError
from tabsynth.io.dialect import QUOTE, Dialect

LINE_ENDS = b"\r\n"
LONGEST_RECORD = 4 << 20  # bytes
_SHOWN = 5
_END = "tabsynthend"


class Feed(io.RawIOBase):
    """The text of a file for the parser, with blank lines at its end replaced by a marker row.

    Parameters
    ----------
    head : bytes
        The beginning of the text.
    blocks : iterator of bytes
        The rest of the text.
    marker : bytes
        The row to put at the end.
    """

    def __init__(self, head: bytes, blocks: Iterator[bytes], marker: bytes) -> None:
        super().__init__()
        self._blocks = chain([head], blocks)
        self._marker = marker
        self._ready = b""
        self._held = b""  # line ends that may turn out to be the last ones
        self._ended = False

    def readable(self) -> bool:
        """Return true."""
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
        text = block.rstrip(LINE_ENDS)
        if not text:
            self._held += block
            return b""
        text, self._held = self._held + text, block[len(text) :]
        return text


@dataclass
class RecordEnds:
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
        longer = f", or its cell is longer than {LONGEST_RECORD >> 20} MiB" if at_least else ""
        return DataError(
            f"{self.path}: a quote that opens {where} is never closed{longer} (the header is row "
            f"1; blank lines are not counted). Close it, or double it ({QUOTE * 2}) where it is "
            "meant as a character."
        )


def _fields(count: int) -> str:
    return "field" if count == 1 else "fields"

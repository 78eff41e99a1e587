"""Writing text files in one encoding."""

from __future__ import annotations

import codecs
from abc import abstractmethod
from collections.abc import Iterator
from typing import BinaryIO

import pandas as pd
import pyarrow as pa

from tabsynth.errors import DataError
from tabsynth.io.base import TableWriter

ROWS_AT_ONCE = 50_000

# Codecs that would put a byte-order mark before every piece of the text.
_MARKED = {
    "utf-8-sig": ("utf-8", True),
    "utf-16": ("utf-16-le", True),
    "utf-32": ("utf-32-le", True),
}


class TextWriter(TableWriter):
    """Writes a table as lines of text.

    Parameters
    ----------
    stream : binary file
    path : str
        The path to name in messages.
    encoding : str
        Name of a Python codec.
    bom : bool
        Whether the file starts with a byte-order mark.
    """

    def __init__(
        self, stream: BinaryIO, path: str, *, encoding: str = "utf-8", bom: bool = False
    ) -> None:
        super().__init__(path)
        self._stream = stream
        name = codecs.lookup(encoding).name
        self.encoding, marked = _MARKED.get(name, (name, False))
        if bom or marked:
            stream.write("\ufeff".encode(self.encoding))

    def _write(self, frame: pd.DataFrame) -> None:
        for start in range(0, max(len(frame), 1), ROWS_AT_ONCE):
            for lines in self._lines(frame.iloc[start : start + ROWS_AT_ONCE]):
                self._stream.write(self._encode(lines))

    @abstractmethod
    def _lines(self, frame: pd.DataFrame) -> Iterator[pa.Array]:
        """Yield arrays of lines, each with its line end and none missing."""

    def _encode(self, lines: pa.Array) -> bytes | memoryview:
        """Return the lines one after the other, encoded."""
        offsets = memoryview(lines.buffers()[1]).cast("q")
        start, end = offsets[lines.offset], offsets[lines.offset + len(lines)]
        utf8 = memoryview(lines.buffers()[2])[start:end]
        if self.encoding == "utf-8":
            return utf8
        try:
            return str(utf8, "utf-8").encode(self.encoding)
        except UnicodeEncodeError:
            raise DataError(
                f"Cannot write {self.path}: some texts have characters that the encoding "
                f"{self.encoding} does not have. Write UTF-8 instead."
            ) from None

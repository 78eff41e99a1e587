"""The bytes of a table: opened, unpacked, recognised when they are something else, decoded."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tabsynth.errors import ConfigError, DataError
from tabsynth.io.atomic import reason

BLOCK_SIZE = 1 << 20

# How files begin that people take for tables (the longest first where one begins another).
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a Parquet file", "Give it the suffix .parquet, or the format parquet"),
    (b"PK\x03\x04", "an Excel workbook (.xlsx) or a zip archive", "Save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "Save the table as CSV"),
    (b"\x1f\x8b", "packed with gzip", "Give it the suffix .gz after the one of its format"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "Unpack it first"),
    (b"BZh", "packed with bzip2", "Unpack it first"),
    (b"\xfd7zXZ\x00", "packed with xz", "Unpack it first"),
    (b"ARROW1", "an Arrow (Feather) file", "Save the table as Parquet"),
    (b"ORC", "an ORC file", "Save the table as Parquet"),
    (b"\x89HDF", "an HDF5 file", "Save the table as Parquet"),
    (b"SQLite format 3\x00", "an SQLite database", "Save the table as CSV"),
    (b"%PDF-", "a PDF document", "Save the table as CSV"),
    (b"$FL2", "an SPSS file", "Save the table as CSV"),
    (b"<!DOCTYPE ", "a web page", "Download the table itself"),
    (b"<!doctype ", "a web page", "Download the table itself"),
    (b"<html", "a web page", "Download the table itself"),
)
# Letters alone may also begin a CSV file (a column called "ORC"); binary files show it soon.
_MAY_BE_TEXT = (b"PAR1", b"BZh", b"ARROW1", b"ORC", b"$FL2")

# The longer marks first: that of UTF-16 begins that of UTF-32.
_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Source:
    """Where a table is read from.

    Attributes
    ----------
    path : str
        The path as it was given; "-" is the standard input.
    title : str
        What it is read as, in words ("CSV file").
    compressed : bool
        Whether the bytes are packed with gzip.
    signature : bytes
        The bytes that a file of this kind starts with, where there are such.
    """

    path: str
    title: str
    compressed: bool = False
    signature: bytes = b""

    @property
    def replayable(self) -> bool:
        """Whether the bytes can be read a second time."""
        return self.path != "-" and Path(self.path).is_file()

    def check(self) -> None:
        """Check that there is a file to read.

        Raises
        ------
        DataError
            If the path does not exist or is a folder.
        """
        if self.path == "-":
            return
        if not Path(self.path).exists():
            raise DataError(f"{self.path}: there is no such file. Check the path.")
        if Path(self.path).is_dir():
            raise DataError(f"{self.path}: is a folder. Name one file in it.")

    def blocks(self) -> Generator[bytes, None, None]:
        """Yield the unpacked bytes in blocks of 1 MiB, the last one shorter.

        Raises
        ------
        DataError
            If the file cannot be read, is empty, is damaged, or is recognised as something that
            the format is not.
        """
        self.check()
        try:
            first = True
            for block in self._raw():
                if first:
                    self.recognise(block[:4096])
                    first = False
                yield block
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise DataError(
                f"{self.path}: the gzip data are damaged or cut off. Copy or download the file "
                "again."
            ) from None
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {reason(error)}.") from None
        if first:
            raise self.empty()

    def _raw(self) -> Generator[bytes, None, None]:
        if self.path == "-":
            while block := sys.stdin.buffer.read(BLOCK_SIZE):
                yield block
            return
        with open(self.path, "rb") as file:
            if not self.compressed:
                while block := file.read(BLOCK_SIZE):
                    yield block
                return
            start = file.peek(2)[:2]
            if start and start != b"\x1f\x8b":
                raise DataError(
                    f"{self.path}: ends in .gz but is not packed with gzip. Remove the suffix .gz, "
                    "or pack the file."
                )
            with gzip.GzipFile(fileobj=file) as unpacked:
                while block := unpacked.read(BLOCK_SIZE):
                    yield block

    def recognise(self, start: bytes) -> None:
        """Check that the bytes a file starts with are not those of another kind of file.

        Raises
        ------
        DataError
            If they are; the message says what the file is.
        """
        for signature, kind, advice in _SIGNATURES:
            if signature == self.signature or not start.startswith(signature):
                continue
            if signature in _MAY_BE_TEXT and looks_like_text(start):
                continue
            raise DataError(f"{self.path}: is not a {self.title} but {kind}. {advice}.")

    def empty(self) -> DataError:
        """Return the error to raise for a file without anything in it."""
        return DataError(f"{self.path}: is empty. A table with column names and rows was expected.")


def looks_like_text(start: bytes) -> bool:
    """Return whether bytes hold no control characters other than tabs and line ends."""
    return not any(byte < 32 and byte not in (9, 10, 13) for byte in start[:512])


class Text:
    """The text of a source as blocks of UTF-8 without a byte-order mark, checked on the way.

    Parameters
    ----------
    source : Source
    encoding : str, optional
        Name of a Python codec. Without one the byte-order mark decides, else it is UTF-8.

    Attributes
    ----------
    encoding : str
        The codec in use; UTF-16 and UTF-32 with their byte order.
    bom : bool
        Whether there was a byte-order mark.

    Raises
    ------
    ConfigError
        If there is no such encoding.
    DataError
        While iterating: if the bytes are not text in this encoding, with the place.
    """

    def __init__(self, source: Source, encoding: str | None = None) -> None:
        codec = _codec(encoding) if encoding is not None else None
        self.source = source
        self._named = encoding is not None
        self._blocks = source.blocks()
        self._first = next(self._blocks)
        self.encoding, mark = _with_mark(self._first, codec)
        self.bom = mark > 0
        self._mark = mark

    def __iter__(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        plain = self.encoding == "utf-8"
        offset, lines = self._mark, 0
        block: bytes = self._first[self._mark :]
        with closing(self._blocks):
            while True:
                pending = decoder.getstate()[0]
                try:
                    text = decoder.decode(block, final=not block)
                except UnicodeDecodeError as error:
                    raise self._undecodable(
                        offset - len(pending) + error.start,
                        lines + _lines(error.object[: error.start], self.encoding) + 1,
                    ) from None
                decoded = block if plain else text.encode()
                nul = decoded.find(0)
                if nul >= 0:
                    raise self._binary(lines + decoded.count(b"\n", 0, nul) + 1)
                lines += decoded.count(b"\n")
                offset += len(block)
                if decoded:
                    yield decoded
                if not block:
                    return
                block = next(self._blocks, b"")

    def close(self) -> None:
        """Close the file where it was not read to its end."""
        with contextlib.suppress(ValueError):  # a reading thread may be in it
            self._blocks.close()

    def _undecodable(self, offset: int, line: int) -> DataError:
        unpacked = " of the unpacked text" if self.source.compressed else ""
        if self._named:
            advice = f"The text is not {self.encoding} all the way; give another encoding="
        else:
            advice = (
                "Save the file as UTF-8, or say what it is with encoding= (on the command line: "
                "--encoding), for instance cp1252 or latin-1"
            )
        return DataError(
            f"{self.source.path}: the byte at offset {offset}{unpacked} (line {line}) is not "
            f"valid {self.encoding.upper()}. {advice}."
        )

    def _binary(self, line: int) -> DataError:
        return DataError(
            f"{self.source.path}: holds a NUL character (line {line}), so it is not "
            f"a {self.source.title} in {self.encoding.upper()}. Is it a binary file? If it is "
            "UTF-16, say so with encoding= (on the command line: --encoding)."
        )


def _codec(encoding: str) -> str:
    """Return the canonical name of a text encoding."""
    try:
        info = codecs.lookup(encoding)
        codecs.getincrementaldecoder(encoding)
        b"a".decode(encoding, "ignore")  # refuses codecs that are not about text
    except (LookupError, TypeError):
        raise ConfigError(
            f"There is no text encoding called {encoding!r}. Try utf-8, cp1252, latin-1 or utf-16."
        ) from None
    return info.name


def _with_mark(start: bytes, codec: str | None) -> tuple[str, int]:
    """Return the codec to use and the length of the byte-order mark that is to be dropped."""
    for mark, marked in _MARKS:
        if start.startswith(mark):
            family = marked.removesuffix("-le").removesuffix("-be")
            if codec is None or codec in (marked, family, f"{family}-sig"):
                return marked, len(mark)
    if codec in ("utf-16", "utf-32"):
        return f"{codec}-le", 0
    if codec is None or codec == "utf-8-sig":
        return "utf-8", 0
    return codec, 0


def _lines(start: bytes, encoding: str) -> int:
    return start.decode(encoding, errors="ignore").count("\n")


def read_all(source: Source) -> io.BytesIO:
    """Return everything in `source`, in memory."""
    return io.BytesIO(b"".join(source.blocks()))

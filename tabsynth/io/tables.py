"""Reading and writing tables, whatever their format."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pandas as pd

from tabsynth.errors import ConfigError
from tabsynth.io.atomic import StrPath, atomic_path, standard_output
from tabsynth.io.base import FORMATS, Format, ReadOptions, TableFile, TableWriter
from tabsynth.io.source import Source


def read_table(
    path: StrPath,
    *,
    format: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> TableFile:
    """Read a table from a file.

    Parameters
    ----------
    path : str or path
        A `.csv`, `.tsv`, `.txt`, `.jsonl`, `.ndjson` (each also with `.gz`), `.parquet` or `.pq`
        file; "-" is the standard input.
    format : str, optional
        "csv", "jsonl" or "parquet", where the suffix does not say it; needed for "-".
    delimiter : str, optional
        One character between the cells of a CSV file; found out by default. Other formats ignore
        it.
    encoding : str, optional
        Encoding of a text file; by default UTF-8, or what a byte-order mark says. Parquet ignores
        it.

    Returns
    -------
    TableFile
        CSV cells are texts exactly as they stand in the file (an empty cell is "", not missing);
        the other formats give the dtypes that the file has. A table may have no rows.

    Raises
    ------
    ConfigError
        If the suffix, format, delimiter or encoding is not known.
    DataError
        If there is no such file, or it is no table: empty, ragged, wrongly encoded, damaged, of
        another kind than its suffix says, with nested cells or with column names that are missing
        or occur twice.
    """
    kind, source = _source(path, format)
    return kind().read(source, ReadOptions(delimiter, encoding))


def iter_table(
    path: StrPath,
    *,
    rows: int = 50_000,
    format: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Iterator[pd.DataFrame]:
    """Read a table in frames of `rows` rows, so that it need not fit into memory.

    Parameters
    ----------
    path : str or path
        As for `read_table`. Parquet and JSON Lines from the standard input are held in memory.
    rows : int
        Rows of a frame; the last frame may have fewer.
    format, delimiter, encoding : str, optional
        As for `read_table`.

    Returns
    -------
    iterator of DataFrame
        Joined they equal the frame of `read_table`, dtypes and index included; one frame without
        rows if there are none.

    Raises
    ------
    ConfigError, DataError
        As `read_table`; what is wrong further down the file is raised when it is met.
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ConfigError(f"rows must be a positive integer. Got {rows!r}.")
    kind, source = _source(path, format)
    return _numbered(kind().chunks(source, rows, ReadOptions(delimiter, encoding)))


def _numbered(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Give every frame the index that its rows have in the whole table."""
    start = 0
    for frame in frames:
        frame.index = pd.RangeIndex(start, start + len(frame))
        start += len(frame)
        yield frame


def write_table(
    frame: pd.DataFrame,
    path: StrPath,
    *,
    format: str | None = None,
    details: Mapping[str, Any] | None = None,
    force: bool = False,
) -> None:
    """Write a table to a file, whole or not at all.

    Parameters
    ----------
    frame : DataFrame
        Its index is not written.
    path : str or path
        As for `read_table`; "-" is the standard output.
    format : str, optional
        As for `read_table`.
    details : mapping, optional
        `TableFile.details` of a table whose dialect is to be given back.
    force : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ConfigError
        If the suffix or format is not known.
    DataError
        If the file exists and `force` is false, the folder does not exist, the operating system
        refuses (disk full, permissions), or the format cannot hold a column. Nothing is written
        then, and an existing file is left as it was.
    """
    with open_writer(path, format=format, details=details, force=force) as writer:
        writer.write(frame)


@contextmanager
def open_writer(
    path: StrPath,
    *,
    format: str | None = None,
    details: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Iterator[TableWriter]:
    """Give a writer that takes a table in chunks; the file is there when the block ends well.

    Parameters
    ----------
    path, format, details, force
        As for `write_table`.

    Yields
    ------
    TableWriter
        Call `write` with one frame after the other, with one without rows for an empty table.

    Raises
    ------
    ConfigError, DataError
        As `write_table`; also if nothing was written. On every error the file is not there.
    """
    name = os.fspath(path)
    kind, compressed = find_format(name, format)
    with ExitStack() as stack:
        if name == "-":
            stream = stack.enter_context(standard_output())
        else:
            temporary = stack.enter_context(atomic_path(name, force))
            stream = stack.enter_context(open(temporary, "wb"))
        if compressed:
            # Without name and time of day in the header, so that the same table is the same file.
            packed = gzip.GzipFile("", "wb", compresslevel=6, fileobj=stream, mtime=0)
            stream = cast(BinaryIO, stack.enter_context(packed))
        writer = kind().writer(stream, name, details or {})
        try:
            yield writer
            writer.close()
        except BaseException:
            writer.abandon()
            raise


def find_format(path: str, format: str | None = None) -> tuple[type[Format], bool]:
    """Return the format of a file and whether it is packed with gzip.

    Parameters
    ----------
    path : str
        A path, or "-".
    format : str, optional
        Name of the format, where the suffix does not say it.

    Raises
    ------
    ConfigError
        If the suffix or the format is not known; the known ones are listed.

    Examples
    --------
    >>> kind, compressed = find_format("visits.csv.gz")
    >>> kind.name, compressed
    ('csv', True)
    """
    compressed = path.lower().endswith(".gz")
    if format is not None:
        kind = FORMATS.get(format)
        return kind, compressed and kind.compressible
    if path == "-":
        raise ConfigError(
            "The format must be given for '-' (standard input or output): format= (on the command "
            f"line: --format), one of {', '.join(FORMATS.names())}."
        )
    suffix = Path(path[:-3] if compressed else path).suffix.lower()
    known = []
    for _, kind in FORMATS.items():
        if suffix in kind.suffixes and (kind.compressible or not compressed):
            return kind, compressed
        known += [*kind.suffixes, *(f"{one}.gz" for one in kind.suffixes if kind.compressible)]
    shown = Path(path).suffix if suffix == "" else suffix + (".gz" if compressed else "")
    raise ConfigError(
        f"{path}: {f'the suffix {shown} is not known' if shown else 'has no suffix'}. Known are "
        f"{', '.join(known)}; or say the format with format= (on the command line: --format), one "
        f"of {', '.join(FORMATS.names())}."
    )


def _source(path: StrPath, format: str | None) -> tuple[type[Format], Source]:
    name = os.fspath(path)
    kind, compressed = find_format(name, format)
    source = Source(name, kind.title, compressed, kind.signature)
    source.check()
    return kind, source

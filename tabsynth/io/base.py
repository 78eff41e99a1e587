"""The contract of a file format, and the registry through which formats are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

import pandas as pd

from tabsynth.errors import DataError
from tabsynth.io.source import Source
from tabsynth.registry import Registry


@dataclass(frozen=True)
class TableFile:
    """A table that was read, and how it was written.

    Attributes
    ----------
    frame : DataFrame
        The table; its index is a RangeIndex, its columns stand in the order of the file.
    path : str
        The path as it was given ("-" for the standard input).
    format : str
        Name of the format ("csv", "jsonl" or "parquet").
    details : dict
        What a writer needs to give back the same dialect. CSV: `delimiter`, `encoding`, `bom`
        (bool), `quote`, `line_ending`. Other formats: nothing.
    """

    frame: pd.DataFrame
    path: str
    format: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadOptions:
    """What a caller may say about a text file; formats that are not text ignore it.

    Attributes
    ----------
    delimiter : str or None
        One character between the cells of a CSV file; found out where None.
    encoding : str or None
        Name of a character encoding; UTF-8, or what a byte-order mark says, where None.
    """

    delimiter: str | None = None
    encoding: str | None = None


class TableWriter(ABC):
    """Writes one table in chunks; made by `Format.writer`.

    Parameters
    ----------
    path : str
        The path to name in messages.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._columns: list[str] | None = None

    def write(self, frame: pd.DataFrame) -> None:
        """Add the rows of `frame`; the index is ignored.

        Parameters
        ----------
        frame : DataFrame
            Every frame after the first must have the same columns in the same order.

        Raises
        ------
        DataError
            If column names repeat, columns differ from those of the first frame, or a column
            holds values that the format cannot hold.
        """
        names = column_names(frame, self.path)
        if self._columns is None:
            self._columns = names
        elif names != self._columns:
            raise DataError(
                f"Cannot write {self.path}: every chunk must have the columns of the first one, "
                "in the same order."
            )
        self._write(frame.set_axis(pd.Index(names, dtype="str"), axis=1))

    def close(self) -> None:
        """Finish the file.

        Raises
        ------
        DataError
            If nothing was written; write one frame without rows for an empty table.
        """
        if self._columns is None:
            raise DataError(
                f"Nothing was written to {self.path}: no table was given. Write one frame at "
                "least, which may have no rows."
            )
        self._close()

    @abstractmethod
    def _write(self, frame: pd.DataFrame) -> None:
        """Write one frame whose column names are distinct texts."""

    def _close(self) -> None:  # noqa: B027 (most formats have nothing to finish)
        """Write what comes after the last row."""

    def abandon(self) -> None:  # noqa: B027 (most formats hold nothing)
        """Let go of what is held after a failure; the file is thrown away."""


class Format(ABC):
    """One file format: how to read and how to write it.

    A new format is a module of this package that registers a subclass with `FORMATS.register`.

    Attributes
    ----------
    name : str
        Its name in the registry.
    title : str
        What a reader calls such a file ("CSV file").
    suffixes : tuple of str
        Suffixes that choose it, lower case, with the dot.
    compressible : bool
        Whether a further suffix `.gz` means gzip.
    signature : bytes
        The bytes that every such file starts with, where there are such.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    compressible: ClassVar[bool] = False
    signature: ClassVar[bytes] = b""

    @abstractmethod
    def read(self, source: Source, options: ReadOptions) -> TableFile:
        """Read the whole of `source`."""

    @abstractmethod
    def chunks(self, source: Source, rows: int, options: ReadOptions) -> Iterator[pd.DataFrame]:
        """Yield frames of `rows` rows, the last one of fewer, at least one even where it is empty.

        Put together they equal what `read` gives; the dtypes are the same in every frame.
        """

    @abstractmethod
    def writer(self, stream: BinaryIO, path: str, details: Mapping[str, Any]) -> TableWriter:
        """Return a writer to `stream` of a file that will be called `path`."""


FORMATS: Registry[type[Format]] = Registry("format", "tabsynth.io")


def column_names(frame: pd.DataFrame, path: str) -> list[str]:
    """Return the column names of a frame as texts.

    Raises
    ------
    DataError
        If there are no columns, a name occurs more than once or the names have several levels.
    """
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(
            f"Cannot write {path}: the column names have {frame.columns.nlevels} levels. "
            "Give each column a single name."
        )
    if not frame.shape[1]:
        raise DataError(f"Cannot write {path}: the table has no columns. Give it one at least.")
    names = [str(name) for name in frame.columns]
    repeated = repeated_names(names)
    if repeated:
        raise DataError(f"Cannot write {path}: {repeated}. Rename the columns.")
    return names


def repeated_names(names: Sequence[str]) -> str:
    """Return the clause that lists the names which occur more than once, or "".

    Examples
    --------
    >>> repeated_names(["age", "sex", "age"])
    "the column name 'age' occurs more than once"
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if not repeated:
        return ""
    shown = ", ".join(map(repr, repeated[:10])) + (", ..." if len(repeated) > 10 else "")
    if len(repeated) == 1:
        return f"the column name {shown} occurs more than once"
    return f"these column names occur more than once: {shown}"


def check_names(names: Sequence[str], path: str) -> None:
    """Check the column names of a table that is being read.

    Raises
    ------
    DataError
        If a column has no name or names occur more than once; all of them are listed.
    """
    nameless = [str(place) for place, name in enumerate(names, 1) if not name.strip()]
    if nameless:
        which = (
            f"column {nameless[0]} has"
            if len(nameless) == 1
            else (f"columns {', '.join(nameless[:10])}{', ...' if len(nameless) > 10 else ''} have")
        )
        hint = (
            " (A first column without a name is often the index that pandas wrote: "
            "write the file with index=False.)"
            if nameless == ["1"] and len(names) > 1
            else ""
        )
        raise DataError(f"{path}: {which} no name in the header. Give every column a name.{hint}")
    repeated = repeated_names(names)
    if repeated:
        raise DataError(f"{path}: {repeated}. Give every column a name of its own.")

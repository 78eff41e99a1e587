"""The catalogue of public tables, and the demo table.

`names` lists the tables, `describe` tells what one is and where it comes from, and `load` reads
it. No table is part of the package: a file is looked for in the folder `$TABSYNTH_DATA` and then
in the user's cache, and is fetched only on request. The demo table `hospital_admissions` is made
by a generator and is always there.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from http.client import HTTPException
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.admissions import hospital_admissions
from tabsynth.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Entry",
    "describe",
    "folders",
    "hospital_admissions",
    "load",
    "locate",
    "markdown_table",
    "names",
]

logger = logging.getLogger("tabsynth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the catalogue says about a table.

    Attributes
    ----------
    name : str
        How `load` knows the table.
    description : str
        What is in it, in a sentence.
    rows, columns : int
        Shape of the table.
    task : str
        "classification" or "regression".
    target : str
        The column to predict.
    licence, source : str
        Terms of use, and where the table comes from, with a DOI or an address.
    missing_values : tuple of str
        Cell texts that mean missing; "" is the empty cell, no entry says that nothing is missing.
    missing_cells : int
        How many cells are missing.
    numeric_columns, id_columns, datetime_columns, text_columns : tuple of str
        Columns that hold numbers; identifiers and personal data; moments; free text. All others
        are categories.
    file : str or None
        Name of the file; None for a table that is generated.
    sha256 : str or None
        Digest of that file, in hexadecimal digits.
    openml_id : int or None
        Number of the same table at OpenML, where there is one.
    openml_columns : tuple of str
        Names to give to the columns fetched from there; empty where they are right already.
    notes : str
        What else a reader should know.
    """

    name: str
    description: str
    rows: int
    columns: int
    task: str
    target: str
    licence: str
    source: str
    missing_values: tuple[str, ...]
    missing_cells: int
    numeric_columns: tuple[str, ...]
    id_columns: tuple[str, ...]
    datetime_columns: tuple[str, ...]
    text_columns: tuple[str, ...] = ()
    file: str | None = None
    sha256: str | None = None
    openml_id: int | None = None
    openml_columns: tuple[str, ...] = ()
    notes: str = ""


@cache
def _catalogue() -> dict[str, Entry]:
    text = resources.files("tabsynth").joinpath("catalogue.toml").read_text(encoding="utf-8")
    entries = []
    for table in tomllib.loads(text)["table"]:
        facts: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in table.items()
        }
        entries.append(Entry(**facts))
    return {entry.name: entry for entry in entries}


def names() -> list[str]:
    """Return the names of all tables, in the order of the catalogue, the demo first."""
    return list(_catalogue())


def describe(name: str) -> Entry:
    """Return what the catalogue says about a table.

    Parameters
    ----------
    name : str
        One of `names()`.

    Raises
    ------
    ConfigError
        If there is no such table; the message names the nearest one.

    Examples
    --------
    >>> describe("adult").target
    'income'
    """
    entries = _catalogue()
    if name in entries:
        return entries[name]
    near = get_close_matches(str(name), entries, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"There is no table called {name!r}.{hint} Known: {', '.join(entries)}.")


def _cache_folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "tabsynth"


def folders() -> list[Path]:
    """Return the folders where tables are looked for: `$TABSYNTH_DATA`, then the user's cache."""
    named = os.environ.get("TABSYNTH_DATA")
    return [*([Path(named).expanduser()] if named else []), _cache_folder()]


def _fetched_file(entry: Entry) -> Path:
    return _cache_folder() / f"{entry.name}.openml.csv.gz"


def locate(name: str) -> Path | None:
    """Return the file of a table, or None where it is not on this machine or is generated.

    A file of the catalogue is preferred to one that was fetched before.

    Raises
    ------
    ConfigError
        If there is no such table.
    """
    entry = describe(name)
    if entry.file is None:
        return None
    candidates = [*(folder / entry.file for folder in folders()), _fetched_file(entry)]
    return next((path for path in candidates if path.is_file()), None)


def load(name: str, *, text: bool = False, fetch: bool = False) -> pd.DataFrame:
    """Read a table of the catalogue.

    Only the missing markers of the catalogue make a cell missing; "NA" and "None" are categories
    in some of these tables.

    Parameters
    ----------
    name : str
        One of `names()`.
    text : bool
        Return every cell as the text in the file, missing markers included.
    fetch : bool
        Where the table is not on this machine, fetch it from OpenML and keep it in the user's
        cache. Without this the network is never touched and nothing is written.

    Returns
    -------
    pandas.DataFrame
        Shape (rows, columns) as in `describe(name)`. Fetched tables may differ from the
        catalogue's in the spelling of values and the order of columns. The demo table has seed 0.

    Raises
    ------
    ConfigError
        If there is no such table, or `text` is asked of a file that keeps types (Parquet).
    DataError
        If the file is nowhere, is not the one of the catalogue, or cannot be fetched.
    """
    entry = describe(name)
    if entry.file is None:
        return (
            _as_text(hospital_admissions(entry.rows)) if text else hospital_admissions(entry.rows)
        )
    if text and entry.file.endswith(".parquet"):
        raise ConfigError(
            f"Table {name!r} is a Parquet file, which keeps types. Load it without text=True."
        )
    path = locate(name)
    if path is None and fetch and entry.openml_id is not None:
        path = _fetch(entry)
    if path is None:
        raise DataError(_where_to_get(entry, asked=fetch))
    _check_digest(path, entry)
    return _read(path, entry, text=text)


def _where_to_get(entry: Entry, *, asked: bool) -> str:
    """Say where the file of a table was looked for and how to get it."""
    unset = "" if os.environ.get("TABSYNTH_DATA") else " (TABSYNTH_DATA is not set)"
    if entry.openml_id is None:
        ways = "It cannot be fetched automatically: put" if asked else "Put"
    else:
        ways = f"Fetch it with fetch=True or --fetch (OpenML {entry.openml_id}), or put"
    return (
        f"Table {entry.name!r} is not on this machine. Looked for {entry.file} in "
        f"{' and '.join(map(str, folders()))}{unset}. {ways} the file into one of these folders. "
        f"Its public source: {entry.source}."
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note_of_digest(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _check_digest(path: Path, entry: Entry) -> None:
    """Refuse a file that is not the one of the catalogue, or not the one that was fetched."""
    expected, remedy = entry.sha256, "Replace it by an intact copy"
    if path == _fetched_file(entry):
        note = _note_of_digest(path)
        expected = note.read_text(encoding="ascii").strip() if note.is_file() else "unknown"
        remedy = "Delete it and fetch it again"
    found = _digest(path)
    if found != expected:
        raise DataError(
            f"{path} is not the file of table {entry.name!r}: its sha256 is {found}, expected is "
            f"{expected}. {remedy}; the public source is {entry.source}."
        )


def _read(path: Path, entry: Entry, *, text: bool) -> pd.DataFrame:
    import pandas as pd

    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if text:
        return pd.read_csv(path, dtype=str, na_filter=False, encoding="utf-8")
    markers = list(entry.missing_values)
    if path == _fetched_file(entry):
        markers.append("")
    return pd.read_csv(
        path, keep_default_na=False, na_values=markers, low_memory=False, encoding="utf-8"
    )


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype=str, na_filter=False)


def _fetch(entry: Entry) -> Path:
    """Fetch a table from OpenML into the user's cache and return its file."""
    from sklearn.datasets import fetch_openml

    logger.info("Fetching table %s from OpenML, data id %s", entry.name, entry.openml_id)
    place = f"Table {entry.name!r}, OpenML data id {entry.openml_id}"
    elsewhere = f"Get {entry.file} from its public source instead: {entry.source}."
    try:
        bunch: Any = fetch_openml(
            data_id=entry.openml_id, as_frame=True, target_column=None, cache=False
        )
    except (OSError, ValueError, HTTPException) as error:
        raise DataError(
            f"{place} could not be fetched ({type(error).__name__}: {error}). Try again when the "
            f"network is there. {elsewhere}"
        ) from error
    frame: pd.DataFrame = bunch.frame
    if frame.shape != (entry.rows, entry.columns):
        raise DataError(
            f"{place}: {frame.shape[0]} rows and {frame.shape[1]} columns came, "
            f"{entry.rows} and {entry.columns} are expected; nothing was kept. {elsewhere}"
        )
    if entry.openml_columns:
        frame = frame.set_axis(list(entry.openml_columns), axis=1)
    if entry.target not in frame.columns:
        raise DataError(
            f"{place}: there is no column {entry.target!r}; nothing was kept. {elsewhere}"
        )
    path = _fetched_file(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        new = Path(folder) / path.name
        missing = entry.missing_values[0] if entry.missing_values else ""
        gzip = {"method": "gzip", "mtime": 0}
        frame.to_csv(new, index=False, na_rep=missing, compression=gzip, encoding="utf-8")
        note = _note_of_digest(new)
        note.write_text(_digest(new) + "\n", encoding="ascii")
        note.replace(_note_of_digest(path))
        new.replace(path)
    return path


def markdown_table() -> str:
    """Return the catalogue as a Markdown table, one line a table."""
    lines = [
        "| table | rows × columns | target | missing cells | licence | what and whence | OpenML |",
        "| --- | ---: | --- | ---: | --- | --- | ---: |",
    ]
    for entry in _catalogue().values():
        cells = (
            f"`{entry.name}`",
            f"{entry.rows:,} × {entry.columns}",
            f"`{entry.target}` ({entry.task})",
            f"{entry.missing_cells:,}",
            entry.licence,
            " ".join(filter(None, (entry.description, f"Source: {entry.source}.", entry.notes))),
            "" if entry.openml_id is None else str(entry.openml_id),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"

"""How a CSV file is written: its delimiter, line ends and column names, found at its beginning."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.errors import ConfigError

DELIMITERS = (",", ";", "\t", "|")
QUOTE = '"'
_RECORDS = 200


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter : str
        The character between two cells.
    line_ending : str
        The most frequent line end.
    names : tuple of str
        The cells of the first record.
    """

    delimiter: str
    line_ending: str
    names: tuple[str, ...]


def find_dialect(
    head: str, *, complete: bool, delimiter: str | None = None, preferred: str = ","
) -> Dialect:
    r"""Find out how a CSV file is written.

    Among comma, semicolon, tab and bar that delimiter wins which cuts the greatest share of the
    first 200 records into as many cells as the header has; quoted cells are respected. A file
    whose header holds none of them has one column.

    Parameters
    ----------
    head : str
        The beginning of the file, at least its first record.
    complete : bool
        Whether `head` is the whole file; otherwise its last record is not looked at.
    delimiter : str, optional
        The delimiter, where it is known.
    preferred : str
        The delimiter to take where several do equally well.

    Raises
    ------
    ConfigError
        If `delimiter` is not one character that can be one.

    Examples
    --------
    >>> find_dialect("a;b\r\n1,5;2,5\r\n", complete=True)
    Dialect(delimiter=';', line_ending='\r\n', names=('a', 'b'))
    """
    if delimiter is not None:
        candidates: Sequence[str] = (check_delimiter(delimiter),)
    else:
        candidates = (preferred, *(mark for mark in DELIMITERS if mark != preferred))
    scored: list[tuple[float, int, str, tuple[str, ...]]] = []
    for candidate in candidates:
        records = _records(head, candidate, complete)
        names = tuple(records[0])
        fit = sum(len(record) == len(names) for record in records) / len(records)
        scored.append((fit if len(names) > 1 else 0.0, len(names), candidate, names))
    best = max(scored, key=lambda score: (score[0], score[2] == preferred, score[1]))
    return Dialect(best[2], _line_ending(head), best[3])


def check_delimiter(delimiter: str) -> str:
    r"""Return the delimiter that is meant ("\\t" and "tab" are taken for a tab).

    Raises
    ------
    ConfigError
        If it is not one ASCII character, or a letter, a digit, a quote or a line end.
    """
    meant = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if len(meant) != 1 or not meant.isascii() or meant.isalnum() or meant in '"\r\n\x00':
        raise ConfigError(
            f"delimiter must be one ASCII character that is no letter, digit, quote or line end. "
            f"Got {delimiter!r}."
        )
    return meant


def _records(head: str, delimiter: str, complete: bool) -> list[list[str]]:
    """Return the first records of `head` that are not blank, at least one."""
    records: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter):
            if record:
                records.append(record)
            if len(records) > _RECORDS:
                break
    except csv.Error:  # one cell is longer than 128 KiB: what came before it must do
        complete = True
    cut_off = len(records) > 1 and (not complete or len(records) > _RECORDS)
    return (records[:-1] if cut_off else records) or [[""]]


def _line_ending(head: str) -> str:
    windows = head.count("\r\n")
    counts = {
        "\n": head.count("\n") - windows,
        "\r\n": windows,
        "\r": head.count("\r") - windows,
    }
    return max(counts, key=lambda ending: counts[ending])

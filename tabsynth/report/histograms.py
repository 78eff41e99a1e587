"""The histogram of a column, sorted out for drawing: which cells, how wide, in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tabsynth.evaluation.result import ColumnProfile
from tabsynth.report.words import finite, shorten

OTHER = "(other)"
"""The cell that an evaluation gathers rare categories in."""

_ALIKE = 1.5
_MODERATE = 20.0
_OPEN = re.compile(r"^below .+|.+ and above$")
INTERVAL = re.compile(r"^[\[(](.+?), (.+)[\])]$")
"""The name of a cell that is an interval, with its two ends."""


@dataclass(frozen=True)
class Shares:
    """The histogram of a column, sorted out for drawing.

    Attributes
    ----------
    cells : tuple of str
        What each cell is.
    real, synthetic : tuple of float
        Shares, 0 where unknown.
    edges : tuple of float
        Of the intervals, one more than cells; empty for categories.
    special : tuple of (str, float, float)
        Cells of a number or date that are no interval (missing), with both shares.
    """

    cells: tuple[str, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    edges: tuple[float, ...] = ()
    special: tuple[tuple[str, float, float], ...] = ()


def shares_of(column: ColumnProfile) -> Shares | None:
    """Return the histogram of a column; None where there is none to draw."""
    n = min(len(column.cells), len(column.real), len(column.synthetic))
    if n == 0:
        return None
    real = tuple(finite(share) or 0.0 for share in column.real[:n])
    synthetic = tuple(finite(share) or 0.0 for share in column.synthetic[:n])
    cells = column.cells[:n]
    inner = len(column.edges) - 1
    if column.measure != "continuous" or inner < 1 or inner > n:
        return Shares(cells, real, synthetic)
    special = tuple(zip(cells[inner:], real[inner:], synthetic[inner:], strict=True))
    return Shares(cells[:inner], real[:inner], synthetic[:inner], column.edges, special)


def is_stretched(shares: Shares) -> bool:
    """Return whether the intervals are drawn equally wide although they are not."""
    return bool(shares.edges) and _is_cut(shares) and _widths(shares)[1] > _MODERATE


def _is_cut(shares: Shares) -> bool:
    """Return whether cells are intervals; else they are single values."""
    return any(INTERVAL.match(cell) for cell in shares.cells)


def _widths(shares: Shares) -> tuple[np.ndarray, float]:
    """Return the widths of the intervals and how far they differ, infinite where unusable."""
    with np.errstate(all="ignore"):
        widths = np.diff(np.asarray(shares.edges, dtype=np.float64))
        if not np.isfinite(widths.sum()) or not (widths > 0).all():
            return widths, np.inf
        return widths, float(widths.max() / widths.min())


def arrange(shares: Shares) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges in [0, 1] and the heights of both histograms, which share a scale.

    Intervals of different widths show densities, unless the widths differ so much that most would
    not be seen; those are drawn equally wide, and so are single values.
    """
    real, synthetic = np.asarray(shares.real), np.asarray(shares.synthetic)
    widths, ratio = _widths(shares)
    if ratio > _MODERATE or (ratio > _ALIKE and not _is_cut(shares)):
        return np.linspace(0, 1, len(real) + 1), real, synthetic
    edges = np.concatenate([[0.0], np.cumsum(widths)]) / widths.sum()
    if ratio > _ALIKE:
        real, synthetic = real / widths, synthetic / widths
    return edges, real, synthetic


def ticks_of(shares: Shares, edges: np.ndarray, room: float) -> list[tuple[float, str]]:
    """Return what is written below a histogram of intervals, and where.

    Parameters
    ----------
    shares : Shares
    edges : ndarray of float, shape (n_cells + 1,)
        From `arrange`.
    room : float
        Characters that fit side by side below it.

    Returns
    -------
    list of (float, str)
        Places in [0, 1], ascending: ends of intervals as their cells name them; the middle of a
        cell that is one value.
    """
    found: dict[float, str] = {}
    for place, cell in enumerate(shares.cells):
        left, right = float(edges[place]), float(edges[place + 1])
        ends = INTERVAL.match(cell)
        if ends:
            found[left], found[right] = ends[1], ends[2]
        elif not _OPEN.match(cell):
            found[(left + right) / 2] = cell
    ticks = sorted((x, shorten(text, 22)) for x, text in found.items())
    if not ticks:
        return []
    for stride in range(1, len(ticks)):
        chosen = ticks[::stride]
        # Labels at the ends are moved inwards, so that they stay below the chart.
        spans = [(min(max(x * room, len(t) / 2), room - len(t) / 2), len(t)) for x, t in chosen]
        if all(b - a >= (n + m) / 2 + 3 for (a, n), (b, m) in pairwise(spans)):
            return chosen
    return ticks[:1]


def largest(shares: Shares, most: int) -> tuple[list[tuple[str, float, float]], str]:
    """Return the most frequent categories, and what the last row is if it stands for several.

    Returns
    -------
    rows : list of (str, float, float)
        Categories with both shares, in their own order where all of them fit.
    rest : str
        Name of the last row if it is the sum of all others; else empty.
    """
    rows = list(zip(shares.cells, shares.real, shares.synthetic, strict=True))
    named = [row for row in rows if row[0] != OTHER]
    gathered = len(named) < len(rows)
    others = [row for row in rows if row[0] == OTHER]
    if len(rows) > most:
        named.sort(key=lambda row: -max(row[1], row[2]))
        named, others = named[: most - 1], [*others, *named[most - 1 :]]
    if not others:
        return named, ""
    name = "all others" if gathered else f"{len(others)} others"
    return [*named, (name, sum(row[1] for row in others), sum(row[2] for row in others))], name


def worst_columns(columns: Sequence[ColumnProfile]) -> list[ColumnProfile]:
    """Return the columns that can be drawn, the greatest distance first."""
    drawn = [column for column in columns if shares_of(column) is not None]
    return sorted(drawn, key=lambda column: -(finite(column.tvd) or 0.0))

"""The histogram of a column, sorted out for drawing: which cells, how wide, in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.result import ColumnProfile
from tabsynth.report.words import ABSENT, finite, shorten

OTHER = "(other)"
"""The cell that an evaluation gathers rare categories in."""

_ALIKE = 1.5
_MODERATE = 20.0
_INTERVAL = re.compile(r"^[\[(](.+?), (.+)[\])]$")


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
    return bool(shares.edges) and _widths(shares)[1] > _MODERATE


def _widths(shares: Shares) -> tuple[np.ndarray, float]:
    """Return the widths of the intervals and how far they differ, infinite where unusable."""
    with np.errstate(all="ignore"):
        widths = np.diff(np.asarray(shares.edges, dtype=np.float64))
        if not np.isfinite(widths.sum()) or not (widths > 0).all():
            return widths, np.inf
        return widths, float(widths.max() / widths.min())


def arrange(shares: Shares) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges in [0, 1] and the heights of both histograms, which share a scale."""
    real, synthetic = np.asarray(shares.real), np.asarray(shares.synthetic)
    widths, ratio = _widths(shares)
    if ratio > _MODERATE:
        return np.linspace(0, 1, len(real) + 1), real, synthetic
    edges = np.concatenate([[0.0], np.cumsum(widths)]) / widths.sum()
    if ratio > _ALIKE:
        real, synthetic = real / widths, synthetic / widths
    return edges, real, synthetic


def edge_labels(shares: Shares) -> list[str]:
    """Return what is written at the edges: the ends that the cells name, else the numbers."""
    ends = [_INTERVAL.match(cell) for cell in shares.cells]
    found = [match for match in ends if match is not None]
    if len(found) == len(ends):
        texts = [match[1] for match in found] + [found[-1][2]]
    else:
        texts = [ABSENT if finite(edge) is None else f"{edge:.6g}" for edge in shares.edges]
    return [shorten(text, 22) for text in texts]


def spread(edges: np.ndarray, most: int) -> list[int]:
    """Return the places of at most `most` edges that lie well apart, both ends among them."""
    wanted = np.linspace(0, 1, min(most, len(edges)))
    places = sorted({int(np.abs(edges - x).argmin()) for x in wanted} | {0, len(edges) - 1})
    kept = [0]
    last = len(edges) - 1
    for place in places[1:-1]:
        apart = 0.8 / most
        if edges[place] - edges[kept[-1]] >= apart and edges[last] - edges[place] >= apart:
            kept.append(place)
    return [*kept, last]


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

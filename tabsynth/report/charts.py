"""The charts of the report, drawn from the aggregates of an evaluation.

Real rows are grey areas, synthetic rows lines or narrow bars in the one accent colour, everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.result import ColumnProfile, Pairs, Score
from tabsynth.report.drawing import Drawing
from tabsynth.report.verdict import own_chance
from tabsynth.report.words import finite, number, percent, shorten

LABELLED_COLUMNS = 40
"""Most columns whose names are written beside the heat map; more are numbered."""
BARS = 8
"""Most categories with a bar of their own."""
OTHER = "(other)"
"""The cell that an evaluation gathers rare categories in."""

_ALIKE = 1.5
_MODERATE = 20.0
_HEAT = (0.18, 0.44, 0.86)
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


def draw_strip(score: Score, key: str, bar: bool = False) -> str | None:
    """Draw a score on its scale with reference, baseline and chance; None without a value.

    Parameters
    ----------
    score : Score
    key : str
        Unique on the page.
    bar : bool
        Draw the value as a bar from zero instead of a dot.
    """
    from matplotlib.ticker import MaxNLocator

    value = finite(score.value)
    if value is None:
        return None
    reference, baseline = finite(score.reference), finite(score.baseline)
    level = own_chance(score) if score.group == "disclosure" else None
    interval = score.interval
    ends = [] if interval is None else [finite(interval.low), finite(interval.high)]
    known = [x for x in (value, reference, baseline, level, *ends) if x is not None]
    known.append(0.0 if bar else score.best)
    if score.better == "half":
        known.append(score.best + 0.02)
    low, high = min(known), max(known)
    if high - low < 1e-12:
        high = low + (abs(low) or 1.0)
    wide = (high - low) * 1e-9
    nice = MaxNLocator(nbins=5).tick_values(low, high)
    ticks = [float(tick) for tick in nice if low - wide <= tick <= high + wide]
    drawing = Drawing(380, 58)

    def at(x: float) -> float:
        return 24 + (x - low) / (high - low) * 332

    drawing.line([(24, 38), (356, 38)], "rule")
    for tick in ticks:
        drawing.line([(at(tick), 38), (at(tick), 42)], "rule")
        drawing.text(at(tick), 54, f"{tick:.6g}", "center")
    if level is not None:
        drawing.line([(at(level), 6), (at(level), 38)], "muted", 1.2, (2.5, 2.5))
    if bar:
        left, right = sorted((at(0.0), at(value)))
        drawing.box(left, 14, right - left, 16, "synthetic", 0.85)
    if reference is not None:
        drawing.line([(at(reference), 9), (at(reference), 35)], "real", 3.0)
    low_end, high_end = ends if len(ends) == 2 else (None, None)
    if low_end is not None and high_end is not None:
        ink, width = ("ink", 1.4) if bar else ("synthetic", 3.0)
        drawing.line([(at(low_end), 22), (at(high_end), 22)], ink, width)  # type: ignore[arg-type]
        for end in (low_end, high_end):
            drawing.line([(at(end), 18), (at(end), 26)], ink, 1.4)  # type: ignore[arg-type]
    if baseline is not None:
        drawing.dot(at(baseline), 22, 4.6, "muted", hollow=True)
    if not bar:
        drawing.dot(at(value), 22, 5.6, "synthetic")
    return drawing.to_svg(key, _strip_title(score, reference, baseline, level))


def _strip_title(
    score: Score, reference: float | None, baseline: float | None, level: float | None
) -> str:
    parts = [f"{score.title}: synthetic {number(score.value)}"]
    for name, value in (("reference", reference), ("baseline", baseline), ("chance", level)):
        if value is not None:
            parts.append(f"{name} {number(value)}")
    return ", ".join(parts)


def draw_marginal(column: ColumnProfile, key: str) -> str | None:
    """Draw the distribution of a column in real and synthetic rows; None without one."""
    shares = shares_of(column)
    if shares is None:
        return None
    drawing = _draw_cells(shares) if shares.edges else _draw_bars(shares)
    return drawing.to_svg(key, f"Distribution of {column.name} in real and synthetic rows")


def draw_spark(column: ColumnProfile, key: str) -> str | None:
    """Draw the same in the size of a word."""
    shares = shares_of(column)
    if shares is None:
        return None
    drawing = Drawing(150, 40)
    if shares.edges:
        lefts, real, synthetic = _heights(shares)
        _overlay(drawing, lefts, real, synthetic, (2, 146), (3, 37))
    else:
        chosen, _ = _largest(shares, 12)
        top = max([*(x[1] for x in chosen), *(x[2] for x in chosen)]) or 1.0
        width = 146 / len(chosen)
        for place, (_, real_share, synthetic_share) in enumerate(chosen):
            left = 2 + place * width
            drawing.box(
                left, 37 - 34 * real_share / top, width * 0.82, 34 * real_share / top, "real", 0.55
            )
            y = 37 - 34 * synthetic_share / top
            drawing.line([(left, y), (left + width * 0.82, y)], "synthetic", 2.0)
    drawing.line([(2, 37.5), (148, 37.5)], "rule")
    return drawing.to_svg(key, f"Distribution of {column.name} in real and synthetic rows")


def is_stretched(shares: Shares) -> bool:
    """Return whether the intervals are drawn equally wide although they are not."""
    return bool(shares.edges) and _widths(shares)[1] > _MODERATE


def _widths(shares: Shares) -> tuple[np.ndarray, float]:
    """Return the widths of the intervals and how far they differ, infinite where unusable."""
    widths = np.diff(np.asarray(shares.edges, dtype=np.float64))
    if not np.isfinite(widths).all() or (widths <= 0).any():
        return widths, np.inf
    return widths, float(widths.max() / widths.min())


def _heights(shares: Shares) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges in [0, 1] and the heights of both histograms, which share a scale."""
    real, synthetic = np.asarray(shares.real), np.asarray(shares.synthetic)
    widths, ratio = _widths(shares)
    if ratio > _MODERATE:
        return np.linspace(0, 1, len(real) + 1), real, synthetic
    edges = np.concatenate([[0.0], np.cumsum(widths)]) / widths.sum()
    if ratio > _ALIKE:
        real, synthetic = real / widths, synthetic / widths
    return edges, real, synthetic


def _overlay(
    drawing: Drawing,
    edges: np.ndarray,
    real: np.ndarray,
    synthetic: np.ndarray,
    across: tuple[float, float],
    down: tuple[float, float],
) -> None:
    """Draw the real histogram as an area and the synthetic one as a line over it."""
    top = max(float(real.max()), float(synthetic.max())) or 1.0
    xs = across[0] + edges * (across[1] - across[0])

    def steps(heights: np.ndarray) -> list[tuple[float, float]]:
        ys = down[1] - heights / top * (down[1] - down[0])
        return [
            (float(x), float(y))
            for place, y in enumerate(ys)
            for x in (xs[place], xs[place + 1])
        ]

    floor = down[1]
    drawing.area([(float(xs[0]), floor), *steps(real), (float(xs[-1]), floor)], "real", 0.5)
    drawing.line(
        [(float(xs[0]), floor), *steps(synthetic), (float(xs[-1]), floor)], "synthetic", 1.8
    )


def _draw_cells(shares: Shares) -> Drawing:
    drawing = Drawing(370, 164)
    edges, real, synthetic = _heights(shares)
    _overlay(drawing, edges, real, synthetic, (4, 366), (8, 136))
    drawing.line([(4, 136.5), (366, 136.5)], "muted")
    labels = _edge_labels(shares)
    shown = _spread(edges, 5 if max(len(text) for text in labels) <= 8 else 3)
    for place in shown:
        x = 4 + float(edges[place]) * 362
        anchor = "left" if place == shown[0] else "right" if place == shown[-1] else "center"
        drawing.line([(x, 136), (x, 140)], "muted")
        drawing.text(x, 155, labels[place], anchor)  # type: ignore[arg-type]
    return drawing


def _edge_labels(shares: Shares) -> list[str]:
    """Return what is written at the edges: the ends that the cells name, else the numbers."""
    ends = [_INTERVAL.match(cell) for cell in shares.cells]
    found = [match for match in ends if match is not None]
    if len(found) == len(ends):
        texts = [match[1] for match in found] + [found[-1][2]]
    else:
        texts = [f"{edge:.6g}" for edge in shares.edges]
    return [shorten(text, 22) for text in texts]


def _spread(edges: np.ndarray, most: int) -> list[int]:
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


def _largest(shares: Shares, most: int) -> tuple[list[tuple[str, float, float]], str]:
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


def _draw_bars(shares: Shares) -> Drawing:
    rows, rest = _largest(shares, BARS)
    barred = rows[:-1] if rest and len(rows) > 1 else rows
    top = max([*(row[1] for row in barred), *(row[2] for row in barred)]) or 1.0
    step = 19.0 if len(rows) > 5 else 22.0
    drawing = Drawing(370, 12 + step * len(rows))
    for place, (cell, real, synthetic) in enumerate(rows):
        y = 6 + place * step
        text = y + step * 0.5 + 3.8
        bar = place < len(barred)
        drawing.text(118, text, shorten(cell, 18) or "(blank)", "right", "ink" if bar else "muted")
        if bar:
            drawing.box(126, y + step * 0.1, real / top * 148, step * 0.8, "real", 0.5)
            drawing.box(126, y + step * 0.34, synthetic / top * 148, step * 0.32, "synthetic")
        drawing.text(322, text, percent(real), "right")
        drawing.text(368, text, percent(synthetic), "right", "synthetic")
    drawing.line([(126, 4), (126, 8 + len(barred) * step)], "muted")
    return drawing


def draw_heat(pairs: Pairs, key: str) -> str | None:
    """Draw the distances of all pairs of columns; None with fewer than two columns."""
    n = len(pairs.columns)
    if n < 2 or len(pairs.tvd) < n:
        return None
    values = np.array([[finite(x) or 0.0 for x in row[:n]] for row in pairs.tvd[:n]])
    top = nice_top(float(values.max()))
    named = n <= LABELLED_COLUMNS
    names = [shorten(name, 24) for name in pairs.columns]
    longest = max(len(name) for name in names)
    left, cell = (30 + 6.0 * longest, min(28.0, 470 / n)) if named else (34.0, 600 / n)
    side = cell * n
    drawing = Drawing(left + side + 14, side + 72)
    drawing.image(left, 8, side, side, _heat(values / top))
    every = 1 if named else 10
    for place, name in enumerate(names):
        middle = 8 + (place + 0.5) * cell
        if named:
            size = min(10.5, max(7.5, cell * 0.8))
            text = f"{name}  {place + 1}"
            drawing.text(left - 6, middle + size * 0.35, text, "right", "ink", size)
            drawing.text(left - 8 + middle, side + 22, str(place + 1), "center", "muted", size)
        elif (place + 1) % every == 0 or place == 0:
            drawing.text(left - 6, middle + 3.5, str(place + 1), "right")
            drawing.text(left - 8 + middle, side + 22, str(place + 1), "center")
    width = min(180.0, side)
    drawing.image(left, side + 38, width, 10, _heat(np.linspace(0, 1, 64)[None, :]))
    drawing.text(left, side + 62, "0", "left")
    drawing.text(left + width, side + 62, f"{top:g}", "right")
    title = f"Two-way total variation distance of all pairs of {n} columns"
    return drawing.to_svg(key, title)


def nice_top(value: float) -> float:
    """Return the end of a colour scale: the next round number.

    Examples
    --------
    >>> nice_top(0.13)
    0.15
    """
    return next((top for top in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75) if value <= top), 1.0)


def _heat(levels: np.ndarray) -> np.ndarray:
    """Return colours whose opacity is the level, so that the page shows through at zero."""
    rgba = np.empty((*levels.shape, 4))
    rgba[..., :3] = _HEAT
    rgba[..., 3] = 0.03 + 0.97 * np.clip(levels, 0, 1)
    return rgba


def worst_columns(columns: Sequence[ColumnProfile]) -> list[ColumnProfile]:
    """Return the columns that can be drawn, the greatest distance first."""
    drawn = [column for column in columns if shares_of(column) is not None]
    return sorted(drawn, key=lambda column: -(finite(column.tvd) or 0.0))

"""The charts of the report, drawn from the aggregates of an evaluation.

Real rows are grey areas, synthetic rows lines or narrow bars in the one accent colour, everywhere.
"""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.result import ColumnProfile, Pairs, Score
from tabsynth.report.drawing import Drawing, Ink
from tabsynth.report.histograms import Shares, arrange, largest, shares_of, ticks_of
from tabsynth.report.verdict import own_chance
from tabsynth.report.words import finite, number, percent, shorten

LABELLED_COLUMNS = 40
"""Most columns whose names are written beside the heat map; more are numbered."""
BARS = 8
"""Most categories with a bar of their own."""

_CHARACTER = 6.2  # pixels
ACCENT = (0.18, 0.44, 0.86)
"""Colour of what is synthetic, or far off, in pictures; it stands out from both schemes."""


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
        ink: Ink = "ink" if bar else "synthetic"
        drawing.line([(at(low_end), 22), (at(high_end), 22)], ink, 1.4 if bar else 3.0)
        for end in (low_end, high_end):
            drawing.line([(at(end), 18), (at(end), 26)], ink, 1.4)
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
        lefts, real, synthetic = arrange(shares)
        _overlay(drawing, lefts, real, synthetic, (2, 146), (3, 37))
    else:
        chosen, rest = largest(shares, 13)
        chosen = chosen[:-1] if rest and len(chosen) > 1 else chosen
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
            (float(x), float(y)) for place, y in enumerate(ys) for x in (xs[place], xs[place + 1])
        ]

    floor = down[1]
    drawing.area([(float(xs[0]), floor), *steps(real), (float(xs[-1]), floor)], "real", 0.5)
    drawing.line(
        [(float(xs[0]), floor), *steps(synthetic), (float(xs[-1]), floor)], "synthetic", 1.8
    )


def _draw_cells(shares: Shares) -> Drawing:
    drawing = Drawing(370, 164)
    edges, real, synthetic = arrange(shares)
    _overlay(drawing, edges, real, synthetic, (4, 366), (8, 136))
    drawing.line([(4, 136.5), (366, 136.5)], "muted")
    for place, text in ticks_of(shares, edges, room=362 / _CHARACTER):
        x, half = 4 + place * 362, len(text) * _CHARACTER / 2
        drawing.line([(x, 136), (x, 140)], "muted")
        drawing.text(min(max(x, half), 370 - half), 155, text, "center")
    return drawing


def _draw_bars(shares: Shares) -> Drawing:
    rows, rest = largest(shares, BARS)
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
    drawing.image(left, 8, side, side, shade(values / top))
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
    drawing.image(left, side + 38, width, 10, shade(np.linspace(0, 1, 64)[None, :]))
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
    return next(
        (top for top in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75) if value <= top), 1.0
    )


def shade(levels: np.ndarray, colour: tuple[float, float, float] = ACCENT) -> np.ndarray:
    """Return colours whose opacity is the level, so that the page shows through at zero.

    Parameters
    ----------
    levels : ndarray of float, shape (n_rows, n_columns)
        In [0, 1].
    colour : tuple of float
        Red, green and blue in [0, 1].

    Returns
    -------
    ndarray of float, shape (n_rows, n_columns, 4)
    """
    rgba = np.empty((*levels.shape, 4))
    rgba[..., :3] = colour
    rgba[..., 3] = 0.03 + 0.97 * np.clip(levels, 0, 1)
    return rgba

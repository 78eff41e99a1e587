"""The worst pairs of columns drawn: real rows, synthetic rows, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.result import Joint
from tabsynth.report.charts import ACCENT, shade
from tabsynth.report.drawing import Drawing
from tabsynth.report.histograms import INTERVAL
from tabsynth.report.words import finite, percent, shorten

GREY = (0.48, 0.52, 0.57)
"""Colour of what is real in pictures."""
TABLE_CELLS = 24
"""Most combinations that the table behind a drawing lists."""
CELL_WIDTH = 40
"""Most characters of a cell in that table."""

_LEFT, _SIDE, _GAP, _TOP = 106, 82, 9, 18  # pixels


@dataclass(frozen=True)
class Combination:
    """One cell of a joint distribution."""

    first: str
    second: str
    real: float
    synthetic: float


def draw_joint(joint: Joint, key: str) -> str | None:
    """Draw real and synthetic rows and their difference side by side; None without shares.

    Parameters
    ----------
    joint : Joint
    key : str
        Unique on the page.
    """
    shares = _shares(joint)
    if shares is None:
        return None
    real, synthetic = shares
    n_rows, n_columns = real.shape
    step = min(16.0, max(11.0, 96 / n_rows))
    height = step * n_rows
    drawing = Drawing(370, _TOP + height + 20)
    top = float(max(real.max(), synthetic.max())) or 1.0
    gap = synthetic - real
    most = float(np.abs(gap).max()) or 1.0
    more, fewer = shade(np.sqrt(np.clip(gap / most, 0, 1))), np.sqrt(np.clip(-gap / most, 0, 1))
    panels = (
        ("real", shade(np.sqrt(real / top), GREY)),
        ("synthetic", shade(np.sqrt(synthetic / top), ACCENT)),
        ("difference", np.where((gap < 0)[..., None], shade(fewer, GREY), more)),
    )
    for place, cell in enumerate(joint.first_cells):
        text = shorten(brief(cell), 18) or "(blank)"
        drawing.text(_LEFT - 6, _TOP + (place + 0.5) * step + 3.4, text, "right", "ink", 9)
    # One picture for all panels, a pixel wide where the page has one: axes are slow to make.
    wide = np.arange(_SIDE) * n_columns // _SIDE
    gaps = np.zeros((n_rows, _GAP, 4))
    strips = [part for _, colours in panels for part in (colours[:, wide], gaps)]
    picture = np.concatenate(strips[:-1], axis=1)
    drawing.image(_LEFT, _TOP, picture.shape[1], height, picture)
    for panel, (title, _) in enumerate(panels):
        left = _LEFT + panel * (_SIDE + _GAP)
        drawing.text(left, 11, title, "left", "synthetic" if title == "synthetic" else "muted")
        for column in range(n_columns):
            x = left + (column + 0.5) * _SIDE / n_columns
            drawing.text(x, _TOP + height + 13, str(column + 1), "center", "muted", 9)
    title = f"Joint distribution of {joint.first} and {joint.second} in real and synthetic rows"
    return drawing.to_svg(key, title)


def brief(cell: str) -> str:
    """Return the name of a cell in a row of cells, where an interval ends at the next one.

    Examples
    --------
    >>> brief("below 18"), brief("[18, 22)"), brief("70 and above"), brief("missing")
    ('below 18', 'from 18', 'from 70', 'missing')
    """
    inside = INTERVAL.match(cell)
    if inside:
        return f"from {inside[1]}"
    return f"from {cell.removesuffix(' and above')}" if cell.endswith(" and above") else cell


def largest_gaps(joint: Joint) -> tuple[list[Combination], int]:
    """Return the combinations that differ most, and how many others there are."""
    shares = _shares(joint)
    if shares is None:
        return [], 0
    real, synthetic = (side.ravel() for side in shares)
    order = np.argsort(-np.abs(synthetic - real), kind="stable")[:TABLE_CELLS]
    width = len(joint.second_cells)
    found = [
        Combination(
            shorten(joint.first_cells[place // width], CELL_WIDTH),
            shorten(joint.second_cells[place % width], CELL_WIDTH),
            float(real[place]),
            float(synthetic[place]),
        )
        for place in order.tolist()
    ]
    return found, real.size - len(found)


def told(joint: Joint) -> str:
    """Return where synthetic rows are too many and too few, in a sentence.

    Examples
    --------
    >>> print(told(Joint("a", "b", ("x",), ("y", "z"), ((0.7, 0.3),), ((0.4, 0.6),))))
    Too many: x with z (60.0%, real 30.0%). Too few: x with y (40.0%, real 70.0%).
    """
    combinations, _ = largest_gaps(joint)
    parts = []
    for words, sign in (("Too many", 1), ("Too few", -1)):
        side = [x for x in combinations if sign * (x.synthetic - x.real) > 0]
        if side:
            x = side[0]
            parts.append(
                f"{words}: {x.first} with {x.second} "
                f"({percent(x.synthetic)}, real {percent(x.real)})."
            )
    return " ".join(parts)


def _shares(joint: Joint) -> tuple[np.ndarray, np.ndarray] | None:
    """Return both matrices of shares, unknown ones as 0; None where they do not fit the cells."""
    shape = len(joint.first_cells), len(joint.second_cells)
    sides = []
    for rows in (joint.real, joint.synthetic):
        if not all(shape) or len(rows) != shape[0] or {len(row) for row in rows} != {shape[1]}:
            return None
        known = [[max(finite(share) or 0.0, 0.0) for share in row] for row in rows]
        sides.append(np.asarray(known, dtype=np.float64))
    return sides[0], sides[1]

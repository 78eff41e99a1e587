"""What charts are drawn from: shares of few cells for every column, and distances of pairs."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from tabsynth.columns.base import ColumnType, Values, columns
from tabsynth.evaluation.cells import column_distances, gap_of_pair, pair_cells, pair_distances
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import Feature, Table
from tabsynth.evaluation.result import ColumnProfile, Joint, Pairs
from tabsynth.schema.schema import Column, Schema

MOST_CATEGORIES = 28
"""Categories that are drawn; the rest is "(other)"."""
MOST_NUMBERS = 25
"""A number with at most so many distinct real values has a cell for each."""
STEPS = 20
SECONDS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400 * days for days in (1, 2, 7, 14, 30, 90, 180, 365, 730, 1825, 3650, 7300, 36_500)),
)
"""Widths of intervals of time that people think in."""
MOST_COLUMNS = 60
"""Columns of which pairs are drawn; of more, the worst."""
JOINTS = 10
"""Pairs whose joint distribution is drawn, the worst ones."""
JOINT_CELLS = 8
"""Most cells of a column there, besides "missing"."""


def profiles(
    comparison: Comparison, schema: Schema, frame: pd.DataFrame
) -> tuple[ColumnProfile, ...]:
    """Return every column of the schema in aggregates, in its order.

    Parameters
    ----------
    comparison : Comparison
    schema : Schema
    frame : DataFrame
        The training table, for its dtypes.

    Privacy
    -------
    Exact shares and category names of real rows.
    """
    found = comparison.once(column_distances) if len(comparison.synthetic) else None
    drawn = []
    for column in schema:
        kind = columns.get(column.type)(column, schema.missing_of(column))
        place = comparison.place(column.name)
        if place is None:
            drawn.append(_undrawn(column, kind, frame))
            continue
        feature = comparison.features[place]
        real, synthetic = comparison.real.counts(place), comparison.synthetic.counts(place)
        cells, names, edges = (
            _categories(feature, real)
            if feature.is_nominal
            else _intervals(feature, real, synthetic, kind)
        )
        if real[-1] or synthetic[-1]:
            names.append("missing")
        size = len(names)
        drawn.append(
            ColumnProfile(
                name=column.name,
                type=column.type,
                role=column.role,
                treatment=kind.treatment(),
                measure=feature.measure,
                dtype=str(frame[column.name].dtype),
                cells=tuple(names),
                edges=tuple(edges),
                real=_shares(cells, real, size),
                synthetic=_shares(cells, synthetic, size),
                tvd=None if found is None else float(found.synthetic[place]),
                reference=None
                if found is None or found.fresh is None
                else float(found.fresh[place]),
            )
        )
    return tuple(drawn)


def _undrawn(column: Column, kind: ColumnType, frame: pd.DataFrame) -> ColumnProfile:
    dtype = str(frame[column.name].dtype)
    return ColumnProfile(column.name, column.type, column.role, kind.treatment(), "none", dtype)


def _shares(cells: np.ndarray, counts: np.ndarray, size: int) -> tuple[float, ...]:
    summed = np.bincount(cells, weights=counts, minlength=size)[:size]
    return tuple((summed / max(counts.sum(), 1)).tolist())


Cells = tuple[np.ndarray, list[str], list[float]]
"""Cell of each code (missing: the one after the last), names of the cells, edges."""


def _categories(feature: Feature, real: np.ndarray, most: int = MOST_CATEGORIES) -> Cells:
    """Return a cell for each frequent category, the most frequent first."""
    order = np.argsort(-real[:-1], kind="stable")
    few = len(order) <= most + 1
    kept = order if few else order[:most]
    names = [str(label) for label in feature.levels[kept]]
    cells = np.full(len(feature) + 1, len(kept))
    cells[kept] = np.arange(len(kept))
    if not few:
        names.append("(other)")
    cells[-1] = len(names)
    return cells, names, []


def _intervals(
    feature: Feature, real: np.ndarray, synthetic: np.ndarray, kind: ColumnType
) -> Cells:
    """Return a cell for each value where there are few, else intervals of equal width."""
    numbers = feature.numbers[:-1]
    seen = numbers[real[:-1] > 0]
    if not len(seen):
        seen = numbers
    if not len(seen):
        return np.zeros(1, dtype=np.int64), [], []
    if len(seen) <= MOST_NUMBERS:
        middles = (seen[1:] + seen[:-1]) / 2
        reach = float(np.diff(seen).min()) / 2 if len(seen) > 1 else 0.5
        edges = np.concatenate([[seen[0] - reach], middles, [seen[-1] + reach]])
        place = np.searchsorted(middles, numbers, side="right")
        return np.append(place, len(seen)), _written(seen, feature, kind), edges.tolist()
    cumulated = np.cumsum(real[:-1]) / real[:-1].sum()
    low, high = (float(numbers[np.searchsorted(cumulated, share)]) for share in (0.005, 0.995))
    edges = _edges(low, high, feature, kind)
    inside = _written(edges, feature, kind)
    if feature.levels.dtype.kind in "iu" and edges[1] - edges[0] == 1 and kind.name == "number":
        names = inside[:-1]
    else:
        names = [f"[{a}, {b})" for a, b in pairwise(inside)]
    place = np.searchsorted(edges, numbers, side="right")
    anywhere = (real[:-1] + synthetic[:-1]) > 0
    step = float(edges[1] - edges[0])
    bounds = edges.tolist()
    if (place[anywhere] == len(edges)).any():
        names, bounds = [*names, f"{inside[-1]} and above"], [*bounds, bounds[-1] + step]
    if (place[anywhere] == 0).any():
        names, bounds = [f"below {inside[0]}", *names], [bounds[0] - step, *bounds]
    else:
        place = np.maximum(place - 1, 0)
    return np.append(place, len(names)), names, bounds


def _edges(low: float, high: float, feature: Feature, kind: ColumnType) -> np.ndarray:
    """Return ascending edges of equal width around [low, high], on round numbers."""
    raw = (high - low) / STEPS or max(abs(low), 1.0) / STEPS
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * min(factor for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * 0.999)
    if feature.levels.dtype.kind in "iu":
        step = max(1.0, step)
        if kind.name != "number":
            step = next((wide for wide in _spans(kind) if wide >= raw * 0.999), step)
    first = math.floor(low / step)
    count = math.floor(high / step) - first + 1
    # Multiplied, not summed, and rounded to what the step can show: 0.3, not 0.30000000000000004.
    digits = max(0, 1 - math.floor(math.log10(step)))
    edges = np.round((first + np.arange(count + 1)) * step, digits)
    return edges if (np.diff(edges) > 0).all() else np.linspace(low, high, STEPS + 1)


def _spans(kind: ColumnType) -> list[float]:
    """Return widths of intervals of time in the ticks of a column (microseconds of texts)."""
    ticks = {"[s": 1.0, "[ms": 1e3, "[us": 1e6, "[ns": 1e9}
    stored = str(kind.column.dtype)
    unit = next((size for name, size in ticks.items() if name in stored), 1e6)
    return [seconds * unit for seconds in SECONDS]


def _written(numbers: np.ndarray, feature: Feature, kind: ColumnType) -> list[str]:
    """Return numbers as a reader of the table would write them."""
    if kind.name == "number" or feature.levels.dtype.kind not in "iu":
        return [f"{number:.10g}" for number in numbers]
    rendered = kind.render(Values(np.rint(numbers).astype(np.int64), np.zeros(len(numbers), bool)))
    if isinstance(rendered.dtype, np.dtype) and rendered.dtype.kind == "M" and len(numbers) > 1:
        fine = pd.Series(rendered).diff().min() < pd.Timedelta(days=2)
        dates = rendered.dt.strftime("%Y-%m-%d %H:%M" if fine else "%Y-%m-%d")
        return [str(date) for date in dates]
    return [str(value) for value in rendered]


def pairs(comparison: Comparison, schema: Schema) -> Pairs:
    """Return the distances of all pairs of columns, or of the 60 worst columns, in schema order."""
    n = len(comparison.features)
    if n < 2 or not len(comparison.synthetic):
        return Pairs()
    found = comparison.once(pair_distances)
    kept = np.arange(n)
    if n > MOST_COLUMNS:
        size = np.bincount(found.members.ravel(), minlength=n)
        total = np.bincount(
            found.members.ravel(), weights=np.repeat(found.synthetic, 2), minlength=n
        )
        kept = np.argsort(-total / np.maximum(size, 1), kind="stable")[:MOST_COLUMNS]
    names = schema.names
    kept = np.array(
        sorted(kept, key=lambda place: names.index(comparison.features[place].name)), dtype=np.int64
    )
    fresh = np.full(len(found.synthetic), np.nan) if found.fresh is None else found.fresh
    known = {
        (i, j): gaps for (i, j), *gaps in zip(found.members, found.synthetic, fresh, strict=True)
    }
    cells, sizes = comparison.once(pair_cells)
    matrix = np.zeros((2, len(kept), len(kept)))
    for row, i in enumerate(kept):
        for column in range(row):
            low, high = sorted((int(i), int(kept[column])))
            gaps = known.get((low, high))
            if gaps is None:
                measured = gap_of_pair(cells, sizes, low, high)
                gaps = [measured[0], measured[2] if len(measured) > 2 else np.nan]
            matrix[:, row, column] = matrix[:, column, row] = gaps
    first, second = np.triu_indices(len(kept), 1)
    beyond = matrix[0] if found.fresh is None else matrix[0] - matrix[1]
    worst = np.argsort(-beyond[first, second], kind="stable")[:JOINTS]
    joints = []
    for i, j in zip(first[worst], second[worst], strict=True):
        tvd, reference = (float(gap) for gap in matrix[:, i, j])
        joint = _joint(comparison, schema, int(kept[i]), int(kept[j]))
        joints.append(replace(joint, tvd=tvd, reference=None if found.fresh is None else reference))
    return Pairs(
        tuple(comparison.features[place].name for place in kept),
        tuple(tuple(row) for row in matrix[0].tolist()),
        tuple(joints),
    )


def _joint(comparison: Comparison, schema: Schema, i: int, j: int) -> Joint:
    """Return the joint distribution of two features in the rows that their distance is of."""
    real, synthetic = tables = comparison.real, comparison.synthetic.first(comparison.n_equal)
    (first, first_names), (second, second_names) = (
        _coarse(comparison.features[place], [table.counts(place) for table in tables], schema)
        for place in (i, j)
    )
    shape = len(first_names), len(second_names)

    def shares(table: Table) -> tuple[tuple[float, ...], ...]:
        joint = first[table.codes[:, i]] * shape[1] + second[table.codes[:, j]]
        counts = np.bincount(joint, minlength=shape[0] * shape[1])
        rounded = np.round(counts / max(len(table), 1), 6).reshape(shape)
        return tuple(tuple(row) for row in rounded.tolist())

    return Joint(
        comparison.features[i].name,
        comparison.features[j].name,
        tuple(first_names),
        tuple(second_names),
        shares(real),
        shares(synthetic),
    )


def _coarse(
    feature: Feature, counts: list[np.ndarray], schema: Schema
) -> tuple[np.ndarray, list[str]]:
    """Return few cells of a feature and their names, from its counts in real and other rows."""
    column = schema[feature.name]
    kind = columns.get(column.type)(column, schema.missing_of(column))
    real, synthetic = counts
    if feature.is_nominal:
        cells, names, _ = _categories(feature, real, JOINT_CELLS - 1)
    elif np.count_nonzero(real[:-1]) <= JOINT_CELLS:
        cells, names, _ = _intervals(feature, real, synthetic, kind)
    else:
        cells, names = _parts(feature, real, kind)
    return cells, [*names, "missing"] if real[-1] or synthetic[-1] else names


def _parts(feature: Feature, real: np.ndarray, kind: ColumnType) -> tuple[np.ndarray, list[str]]:
    """Return intervals with equal shares of the real rows, as far as equal numbers allow."""
    cumulated = np.cumsum(real[:-1])
    wanted = cumulated[-1] * np.arange(1, JOINT_CELLS) / JOINT_CELLS
    cuts = np.unique(np.maximum(np.searchsorted(cumulated, wanted, side="right"), 1))
    ends = _written(feature.numbers[cuts], feature, kind)
    names = [f"below {ends[0]}", *(f"[{a}, {b})" for a, b in pairwise(ends))]
    place = np.searchsorted(cuts, np.arange(len(real) - 1), side="right")
    return np.append(place, len(cuts) + 1), [*names, f"{ends[-1]} and above"]

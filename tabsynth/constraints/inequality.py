"""Inequality: one column is never below another; what is learnt is the distance between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from tabsynth.columns.base import Values
from tabsynth.constraints.base import Constraint, constraints
from tabsynth.errors import SchemaError
from tabsynth.schema.schema import Schema

_DECIMALS = 9
"""Where distances of reals are rounded, so that 0.3 - 0.2 is 0.1."""


@constraints.register("inequality")
@dataclass(frozen=True)
class Inequality(Constraint):
    """``low <= high`` in every row where both are present.

    Written as ``inequality: [low, "<=", high]``. Where the lower value is missing, the upper one is
    put at a distance from the lower value of another row.

    Attributes
    ----------
    low, high : str
        Names of two columns of numbers, or two of dates, stored in the same unit.
    """

    name: ClassVar[str] = "inequality"
    low: str
    high: str

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The lower column."""
        return (self.low,)

    @property
    def writes(self) -> str:  # type: ignore[override]
        """The upper column."""
        return self.high

    @classmethod
    def parse(cls, argument: Any, schema: Schema) -> Self:
        """Build from ``[low, "<=", high]``."""
        wrong = SchemaError(
            'An inequality is written as inequality: [low, "<=", high] with two columns of the '
            "schema, both of numbers or both of dates."
        )
        if not isinstance(argument, (list, tuple)) or len(argument) != 3 or argument[1] != "<=":
            raise wrong
        low, _, high = argument
        if low not in schema or high not in schema or low == high:
            raise wrong
        kinds = {schema[low].type, schema[high].type}
        if kinds not in ({"number"}, {"datetime"}):
            raise wrong
        return cls(str(low), str(high))

    def broken(self, values: Mapping[str, Values]) -> np.ndarray:
        """Return which rows hold both values, and the upper one below the lower."""
        low, high = values[self.low], values[self.high]
        broken: np.ndarray = ~low.missing & ~high.missing & (low.data > high.data)
        return broken

    def check(self, values: Mapping[str, Values]) -> list[str]:
        """Return a sentence if rows break the rule."""
        both = ~values[self.low].missing & ~values[self.high].missing
        rows = np.flatnonzero(self.broken(values))
        if not len(rows):
            return []
        shown = ", ".join(f"{row + 1:,}" for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
        return [
            f"Inequality {self.low!r} <= {self.high!r}: {len(rows):,} of {int(both.sum()):,} rows "
            f"break it (rows {shown}). Mend the rows, or take the constraint out of the schema."
        ]

    def replace(self, values: Mapping[str, Values]) -> Values:
        """Return the distances; rows without a lower value get those of other rows in turn."""
        low, high = values[self.low], values[self.high]
        both = ~low.missing & ~high.missing
        with np.errstate(over="ignore"):
            gaps = high.data - low.data
        if gaps.dtype.kind == "f":
            gaps = np.round(gaps, _DECIMALS)
        alone = ~high.missing & low.missing
        if alone.any():
            known = gaps[both] if both.any() else np.zeros(1, dtype=gaps.dtype)
            gaps[alone] = np.resize(known, int(alone.sum()))
        gaps[high.missing] = 0
        return Values(gaps, high.missing)

    def treatment(self) -> str:
        """Say from which column distances are learnt."""
        return f"learnt, never below {self.low}"

    def require(self, values: Mapping[str, Values], wanted: Values) -> Mapping[str, Values]:
        """Return the upper value less the distance."""
        with np.errstate(over="ignore"):
            low = wanted.data - values[self.high].data
        if low.dtype.kind == "f":
            low = np.round(low, _DECIMALS)
        return {self.low: Values(low, values[self.low].missing)}

    def restore(self, values: Mapping[str, Values]) -> Values:
        """Return lower value plus distance."""
        low, gap = values[self.low], values[self.high]
        base = low.data.copy()
        if low.missing.any():
            known = low.data[~low.missing] if not low.missing.all() else np.zeros(1, base.dtype)
            base[low.missing] = np.resize(known, int(low.missing.sum()))
        high = base + gap.data
        if high.dtype.kind == "f":
            high = np.round(high, _DECIMALS)
        return Values(high, gap.missing)


def find_inequalities(schema: Schema, values: Mapping[str, Values]) -> list[dict[str, list[str]]]:
    """Return the inequalities between dates that hold in every row and are worth keeping.

    A later date is tied to an earlier one where the distances vary far less than the date itself
    does (a discharge to its admission, but not to a birth), and where the earlier one is there
    whenever the later one is.

    Parameters
    ----------
    schema : Schema
    values : mapping of str to Values
        Parsed columns.
    """
    dates = [
        column.name
        for column in schema
        if column.type == "datetime" and not column.get("minimum") and not column.get("maximum")
    ]
    found: dict[str, tuple[float, str]] = {}
    for high in dates:
        for low in dates:
            if low == high or schema[low].dtype != schema[high].dtype or _tied(low, high, found):
                continue
            ratio = _tightness(values[low], values[high])
            if ratio is not None and (high not in found or ratio < found[high][0]):
                found[high] = (ratio, low)
    return [{"inequality": [low, "<=", high]} for high, (_, low) in found.items()]


def _tied(low: str, high: str, found: Mapping[str, tuple[float, str]]) -> bool:
    """Return whether `low` already hangs, through others, on `high`."""
    while low in found:
        low = found[low][1]
        if low == high:
            return True
    return False


def _tightness(low: Values, high: Values) -> float | None:
    """Return how much distances vary beside the later date; None where they are not worth it."""
    present = ~high.missing
    both = present & ~low.missing
    if both.sum() < 20 or both.sum() < 0.99 * present.sum():
        return None
    gaps = high.data[both] - low.data[both]
    if (gaps < 0).any():
        return None

    def spread(numbers: np.ndarray) -> float:
        tail = np.quantile(numbers, [0.05, 0.95])
        return float(tail[1] - tail[0])

    own = spread(high.data[both])
    ratio = spread(gaps) / own if own else 1.0
    return ratio if ratio <= 0.25 else None

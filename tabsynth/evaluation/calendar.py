"""Calendar: whether dates and times fall on the hours, weekdays and months of the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.cells import distance
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.sides import Sides, found
from tabsynth.schema.schema import Column

PARTS: Mapping[str, int] = {"hour": 24, "weekday": 7, "month": 12}
"""What is read off a point in time, and how many of them there are."""


def parts(times: np.ndarray) -> dict[str, np.ndarray]:
    """Return hour of day (0-23), weekday (0 is Monday) and month (0 is January).

    Parameters
    ----------
    times : ndarray of datetime64, shape (n,)
        Without NaT; wall-clock time.

    Returns
    -------
    dict of str to ndarray of int64, shape (n,)

    Examples
    --------
    >>> found = parts(np.array(["2024-02-29T13:05"], dtype="datetime64[s]"))
    >>> {name: int(part[0]) for name, part in found.items()}
    {'hour': 13, 'weekday': 3, 'month': 1}
    """
    days, months = times.astype("datetime64[D]"), times.astype("datetime64[M]")
    # The first day of 1970 was a Thursday.
    return {
        "hour": (times.astype("datetime64[h]") - days).astype(np.int64),
        "weekday": (days.astype(np.int64) + 3) % 7,
        "month": months.astype(np.int64) % 12,
    }


def unit_of(column: Column) -> str:
    """Return the unit of the ticks of a column of dates: that of its dtype, else microseconds."""
    spec = column.dtype
    text = str(spec.get("arrow", "") if isinstance(spec, Mapping) else spec)
    return next((unit for unit in ("ns", "us", "ms", "s") if f"[{unit}" in text), "us")


def _datetimes(comparison: Comparison) -> list[tuple[int, str]]:
    """Return place and unit of the compared columns that hold dates."""
    if comparison.schema is None:
        return []
    types = {column.name: column for column in comparison.schema if column.type == "datetime"}
    return [
        (place, unit_of(types[feature.name]))
        for place, feature in enumerate(comparison.features)
        if feature.name in types
    ]


@measures.register("calendar")
class Calendar(Measure):
    """Mean total variation distance of hours of day, weekdays and months."""

    order = 15
    figures = (
        Figure(
            "calendar",
            "Hours, weekdays and months of dates (total variation)",
            "fidelity",
            "lower",
            0.0,
            "How far the shares of hours of the day, of weekdays and of months are from the real "
            "ones, averaged over these and over the columns of dates: 0 is no difference, 1 is "
            "nothing in common. What is always the same, such as the hour of plain dates, is "
            "left out.",
        ),
    )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return the measure if there is a column of dates."""
        return [cls()] if _datetimes(comparison) else []

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the mean over profiles, with each of them in the details."""
        sides = Sides.of(comparison)
        names, gaps = [], []
        for place, unit in _datetimes(comparison):
            levels = comparison.features[place].levels.astype(np.int64)
            counts = [table.counts(place)[:-1] for table in sides.tables]
            if not counts[0].any():
                continue
            for name, part in parts(levels.view(f"datetime64[{unit}]")).items():
                profiles = [np.bincount(part, some, PARTS[name]) for some in counts]
                # What never varies says nothing, unless the synthetic rows are elsewhere.
                if np.count_nonzero(profiles[0] + profiles[1]) > 1:
                    names.append((comparison.features[place].name, name))
                    gaps.append([_gap(some, profiles[0]) for some in profiles[1:]])
        if not names:
            problem = (
                "No hour, weekday or month varies in the columns of dates, or all their cells are "
                "missing."
            )
            return [self.figures[0].absent(problem)]
        known = found(list(np.array(gaps).T))
        profiles_of: dict[str, dict[str, float]] = {}
        for (column, name), gap in zip(names, known.synthetic.tolist(), strict=True):
            profiles_of.setdefault(column, {})[name] = gap
        details = {"profiles": len(names), "columns": profiles_of}
        return [known.score(self.figures[0], marginal=True, details=details)]


def _gap(counts: np.ndarray, real: np.ndarray) -> float:
    """Return the distance of two profiles; 1 where there is nothing on one side."""
    return distance(counts, real) if counts.any() else 1.0

"""Single cell values as JSON and back: what a label of a category looks like in a file."""

from __future__ import annotations

import base64
import datetime
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.errors import SchemaError

_PLAIN = (str, bool, int)

# Read in order: a Timestamp is a datetime, and a datetime is a date.
_WRITE: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (pd.Timestamp, "timestamp", lambda value: _write_timestamp(value)),
    (pd.Timedelta, "timedelta", lambda value: [int(value.asm8.astype(np.int64)), value.unit]),
    (datetime.datetime, "datetime", datetime.datetime.isoformat),
    (datetime.date, "date", datetime.date.isoformat),
    (datetime.time, "time", datetime.time.isoformat),
    (
        datetime.timedelta,
        "duration",
        lambda value: [value.days, value.seconds, value.microseconds],
    ),
    (Decimal, "decimal", str),
    (uuid.UUID, "uuid", str),
    (bytes, "bytes", lambda value: base64.b64encode(value).decode("ascii")),
    (
        pd.Interval,
        "interval",
        lambda value: [label_to_json(value.left), label_to_json(value.right), value.closed],
    ),
    (float, "float", repr),
)

_READ: Mapping[str, Callable[[Any], Any]] = {
    "timestamp": lambda value: _read_timestamp(*value),
    "timedelta": lambda value: pd.Timedelta(_scalar("timedelta64", *value)),
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "duration": lambda value: datetime.timedelta(*value),
    "decimal": Decimal,
    "uuid": uuid.UUID,
    "bytes": base64.b64decode,
    "interval": lambda value: pd.Interval(
        label_from_json(value[0]), label_from_json(value[1]), value[2]
    ),
    "float": float,
}

CELL_TYPES: tuple[type, ...] = (*_PLAIN, *(kind for kind, _, _ in _WRITE), np.generic)
"""The types that a single cell of an `object` column may have."""


def label_to_json(label: Any) -> Any:
    """Return a cell value as JSON: texts, booleans and numbers as they are, others tagged.

    Raises
    ------
    SchemaError
        If values of its type cannot be written.

    Examples
    --------
    >>> import datetime
    >>> label_to_json("a"), label_to_json(datetime.date(2020, 2, 29))
    ('a', {'date': '2020-02-29'})
    """
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, _PLAIN) or (isinstance(label, float) and math.isfinite(label)):
        return label
    for kind, tag, write in _WRITE:
        if isinstance(label, kind):
            return {tag: write(label)}
    raise SchemaError(
        f"Cells of type {type(label).__name__} cannot be kept in a file. Turn them into text."
    )


def label_from_json(value: Any) -> Any:
    """Return the cell value that `label_to_json` wrote.

    Examples
    --------
    >>> label_from_json({"decimal": "1.50"})
    Decimal('1.50')
    """
    if isinstance(value, Mapping):
        (tag, content), *_ = value.items()
        if tag not in _READ:
            raise SchemaError(f"A label is tagged {tag!r}. Allowed: {', '.join(sorted(_READ))}.")
        return _READ[tag](content)
    return value


def order_of(labels: Sequence[Any]) -> list[int]:
    """Return the positions of labels in a fixed order: by type, then by value.

    Examples
    --------
    >>> order_of(["b", 2, "a", 1])
    [3, 1, 2, 0]
    """
    try:
        return sorted(range(len(labels)), key=lambda i: (type(labels[i]).__name__, labels[i]))
    except TypeError:  # values of one type that have no order among themselves
        return sorted(range(len(labels)), key=lambda i: (type(labels[i]).__name__, repr(labels[i])))


def _write_timestamp(value: pd.Timestamp) -> list[Any]:
    zone = None if value.tzinfo is None else str(value.tzinfo)
    return [int(value.asm8.astype(np.int64)), value.unit, zone]


def _read_timestamp(ticks: int, unit: str, zone: str | None) -> pd.Timestamp:
    value = pd.Timestamp(_scalar("datetime64", ticks, unit))
    return value if zone is None else value.tz_localize("UTC").tz_convert(zone)


def _scalar(kind: str, ticks: int, unit: str) -> Any:
    return np.array(ticks, dtype=f"{kind}[{unit}]")[()]

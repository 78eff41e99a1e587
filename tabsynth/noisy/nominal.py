"""Categories and booleans under a budget: noisy counts of labels that are declared or shown."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.columns import ColumnCodec, ColumnType, Values
from tabsynth.columns._nominal import LabelCounts, key_of
from tabsynth.columns.category import OTHER, Category
from tabsynth.encoding.coding import Coding
from tabsynth.errors import PrivacyError
from tabsynth.privacy import histogram
from tabsynth.privacy.cells import projected, whole_counts
from tabsynth.privacy.histogram import Buyer
from tabsynth.schema import Column
from tabsynth.schema.arrays import TEXT
from tabsynth.schema.dtype import describe
from tabsynth.schema.labels import label_from_json, label_to_json, order_of

PRESENT = 2.0
"""Cells that are missing, and labels beyond those declared, get a code where noisy counts are at
least so many standard deviations. Of columns that have none, one in 44 seems to have some; what is
made of them on average is 0.05 standard deviations, not the 0.4 of a count cut off at 0, and where
there are some they are off by less than 0.7 standard deviations on average."""
_OTHERS_FROM = 2.0
"""Standard deviations of noise that the rows of labels not shown must exceed to be believed."""


@dataclass(frozen=True)
class Bought:
    """A column whose coding was paid for.

    Attributes
    ----------
    column : Column
        With what was bought as `learned` parameters.
    codec : ColumnCodec
    values : Values
        Its rows, ready to be encoded.
    counts : list of (ndarray of float64, float)
        Noisy counts of each block (with its parent's codes before, where it has one), and the root
        mean square noise of their cells.
    """

    column: Column
    codec: ColumnCodec
    values: Values
    counts: list[tuple[np.ndarray, float]]


def buy_labels(
    type_: ColumnType,
    values: Values,
    n_rows: int,
    coding: Coding,
    rho: float,
    delta: float,
    buyer: Buyer,
) -> Bought:
    """Buy the counts of the labels of a column, and the labels where they are not declared.

    Parameters
    ----------
    type_ : Category or Boolean
    values : Values
        Read cell by cell.
    n_rows : int
        A public or noisy number of rows.
    coding : Coding
    rho, delta : float
        The price; `delta` is paid only for labels that are not declared.
    buyer : Buyer

    Raises
    ------
    PrivacyError
        If no label can be shown and the column has no room for `__other__`.

    Notes
    -----
    Privacy: each row is in one count. Which labels there are is public, or decided by noisy counts
    against a threshold; all others share a code. With declared labels that code, and with any the
    one of missing cells, is left out where the noisy count of them is near 0 (`PRESENT`), and rows
    that would have it get the label that is most frequent by noisy counts.
    """
    column = type_.column
    nullable = bool(column.get("nullable", True))
    what = f"counts of column {column.name!r}"
    listed = type_.categories() if isinstance(type_, Category) else [False, True]
    others = isinstance(type_, Category)
    if not nullable and listed:
        values = _filled(values, listed[0])
    if listed is not None:
        exact = _positions(values, listed)
        gap = len(listed) + others
        counts = np.bincount(np.where(values.missing, gap, exact), minlength=gap + 1)
        counts = counts[: gap + nullable]
        noisy, sigma = buyer.counts(what, counts, rho)
        kept = np.ones(len(noisy), dtype=bool)
        kept[len(listed) :] = noisy[len(listed) :] >= PRESENT * sigma
        if nullable and not kept[gap]:
            # Noise says that none is missing: a code for it would bring forth missing cells.
            nullable, values = False, _filled(values, listed[int(np.argmax(noisy[: len(listed)]))])
        others = others and bool(kept[len(listed)])
        raw, noise = noisy[kept].astype(np.float64), sigma
        believed = projected(raw, n_rows)
    else:
        held = LabelCounts.of(values)
        found = [label for (_, label), _ in held.counts.items()]
        present = np.array(list(held.counts.values()), dtype=np.int64)
        what = f"labels and {what}"
        noisy, missing, shown, sigma = histogram.labels(
            what, present, int(held.missing), rho, delta, buyer
        )
        places = [place for place in order_of(found) if shown[place]]
        places.sort(key=lambda place: -noisy[place])
        listed = [found[place] for place in places]
        parts = noisy[places].astype(np.float64)
        # Noise says that none is missing; rows that are get the most frequent label below.
        nullable = nullable and (missing >= PRESENT * sigma or not listed)
        gaps = [float(missing)] if nullable else []
        rest = n_rows - parts.sum() - sum(gaps)
        deviation = sigma * float(np.sqrt(len(parts) + len(gaps)))
        raw = np.array([*parts, rest, *gaps])
        noise = float(np.sqrt((sigma**2 * (len(raw) - 1) + deviation**2) / len(raw)))
        trusted = np.array([*parts, rest if rest > _OTHERS_FROM * deviation else 0.0, *gaps])
        believed = projected(trusted, n_rows)
        if not nullable and listed:
            values = _filled(values, listed[0])
    if isinstance(type_, Category):
        type_ = _released(type_, listed)
        if not listed and not type_.holds(OTHER) and type_.column.get("other") is None:
            raise PrivacyError(
                f"Column {column.name!r}: noise hides every value, so none can be shown. Declare "
                "its categories: [...] in the schema, or give a larger epsilon."
            )
    whole = whole_counts(believed).tolist()
    keys = [key_of(label) for label in (*listed, _OTHER)][: len(listed) + others]
    summary = LabelCounts(dict(zip(keys, whole, strict=False)), whole[-1] if nullable else 0)
    type_ = _with(type_, nullable=nullable)
    codec = type_.fit(summary, coding)
    learned = frozenset(set(type_.column.parameters) - set(column.parameters))
    return Bought(replace(type_.column, learned=learned), codec, values, [(raw, noise)])


class _Unshown:
    """Stands for all labels that are not shown; equal to none of them."""


_OTHER: Any = _Unshown()


def _positions(values: Values, listed: list[Any]) -> np.ndarray:
    """Return the place of each row's label in `listed`, or behind it; int64."""
    place = {key_of(label): n for n, label in enumerate(listed)}
    known = [place.get(key_of(label), len(listed)) for label in values.labels or ()]
    positions: np.ndarray = np.array([*known, 0], dtype=np.int64)[
        np.where(values.missing, -1, values.data)
    ]
    return positions


def _filled(values: Values, label: Hashable) -> Values:
    """Return values in which missing cells hold `label`."""
    labels = [*(values.labels or ()), label]
    place = [key_of(own) for own in labels].index(key_of(label))
    data = np.where(values.missing, place, values.data)
    return Values(data, np.zeros(len(values), dtype=bool), tuple(labels))


def _with(type_: ColumnType, **parameters: Any) -> ColumnType:
    column = replace(type_.column, parameters={**type_.column.parameters, **parameters})
    return type(type_)(column, type_.missing_values)


def _released(type_: Category, listed: list[Any]) -> Category:
    """Return the type with `listed` as its categories and room for them in the dtype."""
    column = type_.column
    parameters = {**column.parameters, "categories": [label_to_json(label) for label in listed]}
    spec = column.dtype
    if isinstance(spec, Mapping) and "category" in spec:
        other = column.get(
            "other",
            OTHER if isinstance(spec["category"], str) and spec["category"] in TEXT else None,
        )
        more = [] if other is None or other in listed else [label_from_json(other)]
        levels = pd.CategoricalDtype(pd.Index([*listed, *more], dtype=None if listed else "str"))
        described = describe(pd.Series([], dtype=levels))
        spec = {**spec, "levels": described["levels"] if isinstance(described, dict) else []}
    return Category(replace(column, parameters=parameters, dtype=spec), type_.missing_values)

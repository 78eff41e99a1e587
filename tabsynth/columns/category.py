"""Categories of any number: labels are kept exactly, and rare ones are not released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._nominal import LabelCodec, LabelCounts, NominalType, key_of
from tabsynth.columns.base import Claim, ColumnCodec, Profile, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema.dtype import is_text, levels_of
from tabsynth.schema.labels import label_from_json
from tabsynth.schema.schema import Column

MINIMUM_COUNT = 5
"""Fewest rows that must hold a value before it is released."""

OTHER = "__other__"
"""What values that are not among declared categories are written as, where texts may stand."""

_MARGIN = 2
"""Where rows are held out, a value must still be frequent enough among those that are left."""


@columns.register("category")
class Category(NominalType):
    """Labels (texts, numbers, booleans, dates) without arithmetic.

    Notes
    -----
    Privacy: a value that fewer than `minimum_count` rows hold is not released: neither the model
    nor a synthetic row ever shows it. Such values share one code, which is written as `other` or,
    without that, as a released value drawn in proportion to the counts. The levels of a pandas
    `category` dtype are part of the dtype, so they are taken as declared and all released. Where
    `categories` are declared, these and no others are released, however many rows hold them. The
    codec holds exact counts of the released values; nothing here is noisy.
    """

    name = "category"
    description = "Labels of any number; values that few rows hold are not released."
    parameters: ClassVar[Mapping[str, str]] = {
        "categories": "list of all values that may be shown; all others are `other`",
        "minimum_count": "fewest rows that must hold a value before it is released (default "
        f"{MINIMUM_COUNT})",
        "other": "label written for values that are not released; without it a released value",
        "nullable": "whether cells may be missing although none is",
    }

    def __init__(self, column: Column, missing_values: frozenset[str] = frozenset({""})) -> None:
        super().__init__(column, missing_values)
        floor = column.get("minimum_count", MINIMUM_COUNT)
        if isinstance(floor, bool) or not isinstance(floor, int) or floor < 1:
            raise SchemaError(
                f"Column {column.name!r} (category): minimum_count must be a whole number of at "
                "least 1."
            )
        self.minimum_count = floor
        self.categories()

    def categories(self) -> list[Any] | None:
        """Return the declared categories, as the column stores them; None without any.

        Raises
        ------
        SchemaError
            If they are no list of different values.
        """
        listed = self.column.get("categories")
        if listed is None:
            return None
        if isinstance(listed, str) or not isinstance(listed, Sequence):
            raise self._wrong_categories()
        labels = [label_from_json(label) for label in listed]
        if is_text(self.column.dtype):
            labels = [label if isinstance(label, str) else str(label) for label in labels]
        if len({key_of(label) for label in labels}) < len(labels):
            raise self._wrong_categories()
        return labels

    def _wrong_categories(self) -> SchemaError:
        return SchemaError(
            f"Column {self.column.name!r} (category): categories must be a list of different "
            "values, such as ['low', 'high'], in quotes where a text could be read as a number or "
            "a truth value."
        )

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim category dtypes, and texts or mixed objects of which a value can be released."""
        dtype = profile.series.dtype
        counts = profile.counts.to_numpy(dtype=np.int64, na_value=0)
        counts = counts[counts > 0]
        n_distinct, n_rare = len(counts), int((counts < MINIMUM_COUNT).sum())
        reason = "1 distinct value" if n_distinct == 1 else f"{n_distinct:,} distinct values"
        if isinstance(dtype, pd.CategoricalDtype):
            order = ", in order" if dtype.ordered else ""
            return Claim(0.75, f"stored as categories{order}: {reason}")
        if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
            return None
        if dtype.kind in "mM":
            return None
        if n_distinct == 0 or counts.max() < _MARGIN * MINIMUM_COUNT:
            return None
        if n_rare:
            reason += f", {n_rare:,} of them in fewer than {MINIMUM_COUNT} rows"
        if 2 * counts[counts >= MINIMUM_COUNT].sum() < counts.sum():
            return Claim(0.3, f"{reason}, and together in most rows")
        return Claim(0.5 if profile.is_text else 0.4, reason)

    def fit(self, summary: LabelCounts, coding: Coding) -> ColumnCodec:
        """Release the values that are frequent enough, or declared as levels of the dtype.

        Raises
        ------
        SchemaError
            If there are values and none of them may be released.
        """
        spec = self.column.dtype
        levels, categories = levels_of(spec), self.categories()
        ranked = summary.ranked()
        if categories is not None:
            self._require_room(categories, "categories")
            released = [(label, summary.counts.get(key_of(label), 0)) for label in categories]
            seen = {key_of(label) for label in categories}
            ranked = released + [pair for pair in ranked if key_of(pair[0]) not in seen]
        elif levels is None:
            released = [pair for pair in ranked if pair[1] >= self.minimum_count]
        else:
            place = {key_of(level): position for position, level in enumerate(levels)}
            released = [pair for pair in ranked if key_of(pair[0]) in place]
        ordered = levels is not None and isinstance(spec, Mapping) and bool(spec.get("ordered"))
        if ordered and categories is None:
            released.sort(key=lambda pair: place[key_of(pair[0])])
        if ranked and not released and categories is None:
            raise SchemaError(
                f"Column {self.column.name!r} (category): no value is held by "
                f"{self.minimum_count} or more rows, so none may be released. Set minimum_count "
                "lower (1 releases every value), or set the type to text to leave the column out."
            )
        if not ranked and not summary.missing and categories is None:
            raise SchemaError(f"Column {self.column.name!r} (category): there is nothing to learn.")
        has_other, other_label = len(released) < len(ranked), None
        if has_other and self.column.get("other") is not None:
            other_label = label_from_json(self.column.get("other"))
            self._require_room([other_label], "other")
        elif has_other and categories is not None and self.holds(OTHER):
            other_label = OTHER
        return LabelCodec(
            self.column.name,
            [label for label, _ in released],
            [count for _, count in released],
            other=has_other,
            other_label=other_label,
            nullable=summary.missing > 0 or bool(self.column.get("nullable", False)),
            ordered=ordered,
        )

    def holds(self, label: Any) -> bool:
        """Return whether the column, as it is stored, has room for `label`."""
        try:
            self._require_room([label], "")
        except SchemaError:
            return False
        return True

    def treatment(self) -> str:
        """Return what will happen to the column."""
        return "learnt" if self.minimum_count > 1 else "learnt, rare values included"

"""Booleans: true and false, in whatever way the source stores or spells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._nominal import LabelCodec, LabelCounts, NominalType, key_of
from tabsynth.columns.base import Claim, ColumnCodec, Profile, Values, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema.dtype import is_text, levels_of
from tabsynth.schema.schema import Column

_SPELLINGS = ({"false", "true"}, {"f", "t"})
_MOST_SPELLINGS = 2**4 + 2**5  # of true and false, in capitals and small letters
_TRUTHS: Mapping[str, int] = {"false": 0, "f": 0, "true": 1, "t": 1}


@columns.register("boolean")
class Boolean(NominalType):
    """True and false.

    Notes
    -----
    Privacy: both values are always released, since both are known beforehand. The codec holds how
    often each occurs, exactly.
    """

    name = "boolean"
    description = "True and false, stored as such or spelled true/false or t/f."
    parameters: ClassVar[Mapping[str, str]] = {
        "labels": "columns of texts or categories: [what false is written as, what true is]",
        "nullable": "whether cells may be missing although none is",
    }

    def __init__(self, column: Column, missing_values: frozenset[str] = frozenset({""})) -> None:
        super().__init__(column, missing_values)
        labels = column.get("labels", ("false", "true"))
        pair = isinstance(labels, Sequence) and not isinstance(labels, str) and len(labels) == 2
        if not pair or labels[0] == labels[1]:
            raise SchemaError(
                f"Column {column.name!r} (boolean): labels must list two different values, what "
                "false is written as and what true is, such as ['no', 'yes']; in a schema "
                "file in quotes, as YAML takes bare yes and no for truth values."
            )
        self.labels: tuple[Any, Any] = (labels[0], labels[1])

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim boolean dtypes, and texts in which both truth values are spelled out."""
        dtype = profile.series.dtype
        if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
            return Claim(0.95, "true and false")
        if not profile.is_text:
            if dtype.kind == "O" and pd.api.types.infer_dtype(profile.series) == "boolean":
                return Claim(0.95, "true and false")
            return None
        if not 2 <= profile.n_distinct <= _MOST_SPELLINGS:
            return None
        spelled: dict[str, str] = {}
        for text in profile.texts.tolist():  # the most frequent spelling comes first
            spelled.setdefault(text.lower(), text)
        if set(spelled) not in _SPELLINGS:
            return None
        false, true = sorted(spelled, key=_TRUTHS.__getitem__)
        return Claim(
            0.95, f"spelled {false} and {true}", {"labels": [spelled[false], spelled[true]]}
        )

    def parse(self, series: pd.Series) -> Values:
        """Turn truth values, however stored or spelled, into 0 and 1.

        Raises
        ------
        SchemaError
            If cells are neither true nor false.
        """
        values = super().parse(series)
        data = self._truths(values)
        wrong = np.flatnonzero(data < 0)
        if len(wrong):
            raise self._misfit(
                wrong,
                len(series),
                "are neither true nor false",
                "Give labels: [what false is written as, what true is], or set the type to "
                "category.",
            )
        return Values(data, values.missing, (False, True))

    def read(self, series: pd.Series) -> Values:
        """Turn truth values into 0 and 1; cells that are neither are missing."""
        values = super().read(series)
        data = self._truths(values)
        return Values(np.maximum(data, 0), values.missing | (data < 0), (False, True))

    def _truths(self, values: Values) -> np.ndarray:
        """Return 0, 1, or -1 where the label is neither, for each row; 0 where missing."""
        truths = np.array([*(self._truth(label) for label in values.labels or ()), 0])
        data: np.ndarray = truths[np.where(values.missing, -1, values.data)]
        return data

    def _truth(self, label: Any) -> int:
        """Return 0, 1, or -1 where the label is neither."""
        for truth, own in enumerate(self.labels):
            if key_of(own) == key_of(label):
                return truth
        if isinstance(label, str):
            return _TRUTHS.get(label.lower(), -1)
        return int(label) if isinstance(label, (bool, int, float)) and label in (0, 1) else -1

    def render(self, values: Values) -> pd.Series:
        """Write truth values in the column's dtype, texts as the source spells them."""
        return super().render(Values(values.data, values.missing, self._written()))

    def _written(self) -> tuple[Any, Any]:
        """Return what false and true are in a cell."""
        spec = self.column.dtype
        levels = levels_of(spec)
        if "labels" in self.column.parameters or is_text(spec):
            return self.labels
        if levels is not None and not {False, True} <= set(levels):
            return self.labels
        return False, True

    def fit(self, summary: LabelCounts, coding: Coding) -> ColumnCodec:
        """Give false the code 0 and true the code 1."""
        self._require_room(self._written(), "labels")
        return LabelCodec(
            self.column.name,
            (False, True),
            [summary.counts.get(key_of(truth), 0) for truth in (False, True)],
            other=False,
            nullable=summary.missing > 0 or bool(self.column.get("nullable", False)),
        )

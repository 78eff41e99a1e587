"""Constants: columns that hold one value in every row, or none at all."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._nominal import LabelCounts, NominalType
from tabsynth.columns.base import Claim, ColumnCodec, Measure, Profile, Values, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema.labels import label_from_json, label_to_json

_REMEDY = "Set the type to what the column holds, such as number or category."


class ConstantCodec(ColumnCodec):
    """Codec of a column that is never learnt: no blocks, and the same cell for every row.

    Parameters
    ----------
    label : Any
        The value.
    missing : bool
        Whether all cells are missing instead.
    """

    def __init__(self, label: Any, missing: bool) -> None:
        self.label, self.missing = label, missing

    def encode(
        self, values: Values, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return no codes and no offsets, of shape (n_rows, 0)."""
        n = len(values)
        return np.zeros((n, 0), dtype=np.int32), np.zeros((n, 0), dtype=np.float32)

    def decode(self, codes: np.ndarray, offsets: np.ndarray, rng: np.random.Generator) -> Values:
        """Return the value once for each row of `codes`."""
        n = codes.shape[0]
        labels = () if self.missing else (self.label,)
        return Values(np.zeros(n, dtype=np.int64), np.full(n, self.missing), labels)

    def allowed(self) -> str:
        """Return that there is one."""
        return "the one cell that every row has"

    def state(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"label": None if self.missing else label_to_json(self.label)}


@columns.register("constant")
class Constant(NominalType):
    """One value in every row, or only missing cells; written again and never learnt.

    Notes
    -----
    Privacy: the value is released as it is. Every row holds it, so it tells rows of the table from
    each other in no way.
    """

    name = "constant"
    description = "The same value in every row, or only missing cells; repeated, never learnt."
    measure: ClassVar[Measure] = "none"

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim columns without a value, and columns of one value without a gap."""
        if profile.n_present == 0:
            return Claim(1.0, "all cells are missing")
        if profile.missing.any() or int((profile.counts > 0).sum()) > 1:
            return None
        kinds = profile.series.map(type).nunique() if profile.series.dtype.kind == "O" else 1
        return Claim(1.0, "the same value in every row") if kinds == 1 else None

    def parse(self, series: pd.Series) -> Values:
        """Turn the column into indices of its only label.

        Raises
        ------
        SchemaError
            If it holds several values, or a value and missing cells.
        """
        values = super().parse(series)
        self._check(LabelCounts.of(values))
        return values

    def _check(self, summary: LabelCounts) -> None:
        found = len(summary.counts)
        if found > 1 or (found and summary.missing):
            gaps = f" and {summary.missing:,} missing cells" if summary.missing else ""
            what = f"{found:,} distinct values" if found > 1 else "one value"
            raise SchemaError(
                f"Column {self.column.name!r} (constant): it holds {what}{gaps}. {_REMEDY}"
            )

    def fit(self, summary: LabelCounts, coding: Coding) -> ColumnCodec:
        """Keep the value."""
        self._check(summary)
        for _, label in summary.counts:
            return ConstantCodec(label, missing=False)
        return ConstantCodec(None, missing=True)

    def load(self, state: dict[str, Any]) -> ColumnCodec:
        """Rebuild a codec from its JSON form."""
        label = label_from_json(state["label"])
        return ConstantCodec(label, missing=label is None)

    def treatment(self) -> str:
        """Return what will happen to the column."""
        return "repeated, never learnt"

"""Free text: left out of the synthetic table, or kept as an empty column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._unlearnt import AbsentCodec, UnlearntType, distinct_texts, evenly
from tabsynth.columns.base import Claim, Measure, Profile, Values, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError

TREATMENTS = ("drop", "blank")
_RARE = 5
_MOSTLY_RARE = 0.8
_WORDY, _VARIED = 6, 0.3


@columns.register("text")
class Text(UnlearntType):
    """Free text, which no model here can learn without repeating it.

    Notes
    -----
    Privacy: nothing is read off the values, and the fitted state holds none.
    """

    name = "text"
    description = "Free text: left out, or kept as an empty column; never learnt."
    measure: ClassVar[Measure] = "none"
    parameters: ClassVar[Mapping[str, str]] = {
        "treatment": "drop (the default: leave the column out) or blank (empty it)",
        "missing_as": "text columns: how missing cells are written",
    }

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim texts that are nearly all different or long; any other text as a last resort."""
        texts = distinct_texts(profile)
        n = profile.n_present
        if texts is None:
            if profile.series.dtype == object and n:
                return Claim(0.1, "values of no other kind")
            return None
        if not len(texts) or not n:
            return None
        counts = profile.counts.to_numpy()
        rare = float(counts[counts < _RARE].sum()) / n
        if len(texts) > 2 and rare > _MOSTLY_RARE:
            return Claim(0.6, f"free text: {rare:.0%} of the values are (nearly) unique")
        words = float(evenly(texts).str.count(r"\S+").mean())
        if words >= _WORDY and len(texts) / n > _VARIED:
            return Claim(0.6, f"free text: {words:.0f} words on average")
        return Claim(0.1, "text of no other kind")

    def parse(self, series: pd.Series) -> Values:
        """Tell missing cells from others; what stands in the others is not read."""
        missing = Profile(self.column.name, series, self.missing_values).missing
        return Values(np.zeros(len(series), dtype=np.int64), missing, ("",))

    def render(self, values: Values) -> pd.Series:
        """Return a column of missing cells in the schema's dtype, or the next one that has them."""
        return super().render(replace(values, missing=np.ones(len(values), dtype=bool), labels=()))

    def summarise(self, values: Values) -> int:
        """Return the number of rows."""
        return len(values)

    def merge(self, first: int, second: int) -> int:
        """Return the number of rows of both."""
        return first + second

    def fit(self, summary: int, coding: Coding) -> AbsentCodec:
        """Return a codec that learns nothing."""
        self._treatment()
        return AbsentCodec(self.column.name)

    def load(self, state: dict[str, Any]) -> AbsentCodec:
        """Rebuild the codec."""
        return AbsentCodec(self.column.name)

    def drops(self) -> bool:
        """Return whether the column is left out of the synthetic table."""
        return self._treatment() == "drop"

    def treatment(self) -> str:
        """Return what will happen to the column."""
        return "left out" if self.drops() else "emptied"

    def _treatment(self) -> str:
        treatment = self.column.get("treatment", "drop")
        if treatment not in TREATMENTS:
            raise SchemaError(
                f"Column {self.column.name!r} (text): treatment must be one of "
                f"{', '.join(TREATMENTS)}."
            )
        return str(treatment)

"""Durations and times of day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._continuous import ContinuousType
from tabsynth.columns.base import Claim, Profile, Values, columns
from tabsynth.schema.dtype import is_text, restore

_FORMATS = {
    "H:M": r"(?P<H>\d{1,3}):(?P<M>[0-5]\d)",
    "H:M:S": r"(?P<H>\d{1,3}):(?P<M>[0-5]\d):(?P<S>[0-5]\d)",
    "H:M:S.f": r"(?P<H>\d{1,3}):(?P<M>[0-5]\d):(?P<S>[0-5]\d\.\d{1,6})",
    "D days H:M:S": r"(?P<D>-?\d+) days? (?P<H>\d{1,2}):(?P<M>[0-5]\d):(?P<S>[0-5]\d)",
}
_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_SECONDS = {"D": 86_400, "H": 3_600, "M": 60, "S": 1}


@columns.register("duration")
class Duration(ContinuousType):
    """Lengths of time, and times of day written as hours and minutes."""

    name = "duration"
    description = "Lengths of time and times of day; unit and notation are kept."
    parameters: ClassVar[Mapping[str, str]] = {
        "format": f"text columns: the notation, one of {', '.join(_FORMATS)}",
        "padded": "text columns: false where the source writes 7:05, not 07:05",
        "minimum_count": "fewest rows that must share a value before it is released as it is",
        "nullable": "whether cells may be missing although none is",
    }

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim timedelta dtypes, and texts such as 07:05 and 07:05:30."""
        if pd.api.types.is_timedelta64_dtype(profile.series.dtype):
            return Claim(0.9, "lengths of time")
        if not profile.is_text:
            dtype = profile.series.dtype
            arrow = isinstance(dtype, pd.ArrowDtype) and dtype.kind == "m"
            object_ = dtype.kind == "O" and (
                pd.api.types.infer_dtype(profile.series, skipna=True) in ("timedelta",)
            )
            return Claim(0.9, "lengths of time") if arrow or object_ else None
        if not profile.n_distinct:
            return None
        for notation, pattern in _FORMATS.items():
            if profile.texts.str.fullmatch(pattern).all():
                hours = profile.texts.str.extract(r"(\d+):", expand=False)
                padded = bool((hours.str.len() >= 2).all())
                parameters = (
                    {"format": notation}
                    if padded
                    else {
                        "format": notation,
                        "padded": False,
                    }
                )
                return Claim(0.8, f"times written as {notation}", parameters)
        return None

    def parse(self, series: pd.Series) -> Values:
        """Turn durations, typed or text, into int64 ticks."""
        profile = Profile(self.column.name, series, self.missing_values)
        missing = profile.missing
        if not profile.is_text:
            lengths = series.where(~missing, pd.Timedelta(0))
            unit = self._unit()
            ticks = pd.Series(pd.to_timedelta(lengths)).to_numpy(dtype=f"timedelta64[{unit}]")
            return Values(np.where(missing, 0, ticks.view(np.int64)), missing)
        codes, uniques = pd.factorize(series)
        texts = pd.Series([*uniques, ""]).astype("str")
        notation = self.column.get("format")
        if notation not in _FORMATS:
            claim = self.claims(profile)
            notation = claim.parameters["format"] if claim else "H:M"
        parts = texts.str.extract(f"^{_FORMATS[notation]}$")
        bad = parts["H"].isna().to_numpy(dtype=bool)[codes] & ~missing
        if bad.any():
            raise self._misfit(
                np.flatnonzero(bad),
                len(series),
                f"cannot be read as {notation}",
                "Set the type to category or text, or name the texts that mean missing.",
            )
        seconds = sum(
            parts[letter].fillna("0").astype("float64") * _SECONDS[letter]
            for letter in parts.columns
        )
        ticks = np.rint(np.asarray(seconds) * _TICKS[self._unit()]).astype(np.int64)[codes]
        return Values(np.where(missing, 0, ticks), missing)

    def _unit(self) -> str:
        """Return the unit of ticks: that of the dtype, microseconds for texts."""
        text = str(self.column.dtype)
        return next((u for u in ("ns", "us", "ms", "s") if f"[{u}]" in text), "us")

    def render(self, values: Values) -> pd.Series:
        """Write durations in the column's dtype, text columns in the column's notation."""
        spec, name = self.column.dtype, self.column.name
        ticks = np.where(values.missing, 0, values.data).astype(np.int64)
        if not is_text(spec):
            return restore(ticks.view(f"timedelta64[{self._unit()}]"), values.missing, spec, name)
        distinct, where = np.unique(ticks, return_inverse=True)
        marker = self.column.get("missing_as")
        texts = self._written(distinct)[where]
        return restore(texts, values.missing, spec, name, missing_as=marker)

    def _written(self, ticks: np.ndarray) -> np.ndarray:
        """Return distinct ticks of microseconds as texts, object array of str."""
        if not len(ticks):
            return np.zeros(0, dtype=object)
        notation = self.column.get("format", "H:M:S")
        seconds, micros = np.divmod(ticks, 1_000_000)
        days = np.zeros_like(seconds)
        if notation.startswith("D"):
            days, seconds = np.divmod(seconds, 86_400)
        hours, rest = np.divmod(seconds, 3_600)
        minutes, rest = np.divmod(rest, 60)
        width = 2 if self.column.get("padded", True) else 1
        texts = np.char.zfill(hours.astype(str), width)
        texts = np.char.add(np.char.add(texts, ":"), np.char.zfill(minutes.astype(str), 2))
        if "S" in notation:
            texts = np.char.add(np.char.add(texts, ":"), np.char.zfill(rest.astype(str), 2))
        if notation.endswith(".f"):
            texts = np.char.add(np.char.add(texts, "."), np.char.zfill(micros.astype(str), 6))
        if notation.startswith("D"):
            texts = np.char.add(np.char.add(days.astype(str), " days "), texts)
        return texts.astype(object)

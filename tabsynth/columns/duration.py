"""Durations and times of day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._continuous import ContinuousType
from tabsynth.columns.base import Claim, Profile, Values, columns, holds_objects
from tabsynth.errors import SchemaError
from tabsynth.schema.dtype import is_text, restore

_FORMATS = {
    "H:M": r"(?P<H>\d{1,3}):(?P<M>[0-5]\d)",
    "H:M:S": r"(?P<H>\d{1,3}):(?P<M>[0-5]\d):(?P<S>[0-5]\d)",
    "H:M:S.f": r"(?P<H>\d{1,3}):(?P<M>[0-5]\d):(?P<S>[0-5]\d\.\d{1,6})",
    "D days H:M:S": r"(?P<D>-?\d+) days? (?P<H>\d{1,2}):(?P<M>[0-5]\d):(?P<S>[0-5]\d)",
}
NOTATIONS = tuple(_FORMATS)
"""Notations that are told apart where each cell is read by itself."""
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
        "minimum": "shortest length allowed: seconds, or a text such as 07:30",
        "maximum": "longest length allowed",
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
            unit = self.unit()
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
        ticks = _ticks_of(parts, self.unit())[codes]
        return Values(np.where(missing, 0, ticks), missing)

    def read(self, series: pd.Series) -> Values:
        """Turn durations, typed or text, into int64 ticks."""
        unit, gaps = self.unit(), series.isna().to_numpy(dtype=bool)
        low, high = self.limits()
        if not is_text(self.column.dtype):
            if holds_objects(series):
                single = series.map(lambda cell: isinstance(cell, (timedelta, np.timedelta64)))
                series = series.where(single.to_numpy(dtype=bool), None)
            lengths = pd.Series(pd.to_timedelta(series, errors="coerce"))
            gaps = gaps | lengths.isna().to_numpy(dtype=bool)
            ticks = lengths.to_numpy(dtype=f"timedelta64[{unit}]").view(np.int64)
            if low is not None or high is not None:
                ticks = np.clip(ticks, low, high)
            return Values(np.where(gaps, 0, ticks), gaps)
        codes, uniques = pd.factorize(series)
        texts = pd.Series([*uniques, ""], dtype=object).astype("str")
        parts = texts.str.extract(f"^{_FORMATS[self.column.get('format', 'H:M:S')]}$")
        known = parts["H"].notna() & ~texts.isin(list(self.missing_values))
        gaps = gaps | ~known.to_numpy(dtype=bool)[codes]
        ticks = _ticks_of(parts, unit)[codes]
        if low is not None or high is not None:
            ticks = np.clip(ticks, low, high)
        return Values(np.where(gaps, 0, ticks), gaps)

    def votes(self, series: pd.Series) -> np.ndarray:
        """Return the first of `NOTATIONS` that each text fits, int64 (n_rows,); -1 for none."""
        codes, uniques = pd.factorize(series)
        texts = pd.Series([*uniques, ""], dtype=object).astype("str")
        fitting = np.full(len(texts), -1)
        for place, notation in enumerate(NOTATIONS):
            fits = texts.str.fullmatch(_FORMATS[notation]).to_numpy(dtype=bool)
            fitting[fits & (fitting < 0)] = place
        return fitting[codes]

    def limits(self) -> tuple[float | None, float | None]:
        """Return the declared shortest and longest length as ticks.

        Raises
        ------
        SchemaError
            If they are no lengths of time.
        """
        return self._length("minimum"), self._length("maximum")

    def _length(self, name: str) -> int | None:
        given = self.column.get(name)
        if given is None:
            return None
        if isinstance(given, str) and given.count(":") == 1:
            given = f"{given}:00"
        try:
            length = pd.Timedelta(given) if isinstance(given, str) else pd.Timedelta(seconds=given)
        except ValueError:
            raise SchemaError(
                f"Column {self.column.name!r} (duration): {name} must be a number of seconds or a "
                "length of time as text, such as '07:30' or '3 days 07:30:00'."
            ) from None
        return round(length.total_seconds() * _TICKS[self.unit()])

    def unit(self) -> str:
        """Return the unit of ticks: that of the dtype, microseconds for texts."""
        text = str(self.column.dtype)
        return next((u for u in ("ns", "us", "ms", "s") if f"[{u}]" in text), "us")

    def render(self, values: Values) -> pd.Series:
        """Write durations in the column's dtype, text columns in the column's notation."""
        spec, name = self.column.dtype, self.column.name
        ticks = np.where(values.missing, 0, values.data).astype(np.int64)
        if not is_text(spec):
            return restore(ticks.view(f"timedelta64[{self.unit()}]"), values.missing, spec, name)
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


def _ticks_of(parts: pd.DataFrame, unit: str) -> np.ndarray:
    """Return the ticks of lengths of time taken apart, 0 where a text was none, int64."""
    seconds = sum(
        parts[letter].fillna("0").astype("float64") * _SECONDS[letter] for letter in parts.columns
    )
    return np.rint(np.asarray(seconds) * _TICKS[unit]).astype(np.int64)

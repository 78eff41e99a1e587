"""Dates and times: format, unit and time zone kept, years far from today included."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._continuous import ContinuousType
from tabsynth.columns.base import Claim, Profile, Values, columns, holds_objects
from tabsynth.schema.dtype import is_text, restore

_DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %B %Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%Y%m%d",
    "%Y-%m",
)
_TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p", "%H%M%S")
_ZONES = ("", "Z", "%z")
FORMATS = (
    *_DATES,
    *(
        f"{date}{joint}{time}{zone}"
        for date in _DATES[:7]
        for time in _TIMES[:3]
        for joint in ("T", " ")
        for zone in ("", "Z")
    ),
)
"""Formats that are told apart where each cell is read by itself."""
_MARKS = "-/.:, TZ"
_PROBE = 200
"""Distinct values that a format is tried on before all of them are read."""


@cache
def _formats() -> tuple[str, ...]:
    """Return every format that inference knows, the likelier ones first."""
    formats = list(_DATES)
    for date in _DATES:
        for time in _TIMES:
            for joint in ("T", " "):
                for zone in _ZONES:
                    formats.append(f"{date}{joint}{time}{zone}")
    return tuple(formats)


@columns.register("datetime")
class Datetime(ContinuousType):
    """Points in time, as wall-clock ticks since 1970 underneath.

    Texts are read by one format for the whole column and written back in it. Time zones of a
    typed column are kept; texts with differing offsets are learnt and written in UTC.
    """

    name = "datetime"
    description = "Dates and times; format, unit, granularity and time zone are kept."
    parameters: ClassVar[Mapping[str, str]] = {
        "format": "text columns: the format, in the letters of strftime",
        "padded": "text columns: false where the source writes 3/7/2024, not 03/07/2024",
        "minimum": "earliest time allowed, as text in ISO form",
        "maximum": "latest time allowed",
        "minimum_count": "fewest rows that must share a value before it is released as it is",
        "nullable": "whether cells may be missing although none is",
    }

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim datetime dtypes, and texts that one known format reads without exception."""
        if pd.api.types.is_datetime64_any_dtype(profile.series.dtype):
            return Claim(0.9, "dates and times")
        if not profile.is_text:
            kind = ""
            if profile.series.dtype.kind == "O":
                kind = pd.api.types.infer_dtype(profile.series, skipna=True)
            if kind in ("date", "datetime", "datetime64"):
                return Claim(0.9, "dates and times")
            return None
        texts = profile.texts
        if not len(texts) or texts.str.len().max() > 40 or not texts.str.contains(r"\d").all():
            return None
        head = texts.iloc[:: max(1, len(texts) // _PROBE)].iloc[:_PROBE]
        first = str(head.iloc[0])
        fitting = [f for f in _formats() if _may_fit(f, first) and not _read(head, f).isna().any()]
        fitting = [f for f in fitting if not _read(texts, f).isna().any()]
        if not fitting:
            return None
        if fitting[0] in ("%Y%m%d", "%Y-%m") and not _plausible(_read(texts, fitting[0])):
            return None
        chosen = fitting[0]
        reason = f"dates and times, all in the format {chosen}"
        if len(fitting) > 1 and chosen[:2] in ("%d", "%m") and fitting[1][:2] in ("%d", "%m"):
            reason += f" ({fitting[1]} would fit too: please check)"
        parameters: dict[str, Any] = {"format": chosen}
        if not _is_padded(head, chosen):
            parameters["padded"] = False
        return Claim(0.85, reason, parameters)

    def parse(self, series: pd.Series) -> Values:
        """Turn dates, typed or text, into int64 ticks of wall-clock time."""
        profile = Profile(self.column.name, series, self.missing_values)
        missing = profile.missing
        if not profile.is_text:
            return Values(*self._parse_typed(series, missing))
        codes, uniques = pd.factorize(series)
        texts = pd.Series(uniques).astype("str")
        form = self.column.get("format")
        if form is None:
            claim = self.claims(profile)
            form = claim.parameters["format"] if claim else "%Y-%m-%d"
        times = _read(texts, form)
        ticks = np.append(_ticks(times, self.unit()), np.int64(0))[codes]
        bad = np.append(times.isna().to_numpy(dtype=bool), True)[codes] & ~missing
        if bad.any():
            raise self._misfit(
                np.flatnonzero(bad),
                len(series),
                f"do not match {form!r}",
                "Give the right format: in the schema, or set the type to text.",
            )
        return Values(np.where(missing, 0, ticks), missing)

    def read(self, series: pd.Series) -> Values:
        """Turn dates, typed or text, into int64 ticks of wall-clock time."""
        gaps = series.isna().to_numpy(dtype=bool)
        if pd.api.types.is_datetime64_any_dtype(series.dtype):
            times = series
        elif is_text(self.column.dtype) or not holds_objects(series):
            codes, uniques = pd.factorize(series)
            texts = pd.Series([*uniques, ""], dtype=object).astype("str")
            known = _read(texts, self.column.get("format", "%Y-%m-%d"))
            times = known.where(~texts.isin(list(self.missing_values))).iloc[codes]
        else:
            written = series.map(lambda cell: isinstance(cell, str)).to_numpy(dtype=bool)
            cells: pd.Series = series.where(~written, None)
            times = pd.Series(pd.to_datetime(cells, errors="coerce", utc=True))
            spec = self.column.dtype
            zone = spec.get("zone") if isinstance(spec, Mapping) else None
            times = times.dt.tz_convert(zone or "UTC").dt.tz_localize(None)
        gaps = gaps | times.isna().to_numpy(dtype=bool)
        ticks = _ticks(times, self.unit())
        low, high = self.limits()
        if low is not None or high is not None:
            ticks = np.clip(ticks, low, high)
        return Values(np.where(gaps, 0, ticks), gaps)

    def votes(self, series: pd.Series) -> np.ndarray:
        """Return the first of `FORMATS` that each text fits, int64 (n_rows,); -1 for none."""
        codes, uniques = pd.factorize(series)
        texts = pd.Series([*uniques, ""], dtype=object).astype("str")
        fitting = np.full(len(texts), -1)
        held = {mark: texts.str.contains(mark, regex=False).to_numpy(dtype=bool) for mark in _MARKS}
        eight = texts.str.fullmatch(r"\d{8}").to_numpy(dtype=bool)
        for place, form in enumerate(FORMATS):
            open_ = fitting < 0
            for mark in _MARKS:
                if mark in form:
                    open_ &= held[mark]
            rest = np.flatnonzero(open_ & eight if form == "%Y%m%d" else open_)
            if len(rest):
                fits = _read(texts.iloc[rest], form).notna().to_numpy(dtype=bool)
                fitting[rest[fits]] = place
        return fitting[codes]

    def _parse_typed(self, series: pd.Series, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not pd.api.types.is_datetime64_any_dtype(series.dtype):
            times = pd.to_datetime(series.where(~missing, None), errors="coerce")
            bad = times.isna().to_numpy(dtype=bool) & ~missing
            if bad.any():
                raise self._misfit(
                    np.flatnonzero(bad),
                    len(series),
                    "are no date or time",
                    "Set the type to category or text.",
                )
        else:
            times = series
        return _ticks(times, self.unit()), missing

    def unit(self) -> str:
        """Return the unit of ticks: that of the dtype, microseconds for texts."""
        spec = self.column.dtype
        text = str(spec.get("arrow", "") if isinstance(spec, Mapping) else spec)
        return next((unit for unit in ("ns", "us", "ms", "s") if f"[{unit}" in text), "us")

    def render(self, values: Values) -> pd.Series:
        """Write dates in the column's dtype, text columns in the column's format."""
        spec, name = self.column.dtype, self.column.name
        unit = self.unit()
        ticks = np.where(values.missing, 0, values.data).astype(np.int64)
        if not is_text(spec):
            return restore(ticks.view(f"datetime64[{unit}]"), values.missing, spec, name)
        distinct, where = np.unique(ticks, return_inverse=True)
        form = self.column.get("format", "%Y-%m-%d")
        texts = _written(distinct.view("datetime64[us]"), form, self.column.get("padded", True))
        marker = self.column.get("missing_as")
        return restore(texts[where], values.missing, spec, name, missing_as=marker)

    def limits(self) -> tuple[float | None, float | None]:
        """Return the declared earliest and latest time as ticks."""
        unit = self.unit()
        ticks = [
            None if bound is None else int(_ticks(pd.Series([pd.Timestamp(str(bound))]), unit)[0])
            for bound in (self.column.get("minimum"), self.column.get("maximum"))
        ]
        return ticks[0], ticks[1]


def _read(texts: pd.Series, form: str) -> pd.Series:
    """Return texts as times without zone, NaT where `form` does not fit."""
    zoned = form.endswith("%z")
    try:
        times = pd.to_datetime(texts, format=form, errors="coerce", utc=zoned)
    except (ValueError, TypeError):  # a format that pandas refuses as a whole
        return pd.Series(pd.NaT, index=texts.index)
    return times.dt.tz_localize(None) if times.dt.tz is not None else times


def _ticks(times: pd.Series, unit: str) -> np.ndarray:
    """Return wall-clock ticks as int64."""
    if isinstance(times.dtype, pd.ArrowDtype) and times.dtype.kind != "M":
        times = pd.to_datetime(times.astype("object"), errors="coerce")  # Arrow's dates
    if times.dt.tz is not None:
        times = times.dt.tz_localize(None)
    ticks: np.ndarray = times.to_numpy(dtype=f"datetime64[{unit}]").view(np.int64)
    return np.where(times.isna().to_numpy(dtype=bool), 0, ticks)


def _may_fit(form: str, first: str) -> bool:
    """Return whether the punctuation of a format occurs in the first text at all."""
    if form == "%Y%m%d" and not (len(first) == 8 and first.isdigit()):
        return False
    marks = {mark for mark in _MARKS if mark in form}
    if "%z" in form and not (first.endswith("Z") or "+" in first or first.count("-") in (1, 3)):
        return False
    if ("%p" in form) != first.upper().endswith(("AM", "PM")):
        return False
    return all(mark in first for mark in marks)


def _plausible(times: pd.Series) -> bool:
    """Return whether digits that may be dates lie in years people write about."""
    years = times.dt.year
    return bool(((years >= 1800) & (years <= 2100)).all())


def _is_padded(texts: pd.Series, form: str) -> bool:
    """Return whether writing the times again gives the very same texts."""
    if form.endswith("%z"):
        return True
    times = _read(texts, form).to_numpy(dtype="datetime64[us]")
    written = _written(times, form, True)
    same = (written == texts.to_numpy(dtype=object)).all()
    return bool(same) or not bool((_written(times, form, False) == texts.to_numpy(object)).all())


def _written(times: np.ndarray, form: str, padded: bool) -> np.ndarray:
    """Return times (datetime64) in a format, object array of str."""
    if not len(times):
        return np.zeros(0, dtype=object)
    if form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"):
        texts = np.datetime_as_string(times, unit="D" if form == "%Y-%m-%d" else "s")
        if " " in form:
            texts = np.char.replace(texts, "T", " ")
        if form.endswith("Z"):
            texts = np.char.add(texts, "Z")
        return texts.astype(object)
    form = form.replace("%z", "+0000")
    if not padded:
        for letter in "dmHI":
            form = form.replace(f"%{letter}", f"%-{letter}")
    # strftime pads years below 1000 differently from one system to the next
    years = np.char.zfill((times.astype("datetime64[Y]").astype(int) + 1970).astype(str), 4)
    marked = pd.Series(times).dt.strftime(form.replace("%Y", "\u2400")).to_numpy(dtype=object)
    return np.array(
        [text.replace("\u2400", year) for text, year in zip(marked, years, strict=True)],
        dtype=object,
    )

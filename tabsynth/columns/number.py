"""Numbers: integers and reals, with their decimals, their lattice and their ties kept."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._continuous import ContinuousType
from tabsynth.columns.base import Claim, Profile, Values, columns, holds_objects
from tabsynth.encoding.distribution import Distribution
from tabsynth.encoding.grid import Grid
from tabsynth.errors import SchemaError
from tabsynth.schema.dtype import is_text, restore

_NUMBER = r"[+-]?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?\d+)?"
_COMMA = r"[+-]?(?:0|[1-9]\d*)?(?:,\d+)?"
_DIGIT = r".*\d.*"
_WIDEST = 2.0**62
MOST_PLACES = 6
"""Most decimal places that are told apart where each cell is read by itself."""


@columns.register("number")
class Number(ContinuousType):
    """Integers and reals.

    Numbers stored as text are recognised unless they have leading zeros, which make them codes
    ("007"); they are written back with as many decimals as the source shows.
    """

    name = "number"
    description = "Integers and reals; decimals, lattices (multiples of 5) and ties are kept."
    parameters: ClassVar[Mapping[str, str]] = {
        "integer": "true where all values are whole numbers",
        "decimals": "decimal places to round to",
        "minimum": "smallest value allowed",
        "maximum": "largest value allowed",
        "minimum_count": "fewest rows that must share a value before it is released as it is",
        "places": "text columns: [fewest, most] decimal places that the source shows",
        "decimal": "text columns: the decimal mark, '.' or ','",
        "nullable": "whether cells may be missing although none is",
    }

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim numeric dtypes, and texts that all read as numbers without leading zeros."""
        dtype = profile.series.dtype
        if not profile.is_text:
            if not _is_numeric(profile.series):
                return None
            integral = pd.api.types.is_integer_dtype(dtype)
            words = "whole numbers" if integral else "real numbers"
            return Claim(0.7, f"{words}, {profile.n_distinct:,} distinct", {"integer": integral})
        if not profile.n_distinct:
            return None
        texts = profile.texts.str.strip()
        if not texts.str.fullmatch(_DIGIT).all():
            return None
        if texts.str.fullmatch(_NUMBER).all():
            mark = "."
        elif texts.str.fullmatch(_COMMA).all():
            mark = ","
        else:
            return None
        if not texts.str.contains(r"[.,eE]", regex=True).any():
            if not _fits_64_bits(texts):
                return None
            return Claim(0.7, f"whole numbers, {len(texts):,} distinct", {"integer": True})
        parameters: dict[str, Any] = {"integer": False}
        if not texts.str.contains("[eE]").any():
            shown = texts.str.extract(r"[.,](\d*)$", expand=False).fillna("").str.len()
            parameters["places"] = [int(shown.min()), int(shown.max())]
        if mark == ",":
            parameters["decimal"] = mark
        return Claim(0.7, f"real numbers, {len(texts):,} distinct", parameters)

    def parse(self, series: pd.Series) -> Values:
        """Turn numbers or their texts into int64, uint64 or float64."""
        profile = Profile(self.column.name, series, self.missing_values)
        missing = profile.missing
        if profile.is_text:
            data, missing = self._parse_text(series, missing)
        else:
            data = _typed(series, missing, self.column.name)
        if data.dtype.kind == "f":
            infinite = np.flatnonzero(np.isinf(data) & ~missing)
            if len(infinite):
                raise self._misfit(
                    infinite,
                    len(data),
                    "cannot be learnt, being infinite",
                    "Replace them by missing cells or by numbers.",
                )
            missing = missing | np.isnan(data)
            data = np.where(missing, 0.0, data)
            whole = bool((data == np.rint(data)).all()) and np.abs(data).max(initial=0) < 2**53
            if self.column.get("integer") and whole:
                data = data.astype(np.int64)
        low, high = self.limits()
        outside = np.zeros(len(data), dtype=bool)
        if low is not None:
            outside |= ~missing & (data < low)
        if high is not None:
            outside |= ~missing & (data > high)
        if outside.any():
            raise self._misfit(
                np.flatnonzero(outside),
                len(data),
                "fall outside the declared minimum and maximum",
                "Widen minimum and maximum in the schema, or clean the column.",
            )
        return Values(data, missing)

    def read(self, series: pd.Series) -> Values:
        """Turn numbers or their texts into int64 where stored as integers, else float64.

        Numbers beyond a 64-bit integer are put on its bounds.
        """
        gaps = series.isna().to_numpy(dtype=bool)
        if _may_be_text(series):
            gaps = gaps | series.isin(list(self.missing_values)).to_numpy(dtype=bool)
        data = _each(series, self.column.get("decimal"))
        if data.dtype.kind == "f":
            gaps = gaps | ~np.isfinite(data)
            data = np.clip(np.where(gaps, 0.0, data), -_WIDEST, _WIDEST)
        low, high = self.limits()
        if low is not None or high is not None:
            data = np.clip(data, low, high).astype(data.dtype)
        return Values(np.where(gaps, data.dtype.type(0), data), gaps)

    def decimals_of(self, series: pd.Series, values: Values) -> np.ndarray:
        """Return how many decimal places each number has, int64 (n_rows,); -1 where missing.

        Texts have as many as they show. More than `MOST_PLACES` are `MOST_PLACES` + 1. Texts with
        a decimal comma have `MOST_PLACES` + 2 on top.
        """
        if _may_be_text(series):
            codes, uniques = pd.factorize(series)
            texts = pd.Series([*uniques, ""], dtype=object).astype("str").str.strip()
            shown = texts.str.extract(r"[.,](\d*)$", expand=False).fillna("").str.len()
            places = shown.clip(upper=MOST_PLACES + 1).to_numpy(dtype=np.int64, copy=True)
            odd = texts.str.contains("[eE]").to_numpy(dtype=bool)
            places = np.where(odd, MOST_PLACES + 1, places)
            comma = texts.str.contains(",", regex=False).to_numpy(dtype=bool)
            places = (places + comma * (MOST_PLACES + 2))[codes]
        else:
            places = np.full(len(values), MOST_PLACES + 1)
            numbers = values.data.astype(np.float64)
            for fewer in range(MOST_PLACES, -1, -1):
                scale = 10.0**fewer
                places[np.rint(numbers * scale) / scale == numbers] = fewer
        return np.where(values.missing, -1, places)

    def _parse_text(self, series: pd.Series, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        codes, uniques = pd.factorize(series)
        texts = pd.Series(uniques).astype("str").str.strip()
        if self.column.get("decimal") == ",":
            texts = texts.str.replace(",", ".", regex=False)
        numbers: np.ndarray
        whole = texts.str.fullmatch(r"[+-]?\d+").to_numpy(dtype=bool)
        needed = np.zeros(len(texts), dtype=bool)
        needed[codes[~missing]] = True
        if needed.any() and whole[needed].all() and _fits_64_bits(texts[needed]):
            exact = [int(text) if use else 0 for text, use in zip(texts, needed, strict=True)]
            big = max(exact) >= 2**63
            numbers = np.array(exact, dtype=np.uint64 if big else np.int64)
            bad = np.zeros(len(texts), dtype=bool)
        else:
            numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
            bad = np.isnan(numbers) & needed
        if not len(texts):
            numbers, bad = np.zeros(1), np.zeros(1, dtype=bool)
        where = np.maximum(codes, 0)
        wrong = np.flatnonzero(bad[where] & ~missing)
        if len(wrong):
            raise self._misfit(
                wrong,
                len(series),
                "cannot be read as a number",
                "Name the texts that mean missing with missing: [...], or set the type to "
                "category or text.",
            )
        data = numbers[where]
        return (np.where(missing, data.dtype.type(0), data), missing)

    def render(self, values: Values) -> pd.Series:
        """Write numbers in the column's dtype, text columns with the source's decimals."""
        spec = self.column.dtype
        name = self.column.name
        if self.column.get("decimals") is not None and values.data.dtype.kind == "f":
            values = Values(np.round(values.data, self.column.get("decimals")), values.missing)
        if not is_text(spec):
            return restore(values.data, values.missing, spec, name)
        marker = self.column.get("missing_as")
        return restore(self._texts(values.data), values.missing, spec, name, missing_as=marker)

    def _texts(self, data: np.ndarray) -> np.ndarray:
        """Return numbers as the source would write them, object array of str."""
        distinct, where = np.unique(data, return_inverse=True)
        if distinct.dtype.kind in "iu":
            texts = [str(number) for number in distinct.tolist()]
        else:
            fewest, most = self.column.get("places", (0, self.column.get("decimals")))
            texts = [_written(number, fewest, most) for number in distinct.tolist()]
            if self.column.get("decimal") == ",":
                texts = [text.replace(".", ",") for text in texts]
        return np.array([*texts, ""], dtype=object)[where]

    def grid(self, summary: Distribution) -> Grid:
        """Return the lattice; a declared number of decimals goes before what was seen."""
        declared = self.column.get("decimals")
        if declared is not None and summary.values.dtype.kind == "f" and len(summary.values):
            scaled = np.abs(summary.values).max() * 10.0**declared
            if scaled < 2**53:
                return Grid(0, 1, int(declared))
        return Grid.of(summary)

    def limits(self) -> tuple[float | None, float | None]:
        """Return the declared minimum and maximum."""
        return self.column.get("minimum"), self.column.get("maximum")


def _written(number: float, fewest: int, most: int | None) -> str:
    """Return a number with between `fewest` and `most` decimal places."""
    if most is None:
        return repr(number)
    text = f"{number:.{most}f}"
    if most > fewest:
        whole, _, places = text.partition(".")
        places = places[:fewest] + places[fewest:].rstrip("0")
        text = f"{whole}.{places}" if places else whole
    return text[1:] if float(text) == 0 and text.startswith("-") else text


def _is_numeric(series: pd.Series) -> bool:
    dtype = series.dtype
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return True
    if dtype.kind == "O" or isinstance(dtype, pd.ArrowDtype):
        kind = pd.api.types.infer_dtype(series, skipna=True)
        return kind in ("integer", "floating", "mixed-integer-float", "decimal")
    return False


def _may_be_text(series: pd.Series) -> bool:
    """Return whether cells may be texts, as a column's dtype has it."""
    dtype = series.dtype
    return not isinstance(dtype, pd.CategoricalDtype) and pd.api.types.is_string_dtype(dtype)


def _each(series: pd.Series, mark: str | None) -> np.ndarray:
    """Return numbers as int64 where stored as integers, else float64; NaN for anything else."""
    dtype = series.dtype
    if pd.api.types.is_integer_dtype(dtype):
        most = np.uint64(2**62)
        if "uint64" in str(dtype).lower():
            small: np.ndarray = np.minimum(series.to_numpy(dtype=np.uint64, na_value=0), most)
        else:
            small = np.clip(series.to_numpy(dtype=np.int64, na_value=0), -(2**62), 2**62)
        whole: np.ndarray = small.astype(np.int64)
        return whole
    if pd.api.types.is_float_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if holds_objects(series):
        allowed = (str, int, float, np.number, Decimal)
        single = series.map(lambda cell: isinstance(cell, allowed)).to_numpy(dtype=bool)
        series = series.where(single, None)
    codes, uniques = pd.factorize(series)
    distinct = pd.Series([*uniques, None], dtype=object)
    if mark != ".":
        texts = distinct.where(distinct.map(lambda cell: isinstance(cell, str)), "").astype("str")
        texts = texts.str.strip()
        comma = texts.str.contains(",") & (texts.str.fullmatch(_COMMA) | (mark == ","))
        distinct = distinct.where(~comma, texts.str.replace(",", ".", regex=False))
    numbers = pd.to_numeric(distinct, errors="coerce")
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)[codes]


def _typed(series: pd.Series, missing: np.ndarray, name: str) -> np.ndarray:
    """Return a numeric column as int64, uint64 or float64, 0 where missing."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iu":
        return series.to_numpy(dtype=np.uint64 if dtype == np.uint64 else np.int64)
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return series.to_numpy(dtype=np.float64)
    if not _is_numeric(series):
        raise SchemaError(
            f"Column {name!r} (number): the column holds values of type {dtype} that are not "
            "numbers. Set its type to category or text."
        )
    filled = series.where(~missing, 0)
    if pd.api.types.is_integer_dtype(dtype):
        unsigned = "uint64" in str(dtype).lower()
        return filled.to_numpy(dtype=np.uint64 if unsigned else np.int64)
    if dtype.kind == "O" and pd.api.types.infer_dtype(filled, skipna=True) == "integer":
        numbers = [int(cell) for cell in filled]
        if min(numbers, default=0) >= -(2**63) and max(numbers, default=0) < 2**63:
            return np.array(numbers, dtype=np.int64)
        if min(numbers) >= 0 and max(numbers) < 2**64:
            return np.array(numbers, dtype=np.uint64)
        raise SchemaError(
            f"Column {name!r} (number): whole numbers beyond 64 bits cannot be computed with. Set "
            "the type to category, identifier or text."
        )
    return filled.to_numpy(dtype=np.float64)


def _fits_64_bits(texts: pd.Series) -> bool:
    """Return whether whole numbers written as text fit in int64, or all in uint64."""
    if texts.str.len().max() < 19:
        return True
    numbers = [int(text) for text in texts]
    lowest, highest = min(numbers), max(numbers)
    return (lowest >= -(2**63) and highest < 2**63) or (lowest >= 0 and highest < 2**64)

"""Keys: never learnt, made anew in the same shape, different from each other by construction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._keys import KeyCodec
from tabsynth.columns._shapes import Shapes
from tabsynth.columns._templates import ALPHABETS, Template
from tabsynth.columns._unlearnt import (
    Distinct,
    UnlearntType,
    distinct_integers,
    distinct_texts,
    evenly,
    holds_numbers,
    whole_numbers,
)
from tabsynth.columns._wording import names_entity, names_key, names_time
from tabsynth.columns.base import Claim, Measure, Profile, Values, columns
from tabsynth.encoding.coding import Coding

_ENOUGH = 20
_REPEATED_FROM = 0.3
_LONGEST = 64
_FEW = 5
_INTEGER = r"-?(?:0|[1-9]\d*)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?(?:[T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:[T ].*)?"
    rf"|\d{{1,2}}[-/ .]?{_MONTH}[-/ .]*\d{{2,4}}.*|{_MONTH}[-/ .]?\d{{1,2}},?[-/ .]\d{{2,4}}.*"
    r"|\d{4}-?(?:W\d{2}(?:-?\d)?|Q[1-4])|\d{8}T\d{4,6}Z?|\d+(?::\d+){1,3}(?:\.\d+)?"
    r"|-?P(?:\d+[YMWD])*(?:T.*)?",
    re.IGNORECASE,
)
_MEASURED = re.compile(
    r"[-+(]?\s*(?:[$€£¥]|usd|eur|gbp)?\s*[-+]?(?:\d[\d,.']*|[.,]\d+)(?:e[-+]?\d+)?\s*"
    r"(?:[%‰°$€£¥)]|usd|eur|gbp|kg|mg|g|lbs?|oz|km|cm|mm|m|ft|in|ml|l|h|hr?s?|min|ms|s|d|kb|mb|gb"
    r"|tb|k|w|kw|kwh|mw|v|a|hz|c|f|bar|bpm|mmhg|px|x)?|\d+(?:[.,]\d+)?\s*[/x×]\s*\d+(?:[.,]\d+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Keys:
    """A mergeable summary of keys.

    Attributes
    ----------
    present, gaps : int
        Number of cells that hold a key, and that are missing.
    distinct : Distinct
    shapes : Shapes
        Of texts; empty for numbers.
    digits : ndarray of int64, shape (2, 21)
        Of numbers: how many are not negative (row 0) and negative (row 1), by number of digits.
    """

    present: int
    gaps: int
    distinct: Distinct
    shapes: Shapes
    digits: np.ndarray


@columns.register("identifier")
class Identifier(UnlearntType):
    """Keys such as 10042, PAT-00042 or a UUID.

    They are not learnt. New ones have the same shape: as many digits and letters in the same
    places, the same separators, and those letters that all keys share. They are drawn as parts of
    one permutation of all texts of the shape, so no two are equal.

    Notes
    -----
    Privacy: the fitted state holds shapes and how many keys have them, never a key. A new key may
    equal one of the source by chance, at the rate at which the source fills its shape; keys that
    follow each other one by one (1, 2, 3, ...) stay so and tell no more than their number.
    """

    name = "identifier"
    description = "Keys: made anew in the same shape, unique by construction, never learnt."
    measure: ClassVar[Measure] = "none"
    parameters: ClassVar[Mapping[str, str]] = {
        "unique": "whether no key comes twice (true unless given)",
        "consecutive": "whether keys are whole numbers one after another",
        "start": "first of the consecutive numbers; without it, any with as many digits",
        "format": "shape of the keys: # a digit, ? an upper-case letter, the rest as it is",
        "missing_as": "text columns: how missing cells are written",
        "nullable": "whether cells may be missing although none is",
    }

    @classmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Claim unique keys, and repeated ones whose name says so."""
        texts = distinct_texts(profile)
        numbers = distinct_integers(profile) if texts is None else _integers(texts)
        distinct = len(texts) if texts is not None else profile.n_distinct
        if distinct < 2 or (texts is None and numbers is None):
            return None
        if distinct < profile.n_present:
            return _claim_repeated(profile, texts, numbers, distinct)
        if numbers is not None:
            return _claim_numbers(profile, numbers)
        if texts is None or (distinct < _ENOUGH and not names_key(profile.name)):
            return None
        shape = _key_shape(texts)
        if shape is None:
            return None
        return Claim(0.8, f"unique, {shape}", {"unique": True}, "identifier")

    def parse(self, series: pd.Series) -> Values:
        """Turn a column into integers where it is numeric, else into texts."""
        dtype = series.dtype
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
            missing = Profile(self.column.name, series, self.missing_values).missing
            numbers = whole_numbers(series[~missing])
            if numbers is not None:
                data = np.zeros(len(series), dtype=numbers.dtype)
                data[~missing] = numbers
                return Values(data, missing)
        return super().parse(series)

    def summarise(self, values: Values) -> Keys:
        """Return shapes and counts of a chunk."""
        gaps = int(values.missing.sum())
        present = len(values) - gaps
        digits = np.zeros((2, 21), dtype=np.int64)
        if values.labels is not None:
            return Keys(present, gaps, Distinct.of(values.labels), Shapes.of(values.labels), digits)
        numbers = values.data[~values.missing]
        bounds = np.array([10**power for power in range(1, 20)], dtype=np.uint64)
        sizes = np.where(numbers < 0, -numbers.astype(np.float64), 0).astype(np.uint64)
        if numbers.dtype.kind == "i":
            sizes = np.where(numbers < 0, sizes, numbers.astype(np.uint64))
        else:
            sizes = numbers
        lengths = np.searchsorted(bounds, sizes, side="right") + 1
        np.add.at(digits, ((numbers < 0).astype(np.int64), lengths), 1)
        return Keys(present, gaps, Distinct.of(numbers), Shapes.of([]), digits)

    def merge(self, first: Keys, second: Keys) -> Keys:
        """Return the summary of two chunks together."""
        return Keys(
            first.present + second.present,
            first.gaps + second.gaps,
            first.distinct.merge(second.distinct),
            first.shapes.merge(second.shapes),
            first.digits + second.digits,
        )

    def fit(self, summary: Keys, coding: Coding) -> KeyCodec:
        """Return the codec that makes keys of the shapes seen."""
        numbers = holds_numbers(self.column.dtype)
        limit = _largest(self.column.dtype)
        templates = summary.shapes.templates() if not numbers else []
        digits = summary.digits
        if not numbers and self.column.get("consecutive", False):
            digits = np.zeros((2, 21), dtype=np.int64)
            for template in templates:
                digits[0, min(len(template.positions), 18)] += template.count
        if self.column.get("format"):
            templates = [Template.of(str(self.column.get("format")))]
        return KeyCodec(
            self.column.name,
            gaps=summary.gaps > 0 or bool(self.column.get("nullable", False)),
            unique=bool(self.column.get("unique", True)),
            share=min(1.0, summary.distinct.estimate() / summary.present)
            if summary.present
            else 1.0,
            consecutive=bool(self.column.get("consecutive", False)),
            start=self.column.get("start"),
            numbers=numbers,
            ranges=_ranges(digits, limit),
            limit=limit,
            templates=templates,
        )

    def load(self, state: dict[str, Any]) -> KeyCodec:
        """Rebuild the codec from its JSON form."""
        return KeyCodec.load(self.column.name, state)

    def treatment(self) -> str:
        """Return what will happen to the column."""
        if self.column.get("unique", True):
            return "new keys of the same shape"
        return "new keys of the same shape, some more than once"


def _integers(texts: pd.Series) -> np.ndarray | None:
    """Return texts of whole numbers without leading zeros as int64, else None."""
    if not len(texts) or texts.str.len().max() > 18 or not texts.str.fullmatch(_INTEGER).all():
        return None
    return texts.astype("int64").to_numpy()


def _claim_numbers(profile: Profile, numbers: np.ndarray) -> Claim | None:
    """Claim unique whole numbers that are called a key or follow each other."""
    name, n = profile.name, len(numbers)
    low, high = int(numbers.min()), int(numbers.max())
    named = names_key(name)
    real = pd.api.types.is_float_dtype(profile.series.dtype)
    years = low >= 1500 and high <= 2200
    if names_time(name) or (not named and (n < _ENOUGH or real or years)):
        return None
    parameters: dict[str, Any] = {"unique": True}
    if high - low + 1 == n:
        parameters["consecutive"] = True
        if low in (0, 1):
            parameters["start"] = low
        reason = "unique, whole numbers one after another"
        return Claim(0.8, reason, parameters, "identifier")
    if not named:
        return None
    return Claim(0.8, "unique, whole numbers, called a key", parameters, "identifier")


def _claim_repeated(
    profile: Profile, texts: pd.Series | None, numbers: np.ndarray | None, distinct: int
) -> Claim | None:
    """Claim keys of things that come again, such as patients in a table of visits."""
    share = distinct / profile.n_present
    if profile.n_present < _ENOUGH or share < _REPEATED_FROM or not names_entity(profile.name):
        return None
    if numbers is None and (texts is None or _key_shape(texts) is None):
        return None
    reason = f"called a key, {share:.0%} of its values are different"
    return Claim(0.75, reason, {"unique": False}, "identifier")


def _key_shape(texts: pd.Series) -> str | None:
    """Return what kind of key texts are, in words, None where they are no keys."""
    sample = evenly(texts)
    if sample.str.len().max() > _LONGEST or sample.str.contains(r"\s|@|://", regex=True).any():
        return None
    if sample.str.fullmatch(_DATE).mean() >= 0.5:
        return None
    measured = sample.str.fullmatch(_MEASURED) & ~sample.str.fullmatch(r"\d+")
    units = sample.str.extract(r"([A-Za-z]+)$", expand=False).str.casefold().nunique()
    if measured.mean() >= 0.5 and units <= 3:
        return None
    shapes = Shapes.of(sample.tolist())
    if shapes.coverage() < 0.9:
        return None
    template = shapes.templates()[0]
    if any(ALPHABETS[kind] in template.positions for kind in ("variant", "VARIANT")):
        return "uuid-shaped"
    if any(ALPHABETS[kind] in template.positions for kind in ("hex", "HEX")):
        return "hexadecimal"
    if sample.str.contains(r"\d", regex=True).mean() < 0.9:
        return None
    return f"shaped like {template.shape}"


def _largest(spec: Any) -> int:
    """Return the largest whole number that a column of this spec holds."""
    kind = spec.get("arrow", "int64") if isinstance(spec, Mapping) else str(spec)
    found = re.match(r"(u?)int(\d+)", kind.lower())
    if found:
        bits = int(found[2]) - (not found[1])
        return (1 << bits) - 1
    return 2**53 if kind.lower().startswith(("float", "double")) else 2**63 - 1


def _ranges(digits: np.ndarray, limit: int) -> list[list[int]]:
    """Return [lowest, highest, count] for every frequent number of digits."""
    fewest = _FEW if digits.sum() >= _ENOUGH else 1
    if digits.max(initial=0) < fewest:
        fewest = 1
    ranges = []
    for negative, length in zip(*np.nonzero(digits >= fewest), strict=True):
        low, high = 10 ** (int(length) - 1), min(10 ** int(length) - 1, limit)
        low = 0 if low == 1 and not negative and digits[0, 2:].sum() == 0 else low
        if low <= high:
            count = int(digits[negative, length])
            ranges.append([-high, -low, count] if negative else [low, high, count])
    return ranges or [[1, 9, 1]]

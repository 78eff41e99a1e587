"""Keys: never learnt, made anew in the same shape, different from each other by construction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns._shapes import Shapes
from tabsynth.columns._templates import Template, allot, capacity, generate
from tabsynth.columns._unlearnt import (
    Distinct,
    UnlearntCodec,
    UnlearntType,
    distinct_integers,
    distinct_texts,
    evenly,
    permuted,
    repeated,
    whole_numbers,
)
from tabsynth.columns._wording import names_entity, names_key, names_time
from tabsynth.columns.base import Claim, Measure, Profile, Values, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SampleError

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
    r"[-+(]?\s*(?:[$€£¥]|usd|eur|gbp)?\s*[-+]?(?:\d{1,3}(?:[,.' ]\d{3})+|\d+)?[.,]?\d*"
    r"(?:e[-+]?\d+)?\s*(?:[%‰°$€£¥)]|usd|eur|gbp|kg|mg|g|lbs?|oz|km|cm|mm|m|ft|in|ml|l|h|hr?s?"
    r"|min|ms|s|d|kb|mb|gb|tb|k|w|kw|kwh|mw|v|a|hz|c|f|bar|bpm|mmhg|px|x)?"
    r"|\d+(?:[.,]\d+)?\s*[/x×]\s*\d+(?:[.,]\d+)?",
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


class KeyCodec(UnlearntCodec):
    """Makes keys.

    Parameters
    ----------
    owner : str
    gaps : bool
    unique : bool
        Whether no key comes twice.
    share : float
        Different keys per cell, where keys may come more than once.
    start : int or None
        First of the keys that follow each other one by one; None where they do not.
    numbers : bool
        Whether keys are integers, not texts.
    ranges : list of [lowest, highest, count]
        Of integers.
    templates : list of Template
        Of texts.
    """

    def __init__(
        self,
        owner: str,
        gaps: bool,
        *,
        unique: bool,
        share: float,
        consecutive: bool,
        start: int | None,
        numbers: bool,
        ranges: list[list[int]],
        templates: list[Template],
    ) -> None:
        super().__init__(owner, gaps)
        self.unique, self.share = unique, share
        self.consecutive, self.start = consecutive, start
        self.numbers, self.ranges, self.templates = numbers, ranges, templates

    def capacity(self) -> int | None:
        """Return the most cells that can be made, None where there is no limit."""
        if self.consecutive or not self.unique:
            return None
        if self.numbers:
            return sum(high - low + 1 for low, high, _ in self._wider(2**63))
        return capacity(self.templates)

    def make(self, n: int, rng: np.random.Generator) -> Values:
        """Return `n` keys, each once or, if they need not be unique, some again."""
        pool = n if self.unique else min(n, max(1, round(n * self.share)))
        keys: list[str] | np.ndarray
        if self.numbers or self.consecutive:
            keys = self._count_up(pool, rng) if self.consecutive else self._integers(pool, rng)
        else:
            keys = generate(self.templates, pool, rng, column=self.owner)
        index = np.arange(n) if self.unique else repeated(pool, n, rng)
        none = np.zeros(n, dtype=bool)
        if self.numbers:
            return Values(np.asarray(keys)[index], none)
        return Values(index, none, tuple(map(str, keys)))

    def _count_up(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return consecutive integers that begin at `start`, or anywhere with as many digits."""
        if self.start is not None:
            return np.arange(self.start, self.start + n)
        low, high, _ = max(self.ranges, key=lambda part: part[2], default=[1, 9, 1])
        room = high - n - low + 2
        first = low + (int(rng.integers(room)) if room > 0 else 0)
        kind = np.uint64 if first + n >= 2**63 else np.int64
        return np.arange(n, dtype=kind) + kind(first)

    def _integers(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` different integers with as many digits as those of the source."""
        ranges = self._wider(n)
        sizes = [high - low + 1 for low, high, _ in ranges]
        if sum(sizes) < n:
            raise SampleError(
                f"Column {self.owner!r}: its data type has room for only {sum(sizes):,} different "
                f"keys; {n:,} are needed. Ask for at most {sum(sizes):,} rows, store the column "
                "in a wider type, or set unique: false in the schema."
            )
        shares = allot(n, [count for _, _, count in ranges], sizes)
        big = max(high for _, high, _ in ranges) >= 2**63
        kind = np.uint64 if big else np.int64
        made = [
            permuted(min(size, 2**63 - 1), share, rng).astype(kind) + kind(low)
            for (low, _, _), size, share in zip(ranges, sizes, shares, strict=True)
        ]
        return rng.permutation(np.concatenate(made))

    def _wider(self, n: int) -> list[list[int]]:
        """Return the ranges, with more digits where they hold fewer than `n` integers."""
        ranges = [list(part) for part in self.ranges]
        at = max(range(len(ranges)), key=lambda i: ranges[i][1])
        limit = self.limit
        while sum(high - low + 1 for low, high, _ in ranges) < n and ranges[at][1] < limit:
            ranges[at][1] = min(ranges[at][1] * 10 + 9, limit)
        return ranges

    limit: int = 2**63 - 1

    def state(self) -> dict[str, Any]:
        """Return the JSON form: shapes and counts, no key."""
        return {
            "gaps": bool(self.blocks),
            "unique": self.unique,
            "share": self.share,
            "consecutive": self.consecutive,
            "start": self.start,
            "numbers": self.numbers,
            "limit": self.limit,
            "ranges": self.ranges,
            "templates": [template.state() for template in self.templates],
        }


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
        n, distinct = profile.n_present, profile.n_distinct
        texts = distinct_texts(profile)
        numbers = distinct_integers(profile) if texts is None else None
        if texts is not None:
            n, distinct = int((~profile.missing).sum()), len(texts)
            if len(texts) and texts.str.fullmatch(_INTEGER).all() and texts.str.len().max() < 19:
                numbers = texts.astype("int64").to_numpy()
        if distinct < 2 or (texts is None and numbers is None):
            return None
        if distinct < n:
            return _claim_repeated(profile.name, texts, numbers, distinct / n)
        floats = pd.api.types.is_float_dtype(profile.series.dtype)
        if numbers is not None:
            return _claim_numbers(profile.name, numbers, floats)
        assert texts is not None
        if distinct < _ENOUGH and not names_key(profile.name):
            return None
        shape = _key_shape(texts)
        return (
            None
            if shape is None
            else Claim(0.8, f"unique, {shape}", {"unique": True}, "identifier")
        )

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

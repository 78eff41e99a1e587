"""What column types that are never learnt share: reading texts, missing cells, new values."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.columns.base import ColumnCodec, ColumnType, Profile, Values
from tabsynth.encoding.layout import Block
from tabsynth.schema.dtype import restore

Spec = str | Mapping[str, Any]
_KEPT_HASHES = 1 << 16


@dataclass(frozen=True)
class Distinct:
    """A mergeable count of distinct values: the smallest hashes among them.

    Exact up to 65,536 values, within about half a percent beyond.

    References
    ----------
    Bar-Yossef et al., "Counting distinct elements in a data stream", 2002,
    doi:10.1007/3-540-45726-7_1.

    Examples
    --------
    >>> Distinct.of(np.array([3, 5])).merge(Distinct.of(np.array([5, 7]))).estimate()
    3
    """

    hashes: np.ndarray

    @classmethod
    def of(cls, values: Sequence[str] | np.ndarray) -> Distinct:
        """Return the count of `values`, texts or integers."""
        if not len(values):
            return cls(np.zeros(0, dtype=np.uint64))
        numbers = isinstance(values, np.ndarray) and values.dtype.kind in "iu"
        array = np.asarray(values) if numbers else np.asarray(values, dtype=object)
        return cls(np.unique(pd.util.hash_array(array, categorize=False))[:_KEPT_HASHES])

    def merge(self, other: Distinct) -> Distinct:
        """Return the count of both together."""
        return Distinct(np.union1d(self.hashes, other.hashes)[:_KEPT_HASHES])

    def estimate(self) -> int:
        """Return the number of distinct values."""
        if len(self.hashes) < _KEPT_HASHES:
            return len(self.hashes)
        return int((_KEPT_HASHES - 1) / (float(self.hashes[-1]) / 2.0**64))


def permuted(space: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `n` different integers below `space`, in random order, without looking back.

    The range is cut into `n` parts as equal as possible, one integer is drawn in each and the
    result is shuffled: no two can be equal, and nothing is remembered or drawn twice.

    Parameters
    ----------
    space : int
        At least `n` and at most 2**63 - 1.
    n : int
    rng : Generator

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> sorted(permuted(5, 5, np.random.default_rng(0)).tolist())
    [0, 1, 2, 3, 4]
    """
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    size, longer = divmod(space, n)
    part = np.arange(n, dtype=np.int64)
    drawn = part * size + np.minimum(part, longer) + rng.integers(size + (part < longer))
    return rng.permutation(drawn)


def repeated(pool: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` indices below `pool`, each at least once where `n` allows, in random order."""
    if pool == 0 or n == 0:
        return np.zeros(n, dtype=np.int64)
    again = rng.integers(pool, size=max(n - pool, 0))
    return rng.permutation(np.concatenate([np.arange(min(pool, n), dtype=np.int64), again]))


def distinct_texts(profile: Profile) -> pd.Series | None:
    """Return the distinct present values of a column of texts (or of categories that are texts).

    None where the column holds anything else.
    """
    if profile.is_text:
        return profile.texts
    dtype = profile.series.dtype
    if isinstance(dtype, pd.CategoricalDtype) and len(dtype.categories):
        if pd.api.types.infer_dtype(dtype.categories) != "string":
            return None
        used = profile.counts[profile.counts > 0]
        levels = pd.Series(used.index.astype("str"), dtype="str")
        return levels[~levels.isin(list(profile.missing_values))].reset_index(drop=True)
    return None


def distinct_integers(profile: Profile) -> np.ndarray | None:
    """Return the distinct present values of a numeric column of whole numbers, else None."""
    dtype = profile.series.dtype
    if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(dtype):
        return None
    if not pd.api.types.is_numeric_dtype(dtype) or not profile.n_present:
        return None
    return whole_numbers(pd.Series(profile.counts.index))


def whole_numbers(present: pd.Series) -> np.ndarray | None:
    """Return numbers as int64 or uint64, None where one is no whole number or too large."""
    if pd.api.types.is_integer_dtype(present.dtype):
        unsigned = "uint64" in str(present.dtype).lower()
        return present.to_numpy(dtype=np.uint64 if unsigned else np.int64)
    if not pd.api.types.is_float_dtype(present.dtype):
        return None
    numbers = present.to_numpy(dtype=np.float64)
    if not (np.isfinite(numbers) & (np.abs(numbers) < 2.0**53)).all():
        return None
    return numbers.astype(np.int64) if (numbers == np.rint(numbers)).all() else None


def evenly(texts: pd.Series, most: int = 10_000) -> pd.Series:
    """Return at most `most` of `texts`, evenly spaced."""
    if len(texts) <= most:
        return texts
    return texts.iloc[np.linspace(0, len(texts) - 1, most).astype(np.int64)]


class UnlearntCodec(ColumnCodec):
    """A column of which at most the pattern of missing cells is learnt.

    Parameters
    ----------
    owner : str
        Name of the column.
    gaps : bool
        Whether it has missing cells; if so a block tells present (0) from missing (1).
    """

    def __init__(self, owner: str, gaps: bool) -> None:
        self.owner = owner
        self.blocks = (Block(owner, 2, missing=1),) if gaps else ()

    def encode(
        self, values: Values, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return code 0 for present and 1 for missing cells, or no code at all."""
        codes = values.missing.astype(np.int32)[:, None][:, : len(self.blocks)]
        return codes, np.zeros((len(values), 0), dtype=np.float32)

    def decode(self, codes: np.ndarray, offsets: np.ndarray, rng: np.random.Generator) -> Values:
        """Make new values for the cells that are not missing.

        Raises
        ------
        SampleError
            If there are not so many different values.
        """
        missing = codes[:, 0] == 1 if self.blocks else np.zeros(len(codes), dtype=bool)
        made = self.make(int((~missing).sum()), rng)
        data = np.zeros(len(codes), dtype=made.data.dtype)
        data[~missing] = made.data
        return Values(data, missing, made.labels)

    def accepts(self, values: Values) -> np.ndarray:
        """Accept nothing: what is made up cannot be asked for."""
        return np.zeros(len(values), dtype=bool)

    def allowed(self) -> str:
        """Return that nothing is."""
        return "nothing: it is never learnt. Put the values in after the rows are made"

    @abstractmethod
    def make(self, n: int, rng: np.random.Generator) -> Values:
        """Return `n` new values, none missing."""

    def capacity(self) -> int | None:
        """Return the most cells that can be made, None where there is no limit."""
        return None


class AbsentCodec(UnlearntCodec):
    """A column that is left out or emptied: all its cells are missing and nothing is learnt."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner, gaps=False)

    def decode(self, codes: np.ndarray, offsets: np.ndarray, rng: np.random.Generator) -> Values:
        """Return missing cells."""
        n_rows = len(codes)
        return Values(np.zeros(n_rows, dtype=np.int64), np.ones(n_rows, dtype=bool), ())

    def make(self, n: int, rng: np.random.Generator) -> Values:
        """Return cells without a label."""
        return Values(np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool), ())

    def state(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"absent": True}


class UnlearntType(ColumnType):
    """A column type whose values are texts that are replaced or left out, never learnt."""

    def parse(self, series: pd.Series) -> Values:
        """Turn a column into texts: every cell fits, whatever it holds."""
        missing = Profile(self.column.name, series, self.missing_values).missing
        present = series[~missing]
        numbers = None
        dtype = series.dtype
        if pd.api.types.is_float_dtype(dtype) and len(present):
            numbers = whole_numbers(present)
        codes, uniques = pd.factorize(present if numbers is None else numbers)
        labels = tuple(pd.Series(uniques).astype("str").tolist())
        data = np.zeros(len(series), dtype=np.int64)
        data[~missing] = codes
        if isinstance(dtype, pd.CategoricalDtype) and set(labels) & self.missing_values:
            marked = np.array([label in self.missing_values for label in labels])
            missing = missing | marked[data]
        return Values(data, missing, labels)

    def read(self, series: pd.Series) -> Values:
        """Tell missing cells from others; what stands in the others is not read."""
        missing = series.isna().to_numpy(dtype=bool)
        missing = missing | series.isin(list(self.missing_values)).to_numpy(dtype=bool)
        return Values(np.zeros(len(series), dtype=np.int64), missing, ("",))

    def render(self, values: Values) -> pd.Series:
        """Turn texts into a column of the schema's dtype; categories get new levels."""
        spec: Spec | None = self.column.dtype
        labels: tuple[Any, ...] = values.labels or ()
        data = values.data
        if values.labels is not None:
            table = np.empty(len(labels) + 1, dtype=object)
            table[:] = [*labels, ""]
            if holds_numbers(spec):
                table = _numbers([*labels, "0"])
            data = table[np.where(values.missing, len(labels), data)]
        elif not holds_numbers(spec):
            data = np.array(data.astype("U").tolist(), dtype=object)
        if values.missing.any() and isinstance(spec, str) and re.match("u?int|bool", spec):
            spec = "boolean" if spec == "bool" else spec.replace("i", "I").replace("u", "U")
        if isinstance(spec, Mapping) and "category" in spec:
            levels = sorted(set(data[~values.missing].tolist()))
            spec = {"category": "str", "ordered": False, "levels": levels}
        marker = self.column.get("missing_as")
        return restore(data, values.missing, spec, self.column.name, missing_as=marker)


def holds_numbers(spec: Spec | None) -> bool:
    """Return whether a column of this spec holds integers or reals.

    Examples
    --------
    >>> holds_numbers("Int64"), holds_numbers({"arrow": "int8"}), holds_numbers("str")
    (True, True, False)
    """
    kind = spec
    if isinstance(spec, Mapping):
        kind = spec.get("arrow", spec.get("object"))
    return isinstance(kind, str) and bool(re.match("u?int|float|double|halffloat", kind.lower()))


def _numbers(labels: list[str]) -> np.ndarray:
    """Return texts of numbers as int64, uint64 or float64."""
    try:
        exact = [int(label) for label in labels]
    except ValueError:
        return np.array([float(label) for label in labels])
    return np.array(exact, dtype=np.uint64 if max(exact) >= 2**63 else np.int64)

"""The contract of a column type, and the registry through which types are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Block
from tabsynth.errors import PrivacyError, SchemaError
from tabsynth.registry import Registry
from tabsynth.schema.schema import Column

Measure = Literal["continuous", "nominal", "none"]


@dataclass(frozen=True)
class Values:
    """The values of one column in the form that its type works on, whatever the data frame held.

    Attributes
    ----------
    data : ndarray, shape (n_rows,)
        Continuous types: int64, uint64 or float64 (dates: int64 ticks). Nominal types: int64
        indices into `labels`. Anything under a missing cell.
    missing : ndarray of bool, shape (n_rows,)
    labels : tuple or None
        Nominal types: the distinct values (str, bool, int or float), in a stable order.
    """

    data: np.ndarray
    missing: np.ndarray
    labels: tuple[Any, ...] | None = None

    def __len__(self) -> int:
        return len(self.missing)

    def take(self, rows: np.ndarray) -> Values:
        """Return the values at the positions or flags `rows`."""
        return Values(self.data[rows], self.missing[rows], self.labels)

    def overlaid(self, other: Values, rows: np.ndarray) -> Values:
        """Return these values, but those of `other`, as long, at the flags `rows`."""
        missing = np.where(rows, other.missing, self.missing)
        if self.labels is None:
            data = np.where(rows, other.data.astype(self.data.dtype), self.data)
            return Values(data, missing)
        place = {(isinstance(label, bool), label): n for n, label in enumerate(self.labels)}
        for label in other.labels or ():
            place.setdefault((isinstance(label, bool), label), len(place))
        keys = [(isinstance(label, bool), label) for label in other.labels or ()]
        theirs = np.array([*(place[key] for key in keys), 0], dtype=np.int64)
        data = np.where(rows, theirs[np.where(other.missing, -1, other.data)], self.data)
        return Values(data, missing, tuple(label for _, label in place))

    def numbers(self) -> np.ndarray:
        """Return float64 of shape (n_rows,), NaN where missing (label indices for nominal)."""
        numbers = self.data.astype(np.float64)
        numbers[self.missing] = np.nan
        return numbers


@dataclass(frozen=True)
class Claim:
    """What a column type thinks of a column.

    Attributes
    ----------
    confidence : float
        In (0, 1]; the highest claim wins.
    reason : str
        One short clause that shows no value of the table.
    parameters : mapping
        Parameters read off the data.
    role : str
        Suggested role.
    """

    confidence: float
    reason: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    role: str = "plain"


@dataclass(frozen=True)
class Profile:
    """What a column type sees when it is asked for a claim: one column, summed up.

    Attributes
    ----------
    name : str
    series : Series
        The column as it is in the data frame.
    missing_values : frozenset of str
        Cell texts that mean "missing" (they matter in text columns only).
    """

    name: str
    series: pd.Series
    missing_values: frozenset[str]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.series)

    @cached_property
    def is_text(self) -> bool:
        """Whether the column is stored as text (also as categories that are texts)."""
        dtype = self.series.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            return False
        if pd.api.types.is_string_dtype(dtype):
            kind = pd.api.types.infer_dtype(self.series, skipna=True)
            return kind in ("string", "empty")
        return False

    @cached_property
    def missing(self) -> np.ndarray:
        """Which rows are missing, bool of shape (n_rows,)."""
        missing = self.series.isna().to_numpy(dtype=bool)
        if self.is_text and self.missing_values:
            missing = missing | self.series.isin(list(self.missing_values)).to_numpy(dtype=bool)
        return missing

    @cached_property
    def counts(self) -> pd.Series:
        """How often each present value occurs, most frequent first; the values are the index."""
        return self.series[~self.missing].value_counts(sort=True)

    @property
    def n_present(self) -> int:
        """Number of cells that are not missing."""
        return int((~self.missing).sum())

    @property
    def n_distinct(self) -> int:
        """Number of distinct present values."""
        return len(self.counts)

    @cached_property
    def texts(self) -> pd.Series:
        """The distinct present values as text (`str` dtype), most frequent first."""
        return pd.Series(self.counts.index).astype("str")


class ColumnCodec(ABC):
    """A fitted column: turns values into codes and offsets and back.

    Attributes
    ----------
    blocks : tuple of Block
        What it adds to the layout; `parent` counts from the codec's own first block. Empty for
        columns that are generated or constant and never learnt.
    """

    blocks: tuple[Block, ...] = ()

    @abstractmethod
    def encode(
        self, values: Values, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return codes int32 (n_rows, n_blocks) and offsets float32 (n_rows, n_offset_blocks).

        With `rng` an ambiguous code is drawn at random, without it the likeliest is taken.
        """

    @abstractmethod
    def decode(self, codes: np.ndarray, offsets: np.ndarray, rng: np.random.Generator) -> Values:
        """Return the values of `codes` and `offsets`, or make new ones for columns never learnt."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return the JSON form."""

    def accepts(self, values: Values) -> np.ndarray:
        """Return which values a row can be asked to hold, bool of shape (n_rows,).

        A row that is asked for one is drawn with the codes of that value, and then holds exactly
        it. By default these are the values that come back when they are encoded and decoded.
        """
        try:
            codes, offsets = self.encode(values)
        except SchemaError:
            return np.zeros(len(values), dtype=bool)
        back = self.decode(codes, offsets, np.random.Generator(np.random.PCG64(0)))
        same: np.ndarray = back.missing == values.missing
        present = ~values.missing & same
        ours, theirs = (
            some.data if some.labels is None else np.array([*some.labels, ""], object)[some.data]
            for some in (back, values)
        )
        same[present] = ours[present] == theirs[present]
        return same

    def allowed(self) -> str:
        """Return what a row can be asked to hold, in words that show no value."""
        return "the values that it can write again"


class ColumnType(ABC):
    """Behaviour of one kind of column; a subclass is one file with ``@columns.register(name)``.

    Parameters
    ----------
    column : Column
        Name, parameters and dtype of the column it serves.
    missing_values : frozenset of str
        Cell texts that mean "missing".
    """

    name: ClassVar[str]
    description: ClassVar[str]
    measure: ClassVar[Measure]
    """How distances and charts treat its values; "none" for values that are never compared."""
    parameters: ClassVar[Mapping[str, str]] = {}
    """Every parameter that a schema may give, with what it means."""

    def __init__(self, column: Column, missing_values: frozenset[str] = frozenset({""})) -> None:
        self.column = column
        self.missing_values = missing_values

    @classmethod
    @abstractmethod
    def claims(cls, profile: Profile) -> Claim | None:
        """Return a claim on the column, or None where the type does not fit."""

    @abstractmethod
    def parse(self, series: pd.Series) -> Values:
        """Turn a column of a data frame, text or typed, into values.

        Raises
        ------
        SchemaError
            If cells do not fit the type: how many, in which rows, what to do; never the cells.
        """

    def read(self, series: pd.Series) -> Values:
        """Turn a column into values, each cell by itself, whatever it holds.

        Cells that do not fit the type are missing, and those outside declared limits are put on
        them. Not even the dtype of `Values.data` depends on cells, only on how the column is
        stored and on the schema.

        Raises
        ------
        PrivacyError
            If the type has no such reading.

        Notes
        -----
        Privacy: under a budget, columns are read in this way alone, as an error or a choice of
        dtype would tell about single rows.
        """
        raise PrivacyError(
            f"Column {self.column.name!r}: the type {self.name!r} cannot be used under a privacy "
            "budget. Set it to a type that can, such as category, or to text to leave it out."
        )

    @abstractmethod
    def render(self, values: Values) -> pd.Series:
        """Turn values into a column of the schema's dtype (text columns: in the same format)."""

    @abstractmethod
    def summarise(self, values: Values) -> Any:
        """Return a mergeable summary of a chunk."""

    @abstractmethod
    def merge(self, first: Any, second: Any) -> Any:
        """Return the summary of two chunks together."""

    @abstractmethod
    def fit(self, summary: Any, coding: Coding) -> ColumnCodec:
        """Return the codec of a column with this summary, numbers coded as `coding` says."""

    @abstractmethod
    def load(self, state: dict[str, Any]) -> ColumnCodec:
        """Rebuild a codec from its JSON form."""

    def drops(self) -> bool:
        """Return whether the column is left out of the synthetic table."""
        return False

    def treatment(self) -> str:
        """Return what will happen to the column, in a few words for the plan."""
        return "learnt"

    def _misfit(self, rows: np.ndarray, n_rows: int, what: str, remedy: str) -> SchemaError:
        """Return the error for cells at positions `rows`, "3 of 9 values" + `what`; shows none."""
        shown = ", ".join(f"{row + 1:,}" for row in rows[:3])
        more = ", ..." if len(rows) > 3 else ""
        values = "value" if len(rows) == 1 else "values"
        return SchemaError(
            f"Column {self.column.name!r} ({self.name}): {len(rows):,} of {n_rows:,} {values} "
            f"{what} (row{'s' if len(rows) > 1 else ''} {shown}{more}). {remedy}"
        )


def holds_objects(series: pd.Series) -> bool:
    """Return whether cells may be of any kind, as a column's dtype has it."""
    return isinstance(series.dtype, np.dtype) and series.dtype.kind == "O"


columns: Registry[type[ColumnType]] = Registry("column type", "tabsynth.columns")
"""Every column type by name."""

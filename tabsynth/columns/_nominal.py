"""What categories, booleans and constants share: labels, their counts and their codec."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns.base import ColumnCodec, ColumnType, Measure, Profile, Values, holds_objects
from tabsynth.encoding.layout import Block
from tabsynth.errors import SampleError, SchemaError
from tabsynth.schema.dtype import restore
from tabsynth.schema.labels import label_from_json, label_to_json, order_of

Key = tuple[bool, Hashable]


def key_of(label: Any) -> Key:
    """Return what tells a label from all others: ``True`` is not ``1``."""
    return isinstance(label, bool), label


@dataclass(frozen=True)
class LabelCounts:
    """How often each label occurs: the summary of a chunk.

    Attributes
    ----------
    counts : mapping of (bool, label) to number
        Number of rows that hold each label; keys as `key_of` makes them.
    missing : number
        Number of missing cells.
    """

    counts: Mapping[Key, float]
    missing: float

    @classmethod
    def of(cls, values: Values) -> LabelCounts:
        """Count the labels of `values`."""
        labels = values.labels or ()
        counts = np.bincount(values.data[~values.missing], minlength=len(labels)).tolist()
        found = {key_of(label): n for label, n in zip(labels, counts, strict=True) if n}
        return cls(found, int(values.missing.sum()))

    def merge(self, other: LabelCounts) -> LabelCounts:
        """Return the counts of two chunks together."""
        counts = dict(self.counts)
        for key, count in other.counts.items():
            counts[key] = counts.get(key, 0) + count
        return LabelCounts(counts, self.missing + other.missing)

    def ranked(self) -> list[tuple[Any, float]]:
        """Return (label, count), the most frequent first, ties in the order of labels."""
        pairs = [(label, count) for (_, label), count in self.counts.items()]
        order = order_of([label for label, _ in pairs])
        return sorted((pairs[place] for place in order), key=lambda pair: -pair[1])


class LabelCodec(ColumnCodec):
    """Codec of a column of labels: a code a label, then one for others, then one for missing.

    Parameters
    ----------
    owner : str
        Name of the column.
    labels : sequence
        The released labels, in the order of their codes.
    counts : sequence of float
        How often each was seen.
    other : bool
        Whether labels that are not released share a code.
    other_label : optional
        What that code is written as; without one it is written as a released label, drawn in
        proportion to the counts.
    nullable : bool
        Whether there is a code for missing cells.
    ordered : bool
        Whether the order of the codes is that of the labels.
    """

    def __init__(
        self,
        owner: str,
        labels: Sequence[Any],
        counts: Sequence[float],
        *,
        other: bool,
        other_label: Any = None,
        nullable: bool,
        ordered: bool = False,
    ) -> None:
        self.owner, self.labels, self.counts = owner, tuple(labels), tuple(counts)
        self.other, self.other_label = other, other_label
        self.nullable, self.ordered = nullable, ordered
        self._codes = {key_of(label): code for code, label in enumerate(self.labels)}
        self._edges = np.cumsum(np.array(self.counts, dtype=np.float64))
        self._missing = len(self.labels) + int(other)
        self.blocks = (
            Block(
                owner,
                self._missing + int(nullable),
                ordinal=ordered,
                missing=self._missing if nullable else None,
            ),
        )

    def encode(
        self, values: Values, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return codes int32 (n_rows, 1) and no offsets.

        A label that is not released gets the code of others; where there is none, that of a
        released label: drawn in proportion to the counts with `rng`, the most frequent without.

        Raises
        ------
        SchemaError
            If cells are missing and there is no code for that.
        """
        missing = values.missing
        if missing.any() and not self.nullable:
            raise SchemaError(
                f"Column {self.owner!r}: {int(missing.sum()):,} cells are missing, but none were "
                "when the column was learnt. Declare nullable: true and learn it again."
            )
        known = [self._codes.get(key_of(label), -1) for label in values.labels or ()]
        codes = np.array([*known, -1])[np.where(missing, -1, values.data)]
        strange = (codes < 0) & ~missing
        if self.other or not self.labels:
            codes[strange] = len(self.labels)
        elif strange.any():
            n = int(strange.sum())
            codes[strange] = int(np.argmax(self.counts)) if rng is None else self._draw(n, rng)
        codes[missing] = self._missing
        return codes.astype(np.int32)[:, None], np.zeros((len(codes), 0), dtype=np.float32)

    def decode(self, codes: np.ndarray, offsets: np.ndarray, rng: np.random.Generator) -> Values:
        """Return the labels of `codes`."""
        data = codes[:, 0].astype(np.int64)
        missing = data >= self._missing
        others = (data >= len(self.labels)) & ~missing
        labels = self.labels
        if others.any():
            if self.other_label is None:
                data[others] = self._draw(int(others.sum()), rng)
            else:
                if key_of(self.other_label) not in self._codes:
                    labels = (*labels, self.other_label)
                data[others] = self._codes.get(key_of(self.other_label), len(self.labels))
        data[missing] = 0
        return Values(data, missing, labels)

    def accepts(self, values: Values) -> np.ndarray:
        """Accept what rows were learnt with and may be written, missing cells included."""
        shown = {
            key_of(label): count > 0 for label, count in zip(self.labels, self.counts, strict=True)
        }
        if self.other and self.other_label is not None:
            shown[key_of(self.other_label)] = True
        fits = np.array([*(shown.get(key_of(label), False) for label in values.labels or ()), True])
        accepted: np.ndarray = fits[np.where(values.missing, -1, values.data)]
        return accepted & (~values.missing | self.nullable)

    def allowed(self) -> str:
        """Return how many values there are."""
        n = sum(count > 0 for count in self.counts) + (self.other and self.other_label is not None)
        return f"one of the {n:,} values that rows made can show" + _or_missing(self.nullable)

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw codes of released labels in proportion to their counts."""
        draws = np.searchsorted(self._edges, rng.random(n) * self._edges[-1], side="right")
        codes: np.ndarray = np.minimum(draws, len(self.labels) - 1)
        return codes

    def state(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "labels": [label_to_json(label) for label in self.labels],
            "counts": list(self.counts),
            "other": self.other,
            "other_label": label_to_json(self.other_label)
            if self.other_label is not None
            else None,
            "nullable": self.nullable,
            "ordered": self.ordered,
        }

    @classmethod
    def load(cls, owner: str, state: dict[str, Any]) -> LabelCodec:
        """Rebuild from the JSON form."""
        return cls(
            owner,
            [label_from_json(label) for label in state["labels"]],
            state["counts"],
            other=state["other"],
            other_label=label_from_json(state["other_label"]),
            nullable=state["nullable"],
            ordered=state["ordered"],
        )


def _or_missing(nullable: bool) -> str:
    return ", or no value" if nullable else "; cells are never missing"


class NominalType(ColumnType):
    """Base of the types whose values are labels."""

    measure: ClassVar[Measure] = "nominal"

    def parse(self, series: pd.Series) -> Values:
        """Turn a column of any dtype into indices of its distinct labels."""
        name, dtype = self.column.name, series.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            data = series.cat.codes.to_numpy(dtype=np.int64)
            return Values(np.maximum(data, 0), data < 0, tuple(dtype.categories.tolist()))
        missing = Profile(name, series, self.missing_values).missing
        try:
            data, labels = _factorize(series)
        except TypeError:
            raise SchemaError(
                f"Column {name!r} ({self.name}): some cells hold lists or other values of many "
                "parts. Turn them into text, or leave the column out with the type text."
            ) from None
        used = np.unique(data[~missing])
        used = used[order_of([labels[place] for place in used])]
        position = np.zeros(len(labels) + 1, dtype=np.int64)
        position[used] = np.arange(len(used))
        return Values(
            np.where(missing, 0, position[data]), missing, tuple(labels[place] for place in used)
        )

    def read(self, series: pd.Series) -> Values:
        """Turn a column of any dtype into indices of its distinct labels; lists are missing."""
        if holds_objects(series):
            marked = series.isin(list(self.missing_values)).to_numpy(dtype=bool)
            single = series.map(lambda cell: isinstance(cell, Hashable)).to_numpy(dtype=bool)
            series = series.where(single & ~marked, None)
        return NominalType.parse(self, series)

    def render(self, values: Values) -> pd.Series:
        """Write labels in the column's dtype; missing cells of texts as `missing_as` says."""
        labels = list(values.labels or ())
        cells = np.full(len(labels) + 1, None, dtype=object)
        cells[: len(labels)] = labels
        places = np.where(values.missing, len(labels), values.data)
        # Each kind of cell is written once, and then taken as often as it comes.
        used = np.bincount(places, minlength=len(cells)) > 0
        marker = self.column.get("missing_as")
        spec, name = self.column.dtype, self.column.name
        gaps = (np.arange(len(cells)) == len(labels))[used]
        kinds = restore(cells[used], gaps, spec, name, missing_as=marker)
        drawn = kinds.array.take((np.cumsum(used) - 1)[places])
        return pd.Series(drawn, dtype=kinds.dtype, name=kinds.name)

    def summarise(self, values: Values) -> LabelCounts:
        """Count the labels of a chunk."""
        return LabelCounts.of(values)

    def merge(self, first: LabelCounts, second: LabelCounts) -> LabelCounts:
        """Return the counts of two chunks together."""
        return first.merge(second)

    def load(self, state: dict[str, Any]) -> ColumnCodec:
        """Rebuild a codec from its JSON form."""
        return LabelCodec.load(self.column.name, state)

    def _require_room(self, labels: Sequence[Any], parameter: str) -> None:
        """Raise SchemaError where the column's dtype cannot hold `labels`."""
        try:
            restore(labels, [False] * len(labels), self.column.dtype, self.column.name)
        except SampleError:
            raise SchemaError(
                f"Column {self.column.name!r} ({self.name}): what {parameter} gives does not fit "
                "in the column as it is stored. Give values of the kind that the column holds."
            ) from None


def _factorize(series: pd.Series) -> tuple[np.ndarray, list[Any]]:
    """Return codes (-1 where missing) and the distinct labels; ``True`` and ``1`` are two."""
    if series.dtype.kind != "O" or not pd.api.types.infer_dtype(series).startswith("mixed"):
        codes, uniques = pd.factorize(series)
        return codes.astype(np.int64), uniques.tolist()
    truths = series.map(type).isin([bool]).to_numpy(dtype=bool)
    codes, uniques = pd.factorize(series.where(~truths, None))
    codes = codes.astype(np.int64)
    codes[truths] = len(uniques) + series[truths].to_numpy(dtype=np.int64)
    return codes, [*uniques.tolist(), False, True]

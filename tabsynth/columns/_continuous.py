"""What numbers, dates and durations share: summaries, codings and their codec."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabsynth.columns.base import ColumnCodec, ColumnType, Values
from tabsynth.encoding.bins import BinCoder
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.distribution import Distribution
from tabsynth.encoding.grid import Grid
from tabsynth.encoding.modes import ModeCoder
from tabsynth.encoding.scalar import ScalarCoder
from tabsynth.errors import SchemaError

MINIMUM_COUNT = 5
"""Fewest rows that must share a value before it is released as it is."""

Coder = BinCoder | ModeCoder | ScalarCoder
CODERS: dict[str, type[BinCoder] | type[ModeCoder] | type[ScalarCoder]] = {
    "bins": BinCoder,
    "modes": ModeCoder,
    "scalar": ScalarCoder,
}


class ContinuousCodec(ColumnCodec):
    """Codec of a column of numbers.

    Parameters
    ----------
    owner : str
    grid : Grid
    coder : BinCoder or ModeCoder or ScalarCoder
    kind : str
        Its name.
    nullable : bool
        Whether there is a code for missing cells.
    dtype : dtype
        int64, uint64 or float64: what `Values.data` holds.
    limits : tuple
        Declared minimum and maximum, None where open.
    """

    def __init__(
        self,
        owner: str,
        grid: Grid,
        coder: Coder,
        kind: str,
        nullable: bool,
        dtype: np.dtype[Any],
        limits: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self.owner, self.grid, self.coder, self.kind = owner, grid, coder, kind
        self.nullable, self.dtype, self.limits = nullable, dtype, limits
        self.blocks = coder.blocks(owner, nullable)
        self._n_offsets = sum(block.has_offset for block in self.blocks)

    def encode(
        self, values: Values, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return codes and offsets; missing cells get the reserved code."""
        n = len(values)
        codes = np.zeros((n, len(self.blocks)), dtype=np.int32)
        offsets = np.zeros((n, self._n_offsets), dtype=np.float32)
        present = ~values.missing
        if not self.nullable and not present.all():
            raise SchemaError(
                f"Column {self.owner!r}: {int((~present).sum())} cells are missing, but none were "
                "when the column was learnt."
            )
        if present.any() and self.coder.n_codes:
            index = self.grid.index(values.data[present].astype(self.dtype, copy=False))
            some_codes, some_offsets = self.coder.encode(index, rng)
            codes[present], offsets[present] = some_codes, some_offsets
        codes[~present, 0] = self.coder.n_codes
        return codes, offsets

    def decode(self, codes: np.ndarray, offsets: np.ndarray, rng: np.random.Generator) -> Values:
        """Return numbers on the column's grid, between its declared limits."""
        n = len(codes)
        missing = codes[:, 0] >= self.coder.n_codes if self.nullable else np.zeros(n, dtype=bool)
        data = np.zeros(n, dtype=self.dtype)
        if self.coder.n_codes:
            data = self.grid.number(self.coder.decode(codes, offsets), self.dtype)
        low, high = self.limits
        if low is not None:
            data = np.maximum(data, np.array(low).astype(self.dtype))
        if high is not None:
            data = np.minimum(data, np.array(high).astype(self.dtype))
        return Values(data, missing)

    def accepts(self, values: Values) -> np.ndarray:
        """Accept numbers on the column's grid, in the range learnt and between its limits."""
        data = values.data
        numbers = data.astype(self.dtype)
        accepted: np.ndarray = numbers.astype(np.float64) == data.astype(np.float64)
        if not self.coder.n_codes:
            return values.missing & self.nullable
        index = self.grid.index(numbers)
        back = self.grid.number(index, self.dtype)
        accepted &= (
            np.isclose(back, numbers, rtol=1e-12, atol=0)
            if data.dtype.kind == "f"
            else (back == numbers)
        )
        lowest, highest = self.coder.ends
        accepted &= (index >= lowest) & (index <= highest)
        low, high = self.limits
        accepted &= (low is None or data >= low) & (high is None or data <= high)
        return np.where(values.missing, self.nullable, accepted)

    def allowed(self) -> str:
        """Return where numbers must lie."""
        scale = "with the decimals or steps that the column has, " if self.grid.is_lattice else ""
        gaps = ", or no value" if self.nullable else "; cells are never missing"
        return f"values {scale}within the range that was learnt{gaps}"

    def state(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "kind": self.kind,
            "grid": self.grid.to_list(),
            "coder": self.coder.state(),
            "nullable": self.nullable,
            "dtype": self.dtype.name,
            "limits": list(self.limits),
        }

    @classmethod
    def load(cls, owner: str, state: dict[str, Any]) -> ContinuousCodec:
        """Rebuild from the JSON form."""
        grid = Grid(*state["grid"])
        coder = CODERS[state["kind"]].load(state["coder"], grid.is_lattice)
        low, high = state["limits"]
        return cls(
            owner,
            grid,
            coder,
            state["kind"],
            state["nullable"],
            np.dtype(state["dtype"]),
            (low, high),
        )


class ContinuousType(ColumnType):
    """Base of the types whose values are numbers underneath."""

    measure = "continuous"

    def summarise(self, values: Values) -> Distribution:
        """Return the distribution of a chunk."""
        return Distribution.of(values.data, values.missing)

    def merge(self, first: Distribution, second: Distribution) -> Distribution:
        """Return the distribution of two chunks together."""
        return first.merge(second)

    def fit(self, summary: Distribution, coding: Coding) -> ContinuousCodec:
        """Return the codec: grid, atoms and the coding that the model asked for."""
        grid = self.grid(summary)
        floor = int(self.column.get("minimum_count", MINIMUM_COUNT))
        coder = CODERS[coding.kind].fit(
            grid.index(summary.values), summary.counts, coding, max(floor, 1)
        )
        return ContinuousCodec(
            self.column.name,
            grid,
            coder,
            coding.kind,
            summary.missing > 0 or bool(self.column.get("nullable", False)),
            summary.values.dtype,
            self.limits(),
        )

    def load(self, state: dict[str, Any]) -> ContinuousCodec:
        """Rebuild a codec from its JSON form."""
        return ContinuousCodec.load(self.column.name, state)

    def grid(self, summary: Distribution) -> Grid:
        """Return the lattice that values lie on."""
        return Grid.of(summary)

    def limits(self) -> tuple[float | None, float | None]:
        """Return the declared minimum and maximum."""
        return None, None

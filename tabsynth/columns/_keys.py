"""The codec of keys: integers and texts that are made anew, all different."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tabsynth.columns._templates import Template, allot, capacity, generate
from tabsynth.columns._unlearnt import UnlearntCodec, permuted, repeated
from tabsynth.columns.base import Values
from tabsynth.errors import SampleError


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
    limit : int
        Largest integer that the data type holds.
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
        limit: int,
        templates: list[Template],
    ) -> None:
        super().__init__(owner, gaps)
        self.unique, self.share = unique, share
        self.consecutive, self.start = consecutive, start
        self.numbers, self.templates = numbers, templates
        self.ranges, self.limit = ranges, limit

    def capacity(self) -> int | None:
        """Return the most cells that can be made, None where there is no limit."""
        return self._possible() if self.unique else None

    def _possible(self) -> int | None:
        """Return how many different keys there are, None where they can grow without a limit."""
        if self.numbers and self.consecutive:
            first = min(low for low, _, _ in self.ranges) if self.start is None else self.start
            return self.limit - first + 1
        if self.numbers:
            return sum(high - low + 1 for low, high, _ in self._wider(2**64))
        return None if self.consecutive else capacity(self.templates)

    def make(self, n: int, rng: np.random.Generator) -> Values:
        """Return `n` keys, each once or, if they need not be unique, some again."""
        pool, most = n, self._possible()
        if not self.unique:
            pool = min(n, max(1, round(n * self.share)), n if most is None else most)
        elif self.numbers and most is not None and most < n:
            raise SampleError(
                f"Column {self.owner!r}: its data type has room for only {most:,} different "
                f"keys; {n:,} are needed. Ask for at most {most:,} rows, store the column in a "
                "wider type, or set unique: false in the schema."
            )
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
        if self.numbers:
            first = min(first, self.limit - n + 1)
        kind = np.uint64 if first + n >= 2**63 else np.int64
        return np.arange(n, dtype=kind) + kind(first)

    def _integers(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` different integers with as many digits as those of the source."""
        ranges = self._wider(n)
        sizes = [high - low + 1 for low, high, _ in ranges]
        shares = allot(n, [count for _, _, count in ranges], sizes)
        kind = np.uint64 if max(high for _, high, _ in ranges) >= 2**63 else np.int64
        made = [
            permuted(min(size, 2**63 - 1), share, rng).astype(kind) + kind(low)
            for (low, _, _), size, share in zip(ranges, sizes, shares, strict=True)
        ]
        return rng.permutation(np.concatenate(made))

    def _wider(self, n: int) -> list[list[int]]:
        """Return the ranges, with more digits where they hold fewer than `n` integers."""
        ranges = [list(part) for part in self.ranges]
        at = max(range(len(ranges)), key=lambda i: ranges[i][1])
        while sum(high - low + 1 for low, high, _ in ranges) < n and ranges[at][1] < self.limit:
            ranges[at][1] = min(max(ranges[at][1], 0) * 10 + 9, self.limit)
        return ranges

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

    @classmethod
    def load(cls, owner: str, state: Mapping[str, Any]) -> KeyCodec:
        """Rebuild from the JSON form."""
        options = {**state, "templates": [Template.load(part) for part in state["templates"]]}
        return cls(owner, **options)

"""Rows of a model among which those are looked for that hold most of what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from tabsynth.codec import TableCodec
from tabsynth.encoding.given import Given, compared, distinct
from tabsynth.encoding.table import EncodedTable
from tabsynth.models import Model
from tabsynth.monitor import Monitor
from tabsynth.random import Streams

LEAST = 10
"""Fewest candidates that a row is drawn from, where its columns leave so many."""

MOST_CANDIDATES = 200_000
"""Most candidates that are drawn."""

CELLS = 2**21
"""Pairs of a row and a candidate that are looked at together."""

GROUPS = 16
"""Groups of values that are told apart where it is read what columns say about each other."""


class Candidates:
    """Chooses for rows that are given in part among rows that a model made.

    Parameters
    ----------
    table : EncodedTable
        Rows of the model.
    codec : TableCodec
    max_tries : int
        What is rarer among them than one in so many is too rare to choose from.
    """

    def __init__(self, table: EncodedTable, codec: TableCodec, max_tries: int) -> None:
        self.table, self.codec = table, codec
        self.keys = np.ascontiguousarray(compared(table).T)
        self.least = max(1, min(LEAST, -(-len(table) // max_tries)))

    @classmethod
    def draw(
        cls, model: Model, codec: TableCodec, max_tries: int, streams: Streams, monitor: Monitor
    ) -> Self:
        """Draw so many rows that what is held by one in `max_tries` is held by `LEAST` of them."""
        size = min(LEAST * max_tries, MOST_CANDIDATES)
        return cls(model.sample(size, streams, monitor), codec, max_tries)

    def choose(
        self,
        given: Given,
        names: Sequence[str],
        asked: np.ndarray,
        worth: np.ndarray,
        lacking: dict[str, np.ndarray],
        rng: np.random.Generator,
    ) -> tuple[EncodedTable, np.ndarray]:
        """Return a candidate for each row, and which rows it does not wholly fit.

        Candidates lack nothing that the row lacks, if there are such. Then columns are looked at
        one after another, those that are worth most first, and each leaves the candidates that hold
        it, or all of them if that leaves too few.

        Parameters
        ----------
        given : Given
        names : sequence of str
            The columns that rows are asked for.
        asked : ndarray of bool, shape (n_rows, n_names)
        worth : ndarray of float64, shape (n_rows, n_names)
        lacking : dict of str to ndarray of bool
        rng : Generator
        """
        n, width = len(given), len(names)
        if not n:
            return EncodedTable.empty(0, given.layout), np.zeros(0, dtype=bool)
        roots = np.array([self.codec.places(name)[0][0] for name in names], dtype=np.int64)
        wanted = compared(given.table)[:, roots].reshape(n, width)
        gaps = np.stack(list(lacking.values()), axis=1)
        # Rows that are alike are looked at once.
        first, which = distinct(
            np.concatenate([asked, asked * wanted, gaps], axis=1).astype(np.int32)
        )
        order = np.argsort(np.where(asked, -worth, 1.0), axis=1, kind="stable")
        pick, relaxed = np.zeros(n, dtype=np.int64), np.zeros(len(first), dtype=bool)
        by_kind = np.argsort(which, kind="stable")
        ends = np.searchsorted(which[by_kind], np.arange(len(first) + 1))
        step = max(1, CELLS // len(self.table))
        for start in range(0, len(first), step):
            kinds = np.arange(start, min(start + step, len(first)))
            rows = first[kinds]
            fits = self._without_gaps(rows, lacking)
            for place in range(int(asked[rows].sum(axis=1).max(initial=0))):
                column = order[rows, place]
                here = asked[rows, column]
                held = self.keys[roots[column]] == wanted[rows, column][:, None]
                held &= fits
                enough = held.sum(axis=1) >= self.least
                relaxed[kinds[here & ~enough]] = True
                take = here & enough
                fits[take] = held[take]
            counts = fits.sum(axis=1)
            places = np.nonzero(fits)[1]
            here = by_kind[ends[start] : ends[kinds[-1] + 1]]
            own = which[here] - start
            nth = np.floor(rng.random(len(here)) * counts[own]).astype(np.int64)
            pick[here] = places[(np.cumsum(counts) - counts)[own] + nth]
        return self.table.take(pick), relaxed[which]

    def _without_gaps(self, rows: np.ndarray, lacking: dict[str, np.ndarray]) -> np.ndarray:
        """Return which candidates lack nothing that a row lacks; all of them if there are none."""
        fits = np.ones((len(rows), len(self.table)), dtype=bool)
        for name, flags in lacking.items():
            number = int(self.codec.places(name)[0][0])
            gap = self.table.layout[number].missing
            if gap is not None:
                fits &= (self.table.codes[:, number] != gap)[None] | ~flags[rows][:, None]
        fits[~fits.any(axis=1)] = True
        return fits


def informs(table: EncodedTable, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Return what columns say about each other, less what chance gives.

    Parameters
    ----------
    table : EncodedTable
        Rows to read it from.
    pairs : sequence of (str, str)

    Returns
    -------
    dict of (str, str) to float
        Mutual information in nats.
    """
    groups = _grouped(table) if pairs else {}
    found = {}
    for pair in pairs:
        one, two = (groups.get(name) for name in pair)
        found[pair] = 0.0 if one is None or two is None else _information(one, two)
    return found


def _information(one: np.ndarray, two: np.ndarray) -> float:
    counts = np.bincount(one * GROUPS + two, minlength=GROUPS**2).reshape(GROUPS, GROUPS)
    shares = counts / counts.sum()
    rows, columns = shares.sum(axis=1, keepdims=True), shares.sum(axis=0, keepdims=True)
    held = shares > 0
    found = float((shares[held] * np.log(shares[held] / (rows @ columns)[held])).sum())
    free = (int((rows > 0).sum()) - 1) * (int((columns > 0).sum()) - 1)
    return max(found - free / (2 * len(one)), 0.0)


def _grouped(table: EncodedTable) -> dict[str, np.ndarray]:
    """Return the group of each row by column, int64 (n_rows,): by rank, or the commonest codes."""
    keys = compared(table)
    groups: dict[str, np.ndarray] = {}
    for number, block in enumerate(table.layout):
        if block.parent is not None or block.owner in groups:
            continue
        counts = np.bincount(keys[:, number])
        if block.ordinal:
            below = np.cumsum(counts) - counts / 2
            share = below / max(len(table), 1)
            place = np.minimum(share * GROUPS, GROUPS - 1).astype(np.int64)
        else:
            place = np.full(len(counts), GROUPS - 1, dtype=np.int64)
            order = np.argsort(-counts, kind="stable")[: GROUPS - 1]
            place[order] = np.arange(len(order))
        groups[block.owner] = place[keys[:, number]]
    return groups

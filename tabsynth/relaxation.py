"""Rows that are too rare to be asked for whole: they are asked for in part, the best part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.codec import TableCodec
from tabsynth.completion import complete, loose_rows, scattered
from tabsynth.constraints import read_constraints
from tabsynth.encoding.given import compared
from tabsynth.encoding.table import EncodedTable
from tabsynth.given import Fixed, Request
from tabsynth.models import Model, TooRare
from tabsynth.monitor import Monitor
from tabsynth.random import Streams

KEPT = 2 / 3
"""Share of the columns that a row is still asked to hold after it was too rare."""

SEEN = 4_096
"""Rows of the model from which it is read what columns say about each other."""

GROUPS = 16
"""Groups of values that are told apart for that."""


@dataclass(frozen=True)
class Drawn:
    """Rows that hold what could be asked for.

    Attributes
    ----------
    table : EncodedTable
    moved : mapping of str to (Values, ndarray of bool)
        What columns hold beside their codes, where constraints want it.
    relaxed : ndarray of bool, shape (n_rows,)
        Rows that hold a part only of what was asked.
    """

    table: EncodedTable
    moved: Fixed
    relaxed: np.ndarray


class Relaxation:
    """Makes rows that are given in part, with less given where it is too rare together.

    A row that is too rare is asked for again with two thirds of its columns, then two thirds of
    these, and so on down to none. Columns that a constraint makes from others that are not known go
    last; of the others those go first that say least about what the row lacks, by the mutual
    information among rows that the model makes.

    Parameters
    ----------
    model : Model
    codec : TableCodec
    streams : Streams
        For the rows from which it is read what columns say about each other.
    monitor : callable
    max_tries : int
        What the model makes less often than once in so many draws is too rare.
    """

    def __init__(
        self,
        model: Model,
        codec: TableCodec,
        streams: Streams,
        monitor: Monitor,
        max_tries: int,
    ) -> None:
        self.model, self.codec, self.monitor = model, codec, monitor
        self.max_tries, self.streams = max_tries, streams
        self._seen: dict[str, np.ndarray] | None = None

    def draw(self, request: Request, lacking: dict[str, np.ndarray], streams: Streams) -> Drawn:
        """Make a row for every row asked for.

        Parameters
        ----------
        request : Request
        lacking : dict of str to ndarray of bool
            By column: which rows are to be told something about it.
        streams : Streams
        """
        n, names = request.n_rows, list(request.fixed)
        table = EncodedTable.empty(n, self.codec.layout)
        moved: Fixed = {}
        relaxed = np.zeros(n, dtype=bool)
        flags = [request.fixed[name][1] for name in names]
        asked = np.stack(flags, axis=1) if flags else np.zeros((n, 0), dtype=bool)
        waiting, level = np.arange(n), 0
        while len(waiting):
            some = _part(request, names, asked, waiting)
            loose = loose_rows(some, self.codec)
            lost = np.zeros(len(waiting), dtype=bool)
            for kind, which in (("firm", ~loose), ("loose", loose)):
                here = np.flatnonzero(which)
                inner = streams.child(f"{kind} {level}")
                part = _part(request, names, asked, waiting[here])
                made, fixed, rare = self._attempt(part, inner)
                rows = waiting[here[~rare]]
                table.codes[rows], table.offsets[rows] = made.codes[~rare], made.offsets[~rare]
                for name, (values, held) in fixed.items() if kind == "loose" else ():
                    moved[name] = scattered(
                        moved.get(name), values.take(~rare), held[~rare], rows, n
                    )
                lost[here] = rare
            waiting = waiting[lost]
            relaxed[waiting] = True
            if len(waiting):
                worth = self._worth(names, lacking, waiting, loose[lost])
                asked[waiting] = _strongest(asked[waiting], worth)
            level += 1
        return Drawn(table, moved, relaxed)

    def _attempt(
        self, request: Request, streams: Streams
    ) -> tuple[EncodedTable, Fixed, np.ndarray]:
        """Make the rows that are not too rare; return which are."""
        n = request.n_rows
        table, rare = EncodedTable.empty(n, self.codec.layout), np.zeros(n, dtype=bool)
        moved: Fixed = {}
        attempt = 0
        while not rare.all():
            rows = np.flatnonzero(~rare)
            inner, part = streams.child(f"attempt {attempt}"), _taken(request, rows)
            try:
                done, fixed = complete(
                    self.model, self.codec, part, inner, self.monitor, self.max_tries
                )
                made = done.table
            except TooRare as error:
                rare[rows[error.lost]] = True
                if error.made is None:
                    attempt += 1
                    continue
                made, fixed = error.made, {}
            table.codes[rows], table.offsets[rows] = made.codes, made.offsets
            for name, (values, held) in fixed.items():
                moved[name] = scattered(None, values, held, rows, n)
            break
        return table, moved, rare

    def _worth(
        self,
        names: list[str],
        lacking: dict[str, np.ndarray],
        rows: np.ndarray,
        loose: np.ndarray,
    ) -> np.ndarray:
        """Return how much each column says about what each row lacks, (n_rows, n_names)."""
        ends = list(lacking)
        says = np.array([[self._says(name, end) for name in names] for end in ends])
        lacks = np.stack([lacking[end][rows] for end in ends], axis=1)
        worth: np.ndarray = lacks.astype(np.float64) @ says.reshape(len(ends), len(names))
        for rule in read_constraints(self.codec.schema):
            if rule.writes in names:
                worth[loose, names.index(rule.writes)] = np.inf
        return worth

    def _says(self, name: str, other: str) -> float:
        """Return the mutual information of two columns in nats, less what chance gives."""
        if self._seen is None:
            table = self.model.sample(SEEN, self.streams.child("seen"), self.monitor)
            self._seen = _grouped(table)
        one, two = self._seen.get(name), self._seen.get(other)
        if one is None or two is None or name == other:
            return 0.0
        counts = np.bincount(one * GROUPS + two, minlength=GROUPS**2).reshape(GROUPS, GROUPS)
        shares = counts / counts.sum()
        rows, columns = shares.sum(axis=1, keepdims=True), shares.sum(axis=0, keepdims=True)
        held = shares > 0
        found = float((shares[held] * np.log(shares[held] / (rows @ columns)[held])).sum())
        free = (int((rows > 0).sum()) - 1) * (int((columns > 0).sum()) - 1)
        return max(found - free / (2 * len(one)), 0.0)


def _grouped(table: EncodedTable) -> dict[str, np.ndarray]:
    """Return the group of each row by column, int64 (n_rows,): by rank, or the commonest codes."""
    keys, groups = compared(table), {}
    for number, block in enumerate(table.layout):
        if block.parent is not None or block.owner in groups:
            continue
        counts = np.bincount(keys[:, number])
        if block.ordinal:
            below = np.cumsum(counts) - counts / 2
            place = np.minimum(below / max(len(table), 1) * GROUPS, GROUPS - 1).astype(np.int64)
        else:
            place = np.full(len(counts), GROUPS - 1, dtype=np.int64)
            order = np.argsort(-counts, kind="stable")[: GROUPS - 1]
            place[order] = np.arange(len(order))
        groups[block.owner] = place[keys[:, number]]
    return groups


def _strongest(asked: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Return flags of the part of each row's columns that is worth most."""
    order = np.argsort(np.where(asked, -worth, np.inf), axis=1, kind="stable")
    # What is not asked goes last, after columns that are worth nothing.
    order = np.take_along_axis(
        order, np.argsort(~np.take_along_axis(asked, order, 1), 1, "stable"), 1
    )
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(asked.shape[1])[None], axis=1)
    kept: np.ndarray = asked & (rank < np.floor(asked.sum(axis=1) * KEPT)[:, None])
    return kept


def _part(request: Request, names: list[str], asked: np.ndarray, rows: np.ndarray) -> Request:
    """Return some rows of a request, with what of it is still asked."""
    fixed = {
        name: (request.fixed[name][0].take(rows), asked[rows, place])
        for place, name in enumerate(names)
    }
    return Request(len(rows), {name: pair for name, pair in fixed.items() if pair[1].any()})


def _taken(request: Request, rows: np.ndarray) -> Request:
    """Return some rows of a request."""
    fixed = {
        name: (values.take(rows), held[rows]) for name, (values, held) in request.fixed.items()
    }
    return Request(len(rows), fixed)

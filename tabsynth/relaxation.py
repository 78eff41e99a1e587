"""Rows that are too rare to be asked for whole: they are asked for in part, the best part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.candidates import Candidates, informs
from tabsynth.codec import TableCodec
from tabsynth.completion import CANDIDATES, complete, fit_candidates, loose_rows, scattered
from tabsynth.constraints import read_constraints
from tabsynth.encoding.table import EncodedTable
from tabsynth.given import Fixed, Request
from tabsynth.models import Model, TooRare
from tabsynth.monitor import Monitor
from tabsynth.random import Streams

KEPT = 2 / 3
"""Share of the columns that a row is still asked to hold after it was too rare."""

LOOSE = 4
"""Batches of candidates for rows that must keep a constraint, half of them whatever they hold."""

SEEN = 4_096
"""Rows of the model from which it is read what columns say about each other."""


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

    Columns say more or less about what a row lacks: their mutual information among rows that the
    model makes. A model that completes rows by rejection draws candidates once. A row's columns are
    looked at one after another, those that say most first, and each leaves the candidates that hold
    it, unless these would be rarer than one in `max_tries`; then that column is passed over.

    With other models a row that is too rare is asked for again with the two thirds of its columns
    that say most, then two thirds of these, and so on down to none. A column that a constraint
    makes from others that are not known is kept to the last.

    Parameters
    ----------
    model : Model
    codec : TableCodec
    streams : Streams
        For the candidates, and for the rows from which it is read what columns say.
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
        self.codec, self.monitor, self.max_tries = codec, monitor, max_tries
        self.model, self.streams = model, streams
        self.candidates: Candidates | None = None
        self._says: dict[tuple[str, str], float] = {}
        self._seen: EncodedTable | None = None

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
        flags = [request.fixed[name][1] for name in names]
        asked = np.stack(flags, axis=1) if flags else np.zeros((n, 0), dtype=bool)
        if self.model.way == "by rejection":
            return self._choose(request, names, asked, lacking, streams)
        table = EncodedTable.empty(n, self.codec.layout)
        moved: Fixed = {}
        relaxed = np.zeros(n, dtype=bool)
        waiting, level = np.arange(n), 0
        while len(waiting):
            lost = np.zeros(len(waiting), dtype=bool)
            still = loose_rows(_part(request, names, asked, waiting), self.codec)
            for kind, which in (("firm", ~still), ("loose", still)):
                here = np.flatnonzero(which)
                part = _part(request, names, asked, waiting[here])
                made, fixed, rare = self._attempt(part, streams.child(f"{kind} {level}"))
                rows = waiting[here[~rare]]
                table.codes[rows], table.offsets[rows] = made.codes[~rare], made.offsets[~rare]
                for name, (values, held) in fixed.items() if kind == "loose" else ():
                    moved[name] = scattered(
                        moved.get(name), values.take(~rare), held[~rare], rows, n
                    )
                lost[here] = rare
            waiting, still, level = waiting[lost], still[lost], level + 1
            relaxed[waiting] = True
            if len(waiting):
                worth = self._worth(names, lacking, waiting, still)
                asked[waiting] = _strongest(asked[waiting], worth)
        return Drawn(table, moved, relaxed)

    def _choose(
        self,
        request: Request,
        names: list[str],
        asked: np.ndarray,
        lacking: dict[str, np.ndarray],
        streams: Streams,
    ) -> Drawn:
        """Choose among candidates that are drawn once.

        For rows that must keep a constraint many are chosen, at last whatever else they hold, and
        the first one taken that fits; where none does, the last one, which breaks it.
        """
        if self.candidates is None:
            self.candidates = Candidates.draw(
                self.model, self.codec, self.max_tries, self.streams.child("pool"), self.monitor
            )
            self._seen = self.candidates.table.take(np.arange(len(self.candidates.table))[:SEEN])
        loose = loose_rows(request, self.codec)
        given = request.encode(self.codec)
        worth = self._worth(names, lacking, np.arange(request.n_rows), np.zeros(0, dtype=np.int64))
        # What is made by a constraint from columns that are not known is no code to look for.
        known = [given.known[:, self.codec.places(name)[0][0]] for name in names]
        sought = asked & np.stack(known, axis=1) if names else asked
        table = EncodedTable.empty(request.n_rows, self.codec.layout)
        relaxed = np.zeros(request.n_rows, dtype=bool)
        moved: Fixed = {}
        waiting = np.arange(request.n_rows)
        for batch in range(1 + LOOSE):
            times = 1 if not batch else max(1, CANDIDATES // len(waiting))
            rows, inner = np.repeat(waiting, times), streams.child(f"batch {batch}")
            made, rare = self.candidates.choose(
                given.take(rows),
                names,
                sought[rows] & (batch <= LOOSE // 2),
                worth[rows],
                {name: missing[rows] for name, missing in lacking.items()},
                inner.numpy("candidates"),
            )
            fits = np.ones(len(rows), dtype=bool)
            shifts: Fixed = {}
            if loose[waiting].any():
                fits, shifts = fit_candidates(request, made, rows, self.codec, inner)
                fits |= ~loose[rows]
            found, first = np.unique(rows[fits], return_index=True)
            first = np.flatnonzero(fits)[first]
            if batch == LOOSE:
                rest, last = np.unique(rows, return_index=True)
                left = ~np.isin(rest, found)
                found = np.concatenate([found, rest[left]])
                first = np.concatenate([first, last[left]])
            table.codes[found], table.offsets[found] = made.codes[first], made.offsets[first]
            relaxed[found] = rare[first] | (batch > LOOSE // 2)
            for name, (values, held) in shifts.items():
                moved[name] = scattered(
                    moved.get(name),
                    values.take(first),
                    held[first] & loose[found] & fits[first],
                    found,
                    request.n_rows,
                )
            waiting = np.setdiff1d(waiting, found)
            if not len(waiting):
                break
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
        if self._seen is None:
            self._seen = self.model.sample(SEEN, self.streams.child("seen"), self.monitor)
        ends = list(lacking)
        missing = [(name, end) for name in names for end in ends if (name, end) not in self._says]
        self._says |= informs(self._seen, missing)
        says = np.array([[self._says[name, end] for name in names] for end in ends])
        lacks = np.stack([lacking[end][rows] for end in ends], axis=1)
        worth: np.ndarray = lacks.astype(np.float64) @ says.reshape(len(ends), len(names))
        for rule in read_constraints(self.codec.schema):
            if rule.writes in names:
                worth[loose, names.index(rule.writes)] = np.inf
        return worth


def _strongest(asked: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Return flags of the part of each row's columns that is worth most."""
    # What is not asked goes last, after columns that are worth nothing.
    order = np.argsort(np.where(asked, -worth, 1.0), axis=1, kind="stable")
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

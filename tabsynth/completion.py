"""Rows that hold what they are asked to, whatever the model and the constraints."""

from __future__ import annotations

import logging

import numpy as np

from tabsynth.codec import TableCodec
from tabsynth.columns import Values
from tabsynth.constraints import Constraint, read_constraints
from tabsynth.encoding.given import compared
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError
from tabsynth.given import Fixed, Request
from tabsynth.models import Completed, Effort, Model, TooRare
from tabsynth.monitor import Monitor, Progress
from tabsynth.random import Streams

CANDIDATES = 4_096
"""Candidates drawn at a time for rows that a constraint makes hard to meet."""


logger = logging.getLogger("tabsynth")


def draw_rows(
    model: Model,
    codec: TableCodec,
    n_rows: int,
    request: Request | None,
    streams: Streams,
    monitor: Monitor,
    max_tries: int,
) -> tuple[EncodedTable, Fixed | None, Effort | None]:
    """Draw rows, free ones or such as hold what is asked for.

    Also returns what columns hold beside their codes, and what it took.
    """
    if request is None:
        return model.sample(n_rows, streams.child("model"), monitor), None, None
    made, fixed = complete(model, codec, request, streams, monitor, max_tries)
    logger.info("given %s: %s", ", ".join(request.fixed), made.effort.in_words())
    return made.table, fixed, made.effort


def complete(
    model: Model,
    codec: TableCodec,
    request: Request,
    streams: Streams,
    monitor: Monitor,
    max_tries: int,
) -> tuple[Completed, Fixed]:
    """Make rows that hold what is asked for; also return what columns hold beside their codes.

    Raises
    ------
    TooRare
        If rows that hold it are too rare.
    """
    given = request.encode(codec)
    loose = np.flatnonzero(loose_rows(request, codec))
    if not len(loose):
        return model.complete(given, streams.child("model"), monitor, max_tries), request.fixed
    firm = np.setdiff1d(np.arange(len(given)), loose)
    table = EncodedTable.empty(len(given), given.layout)
    try:
        made = model.complete(given.take(firm), streams.child("model"), monitor, max_tries)
    except TooRare as error:
        raise TooRare(str(error), _flags(firm[error.lost], len(given))) from None
    table.codes[firm], table.offsets[firm] = made.table.codes, made.table.offsets
    fixed, effort = dict(request.fixed), made.effort
    draws, tried, hits, batch, waiting = 0, 0, 0, 0, loose
    while len(waiting):
        rows = np.repeat(waiting, max(1, CANDIDATES // len(waiting)))
        inner = streams.child(f"loose {batch}")
        try:
            some = model.complete(given.take(rows), inner.child("model"), monitor, max_tries)
        except TooRare as error:
            raise TooRare(str(error), _flags(rows[error.lost], len(given))) from None
        fits, moved = fit_candidates(request, some.table, rows, codec, inner.child("decode"))
        draws, tried, batch = draws + some.effort.draws, tried + len(rows), batch + 1
        hits += int(fits.sum())
        found, first = np.unique(rows[fits], return_index=True)
        first = np.flatnonzero(fits)[first]
        table.codes[found], table.offsets[found] = (
            some.table.codes[first],
            some.table.offsets[first],
        )
        for name, (values, flags) in moved.items():
            fixed[name] = scattered(
                fixed.get(name), values.take(first), flags[first], found, len(given)
            )
        waiting = np.setdiff1d(waiting, found)
        ready = len(loose) - len(waiting)
        monitor(Progress("sampling until rows keep the constraints", ready, len(loose)))
        if len(waiting) and tried > max_tries * (ready + 1):
            raise TooRare(
                f"Only {ready + len(firm):,} of {len(given):,} rows could be made that keep the "
                f"constraints with what is given, in {tried:,} tries. Give the columns that the "
                "constraints read too, or values that are less extreme, or set max_tries higher.",
                _flags(waiting, len(given)),
            )
    share = hits / tried * some.effort.acceptance
    hard = Effort("by rejection", len(loose), draws, share, share)
    return Completed(table, effort.and_then(hard)), fixed


def loose_rows(request: Request, codec: TableCodec) -> np.ndarray:
    """Return the rows that codes cannot be given for, bool of shape (n_rows,).

    They are asked to hold what a constraint writes, and not the columns it is made from.
    """
    rows = np.zeros(request.n_rows, dtype=bool)
    for rule in read_constraints(codec.schema):
        if rule.writes in request.fixed:
            values, asked = request.fixed[rule.writes]
            rows |= asked & ~values.missing & ~_read(rule, request)
    return rows


def fit_candidates(
    request: Request, table: EncodedTable, rows: np.ndarray, codec: TableCodec, streams: Streams
) -> tuple[np.ndarray, Fixed]:
    """Fit candidates for loose rows to what they are asked to hold.

    The columns that a constraint reads are moved to where what it writes comes out as is asked
    for. A candidate fits where that leaves them in the bins that they were drawn in.

    Parameters
    ----------
    request : Request
    table : EncodedTable
        A candidate for each of `rows`.
    rows : ndarray of int64, shape (n_candidates,)
    codec : TableCodec
    streams : Streams

    Returns
    -------
    fits : ndarray of bool, shape (n_candidates,)
    fixed : mapping of str to (Values, ndarray of bool)
        What the columns hold that were moved.
    """
    rules = read_constraints(codec.schema)
    asked = {
        name: (values.take(rows), flags[rows]) for name, (values, flags) in request.fixed.items()
    }
    values = {
        name: codec.values(name, table, streams)
        for rule in rules
        for name in (*rule.reads, rule.writes)
    }
    learnt = dict(values)
    moved: Fixed = {}
    for rule in reversed(rules):
        wanted = moved.get(rule.writes, asked.get(rule.writes))
        if wanted is None:
            continue
        needed = rule.require(values, wanted[0])
        if needed is None:
            raise ConfigError(
                f"given: column {rule.writes!r} is made by the constraint {rule.name!r} and can be "
                f"given only together with {', '.join(map(repr, rule.reads))}."
            )
        for name, value in needed.items():
            own = asked.get(name, (value, np.zeros(len(rows), dtype=bool)))[1]
            flags = wanted[1] & ~wanted[0].missing & ~own
            if name in asked:
                moved[name] = asked[name][0].overlaid(value, flags), own | flags
            else:
                moved[name] = value, flags
    fits = np.ones(len(rows), dtype=bool)
    written = {rule.writes for rule in rules}
    for name, (value, flags) in moved.items():
        if name in asked:
            flags = flags & ~asked[name][1]
        if name not in written:
            fits &= ~flags | _same_bins(name, learnt[name], value, codec)
    return fits, moved


def _read(rule: Constraint, request: Request) -> np.ndarray:
    """Return which rows are given everything that a rule reads."""
    flags = np.ones(request.n_rows, dtype=bool)
    for name in rule.reads:
        flags &= request.fixed[name][1] if name in request.fixed else False
    return flags


def _same_bins(name: str, drawn: Values, value: Values, codec: TableCodec) -> np.ndarray:
    """Return where a column may hold `value` instead of what was drawn."""
    own = codec.codecs[name]
    may: np.ndarray = ~drawn.missing & own.accepts(Values(value.data, drawn.missing))
    layout = Layout(own.blocks)
    sides = []
    for some in (drawn, value):
        codes, offsets = own.encode(some.take(may))
        sides.append(compared(EncodedTable(codes, offsets, layout)))
    may[may] = (sides[0] == sides[1]).all(axis=1)
    return may


def _flags(rows: np.ndarray, n_rows: int) -> np.ndarray:
    """Return flags of the rows at the positions `rows`."""
    flags = np.zeros(n_rows, dtype=bool)
    flags[rows] = True
    return flags


def scattered(
    before: tuple[Values, np.ndarray] | None,
    values: Values,
    flags: np.ndarray,
    rows: np.ndarray,
    n_rows: int,
) -> tuple[Values, np.ndarray]:
    """Return values of all rows with those of some rows put in their places."""
    if before is None:
        none = np.zeros(n_rows, dtype=bool)
        before = Values(np.zeros(n_rows, dtype=values.data.dtype), none), none
    spread = np.zeros(n_rows, dtype=np.int64)
    spread[rows] = np.arange(len(rows))
    at = np.zeros(n_rows, dtype=bool)
    at[rows] = flags
    if not len(rows):
        return before
    return before[0].overlaid(values.take(spread), at), before[1] | at

"""Imputation: missing cells are filled by draws from a model, given the cells that are there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.codec import TableCodec, types_of
from tabsynth.columns import ColumnType, Values
from tabsynth.constraints import Constraint, read_constraints
from tabsynth.errors import DataError, SampleError, SchemaError
from tabsynth.given import Fixed, Request
from tabsynth.models import Model
from tabsynth.monitor import Monitor
from tabsynth.random import Streams
from tabsynth.relaxation import Relaxation
from tabsynth.stored import check_table, in_zone, stored_as

TRIES = 2_000
"""Draws of the model for a row that fits, beyond which a row is asked for in part."""

WHOLE, ROUNDS = 4, 12
"""Rounds in which a row is drawn anew as a whole, and rounds in all."""

MOST_DRAWS, MOST_ROWS = 64, 65_536
"""Most draws for a row in a round, and most rows drawn in one where several are drawn for each."""

logger = logging.getLogger("tabsynth")


@dataclass(frozen=True)
class Imputation:
    """What was done to fill a table up.

    Attributes
    ----------
    filled : mapping of str to int
        Cells that were filled, by column.
    unasked : mapping of str to int
        Cells that are there, in the rows that were filled, and that the model cannot be asked for:
        by column.
    relaxed : int
        Rows that are too rare, which were drawn from a part of their cells.
    left : tuple of str
        Columns that are not learnt, left as they are.
    """

    filled: Mapping[str, int]
    unasked: Mapping[str, int]
    relaxed: int
    left: tuple[str, ...]

    def in_words(self) -> list[str]:
        """Return sentences about it.

        Examples
        --------
        >>> Imputation({"age": 3}, {}, 1, ("id",)).in_words()[1]
        '1 row is too rare to be asked for whole and was drawn from a part of its cells.'
        """
        said = [f"Filled {_listed(self.filled)}." if self.filled else "No cell was missing."]
        if self.unasked:
            said.append(
                f"Kept, but the model could not be asked for: {_listed(self.unasked)} (values that "
                "it cannot make)."
            )
        if self.relaxed:
            are = "row is" if self.relaxed == 1 else "rows are"
            were = (
                "was drawn from a part of its"
                if self.relaxed == 1
                else "were drawn from a part of their"
            )
            said.append(f"{self.relaxed:,} {are} too rare to be asked for whole and {were} cells.")
        if self.left:
            said.append(f"Left as they are, being never learnt: {', '.join(self.left)}.")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "filled": dict(self.filled),
            "unasked": dict(self.unasked),
            "relaxed": self.relaxed,
            "left": list(self.left),
        }


def impute(
    table: pd.DataFrame,
    model: Model,
    codec: TableCodec,
    draws: int,
    streams: Streams,
    monitor: Monitor,
    max_tries: int,
) -> tuple[list[pd.DataFrame], Imputation]:
    """Fill the missing cells of a table, `draws` times.

    Raises
    ------
    DataError, SchemaError, SampleError
        As `Synthesizer.impute`.
    """
    types = types_of(codec.schema)
    check_table(table, types)
    learnt = [name for name in table.columns if is_learnt(types[name], codec)]
    cells = _read(table, learnt, types)
    gaps = {name: cells[name].missing for name in learnt if cells[name].missing.any()}
    left = tuple(name for name in table.columns if name not in learnt)
    rows = np.flatnonzero(np.any(list(gaps.values()), axis=0)) if gaps else np.zeros(0, np.int64)
    known = {name: (value.take(rows), ~value.missing[rows]) for name, value in cells.items()}
    tables, relaxed = [], np.zeros(len(rows), dtype=bool)
    for draw in range(draws):
        inner = streams.child(f"draw {draw}")
        relaxation = Relaxation(model, codec, inner, monitor, max_tries)
        filling = _Filling(codec, known, {name: flags[rows] for name, flags in gaps.items()})
        filling.run(relaxation, inner)
        relaxed |= filling.relaxed
        tables.append(_filled(table, rows, filling.found, types))
    unasked = {
        name: int((here & ~may).sum())
        for (name, (_, here)), (_, may) in zip(
            known.items(), askable(codec, known).values(), strict=True
        )
    }
    told = Imputation(
        {name: int(flags.sum()) for name, flags in gaps.items()},
        {name: count for name, count in unasked.items() if count},
        int(relaxed.sum()),
        left,
    )
    for sentence in told.in_words():
        logger.info("imputation: %s", sentence)
    return tables, told


def is_learnt(type_: ColumnType, codec: TableCodec) -> bool:
    """Return whether a model knows the values of a column, and not only where they are missing."""
    return type_.measure != "none" and bool(codec.codecs[type_.column.name].blocks)


def askable(codec: TableCodec, known: Fixed) -> Fixed:
    """Return, of the cells that are known, which a model can be asked for."""
    rules = read_constraints(codec.schema)
    ruled = {rule.writes for rule in rules}
    asked: Fixed = {}
    for name, (values, here) in known.items():
        may = here.copy()
        if name not in ruled:
            may[here] = codec.codecs[name].accepts(values.take(here))
        asked[name] = values, may
    for rule in rules:
        if rule.writes in asked:
            values, may = asked[rule.writes]
            asked[rule.writes] = values, may & _allowed(rule, codec, known, asked)
    return asked


def _allowed(rule: Constraint, codec: TableCodec, known: Fixed, asked: Fixed) -> np.ndarray:
    """Return in which rows the column that a rule writes can be asked for."""
    n = len(asked[rule.writes][1])
    none = np.zeros(n, dtype=bool)
    every, strange = np.ones(n, dtype=bool), none
    for name in rule.reads:
        here, may = (some[name][1] if name in some else none for some in (known, asked))
        every, strange = every & may, strange | (here & ~may)
    both = every & asked[rule.writes][1]
    # What is learnt in its place can be worked out, or the columns that are read are moved.
    moves = type(rule).require is not Constraint.require
    allowed = every | (~strange & moves)
    if both.any():
        columns = {name: asked[name][0].take(both) for name in (*rule.reads, rule.writes)}
        fits = codec.codecs[rule.writes].accepts(rule.replace(columns))
        allowed[both] = fits & ~rule.broken(columns)
    return allowed


class _Filling:
    """Rows that are filled up, round after round.

    Parameters
    ----------
    codec : TableCodec
    known : mapping of str to (Values, ndarray of bool)
        What rows hold, by column.
    lacking : dict of str to ndarray of bool
        By column, which rows lack it.

    Attributes
    ----------
    found : mapping of str to (Values, ndarray of bool)
        What was drawn.
    relaxed : ndarray of bool, shape (n_rows,)
    """

    def __init__(self, codec: TableCodec, known: Fixed, lacking: dict[str, np.ndarray]) -> None:
        self.codec, self.known = codec, dict(known)
        self.lacking = {name: flags.copy() for name, flags in lacking.items()}
        self.found: Fixed = {}
        n = len(next(iter(lacking.values()))) if lacking else 0
        self.relaxed = np.zeros(n, dtype=bool)

    def run(self, relaxation: Relaxation, streams: Streams) -> None:
        """Draw until nothing is lacking.

        Raises
        ------
        SampleError
            If cells are still missing after `ROUNDS` rounds.
        """
        for number in range(ROUNDS):
            waiting = np.flatnonzero(np.any(list(self.lacking.values()), axis=0))
            if not len(waiting):
                return
            times = min(4**number, MOST_DRAWS, max(1, MOST_ROWS // len(waiting)))
            self._round(
                waiting, times, relaxation, streams.child(f"round {number}"), number >= WHOLE
            )
        left = {name: int(flags.sum()) for name, flags in self.lacking.items() if flags.any()}
        if left:
            raise SampleError(
                f"{_listed(left)} could not be filled: given the rest of the row, the model nearly "
                "always draws a missing cell there, or one that breaks a constraint. Learn from "
                "rows that hold these columns, or take them out of the table."
            )

    def _round(
        self,
        waiting: np.ndarray,
        times: int,
        relaxation: Relaxation,
        streams: Streams,
        piecewise: bool,
    ) -> None:
        rows = np.repeat(waiting, times)
        known = {
            name: (values.take(rows), here[rows]) for name, (values, here) in self.known.items()
        }
        lacking = {name: flags[rows] for name, flags in self.lacking.items()}
        asked = askable(self.codec, known)
        drawn = relaxation.draw(Request(len(rows), asked), lacking, streams)
        self.relaxed[rows[drawn.relaxed]] = True
        values = self._decoded(drawn.table, drawn.moved, known, list(lacking), streams)
        wrong = np.stack([lacking[name] & values[name].missing for name in lacking], axis=1)
        self._check_rules(wrong, values, known, lacking)
        # Of several draws for a row the first one that is wrong in the fewest cells.
        counts = wrong.sum(axis=1).reshape(len(waiting), times)
        pick = counts.argmin(axis=1) + np.arange(len(waiting)) * times
        taken = (counts.min(axis=1) == 0) | piecewise
        for place, name in enumerate(lacking):
            good = lacking[name][pick] & ~wrong[pick, place] & taken
            at, source = waiting[good], pick[good]
            if len(at):
                self._keep(name, values[name], at, source)

    def _decoded(
        self, table: Any, moved: Fixed, known: Fixed, names: list[str], streams: Streams
    ) -> dict[str, Values]:
        """Return what candidates hold; what constraints read is what the rows really hold."""
        fixed: Fixed = {}
        for rule in read_constraints(self.codec.schema):
            for name in (*rule.reads, rule.writes):
                if name in moved:
                    fixed[name] = moved[name]
                if name in known:
                    values, here = known[name]
                    if name in moved:
                        values = _over(moved[name][0], values, here)
                        here = here | moved[name][1]
                    fixed[name] = values, here
        return self.codec.decoded(table, names, streams.child("decode"), fixed=fixed)

    def _check_rules(
        self,
        wrong: np.ndarray,
        values: dict[str, Values],
        known: Fixed,
        lacking: dict[str, np.ndarray],
    ) -> None:
        """Mark cells that would break a constraint."""
        names = list(lacking)
        for rule in read_constraints(self.codec.schema):
            columns = {
                name: _over(values[name], *known[name]) if name in known else values[name]
                for name in (*rule.reads, rule.writes)
            }
            broken = rule.broken(columns)
            for name in columns:
                if name in lacking:
                    wrong[:, names.index(name)] |= broken & lacking[name]

    def _keep(self, name: str, values: Values, at: np.ndarray, source: np.ndarray) -> None:
        """Take what was drawn at `source` for the rows `at`."""
        n = len(self.relaxed)
        flags, spread = np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64)
        flags[at], spread[at] = True, source
        wide = values.take(spread)
        before = self.found.get(name)
        if before is None:
            self.found[name] = wide, flags
        else:
            self.found[name] = before[0].overlaid(wide, flags), before[1] | flags
        own, here = self.known[name]
        self.known[name] = _over(own, wide, flags), here | flags
        self.lacking[name] &= ~flags


def _over(below: Values, above: Values, flags: np.ndarray) -> Values:
    """Return values with others laid over them, as numbers that can be both."""
    if below.labels is None:
        kind = np.promote_types(below.data.dtype, above.data.dtype)
        below = Values(below.data.astype(kind), below.missing)
    return below.overlaid(above, flags)


def _read(
    table: pd.DataFrame, names: list[str], types: Mapping[str, ColumnType]
) -> dict[str, Values]:
    """Return the cells of columns; numbers beyond the declared limits are cells like others.

    Raises
    ------
    SchemaError
        If cells are not what the columns are, with every problem.
    """
    cells: dict[str, Values] = {}
    problems: list[str] = []
    for name in names:
        column = types[name].column
        open_ = {k: v for k, v in column.parameters.items() if k not in ("minimum", "maximum")}
        type_ = type(types[name])(replace(column, parameters=open_), types[name].missing_values)
        try:
            cells[name] = type_.parse(in_zone(table[name], column.dtype))
        except SchemaError as error:
            problems += error.problems
    if problems:
        raise SchemaError(problems)
    return cells


def _filled(
    table: pd.DataFrame, rows: np.ndarray, found: Fixed, types: Mapping[str, ColumnType]
) -> pd.DataFrame:
    """Return the table with what was found in its places; no other cell is touched.

    Raises
    ------
    DataError
        If a column cannot hold what was found.
    """
    filled = table.copy()
    for name, (values, flags) in found.items():
        place, column = table.columns.tolist().index(name), table[name].copy()
        cells = stored_as(values.take(flags), types[name], column)
        column.iloc[rows[flags]] = cells.array
        if column.dtype != table[name].dtype:
            raise DataError(
                f"Column {name!r} is stored as {table[name].dtype}, which cannot hold the values "
                "drawn. Convert it to the dtype that it had when it was learnt."
            )
        filled.isetitem(place, column.array)
    return filled


def _listed(counts: Mapping[str, int]) -> str:
    """Return counts of cells by column, in words."""
    words = [f"{n:,} cell{'s' if n != 1 else ''} of {name!r}" for name, n in counts.items()]
    more = f" and of {len(words) - 12:,} more columns" if len(words) > 12 else ""
    return ", ".join(words[:12]) + more

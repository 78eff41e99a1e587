"""TableCodec: from a data frame to an encoded table and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tabsynth.columns import ColumnCodec, ColumnType, Values, columns
from tabsynth.constraints import Constraint, read_constraints
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Block, Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import DataError, SchemaError
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.random import Streams
from tabsynth.schema import Schema

Type = TypeVar("Type", bound=ColumnType)
Fixed = Mapping[str, tuple[Values, np.ndarray]]
"""By column: values that rows hold whatever their codes say, and flags of these rows."""


class TableCodec:
    """The fitted codecs of all columns, side by side.

    Parameters
    ----------
    schema : Schema
    codecs : dict of str to ColumnCodec
        By column name.
    coding : Coding
        What the codecs were fitted for.

    Attributes
    ----------
    layout : Layout
        The blocks of all columns, in the order of the schema.

    Notes
    -----
    Privacy: the codec holds bin edges, means and category names read off the rows, exactly and
    without noise. Categories that fewer rows share than a column's `minimum_count` are not among
    them; edges of bins are computed from values of single rows.
    """

    def __init__(self, schema: Schema, codecs: dict[str, ColumnCodec], coding: Coding) -> None:
        self.schema, self.codecs, self.coding = schema, codecs, coding
        blocks: list[Block] = []
        for column in schema:
            first = len(blocks)
            for block in codecs[column.name].blocks:
                parent = None if block.parent is None else block.parent + first
                blocks.append(replace(block, parent=parent))
        self.layout = Layout(tuple(blocks))

    @classmethod
    def fit(
        cls,
        schema: Schema,
        chunks: Iterable[pd.DataFrame],
        coding: Coding,
        monitor: Monitor = ignore,
    ) -> TableCodec:
        """Learn every column from one pass over chunks of the table.

        Raises
        ------
        SchemaError
            With the problems of all columns at once.
        """
        types = types_of(schema)
        rules = read_constraints(schema)
        summaries: dict[str, Any] = {}
        for chunk in chunks:
            for name, values in _learnt(types, rules, chunk, "reading columns", monitor).items():
                summary = types[name].summarise(values)
                before = summaries.get(name)
                summaries[name] = summary if before is None else types[name].merge(before, summary)
        if not summaries:
            raise DataError("There are no columns to learn from.")
        codecs: dict[str, ColumnCodec] = {}
        problems: list[str] = []
        unbounded = {rule.writes for rule in rules}
        for name, type_ in types.items():
            if name in unbounded:
                type_ = without_limits(type_)
            try:
                codecs[name] = type_.fit(summaries[name], coding)
            except SchemaError as error:
                problems += error.problems
        if problems:
            raise SchemaError(problems)
        monitor(Progress("reading columns", len(types), len(types)))
        return cls(schema, codecs, coding)

    def encode(
        self, frame: pd.DataFrame, streams: Streams | None = None, monitor: Monitor = ignore
    ) -> EncodedTable:
        """Return the rows of `frame` as codes and offsets.

        With `streams` ambiguous codes (components of a mixture that overlap) are drawn at random,
        without them the likeliest is taken.
        """
        types = types_of(self.schema)
        learnt = _learnt(types, read_constraints(self.schema), frame, "encoding", monitor)
        return self.encoded(learnt, len(frame), streams)

    def encoded(
        self, learnt: Mapping[str, Values], n_rows: int, streams: Streams | None = None
    ) -> EncodedTable:
        """Return rows as codes and offsets, from what is learnt of each column.

        Parameters
        ----------
        learnt : mapping of str to Values
            Of every column that has a block: its values, or what a constraint puts in their place.
        n_rows : int
        streams : Streams, optional
            As for `encode`.
        """
        table = EncodedTable.empty(n_rows, self.layout)
        block = offset = 0
        for name in self.schema.names:
            codec = self.codecs[name]
            if not codec.blocks:
                continue
            rng = None if streams is None else streams.numpy(name)
            codes, offsets = codec.encode(learnt[name], rng)
            table.codes[:, block : block + codes.shape[1]] = codes
            table.offsets[:, offset : offset + offsets.shape[1]] = offsets
            block += codes.shape[1]
            offset += offsets.shape[1]
        return table

    def decode(
        self,
        table: EncodedTable,
        streams: Streams,
        monitor: Monitor = ignore,
        fixed: Fixed | None = None,
    ) -> pd.DataFrame:
        """Return the rows of `table` as a data frame with the dtypes of the schema.

        Columns that are never learnt are made anew; columns that are left out are absent. `fixed`
        holds, by column, values that rows hold whatever their codes say, and flags of these rows.
        """
        values = self.learnt(table, streams, monitor, fixed)
        return self.finish(values, table, streams, monitor, fixed)

    def learnt(
        self,
        table: EncodedTable,
        streams: Streams,
        monitor: Monitor = ignore,
        fixed: Fixed | None = None,
    ) -> dict[str, Values]:
        """Return the values of the columns whose cells are compared; keys are not among them."""
        types = types_of(self.schema)
        names = [name for name, type_ in types.items() if type_.measure != "none"]
        return self.decoded(table, names, streams, monitor, fixed)

    def decoded(
        self,
        table: EncodedTable,
        names: Sequence[str],
        streams: Streams,
        monitor: Monitor = ignore,
        fixed: Fixed | None = None,
    ) -> dict[str, Values]:
        """Return what the rows of `table` hold, not yet in the dtypes of the schema.

        Only for the columns `names` and those that constraints tie together; `fixed` is as for
        `decode`.
        """
        fixed, values, rules = fixed or {}, {}, read_constraints(self.schema)
        ruled = {rule.writes for rule in rules}
        needed = {*names, *ruled, *(name for rule in rules for name in rule.reads)}
        for done, name in enumerate(self.schema.names):
            monitor(Progress("decoding", done, len(self.schema)))
            if name in needed:
                values[name] = self.values(name, table, streams)
                if name in fixed and name not in ruled:
                    values[name] = values[name].overlaid(*fixed[name])
        for rule in rules:
            values[rule.writes] = rule.restore(values)
            if rule.writes in fixed:
                values[rule.writes] = values[rule.writes].overlaid(*fixed[rule.writes])
        return values

    def finish(
        self,
        values: Mapping[str, Values],
        table: EncodedTable,
        streams: Streams,
        monitor: Monitor = ignore,
        fixed: Fixed | None = None,
    ) -> pd.DataFrame:
        """Return rows as a data frame; keys and personal data are made here, for these rows alone.

        Parameters
        ----------
        values : mapping of str to Values
            What `learnt` returned for the rows, or for more rows that these were taken from.
        table : EncodedTable
            The rows.
        streams : Streams
        monitor : callable
        fixed : mapping of str to (Values, ndarray of bool), optional
        """
        fixed, whole = fixed or {}, dict(values)
        types = {name: kind for name, kind in types_of(self.schema).items() if not kind.drops()}
        for name in types:
            if name not in whole:
                whole[name] = self.values(name, table, streams)
                if name in fixed:
                    whole[name] = whole[name].overlaid(*fixed[name])
        frame = self.rendered({name: whole[name] for name in types}, len(table))
        monitor(Progress("decoding", len(self.schema), len(self.schema)))
        return frame

    def rendered(self, values: Mapping[str, Values], n_rows: int) -> pd.DataFrame:
        """Return the columns that have `values`, with the dtypes of the schema."""
        types = types_of(self.schema)
        series = {name: types[name].render(some) for name, some in values.items()}
        return pd.DataFrame(series, index=pd.RangeIndex(n_rows))

    def places(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the blocks of column `name` and its columns of offsets, int64."""
        blocks = np.array(self.layout.owned_by(name), dtype=np.int64)
        return blocks, np.flatnonzero(np.isin(self.layout.offset_blocks, blocks))

    def values(self, name: str, table: EncodedTable, streams: Streams) -> Values:
        """Return what is learnt of column `name`, decoded."""
        blocks, offsets = self.places(name)
        codec = self.codecs[name]
        return codec.decode(table.codes[:, blocks], table.offsets[:, offsets], streams.numpy(name))

    def state(self) -> dict[str, Any]:
        """Return the JSON form, without the schema."""
        return {
            "coding": self.coding.to_dict(),
            "columns": {name: codec.state() for name, codec in self.codecs.items()},
        }

    @classmethod
    def load(cls, schema: Schema, state: dict[str, Any]) -> TableCodec:
        """Rebuild from the JSON form."""
        types = types_of(schema)
        codecs = {name: types[name].load(saved) for name, saved in state["columns"].items()}
        return cls(schema, codecs, Coding.from_dict(state["coding"]))


def _learnt(
    types: dict[str, ColumnType],
    rules: list[Constraint],
    frame: pd.DataFrame,
    phase: str,
    monitor: Monitor,
) -> dict[str, Values]:
    """Return what is learnt of each column: its values, or what a rule puts in their place."""
    values: dict[str, Values] = {}
    problems: list[str] = []
    for done, (name, type_) in enumerate(types.items()):
        monitor(Progress(phase, done, len(types)))
        try:
            values[name] = type_.parse(frame[name])
        except SchemaError as error:
            problems += error.problems
    if not problems:
        problems = [problem for rule in rules for problem in rule.check(values)]
    if problems:
        raise SchemaError(problems)
    monitor(Progress(phase, len(types), len(types)))
    return {**values, **{rule.writes: rule.replace(values) for rule in rules}}


def without_limits(type_: Type) -> Type:
    """Return the type of a column whose distances to another one are learnt, not its values."""
    parameters = {
        name: value
        for name, value in type_.column.parameters.items()
        if name not in ("minimum", "maximum")
    }
    return type(type_)(replace(type_.column, parameters=parameters), type_.missing_values)


def treatments(schema: Schema) -> dict[str, str]:
    """Return what happens to each column, in a few words."""
    words = {name: type_.treatment() for name, type_ in types_of(schema).items()}
    for rule in read_constraints(schema):
        words[rule.writes] = rule.treatment()
    return words


def types_of(schema: Schema) -> dict[str, ColumnType]:
    """Return the column type that serves each column of `schema`."""
    return {
        column.name: columns.get(column.type)(column, schema.missing_of(column))
        for column in schema
    }

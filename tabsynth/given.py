"""What a person asks rows to hold: read, checked, turned into codes, and put into the rows made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.codec import TableCodec, types_of
from tabsynth.columns import ColumnType, Values
from tabsynth.constraints import Constraint, read_constraints
from tabsynth.encoding.given import Given
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError, SchemaError
from tabsynth.stored import in_zone

Fixed = dict[str, tuple[Values, np.ndarray]]
"""By column: values, one a row, and flags of the rows that hold them."""


@dataclass(frozen=True)
class Request:
    """What rows are asked to hold.

    Attributes
    ----------
    n_rows : int
        Rows asked for.
    fixed : mapping of str to (Values, ndarray of bool)
        By column: what rows hold, and flags of the rows that are asked to.

    Notes
    -----
    Privacy: whether a value may be asked for depends on what rows made can show only. A value that
    was left out because few rows hold it is refused like one that no row holds.
    """

    n_rows: int
    fixed: Fixed

    @classmethod
    def read(
        cls, given: Mapping[str, Any] | pd.DataFrame, n_rows: int | None, codec: TableCodec
    ) -> Request:
        """Read values a column, the same for `n_rows` rows, or a data frame of a row for each.

        A missing value in a mapping asks for missing cells; a missing cell of a data frame asks
        for nothing.

        Raises
        ------
        ConfigError
            If columns are not known, not learnt, or cannot hold what is asked for, or rows break a
            constraint; with every problem.
        """
        frame = given if isinstance(given, pd.DataFrame) else _frame(given)
        if isinstance(given, pd.DataFrame):
            if n_rows not in (None, len(frame)):
                raise ConfigError(
                    f"The rows given are {len(frame):,}, so as many are made. Leave the number of "
                    f"rows out. Got {n_rows:,}."
                )
            n_rows = len(frame)
        elif n_rows is None:
            raise ConfigError("Say how many rows to make. Only rows given one by one tell it.")
        types, problems = types_of(codec.schema), _name_problems(frame, codec)
        rules = read_constraints(codec.schema)
        ruled = {rule.writes for rule in rules}
        fixed: Fixed = {}
        for name in frame.columns if not problems else ():
            try:
                values = types[name].parse(in_zone(frame[name], codec.schema[name].dtype))
            except SchemaError as error:
                problems += [f"given: {problem}" for problem in error.problems]
                continue
            asked = np.ones(len(values), dtype=bool)
            if isinstance(given, pd.DataFrame):
                asked = ~values.missing
            fixed[name] = values, asked
            if name not in ruled:
                problems += _value_problems(types[name], codec, values, asked)
        for rule in rules if not problems else ():
            problems += _rule_problems(rule, types, codec, fixed)
        if problems:
            raise ConfigError("\n".join(problems))
        if not isinstance(given, pd.DataFrame):
            every = np.zeros(n_rows, dtype=np.int64)
            fixed = {name: (v.take(every), asked[every]) for name, (v, asked) in fixed.items()}
        return cls(n_rows, fixed)

    def encode(self, codec: TableCodec) -> Given:
        """Return what is asked for as codes and offsets.

        Where several codes stand for a value the likeliest is taken: which of them it was says
        nothing about the other columns once the value is known. What a constraint writes is learnt
        in another form, and is given in that form where the columns that it is made from are given
        too.
        """
        layout = codec.layout
        table = EncodedTable.empty(self.n_rows, layout)
        known = np.zeros((self.n_rows, len(layout)), dtype=bool)
        learnt = dict(self.fixed)
        for rule in read_constraints(codec.schema):
            if rule.writes in learnt:
                learnt[rule.writes] = _replaced(rule, self.fixed)
        for name, (values, asked) in learnt.items():
            rows, (blocks, offsets) = np.flatnonzero(asked), codec.places(name)
            codes, moved = codec.codecs[name].encode(values.take(rows))
            table.codes[np.ix_(rows, blocks)] = codes
            table.offsets[np.ix_(rows, offsets)] = moved
            known[np.ix_(rows, blocks)] = True
        return Given(table, known)


def _replaced(rule: Constraint, fixed: Fixed) -> tuple[Values, np.ndarray]:
    """Return what is learnt in the place of the column that a rule writes, where that is given."""
    values, asked = fixed[rule.writes]
    known = asked & values.missing  # a missing cell is learnt as one
    if all(name in fixed for name in rule.reads):
        both = asked & ~values.missing
        for name in rule.reads:
            both = both & fixed[name][1] & ~fixed[name][0].missing
        columns = {name: fixed[name][0] for name in (*rule.reads, rule.writes)}
        replaced = rule.replace({name: value.take(both) for name, value in columns.items()})
        whole = Values(np.zeros(len(values), dtype=replaced.data.dtype), values.missing)
        whole.data[both] = replaced.data
        return whole, known | both
    return values, known


def _frame(given: Mapping[str, Any]) -> pd.DataFrame:
    """Return values a column as a data frame of one row."""
    if not isinstance(given, Mapping):
        raise ConfigError(
            "given is a value for each column, such as {'sex': 'Female'}, or a DataFrame of a row "
            f"for each row to make. Got {type(given).__name__}."
        )
    for name, value in given.items():
        if not pd.api.types.is_scalar(value):
            raise ConfigError(
                f"given: column {name!r} takes a single value, the same for every row. For a value "
                "a row give a DataFrame."
            )
    return pd.DataFrame({name: pd.Series([value]) for name, value in given.items()})


def _name_problems(frame: pd.DataFrame, codec: TableCodec) -> list[str]:
    """Return a sentence for every column that cannot be given at all."""
    problems, types = [], types_of(codec.schema)
    for name in dict.fromkeys(frame.columns):
        if name not in types:
            near = get_close_matches(str(name), types, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            names = _listed(list(types))
            problems.append(f"given: there is no column {name!r}.{hint} Columns: {names}.")
        elif types[name].drops():
            problems.append(
                f"given: column {name!r} ({types[name].name}) is left out of the rows made. Put it "
                "in afterwards."
            )
    twice = frame.columns[frame.columns.duplicated()].unique().tolist()
    return [*problems, *(f"given: column {name!r} is given more than once." for name in twice)]


def _value_problems(
    type_: ColumnType, codec: TableCodec, values: Values, asked: np.ndarray
) -> list[str]:
    """Return a sentence if rows are asked to hold what the column cannot hold; shows no value."""
    name = type_.column.name
    wrong = asked & ~codec.codecs[name].accepts(values)
    if not wrong.any():
        return []
    n = int(wrong.sum())
    what = "is" if n == 1 else "are"
    count = f"{n:,} of {int(asked.sum()):,} values"
    return [
        f"given: column {name!r} ({type_.name}): {count} {what} none that can be asked for. "
        f"Allowed: {codec.codecs[name].allowed()}."
    ]


def _rule_problems(
    rule: Constraint, types: Mapping[str, ColumnType], codec: TableCodec, fixed: Fixed
) -> list[str]:
    """Return sentences if what is given breaks a rule, or cannot be met on its account."""
    if rule.writes not in fixed:
        return []
    values, asked = fixed[rule.writes]
    name, codecs = rule.writes, codec.codecs
    others = ", ".join(map(repr, rule.reads))
    if (asked & values.missing).any() and not codecs[name].accepts(
        Values(values.data[:1], np.ones(1, dtype=bool))
    ).all():
        return [f"given: column {name!r} ({types[name].name}): cells are never missing."]
    here = asked & ~values.missing
    if not all(read in fixed for read in rule.reads):
        return []
    for read in rule.reads:
        here = here & fixed[read][1] & ~fixed[read][0].missing
    columns = {read: fixed[read][0].take(here) for read in (*rule.reads, name)}
    if rule.check(columns):
        return [
            f"given: columns {others} and {name!r} break the constraint {rule.name!r} in at least "
            f"one of the {int(here.sum()):,} rows that are given both."
        ]
    far = ~codecs[name].accepts(rule.replace(columns))
    if not far.any():
        return []
    return [
        f"given: columns {others} and {name!r}: {int(far.sum()):,} of {int(here.sum()):,} pairs "
        "are none that can be asked for, as the distance between them is learnt. Allowed for it: "
        f"{codecs[name].allowed()}."
    ]


def _listed(names: Sequence[str], most: int = 12) -> str:
    """Return names, the first ones of many."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

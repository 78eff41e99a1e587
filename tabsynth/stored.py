"""Values written as another table stores them: in its dtypes, its time zone, its notation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import pandas as pd

from tabsynth.columns import ColumnType, Profile, Values
from tabsynth.errors import DataError, SampleError, SchemaError
from tabsynth.schema.dtype import describe, is_text


def check_table(table: pd.DataFrame, types: Mapping[str, ColumnType]) -> None:
    """Check that a table is a data frame whose columns a model knows; some may be absent.

    Raises
    ------
    DataError
        If it is none, if columns are not known, or named more than once; with every problem.
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"The table must be a pandas DataFrame. Got {type(table).__name__}.")
    problems = []
    for name in dict.fromkeys(table.columns):
        if name not in types:
            near = get_close_matches(str(name), types, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Take it out, or learn it too."
            problems.append(f"Column {name!r} is none that the model learnt. {hint}")
    twice = table.columns[table.columns.duplicated()].unique().tolist()
    problems += [f"Column {name!r} is there more than once. Keep one of them." for name in twice]
    if problems:
        raise DataError("\n".join(problems))


def stored_as(values: Values, type_: ColumnType, like: pd.Series) -> pd.Series:
    """Return values as a column of exactly the dtype of `like`.

    Parameters
    ----------
    values : Values
        In the form of the column learnt.
    type_ : ColumnType
        Of the column learnt.
    like : Series
        The column whose dtype and, where it holds texts, way of writing are taken.

    Raises
    ------
    DataError
        If a column stored like that cannot hold the values; shows none.
    """
    name = type_.column.name
    try:
        spec = describe(like)
        if spec == type_.column.dtype:
            made = type_.render(values)
        else:
            own = _typed(type_, spec, like)
            made = own.render(own.parse(in_zone(type_.render(values), spec)))
    except (SampleError, SchemaError):
        made = None
    if made is None or made.dtype != like.dtype:
        raise DataError(
            f"Column {name!r} ({type_.name}) is stored as {_words(like)}, which cannot hold what "
            "is to be put in. Convert it to the dtype that the column had when it was learnt, with "
            "room for missing cells and for every category."
        )
    return made


def _typed(type_: ColumnType, spec: Any, like: pd.Series) -> ColumnType:
    """Return the type of a column that is stored in another way than the one learnt."""
    column = replace(type_.column, dtype=spec)
    own = type(type_)(column, type_.missing_values)
    if not is_text(spec) or is_text(type_.column.dtype):
        return own
    # How texts write numbers and dates was not learnt, so it is read off the column.
    claim = own.claims(Profile(column.name, like, type_.missing_values))
    if claim is None:
        return own
    parameters = {**claim.parameters, **column.parameters}
    return type(type_)(replace(column, parameters=parameters), type_.missing_values)


def _words(series: pd.Series) -> str:
    """Return a dtype in words; the levels of categories are cells."""
    return "categories" if isinstance(series.dtype, pd.CategoricalDtype) else str(series.dtype)


def in_zone(series: pd.Series, spec: Any) -> pd.Series:
    """Return times with a zone in the zone of the column; texts with offsets are in UTC."""
    if not isinstance(series.dtype, pd.DatetimeTZDtype):
        return series
    zone = re.search(r", (?:tz=)?([^\]]+)\]", str(spec))
    if not zone and not is_text(spec):
        return series
    moved: pd.Series = series.dt.tz_convert(zone[1] if zone else "UTC")
    return moved

"""Inference: every column type is asked about every column, and the best claim wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.columns.base import Claim, ColumnType, Profile, Values, columns
from tabsynth.constraints import read_constraints
from tabsynth.constraints.inequality import find_inequalities
from tabsynth.errors import ConfigError, DataError, SchemaError
from tabsynth.schema.dtype import describe
from tabsynth.schema.frame import MINIMUM_ROWS, check_frame, check_header
from tabsynth.schema.markers import is_known, marker_sets
from tabsynth.schema.parameters import malformed
from tabsynth.schema.roles import role_of
from tabsynth.schema.schema import Column, Schema

__all__ = ["MINIMUM_ROWS", "check_frame", "check_schema", "infer_schema", "with_dtypes"]

COMMON_PARAMETERS = {
    "missing": "texts that mean missing in this column, besides those of the whole table",
    "missing_as": "text columns: what missing cells are written as",
}
"""Parameters that every column may have, whatever its type."""

_TIES = (
    *("constant", "boolean", "number", "datetime", "duration"),
    *("personal", "identifier", "category", "text"),
)
_TYPED = frozenset({"number", "datetime", "duration", "boolean"})
_UNTYPED = frozenset({"category", "text"})
_DECLARED = Claim(1.0, "declared")
_NO_CLAIM = Claim(0.01, "no column type recognises it; please check")


@dataclass(frozen=True)
class _Finding:
    """A type for a column, with the texts that were taken as missing to get there."""

    type: str
    claim: Claim
    markers: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        if not self.markers:
            return self.claim.reason
        shown = [repr(marker) for marker in self.markers if is_known(marker)]
        odd = len(self.markers) - len(shown)
        if odd:
            shown.append(f"{odd} other frequent text{'s' if odd > 1 else ''}")
        return f"{self.claim.reason}; {', '.join(shown)} taken as missing"


def infer_schema(
    frame: pd.DataFrame,
    *,
    missing_values: Sequence[str] = ("",),
    overrides: Mapping[str, Column | str] | None = None,
    target: str | None = None,
) -> Schema:
    """Say what each column of a table is, and why.

    Parameters
    ----------
    frame : DataFrame
        At least one row and one column.
    missing_values : sequence of str
        Cell texts that mean "missing" in columns of texts.
    overrides : mapping of str to Column or str, optional
        Columns, or only their types, that are known; parameters that are not given are read off
        the data.
    target : str, optional
        Column that is to be predicted, so that it must be of a type that is learnt.

    Returns
    -------
    Schema
        Reasons show no cell of the table, except markers of missing cells that are well known.

    Raises
    ------
    DataError
        If the table is empty, has columns of one name, or cells that hold lists or the like.
    SchemaError
        If a column's name is no text or its dtype cannot be kept, or `overrides` and `target` do
        not fit the table.

    Notes
    -----
    Privacy: types, formats, spellings and whether cells are missing are read off the rows as they
    are; nothing is noisy. What was read off is listed in `Column.learned`.

    Examples
    --------
    >>> frame = pd.DataFrame({"paid": [True, False] * 5, "year": [2024] * 10})
    >>> [(column.name, column.type) for column in infer_schema(frame)]
    [('paid', 'boolean'), ('year', 'constant')]
    """
    check_frame(frame)
    overrides = overrides or {}
    names = frame.columns.tolist()
    problems = _unknown_names({*overrides, *([] if target is None else [target])}, names)
    found: list[Column] = []
    for name in names:
        profile = Profile(name, frame[name], frozenset(missing_values))
        try:
            if name in overrides:
                found.append(_completed(profile, overrides[name]))
            else:
                found.append(_inferred(profile, learnt=name == target))
        except SchemaError as error:
            problems += error.problems
    if problems:
        raise SchemaError(problems)
    schema = Schema(tuple(found), missing_values=tuple(missing_values))
    identifiers = (column for column in schema if column.type == "identifier")
    keys = [c.name for c in identifiers if _is_key(frame[c.name], schema.missing_of(c))]
    schema = replace(schema, primary_key=keys[0] if keys else None)
    return replace(schema, constraints=tuple(_found_rules(schema, frame)))


def _found_rules(schema: Schema, frame: pd.DataFrame) -> list[dict[str, list[str]]]:
    """Return the rules that hold in every row."""
    dates = [column for column in schema if column.type == "datetime"]
    if len(dates) < 2:
        return []
    kind = columns.get("datetime")
    values = {
        column.name: kind(column, schema.missing_of(column)).parse(frame[column.name])
        for column in dates
    }
    return find_inequalities(schema, values)


def check_schema(schema: Schema, frame: pd.DataFrame, *, cells: bool = True) -> None:
    """Check that a table is what a schema says.

    Parameters
    ----------
    schema : Schema
    frame : DataFrame
    cells : bool
        Whether cells are looked at, too; else nothing is but how columns are named and stored.

    Raises
    ------
    DataError
        If the table cannot be used at all.
    SchemaError
        With every problem: columns that only one of them has, unknown types and parameters, and
        cells that do not fit (how many and in which rows; never the cells).
    """
    if cells:
        check_frame(frame)
    else:
        check_header(frame)
        frame = frame.iloc[:0]
    problems = schema.check_names(frame.columns.tolist())
    values: dict[str, Values] = {}
    for column in schema:
        try:
            kind = columns.get(column.type)
        except ConfigError as error:
            problems.append(f"Column {column.name!r}: {error}")
            continue
        problems += _unknown_parameters(column, kind)
        wrong = malformed(column)
        problems += wrong
        if wrong or column.name not in frame:
            continue
        try:
            type_ = kind(column, schema.missing_of(column))
            type_.treatment()
            values[column.name] = type_.parse(frame[column.name])
        except SchemaError as error:
            problems += error.problems
    try:
        rules = read_constraints(schema)
    except SchemaError as error:
        problems += error.problems
    else:
        for rule in rules:
            if {*rule.reads, rule.writes} <= values.keys():
                problems += rule.check(values)
    if problems:
        raise SchemaError(problems)


def with_dtypes(schema: Schema, frame: pd.DataFrame) -> Schema:
    """Return the schema with each column stored as it is in `frame`.

    Raises
    ------
    SchemaError
        If a dtype cannot be kept.
    """
    problems: list[str] = []
    for column in schema:
        if column.name in frame:
            try:
                dtype = _stored(frame[column.name], column.type)
            except SchemaError as error:
                problems += error.problems
            else:
                schema = schema.with_column(replace(column, dtype=dtype))
    if problems:
        raise SchemaError(problems)
    return schema


def _stored(series: pd.Series, kind: str) -> str | dict[str, Any]:
    """Return how a column is stored; the levels of keys and personal data are not kept."""
    spec = describe(series)
    if isinstance(spec, dict) and "levels" in spec and kind in ("identifier", "personal", "text"):
        return {**spec, "levels": []}
    return spec


def _inferred(profile: Profile, learnt: bool) -> Column:
    """Return the column that the best claim describes."""
    finding = _best(profile, learnt)
    role = finding.claim.role
    return _column(
        profile,
        finding,
        Column(profile.name, finding.type, role=role if role != "plain" else role_of(profile.name)),
    )


def _completed(profile: Profile, given: Column | str) -> Column:
    """Return a declared column, what it leaves open read off the data."""
    if isinstance(given, str):
        given = Column(profile.name, given, role=role_of(profile.name))
    try:
        kind = columns.get(given.type)
    except ConfigError as error:
        raise SchemaError(f"Column {profile.name!r}: {error}") from None
    own = replace(profile, missing_values=profile.missing_values | {*given.get("missing", ())})
    claim = kind.claims(own)
    finding = _Finding(given.type, claim or _DECLARED)
    if claim is None and given.type in _TYPED:
        for markers in _markers(own):
            claim = kind.claims(replace(own, missing_values=own.missing_values | {*markers}))
            if claim is not None:
                finding = _Finding(given.type, claim, markers)
                break
    finding = replace(finding, claim=replace(finding.claim, reason="declared"))
    return _column(own, finding, replace(given, name=profile.name))


def _column(profile: Profile, finding: _Finding, given: Column) -> Column:
    """Return `given` with what was found and is not given."""
    parameters = dict(finding.claim.parameters)
    if finding.markers:
        parameters["missing"] = [*given.get("missing", ()), *finding.markers]
    profile = replace(profile, missing_values=profile.missing_values | {*finding.markers})
    if profile.missing.any():
        if "nullable" in columns.get(finding.type).parameters:
            parameters["nullable"] = True
        marker = _written_as(profile)
        if marker is not None:
            parameters["missing_as"] = marker
    widened = {"missing"} if finding.markers else set()
    learned = (parameters.keys() - given.parameters.keys()) | widened
    return replace(
        given,
        parameters={
            **parameters,
            **{k: v for k, v in given.parameters.items() if k not in widened},
        },
        learned=given.learned | learned,
        dtype=_stored(profile.series, finding.type),
        reason=given.reason or finding.reason,
    )


def _best(profile: Profile, learnt: bool) -> _Finding:
    """Return the best claim; with some texts taken as missing where that makes it a typed one."""
    best = _highest(profile, learnt)
    if best.type in _UNTYPED:
        for markers in _markers(profile):
            known = replace(profile, missing_values=profile.missing_values | {*markers})
            typed = _highest(known, learnt)
            if typed.type in _TYPED:
                return replace(typed, markers=markers)
    return best


def _highest(profile: Profile, learnt: bool) -> _Finding:
    """Return the claim of highest confidence; of those that are learnt, if there is one."""
    findings = []
    for name, kind in columns.items():
        claim = kind.claims(profile)
        if claim is not None:
            lowest = learnt and kind.measure == "none" and name != "constant"
            tie = _TIES.index(name) if name in _TIES else len(_TIES)
            findings.append(((lowest, -claim.confidence, tie, name), _Finding(name, claim)))
    if not findings:
        return _Finding("text", _NO_CLAIM)
    return min(findings, key=lambda pair: pair[0])[1]


def _markers(profile: Profile) -> list[tuple[str, ...]]:
    """Return sets of texts that may mean missing in a column, to be tried one after the other."""
    if not profile.is_text:
        return []
    return marker_sets(profile.texts, profile.counts.to_numpy(dtype=np.int64))


def _written_as(profile: Profile) -> str | None:
    """Return the text that most missing cells of a column hold; None where most hold none."""
    if not profile.is_text:
        return None
    texts = profile.series[profile.missing]
    counts = texts.dropna().value_counts()
    if 2 * int(counts.sum()) <= len(texts):
        return None
    frequent = counts[counts == counts.iloc[0]].index
    return min(str(text) for text in frequent)


def _is_key(series: pd.Series, missing_values: frozenset[str]) -> bool:
    """Return whether every row has a value of its own."""
    return series.is_unique and not Profile("", series, missing_values).missing.any()


def _unknown_names(names: set[str], known: Sequence[str]) -> list[str]:
    problems = []
    for name in sorted(names - set(known)):
        near = get_close_matches(name, list(known), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        problems.append(f"There is no column {name!r} in the table.{hint}")
    return problems


def _unknown_parameters(column: Column, kind: type[ColumnType]) -> list[str]:
    allowed = {**kind.parameters, **COMMON_PARAMETERS}
    problems = []
    for name in sorted(set(column.parameters) - set(allowed)):
        near = get_close_matches(name, list(allowed), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Allowed: {', '.join(sorted(allowed))}."
        problems.append(
            f"Column {column.name!r} ({column.type}): there is no parameter {name!r}.{hint}"
        )
    return problems


def require_rows(n_rows: int) -> None:
    """Raise DataError where a table has too few rows to learn from."""
    if n_rows < MINIMUM_ROWS:
        raise DataError(
            f"The table has {n_rows} rows; at least {MINIMUM_ROWS} are needed to learn from."
        )

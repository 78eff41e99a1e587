"""What of a schema may be used under a privacy budget: what was declared, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tabsynth.constraints import read_constraints
from tabsynth.constraints.inequality import Inequality
from tabsynth.errors import PrivacyError
from tabsynth.schema import Column, Schema

_PART_OF_THE_TYPE = frozenset({"kind"})
"""Parameters that say what a column is, not what is in it."""


def private_schema(schema: Schema, *, inferred: bool) -> Schema:
    """Return what of a schema may be used under a privacy budget.

    Parameters that are `learned`, which inference read off the rows, are left out, and so are
    reasons, which hold counts. The levels of a `category` dtype are those of some table; they count
    as declared only where the schema lists them as `categories`. A constant is a category, as
    nobody but the rows says what its value is.

    Parameters
    ----------
    schema : Schema
    inferred : bool
        Whether inference has just made the schema: then nothing counts as declared but the types
        of columns (and the kinds of personal data), and constraints are left out too.

    Returns
    -------
    Schema
        How columns are stored is kept (text, whole numbers, reals, and whether they have room for
        missing cells), as it is the table's form and not its rows.

    Notes
    -----
    Privacy: no rows are seen here.

    Examples
    --------
    >>> column = Column("age", "number", parameters={"minimum": 0, "integer": True},
    ...                 learned=frozenset({"integer"}))
    >>> dict(private_schema(Schema((column,)), inferred=False)["age"].parameters)
    {'minimum': 0}
    """
    columns = tuple(_declared(column, inferred) for column in schema)
    if inferred:
        return replace(schema, columns=columns, primary_key=None, constraints=())
    return replace(schema, columns=columns)


def require_declared(schema: Schema) -> None:
    """Check that what cannot be bought is declared.

    Raises
    ------
    PrivacyError
        Constraints that may need more than a row at a time.
    """
    for rule in read_constraints(schema):
        if not isinstance(rule, Inequality):
            raise PrivacyError(
                f"The constraint {rule.name!r} on column {rule.writes!r} may need to see several "
                "rows together, which a privacy budget does not allow. Take it out of the schema."
            )


def _declared(column: Column, inferred: bool) -> Column:
    dropped = set(column.parameters) if inferred else set(column.learned)
    parameters = {
        name: value
        for name, value in column.parameters.items()
        if name not in dropped - _PART_OF_THE_TYPE
    }
    return replace(
        column,
        type="category" if column.type == "constant" else column.type,
        parameters=parameters,
        learned=frozenset(),
        dtype=_stored(column.dtype, parameters),
        reason="",
    )


def _stored(
    spec: str | Mapping[str, Any] | None, parameters: Mapping[str, Any]
) -> str | Mapping[str, Any] | None:
    """Return how a column is stored, without what its cells say about it."""
    if not isinstance(spec, Mapping):
        return spec
    if "category" in spec:
        # Only levels that are declared have an order that is.
        ordered = bool(spec.get("ordered")) and "categories" in parameters
        return {**spec, "ordered": ordered, "levels": []}
    return {name: value for name, value in spec.items() if name not in ("missing", "places")}

"""Schema and Column: what a table is, as data that a person can read and edit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from tabsynth.errors import SchemaError

VERSION = 1
"""Version of the schema file format."""

ROLES = ("identifier", "quasi", "sensitive", "plain")
"""What a column is in the eyes of a privacy officer (ARX's words; `plain` is insensitive)."""

_COLUMN_KEYS = ("type", "role", "dtype", "learned", "reason")
_TABLE_KEYS = ("tabsynth", "primary_key", "missing_values", "columns", "constraints")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
    type : str
        Name of a registered column type ("number", "category", ...).
    role : {"identifier", "quasi", "sensitive", "plain"}
    parameters : mapping
        What the column type takes (`decimals`, `format`, `minimum`, `missing`, ...).
    learned : frozenset of str
        Names of the parameters that inference read off the data; the others were declared.
    dtype : str or mapping or None
        How values are stored in the data frame (see `tabsynth.schema.dtype`).
    reason : str
        Why inference chose the type, in words that show no value.
    """

    name: str
    type: str
    role: str = "plain"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    learned: frozenset[str] = frozenset()
    dtype: str | Mapping[str, Any] | None = None
    reason: str = ""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the parameter `name`."""
        return self.parameters.get(name, default)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without the name."""
        state: dict[str, Any] = {"type": self.type}
        if self.role != "plain":
            state["role"] = self.role
        state.update(self.parameters)
        if self.learned:
            state["learned"] = sorted(self.learned)
        if self.dtype is not None:
            state["dtype"] = self.dtype
        if self.reason:
            state["reason"] = self.reason
        return state

    @classmethod
    def from_dict(cls, name: str, state: Any) -> Column:
        """Rebuild from the JSON form; raises SchemaError where it is malformed."""
        if isinstance(state, str):
            state = {"type": state}
        if not isinstance(state, Mapping) or not isinstance(state.get("type"), str):
            raise SchemaError(
                f"Column {name!r}: a column is written as {{type: ...}}. Give it a type."
            )
        role = state.get("role", "plain")
        if role not in ROLES:
            raise SchemaError(f"Column {name!r}: role must be one of {', '.join(ROLES)}.")
        learned = state.get("learned", ())
        if not isinstance(learned, (list, tuple)) or not all(isinstance(n, str) for n in learned):
            raise SchemaError(f"Column {name!r}: learned must be a list of parameter names.")
        return cls(
            name=name,
            type=state["type"],
            role=role,
            parameters={k: v for k, v in state.items() if k not in _COLUMN_KEYS},
            learned=frozenset(learned),
            dtype=state.get("dtype"),
            reason=state.get("reason", ""),
        )


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in order.

    Attributes
    ----------
    columns : tuple of Column
    primary_key : str or None
        Name of the column that identifies a row.
    missing_values : tuple of str
        Cell texts that mean "missing" in every column read as text; a column's own parameter
        `missing` adds to them.
    constraints : tuple of mapping
        Rules between columns, each ``{name: argument}`` (see `tabsynth.constraints`).

    Examples
    --------
    >>> schema = Schema((Column("age", "number"), Column("sex", "category", role="quasi")))
    >>> Schema.from_dict(schema.to_dict()) == schema
    True
    """

    columns: tuple[Column, ...]
    primary_key: str | None = None
    missing_values: tuple[str, ...] = ("",)
    constraints: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SchemaError(f"Columns named more than once: {', '.join(map(repr, twice))}.")
        if self.primary_key is not None and self.primary_key not in names:
            raise SchemaError(f"primary_key {self.primary_key!r} is no column of the schema.")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    def missing_of(self, column: Column) -> frozenset[str]:
        """Return the cell texts that mean "missing" in `column`."""
        return frozenset(self.missing_values) | frozenset(column.get("missing", ()))

    def with_column(self, column: Column) -> Schema:
        """Return the schema with the column of that name replaced."""
        return replace(
            self, columns=tuple(column if c.name == column.name else c for c in self.columns)
        )

    def check_names(self, names: Sequence[str]) -> list[str]:
        """Return a sentence for every difference between the schema's names and `names`."""
        problems = []
        for name in self.names:
            if name not in names:
                near = get_close_matches(name, list(names), n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                problems.append(f"Column {name!r} of the schema is not in the table.{hint}")
        problems += [
            f"Column {name!r} of the table is not in the schema. Add it, for example with "
            "{type: text} to leave it out."
            for name in names
            if name not in self
        ]
        return problems

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        state: dict[str, Any] = {"tabsynth": VERSION}
        if self.primary_key is not None:
            state["primary_key"] = self.primary_key
        state["missing_values"] = list(self.missing_values)
        state["columns"] = {column.name: column.to_dict() for column in self.columns}
        if self.constraints:
            state["constraints"] = [dict(constraint) for constraint in self.constraints]
        return state

    @classmethod
    def from_dict(cls, state: Any) -> Schema:
        """Rebuild from the JSON form.

        Raises
        ------
        SchemaError
            With every problem of the document, not only the first.
        """
        if not isinstance(state, Mapping) or not isinstance(state.get("columns"), Mapping):
            raise SchemaError("A schema needs a mapping 'columns' of column name to {type: ...}.")
        if state.get("tabsynth", VERSION) != VERSION:
            raise SchemaError(
                f"This schema is of format {state['tabsynth']!r}; this version of tabsynth reads "
                f"format {VERSION}. Write it again with 'tabsynth inspect'."
            )
        problems = []
        for key in state:
            if key not in _TABLE_KEYS:
                near = get_close_matches(str(key), _TABLE_KEYS, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                problems.append(f"Unknown key {key!r} in the schema.{hint}")
        columns = []
        for name, column in state["columns"].items():
            try:
                columns.append(Column.from_dict(str(name), column))
            except SchemaError as error:
                problems += error.problems
        missing = state.get("missing_values", ("",))
        if not isinstance(missing, (list, tuple)) or not all(isinstance(m, str) for m in missing):
            problems.append('missing_values must be a list of texts, such as ["", "NA"].')
        constraints = state.get("constraints", ())
        if not isinstance(constraints, (list, tuple)):
            problems.append("constraints must be a list of rules, each {name: argument}.")
        if problems:
            raise SchemaError(problems)
        return cls(tuple(columns), state.get("primary_key"), tuple(missing), tuple(constraints))

    def to_yaml(self) -> str:
        """Return the schema as YAML, a line a column, its reason as a comment."""
        lines = ["# What each column is. Edit, then pass it on with --schema.", "tabsynth: 1"]
        if self.primary_key is not None:
            lines.append(f"primary_key: {_inline(self.primary_key)}")
        lines += [f"missing_values: {_inline(list(self.missing_values))}", "columns:"]
        for column in self.columns:
            state = column.to_dict()
            reason = state.pop("reason", "")
            comment = f"  # {reason}" if reason else ""
            lines.append(f"  {_inline(column.name)}: {_inline(state)}{comment}")
        if self.constraints:
            lines.append("constraints:")
            lines += [f"  - {_inline(constraint)}" for constraint in self.constraints]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_yaml(cls, text: str) -> Schema:
        """Read a schema from YAML (or JSON, which is YAML too).

        Raises
        ------
        SchemaError
            If the text is no YAML or no schema.
        """
        import yaml

        class Loader(yaml.SafeLoader):
            """Takes dates as the text they are, and refuses keys given twice.

            Plain YAML would make objects of the one and keep the last of the other in silence.
            """

            yaml_implicit_resolvers = {  # noqa: RUF012 - its base class says so
                first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:timestamp"]
                for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
            }

            def construct_mapping(self, node: Any, deep: bool = False) -> Any:
                keys = [self.construct_object(key, deep=True) for key, _ in node.value]
                for key in keys:
                    if keys.count(key) > 1:
                        raise SchemaError(f"{key!r} is given more than once in the schema.")
                return super().construct_mapping(node, deep)

        try:
            state = yaml.load(text, Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise SchemaError(f"The schema is not valid YAML{where}.") from None
        return cls.from_dict(state)


def _inline(value: Any) -> str:
    """Return `value` as one line that YAML reads back as the same value."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_inline(str(k))}: {_inline(v)}" for k, v in value.items())
        return "{" + inner + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, str):
        plain = value.isidentifier() and value.isascii()
        words = {"true", "false", "yes", "no", "on", "off", "null", "none", "y", "n"}
        if plain and value.lower() not in words:
            return value
        if value.isprintable():
            return json.dumps(value, ensure_ascii=False)
        return "".join(['"', *map(_escaped, value), '"'])
    if isinstance(value, float):
        # YAML 1.1 wants a point in a number with an exponent, and writes .inf and .nan
        number, e, exponent = (
            repr(value).replace("inf", ".inf").replace("nan", ".nan").partition("e")
        )
        return f"{number}.0e{exponent}" if e and "." not in number else f"{number}{e}{exponent}"
    return json.dumps(value)


def _escaped(character: str) -> str:
    """Return a character as it may stand in a double-quoted text of YAML."""
    if character.isprintable() and character not in '"\\':
        return character
    return f"\\U{ord(character):08x}"

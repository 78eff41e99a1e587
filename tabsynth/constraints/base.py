"""The contract of a rule between columns, and the registry through which rules are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from tabsynth.columns.base import Values
from tabsynth.errors import ConfigError, SchemaError
from tabsynth.registry import Registry
from tabsynth.schema.schema import Schema


class Constraint(ABC):
    """A rule between columns, met by what is learnt in the place of a column.

    A subclass is one file with ``@constraints.register(name)``. In a schema it is written as
    ``{name: argument}``. Nothing is ever rejected: `replace` puts something in the place of a
    column from which `restore` makes values that keep the rule.

    Attributes
    ----------
    name : str
    reads : tuple of str
        Columns whose final values `restore` needs.
    writes : str
        The column that is learnt in another form.
    """

    name: ClassVar[str]
    reads: tuple[str, ...]
    writes: str

    @classmethod
    @abstractmethod
    def parse(cls, argument: Any, schema: Schema) -> Self:
        """Build from what the schema says; raises SchemaError where it makes no sense."""

    @abstractmethod
    def check(self, values: Mapping[str, Values]) -> list[str]:
        """Return a sentence for everything in the table that breaks the rule; shows no value."""

    def broken(self, values: Mapping[str, Values]) -> np.ndarray:
        """Return which rows break the rule, bool of shape (n_rows,).

        By default all of them, where `check` finds any.
        """
        return np.full(len(values[self.writes]), bool(self.check(values)))

    @abstractmethod
    def replace(self, values: Mapping[str, Values]) -> Values:
        """Return what is learnt in the place of the column `writes`."""

    @abstractmethod
    def treatment(self) -> str:
        """Return what happens to the column `writes`, in a few words for the plan."""

    def require(self, values: Mapping[str, Values], wanted: Values) -> Mapping[str, Values] | None:
        """Return what the columns `reads` must hold for `restore` to give `wanted`.

        None, the default, where that cannot be said: then the column `writes` can be asked for only
        together with the columns `reads`.

        Parameters
        ----------
        values : mapping of str to Values
            As `restore` gets them.
        wanted : Values
            What the column `writes` has to hold.
        """
        return None

    @abstractmethod
    def restore(self, values: Mapping[str, Values]) -> Values:
        """Return the column `writes` from what was learnt in its place and the columns `reads`."""


constraints: Registry[type[Constraint]] = Registry("constraint", "tabsynth.constraints")
"""Every rule by name."""


def read_constraints(schema: Schema) -> list[Constraint]:
    """Return the rules of a schema, in an order in which they can be restored.

    Raises
    ------
    SchemaError
        With every problem: unknown rules, unknown columns, rules that go round in a circle.
    """
    problems: list[str] = []
    found: list[Constraint] = []
    for written in schema.constraints:
        if not isinstance(written, Mapping) or len(written) != 1:
            problems.append("A constraint is written as {name: argument}, one in each entry.")
            continue
        ((name, argument),) = written.items()
        try:
            found.append(constraints.get(str(name)).parse(argument, schema))
        except ConfigError as error:
            problems.append(str(error))
        except SchemaError as error:
            problems += error.problems
    for constraint in found:
        if [other.writes for other in found].count(constraint.writes) > 1:
            problems.append(f"Column {constraint.writes!r} is set by more than one constraint.")
    if problems:
        raise SchemaError(list(dict.fromkeys(problems)))
    ordered: list[Constraint] = []
    left = list(found)
    while left:
        pending = {constraint.writes for constraint in left}
        ready = [constraint for constraint in left if not pending & set(constraint.reads)]
        if not ready:
            raise SchemaError(
                f"The constraints on {', '.join(sorted(pending))} go round in a circle."
            )
        ordered += ready
        left = [constraint for constraint in left if constraint not in ready]
    return ordered

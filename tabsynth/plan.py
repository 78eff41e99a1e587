"""Plans: what will happen to a table, before anything is learnt or spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pandas as pd

from tabsynth.choice import Choice, choose_model, estimate
from tabsynth.codec import treatments, types_of
from tabsynth.errors import ConfigError, PrivacyError
from tabsynth.fair import Fair
from tabsynth.fitting import Terms, Wish, declared_schema, shares_of
from tabsynth.schema import Schema
from tabsynth.schema.infer import check_schema, infer_schema, require_rows, with_dtypes
from tabsynth.selection import MOST_SHARE
from tabsynth.validation import check_integer, check_real

MEMORY, MEMORY_A_CELL = 0.5, 1.3e-7
"""GiB that the program needs, and that each cell of the table adds, measured on public tables."""
HOLDOUT_SHARE = 0.2
"""Share of the rows kept unseen, for the evaluation to compare with."""
MOST_HOLDOUT = 20_000


@dataclass(frozen=True)
class Plan:
    """What will happen to a table, before anything is learnt.

    Attributes
    ----------
    schema : Schema
    choice : Choice
        The model, and why.
    n_train, n_holdout, n_rows : int
        Rows to learn from, rows kept unseen, rows to make.
    treatments : mapping of str to str
        What happens to each column, in a few words.
    notices : tuple of str
        What a person must know before going on.
    fair : Fair or None
        What the rows made shall not depend on.
    reject : float
        Share of the rows drawn that is left out as least plausible.
    gib : float
        About how much memory all of it needs.
    terms : Terms or None
        Those of a privacy budget; `n_train`, `n_holdout` and, where the number of rows is a secret,
        `n_rows` are then for whoever holds the table.
    declared : Schema or None
        What to fit with: the schema, but under a budget only one that was declared.
    asked : bool
        Whether the number of rows to make was asked for.
    parameters : mapping of str to object
        Hyper-parameters of the model that were given.
    """

    schema: Schema
    choice: Choice
    n_train: int
    n_holdout: int
    n_rows: int
    treatments: Mapping[str, str]
    notices: tuple[str, ...]
    fair: Fair | None = None
    reject: float = 0.0
    gib: float = 0.0
    terms: Terms | None = None
    declared: Schema | None = None
    asked: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counted(self) -> bool:
        """Whether `n_rows` will be made, not as many as a noisy number of rows says."""
        return self.terms is None or self.terms.public_rows is not None or self.asked

    @property
    def shares(self) -> dict[str, float]:
        """What share of a privacy budget each part takes; empty without one."""
        return {} if self.terms is None else shares_of(self.terms, self.choice.model)

    @property
    def seconds(self) -> float:
        """About how long learning takes on one core of a laptop."""
        return estimate(self.choice.model, self.parameters, self.n_train, len(self.schema))

    def with_parameters(self, parameters: Mapping[str, Any]) -> Plan:
        """Return the plan with hyper-parameters of its model.

        Raises
        ------
        ConfigError
            If there is no such model or hyper-parameter, or a value is not allowed.
        PrivacyError
            If a privacy budget does not allow the model with them; as a fit would be refused.
        """
        model = Wish(parameters=parameters).build(self.choice, self.schema.names)
        if self.terms is not None:
            model.check_private()
        return replace(self, parameters=dict(parameters))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "tabsynth_plan": 1,
            "model": self.choice.model,
            "model_reason": self.choice.reason,
            "rows": {"train": self.n_train, "holdout": self.n_holdout, "made": self.n_rows},
            "fair": None if self.fair is None else asdict(self.fair),
            "reject": self.reject,
            "estimate": {"seconds": round(self.seconds, 1), "gib": round(self.gib, 2)},
            "privacy": None
            if self.terms is None
            else {
                **self.terms.budget.to_dict(),
                "rows": "noisy" if self.terms.public_rows is None else "public",
                "shares": self.shares,
            },
            "columns": [
                {"name": c.name, "treatment": self.treatments[c.name], **c.to_dict()}
                for c in self.schema
            ],
            "notices": list(self.notices),
        }


def make_plan(
    table: pd.DataFrame,
    *,
    model: str = "auto",
    schema: Schema | None = None,
    missing_values: Sequence[str] = ("",),
    rows: int | None = None,
    target: str | Sequence[str] | None = None,
    holdout: float = HOLDOUT_SHARE,
    fair: Fair | None = None,
    reject: float = 0.0,
    conditional: bool = False,
    terms: Terms | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Plan:
    """Return what `deidentify` would do with `table`; nothing is learnt and nothing written.

    Raises
    ------
    DataError, SchemaError, ConfigError, PrivacyError
        As `deidentify`.
    """
    if terms is None:
        require_rows(len(table))
    check_integer("rows", rows, 0, optional=True)
    if not 0 <= holdout <= 0.9:
        raise ConfigError(f"holdout must be a share between 0 and 0.9. Got {holdout!r}.")
    check_real("reject", reject, 0, MOST_SHARE)
    declared = schema
    if terms is not None:
        if reject:
            raise PrivacyError(
                "Rejecting rows reads the training rows once more, which a privacy budget does "
                "not cover. Leave reject out."
            )
        schema = declared_schema(schema, table, terms, tuple(missing_values))
    elif schema is None:
        schema = infer_schema(table, missing_values=tuple(missing_values))
    else:
        check_schema(schema, table)
        schema = with_dtypes(schema, table)
    for name in _targets(target):
        if name not in schema:
            raise ConfigError(f"target {name!r} is no column. Columns: {', '.join(schema.names)}.")
    if fair is not None:
        fair.check(schema)
    n_holdout = min(round(len(table) * holdout), MOST_HOLDOUT)
    n_train = len(table) - n_holdout
    types = types_of(schema)
    dropped = [name for name, type_ in types.items() if type_.drops()]
    free = [name for name in dropped if schema[name].type == "text" and schema[name].reason]
    if terms is None:
        choice = choose_model(model, n_train, conditional=conditional)
    else:
        choice = choose_model(
            model,
            terms.public_rows,
            conditional=conditional,
            epsilon=terms.budget.epsilon,
        )
    notices = [choice.notice] if choice.notice else []
    if free:
        notices.append(
            f"Left out as free text, which may name people: {', '.join(free)}. "
            "Give the column another type in the schema to keep it."
        )
    if len(free) < len(dropped):
        others = ", ".join(name for name in dropped if name not in free)
        notices.append(f"Left out as the schema says: {others}.")
    notices += _choice_notices(fair, reject)
    if len(dropped) == len(schema):
        raise ConfigError(
            "Every column would be left out as free text. Give at least one column another type "
            "in the schema."
        )
    plan = Plan(
        schema,
        choice,
        n_train,
        n_holdout,
        ((terms and terms.public_rows) or len(table)) if rows is None else rows,
        treatments(schema),
        tuple(notices),
        fair,
        reject,
        MEMORY + MEMORY_A_CELL * len(table) * len(schema),
        terms,
        schema if terms is None else declared,
        rows is not None,
    )
    return plan.with_parameters(parameters or {})


def _choice_notices(fair: Fair | None, reject: float) -> list[str]:
    """Return what a person must know before rows are chosen."""
    found = []
    if reject:
        found.append(
            f"More rows are drawn than are made: the {reject:.0%} that a classifier most readily "
            "tells from the training rows are left out. That reads the training rows once more, "
            "without any formal guarantee; the unseen rows are not read."
        )
    if fair is not None:
        found.append(
            f"In the rows made {fair.target!r} does not depend on "
            f"{', '.join(map(repr, fair.protected))}, on purpose: scores that compare them with "
            "real rows show the difference."
        )
    return found


def _targets(target: str | Sequence[str] | None) -> list[str]:
    if target is None:
        return []
    return [target] if isinstance(target, str) else list(target)

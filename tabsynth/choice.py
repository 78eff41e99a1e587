"""Which model a table gets where none is asked for, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tabsynth.errors import ConfigError
from tabsynth.models import Model, models

FEW_ROWS = 200
"""Below this many rows `auto` learns columns one by one."""


@dataclass(frozen=True)
class Choice:
    """Which model is used, and why.

    Attributes
    ----------
    model : str
        Registered name.
    reason : str
        In words for the plan.
    notice : str
        What a person must know before using that model.
    """

    model: str
    reason: str
    notice: str = ""


def choose_model(
    name: str,
    n_rows: int | None,
    *,
    conditional: bool = False,
    epsilon: float | None = None,
) -> Choice:
    """Return the model called `name`, or for "auto" the one that suits a table of `n_rows` rows.

    The rules and the measurements behind them are in docs/explanation/models.md and, under a
    privacy budget, in docs/explanation/differential-privacy.md.

    Parameters
    ----------
    name : str
    n_rows : int or None
        Rows to learn from; None where their number is a secret.
    conditional : bool
        Whether rows will be asked for that are given in part.
    epsilon : float, optional
        Of the privacy budget, if there is one.

    Examples
    --------
    >>> choose_model("ctgan", 50).model, choose_model("auto", 50).model
    ('ctgan', 'independent')
    >>> [choose_model("auto", 5_000, conditional=flag).model for flag in (False, True)]
    ['tree', 'autoregressive']
    >>> choose_model("auto", None, epsilon=0.1).model
    'marginal'
    """
    if name != "auto":
        return Choice(name, "asked for", models.get(name).notice)
    if epsilon is not None:
        return Choice(
            "marginal", "nearest to real rows and most useful of all models under a budget"
        )
    if n_rows is not None and n_rows < FEW_ROWS:
        return Choice(
            "independent",
            f"fewer than {FEW_ROWS} rows are too few to learn how columns depend on each other "
            "without remembering rows",
        )
    if conditional:
        return Choice(
            "autoregressive", "it fills up rows that are given in part, whatever columns are given"
        )
    return Choice(
        "tree",
        "nearest to real rows and least found by attacks on public tables, and learnt in seconds",
    )


def estimate(name: str, parameters: Mapping[str, Any] | None, n_rows: int, n_columns: int) -> float:
    """Return about how many seconds the model called `name` learns on one core of a laptop."""
    kind = models.get(name)
    own = kind.parameters_type.from_dict(dict(parameters or {}), name)
    return kind(own).estimate(n_rows, n_columns)


def with_target(
    kind: type[Model],
    parameters: dict[str, Any],
    target: str | Sequence[str] | None,
    names: Sequence[str],
) -> dict[str, Any]:
    """Return the hyper-parameters of a model, `target` among them where the model has such one.

    Raises
    ------
    ConfigError
        If a target is no column.
    """
    if not any(item.name == "target" for item in fields(kind.parameters_type)):
        return parameters
    if target is not None:
        parameters.setdefault("target", target)
    given = parameters.get("target", ())
    wanted = (given,) if isinstance(given, str) else tuple(given)
    for name in wanted:
        if name not in names:
            raise ConfigError(f"The target {name!r} is no column of the table.")
    return {**parameters, "target": wanted} if wanted else parameters

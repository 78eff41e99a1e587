"""Which model a table gets where none is asked for, and why."""

from __future__ import annotations

from dataclasses import dataclass

FEW_ROWS = 200
"""Below this many rows `auto` does not train a network."""


@dataclass(frozen=True)
class Choice:
    """Which model is used, and why.

    Attributes
    ----------
    model : str
        Registered name.
    reason : str
        In words for the plan.
    """

    model: str
    reason: str


def choose_model(name: str, n_rows: int) -> Choice:
    """Return the model called `name`, or for "auto" the one that suits a table of `n_rows` rows.

    Examples
    --------
    >>> choose_model("ctgan", 50).model, choose_model("auto", 50).model
    ('ctgan', 'independent')
    """
    if name != "auto":
        return Choice(name, "asked for")
    if n_rows < FEW_ROWS:
        return Choice(
            "independent",
            f"fewer than {FEW_ROWS} rows are too few to learn how columns depend on each other "
            "without remembering rows",
        )
    return Choice("tvae", "the most faithful of the models here")

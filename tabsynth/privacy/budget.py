"""PrivacyBudget: what a fit may cost, and in which sense."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tabsynth.errors import PrivacyError

Neighbours = Literal["add-remove"]
DELTA = 1e-6
"""Delta where none is given: a constant, as one computed from the rows would tell about them."""
MOST_DELTA = 0.01


@dataclass(frozen=True)
class PrivacyBudget:
    """The (epsilon, delta) that everything learnt from a table may cost together.

    Attributes
    ----------
    epsilon : float
        In nats, above 0.
    delta : float
        Below one over the number of rows.
    neighbours : {"add-remove"}
        Two tables are neighbours if one row is added to one of them or taken from it.

    Raises
    ------
    PrivacyError
        If a value is not allowed.

    References
    ----------
    Dwork and Roth (2014), doi:10.1561/0400000042.

    Examples
    --------
    >>> PrivacyBudget(1.0).delta
    1e-06
    """

    epsilon: float
    delta: float = DELTA
    neighbours: Neighbours = "add-remove"

    def __post_init__(self) -> None:
        if isinstance(self.epsilon, bool) or not isinstance(self.epsilon, (int, float)):
            raise PrivacyError(f"epsilon must be a number. Got {self.epsilon!r}.")
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise PrivacyError(
                f"epsilon must be a positive number, such as 1. Got {self.epsilon!r}. "
                "Leave it out to fit without differential privacy."
            )
        if isinstance(self.delta, bool) or not isinstance(self.delta, (int, float)):
            raise PrivacyError(f"delta must be a number. Got {self.delta!r}.")
        if not 0 < self.delta <= MOST_DELTA:
            raise PrivacyError(
                f"delta must be above 0, at most {MOST_DELTA} and well below one over the number "
                f"of rows, such as {DELTA}. Got {self.delta!r}."
            )
        if self.neighbours not in get_args(Neighbours):
            raise PrivacyError(
                f"neighbours must be {', '.join(map(repr, get_args(Neighbours)))}. Got "
                f"{self.neighbours!r}. What it costs to replace a row is reported beside it."
            )

    def require_rows(self, n_rows: int) -> None:
        """Refuse a delta that is no smaller than one over `n_rows`, a public or noisy number.

        Raises
        ------
        PrivacyError
        """
        if n_rows > 0 and self.delta * n_rows >= 1:
            raise PrivacyError(
                f"delta = {self.delta:g} is no smaller than one over the number of rows (about "
                f"{n_rows:,}): publishing a row outright would be allowed. Take a delta of at most "
                f"{0.1 / n_rows:.0e}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"epsilon": self.epsilon, "delta": self.delta, "neighbours": self.neighbours}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> PrivacyBudget:
        """Rebuild from the JSON form."""
        return cls(**state)

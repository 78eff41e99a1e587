"""Spend: one release as the accountant sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from tabsynth.errors import PrivacyError

Mechanism = Literal["gaussian", "sampled gaussian", "exponential"]

LEAST, MOST = 1e-12, 1e12
"""Limits of noise and sensitivity, within which no square overflows."""


@dataclass(frozen=True)
class Spend:
    """One release, or several of a kind, as the accountant sees it.

    Adding or removing one row is what noise is measured against.

    Attributes
    ----------
    what : str
        What was released, in words for a reader, without a value of the table.
    mechanism : {"gaussian", "sampled gaussian", "exponential"}
    noise : float
        Standard deviation of the noise over the L2 sensitivity to one row (Gaussian kinds); for
        "exponential" the epsilon of one choice.
    steps : int
        How often.
    rate : float
        Probability with which each row takes part in a step, independently of all others.
    delta : float
        Probability that a value held by one row passes a threshold, if there is one.
    sensitivity : float
        Most that one row changes what noise is added to, in its own unit (L2); for the reader.
    """

    what: str
    mechanism: Mechanism
    noise: float
    steps: int = 1
    rate: float = 1.0
    delta: float = 0.0
    sensitivity: float = 1.0

    def __post_init__(self) -> None:
        if self.mechanism not in get_args(Mechanism):
            names = ", ".join(map(repr, get_args(Mechanism)))
            raise PrivacyError(f"mechanism must be one of {names}. Got {self.mechanism!r}.")
        for name in ("noise", "rate", "delta", "sensitivity"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)):
                raise PrivacyError(f"{name} must be a number. Got {value!r}.")
        for name in ("noise", "sensitivity"):
            value = getattr(self, name)
            if not LEAST <= value <= MOST:
                raise PrivacyError(
                    f"{name} must be a positive number, from {LEAST:g} to {MOST:g}. Got {value!r}."
                )
        if isinstance(self.steps, bool) or not isinstance(self.steps, (int, np.integer)):
            raise PrivacyError(f"steps must be a whole number. Got {self.steps!r}.")
        if self.steps < 1 or not 0 < self.rate <= 1 or not 0 <= self.delta < 1:
            raise PrivacyError("A release needs a step, a rate in (0, 1] and a delta in [0, 1).")
        if self.rate < 1 and self.mechanism != "sampled gaussian":
            raise PrivacyError(f"A release of kind {self.mechanism!r} sees every row: rate is 1.")

    @property
    def rho(self) -> float:
        """Its cost in zero-concentrated differential privacy; infinite for a sampled release."""
        if self.unsampled:
            return self.steps / (2 * self.noise**2)
        if self.mechanism == "exponential":
            return self.steps * self.noise**2 / 8
        return math.inf

    @property
    def unsampled(self) -> bool:
        """Whether it is Gaussian noise on something that every row takes part in."""
        return self.mechanism == "gaussian" or (
            self.mechanism == "sampled gaussian" and self.rate == 1
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "what": self.what,
            "mechanism": self.mechanism,
            "noise": float(self.noise),
            "steps": int(self.steps),
            "rate": float(self.rate),
            "delta": float(self.delta),
            "sensitivity": float(self.sensitivity),
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Spend:
        """Rebuild from the JSON form; what a report adds to it is left out.

        Raises
        ------
        PrivacyError
            If something is missing or not allowed.
        """
        names = cls.__dataclass_fields__
        try:
            return cls(**{name: value for name, value in state.items() if name in names})
        except (TypeError, AttributeError):
            raise PrivacyError("A release needs what, mechanism and noise.") from None

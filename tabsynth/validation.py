"""Checks of arguments and hyper-parameters, all with the same sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tabsynth.errors import ConfigError


def check_integer(name: str, value: object, least: int, *, optional: bool = False) -> None:
    """Check that an argument is an integer of at least `least` (or None, if optional).

    Raises
    ------
    ConfigError
        If it is not.

    Examples
    --------
    >>> check_integer("epochs", 0, 1, optional=True)
    Traceback (most recent call last):
    ...
    tabsynth.errors.ConfigError: epochs must be an integer of at least 1, or none. Got 0.
    """
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        none = ", or none" if optional else ""
        raise ConfigError(f"{name} must be an integer of at least {least}{none}. Got {value!r}.")


def check_real(name: str, value: object, low: float, high: float = math.inf) -> None:
    """Check that an argument is a number between `low` and `high`, ends included.

    Raises
    ------
    ConfigError
        If it is not.
    """
    valid = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not valid or not low <= float(str(value)) <= high:
        allowed = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ConfigError(f"{name} must be a number {allowed}. Got {value!r}.")


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Check that an argument is one of `choices`.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}. Got {value!r}.")


def check_flag(name: str, value: object) -> None:
    """Check that an argument is true or false.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false. Got {value!r}.")

"""Whether the parameters of a column have values that make sense, before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tabsynth.schema.schema import Column


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_positive(value: Any) -> bool:
    return _is_count(value) and value >= 1


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bound(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def _is_places(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(_is_count(item) for item in value)
        and value[0] <= value[1]
    )


def _is_mark(value: Any) -> bool:
    return value in (".", ",")


RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        ("nullable", "integer", "unique", "consecutive", "padded"), (_is_flag, "true or false")
    ),
    "minimum_count": (_is_positive, "a whole number of at least 1"),
    "decimals": (_is_count, "0 or a positive whole number"),
    "places": (_is_places, "two whole numbers, [fewest, most]"),
    "decimal": (_is_mark, "'.' or ','"),
    **dict.fromkeys(("format", "locale", "kind", "treatment"), (_is_text, "a text")),
    **dict.fromkeys(("minimum", "maximum"), (_is_bound, "a number (or a date, as text)")),
}
"""What the parameters that several types share may be."""


def malformed(column: Column) -> list[str]:
    """Return a sentence for every parameter of `column` whose value is not allowed."""
    problems = []
    missing, marker = column.get("missing", ()), column.get("missing_as")
    if isinstance(missing, str) or not all(isinstance(text, str) for text in missing):
        problems.append(
            f'Column {column.name!r}: missing must be a list of texts, such as ["NA", "-99"].'
        )
    if marker is not None and not isinstance(marker, str):
        problems.append(f"Column {column.name!r}: missing_as must be a text, in quotes.")
    for name, value in column.parameters.items():
        if name in RULES:
            allowed, words = RULES[name]
            if not allowed(value):
                problems.append(f"Column {column.name!r} ({column.type}): {name} must be {words}.")
    low, high = column.get("minimum"), column.get("maximum")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
        problems.append(
            f"Column {column.name!r} ({column.type}): minimum must not be above maximum."
        )
    return problems

"""Names, addresses and other details of people who do not exist."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.columns._templates import ALPHABETS, Template, generate
from tabsynth.columns._unlearnt import permuted
from tabsynth.columns._wording import fold
from tabsynth.errors import SampleError, SchemaError

DOMAINS = ("example.com", "example.org", "example.net")
"""Domains that RFC 2606 keeps free for examples: no mail sent there reaches anybody."""

_MOST_CALLS = 2_000
_FAMILY_FIRST = ("zh", "ja", "ko", "hu", "vi")
_CASES: dict[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower, "title": str}


@dataclass(frozen=True)
class Style:
    """How details are written.

    Attributes
    ----------
    locale : str
        Language and country of the names, as Faker calls them.
    case : {"title", "upper", "lower"}
    format : str or None
        Of a full name, such as ``{last}, {first}``.
    """

    locale: str = "en_US"
    case: str = "title"
    format: str | None = None


def check_locale(locale: str, column: str) -> None:
    """Raise SchemaError if Faker has no such locale."""
    from faker.config import AVAILABLE_LOCALES

    if locale not in AVAILABLE_LOCALES:
        raise SchemaError(
            f"Column {column!r}: there are no names for locale {locale!r}. Give one that Faker "
            "knows, such as en_US, en_GB, de_DE, fr_FR, es_ES or pt_BR."
        )


def make_details(
    kind: str, n: int, rng: np.random.Generator, style: Style, *, unique: bool, column: str
) -> list[str]:
    """Return `n` different details of one kind; fewer where they need not be unique and run out.

    Parameters
    ----------
    kind : {"full_name", "first_name", "last_name", "email", "address", "ip", "url"}
    n : int
    rng : Generator
    style : Style
    unique : bool
        Whether there must be `n`.
    column : str
        Name of the column, for messages.

    Raises
    ------
    SampleError
        If there are not so many.
    """
    if n == 0:
        return []
    if kind == "ip":
        octets = [f".{number}" for number in range(256)]
        return _joined(_combine(n, [["10"], octets, octets, octets], rng, column))
    if kind == "url":
        path = (ALPHABETS["lower_or_digit"],) * 10
        template = Template((*"https://example.com/", *path))
        return generate([template], n, rng, column=column, widen=False)
    seed = int(rng.integers(2**63))
    if kind == "address":
        return _addresses(n, rng, style, seed, column)
    first, last = _names(style, n, seed, ascii_only=kind == "email")
    if kind == "email":
        return _emails(n, rng, first, last, column)
    if kind == "full_name":
        return _full_names(n, rng, style, first, last, column)
    pool = first if kind == "first_name" else last
    if n > len(pool) and unique:
        return _joined(_combine(n, [pool, ["-"], pool], rng, column))
    return _joined(_combine(min(n, len(pool)), [pool], rng, column))


def _faker(locale: str, seed: int) -> Any:
    """Return a generator of names and streets with a random state of its own."""
    from faker import Faker

    fake = Faker(locale, providers=["faker.providers.person", "faker.providers.address"])
    fake.seed_instance(seed)
    return fake


def _pool(call: Callable[[], str], n: int, change: Callable[[str], str]) -> list[str]:
    """Return different texts from a few calls for `n` texts, in the order in which they come."""
    calls = min(_MOST_CALLS, max(100, 2 * n))
    changed = (change(call().strip()) for _ in range(calls))
    return [text for text in dict.fromkeys(changed) if text]


def _names(style: Style, n: int, seed: int, ascii_only: bool) -> tuple[list[str], list[str]]:
    """Return different first names and different surnames, of one word each."""

    def plain(name: str) -> str:
        return "".join(letter for letter in fold(name) if "a" <= letter <= "z")

    def written(name: str) -> str:
        return "" if " " in name or "-" in name else _CASES[style.case](name)

    fake = _faker(style.locale, seed)
    change = plain if ascii_only else written
    first, last = _pool(fake.first_name, n, change), _pool(fake.last_name, n, change)
    if min(len(first), len(last)) < 20:  # in another script, or all of several words
        fake = _faker("en_US", seed)
        first, last = _pool(fake.first_name, n, change), _pool(fake.last_name, n, change)
    return first, last


def _full_names(
    n: int,
    rng: np.random.Generator,
    style: Style,
    first: list[str],
    last: list[str],
    column: str,
) -> list[str]:
    order = "{last} {first}" if style.locale[:2] in _FAMILY_FIRST else "{first} {last}"
    before, between, after = check_format(style.format or order, column)
    pools: list[Sequence[str]] = [first, last]
    if n > len(first) * len(last):
        initials = [_CASES[style.case](f" {letter}.") for letter in ALPHABETS["upper"]]
        given = [name + initial for name in first for initial in initials]
        pools = [given, last]
    if n > math.prod(map(len, pools)):
        pools = [[f"{a} {b}" for a in first for b in first], last]
    if before == "last":
        pools = pools[::-1]
    assert after in ("first", "last")
    return _joined(_combine(n, [pools[0], [between], pools[1]], rng, column))


def check_format(format: str, column: str) -> tuple[str, str, str]:
    """Return which name comes first, what stands between, and which comes last.

    Raises
    ------
    SchemaError
        If the format is no such thing.
    """
    for before, after in (("first", "last"), ("last", "first")):
        start, end = f"{{{before}}}", f"{{{after}}}"
        between = format[len(start) : -len(end)]
        if format == start + between + end and {" ", ","} & set(between):
            return before, between, after
    raise SchemaError(
        f"Column {column!r}: format of a full name must be '{{first}} {{last}}' or "
        "'{last}, {first}'."
    )


def _emails(
    n: int, rng: np.random.Generator, first: list[str], last: list[str], column: str
) -> list[str]:
    numbers = [""]
    while len(first) * len(last) * len(numbers) < n:
        numbers = [str(number) for number in range(1, 10 * max(len(numbers), 10))]
    pools = [first, ["."], last, numbers, [f"@{domain}" for domain in DOMAINS]]
    return _joined(_combine(n, pools, rng, column))


def _addresses(n: int, rng: np.random.Generator, style: Style, seed: int, column: str) -> list[str]:
    fake = _faker(style.locale, seed)
    number_first = fake.street_address()[:1].isdigit()
    streets = _pool(fake.street_name, min(n, 500), _CASES[style.case])
    most = 999
    while most * len(streets) < n:
        most = most * 10 + 9
    numbers = [str(number) for number in range(1, most + 1)]
    pools = [numbers, [" "], streets] if number_first else [streets, [" "], numbers]
    return _joined(_combine(n, pools, rng, column))


def _combine(
    n: int, pools: Sequence[Sequence[str]], rng: np.random.Generator, column: str
) -> list[np.ndarray]:
    """Return `n` different combinations, an object array for each of `pools`."""
    space = math.prod(len(pool) for pool in pools)
    if n > space:
        raise SampleError(
            f"Column {column!r}: only {space:,} different values can be made; {n:,} are needed. "
            f"Ask for at most {space:,} rows, or set unique: false in the schema."
        )
    index = permuted(space, n, rng)
    parts = []
    for pool in reversed(pools):
        index, at = np.divmod(index, len(pool))
        parts.append(np.array(pool, dtype=object)[at])
    return parts[::-1]


def _joined(parts: Sequence[np.ndarray]) -> list[str]:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    texts: list[str] = whole.tolist()
    return texts

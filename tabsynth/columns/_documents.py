"""Numbers that are given to people: telephones, national ids, accounts and cards."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from tabsynth.columns._shapes import Record, Shapes
from tabsynth.columns._templates import DIGIT, LEAD, LOWER, UPPER, Template

US_SSN = "us_ssn"
"""Format of a social security number of the United States."""

_TWO_TO_NINE = "23456789"
_ENOUGH = 20
_ONE_DIGIT_CODES = "17"
_TWO_DIGIT_CODES = {
    *("20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46"),
    *("47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63"),
    *("64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98"),
}
_NORTH_AMERICA = ("en_US", "en_CA", "fr_CA")


def phone_templates(shapes: Shapes, locale: str) -> list[Template]:
    """Return templates of telephone numbers in the commonest format, to be tried in this order.

    Where the numbers are North American the first has exchange 555 and lines 0100 to 0199, which
    are given to nobody; the later ones are for tables that need more of them. The country code
    is kept where all numbers of the format share it; every other digit is random.
    """
    found = shapes.commonest()
    if found is None:
        return phone_templates(Shapes.of(["202-555-0100"]), "en_US")
    key, record = found
    positions = _positions(record)
    digits = [i for i, sign in enumerate(key) if sign == "9"]
    code = ""
    if key.startswith("+"):
        code = _country_code(record, digits)
        for i, digit in zip(digits, code, strict=False):
            positions[i] = digit
    groups = [len(group) for group in re.findall("9+", key)]
    rest = digits[len(code) :]
    if not code and len(digits) == 11 and groups[:1] == [1]:
        positions[digits[0]], rest, groups = "1", digits[1:], groups[1:]
    plain = groups == [10] and locale in _NORTH_AMERICA
    american = code == "1" or (not key.startswith("+") and (groups == [3, 3, 4] or plain))
    if american and len(rest) == 10:
        area = [_TWO_TO_NINE, DIGIT, DIGIT]
        stages = [
            [*area, *"555", *"01", DIGIT, DIGIT],
            [*area, *"555", *([DIGIT] * 4)],
            [*area, _TWO_TO_NINE, *([DIGIT] * 6)],
        ]
        return [Template(tuple(_filled(positions, rest, stage))) for stage in stages]
    if rest and int(record.seen[rest[0]]) == 1:
        positions[rest[0]] = "0"
    elif rest and not int(record.seen[rest[0]]) & 1:
        positions[rest[0]] = LEAD
    return [Template(tuple(positions))]


def ssn_template(shapes: Shapes) -> Template:
    """Return the template of social security numbers that are never issued.

    They begin with 9; the middle digits that mark taxpayer numbers (50 and above) are left out.
    """
    key, positions = "999-99-9999", list("999-99-9999")
    found = shapes.commonest()
    if found is not None and found[0].count("9") == 9:
        key, positions = found[0], _positions(found[1])
    digits = [i for i, sign in enumerate(key) if sign == "9"]
    wanted = ["9", DIGIT, DIGIT, "1234", DIGIT, LEAD, DIGIT, DIGIT, DIGIT]
    return Template(tuple(_filled(positions, digits, wanted)))


def iban_template(shapes: Shapes) -> Template:
    """Return the template of account numbers of the commonest country, check digits 00."""
    found = shapes.commonest()
    if found is None or found[1].count < _ENOUGH or not found[1].same[:2].all():
        return Template.of("DE00 #### #### #### #### ##")
    positions = _positions(found[1])
    positions[:4] = [chr(found[1].first[0]), chr(found[1].first[1]), "0", "0"]
    return Template(tuple(positions))


def card_template(shapes: Shapes) -> Template:
    """Return the template of card numbers that begin with 9, as no payment card does."""
    found = shapes.commonest()
    key = found[0] if found is not None else "9999 9999 9999 9999"
    positions = _positions(found[1]) if found is not None else list(key)
    digits = [i for i, sign in enumerate(key) if sign == "9"]
    wanted = ["9", *([DIGIT] * (len(digits) - 2)), "0"]
    return Template(tuple(_filled(positions, digits, wanted)))


def with_iban_check(texts: Sequence[str]) -> list[str]:
    """Return account numbers with the check digits (third and fourth) that ISO 13616 asks for.

    Examples
    --------
    >>> with_iban_check(["DE00 3704 0044 0532 0130 00"])
    ['DE89 3704 0044 0532 0130 00']
    """
    chars = _characters(texts)
    moved = np.concatenate([chars[:, 4:], chars[:, :4]], axis=1)
    check = 98 - _mod_97(moved)
    chars[:, 2], chars[:, 3] = check // 10 + ord("0"), check % 10 + ord("0")
    return _texts(chars)


def is_iban(texts: Sequence[str]) -> np.ndarray:
    """Return which texts are account numbers with right check digits, bool of shape (n,)."""
    chars = _characters(texts)
    good = _mod_97(np.concatenate([chars[:, 4:], chars[:, :4]], axis=1)) == 1
    return np.asarray(good, dtype=bool)


def with_luhn_check(texts: Sequence[str]) -> list[str]:
    """Return card numbers with the last digit that the Luhn rule asks for.

    Examples
    --------
    >>> with_luhn_check(["4111 1111 1111 1110"])
    ['4111 1111 1111 1111']
    """
    chars = _characters(texts)
    digit = (chars >= ord("0")) & (chars <= ord("9"))
    last = digit.shape[1] - 1 - digit[:, ::-1].argmax(axis=1)
    rows = np.arange(len(chars))
    chars[rows, last] = ord("0")
    chars[rows, last] = -_luhn_sum(chars) % 10 + ord("0")
    return _texts(chars)


def is_luhn(texts: Sequence[str]) -> np.ndarray:
    """Return which texts of digits satisfy the Luhn rule, bool of shape (n,)."""
    return np.asarray(_luhn_sum(_characters(texts)) % 10 == 0, dtype=bool)


def _positions(record: Record) -> list[str]:
    """Return alphabets: punctuation and shared letters as they are, digits and letters random."""
    positions = []
    for flags, same, first in zip(record.seen, record.same, record.first, strict=True):
        if flags == 0 or (flags > 3 and same and record.count >= _ENOUGH):
            positions.append(chr(first))
        else:
            positions.append(DIGIT if flags <= 3 else LOWER if flags & 12 else UPPER)
    return positions


def _filled(positions: Sequence[str], where: Sequence[int], wanted: Sequence[str]) -> list[str]:
    filled = list(positions)
    for i, alphabet in zip(where, wanted, strict=True):
        filled[i] = alphabet
    return filled


def _country_code(record: Record, digits: Sequence[int]) -> str:
    """Return the country code that all numbers share, empty where they share none."""
    start = "".join(chr(record.first[i]) for i in digits[:3])
    size = 1 if start[:1] in _ONE_DIGIT_CODES else 2 if start[:2] in _TWO_DIGIT_CODES else 3
    shared = record.count >= _ENOUGH and all(record.same[i] for i in digits[:size])
    return start[:size] if shared else ""


def _characters(texts: Sequence[str]) -> np.ndarray:
    """Return texts as int64 character codes of shape (n, longest), 0 behind the end."""
    array = np.array(texts, dtype="U")
    codes = array.view(np.uint32).reshape(len(texts), -1)
    return codes.astype(np.int64)


def _texts(chars: np.ndarray) -> list[str]:
    array = np.ascontiguousarray(chars.astype(np.uint32)).view(f"U{chars.shape[1]}")
    texts: list[str] = array.reshape(-1).tolist()
    return texts


def _mod_97(chars: np.ndarray) -> np.ndarray:
    """Return the remainder of texts read as numbers, A as 10 to Z as 35, other signs left out."""
    rest = np.zeros(len(chars), dtype=np.int64)
    for column in chars.T:
        digit = (column >= ord("0")) & (column <= ord("9"))
        letter = (column >= ord("A")) & (column <= ord("Z"))
        rest = np.where(digit, (rest * 10 + column - ord("0")) % 97, rest)
        rest = np.where(letter, (rest * 100 + column - ord("A") + 10) % 97, rest)
    return rest


def _luhn_sum(chars: np.ndarray) -> np.ndarray:
    """Return the Luhn sums of texts of digits, other signs left out."""
    total = np.zeros(len(chars), dtype=np.int64)
    place = np.zeros(len(chars), dtype=np.int64)
    for column in chars.T[::-1]:
        digit = (column >= ord("0")) & (column <= ord("9"))
        value = column - ord("0")
        doubled = np.where(value > 4, 2 * value - 9, 2 * value)
        total += np.where(digit, np.where(place % 2 == 1, doubled, value), 0)
        place += digit
    return total

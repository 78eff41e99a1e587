"""Shapes of keys: what texts such as "PAT-00042" have in common, without keeping any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.columns._templates import ALPHABETS, DIGIT, LEAD, LOWER, UPPER, Template

# What was seen at a position: 0, 1-9, a-f, g-z, A-F, G-Z; none of them for punctuation.
_ZERO, _DIGITS, _LOWER, _UPPER = 1, 3, 12, 48
_BEYOND_HEX = 8 | 32
_SEEN = np.zeros(128, dtype=np.uint8)
for _flag, _letters in zip(
    (1, 2, 4, 8, 16, 32),
    ("0", LEAD, LOWER[:6], LOWER[6:], UPPER[:6], UPPER[6:]),
    strict=True,
):
    _SEEN[[ord(letter) for letter in _letters]] = _flag

_WIDEST = 128
_MOST_KEYS = 1_000
_MOST_TEMPLATES = 20
_COVERAGE = 0.9
_FEWEST, _LITERAL_FROM = 5, 20


@dataclass(frozen=True)
class Record:
    """What texts of one shape have in common.

    Attributes
    ----------
    count : int
        Number of different texts.
    seen : ndarray of uint8, shape (length,)
        Bit flags of the kinds of character at each position.
    first : ndarray of uint32, shape (length,)
        One text's characters; they mean something only where `same`.
    same : ndarray of bool, shape (length,)
        Whether all texts have the same character there.
    """

    count: int
    seen: np.ndarray
    first: np.ndarray
    same: np.ndarray

    def merge(self, other: Record) -> Record:
        """Return what both have in common."""
        return Record(
            self.count + other.count,
            self.seen | other.seen,
            self.first,
            self.same & other.same & (self.first == other.first),
        )


Level = dict[str, Record] | None


@dataclass(frozen=True)
class Shapes:
    """A mergeable summary of texts at three levels of detail; a level with too many keys is None.

    Attributes
    ----------
    exact : dict of str to Record
        Keys are texts with 9, a, A for digits, lower-case and upper-case letters.
    loose : dict of str to Record
        Keys are texts with x for any letter or digit.
    lengths : dict of str to Record
        Keys are lengths.
    """

    exact: Level
    loose: Level
    lengths: Level

    @classmethod
    def of(cls, labels: Sequence[str]) -> Shapes:
        """Return the summary of different texts; beyond 128 characters they are cut."""
        labels = [label for label in labels if label]
        if not labels:
            return cls({}, {}, {})
        width = min(max(map(len, labels)), _WIDEST)
        chars = np.array(labels, dtype=f"U{width}").view(np.uint32).reshape(len(labels), width)
        seen = _SEEN[np.minimum(chars, 127)]
        for code in np.unique(chars[chars > 126]).tolist():
            seen[chars == code] = _foreign(chr(code))
        exact, loose = chars.copy(), chars.copy()
        for flags, sign in ((_DIGITS, "9"), (_LOWER, "a"), (_UPPER, "A")):
            exact[(seen & flags) > 0] = ord(sign)
        loose[seen > 0] = ord("x")
        lengths = np.where(chars > 0, ord("."), 0).astype(np.uint32)
        return cls(*(_level(keys, chars, seen) for keys in (exact, loose, lengths)))

    def merge(self, other: Shapes) -> Shapes:
        """Return the summary of both."""
        return Shapes(
            *(
                _merge(getattr(self, level), getattr(other, level))
                for level in ("exact", "loose", "lengths")
            )
        )

    @property
    def total(self) -> int:
        """Number of texts."""
        return sum(record.count for record in (self.lengths or {}).values())

    def commonest(self) -> tuple[str, Record] | None:
        """Return the exact key and the record held by most texts; ties go to the first key."""
        if not self.exact:
            return None
        return max(sorted(self.exact.items()), key=lambda item: item[1].count)

    def coverage(self) -> float:
        """Return the share of texts that at most 20 shapes cover."""
        levels = [level for level in (self.exact, self.loose) if level is not None]
        best = (sum(r.count for r in _frequent(level, self.total)) for level in levels)
        return max(best, default=0) / max(self.total, 1)

    def templates(self) -> list[Template]:
        """Return at most 20 templates that make texts of these shapes.

        Shapes held by fewer than 5 texts are left out. A letter is kept as it is only where all
        templates have it, as the same distance from the start or from the end, in at least 20
        texts; digits never are.
        """
        chosen: list[list[Template]] = []
        for level in (self.loose, self.exact):
            if level is None:
                continue
            records = _frequent(level, self.total)
            if sum(r.count for r in records) < _COVERAGE * self.total or not records:
                continue
            templates = _templates(records)
            if level is self.loose and _is_hex(templates[0]):
                return templates
            chosen.append(templates)
        if chosen:
            return chosen[-1]
        records = _frequent(self.lengths or {}, self.total)
        together = int(np.bitwise_or.reduce([np.bitwise_or.reduce(r.seen) for r in records] or [0]))
        alphabet = _alphabet(together or 63)
        return [Template((alphabet,) * len(r.seen), r.count) for r in records] or [
            Template((ALPHABETS["any"],) * 8)
        ]


def _foreign(letter: str) -> int:
    if letter.isdigit():
        return _DIGITS
    return (_UPPER if letter.isupper() else _LOWER) if letter.isalpha() else 0


def _level(keys: np.ndarray, chars: np.ndarray, seen: np.ndarray) -> Level:
    """Group texts by their keys, uint32 of shape (n, width)."""
    names, where = np.unique(keys.view(f"U{keys.shape[1]}").reshape(-1), return_inverse=True)
    if len(names) > _MOST_KEYS:
        return None
    order = np.argsort(where, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(where))[:-1])
    level = {}
    for name, rows in zip(names.tolist(), groups, strict=True):
        part = chars[rows, : len(name)]
        together = np.bitwise_or.reduce(seen[rows, : len(name)], axis=0)
        level[name] = Record(len(rows), together, part[0], (part == part[0]).all(axis=0))
    return level


def _merge(first: Level, second: Level) -> Level:
    if first is None or second is None:
        return None
    both = dict(first)
    for key, record in second.items():
        both[key] = both[key].merge(record) if key in both else record
    return both if len(both) <= _MOST_KEYS else None


def _frequent(level: dict[str, Record], total: int) -> list[Record]:
    """Return the commonest shapes, none held by few texts."""
    fewest = _FEWEST if total >= _LITERAL_FROM else 1
    held = [(key, record) for key, record in level.items() if record.count >= fewest]
    held.sort(key=lambda item: (-item[1].count, item[0]))
    return [record for _, record in held[:_MOST_TEMPLATES]]


def _alphabet(seen: int) -> str:
    return (
        (DIGIT if seen & _DIGITS else "")
        + (LOWER if seen & _LOWER else "")
        + (UPPER if seen & _UPPER else "")
    )


def _is_hex(template: Template) -> bool:
    return any(letters in (ALPHABETS["hex"], ALPHABETS["HEX"]) for letters in template.positions)


def _templates(records: Sequence[Record]) -> list[Template]:
    """Return a template for each record."""
    left, right = _shared(records, 1), _shared(records, -1)
    templates = []
    for record in records:
        length = len(record.seen)
        letters = np.zeros(length, dtype=bool)
        letters[: len(left)] |= left[:length]
        letters[::-1][: len(right)] |= right[:length]
        templates.append(Template(_positions(record, letters), record.count))
    return templates


def _shared(records: Sequence[Record], step: int) -> np.ndarray:
    """Return at which positions all records have the same letter, counted from one end."""
    length = min((len(record.seen) for record in records), default=0)
    if sum(record.count for record in records) < _LITERAL_FROM:
        return np.zeros(length, dtype=bool)
    model = records[0].first[::step][:length]
    same = np.ones(length, dtype=bool)
    for record in records:
        is_letter = (record.seen[::step][:length] & (_LOWER | _UPPER)) > 0
        held = record.same[::step][:length] & (record.first[::step][:length] == model)
        same &= is_letter & held & (record.seen[::step][:length] & _DIGITS == 0)
    return same


def _positions(record: Record, letters: np.ndarray) -> tuple[str, ...]:
    """Return the alphabets of a record; `letters` says which letters stay as they are."""
    seen = np.where(letters, 0, record.seen)
    together = int(np.bitwise_or.reduce(seen)) if len(seen) else 0
    digits = (seen & _DIGITS > 0) & (seen & (_LOWER | _UPPER) == 0)
    mixed = bool(((seen & _DIGITS > 0) & (seen & (_LOWER | _UPPER) > 0)).any())
    one_case = bool(together & _LOWER) != bool(together & _UPPER)
    hexadecimal = mixed and one_case and not together & _BEYOND_HEX
    positions = []
    for i, flags in enumerate(seen.tolist()):
        if flags == 0:
            positions.append(chr(record.first[i]))
        elif hexadecimal:
            positions.append(ALPHABETS["hex" if together & _LOWER else "HEX"])
        elif digits[i] and not flags & _ZERO and (i == 0 or not digits[i - 1]):
            positions.append(LEAD)
        else:
            positions.append(_alphabet(flags))
    skeleton = "".join("x" if flags else chr(record.first[i]) for i, flags in enumerate(seen))
    if hexadecimal and skeleton == "-".join("x" * size for size in (8, 4, 4, 4, 12)):
        positions[14] = "4"
        positions[19] = ALPHABETS["variant" if together & _LOWER else "VARIANT"]
    if hexadecimal and positions[1:2] == ["x"] and seen[0] == _ZERO:
        positions[0] = "0"
    return tuple(positions)

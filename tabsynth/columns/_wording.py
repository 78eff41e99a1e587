"""What the name of a column says about it."""

from __future__ import annotations

import re
import unicodedata


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())


_KEY_LAST = word_set(
    "id ids key keys pk no nr nbr number code uuid guid mrn ssn ref reference identifier hash "
    "token serial barcode isbn sku imei vin nummer numero matricule"
)
_KEY_ALONE = _KEY_LAST | word_set("num index idx oid")
_KEY_FIRST = word_set("id uuid guid")
_REPEATED_LAST = word_set("id ids no nr nbr number uuid guid mrn identifier nummer")
_REPEATED_ALONE = word_set("id ids uuid guid mrn identifier")
_INDEXED = word_set("row record line obs observation sample case item")
_THINGS = word_set(
    "user patient customer client order case account acct member employee person student record "
    "row product item transaction invoice booking encounter visit admission subject participant "
    "sample device session post message contract policy claim ticket incident call passport "
    "licence license serial card file document request event trip ride house property listing "
    "host guest passenger hospital ward study specimen object entity unit staff worker"
)
_COMPOUND = re.compile(
    rf"(?:{'|'.join(sorted(_THINGS))})s?(?:id|key|number|no|nr|nbr|num|code|uuid)"
)
_TIMES = word_set("year years age day days week month hour minute date yr jahr alter annee ano")


def fold(text: str) -> str:
    """Return text in lower case without accents."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


def words_of(name: str) -> list[str]:
    """Return the words of a column name in lower case, numbers left out.

    Examples
    --------
    >>> words_of("customerID"), words_of("patient_nbr"), words_of("Call Number 2")
    (['customer', 'id'], ['patient', 'nbr'], ['call', 'number'])
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", str(name))
    words = (word.strip("0123456789") for word in re.split(r"[\W_]+", fold(apart)))
    return [word for word in words if word]


def names_key(name: str) -> bool:
    """Return whether a name says that the column holds keys.

    Examples
    --------
    >>> [names_key(name) for name in ("Id", "RowID", "userid", "paid", "number_of_rooms")]
    [True, True, True, False, False]
    """
    words = words_of(name)
    if not words:
        return False
    if len(words) == 1:
        return words[0] in _KEY_ALONE or bool(_COMPOUND.fullmatch(words[0]))
    last = words[-1]
    if last in ("index", "idx", "num"):
        return words[-2] in _INDEXED or last == "num"
    return last in _KEY_LAST or words[0] in _KEY_FIRST or bool(_COMPOUND.fullmatch(last))


def names_entity(name: str) -> bool:
    """Return whether a name says that the column refers to something by its key, again and again.

    Examples
    --------
    >>> [names_entity(name) for name in ("patient_nbr", "CaseNo", "communityCode")]
    [True, True, False]
    """
    words = words_of(name)
    if not words:
        return False
    known = _REPEATED_ALONE if len(words) == 1 else _REPEATED_LAST
    return words[-1] in known or bool(_COMPOUND.fullmatch(words[-1]))


def names_time(name: str) -> bool:
    """Return whether a name is about years, ages or dates, which also count up one by one."""
    return bool(_TIMES & set(words_of(name)))

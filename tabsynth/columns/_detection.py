"""Which columns hold personal data: what their names say and what their values look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd

from tabsynth.columns._documents import is_iban, is_luhn
from tabsynth.columns._shapes import Shapes
from tabsynth.columns._unlearnt import distinct_integers, distinct_texts, evenly
from tabsynth.columns._wording import fold, word_set, words_of
from tabsynth.columns.base import Profile

_MATCH = 0.9
_EMAIL = r"[^@\s,;<>]+@[A-Za-z0-9](?:[\w-]*\.)+[A-Za-z]{2,}"
_URL = r"(?:https?|ftp)://\S+|www\.\S+\.\S+"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IP = (
    rf"{_OCTET}(?:\.{_OCTET}){{3}}|(?:[0-9a-fA-F]{{1,4}}:){{7}}[0-9a-fA-F]{{1,4}}"
    r"|(?=.*::)[0-9a-fA-F:]{2,39}"
)
_SSN = r"\d{3}-\d{2}-\d{4}"
_IBAN = r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,8}"
_CARD = r"\d(?:[ -]?\d){12,18}"
_PHONE = (
    r"\+\d{9,15}|\+\d{1,3}[ ./()-]+\d[\d ./()-]{5,16}\d|\+?1?[ .-]?\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}"
    r"|(?:1[-. ])?\d{3}-\d{3}-\d{4}|\d{3}\.\d{3}\.\d{4}|\(0\d{1,5}\)[ /-]?\d[\d -]{3,10}"
    r"|0\d{1,5}[ ]?/[ ]?\d[\d -]{3,12}"
)
_ANY_PHONE = r"(?:\+|00)?[(]?\d[\d ./()-]{5,20}\d(?: ?(?:x|ext\.?) ?\d{1,6})?"
_STREET = re.compile(
    r"\d{1,5}(?:-\d{1,5})?[a-z]?,? +(?:[\w.'-]+ +){0,5}(?:street|st|avenue|ave|road|rd|boulevard|"
    r"blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|way|terrace|ter|parkway|pkwy|circle|cir|"
    r"highway|hwy|close|crescent|trail)\b.*"
    r"|.*(?:strasse|str\.|straße|weg|platz|gasse|allee|straat|laan|gatan|vej)"
    r" +\d{1,4} ?[a-z]?(?:,.*)?"
    r"|\d{1,4}(?: ?bis| ?ter)?,? +(?:rue|avenue|boulevard|place|chemin|allee|impasse|quai) .*"
    r"|(?:calle|avenida|av\.|rua|via|viale|piazza|ulica|ul\.|plaza) .*\d.*",
    re.IGNORECASE,
)
_NUMBERED = r"(?=.*\d)(?=.*[^\W\d_]{2}).*[\s].*"
_NAME_LIKE = r"[^\W\d_][^\d_@#$%*+=<>:;!?\"/\\\[\]{}|~]*"

_PHONES = word_set("phone tel telephone mobile fax cellphone telefon telefono handy msisdn phones")
_PHONES |= word_set("telefone mobil mobilnummer telefonnummer phonenumber phoneno mobileno faxno")
_NATIONAL = word_set(
    "ssn nhs nino bsn cpf passport aadhaar aadhar dni nif nie curp pesel personnummer cpr steuer "
    "steuerid steuernummer socialsecurity nationalid insee nir codicefiscale rut cuil cuit amka "
    "passportno fodselsnummer henkilotunnus reisepass personalausweis ahv oib jmbg"
)
_NATIONAL_PAIRS = (
    *(("national", "id"), ("national", "number"), ("social", "security"), ("tax", "id")),
    *(("personal", "number"), ("personal", "id"), ("drivers", "license"), ("driver", "licence")),
    *(("driver", "license"), ("driving", "licence"), ("insurance", "number"), ("fiscal", "code")),
    *(("identity", "card"), ("identity", "number"), ("nhs", "number"), ("citizen", "id")),
)
_ADDRESSES = word_set("address addr street strasse adresse anschrift calle rue direccion endereco")
_NO_ADDRESS = word_set("ip mac email mail web url type count id code status")
_FIRST = word_set(
    "firstname forename givenname vorname prenom fname namefirst voornaam fornamn imie middlename "
    "firstnames christianname"
)
_LAST = word_set(
    "lastname surname familyname lname namelast nachname familienname apellido apellidos cognome "
    "sobrenome achternaam efternamn nazwisko maidenname"
)
_FULL = word_set("fullname nomcomplet nombrecompleto vollname personname displayname")
_PERSONS = word_set(
    "patient customer client employee person contact host student member guest passenger owner "
    "author doctor physician nurse teacher parent mother father child spouse full driver player "
    "applicant borrower beneficiary victim suspect defendant officer agent manager staff worker "
    "buyer seller legal kin sender recipient subscriber user tenant landlord candidate professor "
    "surgeon clinician relative guardian judge lawyer participant resident citizen cardholder "
    "holder lead respondent inmate prisoner offender director actor"
)
_NAMES = word_set("name names nombre nome nom naam namn")
_TRAPS = word_set(
    "product brand community town city county country street zone file company school hospital "
    "department dept station team state region district area place model make species category "
    "class type group item drug medication course project event device server domain "
    "business store shop restaurant hotel building property neighbourhood neighborhood "
    "borough village organisation organization org firm bank airport carrier airline ward language "
    "color colour material song movie film book title game variety breed football club college "
    "university parish province nation test dataset stop line route cluster node month day"
)
_TITLES = word_set(
    "mr mrs ms miss dr prof professor rev sir lady master herr frau mme jr sr phd md"
)
_LOCALES = (
    *("en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "es_MX", "it_IT", "pt_BR", "nl_NL"),
    *("sv_SE", "pl_PL", "tr_TR", "cs_CZ", "ro_RO", "da_DK", "no_NO", "fi_FI", "hu_HU", "id_ID"),
)


@dataclass(frozen=True)
class Finding:
    """What was found in a column.

    Attributes
    ----------
    kind : str
    words : str
        Why, without a value.
    format : str or None
    """

    kind: str
    words: str
    format: str | None = None


def find_personal(profile: Profile) -> Finding | None:
    """Return what kind of personal data a column holds, None where it holds none.

    Privacy: it looks at values and returns only the kind and the share of values that fit it.
    """
    words = words_of(profile.name)
    texts = distinct_texts(profile)
    if texts is None:
        numbers = distinct_integers(profile)
        if numbers is None or not len(numbers):
            return None
        return _find_in_numbers(words, evenly(pd.Series(numbers).astype("str")))
    if not len(texts):
        return None
    sample = evenly(texts).str.strip()
    return (
        _find_pattern(words, sample, len(texts) / max(profile.n_present, 1))
        or _find_phone(words, sample)
        or _find_national_id(words, sample)
        or _find_address(words, sample)
        or _find_name(words, sample)
    )


def _share(sample: pd.Series, pattern: str | re.Pattern[str]) -> float:
    return float(sample.str.fullmatch(pattern).mean())


def _find_in_numbers(words: list[str], sample: pd.Series) -> Finding | None:
    """Numbers are personal only where the name says so."""
    size = sample.str.len()
    if _PHONES & set(words) and float(size.between(7, 15).mean()) >= _MATCH:
        return Finding("phone", "called a telephone, digits only")
    if _names_national(words) and float(size.between(6, 15).mean()) >= _MATCH:
        ssn = "ssn" in words or "social" in words
        return Finding("national_id", "called a national id", "us_ssn" if ssn else None)
    if not {"card", "pan"} & set(words) or float(size.between(13, 19).mean()) < _MATCH:
        return None
    if float(is_luhn(sample.tolist()).mean()) < _MATCH:
        return None
    return Finding("credit_card", "card numbers with right check digits")


def _find_pattern(words: list[str], sample: pd.Series, distinct: float) -> Finding | None:
    """Find what values alone tell."""
    if (match := _share(sample, _EMAIL)) >= _MATCH:
        return Finding("email", f"e-mail addresses ({match:.0%} match)")
    if (match := _share(sample, _SSN)) >= _MATCH:
        return Finding("national_id", f"us_ssn ({match:.0%} match)", "us_ssn")
    if (match := _share(sample, _URL)) >= _MATCH and distinct >= 0.3:
        return Finding("url", f"web addresses ({match:.0%} match)")
    if (match := _share(sample, _IP)) >= _MATCH:
        first = pd.to_numeric(sample.str.extract(r"^(\d+)\.", expand=False), errors="coerce")
        if "ip" in words or "host" in words or float((first.fillna(255) >= 10).mean()) >= 0.8:
            return Finding("ip", f"network addresses ({match:.0%} match)")
    match = float(is_iban(sample.tolist()).mean()) if _share(sample, _IBAN) >= _MATCH else 0.0
    if match >= _MATCH:
        return Finding("iban", f"account numbers ({match:.0%} with right check digits)")
    grouped = _share(sample, _CARD) >= _MATCH and (len(sample) >= 10 or "card" in words)
    match = float(is_luhn(sample.tolist()).mean()) if grouped else 0.0
    if match >= _MATCH:
        return Finding("credit_card", f"card numbers ({match:.0%} with right check digits)")
    return None


def _find_phone(words: list[str], sample: pd.Series) -> Finding | None:
    named = bool(_PHONES & set(words))
    if (match := _share(sample, _PHONE)) >= _MATCH:
        return Finding("phone", f"telephone numbers ({match:.0%} match)")
    if named and (match := _share(sample, _ANY_PHONE)) >= 0.8:
        return Finding("phone", f"called a telephone ({match:.0%} look like a number)")
    return None


def _names_national(words: list[str]) -> bool:
    pairs = set(pairwise(words))
    return bool(_NATIONAL & set(words)) or bool(pairs & set(_NATIONAL_PAIRS))


def _find_national_id(words: list[str], sample: pd.Series) -> Finding | None:
    if not _names_national(words) or float(sample.str.contains(r"\d").mean()) < _MATCH:
        return None
    fits = sample.str.len().between(6, 25) & ~sample.str.contains(r"[@:]|\.\d+$", regex=True)
    if float(fits.mean()) < _MATCH or Shapes.of(sample.tolist()).coverage() < _MATCH:
        return None
    digits = sample.str.replace(r"\D", "", regex=True).str.len()
    ssn = ("ssn" in words or "social" in words) and float((digits == 9).mean()) >= _MATCH
    return Finding("national_id", "called a national id", "us_ssn" if ssn else None)


def _find_address(words: list[str], sample: pd.Series) -> Finding | None:
    if len(sample) < 2:
        return None
    if (match := _share(sample, _STREET)) >= _MATCH:
        return Finding("address", f"street addresses ({match:.0%} match)")
    if _ADDRESSES & set(words) and not _NO_ADDRESS & set(words):
        match = max(_share(sample, _NUMBERED), _share(sample, _STREET))
        if match >= 0.5:
            return Finding("address", f"called an address ({match:.0%} look like one)")
    return None


def _name_hint(words: list[str]) -> tuple[str, str] | None:
    """Return the kind of name that a column's name suggests, and how strongly."""
    known, joined = set(words), "".join(words)
    if (
        joined in _FIRST
        or known & _FIRST
        or ({"first", "given", "middle"} & known and _NAMES & known)
    ):
        return "first_name", "strong"
    if joined in _LAST or known & _LAST:
        return "last_name", "strong"
    if {"last", "family", "maiden", "second"} & known and _NAMES & known:
        return "last_name", "strong"
    if known & _TRAPS:
        return None
    if joined in _FULL or (known & _NAMES and known & _PERSONS):
        return "full_name", "strong"
    if any(joined == person + name for person in _PERSONS for name in ("name", "names")):
        return "full_name", "strong"
    if words in (["first"], ["middle"]):
        return "first_name", "weak"
    if words in (["last"], ["family"]):
        return "last_name", "weak"
    if len(words) <= 2 and (known & _NAMES or known & _PERSONS):
        return "full_name", "weak"
    return ("full_name", "none") if not joined.endswith(("name", "names")) else None


def _find_name(words: list[str], sample: pd.Series) -> Finding | None:
    """Find names of people; values decide unless the column's name is plain."""
    hint = _name_hint(words)
    if hint is None or len(sample) < 2:
        return None
    kind, strength = hint
    plain = sample.str.fullmatch(_NAME_LIKE) & sample.str.len().le(60)
    if float(plain.mean()) < (0.8 if strength == "strong" else _MATCH):
        return None
    evidence = _name_evidence(evenly(sample[plain], 2_000).tolist())
    if evidence.long > 0.1:
        return None
    looks = evidence.both
    if kind == "first_name":
        looks = evidence.first
    elif kind == "last_name":
        looks = evidence.last
    least = {"strong": 0.02, "weak": 0.2, "none": 0.6}[strength]
    enough = {"strong": 2, "weak": 5, "none": 30}[strength]
    if strength == "weak" and evidence.commas >= 0.8:
        least = 0.1
    if looks < least or len(sample) < enough:
        return None
    if kind == "full_name" and evidence.single >= 0.6:
        kind = "first_name" if evidence.first >= evidence.last else "last_name"
    words_for = {"full_name": "names of people", "first_name": "first names"}
    what = words_for.get(kind, "surnames")
    if strength == "strong":
        return Finding(kind, f"called {what} ({looks:.0%} of the words are on a list of names)")
    return Finding(kind, f"{what} ({looks:.0%} of the words are on a list of names)")


@dataclass(frozen=True)
class _Evidence:
    """Shares of sampled texts, or of their words, that are as names are."""

    first: float
    last: float
    both: float
    commas: float
    single: float
    long: float


def _name_evidence(texts: list[str]) -> _Evidence:
    first_names, last_names = _known_names()
    split = [
        [word for word in re.findall(r"[^\W\d_]+", fold(text)) if len(word) > 1] for text in texts
    ]
    split = [[word for word in words if word not in _TITLES] for words in split]
    every = [word for words in split for word in words]

    def share(flags: list[bool]) -> float:
        return float(np.mean(flags)) if flags else 0.0

    return _Evidence(
        first=share([bool(words) and words[0] in first_names for words in split]),
        last=share([bool(words) and words[-1] in last_names for words in split]),
        both=share([word in first_names or word in last_names for word in every]),
        commas=share([text.count(",") == 1 for text in texts]),
        single=share([len(words) <= 1 for words in split]),
        long=share([len(words) > 7 for words in split]),
    )


@cache
def _known_names() -> tuple[frozenset[str], frozenset[str]]:
    """Return common first names and surnames of twenty countries, folded, from Faker's lists."""
    from importlib import import_module

    found: tuple[set[str], set[str]] = (set(), set())
    for locale in _LOCALES:
        provider = import_module(f"faker.providers.person.{locale}").Provider
        for names, which in zip(found, ("first_names", "last_names"), strict=True):
            for attribute in (which, f"{which}_male", f"{which}_female"):
                for name in getattr(provider, attribute, ()):
                    names.update(re.findall(r"[^\W\d_]+", fold(str(name))))
    return frozenset(found[0]), frozenset(found[1])

"""The demo table: hospital admissions of people who do not exist, made from a seed."""

from __future__ import annotations

import tomllib
import unicodedata
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabsynth.errors import ConfigError
from tabsynth.random import Streams

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

FIRST_DAY, DAYS = np.datetime64("2022-01-01", "D"), 730


@cache
def _words() -> dict[str, Any]:
    """Return names, places and diagnoses from the file beside this module."""
    file = resources.files("tabsynth").joinpath("admissions.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _field(kind: str, name: str) -> Any:
    """Return the field `name` of every circle, region or chapter, as an array."""
    values = [entry[name] for entry in _words()[kind]]
    array = np.array(values)
    return array.astype(object) if array.dtype.kind == "U" else array


class Background(NamedTuple):
    """Who the patients are; every array has one value a row."""

    age: Ints  # years
    band: Ints  # 0 children, 1 adults, 2 the old
    sex: Ints  # 0 female, 1 male, 2 other
    region: Ints
    postcode: Ints
    insurance: Ints


class Illness(NamedTuple):
    """What brought them to hospital; every array has one value a row."""

    chapter: Ints
    diagnosis: Texts
    sick: Floats  # hidden severity, about standard normal
    kind: Ints  # 0 emergency, 1 urgent, 2 planned
    body: Floats  # body mass index, kg/m^2
    diabetic: Flags
    secondary: Ints
    previous: Ints
    nights: Ints
    ward: Texts


def _pick(uniform: Floats, weights: Any) -> Ints:
    """Return, for each uniform number, the index that `weights` (k,) or (n, k) give it."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64), axis=-1)
    if cumulative.ndim == 1:
        index = np.searchsorted(cumulative / cumulative[-1], uniform, side="right")
    else:
        index = (uniform[:, None] * cumulative[:, -1:] >= cumulative).sum(axis=1)
    return np.asarray(np.minimum(index, cumulative.shape[-1] - 1), dtype=np.int64)


def _zipf(size: int, exponent: float) -> Floats:
    """Return the weights of a Zipf law over `size` ranks, shape (size,)."""
    return np.asarray(np.arange(1, size + 1, dtype=np.float64) ** -exponent)


def _logistic(log_odds: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-log_odds))


def _texts(values: Any) -> Texts:
    return np.asarray(values, dtype=object)


def _fold(names: Texts) -> Texts:
    """Return names as they stand in an e-mail address: lower case, letters a to z only."""

    def fold(name: str) -> str:
        plain = unicodedata.normalize("NFKD", name.replace("ı", "i")).encode("ascii", "ignore")
        return "".join(letter for letter in plain.decode().lower() if letter.isalpha())

    return np.asarray(np.vectorize(fold, otypes=[object])(names))


def _digits(numbers: Ints, width: int) -> Texts:
    plain = numbers.astype(str)
    return _texts(np.strings.zfill(plain, width) if plain.size else plain)


def _background(streams: Streams, n: int) -> Background:
    rng = streams.numpy("background")
    band = _pick(rng.random(n), [0.09, 0.36, 0.55])
    ages = [
        18 * rng.random(n) ** 1.5,
        np.clip(rng.normal(42, 12, size=n), 18, 59),
        np.clip(rng.normal(74, 9, size=n), 60, 102),
    ]
    sex = _pick(rng.random(n), [0.515, 0.479, 0.006])
    region = _pick(rng.random(n), _field("region", "weight"))
    place = _pick(rng.random(n), _zipf(40, 0.8))
    postcode = _field("region", "first")[region] + _field("region", "step")[region] * place
    poor = rng.normal(0, 1, size=n) + 0.5 * (region >= 3)
    old = band == 2
    appeal = [  # of each kind of insurance
        0.8 + 0.3 * poor + 1.2 * old,
        0.4 - 0.6 * poor,
        -1.0 - 0.3 * poor + 0.9 * old,
        -1.2 + 0.8 * poor - 2.5 * old,
    ]
    insurance = _pick(rng.random(n), np.exp(np.stack(appeal, axis=1)))
    age = np.floor(np.choose(band, ages)).astype(np.int64)
    return Background(age, band, sex, region, postcode, insurance)


def _diagnoses(rng: np.random.Generator, chapter: Ints, sex: Ints) -> Texts:
    """Draw a code of each row's chapter, the first ones far more often than the last."""
    rank = rng.random(chapter.size)
    codes = np.empty(chapter.size, dtype=object)
    for number, group in enumerate(_words()["chapter"]):
        mine = np.flatnonzero(chapter == number)
        known = _texts(group["codes"])
        drawn = known[_pick(rank[mine], _zipf(known.size, 1.35))]
        odd = (sex[mine] == 1) & np.isin(drawn, _words()["women_only"])
        odd |= (sex[mine] == 0) & np.isin(drawn, _words()["men_only"])
        codes[mine] = np.where(odd, known[0], drawn)
    return codes


def _illness(streams: Streams, n: int, who: Background) -> Illness:
    rng, age, sex = streams.numpy("illness"), who.age, who.sex
    share = _field("chapter", "share")[:, who.band].T
    births = _field("chapter", "ward") == "Obstetrics"
    share[np.ix_((sex != 0) | (age < 16) | (age > 48), births)] = 0.0
    chapter = _pick(rng.random(n), share)
    diagnosis = _diagnoses(rng, chapter, sex)
    sick = rng.normal(0, 1, size=n) + 0.012 * (age - 55)
    urgent, sudden = rng.random(n), _field("chapter", "emergency")[chapter]
    kind = np.where(urgent < 0.75 * sudden, 0, np.where(urgent < sudden, 1, 2))
    typical = np.where(age < 18, 15 + 0.45 * age, 26.4)
    body = np.clip(typical + rng.gamma(4.0, 2.2, size=n) - 8.0, 12.0, 68.0)
    diabetic = rng.random(n) < _logistic(-4.6 + 0.03 * age + 0.09 * (body - 26))
    diabetic |= np.isin(diagnosis.astype("U3"), ("E10", "E11"))
    secondary = rng.poisson(np.exp(-0.9 + 0.024 * age + 0.32 * sick + 0.3 * diabetic))
    known = rng.random(n) < _logistic(-0.6 + 0.018 * (age - 50) + 0.3 * sick)
    often = rng.gamma(0.9, 1.2, size=n) * np.exp(0.25 * sick + 0.012 * (age - 55))
    length = (
        0.7 + _field("chapter", "stay")[chapter] + 0.35 * sick + 0.004 * age - 0.35 * (kind == 2)
    )
    nights = np.floor(np.exp(length + rng.normal(0, 0.65, size=n)))
    ward = _field("chapter", "ward")[chapter]
    moved = rng.random(n)
    ward[(moved < 0.16) & ~births[chapter]] = "General medicine"
    ward[(age < 16) & (moved < 0.9)] = "Paediatrics"
    intensive = moved > 1 - 0.11 * _logistic(1.8 * sick - 0.9 + (kind == 0))
    ward[intensive] = "Intensive care"
    secondary, previous = np.minimum(secondary, 20), rng.poisson(often) * known
    nights, sick = np.minimum(nights, 120).astype(np.int64), sick + 0.8 * intensive
    return Illness(
        chapter, diagnosis, sick, kind, body, diabetic, secondary, previous, nights, ward
    )


def _people(streams: Streams, n: int, age: Ints, sex: Ints) -> dict[str, Any]:
    """Make the columns that identify a person, and the family name for the notes."""
    rng = streams.numpy("people")
    circles = len(_words()["circle"])
    circle = rng.integers(circles, size=n)
    other = np.where(rng.random(n) < 0.7, circle, rng.integers(circles, size=n))
    given = np.stack([_field("circle", "female"), _field("circle", "male")])
    families = _field("circle", "family")
    which = np.where(sex == 2, rng.integers(2, size=n), sex)
    first = which, circle, rng.integers(given.shape[2], size=n)
    last = other, rng.integers(families.shape[1], size=n)
    initial = " " + _texts(list("ABCDEFGHJKLMNPRSTVW"))[rng.integers(19, size=n)] + "."
    initial[rng.random(n) < 0.6] = ""
    suffix = _texts(rng.integers(1, 100, size=n).astype(str)) + "@"
    mail = _fold(given)[first] + "." + _fold(families)[last] + suffix
    mail = mail + rng.choice(_texts(_words()["domains"]), size=n)
    mail[rng.random(n) < _logistic(-4.4 + 0.045 * age)] = None  # the old have none more often
    area, line = rng.choice(_texts(_words()["areas"]), size=n), rng.integers(100, 200, size=n)
    phone = "+1 " + area + " 555 " + _digits(line, 4)
    phone[rng.random(n) < 0.03] = None
    # a number from 900 on with a middle group below 50 is issued neither to workers nor tax payers
    number = rng.choice(100 * 49 * 9_999, size=n, replace=False)
    series, group = 900 + number // (49 * 9_999), 1 + number // 9_999 % 49
    national = _digits(series, 3) + "-" + _digits(group, 2) + "-" + _digits(1 + number % 9_999, 4)
    return {
        "patient_id": "PAT-" + _digits(rng.permutation(n) + 1, max(6, len(str(n)))),
        "full_name": given[first] + initial + " " + families[last],
        "email": mail,
        "phone": phone,
        "national_id": national,
        "family": families[last],
    }


def _notes(streams: Streams, who: Background, chapter: Ints, family: Texts, stay: Ints) -> Texts:
    """Make short free text; some of it names the patient, as real notes do."""
    rng, n = streams.numpy("notes"), stay.size
    complaint = _field("chapter", "complaints")[chapter, rng.integers(3, size=n)]
    kind = np.where(who.age < 16, who.sex + 3, who.sex)
    noun = _texts(("woman", "man", "person", "girl", "boy", "child"))[kind]
    title = _texts(("Ms ", "Mr ", "Patient "))[np.minimum(kind, 2)]
    years = _texts(who.age.astype(str))
    ending = rng.choice(_texts(_words()["endings"]), size=n)
    length = np.where(stay > 1, "Stayed " + _texts(stay.astype(str)) + " nights. ", "")
    forms = [
        years + " year old " + noun + " with " + complaint + ". " + length + ending,
        title + family + " came with " + complaint + ". " + ending,
        "Admitted for " + complaint + ". " + length + ending,
    ]
    text = np.stack(forms)[_pick(rng.random(n), [0.45, 0.2, 0.35]), np.arange(n)]
    text[rng.random(n) < 0.12] = None
    return _texts(text)


def _times(streams: Streams, emergency: Flags, nights: Ints) -> NDArray[np.datetime64]:
    """Return when they came and left, (2, n) minutes; planned admissions keep office hours."""
    rng, n = streams.numpy("times"), nights.size
    day = np.floor(rng.random(n) * DAYS)
    weekday = (day.astype(np.int64) + 5) % 7  # the first day is a Saturday
    day = np.where(~emergency & (weekday >= 5), np.maximum(day - 2, 2), day)
    sudden, office = rng.normal(15.0, 5.5, size=n) % 24, rng.normal(8.6, 1.3, size=n)
    arrival = 24 * day + np.where(emergency, sudden, np.clip(office, 6.5, 16.0))
    noon = 24 * (day + nights) + np.clip(rng.normal(12.5, 2.0, size=n), 8.0, 19.5)
    leaving = np.where(nights > 0, noon, arrival + 2 + 7 * rng.random(n))
    minutes = np.floor(60 * np.stack([arrival, leaving])).astype("timedelta64[m]")
    return np.asarray(FIRST_DAY.astype("datetime64[m]") + minutes)


def _measures(streams: Streams, n: int, who: Background, ill: Illness) -> dict[str, Any]:
    """Make vital signs and laboratory values; what was measured depends on the patient."""
    import pandas as pd

    rng = streams.numpy("measures")
    age, sick, kind = who.age, ill.sick, ill.kind
    child = np.maximum(15 - age, 0)
    fever = _field("chapter", "fever")[ill.chapter] * rng.gamma(2.0, 0.5, size=n)
    pressure = 112 + 0.32 * np.maximum(age - 20, 0) - 1.6 * child - 5 * sick
    pressure += _field("chapter", "pressure")[ill.chapter] + rng.normal(0, 13, size=n)
    rate = 72 + 6 * sick + 9 * fever + 2.4 * child + rng.normal(0, 10, size=n)
    warmth = np.clip(36.6 + fever + rng.normal(0, 0.3, size=n), 34.5, 41.9)
    unseen = rng.random(n) < np.where(kind == 2, 0.02, 0.07)

    def whole(values: Floats, low: float, high: float) -> Any:
        rounded = np.where(unseen, 0, np.round(np.clip(values, low, high))).astype(np.int64)
        return pd.arrays.IntegerArray(rounded, unseen.copy())

    habits = [  # never, former, current, unknown, not asked
        np.full(n, 0.5),
        np.where(age < 18, 0.0, 0.08 + 0.004 * age),
        np.where(age < 14, 0.0, np.maximum(0.34 - 0.003 * age, 0.03)),
        np.where(kind == 0, 0.09, 0.04),
        np.full(n, 0.05),
    ]
    habit = _pick(rng.random(n), np.stack(habits, axis=1))
    kidney = np.isin(ill.diagnosis.astype("U3"), ("N17", "N18"))
    blood = 0.004 * (age - 50) + 0.13 * sick + 0.95 * kidney - 0.25
    creatinine = np.exp(blood + rng.normal(0, 0.25, size=n))
    tested = _logistic(0.2 + 1.2 * sick + 0.9 * (kind < 2) + 2.5 * kidney)
    high, normal = 6.3 + rng.gamma(1.8, 0.8, size=n), 4.6 + rng.gamma(6.0, 0.11, size=n)
    sugar = np.minimum(np.where(ill.diabetic, high, normal), 16.0)
    looked = np.where(ill.diabetic, 0.85, 0.05)
    weighed = np.where(kind == 0, 0.66, 0.93)
    return {
        "systolic_bp": whole(pressure, 60, 240),
        "heart_rate": whole(rate, 35, 210),
        "temperature": np.where(unseen, np.nan, np.round(warmth, 1)),
        "bmi": np.where(rng.random(n) < weighed, np.round(ill.body, 1), np.nan),
        "creatinine": np.where(rng.random(n) < tested, np.round(creatinine, 2), np.nan),
        "hba1c": np.where(rng.random(n) < looked, np.round(sugar, 1), np.nan),
        "smoker": _texts(("never", "former", "current", "unknown", None))[habit],
    }


def _cost(streams: Streams, n: int, ward: Texts, private: Flags, stay: Ints) -> Floats:
    """Return the bill in dollars: days on the ward, theatre, and a long right tail."""
    rng = streams.numpy("cost")
    daily = np.where(ward == "Intensive care", 4_200.0, 1_150.0) * (1 + 0.25 * private)
    theatre = np.isin(ward, ("Surgery", "Orthopaedics")) * rng.gamma(2.0, 3_000.0, size=n)
    bill = (850 + daily * (stay + 0.4) + theatre) * np.exp(rng.normal(0, 0.32, size=n))
    return np.asarray(np.round(bill, 2))


def _outcome(
    streams: Streams, who: Background, ill: Illness, measures: dict[str, Any], stay: Ints
) -> Flags:
    """Draw who comes back, from what the table shows and from what was not measured."""
    log_odds = (
        -3.6
        + 1.1 * _field("chapter", "risk")[ill.chapter]
        + 1.1 * np.log1p(ill.previous)
        + 0.023 * (who.age - 55)
        + 0.33 * np.log1p(stay)
        + 0.1 * ill.secondary
        + 0.6 * (ill.kind < 2)
        + 0.6 * (who.insurance == 3)
        + 0.4 * (measures["smoker"] == "current")
        + 0.6 * np.isnan(measures["bmi"])
        - 0.5 * np.isnan(measures["creatinine"])
        + 0.9 * (np.nan_to_num(measures["creatinine"]) > 1.6)
        + 0.7 * (ill.diabetic & np.isnan(measures["hba1c"]))
    )
    return np.asarray(streams.numpy("outcome").random(stay.size) < _logistic(log_odds))


def hospital_admissions(n_rows: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """Make a table of hospital admissions of people who do not exist.

    One row is one admission of one patient. The table has what makes real ones hard: direct
    identifiers, postcodes with leading zeros, dates that depend on each other, diagnosis codes
    with a long tail, a skewed cost, a count that is mostly zero, free text that names people, and
    values that are missing for a reason (creatinine is measured in the sick, HbA1c in diabetics,
    body mass index seldom in an emergency).

    Parameters
    ----------
    n_rows : int
        Number of rows, from 0 on.
    seed : int
        Non-negative; the same seed gives the same table.

    Returns
    -------
    pandas.DataFrame
        Shape (n_rows, 28). Texts are `str`, moments `datetime64[us]`, vital signs with gaps
        `Int64`; `creatinine` is in mg/dL, `hba1c` in per cent, `cost` in dollars, `temperature`
        in degrees Celsius. `length_of_stay_days` is the number of midnights between `admitted`
        and `discharged`. `readmitted` ("yes" or "no", about 18 % yes) says whether the patient
        came back within 30 days; it depends on most of the other columns.

    Raises
    ------
    ConfigError
        If `n_rows` is no integer from 0 on, or `seed` is negative.

    Examples
    --------
    >>> table = hospital_admissions(100, seed=7)
    >>> table.shape
    (100, 28)
    >>> bool((table["discharged"] >= table["admitted"]).all())
    True
    """
    import pandas as pd

    if isinstance(n_rows, bool) or not isinstance(n_rows, (int, np.integer)) or n_rows < 0:
        raise ConfigError(f"n_rows must be an integer from 0 on. Got {n_rows!r}.")
    n = int(n_rows)
    streams = Streams(seed).child("hospital_admissions")
    who = _background(streams, n)
    ill = _illness(streams, n, who)
    admitted, discharged = _times(streams, ill.kind < 2, ill.nights)
    first_day, last_day = admitted.astype("datetime64[D]"), discharged.astype("datetime64[D]")
    stay = (last_day - first_day).astype(np.int64)
    days_old = np.floor(365.2425 * who.age + 1 + 364 * streams.numpy("birthday").random(n))
    measures = _measures(streams, n, who, ill)
    readmitted = _outcome(streams, who, ill, measures, stay)
    people = _people(streams, n, who.age, who.sex)
    notes = _notes(streams, who, ill.chapter, people.pop("family"), stay)
    columns: dict[str, Any] = {
        **people,
        "birth_date": (first_day - days_old.astype("timedelta64[D]")).astype("datetime64[us]"),
        "sex": _texts(("female", "male", "other"))[who.sex],
        "postcode": _digits(who.postcode, 5),
        "region": _field("region", "name")[who.region],
        "insurance": _texts(("public", "private", "supplementary", "none"))[who.insurance],
        "admission_type": _texts(("emergency", "urgent", "planned"))[ill.kind],
        "ward": ill.ward,
        "diagnosis": ill.diagnosis,
        "secondary_diagnoses": ill.secondary,
        "admitted": admitted.astype("datetime64[us]"),
        "discharged": discharged.astype("datetime64[us]"),
        "length_of_stay_days": stay,
        **measures,
        "previous_admissions": ill.previous,
        "cost": _cost(streams, n, ill.ward, who.insurance == 1, stay),
        "notes": notes,
        "readmitted": _texts(("no", "yes"))[readmitted.astype(np.int64)],
    }
    for name, values in columns.items():
        if values.dtype == object:
            columns[name] = pd.array(values, dtype="str")
    return pd.DataFrame(columns)

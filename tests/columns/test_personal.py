"""Personal data are recognised, never learnt, and made up anew in the source's way of writing."""

import json
import time

import numpy as np
import pandas as pd
import pytest

from tabsynth.admissions import hospital_admissions
from tabsynth.columns import Profile, columns
from tabsynth.columns._documents import is_iban, is_luhn, with_iban_check, with_luhn_check
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SampleError, SchemaError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe

Personal = columns.get("personal")
RNG = np.random.default_rng(5)

_FIRST = (
    "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Anna "
    "Richard Susan Joseph Jessica Thomas Sarah Charles Karen Daniel Lisa Matthew Nancy Laura"
)
_LAST = (
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez "
    "Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris"
)
FIRST, LAST = _FIRST.split(), _LAST.split()
PAIRS = [(f, s) for f in FIRST for s in LAST]


def digits(pattern, n=300):
    """Return `n` texts, every # of the pattern a random digit."""
    table = RNG.integers(10, size=(n, pattern.count("#")))
    rows = (iter(row) for row in table.tolist())
    return ["".join(str(next(row)) if c == "#" else c for c in pattern) for row in rows]


def detect(name, values, **options):
    series = pd.Series(values, name=name, **options)
    return Personal.claims(Profile(name, series, frozenset({""})))


def fitted(series, **parameters):
    found = Personal.claims(Profile(str(series.name), series, frozenset({""})))
    learned = dict(found.parameters) if found else {}
    column = Column(
        str(series.name), "personal", parameters={**learned, **parameters}, dtype=describe(series)
    )
    type_ = Personal(column)
    codec = type_.fit(type_.summarise(type_.parse(series)), Coding())
    return type_, type_.load(json.loads(json.dumps(codec.state())))


def made(series, n=None, seed=0, **parameters):
    type_, codec = fitted(series, **parameters)
    codes = np.zeros((len(series) if n is None else n, len(codec.blocks)), dtype=np.int32)
    offsets = np.zeros((len(codes), 0), np.float32)
    return type_.render(codec.decode(codes, offsets, np.random.default_rng(seed)))


ISO = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-01-01", periods=200)]
FOUND = [
    ("name", [f"{f} {s}" for f, s in PAIRS], "full_name"),
    ("name", [f"{s}, Mr. {f}" for f, s in PAIRS], "full_name"),
    ("name", [f"{f} {s}".upper() for f, s in PAIRS], "full_name"),
    ("name", [f"{f} {s}".lower() for f, s in PAIRS], "full_name"),
    ("patient", [f"{f} {s}" for f, s in PAIRS], "full_name"),
    ("doctor", [f"Dr. {s}" for s in LAST] * 20, "last_name"),
    ("Patient Name", ["Ng Wei", "Okonkwo Ada", "Zhang San"] * 9, "full_name"),
    ("column 7", [f"{f} {s}" for f, s in PAIRS], "full_name"),
    ("first_name", FIRST, "first_name"),
    ("nameFirst", FIRST, "first_name"),
    ("Vorname", ["Jürgen", "Käthe", "Anneliese"], "first_name"),
    ("first", FIRST, "first_name"),
    ("host_name", [*FIRST, "Anna & Paul", "The Flat People"], "first_name"),
    ("lastName", LAST, "last_name"),
    ("surname", ["O'Brien", "van der Berg", "Nuñez"], "last_name"),
    ("contact", [f"{f}.{s}@mail.example.org".lower() for f, s in PAIRS], "email"),
    ("E-Mail", ["a@b.com", "c@d.co.uk", "e+f@g.io"], "email"),
    ("phone", digits("###-###-####"), "phone"),
    ("x", digits("(2##) ###-####"), "phone"),
    ("x", digits("+49 30 #######"), "phone"),
    ("x", digits("+4430########"), "phone"),
    ("x", digits("030/######"), "phone"),
    ("Telefon", digits("030 ######"), "phone"),
    ("mobile", RNG.integers(6 * 10**9, 10**10, size=200), "phone"),
    ("fax_no", digits("2#########"), "phone"),
    ("SSN", digits("#########"), "national_id"),
    ("x", digits("###-##-####"), "national_id"),
    ("nhs_number", digits("### ### ####"), "national_id"),
    ("passport", digits("C########"), "national_id"),
    ("bsn", RNG.integers(10**8, 10**9, size=200), "national_id"),
    ("address", [f"{i} {s} Street" for i, s in enumerate(LAST, 1)], "address"),
    ("x", [f"{i} North {s} Ave, Apt {i}" for i, s in enumerate(LAST, 1)], "address"),
    ("x", [f"{s}straße {i}" for i, s in enumerate(LAST, 1)], "address"),
    ("x", [f"{i} rue de {s}" for i, s in enumerate(LAST, 1)], "address"),
    ("ip", ["192.168.0.1", "10.0.0.255", "8.8.8.8"], "ip"),
    ("x", ["2001:db8::1", "fe80::1:2", "::1"], "ip"),
    ("link", [f"https://a.org/{i}" for i in range(50)], "url"),
    ("x", with_iban_check(digits("DE00 #### #### #### #### ##")), "iban"),
    ("x", with_luhn_check(digits("4### #### #### ###0")), "credit_card"),
    ("card", [int(t) for t in with_luhn_check(digits("4##############0"))], "credit_card"),
]
NOT_FOUND = [
    ("communityname", ["BerkeleyHeightstownship", "Marpletownship", "Tigardcity"] * 20),
    ("name", ["Basic plan", "Premium plan", "Family plan", "Student plan", "No plan"] * 9),
    ("product name", [f"{f} {s}" for f, s in PAIRS]),
    ("town_name", ["Madison", "Austin", "Jackson", "Florence", "Charlotte"] * 9),
    ("brand", LAST),
    ("tailnum", digits("N##7UA")),
    ("dropoff_zone", ["Lincoln Square East", "Murray Hill", "Clinton East", "Marble Hill"] * 9),
    ("host_name", ["web01", "web02", "db-prod-3"] * 9),
    ("filename", [f"{f}.csv" for f in FIRST]),
    ("last", ["yes", "no", "unknown"] * 9),
    ("first", ["red", "green", "blue", "black", "white", "grey"] * 9),
    ("patient", ["new", "returning"] * 20),
    ("city", ["San Jose", "Santa Maria", "Saint Paul", "Victoria", "Orlando"] * 9),
    ("month", ["April", "May", "June", "August"] * 9),
    ("state", ["Virginia", "Georgia", "Carolina", "Dakota"] * 9),
    ("occupation", ["Prof-specialty", "Craft-repair", "Sales", "Farming-fishing"] * 9),
    ("PctHousNoPhone", RNG.random(100)),
    ("phone_service", ["Yes", "No"] * 20),
    ("phone", RNG.integers(2, size=100)),
    ("count", RNG.integers(10**9, 10**10, size=100)),
    ("x", digits("2#########")),
    ("when", ISO),
    ("when", [f"{day}T10:00:00Z" for day in ISO]),
    ("clock", digits("1#:0#:3#")),
    ("location", digits("(37.7321#######, -122.42#########)")),
    ("delta", digits("+1234#.######")),
    ("version", digits("1.2.#.#")),
    ("ip_count", RNG.integers(9, size=100)),
    ("address_type", ["12 months or more", "under 12 months"] * 20),
    ("icd", digits("J##.#")),
    ("postcode", digits("0####")),
    ("x", digits("################")),
    ("referrer", ["https://a.org/", "https://b.org/"] * 50),
    ("tax_rate", RNG.random(50)),
    ("remark", ["She said that John was late", "Call Mary back"] * 20),
]


@pytest.mark.parametrize(("name", "values", "kind"), FOUND)
def test_personal_data_are_found(name, values, kind):
    found = detect(name, values)
    assert found is not None
    assert (found.parameters["kind"], found.confidence, found.role) == (kind, 0.9, "identifier")
    assert not any(str(value) in found.reason for value in list(values)[:20])


@pytest.mark.parametrize(("name", "values"), NOT_FOUND)
def test_what_is_not_personal_is_left_to_others(name, values):
    assert detect(name, values) is None


def test_columns_stored_as_categories_are_looked_through_too():
    series = pd.Series([f"{f} {s}" for f, s in PAIRS], name="name", dtype="category")
    result = made(series)
    assert detect("name", series).parameters["kind"] == "full_name"
    assert isinstance(result.dtype, pd.CategoricalDtype)
    assert set(result.cat.categories) == set(result)


def test_the_reason_for_a_social_security_number_names_its_shape():
    found = detect("x", digits("###-##-####"))
    assert found.reason == "us_ssn (100% match)"
    assert found.parameters["format"] == "us_ssn"


@pytest.mark.parametrize(
    ("table", "marks", "expected"),
    [
        ("airbnb_london_text", {""}, {"host_name": "first_name"}),
        ("baseball_players", {""}, {"nameFirst": "first_name", "nameLast": "last_name"}),
        ("communities_crime", {"?"}, {}),
        (
            "compas_two_years",
            {""},
            {"name": "full_name", "first": "first_name", "last": "last_name"},
        ),
        ("nyc_taxis", {""}, {}),
        ("nycflights_sample", {""}, {}),
        ("online_news_small", {""}, {"url": "url"}),
        ("sf_fire_calls_2020", {""}, {"Address": "address"}),
        ("telco_churn", {""}, {}),
        ("titanic3", {""}, {"name": "full_name"}),
        ("bank_marketing", {""}, {}),
        ("vienna_property_sales", {""}, {}),
    ],
)
def test_personal_columns_of_real_tables_are_found_and_nothing_else(
    data_dir, table, marks, expected
):
    path = data_dir / f"{table}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is missing")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, nrows=8_000)
    found = {name: Personal.claims(Profile(name, frame[name], frozenset(marks))) for name in frame}
    kinds = {name: claim.parameters["kind"] for name, claim in found.items() if claim}
    assert kinds == expected  # names of columns and kinds, never a value


def test_personal_columns_of_the_demo_table_are_found():
    frame = hospital_admissions(400, seed=1)
    found = {name: Personal.claims(Profile(name, frame[name], frozenset({""}))) for name in frame}
    assert {name: claim.parameters["kind"] for name, claim in found.items() if claim} == {
        "full_name": "full_name",
        "email": "email",
        "phone": "phone",
        "national_id": "national_id",
    }


WRITTEN = [
    ("full_name", [f"{f} {s}" for f, s in PAIRS], r"[^\W\d_][\w'.]* [^\W\d_][\w'. ]*"),
    ("full_name", [f"{s}, {f}" for f, s in PAIRS], r"[^\W\d_][\w'. ]*, [^\W\d_][\w'.]*"),
    ("full_name", [f"{f} {s}".upper() for f, s in PAIRS], r"[^a-z]+ [^a-z]+"),
    ("first_name", [f.lower() for f in FIRST], r"[^A-Z\d ]+"),
    ("email", [f"{f}.{s}@mail.org" for f, s in PAIRS], r"[a-z]+\.[a-z]+\d*@example\.(com|org|net)"),
    ("phone", digits("###-###-####"), r"[2-9]\d\d-555-01\d\d"),
    ("phone", digits("(###) ###-####"), r"\([2-9]\d\d\) 555-01\d\d"),
    ("phone", digits("+1 ### ### ####"), r"\+1 [2-9]\d\d 555 01\d\d"),
    ("phone", digits("+49 30 #######"), r"\+49 \d\d \d{7}"),
    ("phone", digits("030/######"), r"0\d\d/\d{6}"),
    ("national_id", digits("###-##-####"), r"9\d\d-[1-4]\d-[1-9]\d{3}"),
    ("ip", digits("10.1.2.1##"), r"10(\.\d{1,3}){3}"),
    ("url", [f"https://a.org/{i}" for i in range(50)], r"https://example\.com/[a-z0-9]{10}"),
    ("address", [f"{i} {s} Street" for i, s in enumerate(LAST, 1)], r"\d+ [^\W\d_].*"),
    ("iban", with_iban_check(digits("DE00 #### #### #### #### ##")), r"DE\d\d( \d{4}){4} \d\d"),
    ("credit_card", with_luhn_check(digits("4### #### #### ###0")), r"9\d{3}( \d{4}){3}"),
]


@pytest.mark.parametrize(("kind", "values", "pattern"), WRITTEN)
@pytest.mark.parametrize("unique", [True, False])
def test_new_values_are_written_as_the_source_is(kind, values, pattern, unique):
    source = pd.Series(values, name="x")
    result = made(source, 400, kind=kind, unique=unique)
    assert result.str.fullmatch(pattern).all()
    assert result.dtype == source.dtype
    if unique:
        assert result.nunique() == 400


@pytest.mark.parametrize(("kind", "values", "pattern"), WRITTEN)
def test_the_state_holds_no_value_of_the_source(kind, values, pattern):
    _, codec = fitted(pd.Series(values, name="x"), kind=kind)
    state = json.dumps(codec.state())
    assert [value for value in set(values) if value in state] == []


def test_passports_and_other_national_ids_keep_their_shape():
    source = pd.Series(digits("C##-######"), name="passport")
    result = made(source, unique=True)
    assert result.str.fullmatch(r"C\d\d-\d{6}").all()
    assert result.nunique() == 300


def test_numbers_stay_numbers():
    source = pd.Series(RNG.integers(2 * 10**9, 10**10, size=200), name="mobile")
    result = made(source)
    assert result.dtype == "int64"
    assert result.astype(str).str.fullmatch(r"[2-9]\d\d55501\d\d").all()


def test_check_digits_are_right():
    ibans = made(pd.Series(with_iban_check(digits("GB00ABCD##############")), name="x"), 300)
    cards = made(pd.Series(with_luhn_check(digits("4##############0")), name="card"), 300)
    assert is_iban(ibans.tolist()).all()
    assert is_luhn(cards.tolist()).all()
    assert not is_iban(["DE88 3704 0044 0532 0130 00"]).any()
    assert not is_luhn(["4111111111111112"]).any()


@pytest.mark.parametrize("kind", ["full_name", "first_name", "last_name", "email", "phone"])
def test_a_hundred_thousand_different_values_take_little_time(kind):
    source = pd.Series([f"+1 202 555 {i:04d}" for i in range(100)], name="x")
    start = time.perf_counter()
    result = made(source, 100_000, kind=kind, unique=True)
    assert result.nunique() == 100_000
    assert time.perf_counter() - start < 8  # under 2 seconds on an idle machine


def test_more_different_numbers_than_fictional_ones_are_still_north_american():
    source = pd.Series(digits("###-###-####"), name="x")
    result = made(source, 200_000, unique=True)
    assert result.nunique() == 200_000
    assert result.str.fullmatch(r"[2-9]\d\d-555-\d{4}").all()


def test_values_that_come_again_keep_their_share_of_different_ones():
    source = pd.Series([f"Dr. {f} {s}" for f, s in PAIRS[:8]] * 50, name="doctor")
    assert made(source, 400).nunique() == 8


def test_names_come_in_the_language_asked_for():
    source = pd.Series([f"{f} {s}" for f, s in PAIRS], name="name")
    german = set(made(source, locale="de_DE"))
    assert german != set(made(source))
    assert any(set(name) & set("äöüß") for name in german)
    assert made(source, locale="ja_JP").nunique() > 500


def test_a_given_format_is_followed():
    names = pd.Series([f"{f} {s}" for f, s in PAIRS], name="name")
    assert made(names, format="{last}, {first}").str.contains(", ", regex=False).all()
    phones = pd.Series(digits("###-###-####"), name="x")
    assert made(phones, format="0#/ABC-##").str.fullmatch(r"0\d/ABC-\d\d").all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kind": "nick"}, "kind must be one of full_name"),
        ({"treatment": "mask"}, "treatment must be one of regenerate, drop, blank"),
        ({"locale": "xx_YY"}, "no names for locale 'xx_YY'"),
        ({"kind": "full_name", "format": "{first}{last}"}, "format of a full name must be"),
    ],
)
def test_a_parameter_that_is_none_is_refused_with_what_is_allowed(parameters, message):
    with pytest.raises(SchemaError, match=message):
        fitted(pd.Series(["a b"], name="x"), **parameters)


def test_too_many_different_numbers_of_a_format_are_refused():
    source = pd.Series(digits("###-###-####"), name="x")
    with pytest.raises(SampleError, match="at most 100 rows"):
        made(source, 101, unique=True, format="555-01##")


def test_the_pattern_of_missing_cells_is_coded_and_comes_back():
    source = pd.Series([f"{f} {s}" if f != "Mary" else None for f, s in PAIRS], name="name")
    type_, codec = fitted(source)
    (block,) = codec.blocks
    assert (block.owner, block.size, block.missing) == ("name", 2, 1)
    codes, offsets = codec.encode(type_.parse(source))
    result = type_.render(codec.decode(codes, offsets, np.random.default_rng(0)))
    assert (result.isna() == source.isna()).all()


@pytest.mark.parametrize(("treatment", "dropped"), [("drop", True), ("blank", False)])
def test_columns_can_be_left_out_or_emptied_instead(treatment, dropped):
    source = pd.Series([f"{f} {s}" for f, s in PAIRS], name="name")
    type_, codec = fitted(source, treatment=treatment)
    assert type_.drops() is dropped
    assert codec.blocks == ()
    assert made(source, treatment=treatment).isna().all()


def test_the_plan_says_what_happens():
    def words(**parameters):
        return Personal(Column("x", "personal", parameters=parameters)).treatment()

    assert words(kind="email") == "regenerated (e-mail)"
    assert words(kind="email", treatment="drop") == "left out"
    assert words(kind="email", treatment="blank") == "emptied"


@pytest.mark.parametrize(("kind", "values", "pattern"), WRITTEN[:1] + WRITTEN[4:6])
def test_the_same_generator_makes_the_same_values_and_another_others(kind, values, pattern):
    source = pd.Series(values, name="x")
    assert made(source, seed=3).equals(made(source, seed=3))
    assert not made(source, seed=3).equals(made(source, seed=4))


def test_new_details_meet_those_of_the_source_only_by_chance():
    frame = hospital_admissions(2_000, seed=1)
    for name, most in (("full_name", 0.02), ("email", 0.005), ("national_id", 0.005)):
        result = made(frame[name].dropna())
        assert result.isin(set(frame[name].dropna())).mean() <= most


def test_chunks_are_summed_up_as_the_whole_is():
    source = pd.Series([*digits("###-###-####"), *[None] * 20], dtype="str", name="phone")
    type_, _ = fitted(source)
    whole = type_.fit(type_.summarise(type_.parse(source)), Coding())
    chunks = [type_.summarise(type_.parse(source.iloc[i : i + 50])) for i in range(0, 320, 50)]
    merged = chunks[0]
    for chunk in chunks[1:]:
        merged = type_.merge(merged, chunk)
    assert type_.fit(merged, Coding()).state() == whole.state()

"""Keys are recognised, never learnt, and made anew: same shape, all different, none remembered."""

import json
import re
import string
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabsynth.columns import Profile, columns
from tabsynth.columns._shapes import Shapes
from tabsynth.columns._templates import Template, allot, generate
from tabsynth.columns._unlearnt import Distinct, permuted, repeated
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SampleError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe

Identifier = columns.get("identifier")
RNG = np.random.default_rng(11)


def letters(alphabet, length, n, seed=0):
    """Return `n` different random texts."""
    rng = np.random.default_rng(seed)
    rows = np.array(list(alphabet))[rng.integers(len(alphabet), size=(2 * n, length))]
    return list(dict.fromkeys("".join(row) for row in rows))[:n]


def uuids(n, seed=0):
    rng = np.random.default_rng(seed)
    return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(n)]


def claim(values, name="x", **options):
    series = values if isinstance(values, pd.Series) else pd.Series(values, name=name, **options)
    return Identifier.claims(Profile(name, series, frozenset({""})))


def fitted(series, **parameters):
    found = Identifier.claims(Profile(str(series.name), series, frozenset({""})))
    learned = dict(found.parameters) if found else {}
    column = Column(
        str(series.name), "identifier", parameters={**learned, **parameters}, dtype=describe(series)
    )
    type_ = Identifier(column)
    codec = type_.fit(type_.summarise(type_.parse(series)), Coding())
    return type_, type_.load(json.loads(json.dumps(codec.state())))


def make(type_, codec, n, seed=0):
    codes = np.zeros((n, len(codec.blocks)), dtype=np.int32)
    values = codec.decode(codes, np.zeros((n, 0), np.float32), np.random.default_rng(seed))
    return type_.render(values)


def new_keys(series, n=None, seed=0, **parameters):
    return make(*fitted(series, **parameters), len(series) if n is None else n, seed)


SHAPES = {
    "padded": ([f"PAT-{i:05d}" for i in RNG.permutation(90_000)[:500]], r"PAT-\d{5}"),
    "growing": ([f"C{i}" for i in range(1, 501)], r"C[1-9]\d{0,2}"),
    "long": ([str(10**20 + i * 7919) for i in range(500)], r"[1-9]\d{20}"),
    "zeros": ([f"{i:07d}" for i in RNG.permutation(90_000)[:500]], r"\d{7}"),
    "uuid": (uuids(500), r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    "UUID": (
        [text.upper() for text in uuids(500)],
        r"[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}",
    ),
    "hex": (letters("0123456789abcdef", 16, 500), r"[0-9a-f]{16}"),
    "0x": ([f"0x{t}" for t in letters("0123456789abcdef", 16, 500)], r"0x[0-9a-f]{16}"),
    "base 36": (letters(string.ascii_uppercase + string.digits, 10, 500), r"[0-9A-Z]{10}"),
    "two parts": (
        [f"{i + 1000}-{t}" for i, t in enumerate(letters(string.ascii_uppercase, 5, 500))],
        r"\d{4}-[A-Z]{5}",
    ),
    "suffix": ([f"{i:06d}/GBX" for i in RNG.permutation(90_000)[:500]], r"\d{6}/GBX"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_new_keys_have_the_shape_of_the_source_and_are_all_different(shape):
    source, pattern = SHAPES[shape]
    assert all(re.fullmatch(pattern, text) for text in source)
    made = new_keys(pd.Series(source, name="key"))
    assert made.nunique() == len(source)
    assert made.str.fullmatch(pattern).all()
    assert made.dtype == "str"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_state_holds_no_key_of_the_source(shape):
    source, _ = SHAPES[shape]
    _, codec = fitted(pd.Series(source, name="key"))
    state = json.dumps(codec.state())
    assert [text for text in source if len(text) > 3 and text in state] == []


def test_letters_that_not_all_keys_share_are_not_kept():
    source = [f"{'ABCDEFG'[i % 7]}Q-{i:04d}" for i in range(700)]
    _, codec = fitted(pd.Series(source, name="key"))
    assert codec.state()["templates"][0]["parts"] == [["upper", 1], "Q-", ["digit", 4]]


def test_shapes_of_few_keys_are_left_out():
    source = [f"A{i:05d}" for i in range(500)] + ["odd-1-one", "odd-2-two"]
    _, codec = fitted(pd.Series(source, name="key"))
    assert len(codec.state()["templates"]) == 1


def test_shares_of_shapes_are_kept():
    source = [f"INV-{i:05d}" for i in range(300)] + [f"{i:04d}/X" for i in range(100)]
    made = new_keys(pd.Series(source, name="key"), 4_000)
    assert made.str.startswith("INV-").sum() == 0  # not all keys share the letters
    assert made.str.fullmatch(r"[A-Z]{3}-\d{5}").sum() == 3_000
    assert made.str.fullmatch(r"\d{4}/[A-Z]").sum() == 1_000


@pytest.mark.parametrize("n", [1, 10, 260, 675, 676])
def test_keys_differ_up_to_the_last_one_that_the_shape_allows(n):
    made = generate([Template.of("??")], n, np.random.default_rng(n), column="x")
    assert len(set(made)) == n
    assert all(re.fullmatch("[A-Z]{2}", text) for text in made)


def test_a_shape_without_numbers_that_is_too_small_is_refused_with_what_is_possible():
    source = pd.Series(letters(string.ascii_uppercase, 2, 100), name="key")
    type_, codec = fitted(source, unique=True)
    assert codec.capacity() == 676
    with pytest.raises(SampleError, match=r"Column 'key': only 676 different.*shape AA; 1,000"):
        make(type_, codec, 1_000)


def test_keys_that_may_repeat_fill_a_small_shape_instead():
    source = pd.Series(letters(string.ascii_uppercase, 2, 100), name="key")
    made = new_keys(source, 2_000, unique=False)
    assert made.nunique() == 676


def test_the_number_in_a_key_grows_where_the_shape_is_too_small():
    source = pd.Series([f"AB{i}" for i in range(10, 90)], name="key")
    made = new_keys(source, 500)
    assert made.nunique() == 500
    assert made.str.fullmatch(r"AB[1-9]\d{1,2}").all()


def test_growing_numbers_do_not_run_into_another_shape():
    source = [f"K{i}" for i in range(10)] * 1 + [f"K{i}" for i in range(100, 999)]
    made = new_keys(pd.Series(source, name="key"), 5_000)
    assert made.nunique() == 5_000


def test_a_given_format_goes_before_what_was_seen():
    source = pd.Series(SHAPES["hex"][0], name="key")
    made = new_keys(source, format="P?-##")
    assert made.str.fullmatch(r"P[A-Z]-\d{2,}").all()


INTEGERS = {
    "int64": np.array([10**15, 10**16 - 1, *range(2**53, 2**53 + 400, 4)]),
    "Int64": RNG.choice(90_000, 300, replace=False) + 10_000,
    "uint64": np.array([2**64 - 1 - 3 * i for i in range(100)], dtype=np.uint64),
    "int32": RNG.choice(10**6, 300, replace=False) + 2 * 10**9,
    "int64[pyarrow]": RNG.choice(90_000, 300, replace=False) + 10_000,
    "float64": RNG.choice(90_000, 300, replace=False) + 10_000,
}


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_keep_their_dtype_and_number_of_digits_and_differ(dtype):
    source = pd.Series(INTEGERS[dtype], dtype=dtype, name="customer_id")
    found = claim(source, "customer_id")
    assert (found.confidence, found.role, dict(found.parameters)) == (
        0.8,
        "identifier",
        {"unique": True},
    )
    made = new_keys(source)
    assert made.dtype == source.dtype
    assert made.nunique() == len(source)

    def digits(s):
        return {len(str(int(number))) for number in s}

    assert digits(made) == digits(source)
    assert len(set(made) & set(source)) < 0.2 * len(source)


def test_integers_never_leave_their_dtype_however_many_are_asked_for():
    source = pd.Series(range(-100, 101, 2), dtype="int8", name="id")
    type_, codec = fitted(source)
    assert codec.capacity() is not None
    most = codec.capacity()
    made = make(type_, codec, most)
    assert made.dtype == "int8"
    assert made.nunique() == most
    with pytest.raises(SampleError, match=f"at most {most:,} rows"):
        make(type_, codec, most + 1)


@pytest.mark.parametrize("dtype", ["int64", "str", "Int32"])
def test_keys_that_count_up_from_one_do_so_again(dtype):
    numbers = pd.Series(np.random.default_rng(0).permutation(50) + 1, name="row").astype(dtype)
    assert dict(claim(numbers, "row").parameters) == {
        "unique": True,
        "consecutive": True,
        "start": 1,
    }
    made = new_keys(numbers, 80)
    assert made.dtype == numbers.dtype
    assert made.astype("int64").tolist() == list(range(1, 81))


@pytest.mark.parametrize("dtype", ["int64", "str"])
def test_keys_that_count_up_from_elsewhere_do_so_with_as_many_digits(dtype):
    source = pd.Series(range(62_500, 62_900), name="row").astype(dtype)
    made = new_keys(source).astype("int64")
    assert (np.diff(made) == 1).all()
    assert made.min() >= 10_000
    assert made.max() <= 99_999
    assert made.iloc[0] != new_keys(source, seed=1).astype("int64").iloc[0]


def test_keys_that_count_up_do_so_although_only_a_part_of_them_was_learnt_from():
    source = pd.Series(range(1, 101), name="row")
    column = Column("row", "identifier", parameters=claim(source, "row").parameters, dtype="int64")
    type_ = Identifier(column)
    codec = type_.fit(type_.summarise(type_.parse(source.iloc[::3])), Coding())
    assert make(type_, codec, 5).tolist() == [1, 2, 3, 4, 5]


def test_keys_that_come_again_keep_their_share_of_different_ones():
    rng = np.random.default_rng(3)
    source = pd.Series(rng.choice(10**8, 600, replace=False)[rng.integers(600, size=1_000)])
    source.name = "patient_nbr"
    found = claim(source, "patient_nbr")
    assert (found.confidence, dict(found.parameters)) == (0.75, {"unique": False})
    share = source.nunique() / 1_000
    assert new_keys(source).nunique() == source.nunique()
    assert new_keys(source, 5_000).nunique() == round(5_000 * share)


def test_the_pattern_of_missing_cells_is_coded_and_comes_back():
    source = pd.Series([f"K{i:04d}" if i % 4 else None for i in range(100)], dtype="str", name="id")
    type_, codec = fitted(source)
    (block,) = codec.blocks
    assert (block.owner, block.size, block.missing, block.has_offset) == ("id", 2, 1, False)
    codes, offsets = codec.encode(type_.parse(source))
    assert codes.dtype == np.int32
    assert offsets.shape == (100, 0)
    made = type_.render(codec.decode(codes, offsets, np.random.default_rng(0)))
    assert (made.isna() == source.isna()).all()
    assert made.nunique() == 75


def test_missing_cells_are_written_as_the_source_writes_them():
    source = pd.Series([f"K{i:04d}" if i % 4 else "" for i in range(100)], name="id")
    type_, codec = fitted(source, missing_as="")
    codes, offsets = codec.encode(type_.parse(source))
    made = type_.render(codec.decode(codes, offsets, np.random.default_rng(0)))
    assert ((made == "") == (source == "")).all()


def test_columns_without_missing_cells_have_no_blocks():
    type_, codec = fitted(pd.Series(range(50), name="id"))
    codes, offsets = codec.encode(type_.parse(pd.Series(range(50))))
    assert (codec.blocks, codes.shape, offsets.shape) == ((), (50, 0), (50, 0))


def test_an_empty_column_of_the_right_dtype_is_made_for_no_rows():
    for source in (pd.Series(range(50), name="id"), pd.Series(SHAPES["padded"][0], name="id")):
        made = new_keys(source, 0)
        assert len(made) == 0
        assert made.dtype == source.dtype


@pytest.mark.parametrize("shape", ["padded", "uuid", "base 36"])
def test_the_same_generator_makes_the_same_keys_and_another_makes_others(shape):
    source = pd.Series(SHAPES[shape][0], name="key")
    assert new_keys(source, seed=5).equals(new_keys(source, seed=5))
    assert not new_keys(source, seed=5).equals(new_keys(source, seed=6))


def test_new_keys_meet_those_of_the_source_only_by_chance():
    source = pd.Series(SHAPES["padded"][0], name="key")
    met = [len(set(new_keys(source, seed=seed)) & set(source)) for seed in range(20)]
    # 500 of 100,000 texts are taken, so a draw of 500 meets 2.5 on average, 50 in 20 draws;
    # a sum of 20 has a standard deviation of about 7.
    assert 20 < sum(met) < 85


def test_chunks_are_summed_up_as_the_whole_is():
    source = pd.Series([*SHAPES["growing"][0], *[None] * 20], dtype="str", name="key")
    type_, _ = fitted(source)
    whole = type_.fit(type_.summarise(type_.parse(source)), Coding())
    chunks = [type_.summarise(type_.parse(source.iloc[i : i + 100])) for i in range(0, 520, 100)]
    merged = chunks[0]
    for chunk in chunks[1:]:
        merged = type_.merge(merged, chunk)
    assert type_.fit(merged, Coding()).state() == whole.state()


DAYS = pd.date_range("2020-01-01", periods=400, freq="17h")
CLAIMED = [
    ("customerID", SHAPES["two parts"][0]),
    ("whatever", SHAPES["uuid"][0]),
    ("whatever", SHAPES["hex"][0]),
    ("case_number", SHAPES["padded"][0]),
    ("code", SHAPES["zeros"][0]),
    ("digits", SHAPES["long"][0]),
    ("No", list(range(1, 41))),
    ("encounter_id", RNG.choice(10**8, 200, replace=False)),
    ("encounter_id", RNG.choice(10**8, 200, replace=False).astype(str)),
    ("key", [77, 12, 45, 3]),
]
NOT_CLAIMED = [
    ("population", RNG.choice(10**6, 200, replace=False)),
    ("price", RNG.choice(10**6, 200, replace=False).astype(str)),
    ("score", RNG.random(200)),
    ("id", RNG.random(200)),
    ("score", [f"{x:.12f}" for x in RNG.random(200)]),
    ("price", [f"${x:,.2f}" for x in 10**6 * RNG.random(200)]),
    ("weight", [f"{x:.3f}kg" for x in 100 * RNG.random(200)]),
    ("pressure", [f"{a}/{b}" for a in range(100, 120) for b in range(60, 70)]),
    ("seen", [day.isoformat() for day in DAYS]),
    ("seen", [f"{day:%d.%m.%Y}" for day in DAYS[::2]]),
    ("seen", [f"{day:%Y%m%dT%H%M%S}" for day in DAYS]),
    ("seen", [f"{day:%d%b%Y}" for day in DAYS[::2]]),
    ("clock", [f"{m // 60:02d}:{m % 60:02d}:11" for m in range(300)]),
    ("remark", [f"room {i} was cleaned" for i in range(200)]),
    ("mail", [f"a{i}@example.com" for i in range(200)]),
    ("town", letters(string.ascii_lowercase, 8, 200)),
    ("year", list(range(1950, 2000))),
    ("vintage", list(range(1950, 2000))),
    ("age", list(range(18, 90))),
    ("rooms", [77, 12, 45, 3]),
    ("communityCode", RNG.integers(500, size=1_000)),
    ("type_id", RNG.integers(9, size=1_000)),
    ("is_paid", [True, False] * 50),
    ("one_id", [7]),
    ("seen", DAYS),
]


@pytest.mark.parametrize(("name", "values"), CLAIMED)
def test_keys_are_recognised(name, values):
    found = claim(values, name)
    assert (found.confidence, found.role) == (0.8, "identifier")


@pytest.mark.parametrize(("name", "values"), NOT_CLAIMED)
def test_what_is_no_key_is_not_taken_for_one(name, values):
    assert claim(values, name) is None


def test_a_reason_shows_no_value():
    source = SHAPES["padded"][0]
    assert claim(source, "key").reason == "unique, shaped like PAT-99999"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("baseball_players", {"id"}),
        ("beijing_pm25", {"No"}),
        ("communities_crime", set()),
        ("diabetes130", {"encounter_id", "patient_nbr"}),
        ("king_county_houses", {"id"}),
        ("nyc_taxis", set()),
        ("nycflights_sample", set()),
        ("online_news_small", set()),
        ("porto_taxi_trips", {"id"}),
        ("sf_fire_calls_2020", {"Call Number", "Incident Number", "RowID"}),
        ("telco_churn", {"customerID"}),
        ("titanic3", set()),
    ],
)
def test_the_keys_of_real_tables_are_found_and_nothing_else(data_dir, table, expected):
    path = data_dir / f"{table}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is missing")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, nrows=8_000)
    marks = frozenset({"", "NA", "?"})
    found = {name for name in frame if Identifier.claims(Profile(name, frame[name], marks))}
    assert found == expected


@given(st.integers(0, 300), st.integers(0, 10**15), st.integers(0, 2**32))
def test_a_permutation_never_repeats_and_stays_inside(n, extra, seed):
    drawn = permuted(n + extra, n, np.random.default_rng(seed))
    assert len(np.unique(drawn)) == n
    assert n == 0 or (drawn.min() >= 0 and drawn.max() < n + extra)


def test_a_permutation_takes_every_number_equally_often():
    rng = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([permuted(10, 4, rng) for _ in range(5_000)]), minlength=10)
    # 2,000 each on average, at most 0.35 off per draw from parts of unequal size: within 26 %
    assert (abs(counts / 2_000 - 1) < 0.26).all()


@given(st.integers(1, 50), st.integers(0, 200))
def test_every_index_of_a_pool_is_used_where_there_is_room(pool, n):
    drawn = repeated(pool, n, np.random.default_rng(0))
    assert len(drawn) == n
    assert len(np.unique(drawn)) == min(pool, n)


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 50)), min_size=1), st.data())
def test_a_number_is_divided_without_rest_and_within_capacities(parts, data):
    weights, capacities = zip(*parts, strict=True)
    n = data.draw(st.integers(0, sum(capacities)))
    shares = allot(n, weights, capacities)
    assert sum(shares) == n
    assert all(share <= most for share, most in zip(shares, capacities, strict=True))


@given(st.lists(st.text(max_size=12), min_size=1, max_size=40), st.integers(1, 60))
def test_any_texts_at_all_give_templates_that_make_different_keys(texts, n):
    templates = Shapes.of(texts).templates()
    loaded = [Template.load(json.loads(json.dumps(t.state()))) for t in templates]
    assert loaded == templates
    try:
        made = generate(templates, n, np.random.default_rng(0), column="x")
    except SampleError:
        assert sum(template.capacity for template in templates) < n
    else:
        assert len(set(made)) == n


def test_distinct_values_are_counted_exactly_at_first_and_nearly_later():
    few = [Distinct.of(np.arange(i, i + 1_000)) for i in range(0, 5_000, 500)]
    many = [Distinct.of(np.arange(i, i + 50_000)) for i in range(0, 300_000, 50_000)]
    for parts, expected, tolerance in ((few, 5_500, 0), (many, 300_000, 0.02)):
        merged = parts[0]
        for part in parts[1:]:
            merged = merged.merge(part)
        assert abs(merged.estimate() - expected) <= tolerance * expected

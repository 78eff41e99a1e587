"""A column comes back in exactly the dtype that it had."""

from __future__ import annotations

import datetime
import json
import uuid
import zoneinfo
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.errors import SampleError, SchemaError
from tabsynth.schema.dtype import describe, is_text, levels_of, restore

DAYS = [datetime.date(1066, 10, 14), datetime.date(2020, 2, 29)]
TIMES = pd.to_datetime(["1850-01-01 00:00:00", "2024-03-31 12:34:56"])
UNITS = ("s", "ms", "us", "ns")
LENGTHS = pd.to_timedelta(["1 days", "-00:00:01"])
VIENNA = zoneinfo.ZoneInfo("Europe/Vienna")
TEXTS = ["é, '\"", "007"]

INTEGERS = [f"{sign}{size}" for sign in ("int", "uint") for size in (8, 16, 32, 64)]
NULLABLE = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]

# Values, and the dtype that holds them. The second half holds missing cells too.
WITHOUT_GAPS = {
    **{name: pd.Series([1, 100], dtype=name) for name in INTEGERS},
    "bool": pd.Series([True, False]),
    "int64 to its limits": pd.Series([-(2**63), 2**63 - 1]),
    "uint64 to its limit": pd.Series([0, 2**64 - 1], dtype="uint64"),
}
WITH_GAPS = {
    **{name: pd.Series([1, 100], dtype=name) for name in NULLABLE},
    "Int64 beyond floats": pd.Series([2**53 + 1, -(2**63)], dtype="Int64"),
    "float32": pd.Series([0.1, -0.0], dtype="float32"),
    "float64": pd.Series([0.1, np.inf]),
    "Float32": pd.Series([0.1, 5], dtype="Float32"),
    "Float64": pd.Series([0.1, 5], dtype="Float64"),
    "boolean": pd.Series([True, False], dtype="boolean"),
    "str": pd.Series(TEXTS, dtype="str"),
    "str in Python": pd.Series(TEXTS, dtype=pd.StringDtype("python", na_value=np.nan)),
    "string in Python": pd.Series(TEXTS, dtype="string[python]"),
    "string in Arrow": pd.Series(TEXTS, dtype="string[pyarrow]"),
    "object of texts": pd.Series(TEXTS, dtype=object),
    "object of decimals": pd.Series([Decimal("1.50"), Decimal("2.25")], dtype=object),
    "object of dates": pd.Series(DAYS, dtype=object),
    "object of integers": pd.Series([2**70, 1], dtype=object),
    "object of booleans": pd.Series([True, False], dtype=object),
    "object of times": pd.Series([datetime.datetime(2020, 1, 1), TIMES[1]], dtype=object),
    "object of many kinds": pd.Series([1, "a"], dtype=object),
    "category of str": pd.Series(TEXTS).astype(pd.CategoricalDtype([*TEXTS, "unused"])),
    "category in order": pd.Series(["low", "high"]).astype(
        pd.CategoricalDtype(["low", "middle", "high"], ordered=True)
    ),
    "category of int": pd.Series([3, 1]).astype(pd.CategoricalDtype([3, 2, 1])),
    "category of Int64": pd.Series(pd.Categorical(pd.array([3, 1], dtype="Int64"))),
    "category of float": pd.Series([0.5, np.inf], dtype="category"),
    "category of bool": pd.Series([True, False], dtype="category"),
    "category of times": pd.Series(TIMES, dtype="category"),
    "category of zoned times": pd.Series(TIMES.tz_localize(VIENNA), dtype="category"),
    "category of lengths": pd.Series(LENGTHS, dtype="category"),
    "category of dates": pd.Series(DAYS, dtype="category"),
    "category of objects": pd.Series(pd.Categorical(pd.Series([1, "a"], dtype=object))),
    "category of intervals": pd.Series(pd.cut([1, 5], [0, 2, 4, 6], right=False)),
    "category of spans": pd.Series(
        pd.cut(TIMES, pd.to_datetime(["1800-01-01", "1900-01-01", "2100-01-01"]))
    ),
    "category of string": pd.Series(TEXTS, dtype="string[python]").astype("category"),
    "int64 in Arrow": pd.Series([2**53 + 1, 1], dtype="int64[pyarrow]"),
    "double in Arrow": pd.Series([0.1, 1], dtype="double[pyarrow]"),
    "bool in Arrow": pd.Series([True, False], dtype="bool[pyarrow]"),
    "string of Arrow": pd.Series(TEXTS, dtype=pd.ArrowDtype(pa.string())),
    "large string of Arrow": pd.Series(TEXTS, dtype=pd.ArrowDtype(pa.large_string())),
    "decimal of Arrow": pd.Series(
        [Decimal("1.50"), Decimal("-2.25")], dtype=pd.ArrowDtype(pa.decimal128(10, 2))
    ),
    "date of Arrow": pd.Series(DAYS, dtype=pd.ArrowDtype(pa.date32())),
    "time of Arrow": pd.Series([datetime.time(1), datetime.time(23, 59)]).astype(
        pd.ArrowDtype(pa.time64("us"))
    ),
    "duration of Arrow": pd.Series(LENGTHS, dtype=pd.ArrowDtype(pa.duration("ms"))),
    "timestamp of Arrow": pd.Series(TIMES, dtype=pd.ArrowDtype(pa.timestamp("us"))),
    "zoned timestamp of Arrow": pd.Series(
        TIMES.tz_localize("UTC"), dtype=pd.ArrowDtype(pa.timestamp("us", "Europe/Vienna"))
    ),
    "dictionary of Arrow": pd.Series(
        TEXTS, dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
    ),
    **{f"datetime64[{unit}]": pd.Series(TIMES.as_unit(unit)) for unit in UNITS},
    **{
        f"timedelta64[{unit}]": pd.Series(LENGTHS.as_unit(unit)) for unit in ("s", "ms", "us", "ns")
    },
    "times of UTC": pd.Series(TIMES.tz_localize("UTC")),
    "times of a fixed zone": pd.Series(
        TIMES.tz_localize(datetime.timezone(datetime.timedelta(hours=-3)))
    ),
    "times of Vienna": pd.Series(TIMES.tz_localize(VIENNA).as_unit("ns")),
}


def through_a_file(spec):
    """Return the spec as a schema file or a model file would give it back."""
    assert yaml.safe_load(yaml.safe_dump(spec)) == json.loads(json.dumps(spec))
    return json.loads(json.dumps(spec))


def rebuild(series):
    spec = through_a_file(describe(series))
    missing = series.isna().to_numpy(dtype=bool)
    return restore(series.tolist(), missing, spec, series.name)


def assert_same(found, expected):
    pd.testing.assert_series_equal(found, expected, check_exact=True, check_index_type=False)
    assert type(found.dtype) is type(expected.dtype)
    assert str(found.dtype) == str(expected.dtype)
    if isinstance(expected.dtype, pd.CategoricalDtype):
        pd.testing.assert_index_equal(found.cat.categories, expected.cat.categories)
        assert found.cat.ordered is expected.cat.ordered
    if expected.dtype == object:
        assert [type(cell) for cell in found] == [type(cell) for cell in expected]


@pytest.mark.parametrize("name", [*WITHOUT_GAPS, *WITH_GAPS])
def test_values_come_back_in_the_same_dtype(name):
    series = {**WITHOUT_GAPS, **WITH_GAPS}[name].rename("x")
    assert_same(rebuild(series), series)


@pytest.mark.parametrize("name", WITH_GAPS)
def test_missing_cells_come_back_in_the_same_dtype(name):
    series = WITH_GAPS[name].rename("x")
    for rows in ([0, -1, 1], [-1, -1]):
        gaps = series.reindex(rows).reset_index(drop=True)
        if isinstance(series.dtype, pd.CategoricalDtype):
            gaps = gaps.astype(series.dtype)
        assert gaps.dtype == series.dtype
        assert_same(rebuild(gaps), gaps)


@pytest.mark.parametrize("name", [*WITHOUT_GAPS, *WITH_GAPS])
def test_an_empty_table_keeps_its_dtypes(name):
    series = {**WITHOUT_GAPS, **WITH_GAPS}[name].rename("x")
    spec = through_a_file(describe(series))
    for nothing in ([], np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=object)):
        assert_same(restore(nothing, [], spec, "x"), series.iloc[:0])


@pytest.mark.parametrize("null", [None, np.nan, pd.NA, pd.NaT])
def test_an_object_column_keeps_its_kind_of_missing(null):
    series = pd.Series(["a", null, null], dtype=object, name="x")
    assert [type(cell) for cell in rebuild(series)] == [str, type(null), type(null)]


def test_text_dtypes_are_told_apart_by_their_missing_value():
    names = ["str", "str in Python", "string in Python", "string in Arrow", "string of Arrow"]
    assert len({json.dumps(describe(WITH_GAPS[name])) for name in names}) == len(names)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.sampled_from([*INTEGERS, *NULLABLE]))
@settings(max_examples=40)
def test_integers_come_back_exactly_or_not_at_all(numbers, name):
    limits = np.iinfo(name.lower())
    data = np.array(numbers, dtype=np.int64)
    if all(limits.min <= number <= limits.max for number in numbers):
        found = restore(data, np.zeros(len(data), dtype=bool), name, "x")
        assert str(found.dtype) == name
        assert found.tolist() == numbers
    else:
        with pytest.raises(SampleError, match="do not fit in a column stored as"):
            restore(data, np.zeros(len(data), dtype=bool), name, "x")


@given(st.lists(st.one_of(st.none(), st.text())), st.sampled_from(["str", "string", "object"]))
@settings(max_examples=40)
def test_texts_come_back_exactly(cells, name):
    try:
        "".join(cell or "" for cell in cells).encode()
    except UnicodeEncodeError:
        return
    series = pd.Series(cells, dtype=name, name="x")
    assert_same(rebuild(series), series)


@given(st.lists(st.datetimes(), min_size=1), st.sampled_from(["s", "ms", "us"]))
@settings(max_examples=40)
def test_levels_that_are_times_come_back_exactly(times, unit):
    index = pd.DatetimeIndex(np.array(times, dtype=f"datetime64[{unit}]")).unique()
    for levels in (index, index.tz_localize("UTC")):
        series = pd.Series(pd.Categorical(levels, categories=levels[::-1]), name="x")
        assert_same(rebuild(series), series)


def test_ticks_and_wall_clock_times_are_read_in_the_unit_of_the_dtype():
    ticks = np.array([0, 3600, 0])
    gaps = np.array([False, False, True])
    for spec in ("datetime64[s]", "datetime64[s, Europe/Vienna]", {"arrow": "timestamp[s]"}):
        found = restore(ticks, gaps, spec, "x")
        again = restore(ticks.view("datetime64[s]").astype("datetime64[ns]"), gaps, spec, "x")
        assert found.dt.hour.tolist()[:2] == [0, 1]
        assert again.equals(found)
        assert found.isna().tolist() == [False, False, True]


def test_wall_clock_times_that_a_zone_skips_or_repeats_are_still_times():
    skipped = np.array(["2024-03-31T02:30", "2024-10-27T02:30"], dtype="datetime64[s]")
    found = restore(skipped, [False, False], "datetime64[s, Europe/Vienna]", "x")
    assert found.dt.tz_convert("UTC").dt.hour.tolist() == [1, 1]


def test_numbers_and_times_become_the_objects_that_a_column_held():
    gaps = [False, True]
    prices = describe(pd.Series([Decimal("1.50"), None], dtype=object))
    found = restore(np.array([2.1, 0.0]), gaps, prices, "x")
    assert (str(found[0]), found[1]) == ("2.10", None)
    days = describe(pd.Series(DAYS, dtype=object))
    times = np.array(["2020-02-29T13:00", "NaT"], dtype="datetime64[s]")
    assert restore(times, gaps, days, "x")[0] == datetime.date(2020, 2, 29)
    moments = describe(
        pd.Series([datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)], dtype=object)
    )
    found = restore(times, gaps, moments, "x")
    assert found[0] == datetime.datetime(2020, 2, 29, 13, tzinfo=datetime.UTC)
    assert type(found[0]) is datetime.datetime
    whole = describe(pd.Series([1, None], dtype=object))
    assert type(restore(np.array([2.0, np.nan]), gaps, whole, "x")[0]) is int
    fees = {"arrow": "decimal128(10, 2)"}
    assert str(restore(np.array([2.1, np.nan]), gaps, fees, "x")[0]) == "2.10"


@pytest.mark.parametrize("name", ["int64", "uint8", "bool"])
def test_a_column_that_cannot_hold_missing_cells_refuses_them(name):
    with pytest.raises(SampleError, match=rf"'x': 1 cells are missing, .* stored as {name}"):
        restore([1, 1], [False, True], name, "x")


@pytest.mark.parametrize(
    ("data", "spec"),
    [
        ([0.5], "int64"),
        (np.array([1e30]), "Int64"),
        ([-1], "UInt8"),
        ([2], "bool"),
        (["SECRET"], "int64"),
        (["SECRET"], "float64"),
        (np.array([1e300]), "float32"),
        (["SECRET"], "datetime64[ns]"),
        (["SECRET"], {"arrow": "int64"}),
        (["SECRET"], {"category": "str", "ordered": False, "levels": ["a"]}),
        (["SECRET"], {"category": "int64", "ordered": False, "levels": [1]}),
    ],
)
def test_values_that_do_not_fit_are_refused_and_not_shown(data, spec):
    with pytest.raises(SampleError, match="Column 'x'") as caught:
        restore(data, [False], spec, "x")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1 + 2j]),
        pd.Series(pd.period_range("2020", periods=2, freq="M")),
        pd.Series([0, 1], dtype="Sparse[int64]"),
        pd.Series(pd.interval_range(0, 2)),
        pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    ],
)
def test_a_dtype_that_cannot_be_kept_is_refused_by_name(series):
    with pytest.raises(SchemaError, match=r"Column 'x': columns stored as .* cannot be kept"):
        describe(series.rename("x"))


@pytest.mark.parametrize("spec", ["str", "string[python]", {"object": "str"}, {"arrow": "string"}])
def test_missing_cells_of_texts_can_be_written_as_a_marker(spec):
    assert is_text(spec)
    found = restore(["a", ""], [False, True], spec, "x", missing_as="n/a")
    assert found.tolist() == ["a", "n/a"]


@pytest.mark.parametrize("spec", ["Int64", {"object": "mixed"}, {"category": "str"}, None])
def test_other_columns_hold_no_texts(spec):
    assert not is_text(spec)


def test_a_marker_is_no_number():
    assert restore([1, 2], [False, True], "Int64", "x", missing_as="n/a").isna().tolist() == [
        False,
        True,
    ]


def test_without_a_spec_pandas_chooses_the_dtype():
    assert restore(["a", "b"], [False, True], None, "x").dtype == "str"
    assert restore([1, 2], [False, False], None, "x").dtype == "int64"
    assert restore(np.array([5], dtype="datetime64[s]"), [False], None, "x").dtype.kind == "M"


def test_cells_of_rare_types_are_kept_in_categories():
    cells = [uuid.UUID(int=5), b"\x00\xff", datetime.time(1, 2), datetime.timedelta(3), 0.5]
    cells += [Decimal("1.0"), pd.Timedelta("5ns"), pd.Timestamp(5, tz="UTC"), True]
    for cell in cells:
        series = pd.Series(pd.Categorical(pd.Series([cell, "a"], dtype=object)), name="x")
        assert_same(rebuild(series), series)


def test_levels_are_told_in_their_order_used_or_not():
    series = WITH_GAPS["category in order"]
    assert levels_of(describe(series)) == ["low", "middle", "high"]
    zoned = WITH_GAPS["category of zoned times"]
    assert levels_of(describe(zoned)) == zoned.cat.categories.tolist()
    assert levels_of("str") is levels_of({"arrow": "string"}) is levels_of(None) is None

"""Numbers, typed or written as text, are read exactly and come back in the source's form."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tabsynth.columns import Profile, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe

Number = columns.get("number")


def claim(series):
    return Number.claims(Profile("x", series, frozenset({""})))


def column_of(series, **parameters):
    found = claim(series)
    learned = dict(found.parameters) if found else {}
    return Number(
        Column("x", "number", parameters={**learned, **parameters}, dtype=describe(series))
    )


def through(series, coding=None, **parameters):
    type_ = column_of(series, **parameters)
    values = type_.parse(series)
    codec = type_.fit(type_.summarise(values), coding or Coding("bins", distinct=10_000))
    codec = type_.load(codec.state())
    codes, offsets = codec.encode(values)
    return type_.render(codec.decode(codes, offsets, np.random.default_rng(0)))


def repeated(values, dtype):
    return pd.Series(list(values) * 8, dtype=dtype, name="x")


@pytest.mark.parametrize(
    "dtype",
    [
        "int8",
        "int64",
        "uint64",
        "float32",
        "float64",
        "Int64",
        "UInt8",
        "Float64",
        "int64[pyarrow]",
        "double[pyarrow]",
        "object",
    ],
)
def test_values_that_rows_share_come_back_in_their_dtype(dtype):
    series = repeated([3, 1, 2, 100], dtype)
    pd.testing.assert_series_equal(through(series), series)


@pytest.mark.parametrize("dtype", ["Int64", "float64", "Float64", "int64[pyarrow]"])
def test_gaps_come_back_as_gaps_and_integers_stay_integers(dtype):
    series = repeated([3, None, 2], dtype)
    pd.testing.assert_series_equal(through(series), series)


def test_integers_beyond_two_to_the_53_are_exact():
    numbers = [2**53 + 1, 2**63 - 1, -(2**63), 2**62 + 3]
    series = repeated(numbers, "int64")
    assert through(series).tolist() == series.tolist()
    text = series.astype("str")
    assert through(text).tolist() == text.tolist()
    unsigned = repeated([2**64 - 1, 2**63 + 1], "uint64")
    assert through(unsigned).tolist() == unsigned.tolist()


@pytest.mark.parametrize(
    "texts",
    [
        ["12", "7", "-3"],
        ["1.50", "2.25", "-0.75"],
        ["1.0", "63.0"],
        ["0.5", "12", "3.25"],
        ["1,5", "2,25"],
        ["1e3", "2.5e-7"],
        [".5", ".25"],
    ],
)
def test_texts_come_back_with_the_decimals_of_the_source(texts):
    series = repeated(texts, "str")
    back = through(series)
    assert back.dtype == series.dtype
    if "e" in texts[0] or texts[0].startswith("."):
        assert back.astype(float).tolist() == series.astype(float).tolist()
    else:
        assert back.tolist() == series.tolist()


@pytest.mark.parametrize(
    "texts",
    [
        ["007", "012"],
        ["1.2.3", "4"],
        ["", ""],
        ["1,234,567", "2"],
        ["12a", "3"],
        ["-", "1"],
        ["99999999999999999999", "1"],
        ["+49 171 1", "3"],
    ],
)
def test_texts_that_are_no_numbers_are_not_claimed(texts):
    assert claim(repeated(texts, "str")) is None


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([True, False]),
        pd.Series(["a"]).astype("category"),
        pd.Series(pd.to_datetime(["2020-01-01"])),
        pd.Series([1 + 2j]),
    ],
)
def test_other_kinds_are_not_claimed(series):
    assert claim(series) is None


def test_a_claim_shows_no_value():
    assert "8675309" not in claim(pd.Series([8675309, 8675309])).reason


def test_missing_texts_are_written_as_the_source_writes_them():
    series = pd.Series(["1", "", "2"] * 8, dtype="str", name="x")
    assert through(series, missing_as="").tolist() == series.tolist()
    assert through(series).isna().tolist() == [False, True, False] * 8


def test_cells_that_are_no_numbers_are_named_by_row_and_never_shown():
    type_ = Number(Column("pulse", "number", dtype="str"))
    with pytest.raises(SchemaError) as caught:
        type_.parse(pd.Series(["71", "secret", "80", "hidden"], dtype="str"))
    message = str(caught.value)
    assert "'pulse'" in message
    assert "rows 2, 4" in message
    assert "2 of 4" in message
    assert "secret" not in message
    assert "hidden" not in message


def test_infinite_values_are_refused_by_row():
    type_ = Number(Column("x", "number", dtype="float64"))
    with pytest.raises(SchemaError, match=r"row 2\).*missing"):
        type_.parse(pd.Series([1.0, np.inf]))


def test_values_outside_declared_limits_are_refused_and_never_made():
    series = pd.Series(np.random.default_rng(0).normal(50, 5, 400).round(3), name="x")
    type_ = column_of(series, minimum=49)
    with pytest.raises(SchemaError, match="minimum and maximum"):
        type_.parse(series)
    back = through(series, coding=Coding("modes"), minimum=0, maximum=200)
    assert back.between(0, 200).all()


def test_declared_decimals_round_what_is_made():
    series = pd.Series(np.random.default_rng(0).normal(50, 5, 400), name="x")
    assert (through(series, decimals=1).mul(10) % 1).abs().max() < 1e-9


def test_a_value_of_one_row_is_not_released():
    rare = 987654
    series = pd.Series([*np.random.default_rng(0).integers(0, 50, 2_000), rare], name="x")
    for kind in ("bins", "modes", "scalar"):
        type_ = column_of(series)
        codec = type_.fit(type_.summarise(type_.parse(series)), Coding(kind))
        assert str(rare) not in str(codec.state())
        codes, offsets = codec.encode(type_.parse(series))
        made = codec.decode(codes, offsets, np.random.default_rng(0))
        assert rare not in made.data


def test_decimal_objects_come_back_as_decimals():
    series = repeated([Decimal("1.50"), Decimal("2.25")], "object")
    back = through(series)
    assert back.tolist() == series.tolist()
    assert isinstance(back.iloc[0], Decimal)


def test_missing_cells_that_were_never_learnt_are_refused():
    series = repeated([1, 2], "Int64")
    type_ = column_of(series)
    codec = type_.fit(type_.summarise(type_.parse(series)), Coding("bins"))
    with pytest.raises(SchemaError, match="1 cells are missing"):
        codec.encode(type_.parse(pd.Series([1, None], dtype="Int64")))

"""Durations and times of day come back in their notation and unit."""

import numpy as np
import pandas as pd
import pytest

from tabsynth.columns import Profile, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe

Duration = columns.get("duration")


def claim(series):
    return Duration.claims(Profile("x", series, frozenset({""})))


def through(series):
    type_ = Duration(
        Column("x", "duration", parameters=claim(series).parameters, dtype=describe(series))
    )
    values = type_.parse(series)
    codec = type_.fit(type_.summarise(values), Coding("bins", distinct=10_000))
    codec = type_.load(codec.state())
    codes, offsets = codec.encode(values)
    return type_.render(codec.decode(codes, offsets, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("texts", "notation"),
    [
        (["07:05", "23:59"], "H:M"),
        (["7:05", "23:59"], "H:M"),
        (["07:05:30", "123:59:59"], "H:M:S"),
        (["07:05:30.250000", "00:00:00.000001"], "H:M:S.f"),
        (["1 days 02:03:04", "12 days 22:03:04"], "D days H:M:S"),
    ],
)
def test_texts_come_back_in_their_notation(texts, notation):
    series = pd.Series(texts * 8, dtype="str", name="x")
    assert claim(series).parameters["format"] == notation
    assert through(series).tolist() == series.tolist()


@pytest.mark.parametrize("texts", [["7:65", "1:00"], ["12", "13"], ["a:b", "1:00"], ["", ""]])
def test_other_texts_are_not_claimed(texts):
    assert claim(pd.Series(texts * 8, dtype="str")) is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_typed_durations_keep_their_unit_and_gaps(unit):
    lengths = pd.Series(pd.to_timedelta(["1 days", None, "3 hours"] * 8))
    series = lengths.astype(f"timedelta64[{unit}]").rename("x")
    pd.testing.assert_series_equal(through(series), series)


def test_a_cell_that_is_no_duration_is_named_by_row_and_never_shown():
    type_ = Duration(Column("wait", "duration", parameters={"format": "H:M"}, dtype="str"))
    with pytest.raises(SchemaError) as caught:
        type_.parse(pd.Series(["01:00", "secret"], dtype="str"))
    assert "row 2" in str(caught.value)
    assert "secret" not in str(caught.value)

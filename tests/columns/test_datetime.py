"""Dates come back in their format, unit and zone, far from today too."""

import datetime

import numpy as np
import pandas as pd
import pytest

from tabsynth.columns import Profile, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe

Datetime = columns.get("datetime")


def claim(series):
    return Datetime.claims(Profile("x", series, frozenset({""})))


def through(series, coding=None):
    found = claim(series)
    type_ = Datetime(Column("x", "datetime", parameters=found.parameters, dtype=describe(series)))
    values = type_.parse(series)
    codec = type_.fit(type_.summarise(values), coding or Coding("bins", distinct=10_000))
    codec = type_.load(codec.state())
    codes, offsets = codec.encode(values)
    return type_.render(codec.decode(codes, offsets, np.random.default_rng(0)))


def repeated(values, dtype):
    return pd.Series(list(values) * 8, dtype=dtype, name="x")


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2020-01-31", "1999-12-01"], "%Y-%m-%d"),
        (["31/01/2020", "01/12/1999"], "%d/%m/%Y"),
        (["01/31/2020", "12/01/1999"], "%m/%d/%Y"),
        (["31.01.2020", "01.12.1999"], "%d.%m.%Y"),
        (["2020-01-31 23:59:01", "1999-12-01 00:00:00"], "%Y-%m-%d %H:%M:%S"),
        (["2020-01-31T23:59:01", "1999-12-01T00:00:00"], "%Y-%m-%dT%H:%M:%S"),
        (["2020-01-31T23:59:01Z", "1999-12-01T00:00:00Z"], "%Y-%m-%dT%H:%M:%SZ"),
        (["2020-01-31 23:59:01.250000", "1999-12-01 00:00:00.000001"], "%Y-%m-%d %H:%M:%S.%f"),
        (["20141013T000000", "20150101T120000"], "%Y%m%dT%H%M%S"),
        (["20141013", "20150101"], "%Y%m%d"),
        (["3/7/2024", "12/25/2023"], "%m/%d/%Y"),
        (["01/31/2020 11:59:01 PM", "12/01/1999 01:00:00 AM"], "%m/%d/%Y %I:%M:%S %p"),
        (["31-Jan-2020", "01-Dec-1999"], "%d-%b-%Y"),
        (["1066-10-14", "0800-12-25", "1588-08-08"], "%Y-%m-%d"),
        (["2020-01-31T23:59:01+0000", "1999-12-01T00:00:00+0000"], "%Y-%m-%dT%H:%M:%S%z"),
    ],
)
def test_texts_are_read_by_one_format_and_written_back_in_it(texts, form):
    series = repeated(texts, "str")
    assert claim(series).parameters["format"] == form
    assert through(series).tolist() == series.tolist()


def test_an_ambiguous_order_of_day_and_month_is_pointed_out():
    assert "please check" in claim(repeated(["01/02/2020", "03/04/2021"], "str")).reason


@pytest.mark.parametrize(
    "texts",
    [
        ["12", "13"],
        ["2020-13-45", "2020-01-01"],
        ["tuesday", "friday"],
        ["12345678", "87654321"],
        ["2020-01-01", "01/01/2020"],
        ["a1", "b2"],
        ["", ""],
    ],
)
def test_texts_that_are_no_dates_are_not_claimed(texts):
    assert claim(repeated(texts, "str")) is None


@pytest.mark.parametrize(
    "dtype",
    [
        "datetime64[s]",
        "datetime64[ms]",
        "datetime64[us]",
        "datetime64[ns]",
        "datetime64[us, UTC]",
        "datetime64[ns, Europe/Rome]",
        "datetime64[ms, America/New_York]",
        "timestamp[us][pyarrow]",
    ],
)
def test_typed_dates_keep_unit_and_zone_and_gaps(dtype):
    times = pd.Series(pd.to_datetime(["2020-06-01 12:00:00", None, "1999-12-31 23:59:59"] * 8))
    series = times.dt.tz_localize("UTC").astype(dtype) if "," in dtype else times.astype(dtype)
    series = series.rename("x")
    pd.testing.assert_series_equal(through(series), series)


def test_python_dates_come_back_as_python_dates():
    series = repeated([datetime.date(2020, 1, 31), datetime.date(1500, 2, 3)], "object")
    back = through(series)
    assert back.tolist() == series.tolist()


def test_dates_before_1677_are_exact_and_new_ones_lie_between_them():
    days = pd.Series(np.arange("1400-01-01", "1650-01-01", dtype="datetime64[D]")).astype(
        "datetime64[us]"
    )
    made = through(days.rename("x"), Coding("bins", size=20, distinct=0))
    assert made.dt.normalize().equals(made)
    assert made.min() >= days.min()
    assert made.max() <= days.max()
    assert (made - days).abs().max() <= pd.Timedelta(days=4)  # only the softened ends move


def test_a_column_of_days_gives_days_and_one_of_minutes_minutes():
    rng = np.random.default_rng(0)
    minutes = pd.Series(
        pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**6, 3_000), unit="min")
    )
    made = through(minutes.rename("x"), Coding("modes"))
    assert (made.dt.second == 0).all()
    assert made.dt.minute.nunique() == 60


def test_cells_of_another_format_are_named_by_row_and_never_shown():
    type_ = Datetime(Column("visit", "datetime", parameters={"format": "%Y-%m-%d"}, dtype="str"))
    with pytest.raises(SchemaError) as caught:
        type_.parse(pd.Series(["2020-01-01", "03.04.1955", ""], dtype="str"))
    assert "row 2" in str(caught.value)
    assert "'visit'" in str(caught.value)
    assert "1955" not in str(caught.value)


def test_a_repeated_hour_in_autumn_does_not_stop_the_writing():
    utc = pd.date_range("2024-10-26 20:00", "2024-10-27 06:00", freq="30min", tz="UTC")
    series = pd.Series(utc.tz_convert("Europe/Rome").repeat(6), name="x")
    back = through(series)
    assert back.dtype == series.dtype
    assert back.notna().all()


@pytest.mark.parametrize("text", ["2020-01-31", "2020-01-31 23:59:01", "31/01/2020"])
def test_no_rows_are_written_as_no_rows(text):
    series = repeated([text], "str")
    column = Column("x", "datetime", parameters=claim(series).parameters, dtype="str")
    type_ = Datetime(column)
    assert type_.render(type_.parse(series[:0])).tolist() == []

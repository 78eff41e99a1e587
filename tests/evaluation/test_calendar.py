from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.dtype import describe

MONDAY = pd.Timestamp("2024-01-01")


def scores(name, train, synthetic, schema, holdout=None):
    """Return the scores of a measure by name, none where it is not planned."""
    frames = {"train": train, "synthetic": synthetic}
    if holdout is not None:
        frames["holdout"] = holdout
    comparison = Comparison.of(
        analyse(frames, schema), streams=Streams(7), frames=frames, schema=schema
    )
    planned = measures.get(name).plan(comparison)
    return {score.name: score for kind in planned for score in kind.measure(comparison)}


def judged(real, other, schema=None, holdout=None):
    """Return the score for columns of dates, or None."""
    real, other = (pd.DataFrame({"t": some}) for some in (real, other))
    held = None if holdout is None else pd.DataFrame({"t": holdout})
    schema = schema or Schema((Column("t", "datetime", dtype=describe(real["t"])),))
    return scores("calendar", real, other, schema, held).get("calendar")


def times(hours, days=(0,)):
    return [MONDAY + pd.Timedelta(hours=h, days=d) for d in days for h in hours]


def test_profiles_of_hours_weekdays_and_months_are_compared():
    real = times(hours=[8, 9], days=[0, 1])
    other = times(hours=[8, 8], days=[0, 31])
    # Hours 1/2 apart, Monday and Tuesday against Monday and Thursday, January against January
    # and February.
    score = judged(real, other)
    assert score.details["columns"] == {"t": {"hour": 0.5, "weekday": 0.5, "month": 0.5}}
    assert score.value == 0.5


def test_days_before_1970_have_their_weekdays():
    real = [pd.Timestamp("1969-07-20"), pd.Timestamp("1900-01-01")]  # a Sunday and a Monday
    other = times([0], days=[6, 0])
    assert judged(real, other).details["columns"]["t"]["weekday"] == 0


def test_hours_of_plain_dates_are_left_out_unless_the_synthetic_ones_have_some():
    days = times([0], days=range(20))
    assert set(judged(days, days).details["columns"]["t"]) == {"weekday"}
    score = judged(days, times([13], days=range(20)))
    assert score.details["columns"]["t"] == {"hour": 1.0, "weekday": 0}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("stored", ["numpy", "zoned", "arrow", "text"])
def test_hours_are_hours_however_dates_are_stored(unit, stored):
    def column(hours):
        series = pd.Series(times(hours, days=range(10))).astype(f"datetime64[{unit}]")
        if stored == "zoned":
            return series.dt.tz_localize("Asia/Tokyo")
        if stored == "arrow":
            return series.astype(f"timestamp[{unit}][pyarrow]")
        return series.dt.strftime("%Y-%m-%d %H:%M") if stored == "text" else series

    real, other = column([8, 12]), column([8, 13])
    parameters = {"format": "%Y-%m-%d %H:%M"} if stored == "text" else {}
    schema = Schema((Column("t", "datetime", parameters=parameters, dtype=describe(real)),))
    assert judged(real, other, schema).details["columns"]["t"] == {"hour": 0.5, "weekday": 0}


def test_without_a_column_of_dates_nothing_is_planned():
    assert judged([1, 2], [1, 2], Schema((Column("t", "number"),))) is None


def test_dates_that_are_always_the_same_or_missing_have_a_reason():
    assert "No hour, weekday or month varies" in judged([MONDAY] * 3, [MONDAY] * 3).problem
    empty = pd.Series([pd.NaT] * 3, dtype="datetime64[us]")
    assert judged(empty, empty).value is None
    score = judged(times([1, 2]), pd.Series([pd.NaT] * 2, dtype="datetime64[us]"))
    assert score.value == 1


def test_fresh_rows_are_near_the_reference_and_flat_hours_are_not():
    rng = Streams(1).numpy("hours")

    def visits():
        hours = np.clip(np.rint(rng.normal(11, 2, 1000)), 0, 23)
        day = pd.to_timedelta(rng.integers(0, 366, 1000), "D")
        return MONDAY + day + pd.to_timedelta(hours, "h")

    train, fresh, held = (visits() for _ in range(3))
    score = judged(train, fresh, holdout=held)
    assert score.value == pytest.approx(score.reference, abs=0.03)
    flat = fresh.normalize() + pd.to_timedelta(rng.integers(0, 24, 1000), "h")
    assert judged(train, flat, holdout=held).value > 4 * score.reference

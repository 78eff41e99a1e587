"""Free text is recognised, left out or emptied, and nothing of it is kept."""

import json

import numpy as np
import pandas as pd
import pytest

from tabsynth.columns import Profile, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe

Text = columns.get("text")
NOTES = [f"Patient {i} came in and was seen by doctor number {i % 7}" for i in range(100)]


def claim(values, **options):
    series = pd.Series(values, name="x", **options)
    return Text.claims(Profile("x", series, frozenset({""})))


def emptied(series, **parameters):
    type_ = Text(Column("x", "text", parameters=parameters, dtype=describe(series)))
    codec = type_.fit(type_.summarise(type_.parse(series)), Coding())
    codec = type_.load(json.loads(json.dumps(codec.state())))
    codes, offsets = codec.encode(type_.parse(series))
    return type_.render(codec.decode(codes, offsets, np.random.default_rng(0)))


def test_values_that_hardly_come_again_are_free_text():
    assert claim(NOTES).confidence == 0.6
    assert claim(NOTES).reason == "free text: 100% of the values are (nearly) unique"
    assert claim(NOTES, dtype="category").confidence == 0.6


def test_long_texts_that_vary_are_free_text_although_some_come_again():
    values = NOTES[:40] + ["Nothing was found, and so she went home again"] * 60
    assert claim(values).confidence == 0.6
    assert claim(values).reason.startswith("free text: ")


@pytest.mark.parametrize(
    "values",
    [["red", "green"] * 50, ["a", "b"], ["This is a very long name of a category"] * 50],
)
def test_other_texts_are_only_a_last_resort(values):
    assert claim(values).confidence == 0.1


def test_cells_of_several_kinds_are_only_a_last_resort():
    assert claim(["a", 1, 2.5, None], dtype="object").confidence == 0.1


@pytest.mark.parametrize("values", [[1, 2, 3], [1.5, 2.5], [None, None], [True, False]])
def test_numbers_and_empty_columns_are_not_claimed(values):
    assert claim(values) is None


def test_texts_are_left_out_unless_asked_for():
    dropped = Text(Column("x", "text"))
    kept = Text(Column("x", "text", parameters={"treatment": "blank"}))
    assert (dropped.drops(), dropped.treatment()) == (True, "left out")
    assert (kept.drops(), kept.treatment()) == (False, "emptied")


@pytest.mark.parametrize(
    ("series", "dtype"),
    [
        (pd.Series(NOTES), "str"),
        (pd.Series(NOTES, dtype="string"), "string"),
        (pd.Series(NOTES, dtype="object"), "object"),
        (pd.Series(NOTES, dtype="category"), "category"),
        (pd.Series(range(5)), "Int64"),
        (pd.Series([True, False]), "boolean"),
        (pd.Series([0.5, 1.5]), "float64"),
        (pd.Series(pd.date_range("2020-01-01", periods=5, unit="us")), "datetime64[us]"),
    ],
)
def test_an_emptied_column_keeps_its_dtype_or_takes_the_next_one_that_can_be_empty(series, dtype):
    result = emptied(series, treatment="blank")
    assert result.isna().all()
    assert result.dtype == dtype
    assert len(result) == len(series)


def test_an_emptied_column_is_written_as_the_source_writes_missing_cells():
    assert (emptied(pd.Series(NOTES), treatment="blank", missing_as="-") == "-").all()


def test_nothing_is_learnt_and_nothing_is_kept():
    type_ = Text(Column("x", "text", dtype="str"))
    summary = type_.merge(
        *(type_.summarise(type_.parse(pd.Series(p))) for p in (NOTES[:30], NOTES[30:]))
    )
    codec = type_.fit(summary, Coding())
    codes, offsets = codec.encode(type_.parse(pd.Series(NOTES)))
    assert summary == 100
    assert codec.blocks == ()
    assert codes.shape == offsets.shape == (100, 0)
    assert codec.state() == {"absent": True}


def test_a_treatment_that_is_none_is_refused():
    type_ = Text(Column("x", "text", parameters={"treatment": "keep"}))
    with pytest.raises(SchemaError, match="treatment must be one of drop, blank"):
        type_.fit(1, Coding())

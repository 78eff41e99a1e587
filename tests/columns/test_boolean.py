"""Booleans come back as the source stores or spells them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.columns.base import Profile, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe

WORDS = ["true", "True", "TRUE", "t", "T", "false", "False", "FALSE", "f", "F"]


def boolean(series, **parameters):
    column = Column(series.name, "boolean", parameters=parameters, dtype=describe(series))
    return columns.get("boolean")(column, frozenset({"", *parameters.get("missing", ())}))


def there_and_back(series, rng, **parameters):
    kind = boolean(series, **parameters)
    values = kind.parse(series)
    codec = kind.fit(kind.summarise(values), Coding())
    codec = kind.load(json.loads(json.dumps(codec.state())))
    codes, offsets = codec.encode(values)
    return kind.render(codec.decode(codes, offsets, rng)), codes[:, 0], codec


def claim(series):
    return columns.get("boolean").claims(Profile("x", series, frozenset({""})))


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([True, False, True]),
        pd.Series([True, False, None], dtype="boolean"),
        pd.Series([True, False, None], dtype="bool[pyarrow]"),
        pd.Series([True, False, None], dtype=object),
        pd.Series(["True", "False", None], dtype="str"),
        pd.Series(["TRUE", "FALSE", None], dtype="string"),
        pd.Series(["t", "f", None], dtype=object),
    ],
    ids=lambda series: str(describe(series)),
)
def test_what_is_claimed_comes_back_as_it_was(series, streams):
    series = series.rename("x")
    made = claim(series)
    assert made.confidence == 0.95
    found, codes, codec = there_and_back(series, streams.numpy("a"), **made.parameters)
    pd.testing.assert_series_equal(found, series)
    assert codes.tolist()[:2] == [1, 0]
    assert codec.blocks[0].size == 2 + series.isna().any()
    assert codec.blocks[0].missing == (2 if series.isna().any() else None)


@given(st.lists(st.sampled_from(WORDS) | st.none(), min_size=1))
@settings(max_examples=30)
def test_every_spelling_is_understood(cells):
    values = boolean(pd.Series(["a"], name="x")).parse(pd.Series(cells, dtype="str", name="x"))
    expected = [None if cell is None else cell[0] in "tT" for cell in cells]
    found = [None if gap else bool(n) for n, gap in zip(values.data, values.missing, strict=True)]
    assert found == expected
    assert values.labels == (False, True)


@pytest.mark.parametrize(
    "cells",
    [
        ["yes", "no"],
        ["0", "1"],
        ["true", "true"],
        ["true", "f"],
        ["true", "false", "maybe"],
        [0, 1],
        [None, None],
        ["true", ""],
    ],
)
def test_what_may_be_something_else_is_not_claimed(cells):
    assert claim(pd.Series(cells)) is None


def test_a_category_of_booleans_is_left_to_categories():
    assert claim(pd.Series([True, False], dtype="category")) is None


def test_the_most_frequent_spelling_is_learnt():
    made = claim(pd.Series(["TRUE", "true", "true", "False", "FALSE", "FALSE"]))
    assert made.parameters == {"labels": ["FALSE", "true"]}


def test_both_values_are_released_even_if_one_is_rare(streams):
    series = pd.Series([True] * 99 + [False], name="x")
    found, _, codec = there_and_back(series, streams.numpy("a"))
    assert codec.blocks[0].size == 2
    pd.testing.assert_series_equal(found, series)


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(["no", "yes"], name="x"),
        pd.Series(["yes", "no"], dtype="category", name="x"),
        pd.Series([1, 2], name="x"),
    ],
)
def test_any_two_labels_can_be_declared(series, streams):
    labels = sorted(series.tolist())
    found, codes, _ = there_and_back(series, streams.numpy("a"), labels=labels)
    pd.testing.assert_series_equal(found, series)
    assert codes.tolist() == [labels.index(cell) for cell in series]


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([0, 1], name="x"),
        pd.Series([0.0, 1.0, None], name="x"),
        pd.Series([1, 0], dtype="category", name="x"),
        pd.Series([False, True], dtype="category", name="x"),
        pd.Series(["false", "true"], dtype="category", name="x"),
    ],
    ids=lambda series: str(describe(series)),
)
def test_zero_and_one_can_be_declared_boolean(series, streams):
    found, _, _ = there_and_back(series, streams.numpy("a"))
    pd.testing.assert_series_equal(found, series)


def test_cells_that_are_neither_are_counted_and_not_shown():
    series = pd.Series(["true", "SECRET", "false", "2", "SECRET"], name="x")
    with pytest.raises(SchemaError) as caught:
        boolean(series).parse(series)
    message = str(caught.value)
    assert (
        "Column 'x' (boolean): 3 of 5 values are neither true nor false (rows 2, 4, 5)" in message
    )
    assert "SECRET" not in message
    assert "Give labels" in message


@pytest.mark.parametrize("labels", ["yes", ["yes"], ["yes", "yes"], 3])
def test_labels_are_two_different_values(labels):
    with pytest.raises(SchemaError, match="labels must list two different values"):
        boolean(pd.Series(["a"], name="x"), labels=labels)


def test_labels_have_to_fit_in_the_column():
    kind = boolean(pd.Series([0, 1], name="x"), labels=["no", "yes"])
    summary = kind.summarise(kind.parse(pd.Series(["no"], name="x")))
    with pytest.raises(SchemaError, match="what labels gives does not fit in the column"):
        kind.fit(summary, Coding())


def test_chunks_add_up_to_the_whole():
    series = pd.Series(["true", "", "false", "true"], name="x")
    kind = boolean(series)
    parts = [kind.summarise(kind.parse(part)) for part in (series[:1], series[1:])]
    assert kind.merge(*parts) == kind.summarise(kind.parse(series))


def test_missing_cells_are_written_as_in_the_source(streams):
    series = pd.Series(["true", "?", "false"], name="x")
    found, _, _ = there_and_back(series, streams.numpy("a"), missing=["?"], missing_as="?")
    pd.testing.assert_series_equal(found, series)


def test_rows_that_a_model_makes_hold_nothing_but_true_and_false(streams):
    series = pd.Series([True, False], name="x")
    kind = boolean(series)
    codec = kind.fit(kind.summarise(kind.parse(series)), Coding())
    made = codec.decode(np.array([[1], [1], [0]]), np.zeros((3, 0)), streams.numpy("a"))
    assert kind.render(made).tolist() == [True, True, False]

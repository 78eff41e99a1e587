"""Constants are repeated as they were and never learnt."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tabsynth.columns.base import Profile, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe


def constant(series, **parameters):
    column = Column(series.name, "constant", parameters=parameters, dtype=describe(series))
    return columns.get("constant")(column, frozenset({"", *parameters.get("missing", ())}))


def fit(series, **parameters):
    kind = constant(series, **parameters)
    values = kind.parse(series)
    codec = kind.fit(kind.summarise(values), Coding())
    return kind, values, kind.load(json.loads(json.dumps(codec.state())))


def claim(series):
    return columns.get("constant").claims(Profile("x", series, frozenset({""})))


COLUMNS = [
    pd.Series([5, 5]),
    pd.Series([2**63, 2**63], dtype="uint64"),
    pd.Series([0.1, 0.1], dtype="float32"),
    pd.Series([True, True]),
    pd.Series(["007", "007"], dtype="str"),
    pd.Series(["a", "a"], dtype="string"),
    pd.Series([Decimal("1.50")] * 2, dtype=object),
    pd.Series([datetime.date(2020, 1, 1)] * 2, dtype=object),
    pd.Series(pd.to_datetime(["2020-01-01"] * 2).tz_localize("Europe/Vienna")),
    pd.Series(pd.to_timedelta(["1 days"] * 2)),
    pd.Series(["a", "a"]).astype(pd.CategoricalDtype(["b", "a", "c"], ordered=True)),
    pd.Series([None, None], dtype="str"),
    pd.Series([None, None], dtype=object),
    pd.Series([None, None], dtype="Int64"),
    pd.Series([None, None], dtype="float64"),
    pd.Series([None, None], dtype="bool[pyarrow]"),
    pd.Series([None, None], dtype="category"),
]


@pytest.mark.parametrize("series", COLUMNS, ids=lambda series: str(describe(series)))
def test_any_number_of_rows_is_made_with_the_same_cell_and_dtype(series, streams):
    series = series.rename("x")
    assert claim(series).confidence == 1.0
    kind, values, codec = fit(series)
    codes, offsets = codec.encode(values)
    assert (codec.blocks, codes.shape, offsets.shape) == ((), (2, 0), (2, 0))
    for n in (0, 2, 5):
        made = codec.decode(np.zeros((n, 0)), np.zeros((n, 0)), streams.numpy("a"))
        expected = series.iloc[[0] * n].reset_index(drop=True)
        pd.testing.assert_series_equal(kind.render(made), expected, check_index_type=False)


def test_columns_of_texts_that_mean_missing_are_written_as_in_the_source(streams):
    series = pd.Series(["NA", "NA", ""], name="x")
    kind, _, codec = fit(series, missing=["NA"], missing_as="NA")
    made = codec.decode(np.zeros((2, 0)), np.zeros((2, 0)), streams.numpy("a"))
    assert kind.render(made).tolist() == ["NA", "NA"]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["a", "a"], "the same value in every row"),
        ([None, ""], "all cells are missing"),
        (["a", "b"], None),
        (["a", None], None),
        (["a", ""], None),
        ([True, 1], None),
    ],
)
def test_claims(cells, reason):
    made = claim(pd.Series(cells, dtype=object))
    assert (made.reason if made else None) == reason


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["SECRET", "b"], "Column 'x' \\(constant\\): it holds 2 distinct values"),
        (["SECRET", None], "one value and 1 missing cells"),
    ],
)
def test_a_column_that_varies_is_no_constant(cells, message):
    series = pd.Series(cells, dtype="str", name="x")
    with pytest.raises(SchemaError, match=message) as caught:
        constant(series).parse(series)
    assert "SECRET" not in str(caught.value)


def test_chunks_that_differ_are_noticed():
    kind = constant(pd.Series(["a"], name="x"))
    first, second = (kind.summarise(kind.parse(pd.Series([cell], name="x"))) for cell in "ab")
    assert kind.fit(kind.merge(first, first), Coding()).state() == {"label": "a"}
    with pytest.raises(SchemaError, match="2 distinct values"):
        kind.fit(kind.merge(first, second), Coding())


def test_a_constant_is_never_compared_and_says_so():
    assert columns.get("constant").measure == "none"
    assert constant(pd.Series([1], name="x")).treatment() == "repeated, never learnt"

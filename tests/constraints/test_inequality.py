"""A later date never comes before an earlier one, and stays as far behind it as in the table."""

import numpy as np
import pandas as pd
import pytest

from tabsynth import Synthesizer
from tabsynth.codec import TableCodec
from tabsynth.constraints import read_constraints
from tabsynth.encoding import Coding
from tabsynth.errors import SchemaError
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import check_schema, infer_schema, with_dtypes


def stays(n_rows=400, seed=0):
    rng = np.random.default_rng(seed)
    admitted = pd.to_datetime("2022-01-01") + pd.to_timedelta(
        rng.integers(0, 900 * 24, n_rows), "h"
    )
    born = pd.to_datetime("1930-01-01") + pd.to_timedelta(rng.integers(0, 80 * 365, n_rows), "D")
    discharged = admitted + pd.to_timedelta(rng.gamma(2, 40, n_rows).round(), "h")
    return pd.DataFrame({"born": born, "discharged": discharged, "admitted": admitted})


def rule(low="admitted", high="discharged"):
    return {"inequality": [low, "<=", high]}


def test_a_discharge_is_tied_to_its_admission_but_an_admission_not_to_a_birth():
    assert infer_schema(stays()).constraints == (rule(),)


def test_nothing_is_tied_where_one_row_breaks_the_order():
    table = stays()
    table.loc[3, "discharged"] = table.loc[3, "admitted"] - pd.Timedelta(hours=1)
    assert infer_schema(table).constraints == ()


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("coding", [Coding("bins"), Coding("modes"), Coding("scalar")])
def test_every_row_made_keeps_the_order_and_the_distances(coding, text):
    table = stays()
    if text:
        table = table.apply(lambda column: column.dt.strftime("%Y-%m-%d %H:%M:%S"))
    schema = infer_schema(table)
    codec = TableCodec.fit(schema, [table], coding)
    encoded = codec.encode(table, Streams(1))
    encoded.codes[:] = np.random.default_rng(0).permuted(encoded.codes, axis=0)
    made = codec.decode(encoded, Streams(2))
    assert list(made.columns) == list(table.columns)
    pd.testing.assert_series_equal(made.dtypes, table.dtypes)
    made, table = made.apply(pd.to_datetime), table.apply(pd.to_datetime)
    gap = made["discharged"] - made["admitted"]
    assert (gap >= pd.Timedelta(0)).all()
    real = table["discharged"] - table["admitted"]
    assert gap.median() == pytest.approx(real.median(), rel=0.2)


def test_rows_without_the_earlier_date_still_get_a_later_one():
    table = stays()
    table.loc[:1, "admitted"] = pd.NaT
    schema = with_dtypes(Schema(infer_schema(table).columns, constraints=(rule(),)), table)
    made = Synthesizer("independent", schema=schema, seed=1).fit(table).sample(300)
    assert made["discharged"].notna().all()
    both = made.dropna()
    assert (both["discharged"] >= both["admitted"]).all()


def test_chains_and_numbers_work():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 50, 300)
    table = pd.DataFrame({"c": a + 10 + rng.integers(0, 3, 300), "a": a, "b": a + 0.25})
    table["a"] = table["a"].astype(float)
    table["c"] = table["c"].astype(float)
    schema = infer_schema(table)
    schema = Schema(schema.columns, constraints=(rule("b", "c"), rule("a", "b")))
    made = Synthesizer("independent", schema=schema, seed=1).fit(table).sample(300)
    assert (made["a"] <= made["b"]).all()
    assert (made["b"] <= made["c"]).all()
    assert np.allclose(made["b"] - made["a"], 0.25)


def test_rows_that_break_a_declared_rule_are_counted_by_row_and_never_shown():
    table = stays()
    table.loc[[4, 9], "discharged"] = pd.Timestamp("1999-09-09")
    schema = Schema(infer_schema(table).columns, constraints=(rule(),))
    with pytest.raises(SchemaError) as caught:
        check_schema(schema, table)
    assert "2 of 400 rows break it (rows 5, 10)" in str(caught.value)
    assert "1999" not in str(caught.value)


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ([{"inequalty": ["a", "<=", "b"]}], "Did you mean 'inequality'"),
        ([{"inequality": ["a", "<", "b"]}], "is written as"),
        ([{"inequality": ["a", "<=", "z"]}], "is written as"),
        ([{"inequality": ["a", "<=", "d"]}], "is written as"),
        ([rule("a", "b"), rule("b", "a")], "circle"),
        ([rule("a", "b"), rule("c", "b")], "more than one constraint"),
        (["a <= b"], "written as {name: argument}"),
    ],
)
def test_rules_that_make_no_sense_are_refused(constraints, words):
    schema = Schema(
        (Column("a", "number"), Column("b", "number"), Column("c", "number"), Column("d", "text")),
        constraints=tuple(constraints),
    )
    with pytest.raises(SchemaError, match=words):
        read_constraints(schema)


def test_rules_survive_the_schema_file():
    schema = infer_schema(stays())
    assert Schema.from_yaml(schema.to_yaml()).constraints == schema.constraints
    assert Schema.from_dict(schema.to_dict()) == schema

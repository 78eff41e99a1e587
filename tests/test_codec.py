"""A whole table goes to codes and back, with its names, order and dtypes."""

import numpy as np
import pandas as pd
import pytest

from tabsynth.codec import TableCodec, types_of
from tabsynth.encoding import Coding
from tabsynth.errors import SchemaError
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import infer_schema, with_dtypes

CODINGS = [
    Coding("bins", distinct=100_000),
    Coding("bins", size=16, sub_bins=8, distinct=0),
    Coding("modes", size=10),
    Coding("scalar"),
]


def mixed(n_rows=400):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "key": [f"PAT-{number:05d}" for number in rng.permutation(90_000)[:n_rows]],
            "age": rng.integers(18, 90, n_rows),
            "name with, comma": pd.Series(rng.choice(["a", "b", "c"], n_rows), dtype="str"),
            "gaps": pd.array(np.where(rng.random(n_rows) < 0.2, None, 5), dtype="Int64"),
            "cost": np.round(rng.lognormal(5, 1, n_rows), 2),
            "flag": rng.random(n_rows) < 0.5,
            "level": pd.Categorical(
                rng.choice(["low", "high"], n_rows), ["low", "mid", "high"], ordered=True
            ),
            "when": pd.to_datetime("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 900, n_rows), "D"),
            "zoned": pd.Series(
                pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), "h")
            ).dt.tz_localize("Europe/Rome", ambiguous=True, nonexistent="shift_forward"),
            "wait": pd.to_timedelta(rng.integers(0, 90, n_rows), "min"),
            "same": "constant",
            "nothing": pd.Series([None] * n_rows, dtype="str"),
            "size": rng.normal(size=n_rows).astype("float32"),
        }
    )


@pytest.fixture(scope="module")
def table():
    return mixed()


@pytest.fixture(scope="module")
def schema(table):
    return infer_schema(table)


@pytest.mark.parametrize("coding", CODINGS, ids=lambda c: f"{c.kind}{c.sub_bins}")
def test_names_order_and_dtypes_come_back(table, schema, coding):
    codec = TableCodec.fit(schema, [table], coding)
    encoded = codec.encode(table, Streams(1))
    assert encoded.codes.dtype == np.int32
    assert encoded.offsets.dtype == np.float32
    back = codec.decode(encoded, Streams(2))
    assert list(back.columns) == list(table.columns)
    pd.testing.assert_series_equal(back.dtypes, table.dtypes)
    for name in ("flag", "name with, comma", "level", "gaps", "same", "nothing"):
        pd.testing.assert_series_equal(back[name], table[name])
    assert np.corrcoef(back["age"], table["age"])[0, 1] > 0.99
    assert back["key"].is_unique


@pytest.mark.parametrize("coding", CODINGS, ids=lambda c: f"{c.kind}{c.sub_bins}")
def test_the_layout_is_sound(table, schema, coding):
    layout = TableCodec.fit(schema, [table], coding).layout
    assert layout.owned_by("key") == []
    assert layout.owned_by("nothing") == []
    for block in layout:
        assert not block.continuous or len(block.continuous) == block.size
        assert not block.refined or len(block.refined) == block.size
        if block.parent is not None:
            assert layout[block.parent].owner == block.owner
            assert any(layout[block.parent].refined)


def test_fitting_on_chunks_is_fitting_on_the_whole(table, schema):
    whole = TableCodec.fit(schema, [table], CODINGS[0])
    parts = TableCodec.fit(schema, [table[:100], table[100:150], table[150:]], CODINGS[0])
    assert whole.state() == parts.state()


def test_the_codec_survives_its_json_form(table, schema):
    import json

    codec = TableCodec.fit(schema, [table], Coding("modes"))
    state = json.loads(json.dumps(codec.state(), allow_nan=False))
    again = TableCodec.load(Schema.from_dict(json.loads(json.dumps(schema.to_dict()))), state)
    assert again.layout == codec.layout
    encoded = codec.encode(table, Streams(1))
    pd.testing.assert_frame_equal(
        again.decode(encoded, Streams(2)), codec.decode(encoded, Streams(2))
    )


def test_no_rows_give_an_empty_table_with_the_right_dtypes(table, schema):
    codec = TableCodec.fit(schema, [table], CODINGS[0])
    empty = codec.decode(codec.encode(table[:0]), Streams(1))
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, table.dtypes)


def test_text_columns_are_left_out(table):
    schema = infer_schema(table).with_column(Column("name with, comma", "text"))
    schema = with_dtypes(schema, table)
    codec = TableCodec.fit(schema, [table], CODINGS[0])
    back = codec.decode(codec.encode(table), Streams(1))
    assert "name with, comma" not in back.columns


def test_the_problems_of_all_columns_are_reported_at_once():
    frame = pd.DataFrame({"a": ["x"] * 12, "b": ["y"] * 12})
    schema = with_dtypes(Schema((Column("a", "number"), Column("b", "datetime"))), frame)
    with pytest.raises(SchemaError) as caught:
        TableCodec.fit(schema, [frame], CODINGS[0])
    assert len(caught.value.problems) == 2


def test_every_registered_type_is_served(schema):
    assert set(types_of(schema)) == set(schema.names)

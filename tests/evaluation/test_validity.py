from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.intervals import clopper_pearson
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.dtype import describe

X = Schema((Column("x", "number"),))
W = Schema((Column("w", "category"),))


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


def test_cells_inside_the_range_of_all_real_rows_are_counted():
    train, held = pd.DataFrame({"x": [1.0, 5.0] * 20}), pd.DataFrame({"x": [1.0, 9.0] * 20})
    made = pd.DataFrame({"x": [0.0, 1.0, 5.0, 9.0, 10.0, np.nan]})
    score = scores("in_range", train, made, X, held)["in_range"]
    assert score.value == 0.6
    assert score.reference == 0.5  # 9 lies outside what the training rows hold
    assert score.baseline == 1
    assert score.details["cells"] == 5
    assert score.details["worst"] == {"x": 0.6}
    assert score.details["share_of_rows_fine"] == pytest.approx(4 / 6)
    assert score.details["share_of_rows_fine_low"] == clopper_pearson(4, 6).low


def test_a_declared_range_goes_before_the_real_one():
    schema = Schema((Column("x", "number", parameters={"minimum": 0, "maximum": 100}),))
    train, made = pd.DataFrame({"x": [20.0, 30.0]}), pd.DataFrame({"x": [0.0, 100.0, 25.0]})
    assert scores("in_range", train, made, schema)["in_range"].value == 1
    assert scores("in_range", train, made, X)["in_range"].value == pytest.approx(1 / 3)


def test_dates_have_a_range_too():
    days = pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01", "2025-01-01"])
    train, made = pd.DataFrame({"x": days[:2]}), pd.DataFrame({"x": days})
    dtype = describe(train["x"])
    schema = Schema((Column("x", "datetime", dtype=dtype),))
    assert scores("in_range", train, made, schema)["in_range"].value == 0.5
    wider = Schema((Column("x", "datetime", parameters={"maximum": "2024-12-31"}, dtype=dtype),))
    assert scores("in_range", train, made, wider)["in_range"].value == 0.75


def test_without_numbers_or_dates_no_range_is_planned():
    frame = pd.DataFrame({"w": ["a", "b"]})
    assert scores("in_range", frame, frame, W) == {}
    assert scores("known_categories", pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [1]}), X) == {}


def test_a_column_that_is_empty_in_the_real_rows_has_no_known_value():
    train, made = pd.DataFrame({"x": [np.nan, np.nan]}), pd.DataFrame({"x": [1.0, np.nan]})
    assert scores("in_range", train, made, X)["in_range"].value == 0
    score = scores("in_range", train, train, X)["in_range"]
    assert score.value is None
    assert score.problem == "All synthetic cells of the columns to check are missing."


def test_labels_that_no_real_row_has_are_counted_and_not_shown():
    train, held = pd.DataFrame({"w": list("aabb")}), pd.DataFrame({"w": list("abbc")})
    made = pd.DataFrame({"w": ["a", "c", "secret", None]})
    score = scores("known_categories", train, made, W, held)["known_categories"]
    assert score.value == pytest.approx(2 / 3)
    assert score.reference == 0.75
    assert score.details["cells_not_fine"] == 1
    assert "secret" not in str(score.to_dict())


def test_declared_levels_and_truth_values_are_known_though_no_real_row_has_them():
    levels = pd.CategoricalDtype(["a", "b", "c"])
    train = pd.DataFrame({"w": pd.Series(["a", "b"], dtype=levels)})
    made = pd.DataFrame({"w": pd.Series(["c", "a"], dtype=levels)})
    schema = Schema((Column("w", "category", dtype=describe(train["w"])),))
    assert scores("known_categories", train, made, schema)["known_categories"].value == 1
    undeclared = scores("known_categories", train, made, W)["known_categories"]
    assert undeclared.value == 0.5
    truths = Schema((Column("w", "boolean"),))
    yes, no = pd.DataFrame({"w": [True, True]}), pd.DataFrame({"w": [False, True]})
    assert scores("known_categories", yes, no, truths)["known_categories"].value == 1


def test_numbers_as_levels_are_the_same_label_whole_or_with_a_point():
    levels = pd.CategoricalDtype([1.0, 2.0])
    train = pd.DataFrame({"w": pd.Series([1.0, 1.0], dtype=levels)})
    made = pd.DataFrame({"w": pd.Series([2.0, 1.0], dtype=levels)})
    schema = Schema((Column("w", "category", dtype=describe(train["w"])),))
    assert scores("known_categories", train, made, schema)["known_categories"].value == 1


def test_constant_columns_that_hold_something_else_are_noticed():
    schema = Schema((Column("w", "category"), Column("same", "constant"), Column("x", "number")))
    train = pd.DataFrame({"w": list("ab") * 2, "same": "k", "x": [1, 2, 3, 4]})
    made = train.assign(same=["k", "k", "l", "l"])
    score = scores("known_categories", train, made, schema)["known_categories"]
    assert score.value == 0.75
    assert score.details["worst"] == {"same": 0.5}
    assert score.details["share_of_rows_fine"] == 0.5
    only = Schema((Column("same", "constant"), Column("x", "number")))
    found = scores("known_categories", train.drop(columns="w"), made.drop(columns="w"), only)
    assert found["known_categories"].value == 0.5


KEYS = Schema((Column("id", "identifier"), Column("x", "number")), primary_key="id")


def keyed(keys):
    return pd.DataFrame({"id": keys, "x": 1.0})


@pytest.mark.parametrize("kind", [str, int])
def test_keys_that_come_twice_are_counted_in_full(kind):
    train = keyed([kind(k) for k in range(10)])
    made = keyed([kind(k) for k in (1, 2, 2, 3, 3, 3, 4, 5, 6, 7)])
    score = scores("unique_keys", train, made, KEYS, keyed([kind(k) for k in range(10, 20)]))
    assert score["unique_keys"].value == 0.5
    assert score["unique_keys"].reference == 1
    assert score["unique_keys"].interval == clopper_pearson(5, 10)
    assert score["unique_keys"].details["columns"] == {"id": 0.5}


def test_a_missing_primary_key_is_wrong_and_another_missing_key_is_not():
    train, made = keyed(list("abcd")), keyed(["a", "b", None, None])
    assert scores("unique_keys", train, made, KEYS)["unique_keys"].value == 0.5
    plain = Schema(KEYS.columns)
    assert scores("unique_keys", train, made, plain)["unique_keys"].value == 1
    gone = keyed(pd.Series([None] * 4, dtype="str"))
    assert scores("unique_keys", train, gone, plain)["unique_keys"].value is None


def test_keys_may_be_of_any_type_and_absent_or_repeated_ones_are_not_checked():
    train = pd.DataFrame({"x": [1, 2, 3, 4]})
    made = pd.DataFrame({"x": [1, 1, 3, 4]})
    schema = Schema((Column("x", "number"),), primary_key="x")
    assert scores("unique_keys", train, made, schema)["unique_keys"].value == 0.5
    note = Schema((Column("id", "text"), Column("x", "number")), primary_key="id")
    assert (
        scores("unique_keys", keyed(["k", "l"]), keyed(["k", "l"]), note)["unique_keys"].value == 1
    )
    repeated = Schema((Column("id", "identifier", parameters={"unique": False}), *X.columns))
    assert scores("unique_keys", keyed(list("aabb")), keyed(list("aabb")), repeated) == {}
    absent = Schema(KEYS.columns)
    assert scores("unique_keys", keyed(list("ab")), keyed(list("ab"))[["x"]], absent) == {}


def test_several_keys_are_summed_and_have_no_interval():
    schema = Schema((Column("id", "identifier"), Column("no", "identifier"), Column("x", "number")))
    train = keyed(list("abcd")).assign(no=range(4))
    made = keyed(list("abcc")).assign(no=range(4))
    score = scores("unique_keys", train, made, schema)["unique_keys"]
    assert score.value == 0.75
    assert score.interval is None
    assert score.details["columns"] == {"id": 0.5, "no": 1}

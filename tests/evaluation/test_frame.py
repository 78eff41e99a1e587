from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.errors import SchemaError
from tabsynth.evaluation.frame import MISSING, analyse
from tabsynth.schema import Column, Schema


def one(kind, *frames, **parameters):
    schema = Schema((Column("x", kind, parameters=parameters),))
    named = {str(place): pd.DataFrame({"x": cells}) for place, cells in enumerate(frames)}
    return list(analyse(named, schema).values())


def test_numbers_become_places_among_the_distinct_values_of_all_tables():
    first, second = one("number", [3.0, 1.5, None], [2.0, 3.0])
    assert first.features[0].levels.tolist() == [1.5, 2.0, 3.0]
    assert first.codes[:, 0].tolist() == [2, 0, MISSING]
    assert second.codes[:, 0].tolist() == [1, 2]
    assert np.isnan(first.features[0].numbers[MISSING])


def test_integers_beyond_the_precision_of_floats_stay_different():
    first, second = one("number", [2**53, 2**53 + 1], [2**53 + 1, 2**53 + 2])
    assert first.features[0].levels.tolist() == [2**53, 2**53 + 1, 2**53 + 2]
    assert not set(first.ids[:1]) & set(second.ids)
    assert first.ids[1] == second.ids[0]


def test_dates_before_1677_are_compared():
    first, second = one(
        "datetime", ["1066-10-14", "1492-10-12"], ["1492-10-12", ""], format="%Y-%m-%d"
    )
    assert first.codes[:, 0].tolist() == [0, 1]
    assert second.codes[:, 0].tolist() == [1, MISSING]


def test_categories_that_one_table_lacks_get_codes_too():
    first, second = one("category", ["b", "a", "b"], ["c", "b", ""])
    assert first.features[0].levels.tolist() == ["a", "b", "c"]
    assert first.codes[:, 0].tolist() == [1, 0, 1]
    assert second.codes[:, 0].tolist() == [2, 1, MISSING]


def test_labels_that_are_numbers_equal_their_texts():
    first, second = one("category", [1, 2, 2], ["2", "1", "1"])
    assert first.features[0].levels.tolist() == ["1", "2"]
    assert second.codes[:, 0].tolist() == [1, 0, 0]


def test_columns_that_are_never_compared_are_not_read():
    schema = Schema((Column("id", "identifier"), Column("note", "text"), Column("x", "number")))
    frame = pd.DataFrame({"id": ["a", "a"], "note": ["b", "b"], "x": [1, 2]})
    tables = analyse({"train": frame, "synthetic": frame[["x"]]}, schema)
    assert [feature.name for feature in tables["synthetic"].features] == ["x"]


def test_rows_are_equal_where_their_ids_are(sample, mixed):
    frame = sample(500, "ids")
    table = analyse({"t": pd.concat([frame, frame.iloc[:100]])}, mixed)["t"]
    distinct = pd.DataFrame(table.codes).drop_duplicates()
    assert len(np.unique(table.ids)) == len(distinct)
    assert (table.ids[500:] == table.ids[:100]).all()


def test_the_order_of_rows_is_forgotten(sample, mixed):
    frame = sample(300, "order")
    first = analyse({"t": frame}, mixed)["t"].ordered()
    again = analyse({"t": frame.iloc[::-1]}, mixed)["t"].ordered()
    assert (first.codes == again.codes).all()


def test_all_problems_of_all_tables_are_said_at_once_without_a_cell():
    schema = Schema((Column("x", "number"), Column("y", "number")))
    good = pd.DataFrame({"x": [1, 2], "y": [1, 2]})
    bad = pd.DataFrame({"x": ["1", "secret"], "y": ["hidden", "2"]})
    with pytest.raises(SchemaError) as caught:
        analyse({"training table": good, "synthetic table": bad}, schema)
    message = str(caught.value)
    assert message.count("In the synthetic table") == 2
    assert "'x'" in message
    assert "'y'" in message
    assert "secret" not in message
    assert "hidden" not in message


def test_a_table_without_rows_has_features_and_no_codes():
    first, second = one("category", ["a", "b"], [])
    assert second.codes.shape == (0, 1)
    assert len(first.features[0]) == 2

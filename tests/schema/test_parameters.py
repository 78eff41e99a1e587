"""Parameters with values that make no sense are all named before anything is learnt."""

import pandas as pd
import pytest

from tabsynth.errors import SchemaError
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import check_schema
from tabsynth.schema.parameters import malformed


@pytest.mark.parametrize(
    ("type_", "parameters", "words"),
    [
        ("number", {"integer": "yes"}, "integer must be true or false"),
        ("number", {"decimals": -1}, "decimals must be 0 or"),
        ("number", {"minimum_count": 0}, "minimum_count must be a whole number"),
        ("number", {"minimum_count": True}, "minimum_count must be a whole number"),
        ("number", {"places": [3, 1]}, "places must be two"),
        ("number", {"minimum": 5, "maximum": 4}, "minimum must not be above"),
        ("number", {"minimum": []}, "minimum must be a number"),
        ("category", {"missing": "NA"}, "missing must be a list"),
        ("datetime", {"format": 3}, "format must be a text"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(type_, parameters, words):
    problems = malformed(Column("pulse", type_, parameters=parameters))
    assert len(problems) == 1
    assert "'pulse'" in problems[0]
    assert words in problems[0]


def test_values_that_make_sense_pass():
    parameters = {"minimum": 0, "maximum": 9.5, "decimals": 2, "nullable": True, "places": [0, 2]}
    assert malformed(Column("x", "number", parameters=parameters)) == []


def test_all_columns_are_reported_at_once():
    frame = pd.DataFrame({"a": ["1"] * 20, "b": ["x y"] * 20, "c": ["q"] * 20})
    schema = Schema(
        (
            Column("a", "number", parameters={"decimals": "two"}),
            Column("b", "personal", parameters={"kind": "fullname"}),
            Column("c", "text", parameters={"treatment": "shred"}),
        )
    )
    with pytest.raises(SchemaError) as caught:
        check_schema(schema, frame)
    assert len(caught.value.problems) == 3


def test_a_date_in_yaml_stays_the_text_it_is():
    schema = Schema.from_yaml("columns:\n  d: {type: datetime, minimum: 2020-01-05}\n")
    assert schema["d"].get("minimum") == "2020-01-05"

"""A schema survives being written to a file, and says all that is wrong with one."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.errors import SchemaError
from tabsynth.schema import ROLES, Column, Schema

NASTY = [
    "plain",
    "two words",
    "  leading and trailing  ",
    "a: b",
    "# no comment",
    'it\'s "quoted"',
    "comma, {brace} [bracket]",
    "line\nbreak and\ttab",
    "emoji 🙂",
    "yes",
    "Null",
    "007",
    "1e5",
    "1_000",
    "2024-01-01",
    "-",
    "?",
    "~",
    "<<",
    "=",
    "*anchor",
    "&anchor",
    "!tag",
    "%directive",
    "@at",
    "\\backslash",
    "",
    "é",
    "columns",
    "type",
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(NASTY)
NUMBERS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(TEXTS | NUMBERS | st.none(), lambda inner: st.lists(inner, max_size=3))
RESERVED = {"type", "role", "dtype", "learned", "reason"}
DTYPES = (
    st.none()
    | st.just("int64")
    | st.fixed_dictionaries(
        {
            "category": st.just("str"),
            "ordered": st.booleans(),
            "levels": st.lists(TEXTS, max_size=3),
        }
    )
)


@st.composite
def schemas(draw):
    """Schemas with names and parameters of any kind."""
    names = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    columns = []
    for name in names:
        keys = TEXTS.filter(lambda key: key not in RESERVED)
        parameters = draw(st.dictionaries(keys, VALUES, max_size=3))
        learned = draw(st.sets(st.sampled_from(sorted(parameters)))) if parameters else ()
        column = Column(
            name,
            draw(st.sampled_from(["number", "category", "no such type"])),
            role=draw(st.sampled_from(ROLES)),
            parameters=parameters,
            learned=frozenset(learned),
            dtype=draw(DTYPES),
        )
        columns.append(column)
    return Schema(
        tuple(columns),
        primary_key=draw(st.none() | st.sampled_from(names)),
        missing_values=tuple(draw(st.lists(TEXTS, max_size=3))),
    )


@given(schemas())
@settings(max_examples=40)
def test_a_schema_comes_back_from_its_json_form(schema):
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


@given(schemas())
@settings(max_examples=40)
def test_a_schema_comes_back_from_yaml(schema):
    assert Schema.from_yaml(schema.to_yaml()) == schema


@pytest.mark.parametrize("name", NASTY)
def test_any_text_can_name_a_column_in_yaml(name):
    schema = Schema((Column(name, "category", parameters={"other": name}),), primary_key=name)
    assert Schema.from_yaml(schema.to_yaml()) == schema


def test_yaml_has_a_line_for_each_column_with_its_reason_as_a_comment():
    column = Column("age", "number", parameters={"integer": True}, reason="74 distinct values")
    lines = Schema((column, Column("sex", "category"))).to_yaml().splitlines()
    assert lines[-2:] == [
        "  age: {type: number, integer: true}  # 74 distinct values",
        "  sex: {type: category}",
    ]


def test_a_schema_that_a_person_wrote_is_read():
    text = """
    columns:
      age: number
      sex: {type: category, role: quasi}   # a comment
      id: {type: identifier}
    primary_key: id
    """
    schema = Schema.from_yaml(text)
    assert schema.names == ["age", "sex", "id"]
    assert (schema["age"].type, schema["sex"].role, schema.primary_key) == (
        "number",
        "quasi",
        "id",
    )
    assert schema.missing_values == ("",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns: [", "not valid YAML at line 1"),
        ("just a text", "needs a mapping 'columns'"),
        ("columns: {age: number}\ntabsynth: 99", "is of format 99; this version .* reads format 1"),
        ("columns: {age: {role: quasi}}", "Column 'age': a column is written as {type: ...}"),
        ("columns: {age: {type: number, role: secret}}", "role must be one of identifier, quasi"),
        ("columns: {age: {type: number, learned: integer}}", "learned must be a list"),
        ("columns: {age: number}\nprimarykey: age", "'primarykey'.* Did you mean 'primary_key'"),
        ("columns: {age: number}\nprimary_key: id", "'id' is no column of the schema"),
        ("columns: {age: number}\nmissing_values: NA", "missing_values must be a list of texts"),
        ("columns: {age: number}\nmissing_values: 3", "missing_values must be a list of texts"),
        ("columns: {age: {type: number, learned: [[1]]}}", "learned must be a list"),
    ],
)
def test_a_malformed_schema_is_refused_with_a_remedy(text, message):
    with pytest.raises(SchemaError, match=message):
        Schema.from_yaml(text)


def test_all_problems_of_a_schema_are_told_at_once():
    text = "columns: {a: {}, b: {type: number, role: x}}\ncolums: 1\nmissing_values: [1]"
    with pytest.raises(SchemaError) as caught:
        Schema.from_yaml(text)
    assert len(caught.value.problems) == 4


def test_a_name_occurs_once():
    with pytest.raises(SchemaError, match="'age'"):
        Schema((Column("age", "number"), Column("age", "category")))


def test_names_are_compared_with_a_table_and_near_ones_are_offered():
    schema = Schema((Column("age", "number"), Column("sex", "category")))
    problems = schema.check_names(["Age", "sex", "zip"])
    assert len(problems) == 3
    assert "'age' of the schema is not in the table. Did you mean 'Age'?" in problems[0]
    assert "'zip' of the table is not in the schema" in problems[2]
    assert schema.check_names(["sex", "age"]) == []


def test_columns_are_found_and_replaced_by_name():
    schema = Schema((Column("age", "number"), Column("sex", "category")))
    changed = schema.with_column(Column("age", "text"))
    assert [(c.name, c.type) for c in changed] == [("age", "text"), ("sex", "category")]
    assert "age" in schema
    assert "zip" not in schema
    with pytest.raises(KeyError):
        schema["zip"]


def test_a_column_adds_its_own_texts_for_missing():
    schema = Schema((Column("age", "number", parameters={"missing": ["?"]}),))
    assert schema.missing_of(schema["age"]) == {"", "?"}


def test_yaml_of_a_schema_is_plain_yaml():
    schema = Schema((Column("a", "number", parameters={"minimum": 1e22, "maximum": 1e-7}),))
    column = yaml.safe_load(schema.to_yaml())["columns"]["a"]
    assert (column["minimum"], column["maximum"]) == (1e22, 1e-7)

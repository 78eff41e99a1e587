"""Inference says what each column is, why, and all that is wrong with a table."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.columns.base import Claim, columns
from tabsynth.columns.category import Category
from tabsynth.errors import DataError, SchemaError
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import MINIMUM_ROWS, check_schema, infer_schema, with_dtypes
from tabsynth.schema.roles import role_of


def infer_one(cells, name="x", dtype=None, **options):
    """Return the inferred column of a table of one column."""
    (column,) = infer_schema(pd.DataFrame({name: pd.Series(cells, dtype=dtype)}), **options)
    return column


def texts(*pairs):
    """Return a list of cells from pairs of (text, how often)."""
    return [text for text, n in pairs for _ in range(n)]


@pytest.mark.parametrize(
    ("cells", "dtype", "expected"),
    [
        ([3, 1, 2] * 5, None, "number"),
        ([0.5, np.nan] * 5, None, "number"),
        ([3, None] * 5, "Int64", "number"),
        (["3", "-1", "20"] * 5, None, "number"),
        ([Decimal("1.5"), Decimal("2")] * 5, object, "number"),
        ([True, False] * 5, None, "boolean"),
        (["true", "false"] * 5, None, "boolean"),
        (["a", "b"] * 10, None, "category"),
        (["007", "008"] * 10, None, "category"),
        (["a", "b"] * 2, "category", "category"),
        (["a", 1] * 10, object, "category"),
        ([datetime.time(1), datetime.time(2)] * 10, object, "category"),
        (["2024-01-05", "2024-02-29"] * 5, None, "datetime"),
        (pd.to_datetime(["2024-01-05", "2024-02-29"]), None, "datetime"),
        (pd.to_timedelta(["1h", "2h"]), None, "duration"),
        (["a"] * 5, None, "constant"),
        ([None] * 5, None, "constant"),
        ([7] * 5, None, "constant"),
    ],
)
def test_the_type_of_a_column_is_found(cells, dtype, expected):
    column = infer_one(cells, dtype=dtype)
    assert column.type == expected
    assert column.reason
    assert set(column.parameters) == column.learned


def test_a_column_that_nothing_recognises_is_left_out_with_a_stated_doubt():
    cells = [datetime.time(1), datetime.time(2)]
    column = infer_one(cells, dtype=pd.ArrowDtype(pa.time64("us")))
    assert (column.type, column.reason) == ("text", "no column type recognises it; please check")


def test_a_column_type_of_somebody_else_is_asked_too(monkeypatch):
    class Grade(Category):
        name = "grade"

        @classmethod
        def claims(cls, profile):
            fits = profile.is_text and profile.texts.str.fullmatch("[A-F]").all()
            return Claim(0.99, "school grades", {"minimum_count": 2}, "sensitive") if fits else None

    columns.names()
    monkeypatch.setitem(columns._members, "grade", Grade)
    column = infer_one(["A", "B"] * 10, name="age")
    assert (column.type, column.role, column.reason) == ("grade", "sensitive", "school grades")
    assert column.parameters == {"minimum_count": 2}
    assert infer_one(["A", "Z"] * 10).type == "category"


def test_equal_claims_are_settled_in_a_fixed_order(monkeypatch):
    class Rival(Category):
        name = "a rival"

        @classmethod
        def claims(cls, profile):
            return Claim(0.5, "as sure as a category")

    columns.names()
    monkeypatch.setitem(columns._members, "a rival", Rival)
    assert infer_one(["a", "b"] * 10).type == "category"


# --- missing cells ------------------------------------------------------------------------------


@pytest.mark.parametrize("marker", ["NA", "N/A", "nan", "NULL", "None", "?", "-", ".", "#N/A", " "])
@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["3", "1", "20"], "number"),
        (["2024-01-05", "2024-02-29"], "datetime"),
        (["true", "false"], "boolean"),
        (["07:05", "23:15"], "duration"),
    ],
)
def test_a_well_known_marker_among_typed_cells_means_missing(marker, cells, expected):
    column = infer_one(texts(*((cell, 5) for cell in cells), (marker, 3)))
    assert column.type == expected
    assert column.parameters["missing"] == [marker]
    assert column.parameters["missing_as"] == marker
    assert column.parameters["nullable"] is True
    assert {"missing", "missing_as", "nullable"} <= column.learned
    assert f"{marker!r} taken as missing" in column.reason


def test_several_markers_are_taken_together_and_the_commonest_is_written():
    column = infer_one(texts(("1", 5), ("2", 5), ("NA", 2), ("?", 3)))
    assert column.parameters["missing"] == ["?", "NA"]
    assert column.parameters["missing_as"] == "?"


def test_markers_among_categories_are_categories():
    column = infer_one(texts(("a", 10), ("NA", 10), ("None", 10)))
    assert (column.type, column.parameters) == ("category", {})


def test_a_marker_alone_does_not_make_a_type():
    assert infer_one(texts(("NA", 10), ("?", 10))).type == "category"


def test_frequent_words_among_many_numbers_mean_missing_and_are_not_in_the_reason():
    incomes = [(str(n * n), 2) for n in range(1000, 1040)]
    column = infer_one(texts(*incomes, ("SECRET", 9)))
    assert (column.type, column.parameters["missing"]) == ("number", ["SECRET"])
    assert "SECRET" not in column.reason
    assert "1 other frequent text taken as missing" in column.reason
    assert infer_one(texts(*incomes, ("SECRET", 4))).type == "text"
    few = [(str(n), 10) for n in range(6)]
    assert infer_one(texts(*few, ("N", 30))).type == "category"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (texts(("a", 20), ("", 5)), {"nullable": True, "missing_as": ""}),
        ([*texts(("a", 20), ("", 2)), None, None], {"nullable": True}),
        ([*texts(("a", 20), ("", 3)), None, None], {"nullable": True, "missing_as": ""}),
        (texts(("a", 20), ("b", 5)), {}),
    ],
)
def test_the_commonest_text_for_missing_is_learnt(cells, expected):
    assert infer_one([*cells, *["b"] * 20]).parameters == expected


def test_texts_that_mean_missing_can_be_given_for_the_whole_table():
    column = infer_one(texts(("a", 20), ("b", 20), ("-", 5)), missing_values=("-",))
    assert column.parameters == {"nullable": True, "missing_as": "-"}
    schema = infer_schema(pd.DataFrame({"x": ["a", "-"] * 10}), missing_values=["-"])
    assert schema.missing_values == ("-",)


# --- roles and keys -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("age", "quasi"),
        ("Age Group", "quasi"),
        ("PatientSex", "quasi"),
        ("date_of_birth", "quasi"),
        ("ZIP", "quasi"),
        ("home.postcode", "quasi"),
        ("native-country", "quasi"),
        ("HIVStatus", "sensitive"),
        ("icd10", "sensitive"),
        ("diag_1", "sensitive"),
        ("monthly income", "sensitive"),
        ("c_charge_desc", "sensitive"),
        ("religion_region", "sensitive"),
        ("page", "plain"),
        ("statement", "plain"),
        ("MonthlyCharges", "plain"),
        ("wages2020", "sensitive"),
        ("", "plain"),
        ("größe", "plain"),
    ],
)
def test_a_role_is_read_off_whole_words_of_the_name(name, role):
    assert role_of(name) == role
    assert infer_one([1, 2] * 5, name=name).role == role


def test_the_first_complete_unique_identifier_is_the_primary_key():
    numbers = np.arange(30)
    frame = pd.DataFrame(
        {
            "visit_id": [f"v{n // 2:04}" for n in numbers],
            "blank_id": ["", *(f"b{n:04}" for n in numbers[1:])],
            "patient_id": [f"p{n * 7:04}" for n in numbers],
            "other_id": [f"q{n * 3:04}" for n in numbers],
        }
    )
    overrides = dict.fromkeys(frame, "identifier")
    assert infer_schema(frame, overrides=overrides).primary_key == "patient_id"
    assert infer_schema(frame[["visit_id", "blank_id"]], overrides={}).primary_key is None


# --- overrides and target -----------------------------------------------------------------------


def test_a_declared_type_is_kept_and_its_parameters_are_read_off_the_data():
    frame = pd.DataFrame({"when": ["05/01/2024", "29/02/2024"], "code": [1, 2], "ok": ["T", "F"]})
    schema = infer_schema(frame, overrides={"code": "category", "when": "datetime"})
    assert [column.type for column in schema] == ["datetime", "category", "boolean"]
    assert schema["when"].parameters == {"format": "%d/%m/%Y"}
    assert (schema["code"].reason, schema["code"].dtype) == ("declared", "int64")


def test_declared_parameters_and_roles_go_before_what_is_read_off():
    declared = Column("x", "number", role="sensitive", parameters={"decimals": 0, "integer": True})
    column = infer_one([0.5, 1.5], name="age", overrides={"age": declared})
    assert (column.name, column.role) == ("age", "sensitive")
    assert column.parameters == {"decimals": 0, "integer": True}
    assert column.learned == set()


def test_markers_are_added_to_those_that_are_declared():
    declared = Column("x", "number", parameters={"missing": ["-99"]})
    column = infer_one(texts(("1", 5), ("2", 5), ("-99", 2), ("?", 1)), overrides={"x": declared})
    assert column.parameters["missing"] == ["-99", "?"]
    assert column.parameters["missing_as"] == "-99"


def test_a_target_is_of_a_type_that_is_learnt():
    frame = pd.DataFrame({"id": [f"{n:05}" for n in range(40)], "y": range(100, 140)})
    plain = infer_schema(frame)
    assert columns.get(plain["id"].type).measure == "none"
    assert columns.get(infer_schema(frame, target="y")["y"].type).measure != "none"


def test_names_that_are_not_in_the_table_are_refused():
    frame = pd.DataFrame({"age": [1, 2]})
    with pytest.raises(SchemaError) as caught:
        infer_schema(frame, overrides={"aeg": "number"}, target="sex")
    assert caught.value.problems == (
        "There is no column 'aeg' in the table. Did you mean 'age'?",
        "There is no column 'sex' in the table.",
    )
    with pytest.raises(SchemaError, match=r"'age': There is no column type .* mean 'number'"):
        infer_schema(frame, overrides={"age": "numbr"})


# --- tables that cannot be used -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        ([1, 2], DataError, "must be a pandas DataFrame. Got list"),
        (pd.DataFrame(), DataError, "has no columns"),
        (pd.DataFrame(index=range(3)), DataError, "has no columns"),
        (pd.DataFrame({"a": []}), DataError, f"no rows; at least {MINIMUM_ROWS} are needed"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), DataError, "more than once: 'a'"),
        (pd.DataFrame([[1, 2]]), SchemaError, "Column 1 of the table is named by a number; rename"),
        (pd.DataFrame([[1]], columns=[None]), SchemaError, "named by a value of type"),
        (pd.DataFrame([[1]], columns=[("a", "b")]), SchemaError, "named by several levels"),
        (pd.DataFrame({"a": [1 + 2j]}), SchemaError, "Column 'a': .* complex128"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(frame, error, message):
    with pytest.raises(error, match=message):
        infer_schema(frame)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (["SECRET"], "list"),
        ({"SECRET": 1}, "dict"),
        ({"SECRET"}, "set"),
        (("SECRET",), "tuple"),
        (np.array(["SECRET"]), "ndarray"),
        (object(), "object"),
    ],
)
def test_nested_cells_are_refused_with_their_column_and_row(cell, kind):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": pd.Series(["x", None, cell], dtype=object)})
    with pytest.raises(DataError, match=rf"'b' has cells .* \({kind}; first in row 3\)") as caught:
        infer_schema(frame)
    assert "SECRET" not in str(caught.value)


def test_nested_arrow_cells_are_refused():
    frame = pd.DataFrame({"a": pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))})
    with pytest.raises(DataError, match="'a' has cells that hold no single value"):
        infer_schema(frame)


# --- checking a schema --------------------------------------------------------------------------


def test_every_problem_of_a_schema_is_told_at_once():
    frame = pd.DataFrame(
        {
            "age": ["1", "SECRET"],
            "sex": ["a", "b"],
            "ok": ["yes", "SECRET"],
            "extra": [1, 2],
            "odd": [1, 2],
            "y": ["a", "a"],
        }
    )
    schema = Schema(
        (
            Column("age", "number"),
            Column("sex", "categry"),
            Column("ok", "boolean"),
            Column("gone", "number"),
            Column("odd", "number", parameters={"minimun": 0, "missing": "NA", "missing_as": 3}),
            Column("y", "category", parameters={"minimum_count": 0}),
        )
    )
    with pytest.raises(SchemaError) as caught:
        check_schema(schema, frame)
    told = caught.value.problems
    wanted = [
        "'gone' of the schema is not in the table",
        "'extra' of the table is not in the schema",
        "Column 'age' (number): 1 of 2 value",
        "Column 'sex': There is no column type called 'categry'. Did you mean 'category'?",
        "Column 'ok' (boolean): 2 of 2 value",
        "there is no parameter 'minimun'. Did you mean 'minimum'?",
        "Column 'odd': missing must be a list of texts",
        "Column 'odd': missing_as must be a text",
        "minimum_count must be a whole number",
    ]
    assert len(told) == len(wanted)
    assert [part for part in wanted if not any(part in problem for problem in told)] == []
    assert "SECRET" not in str(caught.value)


def test_a_parameter_without_a_near_one_is_answered_with_all_that_are_allowed():
    schema = Schema((Column("x", "boolean", parameters={"zzz": 1}),))
    with pytest.raises(SchemaError, match="Allowed: labels, missing, missing_as, nullable"):
        check_schema(schema, pd.DataFrame({"x": [True]}))


def test_dtypes_are_taken_from_the_table():
    frame = pd.DataFrame({"a": pd.Series([1], dtype="Int8"), "b": ["x"]})
    schema = Schema((Column("a", "number"), Column("b", "category"), Column("c", "text")))
    found = with_dtypes(schema, frame)
    assert [column.dtype for column in found] == ["Int8", "str", None]
    with pytest.raises(SchemaError, match="Column 'a': columns stored as complex128"):
        with_dtypes(schema, pd.DataFrame({"a": [1j]}))


# --- what must hold on any table ----------------------------------------------------------------

CELLS = st.one_of(
    st.none(),
    st.sampled_from(["NA", "", "?", "true", "False", "1", "2.5", "2024-01-01", "07:30"]),
    st.integers(0, 9).map(str),
    st.text(max_size=4),
)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=30))
@settings(max_examples=30)
def test_a_table_fits_the_schema_that_was_read_off_it(rows):
    frame = pd.DataFrame(rows, columns=["a", "b"], dtype="str")
    schema = infer_schema(frame)
    check_schema(schema, frame)
    assert Schema.from_dict(schema.to_dict()) == schema
    assert {column.dtype for column in schema} == {"str"}


@given(st.lists(st.text("XYZ", min_size=8, max_size=8), min_size=1, max_size=20), st.booleans())
@settings(max_examples=30)
def test_no_reason_shows_a_cell(cells, often):
    column = infer_one(cells * (10 if often else 1))
    assert not any(cell in column.reason for cell in cells)


def test_a_real_table_is_understood(data_dir):
    frame = pd.read_csv(
        data_dir / "telco_churn.csv.gz", dtype="str", keep_default_na=False, nrows=1_000
    )
    schema = infer_schema(frame, target="Churn")
    check_schema(schema, frame)
    types = {column.name: column.type for column in schema}
    assert schema.primary_key == "customerID"
    assert (types["gender"], types["tenure"], types["TotalCharges"], types["Churn"]) == (
        "category",
        "number",
        "number",
        "category",
    )
    assert schema["TotalCharges"].parameters["missing"] == [" "]
    assert schema["gender"].role == "quasi"

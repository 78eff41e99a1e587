"""deidentify: one call from a table to a synthetic table with its evidence."""

import numpy as np
import pandas as pd
import pytest

from tabsynth import ConfigError, DataError, PrivacyError, SchemaError, Synthesizer, deidentify
from tabsynth.fitting import terms_of
from tabsynth.plan import make_plan
from tabsynth.schema import Column, Schema


def patients(n_rows=300):
    rng = np.random.default_rng(1)
    age = rng.integers(20, 90, n_rows)
    return pd.DataFrame(
        {
            "patient_id": [f"P{number:06d}" for number in rng.permutation(500_000)[:n_rows]],
            "email": [f"person{number}@mail{number % 3}.org" for number in range(n_rows)],
            "age": age,
            "sick": np.where(age + rng.normal(0, 10, n_rows) > 60, "yes", "no"),
            "note": [
                f"seen on day {number} by doctor {number % 97} for check {number * 7}"
                for number in range(n_rows)
            ],
        }
    )


@pytest.fixture(scope="module")
def result():
    return deidentify(patients(), model="independent", target="sick", seed=7)


def test_the_table_has_as_many_rows_and_the_columns_that_may_be_kept(result):
    assert len(result.table) == 300
    assert list(result.table.columns) == ["patient_id", "email", "age", "sick"]
    assert any("note" in notice for notice in result.evaluation.notices)


def test_keys_and_personal_data_are_new(result):
    real = patients()
    assert result.table["patient_id"].is_unique
    assert result.table["patient_id"].str.fullmatch(r"P\d{6}").all()
    assert not set(result.table["email"]) & set(real["email"])


def test_the_evaluation_compares_with_rows_the_model_never_saw(result):
    assert result.evaluation.rows["train"] == 240
    assert result.evaluation.rows["holdout"] == 60
    assert result.evaluation["tvd_1way"].reference is not None


def test_the_report_says_in_words_that_there_was_no_differential_privacy(result):
    assert "No differential privacy was used" in result.report()
    assert "No differential privacy was used" in result.card()
    assert result.evaluation.privacy["mechanism"] == "none"


def test_the_same_seed_gives_the_same_table(result):
    again = deidentify(patients(), model="independent", target="sick", seed=7)
    pd.testing.assert_frame_equal(again.table, result.table)
    assert again.evaluation.scores == result.evaluation.scores


def test_a_drawn_seed_is_reported_and_repeats_the_run():
    first = deidentify(patients(60), model="independent")
    seed = first.evaluation.provenance["seed"]
    again = deidentify(patients(60), model="independent", seed=seed)
    pd.testing.assert_frame_equal(first.table, again.table)


def test_without_a_holdout_disclosure_is_left_open():
    result = deidentify(patients(), model="independent", holdout=0, seed=7)
    assert result.evaluation.rows.get("holdout", 0) == 0
    assert result.evaluation["membership_auc"].value is None
    assert result.evaluation["membership_auc"].problem


def test_the_plan_tells_what_will_happen_without_learning_anything():
    plan = make_plan(patients(), target="sick")
    document = plan.to_dict()
    assert document["model"] == plan.choice.model
    assert {column["name"] for column in document["columns"]} == set(patients().columns)
    assert "left out" in plan.treatments["note"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"target": "sik"}, ConfigError, "no column"),
        ({"rows": -1}, ConfigError, "rows must be an integer of at least 0"),
        ({"holdout": 1.5}, ConfigError, "between 0 and"),
        ({"model": "nope"}, ConfigError, "no model called"),
        ({"schema": Schema((Column("ages", "number"),))}, SchemaError, "Did you mean 'age'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_learnt(options, error, words):
    with pytest.raises(error, match=words):
        deidentify(patients(), **options)


def test_a_table_without_enough_rows_is_refused():
    with pytest.raises(DataError, match="at least"):
        deidentify(patients(5))


def test_any_number_of_rows_can_be_made():
    for rows in (0, 1, 1000):
        result = deidentify(patients(60), model="independent", rows=rows, seed=1)
        assert len(result.table) == rows


def test_repeats_keep_the_first_table_and_tell_how_much_seeds_matter(result):
    repeated = deidentify(patients(), model="independent", target="sick", seed=7, repeats=3)
    pd.testing.assert_frame_equal(repeated.table, result.table)
    assert repeated.evaluation.scores == result.evaluation.scores
    spread = {score.name: score.details for score in repeated.evaluation.stability}
    assert spread["tvd_1way"]["tables"] == 3
    # Other seeds make other tables, so the figures differ.
    assert spread["tvd_1way"]["standard_deviation"] > 0
    assert result.evaluation.stability == ()
    again = deidentify(patients(), model="independent", target="sick", seed=7, repeats=3)
    assert again.evaluation.stability == repeated.evaluation.stability


def test_repeats_must_be_a_positive_number():
    with pytest.raises(ConfigError, match="repeats must be an integer of at least 1"):
        deidentify(patients(40), repeats=0)


def test_a_plan_says_what_a_fit_would_refuse():
    table, terms = patients(), terms_of(1.0, accept_inferred_schema=True)
    with pytest.raises(PrivacyError, match="'tree' reads the rows") as planned:
        make_plan(table, model="tree", terms=terms)
    with pytest.raises(PrivacyError) as fitted:
        Synthesizer("tree", epsilon=1.0, accept_inferred_schema=True).fit(table)
    assert str(planned.value) == str(fitted.value)
    with pytest.raises(PrivacyError, match="pac"):
        make_plan(table, model="ctgan", parameters={"pac": 4}, terms=terms)
    plan = make_plan(table, model="ctgan", terms=terms)
    with pytest.raises(PrivacyError, match="pac"):
        plan.with_parameters({"pac": 4})
    assert make_plan(table, model="ctgan", parameters={"pac": 4}).parameters == {"pac": 4}
    with pytest.raises(ConfigError, match="no parameter"):
        make_plan(table, model="ctgan", parameters={"pack": 4})

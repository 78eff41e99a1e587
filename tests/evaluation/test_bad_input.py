"""Tables that cannot be judged: a clear error, or "inconclusive" with its reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.errors import ConfigError, DataError, SchemaError
from tabsynth.evaluation import evaluate
from tabsynth.evaluation.domain import foreign
from tabsynth.schema import Column, Schema


@pytest.fixture(scope="module")
def tables(sample):
    return {name: sample(300, name) for name in ("train", "synthetic", "holdout")}


@pytest.fixture
def judge(tables, mixed):
    """A function that evaluates the tables, some of them changed, for disclosure alone."""

    def judged(schema=mixed, groups=("disclosure",), **changed):
        return evaluate(**{**tables, **changed}, schema=schema, groups=groups)

    return judged


def shown(found):
    """Return all that a reader is told."""
    return " ".join([*found.verdict.reasons, *found.notices])


ERRORS = {
    "a column is absent": (lambda t: t.drop(columns="town"), SchemaError, "lacks columns"),
    "a column is new": (lambda t: t.assign(new=1), SchemaError, "has columns that"),
    "names are repeated": (
        lambda t: t.set_axis(["age", "age", *t.columns[2:]], axis=1),
        DataError,
        "more than once",
    ),
    "numbers are texts": (lambda t: t.assign(age="secret"), SchemaError, "cannot be read"),
    "numbers are dates": (lambda t: t.assign(age=t["seen"]), SchemaError, "not numbers"),
    "numbers are infinite": (
        lambda t: t.assign(income=np.where(t.index == 3, np.inf, t["income"])),
        SchemaError,
        "infinite",
    ),
    "all numbers are infinite": (lambda t: t.assign(income=-np.inf), SchemaError, "infinite"),
    "it is no data frame": (lambda t: t.to_numpy(), DataError, "pandas DataFrame"),
}


@pytest.mark.parametrize("table", ["synthetic", "holdout"])
@pytest.mark.parametrize("change", ERRORS)
def test_a_table_that_does_not_fit_is_an_error_that_names_it(judge, tables, table, change):
    wrong, error, words = ERRORS[change]
    with pytest.raises(error, match=words) as caught:
        judge(**{table: wrong(tables[table])})
    assert f"{table} table" in str(caught.value).lower()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("table", ["train", "holdout"])
def test_a_real_table_without_rows_is_an_error(judge, tables, table):
    with pytest.raises(DataError, match="has no rows"):
        judge(**{table: tables[table].iloc[:0]})


@pytest.mark.parametrize("table", ["train", "synthetic", "holdout"])
@pytest.mark.parametrize("n", [1, 5, 30])
def test_a_table_of_few_rows_is_inconclusive_and_says_how_many_are_needed(judge, tables, table, n):
    found = judge(**{table: tables[table].iloc[:n]})
    assert found.verdict.word == "inconclusive"
    assert "Too few rows" in shown(found) or "at least 50 are needed" in shown(found)
    assert found["membership_auc"].value is None


def test_a_synthetic_table_without_rows_is_inconclusive(judge, tables):
    found = judge(synthetic=tables["synthetic"].iloc[:0])
    assert found.verdict.word == "inconclusive"
    assert {score.value for score in found.scores} == {None}


def test_a_holdout_that_overlaps_the_training_rows_is_reported_and_cleared(judge, tables):
    both = pd.concat([tables["holdout"], tables["train"].iloc[:90]], ignore_index=True)
    found = judge(holdout=both)
    assert "taken out of the holdout" in shown(found)
    assert found.rows["holdout_measured"] == pytest.approx(300, abs=12)
    assert found.verdict.word == judge().verdict.word


def test_a_holdout_of_training_rows_is_none(judge, tables):
    found = judge(holdout=tables["train"], synthetic=tables["train"])
    assert found.verdict.word == "inconclusive"
    assert "0 are left" in shown(found)


def test_the_holdout_given_as_synthetic_table_is_inconclusive(judge, tables):
    found = judge(synthetic=tables["holdout"].sample(frac=1, random_state=1))
    assert found.verdict.word == "inconclusive"
    assert "100% of the synthetic rows are rows of the holdout" in shown(found)


def test_a_table_whose_columns_are_all_constant_is_inconclusive(judge, tables):
    row = tables["train"].dropna().iloc[:1]
    found = judge(**dict.fromkeys(tables, row.loc[row.index.repeat(300)]))
    assert found.verdict.word == "inconclusive"
    assert found.verdict.reasons


def test_some_constant_columns_change_nothing(judge, tables, mixed):
    schema = Schema((*mixed.columns, Column("unit", "category"), Column("zero", "number")))
    more = {name: frame.assign(unit="kg", zero=0.0) for name, frame in tables.items()}
    found, plain = judge(schema=schema, **more), judge()
    assert found.verdict.word == plain.verdict.word
    for one, other in zip(found.scores, plain.scores, strict=True):
        assert (one.value is None) == (other.value is None), one.name


FOREIGN = {
    "unknown categories": {"town": "nowhere"},
    "numbers of another unit": {"income": lambda t: t["income"] * 1000 + 1e9},
    "nothing but missing cells": {"town": None},
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_copy_with_a_column_that_no_real_row_has_is_not_called_clean(judge, tables, kind):
    found = judge(synthetic=tables["synthetic"].assign(**FOREIGN[kind]))
    assert found.verdict.word == "inconclusive"
    assert repr(next(iter(FOREIGN[kind]))) in shown(found)
    copied = judge(synthetic=tables["train"].assign(**FOREIGN[kind]))
    assert copied.verdict.word != "no leak detected at this power"


def test_a_few_unknown_categories_are_no_obstacle(judge, tables):
    town = tables["synthetic"]["town"].where(np.arange(300) >= 30, "nowhere")
    found = judge(synthetic=tables["synthetic"].assign(town=town))
    assert found.verdict.word == judge().verdict.word
    assert "no real row" not in shown(found)


def test_values_that_every_row_has_for_itself_are_not_foreign(comparison):
    schema = Schema((Column("name", "category"), Column("x", "number")))
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"name": [f"{part}{i}" for i in range(200)], "x": rng.random(200)})
        for part in "abc"
    ]
    assert foreign(comparison(*frames, schema)) == []
    frames[1] = frames[1].assign(x=frames[1]["x"] + 5)
    assert foreign(comparison(*frames, schema)) == ["x"]


@pytest.mark.parametrize("groups", [(), ("privacy",), "disclosure"])
def test_groups_of_scores_that_do_not_exist_are_an_error(judge, groups):
    with pytest.raises(ConfigError, match="'disclosure'"):
        judge(groups=groups)


def test_only_the_groups_asked_for_are_measured(judge):
    found = judge(groups=("validity",))
    assert {score.group for score in found.scores} == {"validity"}
    assert found.verdict.word == "inconclusive"
    assert found.columns == ()
    assert found.provenance["evaluation"]["groups"] == ["validity"]

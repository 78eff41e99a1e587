"""Keys and personal data that come back, rare values and extremes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.evaluate import evaluate
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.replay import KeyReplay, PersonalReplay, RareValues, counts_up
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

SCHEMA = Schema(
    (
        Column("record", "identifier"),
        Column("name", "personal", parameters={"kind": "full_name"}),
        Column("note", "text"),
        Column("age", "number"),
    )
)
SIZE = 200


def compare(train, synthetic, holdout, schema=SCHEMA):
    frames = {"train": train, "synthetic": synthetic}
    if holdout is not None:
        frames["holdout"] = holdout
    return Comparison.of(analyse(frames, schema), streams=Streams(7), frames=frames, schema=schema)


@pytest.fixture
def tables():
    """Training, fresh and unseen rows; a third of the names are common ones."""
    rng = np.random.default_rng(3)
    n = 3 * SIZE
    common = np.where(rng.random(n) < 1 / 3, rng.integers(0, 20, n), 1000 + np.arange(n))
    rows = pd.DataFrame(
        {
            "record": rng.permutation(100_000)[:n] + 100_000,
            "name": [f"Person {letter}" for letter in common],
            "note": [f"seen on ward {place}" for place in rng.permutation(n)],
            "age": rng.integers(20, 90, n),
        }
    )
    return [rows.iloc[start : start + SIZE].reset_index(drop=True) for start in (0, 200, 400)]


def only(measure, *frames, **kwargs):
    return measure().measure(compare(*frames, **kwargs))[0]


def test_new_keys_and_common_names_are_no_finding(tables):
    train, fresh, holdout = tables
    keys, names = (only(m, train, fresh, holdout) for m in (KeyReplay, PersonalReplay))
    assert keys.value == keys.reference == 0
    assert keys.findings[0].p_value == 1
    assert names.value > 0.1
    assert names.findings[0].p_value > 0.05


@pytest.mark.parametrize(
    ("measure", "column"),
    [(KeyReplay, "record"), (PersonalReplay, "name"), (PersonalReplay, "note")],
)
def test_keys_and_personal_data_of_training_rows_are_found(tables, measure, column):
    train, fresh, holdout = tables
    made = fresh.copy()
    made.loc[:39, column] = train.loc[:39, column]
    score = only(measure, train, made, holdout)
    assert score.findings[0].p_value < 1e-4
    assert score.value > score.reference
    # The other way round it is a finding about nobody who was trained on.
    assert only(measure, holdout, made, train).findings[0].p_value > 0.5


def test_keys_are_found_in_whatever_form_they_are_written(tables):
    train, fresh, holdout = tables
    made = fresh.assign(record=train["record"].astype("float64").where(fresh.index > 5))
    assert only(KeyReplay, train, made, holdout).findings[0].p_value < 1e-10
    texts = fresh.assign(name=" " + train["name"].str.upper())
    assert only(PersonalReplay, train, texts, holdout).findings[0].p_value < 1e-10


def test_keys_that_several_rows_share_are_found(tables):
    train, fresh, holdout = (
        table.assign(record=np.repeat(table["record"].to_numpy()[::2], 2)) for table in tables
    )
    made = fresh.copy()
    made.loc[:59, "record"] = train.loc[:59, "record"]
    assert only(KeyReplay, train, made, holdout).findings[0].p_value < 1e-4
    assert only(KeyReplay, train, fresh, holdout).findings[0].p_value > 0.05


def test_keys_that_count_up_tell_nothing(tables):
    train, fresh, holdout = tables
    numbered = [
        table.assign(record=np.arange(start, start + SIZE))
        for table, start in zip((train, fresh, holdout), (1, 1, 201), strict=True)
    ]
    score = only(KeyReplay, *numbered)
    assert score.value is None
    assert "count up" in score.problem
    assert score.findings == ()
    assert score.details["columns_that_count_up"] == ["record"]


def test_counting_up_is_told_from_other_keys():
    assert counts_up(pd.Series(["12", "11", "10", "10"]))
    assert not counts_up(pd.Series(["12", "11", "9"]))
    assert not counts_up(pd.Series(["a1", "a2"]))
    assert not counts_up(pd.Series([], dtype="str"))
    assert not counts_up(pd.Series(["7"]))


def test_columns_that_were_left_out_are_not_looked_for(tables):
    train, fresh, holdout = tables
    for gone in (fresh[["age"]], fresh.assign(record=None, name=None, note=None)):
        compared = compare(train, gone, holdout)
        assert KeyReplay.plan(compared) == []
        assert PersonalReplay.plan(compared) == []
    assert len(KeyReplay.plan(compare(train, fresh, holdout))) == 1
    assert KeyReplay.plan(compare(train, fresh, holdout[["name", "note", "age"]])) == []


def test_the_same_keys_in_both_real_tables_are_no_units(tables):
    train, fresh, holdout = tables
    score = only(KeyReplay, train, fresh, holdout.assign(record=train["record"]))
    assert score.value is not None
    assert "one real table alone" in score.problem
    assert score.findings == ()


def test_replayed_keys_make_the_verdict_of_an_evaluation(tables):
    train, fresh, holdout = tables
    made = fresh.assign(record=train["record"])
    found = evaluate(train, made, holdout=holdout, schema=SCHEMA)
    assert found["key_replay"].value == 1
    assert found.verdict.word == "leak detected"
    assert "keys of real rows" in found.verdict.reasons[0]
    assert found["personal_replay"].findings
    with_none = evaluate(train, made, schema=SCHEMA)
    assert with_none["key_replay"].value is None
    assert "No holdout" in with_none["key_replay"].problem


def test_rare_values_name_columns_and_counts():
    rng = np.random.default_rng(5)
    schema = Schema((Column("dose", "number"), Column("code", "category")))

    def rows(start):
        codes = [f"rare{start + row}" if row < 30 else "usual" for row in range(300)]
        return pd.DataFrame({"dose": rng.random(300), "code": codes})

    train, fresh, holdout = rows(0), rows(1000), rows(2000)
    made = fresh.copy()
    made.loc[:19, "code"] = train.loc[:19, "code"]
    score = only(RareValues, train, made, holdout, schema=schema)
    assert score.details["columns"] == {"code": [20, 30, 0, 30], "dose": [0, 300, 0, 300]}
    p_values = {finding.attack: finding.p_value for finding in score.findings}
    assert p_values["rare categories of real rows"] < 1e-6
    assert p_values["rare numbers of real rows"] == 1
    assert score.baseline == 1


def test_extremes_that_everybody_shares_are_no_finding():
    rng = np.random.default_rng(6)
    schema = Schema(tuple(Column(f"x{place}", "number") for place in range(8)))
    train, fresh, holdout = (
        pd.DataFrame({f"x{place}": rng.normal(size=400).clip(-1, 1) for place in range(8)})
        for _ in range(3)
    )
    score = only(RareValues, train, fresh, holdout, schema=schema)
    assert score.details["extremes"] == 16
    assert score.details["extremes_of_training_met"] == 16
    assert score.details["extremes_of_unseen_met"] == 16
    assert {f.attack: f.p_value for f in score.findings}["lowest and highest numbers"] == 1


def test_lowest_and_highest_training_numbers_are_found_when_they_come_back():
    rng = np.random.default_rng(7)
    schema = Schema(tuple(Column(f"x{place}", "number") for place in range(8)))
    train, fresh, holdout = (
        pd.DataFrame({f"x{place}": rng.normal(size=size) for place in range(8)})
        for size in (800, 400, 200)
    )
    made = fresh.clip(train.min(), train.max(), axis=1)
    made.iloc[0], made.iloc[1] = train.min(), train.max()
    found = only(RareValues, train, made, holdout, schema=schema)
    assert {f.attack: f.p_value for f in found.findings}["lowest and highest numbers"] < 0.01
    swapped = only(RareValues, holdout, made, train, schema=schema)
    assert {f.attack: f.p_value for f in swapped.findings}["lowest and highest numbers"] > 0.1

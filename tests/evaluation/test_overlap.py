from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.evaluate import evaluate
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.overlap import unseen
from tabsynth.schema import Column, Schema

SCHEMA = Schema((Column("a", "category"), Column("b", "number")))


def kept_of(train, holdout, streams):
    tables = analyse({"train": train, "holdout": holdout}, SCHEMA)
    return unseen(tables["train"], tables["holdout"], streams.numpy("overlap"))


@pytest.fixture
def rows(streams):
    """A function that draws rows, some of which repeat: a third have one of 200 values."""
    rng = streams.numpy("rows")

    def draw(n):
        values = np.where(rng.random(n) < 1 / 3, rng.integers(0, 200, n), rng.random(n))
        return pd.DataFrame({"a": rng.choice(list("xyz"), n), "b": values})

    return draw


def test_rows_that_repeat_in_the_source_stay(rows, streams):
    kept, notice = kept_of(rows(1000), rows(800), streams)
    assert kept.all()
    assert notice == ""


def test_training_rows_are_taken_out_and_rows_that_repeat_stay(rows, streams):
    train, holdout = rows(1000), rows(800)
    kept, notice = kept_of(train, pd.concat([train.iloc[:300], holdout]), streams)
    # Rows that were copied and rows that repeat by chance cannot be told apart, only counted.
    assert (~kept[:300]).sum() > 130
    assert (~kept[300:]).sum() < 170
    # Four standard deviations over draws of these rows, which are 17.
    assert 232 < (~kept).sum() < 368
    assert "of the holdout rows equal a training row" in notice
    assert f"excess of {(~kept).sum():,} rows was taken out" in notice


def test_which_rows_go_does_not_depend_on_their_order(rows, streams):
    train, holdout = rows(500), rows(400)
    both = pd.concat([train.iloc[:200], holdout], ignore_index=True)
    turned = both.iloc[::-1].reset_index(drop=True)
    left = [some[kept_of(train, some, streams)[0]] for some in (both, turned)]
    sums = [sorted(map(tuple, some.to_numpy().tolist())) for some in left]
    assert sums[0] == sums[1]


def test_a_holdout_of_training_rows_is_no_holdout(rows):
    train, made = rows(300).assign(b=np.arange(300.0)), rows(300)
    found = evaluate(train, made, holdout=train.iloc[:200], schema=SCHEMA)
    assert found.rows["holdout"] == 200
    assert "holdout_measured" not in found.rows
    assert any("0 are left" in text for text in found.notices)
    assert found.verdict.word == "inconclusive"
    assert found["membership_auc"].value is None


def test_a_leak_is_found_though_the_holdout_holds_training_rows(rows):
    train, holdout = rows(600), rows(500)
    made = pd.concat([train.iloc[:200], rows(400)], ignore_index=True)
    mixed = pd.concat([holdout, train.iloc[:300]], ignore_index=True)
    found = evaluate(train, made, holdout=mixed, schema=SCHEMA)
    assert found.verdict.word == "leak detected"
    assert found.rows["holdout"] == 800
    assert found.rows["holdout_measured"] == pytest.approx(500, abs=40)

from __future__ import annotations

import pandas as pd
import pytest

from tabsynth.errors import DataError
from tabsynth.evaluation.fidelity import ColumnDistance, PairDistance, TwoSampleTest
from tabsynth.schema import Column, Schema


def test_shuffled_columns_are_seen_in_pairs_and_by_trees_but_not_in_columns(
    comparison, sample, shuffle
):
    train = sample(1500, "train")
    compared = comparison(train, shuffle(train), sample(1500, "holdout"))
    columns, pairs, trees = (
        kind().measure(compared)[0] for kind in (ColumnDistance, PairDistance, TwoSampleTest)
    )
    assert columns.value == pytest.approx(columns.reference, abs=1e-9)
    assert pairs.value > 1.15 * pairs.reference
    assert pairs.value == pytest.approx(pairs.baseline, rel=0.1)
    assert trees.interval.low > 0.55
    assert trees.value == pytest.approx(trees.baseline, abs=0.05)
    assert pairs.details["worst"][0][2] >= pairs.details["worst"][1][2]


def test_fresh_real_rows_are_not_told_apart(comparison, sample):
    compared = comparison(sample(1500, "train"), sample(1500, "fresh"), sample(1500, "holdout"))
    score = TwoSampleTest().measure(compared)[0]
    assert score.interval.low <= 0.5 <= score.interval.high
    assert score.interval.high - score.interval.low < 0.1
    assert score.reference == pytest.approx(0.5, abs=0.05)


def test_numbers_that_lost_their_grid_are_told_apart(comparison, sample):
    made = sample(600, "made")
    made["income"] += 0.37
    score = TwoSampleTest().measure(comparison(sample(600, "train"), made, sample(600, "hold")))[0]
    assert score.value > 0.75


def test_more_categories_than_the_trees_take_are_grouped(comparison, streams):
    rng = streams.numpy("many")
    schema = Schema((Column("x", "category"), Column("y", "number")))
    train, made, holdout = (
        pd.DataFrame({"x": rng.integers(0, 600, 900).astype(str), "y": rng.normal(size=900)})
        for _ in range(3)
    )
    score = TwoSampleTest().measure(comparison(train, made, holdout, schema))[0]
    assert score.interval.low <= 0.5 <= score.interval.high


def test_without_a_holdout_likeness_has_no_reference(comparison, sample):
    compared = comparison(sample(300, "train"), sample(300, "made"))
    for kind in (ColumnDistance, PairDistance, TwoSampleTest):
        score = kind().measure(compared)[0]
        assert score.value is not None
        assert score.reference is None
        assert score.reference_text == ""


def test_a_single_column_has_no_pairs(comparison):
    schema = Schema((Column("x", "number"),))
    frame = pd.DataFrame({"x": range(50)})
    score = PairDistance().measure(comparison(frame, frame, frame, schema))[0]
    assert score.value is None
    assert "no pairs" in score.problem


def test_columns_that_never_vary_leave_nothing_to_tell_rows_apart_by(comparison):
    schema = Schema((Column("x", "number"), Column("y", "category")))
    frame = pd.DataFrame({"x": [4] * 50, "y": ["a"] * 50})
    compared = comparison(frame, frame, frame, schema)
    assert ColumnDistance().measure(compared)[0].value == 0
    assert PairDistance().measure(compared)[0].value == 0
    with pytest.raises(DataError, match="No column varies"):
        TwoSampleTest().measure(compared)

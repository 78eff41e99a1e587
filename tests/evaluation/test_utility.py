from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.errors import DataError
from tabsynth.evaluation.skill import macro_area, r2
from tabsynth.evaluation.utility import TrainOnSynthetic
from tabsynth.schema import Column, Schema


def score_of(compared, target):
    return TrainOnSynthetic(target).measure(compared)[0]


def test_fresh_real_rows_teach_as_much_as_real_ones_and_shuffled_ones_nothing(
    comparison, sample, shuffle
):
    train, holdout = sample(1200, "train"), sample(1200, "holdout")
    fresh = score_of(comparison(train, sample(1200, "fresh"), holdout), "ill")
    # Two samples of 1,200 rows; the interval is over test rows only, so a little is added.
    assert fresh.interval.low - 0.02 <= fresh.reference <= fresh.interval.high + 0.02
    assert fresh.value > 0.7
    assert fresh.details["metric"] == "AUC"
    nothing = score_of(comparison(train, shuffle(train), holdout), "ill")
    assert nothing.value == pytest.approx(0.5, abs=0.07)
    assert nothing.baseline == pytest.approx(0.5, abs=0.07)


def test_a_number_is_predicted_with_r2(comparison, sample, shuffle):
    compared = comparison(sample(800, "train"), sample(800, "fresh"), sample(800, "holdout"))
    score = score_of(compared, "age")
    assert score.details["metric"] == "R2"
    assert score.value > 0.2 > score.baseline
    assert score.interval.low < score.value < score.interval.high


def test_a_number_of_few_values_is_a_class_and_rows_without_it_are_left_out(comparison, streams):
    rng = streams.numpy("grades")
    schema = Schema((Column("x", "number"), Column("grade", "number")))

    def rows():
        x = rng.normal(size=500)
        grade = np.digitize(x, [-1, 1]).astype(float)
        grade[:50] = np.nan
        return pd.DataFrame({"x": x, "grade": grade})

    score = score_of(comparison(rows(), rows(), rows(), schema), "grade")
    assert score.details["metric"].startswith("macro AUC")
    assert score.details["rows_tested_on"] == 450
    assert score.value > 0.98


def test_a_class_that_the_synthetic_rows_lack_counts_as_guessing(comparison, streams):
    rng = streams.numpy("classes")
    schema = Schema((Column("x", "number"), Column("y", "category")))

    def rows(n=300):
        x = rng.normal(size=n)
        return pd.DataFrame({"x": x, "y": np.array(["a", "b", "c"])[np.digitize(x, [-0.4, 0.4])]})

    made = rows(600)
    score = score_of(comparison(rows(), made[made["y"] != "c"], rows(), schema), "y")
    # Two classes are told well from the rest, the third one not at all.
    assert score.value < 0.9 < score.reference


def test_synthetic_rows_of_one_class_teach_nothing(comparison, sample):
    made = sample(300, "made").assign(ill="ill")
    compared = comparison(sample(300, "train"), made, sample(300, "holdout"))
    assert score_of(compared, "ill").value == 0.5


def test_without_a_holdout_the_score_says_that_it_flatters(comparison, sample):
    score = score_of(comparison(sample(200, "train"), sample(200, "made")), "ill")
    assert score.reference is None
    assert "flatters" in score.problem


def test_a_target_that_is_constant_or_never_compared_is_refused(comparison, sample):
    schema = Schema((Column("x", "number"), Column("y", "category"), Column("t", "text")))
    frame = pd.DataFrame({"x": range(60), "y": ["a"] * 60, "t": ["b"] * 60})
    compared = comparison(frame, frame, frame, schema)
    with pytest.raises(DataError, match="same value in all rows"):
        score_of(compared, "y")
    with pytest.raises(DataError, match="never compared"):
        score_of(compared, "t")


def test_several_targets_are_planned_one_by_one(comparison, sample):
    frame = sample(50, "a")
    planned = TrainOnSynthetic.plan(comparison(frame, frame, frame, targets=("ill", "age")))
    assert [measure.figures[0].name for measure in planned] == [
        "tstr",
        "tstr_logistic",
        "tstr_forest",
        "tstr:age",
        "tstr_ridge:age",
        "tstr_forest:age",
    ]


def test_the_weighted_area_is_that_of_repeated_rows(streams):
    from sklearn.metrics import roc_auc_score

    rng = streams.numpy("areas")
    odds = np.round(rng.random(60), 1)
    truth = rng.integers(0, 2, 60)
    weights = rng.integers(0, 4, (60, 3))
    found = macro_area(np.stack([1 - odds, odds], axis=1), truth)(weights)
    expected = [roc_auc_score(truth, odds, sample_weight=row) for row in weights.T]
    assert found == pytest.approx(expected)


def test_the_weighted_r2_is_that_of_repeated_rows(streams):
    from sklearn.metrics import r2_score

    rng = streams.numpy("r2")
    truth = rng.normal(100, 5, 60)
    guess = truth + rng.normal(0, 3, 60)
    weights = rng.integers(0, 4, (60, 3))
    found = r2(guess, truth)(weights)
    assert found == pytest.approx([r2_score(truth, guess, sample_weight=row) for row in weights.T])

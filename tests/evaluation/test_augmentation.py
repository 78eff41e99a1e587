from __future__ import annotations

import numpy as np
import pytest

from tabsynth.errors import DataError
from tabsynth.evaluation.augmentation import Augmentation


def score_of(compared, target="ill"):
    return Augmentation(target).measure(compared)[0]


def test_fresh_rows_help_where_real_ones_are_few(comparison, sample):
    compared = comparison(sample(60, "few"), sample(1000, "fresh"), sample(2000, "holdout"))
    score = score_of(compared)
    assert score.name == "augmentation:ill"
    # As many rows are added as half the holdout has; both samples are fresh.
    assert score.details["rows_added"] == 1000
    assert score.details["real_rows"] == 60
    assert score.details["rows_learnt_from"] == 1060
    assert 980 <= score.details["rows_tested_on"] <= 1000
    assert score.value > 0.03
    assert score.value == pytest.approx(score.reference, abs=0.03)
    assert score.interval.low < score.value < score.interval.high
    assert score.value > score.baseline


def test_rows_whose_labels_are_turned_round_do_harm(comparison, sample):
    wrong = sample(500, "fresh")
    wrong["ill"] = wrong["ill"].map({"ill": "well", "well": "ill"})
    score = score_of(comparison(sample(500, "train"), wrong, sample(1000, "holdout")))
    assert score.interval.high < 0
    assert score.value < score.baseline < score.reference + 0.02


def test_the_best_possible_gain_is_what_is_missing_to_perfection(comparison, sample):
    score = score_of(comparison(sample(300, "train"), sample(300, "made"), sample(600, "holdout")))
    assert score.best == pytest.approx(1 - score.details["real_alone"])
    assert score.details["real_and_synthetic"] - score.details["real_alone"] == score.value


def test_a_copy_of_the_training_rows_gains_about_nothing(comparison, sample):
    train = sample(800, "train")
    score = score_of(comparison(train, train, sample(1200, "holdout")), "age")
    assert score.details["metric"] == "R2"
    assert score.value < score.reference
    assert score.interval.low < score.value < score.interval.high


def test_a_learner_with_a_limit_takes_fewer_rows_of_both_kinds(comparison, sample, monkeypatch):
    monkeypatch.setattr("tabsynth.evaluation.augmentation.BOOSTED", _Limited())
    score = score_of(comparison(sample(400, "train"), sample(200, "made"), sample(400, "holdout")))
    assert score.details["real_rows"] == 200
    assert score.details["rows_added"] == 100


class _Limited:
    def most_rows(self, n_used, n_classes):
        return 300


def test_without_unseen_rows_or_different_values_there_is_a_reason(comparison, sample):
    with pytest.raises(DataError, match="No holdout"):
        score_of(comparison(sample(100, "train"), sample(100, "made")))
    few = sample(30, "holdout")
    with pytest.raises(DataError, match="Hold out more rows"):
        score_of(comparison(sample(100, "train"), sample(100, "made"), few))


def test_the_gain_over_rows_to_learn_from_is_not_taken_for_granted(comparison, sample):
    # Two samples of one population: gains differ by the luck of the draw, which the interval over
    # test rows alone would miss.
    compared = comparison(sample(600, "train"), sample(600, "made"), sample(1200, "holdout"))
    score = score_of(compared)
    assert score.interval.low <= score.reference <= score.interval.high
    assert "rows learnt from" in score.interval.method
    assert np.isfinite(score.details["fresh_gain_low"])

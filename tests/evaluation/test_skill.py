from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tabsynth.evaluation.skill import (
    average_precision,
    everything,
    f1,
    half_width,
    macro_area,
    percentiles,
    r2,
    resample,
    spread,
)


def covered(simulate, truth, rng, times=300):
    """Return how often the interval of a simulated figure holds the truth."""
    hits = 0
    for _ in range(times):
        statistic, n = simulate(rng)
        value = float(statistic(everything(n))[0])
        interval = percentiles(value, statistic(resample(n, rng)))
        hits += interval.low <= truth <= interval.high
    return hits / times


# 300 simulations have a standard error of 0.013; percentiles of 150 rows cover a little less
# than they say.
LEAST, MOST = 0.90, 0.985


def test_intervals_of_the_area_cover_the_truth_as_often_as_they_say(streams):
    def simulate(rng):
        truth = (rng.random(150) < 0.4).astype(int)
        scores = rng.normal(size=150) + truth
        return macro_area(np.stack([-scores, scores], axis=1), truth), 150

    truth = NormalDist().cdf(1 / 2**0.5)
    assert LEAST <= covered(simulate, truth, streams.numpy("area")) <= MOST


def test_intervals_of_r2_cover_the_truth_as_often_as_they_say(streams):
    def simulate(rng):
        known = rng.normal(size=150)
        return r2(known, known + rng.normal(size=150)), 150

    assert LEAST <= covered(simulate, 0.5, streams.numpy("r2")) <= MOST


def test_the_area_of_several_classes_is_the_mean_over_those_that_occur(streams):
    rng = streams.numpy("classes")
    truth = rng.integers(0, 3, 90)
    odds = np.round(rng.dirichlet(np.ones(4), 90), 1)
    expected = np.mean([roc_auc_score(truth == k, odds[:, k]) for k in range(3)])
    assert macro_area(odds, truth)(everything(90)) == pytest.approx([expected])


def test_a_draw_without_one_of_two_classes_has_no_area():
    odds = np.array([[0.4, 0.6], [0.7, 0.3], [0.5, 0.5]])
    draws = np.array([[1, 0], [1, 0], [1, 3]], dtype=np.uint8)
    found = macro_area(odds, np.array([1, 0, 0]))(draws)
    assert found[0] == 1.0
    assert np.isnan(found[1])


def test_every_draw_has_as_many_rows_as_there_are(streams):
    draws = resample(50, streams.numpy("a"), draws=7)
    assert draws.shape == (50, 7)
    assert (draws.sum(axis=0) == 50).all()


def test_an_interval_holds_its_value_and_leaves_out_draws_without_an_answer():
    interval = percentiles(0.9, np.array([0.5, np.nan, 0.6, 0.7]))
    assert interval.low == pytest.approx(0.505)
    assert interval.high == 0.9
    assert percentiles(0.5, np.array([np.nan])) is None


def test_figures_of_parts_tell_how_much_those_of_the_whole_differ(streams):
    rng = streams.numpy("parts")
    # The mean of 500 numbers of variance 1 has variance 1/500; parts have 100 each.
    means = rng.normal(size=(2000, 5, 100)).mean(axis=2)
    assert spread(means.T).mean() == pytest.approx(1 / 500, rel=0.1)


def test_few_parts_make_an_interval_wider():
    assert half_width(4.0, 0.0, 8) == pytest.approx(2 * 1.96, abs=0.001)
    assert half_width(0.0, 4.0, 2) > half_width(0.0, 4.0, 8) > half_width(4.0, 0.0, 8)


def test_figures_of_the_rarer_class_are_those_of_their_definitions():
    scores = np.array([0.9, 0.8, 0.3, 0.1])
    positive = np.array([True, False, True, False])
    assert average_precision(scores, positive) == pytest.approx((1 + 2 / 3) / 2)
    assert f1(scores > 0.5, positive) == 0.5
    assert f1(scores > 2, positive) == 0.0

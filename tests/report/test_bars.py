"""Predictions at a glance."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tabsynth.evaluation.result import Interval
from tabsynth.report import to_html
from tabsynth.report.bars import draw_predictions, predictions


@pytest.fixture
def several(evaluation):
    """An evaluation with three learners and a score of utility that is no prediction."""
    tstr = evaluation["tstr"]
    suffix = " (train on synthetic, test on real)"
    more = (
        replace(tstr, name="tstr_logistic", title=f"Predicting 'x' with one{suffix}", value=0.6),
        replace(tstr, name="tstr_ridge:y", value=-0.4, interval=None, reference=None),
        replace(tstr, name="tstr_forest", value=None, problem="Too few rows."),
        replace(tstr, name="importance:x"),
    )
    return replace(evaluation, scores=(*evaluation.scores, *more))


def test_every_prediction_with_a_value_has_a_bar(several):
    scores = predictions(several)
    assert [score.name for score in scores] == ["tstr", "tstr_logistic", "tstr_ridge:y"]
    svg = draw_predictions(scores, "k")
    assert ">0.731 / 0.774</text>" in svg
    assert ">-0.400 / –</text>" in svg
    assert ">Predicting &#39;x&#39; with one</text>" in svg
    assert draw_predictions([], "k") is None


def test_bars_are_as_long_as_their_values(several):
    scores = [replace(several["tstr"], value=v, interval=None, baseline=None) for v in (0.25, 0.75)]
    svg = draw_predictions(scores, "k")
    bars = re.findall(r'<path d="M ([\d.]+) \S+ L ([\d.]+)', svg)
    lengths = [float(right) - float(left) for left, right in bars[:12] if left != right]
    drawn = [length for length in lengths if 60 < length < 300]
    assert drawn[1] / drawn[0] == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("value", [-50.0, 0.0, 1.0, 7.0])
def test_odd_values_stay_on_the_chart(several, value):
    score = replace(
        several["tstr"], value=value, interval=Interval(value - 1, value + 1), baseline=value
    )
    svg = draw_predictions([score], "k")
    places = [float(x) for x in re.findall(r"[ML] (-?[\d.]+) ", svg)]
    assert places
    assert all(0 <= x <= 370 for x in places)


def test_the_chart_stands_where_there_is_more_than_one_prediction(several, evaluation):
    page = to_html(several)
    assert "Every prediction at a glance" in page
    assert 'aria-details="t-predictions"' in page
    assert 'id="t-predictions"' in page
    assert "Every prediction at a glance" not in to_html(evaluation)

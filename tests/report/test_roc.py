"""Attacks at few false alarms, and the band of chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tabsynth.evaluation.outcome import curve
from tabsynth.report import to_html
from tabsynth.report.roc import above, chance_band, draw_roc, rocs


@pytest.mark.parametrize("levels", [None, 25])
def test_an_attack_that_knows_nothing_stays_inside_the_band(streams, levels):
    # 600 attacks at 10 rates. At each, at most 2.5% may lie above and 2.5% below; four standard
    # errors of a share of 600 are 2.6%. Equal scores are in proportion, which only steadies them.
    rng = streams.numpy("chance")
    above = below = 0
    for _ in range(600):
        members, others = rng.random(400), rng.random(300)
        if levels:
            members, others = np.floor(levels * members), np.floor(levels * others)
        found = curve(members, others)
        low, high = chance_band(found["fpr"], 400, 300)
        above += np.array(found["tpr"]) > np.array(high) + 1e-12
        below += np.array(found["tpr"]) < np.array(low) - 1e-12
    assert (above / 600 < 0.051).all()
    assert (below / 600 < 0.051).all()
    if not levels:
        assert above.mean() / 600 > 0.01  # no wider than it need be


def test_the_band_is_wider_for_the_strongest_of_several_attacks():
    one, many = (chance_band([0.01, 0.1], 5000, 1000, tests) for tests in (1, 10))
    assert (np.array(many[0]) < one[0]).all()
    assert (np.array(many[1]) > one[1]).all()


def test_the_strongest_attacks_are_drawn_by_who_was_attacked(evaluation):
    found = rocs(evaluation)
    assert [roc.population for roc in found] == ["All rows"]
    assert [x.attack for x in found[0].curves] == ["nearest row", "local likelihood"]
    assert (found[0].members, found[0].others, found[0].tests) == (8000, 1000, 2)
    vulnerable = replace(evaluation["membership_tpr"], name="membership_vulnerable_tpr")
    more = rocs(replace(evaluation, scores=(*evaluation.scores, vulnerable)))
    assert [len(roc.curves) for roc in more] == [2, 1]


def test_two_scores_with_the_same_attack_are_one_line(evaluation):
    details = evaluation["membership_tpr"].details
    same = tuple(
        replace(score, details=details) if score.name == "membership_auc" else score
        for score in evaluation.scores
    )
    assert len(rocs(replace(evaluation, scores=same))[0].curves) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"roc": None},
        {"roc": {}},
        {"roc": {"fpr": [0.1], "tpr": [0.1]}},
        {"roc": {"fpr": ["a", None, True], "tpr": [1, 2, 3]}},
        {"members": 0},
        {"non_members": None},
    ],
)
def test_details_of_another_form_are_not_drawn(evaluation, changes):
    scores = tuple(
        replace(score, details={**score.details, **changes}) for score in evaluation.scores
    )
    assert rocs(replace(evaluation, scores=scores)) == []


def test_an_attack_above_the_band_is_told_from_one_inside(evaluation):
    assert above(rocs(evaluation)[0]) == "The first line is nowhere above the band."
    score = evaluation["membership_tpr"]
    strong = {"fpr": [0.001, 0.01, 0.1], "tpr": [0.2, 0.4, 0.8]}
    leaky = replace(score, details={**score.details, "roc": strong})
    roc = rocs(replace(evaluation, scores=(leaky,)))[0]
    assert above(roc) == "The first line is above the band at 0.1%, 1.0%, 10.0% false alarms."
    assert "logarithmic axes" in draw_roc(roc, "k")
    page = to_html(replace(evaluation, scores=(leaky,)))
    assert 'id="t-roc-0"' in page
    assert "20.0%" in page

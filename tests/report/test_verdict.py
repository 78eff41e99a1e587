"""What an evaluation says in plain words."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from tabsynth.evaluation.result import Evaluation, Interval, Score
from tabsynth.report import summary
from tabsynth.report.verdict import chance, excludes_chance, find_leaks, in_short


def attack(low=0.48, high=0.52, better="half", best=0.5, **more):
    known = {"value": (low + high) / 2, "interval": Interval(low, high)}
    known |= {"name": "attack", "title": "Attack", "explanation": ""}
    return Score(group="disclosure", better=better, best=best, **known | more)


def with_attacks(*scores, holdout=1000):
    return Evaluation(scores=scores, rows={"train": 1000, "synthetic": 1000, "holdout": holdout})


def with_score(evaluation, name, **changes):
    return replace(
        evaluation,
        scores=tuple(
            replace(score, **changes) if score.name == name else score
            for score in evaluation.scores
        ),
    )


@pytest.mark.parametrize(
    ("score", "found"),
    [
        (attack(0.48, 0.52), False),
        (attack(0.51, 0.55), True),
        (attack(0.45, 0.49), True),
        (attack(0.5, 0.55), False),
        (attack(0.012, 0.02, "lower", 0.01), True),
        (attack(0.008, 0.02, "lower", 0.01), False),
        (attack(0.001, 0.005, "lower", 0.01), False),
        (attack(0.2, 0.3, "lower", 0.0, reference=0.25), False),
        (attack(0.2, 0.3, "lower", 0.0, reference=0.1), True),
        (attack(0.2, 0.3, "lower", 0.0), False),
        (attack(0.2, 0.3, "lower", 0.0, details={"chance": 0.1}), True),
        (attack(0.6, 0.7, interval=None), False),
        (attack(0.6, 0.7, value=None), False),
    ],
)
def test_a_leak_is_an_interval_that_leaves_out_chance(score, found):
    assert excludes_chance(score) is found
    outcome = find_leaks(with_attacks(attack(), score)).outcome
    assert (outcome == "leak detected") is found


def test_chance_of_a_count_is_what_fresh_real_rows_get():
    assert chance(attack(better="lower", best=0.0, reference=0.02)) == 0.02
    assert chance(attack(better="lower", best=0.01, reference=0.02)) == 0.01
    assert chance(attack(better="lower", best=0.0)) is None


def test_without_a_holdout_the_finding_is_inconclusive_unless_there_is_a_leak():
    assert find_leaks(with_attacks(attack(), holdout=0)).outcome == "inconclusive"
    assert find_leaks(with_attacks(attack(0.6, 0.7), holdout=0)).outcome == "leak detected"


def test_an_attack_that_failed_makes_the_finding_inconclusive():
    failed = attack(value=None, interval=None, problem="too few rows", title="Other attack")
    finding = find_leaks(with_attacks(attack(), failed))
    assert finding.outcome == "inconclusive"
    assert finding.reason == "Too few rows."
    both = find_leaks(with_attacks(attack(0.6, 0.7), failed))
    assert both.outcome == "leak detected"


def test_without_an_interval_nothing_is_concluded():
    assert find_leaks(with_attacks(attack(interval=None))).outcome == "inconclusive"
    assert find_leaks(with_attacks()).reason == "No attack was run."


def test_the_four_lines_compare_with_reference_and_baseline(evaluation):
    fidelity, utility, disclosure, formal = in_short(evaluation)
    assert [line.topic for line in in_short(evaluation)] == [
        "Fidelity",
        "Utility",
        "Disclosure",
        "Formal privacy",
    ]
    for line, figures in (
        (fidelity, ("0.641", "0.503", "0.934")),
        (utility, ("0.731", "0.774", "0.502")),
        (disclosure, ("0.507", "0.489 to 0.525", "chance 0.500", "0.498", "0.501")),
    ):
        assert [figure for figure in figures if figure not in line.text] == []
    assert disclosure.verdict == "No leak detected at this power"
    assert not disclosure.grave
    assert "2,000 unseen real rows" in disclosure.text
    assert "No differential privacy" in formal.text


def test_a_leak_is_said_first_and_cannot_be_missed(evaluation):
    leaking = with_score(
        evaluation, "membership_auc", value=0.8, interval=Interval(0.79, 0.81, 0.95, "DeLong")
    )
    line = in_short(leaking)[2]
    assert line.verdict == "Leak detected"
    assert line.grave
    assert line.text.startswith("Membership attack, AUC 0.800 (95% interval 0.790 to 0.810")
    assert summary(leaking)[3].startswith("Disclosure: leak detected.")


def test_what_weakens_an_attack_is_said_beside_the_finding(evaluation):
    weak = with_score(evaluation, "membership_tpr", problem="only 300 rows were left")
    line = in_short(weak)[2]
    assert line.verdict == "No leak detected at this power"
    assert line.text.endswith("Only 300 rows were left.")


def test_the_headline_falls_to_the_next_score_that_has_a_value(evaluation):
    without = with_score(evaluation, "c2st", value=None, problem="no trees")
    assert "Pairs of columns differ" in in_short(without)[0].text
    broken = with_score(without, "tvd_2way", value=math.nan)
    assert "Single columns differ" in in_short(broken)[0].text


def test_a_reason_that_all_scores_share_is_said_once(evaluation):
    scores = tuple(
        replace(score, value=None, interval=None, problem="no rows were held out")
        for score in evaluation.scores
    )
    lines = in_short(replace(evaluation, scores=scores))
    assert lines[0].verdict == "Not measured"
    assert lines[0].text == "No rows were held out."


def test_the_summary_has_five_lines_in_a_fixed_order(evaluation):
    lines = summary(evaluation)
    assert [line.split(":")[0] for line in lines] == [
        "Rows",
        "Fidelity",
        "Utility",
        "Disclosure",
        "Privacy",
    ]
    assert lines[0] == "Rows: 10,000 synthetic, 8,000 training, 2,000 held out."
    assert "0.489 to 0.525" in lines[3]
    assert lines[4] == f"Privacy: {evaluation.privacy['statement']}"
    assert all("\n" not in line for line in lines)


def test_the_summary_of_nothing_still_has_five_lines():
    lines = summary(Evaluation(scores=()))
    assert len(lines) == 5
    assert lines[0] == "Rows: not recorded."
    assert "Nothing was recorded about differential privacy" in lines[4]


def test_a_budget_is_named_with_the_mechanism(evaluation):
    private = replace(
        evaluation,
        privacy={"mechanism": "DP-SGD", "epsilon": 1.0, "statement": "It holds."},
    )
    assert in_short(private)[3].verdict == "DP-SGD, ε = 1"


def test_no_line_promises_what_no_measurement_can(evaluation):
    promise = re.compile(r"\b(safe\w*|anonym\w*|complian\w*|certif\w*|risk[- ]free)\b", re.I)
    for case in (evaluation, Evaluation(scores=())):
        text = " ".join([*summary(case), *(line.verdict + line.text for line in in_short(case))])
        assert promise.findall(text) == []
        assert not re.search(r"\d+\s*(/|out of)\s*100", text)

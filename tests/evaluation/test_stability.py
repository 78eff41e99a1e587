from __future__ import annotations

import json

import pytest

from tabsynth.errors import DataError
from tabsynth.evaluation.result import Evaluation, Finding, Interval, Score, Verdict
from tabsynth.evaluation.stability import stability, with_stability


def score(name, value, better="higher", best=1.0, **known):
    return Score(name, name.upper(), "utility", value, better, best, "How.", **known)


def test_each_common_score_is_given_as_mean_and_spread():
    evaluations = [
        Evaluation(
            (
                score("tstr", value, interval=Interval(0.1, 0.9), reference=0.9, baseline=0.5),
                score("c2st", other, "half", 0.5),
            )
        )
        for value, other in ((0.80, 0.6), (0.84, 0.4), (0.82, 0.75))
    ]
    tstr, c2st = stability(evaluations)
    assert tstr.value == pytest.approx(0.82)
    assert tstr.details == {
        "mean": pytest.approx(0.82),
        "standard_deviation": pytest.approx(0.02),
        "minimum": 0.80,
        "maximum": 0.84,
        "worst": 0.80,
        "tables": 3,
    }
    assert tstr.interval is None
    assert tstr.reference == pytest.approx(0.9)
    assert tstr.baseline == 0.5
    assert tstr.explanation == "Mean over 3 tables made with different seeds. How."
    assert c2st.details["worst"] == 0.75
    json.dumps([one.to_dict() for one in (tstr, c2st)], allow_nan=False)


def test_only_scores_of_all_evaluations_are_given_in_the_order_of_the_first():
    first = Evaluation((score("b", 0.1), score("a", 0.2), score("only", 0.3)))
    second = Evaluation((score("a", 0.4), score("b", 0.5)))
    assert [one.name for one in stability([first, second])] == ["b", "a"]


def test_tables_without_a_value_are_counted_and_named():
    values = [0.5, None, 0.7]
    found = stability([Evaluation((score("a", v, problem="" if v else "No."),)) for v in values])
    assert found[0].value == pytest.approx(0.6)
    assert found[0].details["tables"] == 2
    assert found[0].problem == "1 of 3 tables have no value."
    none = stability([Evaluation((score("a", v),)) for v in (0.5, None)])[0]
    assert none.value is None
    assert "two are needed" in none.problem


def test_problems_are_said_once_and_findings_are_left_to_each_table():
    found = Finding("attack", "membership", 2, 0.01)
    one = Evaluation((score("a", 0.5, problem="No holdout.", findings=(found,), reference=0.1),))
    two = Evaluation((score("a", 0.5, problem="No holdout."),))
    joint = stability([one, two])[0]
    assert joint.problem == "No holdout."
    assert joint.findings == ()
    assert joint.reference is None


def test_one_evaluation_has_no_spread():
    with pytest.raises(DataError, match="at least two evaluations"):
        stability([Evaluation((score("a", 0.5),))])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("inconclusive", "leak detected", "inconclusive"), True),
        (("leak detected", "inconclusive", "inconclusive"), False),
        (("inconclusive", "inconclusive", "inconclusive"), False),
    ],
)
def test_a_leak_of_another_table_is_told(words, told):
    evaluations = [
        Evaluation((score("tstr", 0.8 + k / 100),), verdict=Verdict(word, 0.05))
        for k, word in enumerate(words)
    ]
    judged = with_stability(evaluations)
    assert judged.verdict == evaluations[0].verdict
    assert [one.details["tables"] for one in judged.stability] == [3]
    assert any("leak detected" in notice for notice in judged.notices) is told
    again = Evaluation.from_dict(json.loads(judged.to_json()))
    assert again.stability == judged.stability


def test_one_table_has_no_stability():
    alone = Evaluation((score("tstr", 0.8),))
    assert with_stability([alone]) is alone

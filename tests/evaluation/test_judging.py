"""The verdict that is drawn from the findings of all scores."""

from __future__ import annotations

import re
import sys

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.attacks import Attack, attacks
from tabsynth.evaluation.base import measures
from tabsynth.evaluation.evaluate import evaluate
from tabsynth.evaluation.result import Evaluation, Finding, Score
from tabsynth.evaluation.verdict import ALPHA, holm, judge
from tabsynth.schema import Column, Schema

WORDS = {"leak detected", "no leak detected at this power", "inconclusive"}
PROMISES = r"\b(safe|anonymous|anonymi[sz]ed|compliant|compliance|certif\w+|zero risk)\b"


def finding(p_value, attack="attack", problem=""):
    return Finding(attack, "membership", 2, p_value, problem=problem)


def score(*findings, name="attack", group="disclosure", **details):
    return Score(name, name, group, 0.5, "half", 0.5, "Attacks.", details=details,
                 findings=findings)  # fmt: skip


@pytest.fixture(scope="module")
def tables(sample):
    return {name: sample(900, name) for name in ("train", "synthetic", "holdout")}


@pytest.fixture(scope="module")
def compared(comparison, tables):
    return comparison(*tables.values())


@pytest.fixture
def quick(monkeypatch):
    """Evaluate with the measures of membership and exact copies only."""
    measures.names()  # so that all members are known before some are left out
    for name in set(measures.names()) - {"membership", "exact_copies"}:
        monkeypatch.delitem(measures._members, name)

    def run(train, synthetic, holdout, **more):
        found = evaluate(train, synthetic, holdout=holdout, **more).verdict
        assert found.word in WORDS
        assert found.reasons
        assert not re.search(PROMISES, " ".join(found.reasons), re.IGNORECASE)
        return found

    return run


def test_adjusted_p_values_are_those_of_holm(streams):
    raw = streams.numpy("holm").random(30) ** 3
    found = holm([finding(p) for p in raw])
    ordered = np.sort(raw)
    by_hand = [min(1, max((30 - j) * ordered[j] for j in range(i + 1))) for i in range(30)]
    np.testing.assert_allclose([f.adjusted for f in found], by_hand)
    assert [f.p_value for f in found] == ordered.tolist()


def test_attacks_that_were_not_run_come_last_and_do_not_count():
    found = holm([finding(None, "a", "failed"), finding(0.03, "b"), finding(0.02, "c")])
    assert [(f.attack, f.adjusted) for f in found] == [("c", 0.04), ("b", 0.04), ("a", None)]
    assert holm([]) == ()


def test_one_finding_that_stands_after_correction_is_a_leak(compared):
    many = [finding(0.5, f"a{number}") for number in range(49)]
    verdict = judge(compared, [score(finding(0.0009, "the one")), score(*many)])
    assert verdict.word == "leak detected"
    assert verdict.findings[0].attack == "the one"
    assert "the one" in verdict.reasons[0]
    assert "50 tests" in verdict.reasons[0]
    assert verdict.smallest_leak is None
    assert judge(compared, [score(finding(0.0011)), score(*many)]).word != "leak detected"


def test_without_a_leak_it_says_what_would_have_been_seen(compared):
    verdict = judge(compared, [score(*(finding(0.2) for _ in range(20)))])
    assert verdict.word == "no leak detected at this power"
    assert verdict.alpha == ALPHA == 0.05
    assert 0.001 <= verdict.smallest_leak <= 0.1
    assert f"{100 * verdict.smallest_leak:g}%" in verdict.reasons[1]


def test_a_failed_attack_makes_it_inconclusive_unless_another_finds_a_leak(compared):
    failed = finding(None, "broken", "It broke.")
    verdict = judge(compared, [score(failed, finding(0.4))])
    assert verdict.word == "inconclusive"
    assert "broken. It broke." in verdict.reasons[0]
    verdict = judge(compared, [score(failed, finding(1e-9, "strong"))])
    assert verdict.word == "leak detected"
    assert "strong" in verdict.reasons[0]
    assert "It broke." in verdict.reasons[-1]


def test_a_measure_that_could_not_be_taken_counts_only_if_it_is_of_disclosure(compared):
    scores = [score(finding(0.4)), score(name="copies"), score(name="c2st", group="fidelity")]
    assert judge(compared, scores, {"copies": "Too few rows."}).word == "inconclusive"
    assert judge(compared, scores, {"c2st": "Too few rows."}).word != "inconclusive"


def test_a_figure_that_does_not_apply_is_no_obstacle(compared):
    absent = Score("keys", "Keys", "disclosure", None, "lower", 0.0, "Keys.", problem="No keys.")
    assert judge(compared, [score(finding(0.4)), absent]).word != "inconclusive"


def test_no_attack_at_all_is_inconclusive(compared):
    assert judge(compared, []).reasons == ("No attack was run.",)


def test_rows_too_much_alike_to_show_a_leak_are_inconclusive(comparison):
    frames = [pd.DataFrame({"a": list("xy") * 100}) for _ in range(3)]
    alike = comparison(*frames, Schema((Column("a", "category"),)))
    verdict = judge(alike, [score(finding(0.9))])
    assert verdict.word == "inconclusive"
    assert "too weak" in verdict.reasons[0]


def test_fresh_rows_are_no_leak_and_copies_are_one(quick, tables, mixed):
    assert quick(**tables, schema=mixed).word == "no leak detected at this power"
    leaky = pd.concat([tables["train"].iloc[:60], tables["synthetic"].iloc[60:]])
    found = quick(**{**tables, "synthetic": leaky}, schema=mixed)
    assert found.word == "leak detected"
    assert all("p = " in reason for reason in found.reasons[:3])


def test_without_a_holdout_it_is_inconclusive_even_for_a_copy(quick, tables, mixed):
    for made in (tables["synthetic"], tables["train"]):
        found = quick(tables["train"], made, None, schema=mixed)
        assert found.word == "inconclusive"
        assert "held out" in found.reasons[0]


def test_a_synthetic_table_without_rows_is_inconclusive(quick, tables, mixed):
    found = quick(**{**tables, "synthetic": tables["train"].iloc[:0]}, schema=mixed)
    assert (found.word, found.reasons) == ("inconclusive", ("The synthetic table has no rows.",))


def test_few_rows_are_inconclusive(quick, tables, mixed):
    found = quick(*(frame.iloc[:30] for frame in tables.values()), schema=mixed)
    assert found.word == "inconclusive"
    assert "Too few rows" in " ".join(found.reasons)


def test_the_holdout_given_as_synthetic_table_is_noticed(quick, tables, mixed):
    found = quick(**{**tables, "synthetic": tables["holdout"]}, schema=mixed)
    assert found.word == "inconclusive"
    assert "100% of the synthetic rows are rows of the holdout" in found.reasons[0]


def test_swapped_tables_are_noticed(quick, tables, mixed):
    leaky = pd.concat([tables["train"].iloc[:400], tables["synthetic"].iloc[400:]])
    found = quick(tables["holdout"], leaky, tables["train"], schema=mixed)
    assert found.word == "inconclusive"
    assert "swapped" in found.reasons[0]


def test_rows_filtered_for_being_near_training_rows_are_not_called_clean(quick, streams):
    from tabsynth.evaluation.distance import neighbours

    rng = streams.numpy("filter")
    train, holdout = rng.normal(size=(2, 800, 4))
    made = rng.normal(size=(4000, 4))
    near = neighbours(made.astype(np.float32), train.astype(np.float32), 1).first
    kept = made[np.argsort(-near)[:2000]]
    found = quick(*(pd.DataFrame(x, columns=list("abcd")) for x in (train, kept, holdout)))
    assert found.word != "no leak detected at this power"


class Broken(Attack):
    title = "broken"

    def score(self, scene):
        raise ValueError("secret cell")


def test_an_attack_that_raises_makes_it_inconclusive_unless_there_is_a_leak(
    quick, tables, mixed, monkeypatch
):
    attacks.names()
    monkeypatch.setitem(attacks._members, "broken", Broken)
    found = quick(**tables, schema=mixed)
    assert found.word == "inconclusive"
    assert "ValueError" in found.reasons[0]
    assert "secret" not in " ".join(found.reasons)
    copied = quick(**{**tables, "synthetic": tables["train"]}, schema=mixed)
    assert copied.word == "leak detected"


def test_a_verdict_that_cannot_be_drawn_is_inconclusive(quick, tables, mixed, monkeypatch):
    def fail(*rest):
        raise ValueError("secret cell")

    monkeypatch.setattr(sys.modules["tabsynth.evaluation.evaluate"], "judge", fail)
    found = quick(**tables, schema=mixed)
    assert found.word == "inconclusive"
    assert "secret" not in found.reasons[0]
    monkeypatch.undo()


def test_power_that_cannot_be_measured_makes_it_inconclusive(compared, monkeypatch):
    def fail(*rest):
        raise ValueError("secret cell")

    monkeypatch.setattr("tabsynth.evaluation.verdict.smallest_leak", fail)
    verdict = judge(compared, [score(finding(0.4))])
    assert verdict.word == "inconclusive"
    assert "ValueError" in verdict.reasons[0]


def test_a_verdict_survives_its_json_form(quick, tables, mixed):
    found = evaluate(**tables, schema=mixed)
    assert Evaluation.from_dict(found.to_dict()).verdict == found.verdict

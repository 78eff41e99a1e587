"""The verdict and the tests behind it, in every view."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabsynth.evaluation.result import Evaluation, Finding, Score, Verdict
from tabsynth.report import summary, to_card, to_html
from tabsynth.report.findings import (
    PRINCIPLES,
    principle_of,
    sample_sizes,
    smallest_leak,
    tallies,
    trials,
)
from tabsynth.report.verdict import find_leaks, in_short

FINDINGS = (
    Finding("the nearest row", "membership", 2, 0.2, 0.6),
    Finding("word for word", "copying", 1, 1.0, 1.0),
    Finding("rare numbers", "copying", 1, None, None, "No number is rare."),
    Finding("descriptions that fit one row", "singling out", 2, 0.5, 1.0),
)
CALM = Verdict(
    "no leak detected at this power",
    0.05,
    FINDINGS,
    0.005,
    ("3 tests found no difference.", "Copies would have been noticed."),
)
LEAK = Verdict(
    "leak detected",
    0.05,
    (Finding("the nearest row", "membership", 2, 1e-9, 4e-9), *FINDINGS[1:]),
    None,
    ("Training rows are more exposed (membership).",),
)
OPEN = Verdict("inconclusive", 0.05, FINDINGS, None, ("Could not be run: rare numbers.",))


@pytest.fixture
def judged(evaluation):
    """Return an evaluation with any verdict."""
    rows = {"synthetic_measured": 900, "train_measured": 800, "holdout_measured": 200}

    def make(verdict):
        return replace(evaluation, verdict=verdict, rows={**evaluation.rows, **rows})

    return make


@pytest.mark.parametrize("verdict", [CALM, LEAK, OPEN])
def test_the_verdict_decides_the_words_of_every_view(judged, verdict):
    found = judged(verdict)
    line = in_short(found)[2]
    assert find_leaks(found).outcome == verdict.word
    assert line.verdict.lower() == verdict.word
    assert line.grave == (verdict.word == "leak detected")
    assert verdict.reasons[0] in line.text
    assert summary(found)[3].startswith(f"Disclosure: {verdict.word}. {verdict.reasons[0]}")
    assert f"<strong>{verdict.word.capitalize()}.</strong> {verdict.reasons[0]}" in to_html(found)
    card = to_card(found)
    assert f"**Disclosure:** {line.verdict}." in card
    assert "900 synthetic, 800 training and 200 held-out rows" in card


def test_the_intervals_of_scores_do_not_overrule_the_verdict(judged):
    loud = tuple(
        replace(score, value=0.9, interval=replace(score.interval, low=0.8, high=1.0))
        if score.name == "membership_auc"
        else score
        for score in judged(None).scores
    )
    assert find_leaks(replace(judged(None), scores=loud)).outcome == "leak detected"
    assert find_leaks(replace(judged(CALM), scores=loud)).outcome == CALM.word


def test_the_page_names_the_smallest_planted_leak_only_where_one_was_seen(judged):
    words = "The smallest planted leak that would have been seen"
    assert f"{words}: copies of training rows as 0.5% of the synthetic rows." in to_html(
        judged(CALM)
    )
    assert words in summary(judged(CALM))[3]
    for verdict in (LEAK, OPEN, None):
        assert smallest_leak(verdict) == ""
        assert words not in to_html(judged(verdict))


def test_every_test_is_listed_with_both_p_values_and_its_problem(judged):
    page = to_html(judged(LEAK))
    assert "All 4 tests" in page
    for finding in LEAK.findings:
        assert finding.attack in page
        assert finding.problem in page
    assert "<strong>&lt;0.0001</strong>" in page
    assert [trial.principle for trial in trials(LEAK)] == [
        "Singling out",
        "Membership",
        "Copying",
        "Copying",
    ]
    assert [trial.leak for trial in trials(LEAK)] == [False, True, False, False]


def test_each_principle_is_summed_up_even_where_nothing_was_tested():
    found = {tally.principle.lower(): tally for tally in tallies(LEAK)}
    assert list(found) == list(PRINCIPLES)
    assert found["membership"].outcome == "leak detected"
    assert found["linkability"].outcome == "not tested"
    assert (found["copying"].run, found["copying"].not_run) == (1, 1)
    assert "not all tests could be run" in found["copying"].outcome
    assert tallies(None) == tallies(replace(LEAK, findings=())) == []


def test_scores_stand_below_the_principle_of_their_tests(judged):
    page = to_html(judged(CALM))
    assert page.index(">Membership</h3>") < page.index("Membership attack, AUC</h3>")
    assert page.index("Membership attack, AUC</h3>") < page.index(">Copying</h3>")
    assert page.index(">Singling out</h3>") < page.index(">Linkability</h3>")
    assert "Do different facts about one person" in page
    score = Score("odd", "Odd", "disclosure", 0.1, "lower", 0.0, "")
    assert principle_of(score) == "copying"
    assert principle_of(replace(score, findings=FINDINGS[3:])) == "singling out"


def test_a_principle_nobody_knows_is_shown_too():
    odd = Verdict("inconclusive", 0.05, (Finding("new", "reconstruction", 3, 0.5, 0.5),))
    assert [trial.principle for trial in trials(odd)] == ["Reconstruction"]
    assert tallies(odd)[-1].principle == "Reconstruction"


def test_secondary_scores_share_a_table_and_stay_small(evaluation):
    more = tuple(
        replace(score, name=f"{score.group}_{n}", title=f"Further {score.group} {n}", problem="")
        for score in evaluation.scores
        for n in range(30)
    )
    fair = Score("gap", "Gap of groups", "fairness", 0.1, "lower", 0.0, "A gap.", reference=0.2)
    page = to_html(replace(evaluation, scores=(*evaluation.scores, *more, fair)))
    plain = to_html(evaluation)
    assert page.count("<svg") == plain.count("<svg")
    assert len(page.encode()) < 2_000_000
    assert page.count("Further figures</h3>") == 2
    assert 'href="#fairness"' in page
    assert 'href="#fairness"' not in plain
    assert "Gap of groups" in page


def test_sample_sizes_are_said_where_they_are_known():
    assert sample_sizes(Evaluation(scores=())) == ""
    rows = {"train_measured": 1000, "synthetic_measured": 2000}
    assert (
        sample_sizes(Evaluation(scores=(), rows=rows)) == "2,000 synthetic and 1,000 training rows"
    )

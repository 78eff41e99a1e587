"""The shareable report: words and sample sizes, and nothing that is a statistic of real rows."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from tabsynth.evaluation.result import Evaluation, Finding, Interval, Verdict
from tabsynth.report import to_html, to_shareable
from tabsynth.report.shareable import CAVEAT

WORD = "sentinelword"
"""Stands wherever a text could tell something of real rows."""
NUMBER = 0.7391846205
"""Stands wherever a figure of real rows stands; its digits are looked for in every rounding."""
TRACES = re.compile(r"sentinel|739|73\.9|\.74\b|0\.7\b|7391", re.I)

FINDINGS = (
    Finding("the nearest row, on all rows", "membership", 2, NUMBER, NUMBER, WORD),
    Finding("a row of one's own", "copying", 1, None, None, WORD),
)


@pytest.fixture
def planted(evaluation):
    """An evaluation with a trace in every field that comes from real rows."""
    scores = tuple(
        replace(
            score,
            value=NUMBER,
            interval=Interval(NUMBER, NUMBER, NUMBER, WORD),
            reference=NUMBER,
            baseline=NUMBER,
            explanation=WORD,
            reference_text=WORD,
            problem=WORD,
            details={"worst": [WORD, NUMBER], "rows": [739184], WORD: NUMBER},
        )
        for score in evaluation.scores
    )
    columns = tuple(
        replace(
            column,
            name=f"{WORD} {place}",
            cells=tuple(f"{WORD} {cell}" for cell in column.cells),
            edges=tuple(739.0 + edge for edge, _ in enumerate(column.edges)),
            real=tuple(NUMBER for _ in column.real),
            synthetic=tuple(NUMBER for _ in column.synthetic),
            tvd=NUMBER,
            reference=NUMBER,
            treatment=WORD,
        )
        for place, column in enumerate(evaluation.columns)
    )
    pairs = replace(
        evaluation.pairs,
        columns=tuple(f"{WORD} {name}" for name in evaluation.pairs.columns),
        tvd=tuple(tuple(NUMBER for _ in row) for row in evaluation.pairs.tvd),
        worst=tuple(replace(x, first=WORD, second=WORD) for x in evaluation.pairs.worst),
    )
    return replace(
        evaluation,
        scores=scores,
        columns=columns,
        pairs=pairs,
        rows={**evaluation.rows, WORD: 739, "rare": 739},
        privacy={**evaluation.privacy, WORD: WORD, "seconds": NUMBER},
        provenance={
            **evaluation.provenance,
            "seed": 739,
            "source": f"{WORD}.csv",
            "source_sha256": WORD,
            "parameters": {"epochs": 739, WORD: WORD},
            "model_reason": WORD,
            WORD: NUMBER,
        },
        notices=(f"{WORD} {NUMBER}",),
        verdict=Verdict("leak detected", NUMBER, FINDINGS, NUMBER, (f"{WORD} {NUMBER}",)),
    )


def words_of(page):
    """Return a page without its style sheet, whose numbers are sizes."""
    return re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def test_no_trace_of_real_rows_is_on_the_shareable_page(planted):
    assert TRACES.search(words_of(to_html(planted)))  # the traces can be seen
    page = to_html(planted, shareable=True)
    assert TRACES.findall(words_of(page)) == []
    assert TRACES.findall(json.dumps(to_shareable(planted).to_dict())) == []


def test_what_differs_between_real_rows_shows_in_words_only(planted):
    # Everything that is not named in the class may change without changing the page.
    other = replace(
        planted,
        scores=tuple(
            replace(score, value=0.61, reference=0.61, baseline=0.61, interval=None, details={})
            for score in planted.scores
        ),
        columns=(),
        pairs=Evaluation(scores=()).pairs,
        notices=(),
        provenance={k: planted.provenance[k] for k in ("table", "date", "model", "versions")},
        privacy={k: planted.privacy[k] for k in ("mechanism", "statement")},
        verdict=replace(
            planted.verdict,
            findings=tuple(
                replace(f, p_value=f.p_value and 0.01, adjusted=f.p_value and 0.04)
                for f in reversed(FINDINGS)
            ),
            alpha=0.05,
            smallest_leak=None,
            reasons=(),
        ),
    )
    assert to_shareable(other).verdicts == to_shareable(planted).verdicts
    assert to_html(other, shareable=True) == to_html(planted, shareable=True)


def test_the_page_says_what_may_be_told(planted):
    page = to_html(planted, shareable=True)
    text = " ".join(re.sub(r"<[^>]+>", " ", words_of(page)).split())
    for words in (
        "hospital_admissions.csv",
        "2026-03-02",
        "tvae",
        "torch 2.13.0",
        "synthetic rows 10,000",
        "real rows held out, which it never saw 2,000",
        "Leak detected",
        "the nearest row, on all rows",
        "a row of one&#39;s own: could not be run.",
        "No differential privacy was used",
        "Privacy loss, epsilon none",
        "clause 6, context assessment",
        "clause 8.2.3, adversarial testing",
        "clause 9, governance",
        CAVEAT,
    ):
        assert words in text.replace("<wbr>", ""), words
    assert "Confidential" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert re.findall(r"\b(safe\w*|anonym\w*|complian\w*|certified)\b", text, re.I) == []


def test_the_order_of_attacks_does_not_tell_which_was_strongest(planted):
    turned = replace(planted.verdict, findings=tuple(reversed(planted.verdict.findings)))
    assert to_shareable(replace(planted, verdict=turned)) == to_shareable(planted)


def test_a_budget_and_what_it_was_spent_on_are_told(evaluation):
    privacy = {
        "mechanism": "MST",
        "epsilon": 1.0,
        "delta": 1e-6,
        "unit": "one row",
        "neighbours": "add or remove one row",
        "statement": "Private.",
        "spends": [{"what": "pairs", "mechanism": "Gaussian", "epsilon": 1.0, "counts": WORD}],
    }
    found = to_shareable(replace(evaluation, privacy=privacy))
    assert found.verdicts["Formal privacy"] == "MST, ε = 1"
    assert found.formal["Neighbour relation"] == "add or remove one row"
    assert found.formal["Mechanisms"] == "Gaussian"
    assert [spend.what for spend in found.spends] == ["pairs"]
    page = to_html(replace(evaluation, privacy=privacy), shareable=True)
    assert 'aria-details="t-ledger"' in page
    assert WORD not in page


def test_nothing_at_all_can_be_shared_too():
    found = to_shareable(Evaluation(scores=()))
    assert found.verdicts["Disclosure"] == "Inconclusive"
    assert {principle.outcome for principle in found.principles} == {"not tested"}
    assert found.formal["Mechanisms"] == "not recorded"
    page = to_html(Evaluation(scores=()), shareable=True)
    assert "A synthetic table" in page


def test_markup_in_names_is_shown_and_not_obeyed(evaluation):
    mark = "<script>alert(1)</script>"
    odd = replace(
        evaluation,
        provenance={"table": mark, "model": mark, "versions": {mark: mark}},
        privacy={"statement": mark},
        verdict=Verdict("inconclusive", 0.05, (Finding(mark, "copying", 1, 0.5, 0.5),)),
    )
    assert "<script" not in to_html(odd, shareable=True)

"""What is said about formal privacy: the same elements with a budget and without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabsynth.evaluation.result import Evaluation
from tabsynth.report import to_html
from tabsynth.report.bars import draw_budget
from tabsynth.report.formal import adds_up, elements, further, has_budget, spends, uncovered

SPENDS = [
    {"what": "columns", "mechanism": "Gaussian", "epsilon": 0.3, "rho": 0.01},
    {"what": "pairs", "mechanism": "exponential", "epsilon": 0.6, "rho": 0.03},
]
BUDGET = {
    "mechanism": "MST",
    "epsilon": 0.8,
    "delta": 1e-6,
    "neighbours": "add or remove one row",
    "unit": "one row",
    "spends": SPENDS,
}


def private(**changes):
    return Evaluation(scores=(), privacy={**BUDGET, **changes})


def test_the_same_elements_are_named_with_a_budget_and_without():
    none = Evaluation(scores=(), privacy={"mechanism": "none"})
    names = [name for name, _ in elements(none)]
    assert names == [name for name, _ in elements(private())]
    assert names == [
        "Privacy loss, epsilon",
        "Failure probability, delta",
        "Unit of privacy",
        "Neighbour relation",
        "Mechanisms",
        "Trust model",
    ]
    assert all(text.startswith(("none", "Central")) for _, text in elements(none))
    for name in names:
        assert name in to_html(none)


def test_what_is_not_recorded_is_not_claimed():
    unknown = dict(elements(Evaluation(scores=())))
    assert unknown["Mechanisms"] == unknown["Trust model"] == "not recorded"
    bare = dict(elements(Evaluation(scores=(), privacy={"mechanism": "MST", "epsilon": 1.0})))
    assert bare["Unit of privacy"] == "not recorded"
    assert bare["Mechanisms"] == "MST"


def test_a_budget_is_told_element_by_element():
    assert elements(private()) == [
        ("Privacy loss, epsilon", "0.8"),
        ("Failure probability, delta", "1e-06"),
        ("Unit of privacy", "one row"),
        ("Neighbour relation", "add or remove one row"),
        ("Mechanisms", "Gaussian, exponential"),
        (
            "Trust model",
            "Central: whoever ran the program saw the real rows and is trusted with them.",
        ),
    ]
    assert dict(elements(private(trust_model="local")))["Trust model"] == "Local."
    assert uncovered(private())[0].startswith("This report")
    assert uncovered(Evaluation(scores=()))[0].startswith("Everything")


def test_shares_of_the_budget_are_rho_where_every_release_has_it():
    assert [spend.share for spend in spends(private())] == [0.01, 0.03]
    plain = [{k: v for k, v in spend.items() if k != "rho"} for spend in SPENDS]
    assert [spend.share for spend in spends(private(spends=[SPENDS[0], plain[1]]))] == [0.3, 0.6]
    assert [spend.what for spend in spends(private(spends=[{"epsilon": 1}]))] == ["release 1"]


def test_spends_that_do_not_add_up_are_explained():
    assert "0.900; accounted for together they are ε = 0.800" in adds_up(private())
    assert adds_up(private(epsilon=0.9)) == "The spends add up to the budget, ε = 0.900."
    assert "of a budget of ε = 2." in adds_up(private(epsilon=2.0))
    assert adds_up(private(spends=[{"what": "x"}])) == adds_up(Evaluation(scores=())) == ""


def test_the_budget_bar_has_a_part_for_each_release_in_proportion():
    svg = draw_budget(spends(private()), "k")
    assert svg.count("<path") == 2
    assert draw_budget([], "k") is None
    assert draw_budget(spends(private(spends=[{"what": "x", "epsilon": None}])), "k") is None
    page = to_html(private())
    assert "Share of the privacy budget that each release took" in page
    assert "accounted for together" in page
    assert "Share of the privacy budget" not in to_html(Evaluation(scores=()))


@pytest.mark.parametrize("epsilon", [None, True, "1", float("nan"), float("inf")])
def test_only_a_finite_number_is_a_budget(epsilon):
    assert not has_budget(private(epsilon=epsilon))


def test_further_entries_are_shown_and_known_ones_not_twice():
    assert further(private(conversion="optimal")) == [("Conversion", "optimal")]
    with_ledger = replace(private(), privacy={**BUDGET, "ledger": {"entries": SPENDS}})
    assert further(with_ledger) == []


def test_what_is_not_covered_is_told_as_it_was_recorded():
    told = private(not_covered=["Several rows of one person.", 7])
    assert uncovered(told) == ("Several rows of one person.",)
    assert uncovered(private(not_covered="text")) == uncovered(private(not_covered=[]))
    assert uncovered(private(not_covered=[])) == uncovered(private())
    assert "Several rows of one person." in to_html(told)
    assert further(told) == []


def test_entries_that_hold_nothing_are_not_shown():
    assert further(private(flaws=[], facts={})) == []

"""The ledger: debited before, all or none, and told in a JSON that claims nothing it may not."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth import Synthesizer
from tabsynth.errors import BudgetExceeded, PrivacyError
from tabsynth.evaluation.result import Evaluation
from tabsynth.privacy.accounting import Spend, epsilon_of
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.ledger import NOT_COVERED, Ledger
from tabsynth.report import to_html
from tabsynth.report.formal import elements, further, has_budget, ledger_entries, spends, uncovered
from tabsynth.report.shareable import to_shareable
from tabsynth.schema import Column, Schema

BUDGET = PrivacyBudget(1.0, 1e-6)
# From the list of what must never be said of a table.
NEVER_CLAIM = (
    "anonym",
    "gdpr",
    "hipaa",
    "compliant",
    "no personal data",
    "zero risk",
    "100 %",
    "re-identif",
    "safe",
    "certif",
    "endors",
)


def marginals():
    """Return a ledger of counts, a threshold and a choice."""
    ledger = Ledger(BUDGET, facts={"rows": "noisy"})
    ledger.debit(Spend("number of rows", "gaussian", 60.0))
    ledger.debit(
        Spend("values of 'city'", "gaussian", 30.0, delta=1e-7),
        Spend("which columns depend on each other", "exponential", 0.1, 3, sensitivity=2.0),
    )
    return ledger


def network():
    """Return a ledger of counts and steps of training that use up the budget."""
    ledger = Ledger(BUDGET)
    ledger.debit(Spend("counts of 'age'", "gaussian", 40.0))
    noise = ledger.noise_for(0.05, 200)
    ledger.debit(Spend("steps of training", "sampled gaussian", noise, 200, 0.05))
    return ledger


def test_what_is_too_much_is_refused_and_nothing_is_written_down():
    ledger = marginals()
    before, spent = list(ledger.spends), ledger.epsilon()
    with pytest.raises(BudgetExceeded, match=r"counts of 'a'; counts of 'b'.*larger epsilon"):
        ledger.debit(
            Spend("counts of 'a'", "gaussian", 50.0), Spend("counts of 'b'", "gaussian", 1)
        )
    assert ledger.spends == before
    assert ledger.epsilon() == spent
    ledger.debit(Spend("counts of 'a'", "gaussian", 50.0))
    assert len(ledger.spends) == len(before) + 1


def test_thresholds_may_not_use_up_the_delta():
    ledger = Ledger(BUDGET)
    with pytest.raises(BudgetExceeded):
        ledger.debit(Spend("values of 'city'", "gaussian", 1e5, delta=BUDGET.delta))
    assert ledger.spends == []
    assert ledger.delta_left() == BUDGET.delta


@given(
    epsilon=st.floats(0.01, 20.0),
    delta=st.sampled_from([1e-9, 1e-6, 1e-3]),
    parts=st.lists(
        st.tuples(
            st.sampled_from(["gaussian", "exponential"]),
            st.floats(1e-4, 1.0),
            st.integers(1, 40),
            st.sampled_from([0.0, 0.01, 0.2]),
        ),
        max_size=6,
    ),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("account", ["zcdp", "gaussian"])
def test_whatever_is_left_can_be_debited_in_any_parts(account, epsilon, delta, parts):
    ledger = Ledger(PrivacyBudget(epsilon, delta), account=account)
    for mechanism, share, number, threshold in [*parts, ("exponential", 1.0, 3, 0.0)]:
        if threshold:
            # A threshold lessens what is left by more than its noise costs: it may be refused.
            spend = Spend("y", "gaussian", 1e3 / epsilon, delta=threshold * delta)
            try:
                ledger.debit(spend)
            except BudgetExceeded:
                continue
        rho = ledger.left() * share / number
        if rho < 1e-12:
            continue
        noise = math.sqrt(1 / (2 * rho)) if mechanism == "gaussian" else ledger.choice(rho)
        assert account == "gaussian" or ledger.choice(rho) == math.sqrt(8 * rho)
        ledger.debit(*(Spend("x", mechanism, noise) for _ in range(number)))
    assert ledger.epsilon() <= epsilon
    assert ledger.left() <= 1e-6 * ledger.budget.epsilon or not ledger.spends


def test_nothing_is_left_for_counts_after_sampled_steps():
    assert network().left() == 0.0


def test_the_noise_that_a_ledger_gives_can_be_debited_and_uses_up_the_budget():
    ledger = network()
    assert 0.98 < ledger.epsilon() <= BUDGET.epsilon
    with pytest.raises(BudgetExceeded):
        ledger.debit(Spend("one more", "gaussian", 5.0))


def test_the_account_of_a_ledger_is_kept_and_an_older_file_has_the_other_one():
    ledger = Ledger(BUDGET, account="gaussian")
    ledger.debit(Spend("x", "gaussian", 20.0), Spend("y", "exponential", 0.01))
    state = ledger.to_dict()
    again = Ledger.from_dict(state)
    assert again.account == "gaussian"
    assert again.epsilon() == ledger.epsilon()
    del state["account"]
    assert Ledger.from_dict(state).account == "zcdp"
    with pytest.raises(PrivacyError, match="'zcdp', 'gaussian'"):
        Ledger(BUDGET, account="renyi")


def test_a_fit_uses_its_budget_up_by_the_account_of_gaussian_noise():
    rng = np.random.default_rng(0)
    some = rng.integers(0, 4, 2_000)
    frame = pd.DataFrame({"a": some, "b": (some + rng.integers(0, 2, 2_000)) % 4, "c": some // 2})
    schema = Schema(
        tuple(Column(n, "number", parameters={"minimum": 0, "maximum": 3}) for n in frame)
    )
    for model in ("marginal", "independent"):
        ledger = Synthesizer(model, schema=schema, epsilon=1.0, seed=1).fit(frame).ledger_
        assert ledger.account == "gaussian"
        assert 0.999 < ledger.epsilon() <= 1.0


@pytest.mark.parametrize("make", [marginals, network])
def test_a_ledger_comes_back_from_json(make):
    ledger = make()
    text = json.dumps(ledger.to_dict(), allow_nan=False)
    again = Ledger.from_dict(json.loads(text))
    assert again.to_dict() == ledger.to_dict()
    assert again.spends == ledger.spends
    assert again.epsilon() == ledger.epsilon()
    assert (again.facts, again.flaws, again.budget) == (ledger.facts, ledger.flaws, ledger.budget)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("budget"),
        lambda state: state.pop("spends"),
        lambda state: state["spends"][0].pop("noise"),
        lambda state: state["spends"][0].update(noise=-1.0),
        lambda state: state["budget"].update(epsilon="1"),
        lambda state: state["budget"].pop("epsilon"),
        lambda state: state.update(flaws=None),
    ],
)
def test_a_damaged_ledger_is_refused(damage):
    state = marginals().to_dict()
    damage(state)
    with pytest.raises(PrivacyError):
        Ledger.from_dict(state)


def test_the_statement_is_one_sentence_with_its_assumption():
    assert Ledger(BUDGET).statement() == (
        "(epsilon = 1.00, delta = 1e-6)-differential privacy for adding or removing one row, "
        "assuming the declared schema was chosen without looking at the data."
    )
    # Never rounded to less than was spent.
    assert "epsilon = 0.004," in Ledger(PrivacyBudget(0.004, 2.5e-5)).statement()
    assert "delta = 2.5e-5)" in Ledger(PrivacyBudget(0.004, 2.5e-5)).statement()
    assert "epsilon = 0.50, delta = 0.0001)" in Ledger(PrivacyBudget(0.5, 1e-4)).statement()


def test_a_flaw_turns_the_statement_round_and_takes_the_claim_away():
    ledger = marginals()
    ledger.flaws += ["column types were inferred from the rows", "the noise can be repeated"]
    document = ledger.to_dict()
    assert document["statement"] == (
        "Not differentially private: column types were inferred from the rows; the noise can be "
        "repeated."
    )
    assert not {"epsilon", "delta", "neighbours", "unit"} & set(document)
    assert not ledger.holds
    # What was spent is told all the same.
    assert len(document["spends"]) == 3
    assert document["spent"]["epsilon"] == ledger.epsilon()
    evaluation = Evaluation(scores=(), privacy=document)
    assert not has_budget(evaluation)
    assert len(spends(evaluation)) == 3
    assert "Not differentially private" in to_html(evaluation)
    assert to_shareable(evaluation).statement.startswith("Not differentially private")
    assert to_shareable(evaluation).verdicts["Formal privacy"].startswith("No differential")
    assert Ledger.from_dict(document).flaws == ledger.flaws


@pytest.mark.parametrize("make", [marginals, network])
def test_reports_show_what_the_ledger_says(make):
    ledger = make()
    evaluation = Evaluation(scores=(), privacy=ledger.to_dict())
    assert has_budget(evaluation)
    told = dict(elements(evaluation))
    assert told["Privacy loss, epsilon"] == "1"
    assert told["Failure probability, delta"] == "1e-06"
    assert told["Unit of privacy"].startswith("one row")
    assert told["Neighbour relation"] == "adding or removing one row"
    assert told["Trust model"].startswith("Central: ")
    kinds = {spend.mechanism for spend in ledger.spends}
    assert set(told["Mechanisms"].split(", ")) == kinds
    assert [spend.what for spend in spends(evaluation)] == [spend.what for spend in ledger.spends]
    shares = [spend.share for spend in spends(evaluation)]
    assert all(share is not None and share > 0 for share in shares)
    if make is marginals:
        assert shares == [spend.rho for spend in ledger.spends]
    keys = {"noise", "steps", "rate", "delta", "sensitivity", "epsilon"}
    assert all(keys <= set(entry) for entry in ledger_entries(evaluation))
    assert uncovered(evaluation) == NOT_COVERED
    assert dict(further(evaluation)).get("Facts · rows") == ledger.facts.get("rows")
    replaced = dict(further(evaluation))["Spent · epsilon_of_replacing_one_row"]
    assert float(replaced) > ledger.epsilon()
    for text in (to_html(evaluation), json.dumps(to_shareable(evaluation).to_dict())):
        for spend in ledger.spends:
            assert spend.what.split("'")[0] in text
        assert "adding or removing one row" in text


def test_what_a_ledger_says_claims_nothing_beyond_the_theorem():
    flawed = marginals()
    flawed.flaws.append("the noise can be repeated")
    for ledger in (marginals(), network(), flawed):
        text = json.dumps(ledger.to_dict()).lower()
        assert [word for word in NEVER_CLAIM if word in text] == []


def test_each_release_is_told_with_what_it_costs_alone():
    ledger = marginals()
    for entry, spend in zip(ledger.to_dict()["spends"], ledger.spends, strict=True):
        assert entry["epsilon"] == epsilon_of([spend], BUDGET.delta)
        assert entry["rho"] == spend.rho
    steps = network().to_dict()["spends"][-1]
    assert "rho" not in steps
    assert steps["epsilon"] < BUDGET.epsilon


@pytest.mark.parametrize(
    "values",
    [
        (0.0,),
        (-1.0,),
        (math.inf,),
        (math.nan,),
        ("1",),
        (True,),
        (None,),
        (1.0, 0.0),
        (1.0, 0.5),
        (1.0, math.nan),
        (1.0, "1e-6"),
        (1.0, 1e-6, "replace-one"),
    ],
    ids=str,
)
def test_a_budget_that_promises_nothing_is_refused(values):
    with pytest.raises(PrivacyError):
        PrivacyBudget(*values)


def test_a_delta_that_would_allow_to_publish_a_row_is_refused():
    budget = PrivacyBudget(1.0, 1e-4)
    budget.require_rows(9_999)
    budget.require_rows(0)
    with pytest.raises(PrivacyError, match="at most 1e-05"):
        budget.require_rows(10_000)

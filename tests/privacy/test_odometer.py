"""The odometer: fits on one table are charged before they begin, together and for good."""

from __future__ import annotations

import json
import math
import threading

import pytest

from tabsynth.errors import BudgetExceeded, PrivacyError
from tabsynth.privacy import odometer as module
from tabsynth.privacy.accounting import Spend, epsilon_of
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.odometer import Odometer

TOTAL = PrivacyBudget(2.0, 1e-5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "patients.odometer.json"


@pytest.fixture
def odometer(path):
    return Odometer.create(path, TOTAL)


def ledger(epsilon=0.5, delta=1e-6):
    return Ledger(PrivacyBudget(epsilon, delta))


def fit(odometer, epsilon=0.5, delta=1e-6):
    """Go through a fit that uses up its budget, and return its ledger."""
    account = ledger(epsilon, delta)
    with odometer.charged(account):
        rho = account.left()
        account.debit(Spend("counts of 'age'", "gaussian", math.sqrt(1 / (2 * rho))))
    return account


def left_beside(path):
    return sorted(file.name for file in path.parent.iterdir())


def test_a_new_table_has_cost_nothing(odometer, path):
    assert odometer.epsilon() == 0.0
    assert odometer.charges == ()
    assert odometer.budget == TOTAL
    assert left_beside(path) == [path.name]


def test_a_fit_is_charged_with_its_whole_budget_before_it_begins(odometer, path):
    account = ledger()
    with odometer.charged(account):
        within = Odometer(path)
        assert within.epsilon() == 0.5
        assert within.charges[0].spends is None
        account.debit(Spend("counts of 'age'", "gaussian", 100.0))
    assert Odometer(path).charges[0].spends == tuple(account.spends)
    assert odometer.epsilon() == epsilon_of(account.spends, TOTAL.delta) < 0.05


def test_a_fit_that_dies_keeps_its_charge(odometer, path):
    with pytest.raises(KeyboardInterrupt), odometer.charged(ledger()):
        raise KeyboardInterrupt
    assert Odometer(path).epsilon() == 0.5
    assert left_beside(path) == [path.name]


def test_fits_are_composed_and_not_added_up(odometer):
    accounts = [fit(odometer) for _ in range(3)]
    every = [spend for account in accounts for spend in account.spends]
    assert odometer.epsilon() == pytest.approx(epsilon_of(every, TOTAL.delta))
    assert odometer.epsilon() < 3 * 0.5


def test_open_charges_take_their_epsilon_and_delta_off(odometer):
    account = fit(odometer)
    odometer.charge(ledger(0.7, 4e-6))
    expected = 0.7 + epsilon_of(account.spends, 6e-6)
    assert odometer.epsilon() == pytest.approx(min(expected, 1.2))


def test_fits_of_another_kind_never_cost_more_than_their_budgets_added_up(odometer):
    account = ledger(0.8, 1e-6)
    with odometer.charged(account):
        noise = account.noise_for(0.02, 100)
        account.debit(Spend("steps", "sampled gaussian", noise, 100, 0.02))
    account = ledger(0.02, 1e-6)
    with odometer.charged(account):
        account.debit(Spend("a choice", "exponential", 0.001))
    assert odometer.epsilon() <= 0.82


def test_a_fit_beyond_the_budget_is_refused_with_what_to_do_and_nothing_is_written(odometer, path):
    while True:
        before = path.read_bytes()
        try:
            fit(odometer)
        except BudgetExceeded as error:
            message = str(error)
            break
    assert path.read_bytes() == before
    assert len(odometer.charges) >= 4
    assert path.name in message
    assert "which is free" in message
    room = float(message.split("an epsilon of at most ")[1].split(",")[0])
    fit(odometer, room)
    assert odometer.epsilon() <= TOTAL.epsilon


def test_a_block_does_not_begin_where_the_charge_is_refused(odometer):
    began = []
    with pytest.raises(BudgetExceeded), odometer.charged(ledger(2.5)):
        began.append(True)
    assert began == []


def test_a_fit_with_more_delta_than_the_table_has_is_refused(odometer):
    with pytest.raises(BudgetExceeded, match="delta well below 1e-05"):
        odometer.charge(ledger(0.1, 1e-4))


def test_a_table_that_is_used_up_says_what_is_free(odometer):
    odometer.charge(ledger(2.0, 1e-6))
    with pytest.raises(BudgetExceeded, match=r"Draw more rows.*free"):
        odometer.charge(ledger(0.1))


def test_flaws_of_a_fit_stay_with_the_table(odometer, path):
    account = Ledger(PrivacyBudget(0.5, 1e-6), flaws=["column types were inferred from the rows"])
    odometer.settle(odometer.charge(account), account)
    assert Odometer(path).flaws == ("column types were inferred from the rows",)


def test_a_fit_is_settled_once_and_with_its_own_budget(odometer):
    account = ledger()
    key = odometer.charge(account)
    with pytest.raises(PrivacyError):
        odometer.settle(key, ledger(0.1))
    with pytest.raises(PrivacyError):
        odometer.settle("another", account)
    odometer.settle(key, account)
    with pytest.raises(PrivacyError, match="once"):
        odometer.settle(key, account)


def test_a_table_without_a_file_says_how_to_start_one(path):
    with pytest.raises(PrivacyError, match=r"Odometer\.create"):
        Odometer(path)
    assert left_beside(path) == []


def test_a_file_is_never_started_again(odometer, path):
    fit(odometer)
    before = path.read_bytes()
    with pytest.raises(PrivacyError, match="exists already"):
        Odometer.create(path, PrivacyBudget(100.0, 1e-3))
    assert path.read_bytes() == before


def damaged():
    """Return texts that are no odometer, each with a name."""
    good = {
        "tabsynth_odometer": 1,
        "budget": TOTAL.to_dict(),
        "charges": [
            {"key": "a", "budget": TOTAL.to_dict(), "spends": None, "flaws": []},
        ],
    }
    yield "empty", ""
    yield "cut", json.dumps(good)[:-20]
    yield "list", "[]"
    yield "version", json.dumps({**good, "tabsynth_odometer": 2})
    yield "no budget", json.dumps({k: v for k, v in good.items() if k != "budget"})
    yield "negative", json.dumps({**good, "budget": {**TOTAL.to_dict(), "epsilon": -1}})
    yield "charges", json.dumps({**good, "charges": [{"key": "a"}]})
    yield "twice", json.dumps({**good, "charges": good["charges"] * 2})
    spend = {**Spend("x", "gaussian", 1.0).to_dict(), "noise": "much"}
    yield "spend", json.dumps({**good, "charges": [{**good["charges"][0], "spends": [spend]}]})
    yield "no number", json.dumps(good).replace("2.0", "NaN")
    yield "bytes", b"\xff\xfe\x00"


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in damaged()])
def test_a_damaged_file_is_an_error_and_is_left_as_it_is(odometer, path, text):
    content = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(content)
    with pytest.raises(PrivacyError, match=r"Restore it from a copy"):
        Odometer(path)
    with pytest.raises(PrivacyError), odometer.charged(ledger(0.01)):
        raise AssertionError("the fit began")
    assert path.read_bytes() == content
    assert left_beside(path) == [path.name]


def test_fits_that_begin_at_once_are_all_counted(odometer, path):
    refused = []

    def begin():
        try:
            Odometer(path).charge(ledger(0.3, 1e-7))
        except BudgetExceeded:
            refused.append(True)

    threads = [threading.Thread(target=begin) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(odometer.charges) == 6  # 7 times 0.3 is above 2
    assert len(refused) == 6
    assert left_beside(path) == [path.name]


def test_a_lock_that_was_left_behind_is_named(odometer, path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    lock = path.with_name(path.name + ".lock")
    lock.touch()
    with pytest.raises(PrivacyError, match=f"remove {lock.name}"):
        odometer.charge(ledger())
    lock.unlink()
    odometer.charge(ledger())


def test_a_write_that_fails_leaves_the_file_whole(odometer, path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(PrivacyError, match="No space left"):
        odometer.charge(ledger())
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert left_beside(path) == [path.name]


def test_the_file_holds_budgets_and_releases_and_nothing_else(odometer, path):
    fit(odometer)
    document = json.loads(path.read_text("utf-8"))
    assert set(document) == {"tabsynth_odometer", "budget", "charges"}
    charge = document["charges"][0]
    assert set(charge) == {"key", "budget", "spends", "flaws"}
    assert set(charge["spends"][0]) == set(Spend("x", "gaussian", 1.0).to_dict())

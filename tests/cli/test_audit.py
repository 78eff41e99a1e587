"""tabsynth audit: a plan, an estimate, plain words, and an audit that can be stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from tabsynth.audit import AuditResult

MARK = "ZQX"
SCHEMA = f"""
tabsynth: 1
columns:
  patient_id: {{type: identifier}}
  age: {{type: number, minimum: 0, maximum: 120, integer: true, nullable: false}}
  ward: {{type: category, categories: ["{MARK} north", "{MARK} south", "00712"], nullable: false}}
  cost: {{type: number, minimum: 0, maximum: 20000, decimals: 2, nullable: false}}
  sick: {{type: category, categories: ["yes", "no"], nullable: false}}
"""
"""What a person knows of the table without looking."""


def test_an_audit_is_planned_done_and_told_in_plain_words(run, table, tmp_path, listed):
    before = listed(table.parent)
    report = tmp_path / "audit.json"
    done = run(
        *("audit", table, "--model", "independent", "--method", "multi-run", "--runs", 20),
        *("--seed", 7, "--report-json", report, "--json"),
    )
    assert done.code == 0, done.err
    for words in (
        "40 fits with 1 worker",
        "20 with and 20 without",
        "begins anew",
        "the first fit took",
        "39 more will take about",
        "Epsilon: at least 0.",
        "confidential",
    ):
        assert words in done.err
    assert MARK not in done.err + done.out
    document = json.loads(done.out)
    assert document["command"] == "audit"
    written = json.loads(report.read_text(encoding="utf-8"))
    assert AuditResult.from_dict(written).verdict.word == document["verdict"]["word"]
    assert MARK not in report.read_text(encoding="utf-8")
    assert listed(table.parent) == before | {"audit.json"}


def test_quiet_says_nothing_but_that_a_claim_is_refuted(run, table, monkeypatch):
    one_run = ("audit", table, "--model", "independent", "--method", "one-run", "--seed", 7)
    assert run(*one_run, "--quiet").err == ""
    monkeypatch.setattr("tabsynth.audit.one_run.one_run_p_value", lambda *rest: 1e-9)
    schema = table.with_name("schema.yaml")
    schema.write_text(SCHEMA, encoding="utf-8")
    refuted = run(*one_run, "--quiet", "--schema", schema, "--epsilon", 1)
    assert refuted.code == 5
    assert "epsilon = 1 is refuted" in refuted.err


def test_a_declared_epsilon_is_compared_with_what_fits_under_it_show(run, table, listed):
    schema = table.with_name("schema.yaml")
    schema.write_text(SCHEMA, encoding="utf-8")
    asked = ("audit", table, "--model", "independent", "--method", "multi-run", "--runs", 20)
    before = listed(table.parent)
    done = run(*asked, "--schema", schema, "--epsilon", 0.5, "--json")
    assert done.code == 0, done.err
    said = " ".join(done.err.split())
    assert "Claim epsilon = 0.5, delta = 1e-06" in said
    assert "each fit is made under the claim, with noise of its own" in said
    assert "no odometer is charged" in said
    assert "does not refute the declared epsilon = 0.5." in said
    assert re.search(r"Epsilon: at least 0\.\d\d, and 0.5 is declared", said)
    assert MARK not in done.err + done.out
    assert json.loads(done.out)["claim"] == 0.5
    assert listed(table.parent) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "a schema that was written down without looking at the rows"),
        (("--schema", "schema.yaml", "--model", "tree"), "'tree' reads the rows themselves"),
    ],
)
def test_a_claim_that_no_fit_can_be_made_under_is_refused(
    run, table, monkeypatch, options, words, listed
):
    table.with_name("schema.yaml").write_text(SCHEMA, encoding="utf-8")
    monkeypatch.chdir(table.parent)
    before = listed(table.parent)
    done = run("audit", table, "--model", "independent", "--epsilon", 1, *options)
    assert done.code == 4
    assert words in " ".join(done.err.split())
    assert listed(table.parent) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--method", "two-run"), "one-run"),
        (("--model", "nonesuch"), "independent"),
        (("--state", "here"), "--seed"),
        (("--runs", "5", "--method", "shadow"), "at least 16"),
        (("--runs", "0"), "--runs"),
        (("--epsilon", "-1"), "epsilon"),
        (("--set", "bin=3"), "bins"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_written(run, table, options, words, listed):
    before = listed(table.parent)
    done = run("audit", table, "--model", "independent", *options)
    assert done.code == 2
    assert words in done.err
    assert listed(table.parent) == before


def test_a_state_goes_on_and_refuses_another_audit(run, table, tmp_path):
    state = tmp_path / "state"
    shadow = ("audit", table, "--model", "independent", "--method", "shadow", "--runs", 16)
    first = run(*shadow, "--seed", 7, "--state", state, "--json")
    assert first.code == 0, first.err
    (state / "shadow" / "run-00003.json").unlink()
    again = run(*shadow, "--seed", 7, "--state", state, "--json")
    assert "15 of 16 fits were done before." in again.err
    assert again.out == first.out
    other = run(*shadow, "--seed", 8, "--state", state)
    assert other.code == 3
    assert "the seed" in other.err


def alive(group):
    """Return whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def heed_interrupts():
    """Heed interrupts as in a terminal, though tests run in the background may ignore them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to a group of processes")
@pytest.mark.slow
def test_an_interrupt_keeps_what_is_done_and_says_how_to_go_on(run, table, tmp_path):
    state = tmp_path / "state"
    call = ("audit", table, "--model", "independent", "--method", "multi-run", "--runs", 300)
    call = tuple(map(str, (*call, "--seed", 7, "--state", state, "--workers", 2)))
    process = subprocess.Popen(
        [sys.executable, "-c", "from tabsynth.cli.main import main; main()", *call],
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    deadline = time.monotonic() + 120
    while len(list(state.glob("multi-run/run-*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    told = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert "Traceback" not in told
    kept = sorted(state.glob("multi-run/run-*.json"))
    said = re.search(r"(\d+) of 600 fits are kept in (\S+):", " ".join(told.split()))
    assert said[2] == str(state)
    assert len(kept) - 1 <= int(said[1]) <= len(kept)  # one may be written and not yet counted
    assert "give the same command again" in told
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(process.pid)
    assert not list(state.glob("multi-run/.*"))
    assert 3 <= len(kept) < 600


def test_without_a_state_an_interrupt_says_what_is_lost(run, table, monkeypatch):
    def stopped(*rest, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tabsynth.audit.carry_out", stopped)
    done = run("audit", table, "--model", "independent", "--method", "one-run")
    assert done.code == 130
    assert "0 of 1 fits were done and are lost" in done.err


def test_a_schema_decides_what_columns_are(run, table, tmp_path):
    schema = tmp_path / "schema.yaml"
    assert run("inspect", table, "-o", schema).code == 0
    frame = pd.read_csv(table, dtype=str).drop(columns="sick")
    frame.to_csv(table, index=False)
    done = run("audit", table, "--model", "independent", "--schema", schema)
    assert done.code == 3
    assert "sick" in done.err

"""tabsynth evaluate: a synthetic table from any tool is judged, without a model and torch."""

import json
import sys
from dataclasses import replace

import pandas as pd
import pytest

from tabsynth.cli.gates import Gate, check_gate_names
from tabsynth.errors import ConfigError
from tabsynth.evaluation.result import Verdict

MARK = "ZQX"


@pytest.fixture
def tables(table):
    frame = pd.read_csv(table, dtype=str)
    paths = [table.with_name(name) for name in ("train.csv", "made.csv", "unseen.csv")]
    for path, part in zip(paths, (frame[:30], frame[15:45], frame[30:]), strict=True):
        part.to_csv(path, index=False)
    return paths


def test_a_table_of_any_origin_is_judged(run, tables, listed):
    train, made, unseen = tables
    before = listed(train.parent)
    had_torch = "torch" in sys.modules
    result = run("evaluate", train, made, "--holdout", unseen, "--target", "sick", "--json")
    assert result.code == 0, result.err
    assert had_torch or "torch" not in sys.modules
    header = next(line for line in result.err.splitlines() if line.startswith("Score"))
    for title in ("Value", "95% interval", "Fresh real", "Independent", "Better"):
        assert title in header
    assert "near 0.5" in result.err
    assert "lower" in result.err
    assert MARK not in result.err
    document = json.loads(result.out)
    assert document["schema_version"] == 1
    assert document["rows"]["holdout"] == 30
    assert {"tvd_1way", "c2st"} <= {score["name"] for score in document["scores"]}
    assert listed(train.parent) == before


def test_views_are_written_where_they_are_asked_for(run, tables, quick, listed, monkeypatch):
    monkeypatch.setattr("tabsynth.report.to_html", lambda evaluation: "<html></html>\n")
    train, made, _ = tables
    report, card = train.with_name("r.html"), train.with_name("c.md")
    assert run("evaluate", train, made, "--report", report, "--card", card).code == 0
    assert report.read_text() == "<html></html>\n"
    assert card.read_text(encoding="utf-8").startswith("#")
    again = run("evaluate", train, made, "--report", report)
    assert again.code == 2
    assert "exists already" in again.err


def test_gates_stop_a_pipeline(run, tables, quick):
    train, made, _ = tables
    passed = run(
        "evaluate", train, made, "--fail-under", "c2st=0.7", "--fail-under", "tvd_1way=0.1"
    )
    assert passed.code == 0
    failed = run(
        "evaluate",
        train,
        made,
        "--json",
        "--fail-under",
        "c2st=0.6",
        "--fail-under",
        "tvd_1way=0.1",
    )
    assert failed.code == 5
    assert len(json.loads(failed.out)["failed_gates"]) == 1
    unknown = run("evaluate", train, made, "--fail-under", "c2=0.6")
    assert unknown.code == 2
    assert "tvd_1way" in unknown.err


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("tstr", True),
        ("tstr:ward", True),
        ("tstr_forest", True),
        ("tstr_forest:ward", True),
        ("importance:sick", True),
        ("demographic_parity:sick:sex", True),
        ("importance", False),
        ("tstr:age", False),
        ("equalised_odds:age:sick", False),
        ("membership_tpr:sick", False),
    ],
)
def test_gates_may_name_any_score_of_a_target(name, known):
    gates = [Gate(name, 0.5)]
    if known:
        check_gate_names(gates, ["sick", "ward"])
    else:
        with pytest.raises(ConfigError, match="There is no score called"):
            check_gate_names(gates, ["sick", "ward"])


def test_scores_are_printed_by_group_after_the_verdict(run, tables, quick, monkeypatch):
    judged = replace(quick, verdict=Verdict("inconclusive", 0.05, reasons=("The reason is this.",)))
    monkeypatch.setattr("tabsynth.evaluation.evaluate", lambda *rest, **options: judged)
    train, made, unseen = tables
    printed = run("evaluate", train, made, "--holdout", unseen).err
    lines = [line.strip() for line in printed.splitlines()]
    assert "Disclosure: inconclusive." in lines
    assert lines.index("Disclosure: inconclusive.") < lines.index("Fidelity")
    assert lines.index("Fidelity") < lines.index("Disclosure")
    assert "The reason is this." in lines


def test_tables_that_do_not_match_are_refused(run, tables):
    train, made, _ = tables
    frame = pd.read_csv(made, dtype=str).rename(columns={"ward": "station"})
    frame.to_csv(made, index=False)
    result = run("evaluate", train, made)
    assert result.code == 3
    assert "ward" in result.err
    assert MARK not in result.err


def test_standard_input_can_be_one_of_the_tables_only(run, tables):
    assert run("evaluate", "-", "-", "--input-format", "csv").code == 2
    assert "--input-format" in run("evaluate", tables[0], "-").err


def test_further_tables_of_the_same_generator_show_how_much_seeds_matter(run, tables):
    train, made, unseen = tables
    other = made.with_name("other.csv")
    pd.read_csv(made, dtype=str).sample(frac=1, replace=True, random_state=1).to_csv(
        other, index=False
    )
    report = made.with_name("r.html")
    options = ("--holdout", unseen, "--repeat", other, "--report", report, "--seed", 1, "--json")
    result = run("evaluate", train, made, *options)
    assert result.code == 0, result.err
    assert "Over seeds" in result.err
    spread = {score["name"]: score["details"] for score in json.loads(result.out)["stability"]}
    assert spread["tvd_1way"]["tables"] == 2
    assert 'id="stability"' in report.read_text()
    alone = run("evaluate", train, made, "--holdout", unseen, "--seed", 1)
    assert "Over seeds" not in alone.err

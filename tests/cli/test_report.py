"""tabsynth report: views made again from a saved evaluation, without the tables."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

MARK = "ZQX"
VIEWS = {"--card": "card.md", "--card-json": "card.json", "--shareable": "share.html"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("report")


@pytest.fixture
def saved(run, table, folder):
    """A folder with a saved evaluation and the views made beside it."""
    if not (folder / "saved.json").exists():
        frame = pd.read_csv(table, dtype=str)
        for name, part in (("train", frame[:30]), ("made", frame[15:45]), ("unseen", frame[30:])):
            part.to_csv(folder / f"{name}.csv", index=False)
        tables = folder / "train.csv", folder / "made.csv"
        views = [part for flag, name in VIEWS.items() for part in (flag, folder / name)]
        result = run(
            *("evaluate", *tables, "--holdout", folder / "unseen.csv", "--target", "sick"),
            *("--report", folder / "report.html", *views, "--json"),
        )
        assert result.code == 0, result.err
        (folder / "saved.json").write_text(result.out, encoding="utf-8")
    return folder


def test_every_view_is_the_same_as_beside_the_evaluation(run, saved, tmp_path):
    views = [part for flag, name in VIEWS.items() for part in (flag, tmp_path / name)]
    result = run("report", saved / "saved.json", "--html", tmp_path / "report.html", *views)
    assert result.code == 0, result.err
    for name in ("report.html", *VIEWS.values()):
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name
    assert "confidential" in result.err
    assert "holds no statistics of the real rows" in result.err
    assert result.out == ""


def test_the_shareable_report_shows_no_cell_and_no_figure(saved):
    page = (saved / "share.html").read_text(encoding="utf-8").partition("</style>")[2]
    document = json.loads((saved / "saved.json").read_text(encoding="utf-8"))
    assert MARK in (saved / "report.html").read_text(encoding="utf-8")
    assert MARK not in page
    for column in document["columns"]:
        assert not re.search(rf"\b{column['name']}\b", page)
    figures = {f"{s['value']:.3f}" for s in document["scores"] if s["value"] is not None}
    assert [figure for figure in figures - {"0.000", "1.000"} if figure in page] == []


def test_without_an_output_the_verdict_and_the_scores_are_shown(run, saved, listed):
    before = listed(saved)
    result = run("report", saved / "saved.json")
    assert result.code == 0
    assert "Disclosure: " in result.err
    assert "tvd_1way" in result.err
    assert "Fresh real" in result.err
    assert listed(saved) == before


def test_json_and_the_shareable_report_as_json(run, saved, tmp_path):
    path = tmp_path / "share.json"
    result = run("report", saved / "saved.json", "--shareable", path, "--json", "-q")
    printed = json.loads(result.out)
    assert printed["command"] == "report"
    assert printed["files"] == {"shareable": str(path)}
    assert len(printed["summary"]) == 5
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["tabsynth_shareable"] == 1
    assert document["verdicts"]["Disclosure"].lower() == printed["verdict"]
    assert MARK not in path.read_text(encoding="utf-8")


def test_a_saved_evaluation_comes_from_standard_input(run_apart, saved, tmp_path):
    text = (saved / "saved.json").read_bytes()
    done = run_apart("report", "-", "--card", tmp_path / "c.md", "-q", input=text)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.md").read_bytes() == (saved / "card.md").read_bytes()


def test_what_is_no_evaluation_is_refused_and_nothing_written(run, saved, tmp_path, listed):
    (tmp_path / "broken.json").write_text('{"tabsynth_evaluation": 1, "rows": 5}')
    (tmp_path / "table.csv").write_text(f"a,b\n{MARK},2\n")
    for name in ("broken.json", "table.csv"):
        result = run("report", tmp_path / name, "--html", tmp_path / "r.html")
        assert result.code == 3
        assert name in result.err
        assert MARK not in result.err
    assert run("report", tmp_path / "absent.json").code == 3
    assert listed(tmp_path) == {"broken.json", "table.csv", "patients.csv"}


def test_an_input_is_never_replaced_and_files_only_by_force(run, saved, tmp_path):
    source = saved / "saved.json"
    assert run("report", source, "--html", source, "--force").code == 2
    path = tmp_path / "c.md"
    assert run("report", source, "--card", path).code == 0
    assert run("report", source, "--card", path).code == 2
    assert run("report", source, "--card", path, "--force").code == 0


def test_deidentify_writes_further_views_only_where_they_are_asked_for(run, table, quick, tmp_path):
    share, card = tmp_path / "s.html", tmp_path / "c.json"
    options = ("--model", "independent", "--seed", 7, "-o", tmp_path / "made.csv")
    result = run("deidentify", table, *options, "--shareable", share, "--card-json", card)
    assert result.code == 0, result.err
    assert "Synthetic data report to share" in share.read_text(encoding="utf-8")
    assert json.loads(card.read_text(encoding="utf-8"))["synthetic"] is True
    again = run("deidentify", table, *options, "--force", "--json")
    kinds = {"table", "report", "json_report", "card"}
    assert set(json.loads(again.out)["files"]) == kinds
    saved = run("report", tmp_path / "made.report.json", "--shareable", tmp_path / "t.html")
    assert saved.code == 0, saved.err

"""--fair and --reject: rows are chosen, and the plan, the summary and the JSON say so."""

import json

import pandas as pd
import pytest

FAST = ("--model", "independent", "--seed", "7")
MARK = "ZQX"


@pytest.fixture
def model(run, table):
    path = table.with_name("patients.model")
    assert run("fit", table, *FAST, "-o", path).code == 0
    return path


def test_rows_are_fair_and_plausible_and_the_program_says_so(run, table, quick):
    options = ("--fair", "sick:ward,age", "--reject", "0.2", "-n", "100", "--json")
    result = run("deidentify", table, *FAST, *options)
    assert result.code == 0, result.err
    assert len(pd.read_csv(table.with_name("patients.synthetic.csv"))) == 100
    for words in (
        "after rejecting 20%",
        "reads the training rows once more",
        "does not depend on 'ward', 'age', on purpose",
        "difference of rates",
        "left out as least plausible",
    ):
        assert words in result.err
    assert MARK not in result.err
    document = json.loads(result.out)
    assert document["plan"]["reject"] == 0.2
    assert document["plan"]["fair"]["protected"] == ["ward", "age"]
    assert document["rejected"]["rejected"] == round(document["rejected"]["drawn"] * 0.2)
    assert document["fair"]["rows"] == 100
    assert "left out as least plausible" in table.with_name("patients.card.md").read_text("utf-8")


def test_nothing_is_said_where_nothing_was_asked(run, table, quick):
    result = run("deidentify", table, *FAST, "--json")
    document = json.loads(result.out)
    assert (document["fair"], document["rejected"]) == (None, None)
    assert "reject" not in result.err


def test_rows_of_a_kept_model_can_be_fair(run, model, monkeypatch):
    monkeypatch.setattr("tabsynth.cli.sample.CHUNK", 25)
    out = model.with_name("fake.csv")
    result = run("sample", model, "-n", 200, "-o", out, "--fair", "sick:ward", "--json")
    assert result.code == 0, result.err
    made = pd.read_csv(out, dtype=str)
    assert len(made) == 200
    assert made["patient_id"].is_unique
    found = json.loads(result.out)["fair"]
    rates = made["sick"].eq("yes").groupby(made["ward"]).mean()
    assert found["after"] == pytest.approx(rates.max() - rates.min(), abs=1e-6)
    assert found["after"] < 0.05
    assert f"{found['after']:.3f} after" in result.err
    given = run("sample", model, "-n", 50, "-o", "-", "--fair", "sick:ward", "--given", "age=50")
    assert given.code == 0, given.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--reject", "1"), "reject must be a number from 0 to 0.9"),
        (("--reject", "half"), "valid number"),
        (("--fair", "sick"), "TARGET:COLUMN"),
        (("--fair", "sick:"), "TARGET:COLUMN"),
        (("--fair", "sick:wart"), "Did you mean 'ward'"),
        (("--fair", "sick:sick"), "not among them"),
        (("--fair", "sick:patient_id"), "is not learnt"),
    ],
)
def test_what_cannot_be_chosen_is_refused_before_anything_is_learnt(
    run, table, listed, options, words
):
    result = run("deidentify", table, *FAST, *options)
    assert result.code == 2
    assert words in result.err
    assert listed(table.parent) == {"patients.csv"}


def test_sample_refuses_rows_given_one_by_one_and_has_no_rows_to_judge_by(run, model, table):
    out = model.with_name("fake.csv")
    result = run("sample", model, "-o", out, "--given-file", table, "--fair", "sick:ward")
    assert (result.code, "--fair cannot choose" in result.err) == (2, True)
    result = run("sample", model, "-o", out, "-n", 5, "--reject", "0.1")
    assert (result.code, "--reject" in result.err) == (2, True)
    assert not out.exists()


def test_names_of_columns_may_hold_the_marks():
    from tabsynth.cli.arguments import read_fair

    wish = read_fair("a:b:c,d,e", ["a:b", "c,d", "e"])
    assert (wish.target, wish.protected) == ("a:b", ("c,d", "e"))

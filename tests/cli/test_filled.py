"""tabsynth impute, rebalance and augment: a kept model, and a table of real rows."""

import json

import pandas as pd
import pytest

MARK = "ZQX"


@pytest.fixture
def model(run, table):
    path = table.with_name("patients.model")
    assert run("fit", table, "--model", "independent", "--seed", "7", "-o", path).code == 0
    return path


@pytest.fixture
def holes(table):
    path = table.with_name("holes.csv")
    frame = pd.read_csv(table, dtype=str)
    frame.loc[::3, ["age", "ward"]] = None
    frame.loc[1::3, "cost"] = None
    frame.to_csv(path, index=False, sep=";")
    return path


def cells(path, **options):
    return pd.read_csv(path, dtype=str, keep_default_na=False, **options)


def test_a_table_is_filled_up_in_its_own_dialect(run, model, holes):
    out, before = holes.with_name("filled.csv"), holes.read_bytes()
    result = run("impute", model, holes, "-o", out, "--seed", "3", "--json")
    assert result.code == 0, result.err
    assert holes.read_bytes() == before
    ours, theirs = cells(out, sep=";"), cells(holes, sep=";")
    known = theirs != ""
    assert (ours[known] == theirs[known]).sum().sum() == known.sum().sum()
    assert (ours != "").all(axis=None)
    told = json.loads(result.out)
    assert told["filled"] == {"age": 20, "ward": 20, "cost": 20}
    assert told["files"] == {"table": str(out)}
    assert "Filled 20 cells of 'age'" in result.err
    assert "never learnt: patient_id" in result.err
    assert "not de-identified" in result.err
    assert MARK not in result.err


def test_several_draws_go_to_files_of_their_own(run, model, holes, listed):
    before = listed(holes.parent)
    out = holes.with_name("filled.csv")
    arguments = ("impute", model, holes, "-o", out, "--draws", "3", "--seed", "3")
    assert run(*arguments).code == 0
    made = {f"filled.{number}.csv" for number in (1, 2, 3)}
    assert listed(holes.parent) - before == made
    tables = [cells(holes.with_name(name), sep=";") for name in sorted(made)]
    assert not tables[0].equals(tables[1])
    again = run(*arguments)
    assert again.code == 2
    assert "exist already" in again.err


def test_a_seed_repeats_it_and_a_drawn_one_is_told(run, model, holes):
    out = [run("impute", model, holes, "-o", "-", "--seed", "3").out for _ in range(2)]
    assert out[0] == out[1] != run("impute", model, holes, "-o", "-", "--seed", "4").out
    drawn = run("impute", model, holes, "-o", "-")
    seed = drawn.err.split("give --seed ")[1].split()[0].rstrip(")")
    assert run("impute", model, holes, "-o", "-", "--seed", seed).out == drawn.out


def test_rows_are_balanced_and_marked(run, model, table):
    out = table.with_name("balanced.csv")
    result = run(
        *("rebalance", model, table, "--column", "sick", "-o", out, "--mark", "made"),
        *("--seed", "3"),
    )
    assert result.code == 0, result.err
    assert "holds real rows: it is not de-identified" in result.err
    assert MARK not in result.err
    made, real = cells(out), cells(table)
    counts = made["sick"].value_counts()
    assert len(counts) == 2
    assert (counts == counts.iloc[0]).all()
    assert made.head(60).drop(columns="made").equals(real)
    assert made["made"].str.lower().tolist() == ["false"] * 60 + ["true"] * (len(made) - 60)
    assert made["patient_id"].is_unique


def test_rows_are_added_in_another_format(run, model, table):
    out = table.with_name("more.parquet")
    result = run("augment", model, table, "-n", "2x", "-o", out, "--seed", "3", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["rows"] == {"real": 60, "synthetic": 120}
    assert "holds real rows" in result.err
    made = pd.read_parquet(out)
    assert len(made) == 180
    assert made.head(60).astype("str").equals(cells(table).astype("str"))
    assert run("augment", model, table, "-n", "5", "-o", out, "--force", "-q").err == ""


def test_a_model_of_a_parquet_file_fills_a_text_file(run, tmp_path):
    frame = pd.DataFrame({"n": pd.Categorical([1, 2, 3] * 20), "x": [0.5, 1.5] * 30})
    frame.to_parquet(tmp_path / "t.parquet")
    run("fit", tmp_path / "t.parquet", "--model", "independent", "-o", tmp_path / "m")
    frame.astype({"n": "object"}).mask(frame.index.to_series() % 2 == 0).to_csv(
        tmp_path / "holes.csv", index=False
    )
    result = run("impute", tmp_path / "m", tmp_path / "holes.csv", "-o", tmp_path / "out.csv")
    assert result.code == 0, result.err
    made = cells(tmp_path / "out.csv")
    assert made["n"].isin(["1", "2", "3"]).all()
    assert made["x"].isin(["0.5", "1.5"]).all()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("impute", "M", "T", "-o", "T"), 2, "is an input and is never replaced"),
        (("impute", "M", "T", "-o", "M", "--force"), 2, "is an input and is never replaced"),
        (("impute", "M", "T", "-o", "-", "--draws", "2"), 2, "Several tables"),
        (("impute", "M", "T", "-o", "-", "--json"), 2, "standard output"),
        (("impute", "M", "T", "-o", "a.doc"), 2, ".doc"),
        (("impute", "M", "nowhere.csv", "-o", "a.csv"), 3, "no such file"),
        (("impute", "T", "T", "-o", "a.csv"), 3, "odel file"),
        (("impute", "M", "T"), 2, "--output"),
        (("rebalance", "M", "T", "-o", "a.csv"), 2, "--column"),
        (("rebalance", "M", "T", "-c", "wardd", "-o", "a.csv"), 2, "no column 'wardd'"),
        (("rebalance", "M", "T", "-c", "age", "-o", "a.csv"), 2, "no classes"),
        (("rebalance", "M", "T", "-c", "sick", "--ratio", "2", "-o", "a.csv"), 2, "ratio"),
        (("augment", "M", "T", "-n", "5", "--mark", "age", "-o", "a.csv"), 2, "'age' already"),
        (("augment", "M", "T", "-n", "-5", "-o", "a.csv"), 2, "--rows"),
    ],
)
def test_what_cannot_be_done_is_refused_and_writes_nothing(
    run, model, table, monkeypatch, listed, arguments, code, words
):
    monkeypatch.chdir(table.parent)
    before = listed(table.parent)
    named = {"M": str(model), "T": str(table)}
    result = run(*(named.get(argument, argument) for argument in arguments))
    assert result.code == code, result.err
    assert words in " ".join(result.err.split())
    assert MARK not in result.err
    assert listed(table.parent) == before

"""tabsynth fit, sample and model show: a model is kept, looked into, and makes rows."""

import json
import subprocess
import sys

import pandas as pd
import pytest

MARK = "ZQX"


@pytest.fixture
def model(run, table):
    path = table.with_name("patients.model")
    result = run("fit", table, "--model", "independent", "--seed", "7", "-o", path, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["plan"]["rows"]["train"] == 60
    assert "learns from all 60" in result.err
    assert "may remember rows" in result.err
    assert MARK not in result.err
    return path


def test_rows_come_from_a_kept_model_without_the_table(run, model, table, listed):
    table.unlink()
    made = model.with_name("fake.csv")
    result = run("sample", model, "-n", "2x", "-o", made, "--seed", "3")
    assert result.code == 0, result.err
    assert result.out == ""
    frame = pd.read_csv(made, dtype=str)
    assert len(frame) == 120
    assert frame["patient_id"].is_unique
    assert listed(made.parent) == {"patients.model", "fake.csv"}
    assert MARK not in result.err


def test_a_seed_repeats_rows_and_a_drawn_one_is_told(run, model):
    out = [run("sample", model, "-n", 20, "-o", "-", "--seed", "3").out for _ in range(2)]
    assert out[0] == out[1]
    assert run("sample", model, "-n", 20, "-o", "-", "--seed", "4").out != out[0]
    drawn = run("sample", model, "-n", 20, "-o", "-")
    seed = drawn.err.split("give --seed ")[1].split()[0]
    assert run("sample", model, "-n", 20, "-o", "-", "--seed", seed).out == drawn.out


def test_many_rows_are_made_in_pieces_unless_keys_must_be_unique(run, table, monkeypatch):
    monkeypatch.setattr("tabsynth.cli.sample.CHUNK", 25)
    frame = pd.read_csv(table, dtype=str)
    for columns, pieces in ((frame.columns, 1), (["age", "cost"], 3)):
        path, model, made = (table.with_name(name) for name in ("part.csv", "m", "made.csv"))
        frame[columns].to_csv(path, index=False)
        run("fit", path, "--model", "independent", "-o", model, "--force")
        sizes = []
        from tabsynth.synthesizer import Synthesizer

        sample = Synthesizer.sample

        def spy(self, n_rows, sample=sample, sizes=sizes, **options):
            sizes.append(n_rows)
            return sample(self, n_rows, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Synthesizer, "sample", spy)
            assert run("sample", model, "-n", 60, "-o", made, "--force").code == 0
        rows = pd.read_csv(made, dtype=str)
        assert len(sizes) == pieces
        assert len(rows) == sum(sizes) == 60
        assert not rows[:25].reset_index(drop=True).equals(rows[25:50].reset_index(drop=True))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "jsonl", "parquet"])
def test_the_suffix_chooses_the_format(run, model, suffix):
    path = model.with_name(f"fake.{suffix}")
    assert run("sample", model, "-n", 0, "-o", path).code == 0
    assert path.exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("-n", "5"), 2, "Missing option '--output'"),
        (("-o", "a.csv"), 2, "how many rows"),
        (("-n", "-5", "-o", "a.csv"), 2, "--rows"),
        (("-n", "5", "-o", "nowhere/a.csv"), 3, "does not exist"),
        (("-n", "5", "-o", "a.doc"), 2, ".doc"),
        (("-n", "5", "-o", "-", "--format", "tablet"), 2, "tablet"),
    ],
)
def test_what_cannot_be_made_is_refused(run, model, monkeypatch, listed, options, code, words):
    monkeypatch.chdir(model.parent)
    result = run("sample", model, *options)
    assert result.code == code
    assert words in result.err.replace("'-o' / ", "").replace(" / '-o'", "").replace(
        "'--rows' / '-n'", "'--rows'"
    )
    assert listed(model.parent) == {"patients.csv", "patients.model"}


def test_a_model_file_is_never_replaced_unasked(run, model, table):
    before = model.read_bytes()
    result = run("fit", table, "--model", "independent", "-o", model)
    assert result.code == 2
    assert "exists already" in result.err
    assert model.read_bytes() == before


def test_a_model_file_tells_what_it_is(run, model):
    result = run("model", "show", model)
    assert result.code == 0
    assert result.out == ""
    for words in ("independent", "60 rows", "5 columns", "No differential privacy", "do not share"):
        assert words in result.err
    assert "patient_id" in result.err
    document = json.loads(run("model", "show", model, "--json").out)
    assert document["manifest"]["seed"] == 7
    assert document["ledger"]["mechanism"] == "none"
    assert set(document["schema"]["columns"]) == {"patient_id", "age", "ward", "cost", "sick"}


@pytest.mark.parametrize("verb", ["model show", "evaluate"])
def test_no_torch_is_needed(model, table, verb):
    arguments = {
        "model show": ["model", "show", str(model)],
        "evaluate": ["evaluate", str(table), str(table), "--help"],
    }[verb]
    code = (
        "import sys; sys.modules['torch'] = None; from tabsynth.cli.main import run; "
        "sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_rows_hold_what_is_given_on_the_command_line(run, model):
    out = model.with_name("fake.csv")
    arguments = ("sample", model, "-n", 30, "-o", out, "--seed", "3", "--json")
    result = run(*arguments, "--given", "sick=yes", "--given", "age=50")
    assert result.code == 0, result.err
    made = pd.read_csv(out, dtype=str)
    assert (made["sick"] == "yes").all()
    assert (made["age"] == "50").all()
    assert "Given sick, age: 30 rows, drawn directly." in result.err
    assert json.loads(result.out)["given"] == {
        **{"columns": ["sick", "age"], "way": "directly", "rows": 30, "draws": 30},
        **{"acceptance": 1.0, "lowest": 1.0},
    }


def test_rows_of_a_file_are_completed_piece_by_piece(run, table, monkeypatch):
    monkeypatch.setattr("tabsynth.cli.sample.CHUNK", 4)
    model, out, wanted = (table.with_name(name) for name in ("m", "fake.csv", "wanted.csv"))
    part = table.with_name("part.csv")
    pd.read_csv(table, dtype=str)[["age", "ward", "sick"]].to_csv(part, index=False)
    run("fit", part, "--model", "independent", "-o", model)
    ages = [str(age) for age in range(30, 40)]
    rows = pd.DataFrame({"sick": ["yes", "", "no", "no", ""] * 2, "age": ages})
    rows.to_csv(wanted, index=False)
    result = run("sample", model, "--given-file", wanted, "-o", out)
    assert result.code == 0, result.err
    made = pd.read_csv(out, dtype=str)
    assert made["age"].tolist() == ages
    assert (made["sick"] == rows["sick"])[rows["sick"] != ""].all()
    assert "Given sick, age: 10 rows" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-n", "5", "--given", "sick"], "COLUMN=VALUE"),
        (["-n", "5", "--given", "sick=yes", "--given", "sick=no"], "twice"),
        (["-n", "5", "--given", "sik=yes"], "Did you mean 'sick'"),
        (["-n", "5", "--given", "ward=ZQX east"], "none that can be asked for"),
        (["-n", "5", "--given", "age="], "never missing"),
        (["-n", "5", "--given", "sick=yes", "--given-file", "x.csv"], "one of them"),
        (["--given", "sick=yes"], "how many rows"),
        (["-n", "5", "--max-tries", "0"], "max-tries"),
    ],
)
def test_what_cannot_be_given_is_wrong_usage_and_writes_nothing(
    run, model, listed, arguments, words
):
    result = run("sample", model, "-o", model.with_name("fake.csv"), *arguments)
    assert result.code == 2
    assert words in " ".join(result.err.split())
    assert MARK not in result.err
    assert listed(model.parent) == {"patients.csv", "patients.model"}


def test_a_name_with_the_mark_in_it_and_labels_that_are_no_texts_can_be_given(run, tmp_path):
    frame = pd.DataFrame({"a=b": ["x", "y"] * 30, "n": pd.Categorical([1, 2, 3] * 20)})
    frame.to_parquet(tmp_path / "t.parquet")
    run("fit", tmp_path / "t.parquet", "--model", "independent", "-o", tmp_path / "m")
    given = ("--given", "a=b=x", "--given", "n=2")
    result = run("sample", tmp_path / "m", "-n", 5, *given, "-o", tmp_path / "fake.parquet")
    assert result.code == 0, result.err
    made = pd.read_parquet(tmp_path / "fake.parquet")
    assert (made["a=b"] == "x").all()
    assert (made["n"] == 2).all()

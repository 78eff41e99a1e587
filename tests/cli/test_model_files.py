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
        (("-o", "a.csv"), 2, "Missing option '--rows'"),
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

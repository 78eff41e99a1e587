"""tabsynth deidentify: the golden path, its outputs, its plan and its gates."""

import gzip
import json
import os

import pandas as pd
import pytest

FAST = ("--model", "independent", "--seed", "7")
REPORTS = {"patients.report.html", "patients.report.json", "patients.card.md"}
MARK = "ZQX"


def text_frame(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_one_command_makes_the_table_the_reports_and_the_card_and_nothing_else(run, table, listed):
    result = run("deidentify", table, *FAST, "--target", "sick")
    assert result.code == 0, result.err
    assert listed(table.parent) == {"patients.csv", "patients.synthetic.csv", *REPORTS}
    real, made = text_frame(table), text_frame(table.with_name("patients.synthetic.csv"))
    assert list(made.columns) == list(real.columns)
    assert len(made) == len(real)
    assert made["patient_id"].is_unique
    assert made["patient_id"].str.fullmatch(r"P-\d{6}").all()
    assert set(made["ward"]) <= set(real["ward"])
    assert made["cost"].str.fullmatch(r"\d+\.\d\d").all()
    assert table.with_name("patients.report.html").read_text("utf-8").startswith("<!")
    report = json.loads(table.with_name("patients.report.json").read_text("utf-8"))
    assert report["provenance"]["seed"] == 7
    assert report["provenance"]["source"] == "patients.csv"
    assert len(report["provenance"]["source_sha256"]) == 64
    assert result.out == ""
    for words in ("Rows", "Fidelity", "Utility", "Disclosure", "No differential privacy was used"):
        assert words in result.err
    assert MARK not in result.err


def test_the_plan_says_before_training_what_happens_to_each_column(run, table, quick):
    result = run("deidentify", table, *FAST, "--missing", "NA", "--missing", "?")
    lines = result.err.splitlines()
    header = next(line for line in lines if line.startswith("Column"))
    assert header.split("  ")[0] == "Column"
    assert all(word in header for word in ("Type", "Role", "What happens", "Why"))
    for column in ("patient_id", "age", "ward", "cost", "sick"):
        assert any(line.startswith(column) for line in lines)
    assert any("new keys" in line for line in lines if line.startswith("patient_id"))
    assert "empty cells, 'NA', '?'" in result.err
    assert "learns from 48, keeps 12 unseen for the evaluation, makes 60" in result.err
    assert result.err.index("What happens") < result.err.index("Wrote")


def test_the_same_seed_gives_the_same_bytes(run, table, quick):
    made = []
    for name in ("one.csv", "two.csv"):
        run("deidentify", table, *FAST, "--no-report", "-o", table.with_name(name))
        made.append(table.with_name(name).read_bytes())
    assert made[0] == made[1]


def test_a_drawn_seed_is_printed_and_repeats_the_run(run, table, quick):
    first = run("deidentify", table, "--model", "independent", "--no-report", "--json")
    seed = json.loads(first.out)["seed"]
    assert f"give --seed {seed} to repeat" in first.err
    again = table.with_name("again.csv")
    run("deidentify", table, "--model", "independent", "--no-report", "--seed", seed, "-o", again)
    assert again.read_bytes() == table.with_name("patients.synthetic.csv").read_bytes()


def test_outputs_follow_the_name_that_is_given(run, table, quick, listed):
    folder = table.parent / "out"
    folder.mkdir()
    assert run("deidentify", table, *FAST, "-o", folder / "fake.synthetic.csv").code == 0
    assert listed(folder) == {
        "fake.synthetic.csv",
        "fake.report.html",
        "fake.report.json",
        "fake.card.md",
    }
    assert listed(table.parent) == {"patients.csv", "out"}


def test_each_output_goes_where_it_is_told(run, table, quick, listed):
    folder = table.parent / "out"
    folder.mkdir()
    places = {
        "--report": "r.html",
        "--json-report": "r.json",
        "--card": "c.md",
        "--save-model": "m.model",
        "-o": "t.jsonl",
    }
    options = [part for option, name in places.items() for part in (option, folder / name)]
    assert run("deidentify", table, *FAST, *options).code == 0
    assert listed(folder) == set(places.values())
    assert len((folder / "t.jsonl").read_text().splitlines()) == 60


def test_without_reports_the_table_is_all(run, table, quick, listed):
    assert run("deidentify", table, *FAST, "--no-report").code == 0
    assert listed(table.parent) == {"patients.csv", "patients.synthetic.csv"}


def test_the_dialect_of_the_input_is_kept(run, table, quick):
    lines = table.read_text().replace(",", ";").replace("\n", "\r\n")
    table.write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert run("deidentify", table, *FAST, "--no-report").code == 0
    made = table.with_name("patients.synthetic.csv").read_bytes()
    assert made.startswith(b"\xef\xbb\xbfpatient_id;age;ward;cost;sick\r\n")
    assert made.count(b"\r\n") == made.count(b"\n") == 61


def test_a_packed_table_gives_a_packed_table(run, table, quick, listed):
    packed = table.with_name("visits.csv.gz")
    packed.write_bytes(gzip.compress(table.read_bytes()))
    assert run("deidentify", packed, *FAST, "--no-report").code == 0
    made = table.with_name("visits.synthetic.csv.gz")
    assert gzip.decompress(made.read_bytes()).startswith(b"patient_id,age")


def test_dtypes_of_parquet_come_back(run, table, quick):
    frame = pd.read_csv(table)
    frame["age"] = frame["age"].astype("Int64")
    frame["ward"] = frame["ward"].astype("category")
    path = table.with_suffix(".parquet")
    frame.to_parquet(path)
    assert run("deidentify", path, *FAST, "--no-report").code == 0
    made = pd.read_parquet(table.with_name("patients.synthetic.parquet"))
    assert made.dtypes.astype(str).to_dict() == pd.read_parquet(path).dtypes.astype(str).to_dict()


@pytest.mark.parametrize(("rows", "made"), [("0", 0), ("7", 7), ("2x", 120), ("0.5x", 30)])
def test_any_number_of_rows_can_be_asked_for(run, table, quick, rows, made):
    assert run("deidentify", table, *FAST, "--no-report", "-n", rows).code == 0
    assert len(text_frame(table.with_name("patients.synthetic.csv"))) == made


def test_a_dry_run_shows_the_plan_and_writes_nothing(run, table, listed, monkeypatch):
    monkeypatch.setattr("tabsynth.synthesizer.Synthesizer.fit", None)
    result = run("deidentify", table, "--dry-run", "--json")
    assert result.code == 0
    assert "nothing was learnt and nothing written" in result.err
    document = json.loads(result.out)
    assert document["dry_run"] is True
    assert document["plan"]["model"] == "independent"
    assert listed(table.parent) == {"patients.csv"}


def test_rows_go_to_standard_output_only_where_asked(run, table, quick):
    result = run("deidentify", table, *FAST, "--no-report", "-o", "-", "-n", 3)
    assert result.code == 0
    assert result.out.splitlines()[0] == "patient_id,age,ward,cost,sick"
    assert len(result.out.splitlines()) == 4
    assert "Column" in result.err


def test_one_json_document_stands_on_standard_output(run, table, quick):
    result = run("deidentify", table, *FAST, "--json")
    document = json.loads(result.out)
    assert document["schema_version"] == 1
    assert document["command"] == "deidentify"
    assert set(document["files"]) == {"table", "report", "json_report", "card"}
    assert document["scores"][0]["name"] == "c2st"
    assert document["failed_gates"] == []
    assert document["plan"]["rows"] == {"train": 48, "holdout": 12, "made": 60}


def test_quiet_means_quiet(run, table, quick):
    result = run("deidentify", table, *FAST, "-q")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_a_schema_decides_what_columns_are(run, table, quick):
    schema = table.with_name("schema.yaml")
    run("inspect", table, "-o", schema)
    text = schema.read_text()
    kept = [line for line in text.splitlines() if not line.startswith("  ward")]
    schema.write_text("\n".join([*kept, "  ward: {type: text}"]) + "\n")
    result = run("deidentify", table, *FAST, "--no-report", "--schema", schema)
    assert result.code == 0, result.err
    assert "ward" not in text_frame(table.with_name("patients.synthetic.csv")).columns
    assert "left out" in result.err


@pytest.mark.parametrize("gate", ["c2st=0.7", "c2st=0.3", "tvd_1way=0.04", "tstr=0.5"])
def test_a_gate_that_holds_lets_through(run, table, quick, gate):
    result = run("deidentify", table, *FAST, "--target", "sick", "--fail-under", gate)
    assert result.code == 0, result.err


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ("c2st=0.6", "between 0.4 and 0.6"),
        ("tvd_1way=0.03", "at most 0.03"),
        ("tstr=0.9", "at least 0.9"),
        ("membership_auc=0.6", "no holdout was given"),
    ],
)
def test_a_gate_that_fails_gives_exit_code_5_and_keeps_the_evidence(
    run, table, quick, listed, gate, words
):
    result = run("deidentify", table, *FAST, "-q", "--target", "sick", "--fail-under", gate)
    assert result.code == 5
    assert "Gate failed" in result.err
    assert words in result.err
    assert listed(table.parent) > REPORTS


def test_files_that_exist_are_left_alone_before_anything_is_read(run, table, listed, monkeypatch):
    monkeypatch.setattr("tabsynth.io.read_table", None)
    card = table.with_name("patients.card.md")
    card.write_text("mine")
    result = run("deidentify", table, *FAST)
    assert result.code == 2
    assert "patients.card.md exists already" in result.err
    assert "--force" in result.err
    assert card.read_text() == "mine"
    assert listed(table.parent) == {"patients.csv", "patients.card.md"}


def test_force_replaces_outputs(run, table, quick):
    card = table.with_name("patients.card.md")
    card.write_text("mine")
    assert run("deidentify", table, *FAST, "--force").code == 0
    assert card.read_text() != "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "{table}"), "is an input"),
        (("-o", "{folder}/a.csv", "--report", "{folder}/a.csv"), "a file of its own"),
        (("--report", "-"), "cannot go to standard output"),
        (("-o", "-", "--json"), "both want standard output"),
        (("-o", "{folder}/a.xyz"), "suffix .xyz is not known"),
        (("--schema", "{table}", "--missing", "NA"), "both say what means missing"),
    ],
)
def test_outputs_that_cannot_be_are_refused_even_by_force(run, table, listed, options, words):
    before = table.read_bytes()
    filled = [one.format(table=table, folder=table.parent) for one in options]
    result = run("deidentify", table, *FAST, *filled, "--force")
    assert result.code == 2
    assert words in result.err
    assert listed(table.parent) == {"patients.csv"}
    assert table.read_bytes() == before


def test_a_folder_that_does_not_exist_is_named(run, table, listed):
    result = run("deidentify", table, *FAST, "-o", table.parent / "nowhere" / "a.csv")
    assert result.code == 3
    assert "nowhere" in result.err
    assert "does not exist" in result.err
    assert listed(table.parent) == {"patients.csv"}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(run, table):
    folder = table.parent / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    result = run("deidentify", table, *FAST, "-o", folder / "a.csv")
    assert result.code == 3
    assert "not writable" in result.err


def test_a_folder_that_is_not_writable_is_found_before_training(run, table, listed, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.setattr("tabsynth.io.read_table", None)
    result = run("deidentify", table, *FAST)
    assert result.code == 3
    assert "not writable" in result.err
    assert listed(table.parent) == {"patients.csv"}


@pytest.mark.parametrize("failing", ["table", "report", "card", "rename"])
def test_a_full_disk_leaves_nothing_half_done(run, table, quick, listed, monkeypatch, failing):
    old = table.with_name("patients.synthetic.csv")
    old.write_text("old")

    def full(*rest, **options):
        raise OSError(28, "No space left on device")

    if failing == "table":
        monkeypatch.setattr("tabsynth.io.csv.CsvWriter._write", full)
    elif failing == "rename":
        monkeypatch.setattr("os.replace", full)
    else:
        kind = {"report": "<html>", "card": "#"}[failing]

        def write(text):
            return full if text.startswith(kind) else lambda path: None

        monkeypatch.setattr("tabsynth.cli.deidentify.text_writer", write)
    result = run("deidentify", table, *FAST, "--force")
    assert result.code == 3
    assert "No space left on device" in result.err
    assert "patients." in result.err
    assert ".part" not in result.err
    assert listed(table.parent) == {"patients.csv", "patients.synthetic.csv"}
    assert old.read_text() == "old"


def test_an_interrupt_while_training_writes_nothing(run, table, listed, monkeypatch):
    def interrupted(*rest, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tabsynth.models.independent.Independent.fit", interrupted)
    result = run("deidentify", table, *FAST)
    assert result.code == 130
    assert "Interrupted; nothing was written." in result.err
    assert listed(table.parent) == {"patients.csv"}


def test_an_interrupt_after_writing_does_not_say_that_nothing_was_written(
    run, table, quick, monkeypatch
):
    def interrupted(*rest, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tabsynth.cli.deidentify.show_summary", interrupted)
    result = run("deidentify", table, *FAST)
    assert result.code == 130
    assert "had been written" in result.err
    assert "patients.synthetic.csv" in result.err


def test_an_error_that_nobody_foresaw_tells_the_phase_and_no_cell(run, table, listed, monkeypatch):
    def broken(self, data, streams, monitor):
        from tabsynth.monitor import Progress

        monitor(Progress("training everything", 1, 10))
        raise RuntimeError(f"cannot handle {MARK} north")

    monkeypatch.setattr("tabsynth.models.independent.Independent.fit", broken)
    result = run("deidentify", table, *FAST)
    assert result.code == 1
    assert "unexpected error while training everything: RuntimeError" in result.err
    assert "-v" in result.err
    assert MARK not in result.err
    assert "Traceback" not in result.err
    assert listed(table.parent) == {"patients.csv"}
    told = run("deidentify", table, *FAST, "-v")
    assert told.code == 1
    assert "Traceback" in told.err


def test_a_refusal_for_privacy_has_its_own_exit_code(run, table, monkeypatch):
    from tabsynth.errors import PrivacyError

    def refuse(*rest, **options):
        raise PrivacyError("This would show rows.")

    monkeypatch.setattr("tabsynth.models.independent.Independent.fit", refuse)
    result = run("deidentify", table, *FAST)
    assert result.code == 4
    assert "Error: This would show rows." in result.err


def test_column_names_may_be_anything_that_a_terminal_must_not_obey(run, tmp_path, quick):
    path = tmp_path / "odd.csv"
    odd = ["[bold]", "a, b", "💊", "sum", "\x1b[31mred"]
    rows = [",".join(str((i * 7 + j) % 11) for j in range(5)) for i in range(60)]
    header = ",".join(f'"{name}"' for name in odd)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    result = run("deidentify", path, *FAST, "--no-report")
    assert result.code == 0, result.err
    assert list(text_frame(tmp_path / "odd.synthetic.csv").columns) == odd
    assert "[bold]" in result.err
    assert "💊" in result.err
    assert "\x1b" not in result.err

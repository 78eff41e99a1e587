"""The program as a whole: help, version, streams, lists, and what it takes to start it."""

import json
import os
import subprocess
import sys

import pytest

from tabsynth import __version__
from tabsynth.cli.main import main
from tabsynth.cli.terminal import Terminal

VERBS = [
    (),
    ("deidentify",),
    ("inspect",),
    ("fit",),
    ("sample",),
    ("impute",),
    ("rebalance",),
    ("augment",),
    ("evaluate",),
    ("audit",),
    ("models",),
    ("datasets",),
    ("datasets", "list"),
    ("datasets", "show"),
    ("datasets", "write"),
    ("model",),
    ("model", "show"),
    ("schema",),
    ("schema", "validate"),
]
MARK = b"ZQX"


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help_with_examples(run, verb):
    result = run(*verb, "--help")
    assert result.code == 0
    assert result.err == ""
    assert f"Usage: {' '.join(('tabsynth', *verb))}" in result.out
    assert "Examples:" in result.out or len(verb) == 1
    assert "\b" not in result.out


def test_the_version_is_told(run):
    assert run("--version").out == f"tabsynth {__version__}\n"


@pytest.mark.parametrize("verb", [(), ("datasets",), ("model",), ("schema",)])
def test_without_a_verb_the_help_is_shown(run, verb):
    result = run(*verb)
    assert result.code == 2
    assert "Commands:" in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("inspct",), "Did you mean 'inspect'"),
        (("deidentify",), "IN"),
        (("datasets", "shw"), "'show'"),
        (("inspect", "a.csv", "b.csv"), "b.csv"),
    ],
)
def test_wrong_usage_gives_exit_code_2_and_a_way_on(run, arguments, words):
    result = run(*arguments)
    assert result.code == 2
    assert result.err.startswith("Error: ")
    assert words in result.err
    assert "--help" in result.err


def test_main_exits_with_the_code(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["inspect", "nowhere.csv"])
    assert ended.value.code == 3


def test_starting_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys, time; begun = time.process_time();"
        "from tabsynth.cli.main import run; run(['--help']);"
        "used = time.process_time() - begun;"
        "heavy = {'torch', 'pandas', 'numpy', 'sklearn', 'matplotlib', 'pyarrow'};"
        "print(used, *heavy & set(sys.modules), file=sys.stderr)"
    )
    seconds = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        used, *heavy = done.stderr.split()
        assert heavy == []
        seconds.append(float(used))
    assert min(seconds) < 0.7


def test_models_are_listed_with_their_settings(run):
    result = run("models")
    assert result.code == 0
    assert "independent" in result.err
    assert "--set bins=256" in result.err
    document = json.loads(run("models", "--json").out)
    listed = {model["name"]: model for model in document["models"]}
    assert listed["independent"]["parameters"]["bins"]["default"] == 256
    assert listed["independent"]["parameters"]["bins"]["meaning"]


def test_tables_of_the_catalogue_are_listed_shown_and_written(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TABSYNTH_DATA", str(tmp_path))
    assert "hospital_admissions" in run("datasets", "list").err
    document = json.loads(run("datasets", "list", "--json").out)
    assert document["datasets"][0]["where"] == "here"
    shown = run("datasets", "show", "hospital_admissions")
    assert "readmitted (classification)" in shown.err
    assert (
        json.loads(run("datasets", "show", "adult", "--json").out)["dataset"]["target"] == "income"
    )
    path = tmp_path / "demo.csv"
    written = run("datasets", "write", "hospital_admissions", "-o", path)
    assert written.code == 0, written.err
    assert "10,000 rows, 28 columns" in written.err
    assert path.read_text(encoding="utf-8").startswith("patient_id,")
    assert run("datasets", "write", "hospital_admissions", "-o", path).code == 2


def test_a_table_that_is_not_here_is_not_fetched_unasked(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TABSYNTH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = run("datasets", "write", "adult", "-o", tmp_path / "a.csv")
    assert result.code == 3
    assert "--fetch" in result.err
    assert not list(tmp_path.iterdir())
    unknown = run("datasets", "show", "adlt")
    assert unknown.code == 2
    assert "'adult'" in unknown.err


def test_rows_flow_through_pipes_and_progress_stays_off_them(run_apart, table):
    done = run_apart(
        *("deidentify", "-", "--input-format", "csv", "-o", "-", "--no-report"),
        *("--model", "independent", "--seed", "7", "-n", "5", "--holdout", "0"),
        input=table.read_bytes(),
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "patient_id,age,ward,cost,sick"
    assert len(lines) == 6
    assert MARK not in done.stderr
    assert b"\x1b" not in done.stderr
    assert b"%" not in done.stderr.split(b"Model")[0]
    assert "━".encode() not in done.stderr
    assert b"Seed" in done.stderr


def test_standard_input_needs_a_format_and_names_for_the_reports(run):
    assert "--input-format" in run("inspect", "-").err
    unnamed = run("deidentify", "-", "--input-format", "csv")
    assert unnamed.code == 2
    assert "-o" in unnamed.err
    reports = run("deidentify", "-", "--input-format", "csv", "-o", "-")
    assert reports.code == 2
    assert "--no-report" in reports.err


def test_a_reader_that_has_seen_enough_is_no_error(run, table):
    model = table.with_name("m")
    assert run("fit", table, "--model", "independent", "-o", model).code == 0
    script = (
        f"{sys.executable} -c 'from tabsynth.cli.main import main; main()' "
        f"sample {model} -n 20000 -q -o - | head -n 1; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60)
    assert done.returncode == 141
    assert done.stderr == b""
    assert done.stdout.startswith(b"patient_id")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is of Linux")
def test_a_full_standard_output_is_told(table):
    code = "from tabsynth.cli.main import main; main()"
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "inspect", str(table), "-q", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert done.returncode == 3
    assert done.stderr.startswith(b"Error: Cannot write to the standard output: No space left")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_progress_is_shown_on_a_terminal(table):
    import pty

    kept, given = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    code = "from tabsynth.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "inspect", str(table)],
        stdout=subprocess.PIPE,
        stderr=given,
        env=environment,
    ) as process:
        os.close(given)
        parts = []
        try:
            while part := os.read(kept, 65536):
                parts.append(part)
        except OSError:  # how a terminal tells on Linux that its other end is closed
            pass
        assert process.stdout.read() == b""
    os.close(kept)
    shown = b"".join(parts)
    assert b"Reading patients.csv" in shown
    assert "━".encode() in shown
    assert b"\x1b[" in shown


@pytest.mark.parametrize("unwanted", [False, True])
def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch, capsys, unwanted):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    if unwanted:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    Terminal().insist("Error: nothing", style="red")
    assert ("\x1b[31m" in capsys.readouterr().err) is not unwanted

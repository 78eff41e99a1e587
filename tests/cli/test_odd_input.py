"""Odd input: every error names the place, has its exit code, writes nothing and shows no cell."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

MARK = "ZQX"
HEAD = "patient_id,age,ward,cost,sick\n"


def rows(count, cells="{i},{i},ZQX north,1.5,yes"):
    return "".join(cells.format(i=i) + "\n" for i in range(count))


CASES = {
    "empty file": ("a.csv", b"", (), 3, ["is empty"]),
    "header only": ("a.csv", HEAD, (), 3, ["0 rows", "at least"]),
    "too few rows": ("a.csv", HEAD + rows(5), (), 3, ["5 rows", "at least"]),
    "duplicate names": (
        "a.csv",
        "age,ZQ,age\n" + rows(40, "1,ZQX,2"),
        (),
        3,
        ["'age'", "more than once"],
    ),
    "ragged": ("a.csv", HEAD + rows(40) + "1,2,ZQX\n", (), 3, ["row 42 has 3"]),
    "wrong encoding": (
        "a.csv",
        (HEAD + rows(40)).encode() + "1,2,ZQX Zürich,3,no\n".encode("cp1252"),
        (),
        3,
        ["UTF-8", "--encoding", "line 42"],
    ),
    "unknown encoding": ("a.csv", HEAD + rows(40), ("--encoding", "klingon"), 2, ["klingon"]),
    "unclosed quote": ("a.csv", HEAD + rows(40) + '1,"ZQX,3,4,5\n', (), 3, ["never closed"]),
    "not what the suffix says": ("a.parquet", HEAD + rows(40), (), 3, ["Parquet"]),
    "a workbook called csv": ("a.csv", b"PK\x03\x04" + b"ZQX" * 99, (), 3, ["Excel"]),
    "not packed": ("a.csv.gz", HEAD + rows(40), (), 3, ["not packed with gzip"]),
    "cut off": ("a.csv.gz", gzip.compress((HEAD + rows(4000)).encode())[:90], (), 3, ["cut off"]),
    "unknown suffix": ("a.xyz", HEAD + rows(40), (), 2, [".xyz"]),
    "negative rows": ("a.csv", HEAD + rows(40), ("--rows", "-5"), 2, ["--rows", "'-5'"]),
    "rows of no number": ("a.csv", HEAD + rows(40), ("--rows", "many"), 2, ["'many'"]),
    "negative seed": ("a.csv", HEAD + rows(40), ("--seed", "-1"), 2, ["--seed"]),
    "holdout above its limit": ("a.csv", HEAD + rows(40), ("--holdout", "1.5"), 2, ["holdout"]),
    "no such target": ("a.csv", HEAD + rows(40), ("--target", "sik"), 2, ["'sik'", "sick"]),
    "no such model": ("a.csv", HEAD + rows(40), ("--model", "tvea"), 2, ["'tvae'"]),
    "no such setting": (
        "a.csv",
        HEAD + rows(40),
        ("--model", "independent", "--set", "bin=9"),
        2,
        ["Did you mean 'bins'"],
    ),
    "a setting of the wrong type": (
        "a.csv",
        HEAD + rows(40),
        ("--model", "independent", "--set", "bins=many"),
        2,
        ["--set bins", "integer"],
    ),
    "half a setting": ("a.csv", HEAD + rows(40), ("--set", "bins"), 2, ["NAME=VALUE"]),
    "no such score": (
        "a.csv",
        HEAD + rows(40),
        ("--fail-under", "c2sd=0.7"),
        2,
        ["Did you mean 'c2st'", "tvd_1way"],
    ),
    "a gate without a target": ("a.csv", HEAD + rows(40), ("--fail-under", "tstr=1"), 2, ["tstr"]),
    "half a gate": ("a.csv", HEAD + rows(40), ("--fail-under", "c2st"), 2, ["SCORE=VALUE"]),
    "misspelt option": ("a.csv", HEAD + rows(40), ("--seeds", "1"), 2, ["--seed"]),
    "nested values": (
        "a.jsonl",
        "".join(json.dumps({"age": i, "tags": [MARK, str(i)]}) + "\n" for i in range(40)),
        (),
        3,
        ["'tags'", "nested"],
    ),
    "broken line": ("a.jsonl", '{"age": 1}\n{"age": ZQX\n', (), 3, ["row 2"]),
}


@pytest.mark.parametrize("case", CASES)
def test_odd_input_is_refused_with_its_place_and_nothing_is_written(run, tmp_path, listed, case):
    name, content, options, code, words = CASES[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run("deidentify", path, *options)
    assert result.code == code, result.err
    for word in words:
        assert word in result.err
    assert "Error: " in result.err
    assert MARK not in result.err
    assert "Traceback" not in result.err
    assert result.out == ""
    assert listed(tmp_path) == {name}


def test_infinities_are_refused_with_the_column(run, tmp_path, listed):
    path = tmp_path / "a.parquet"
    ward = [f"{MARK} {i % 3}" for i in range(40)]
    pd.DataFrame(
        {"age": np.arange(40.0), "ward": ward, "cost": [np.inf] * 2 + [7.5] * 38}
    ).to_parquet(path)
    result = run("deidentify", path, "--model", "independent")
    assert result.code == 3, result.err
    assert "'cost'" in result.err
    assert "infini" in result.err
    assert MARK not in result.err
    assert listed(tmp_path) == {"a.parquet"}


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    result = run("deidentify", tmp_path / "patiens.csv")
    assert result.code == 3
    assert "patiens.csv: there is no such file" in result.err


def test_all_problems_of_a_schema_are_reported_at_once(run, table, listed):
    schema = table.with_name("schema.yaml")
    schema.write_text(
        "tabsynth: 1\ncolumns:\n"
        "  patient_id: {type: identifier}\n  ages: {type: number}\n  ward: {type: number}\n"
        "  cost: {type: datetime}\n  sick: {type: category}\n"
    )
    for arguments in (
        ("deidentify", table, "--schema", schema),
        ("fit", table, "--schema", schema, "-o", table.with_name("m")),
        ("schema", "validate", schema, table),
    ):
        result = run(*arguments)
        assert result.code == 3, result.err
        assert "problems:" in result.err
        assert "Did you mean 'age'" in result.err
        for column in ("'ages'", "'age'", "'ward'", "'cost'"):
            assert f"Column {column}" in result.err
        assert MARK not in result.err
        assert listed(table.parent) == {"patients.csv", "schema.yaml"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("columns: [", "not valid YAML at line"),
        ("a: 1", "needs a mapping 'columns'"),
        ("columns: {age: {type: nmber}}", "'nmber'"),
        ("columns: {age: {role: x}, ward: {type: text, role: x}}", "2 problems"),
        ("tabsynth: 99\ncolumns: {age: {type: number}}", "format 99"),
    ],
)
def test_a_malformed_schema_is_refused(run, table, text, words):
    schema = table.with_name("schema.yaml")
    schema.write_text(text)
    result = run("deidentify", table, "--schema", schema)
    assert result.code in (2, 3)
    assert words in result.err
    assert "Traceback" not in result.err


@pytest.fixture
def model(run, table):
    path = table.with_name("patients.model")
    assert run("fit", table, "--model", "independent", "--seed", "7", "-o", path).code == 0
    return path


def rewritten(path, change):
    """Write a model file anew with its manifest changed."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def newer(members):
    manifest = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps({**manifest, "tabsynth_model": 99}).encode()


def tampered(members):
    members["codec.json"] = members["codec.json"].replace(b"256", b"255", 1) + b" "


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "cut off"),
        (lambda path: path.write_bytes(b""), "no model file"),
        (lambda path: path.write_text(MARK), "no model file"),
        (lambda path: rewritten(path, tampered), "codec.json is not what was written"),
        (lambda path: rewritten(path, newer), "format 99"),
    ],
    ids=["truncated", "empty", "another file", "tampered", "newer"],
)
def test_a_spoilt_model_file_is_refused(run, model, listed, spoil, words):
    spoil(model)
    before = listed(model.parent)
    for arguments in (
        ("sample", model, "-n", 5, "-o", model.with_name("a.csv")),
        ("model", "show", model),
    ):
        result = run(*arguments)
        assert result.code == 3
        assert words in result.err
        assert "patients.model" in result.err
        assert MARK not in result.err
        assert "Traceback" not in result.err
        assert listed(model.parent) == before

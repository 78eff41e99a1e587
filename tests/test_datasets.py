"""The catalogue: where tables are found, how they are read, and when one is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets  # here, because a first import draws from Python's random generator

from tabsynth import datasets
from tabsynth.errors import ConfigError, DataError

README = Path(__file__).resolve().parents[1] / "datasets" / "README.md"
CELLS = "code,kind,size,label\n007,NA,1.5,yes\n010,None,?,no\n011,b,2.5,yes\n"


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path) -> SimpleNamespace:
    """Two empty places for tables, and none of the machine's own."""
    data, cache = tmp_path / "data", tmp_path / "xdg" / "tabsynth"
    monkeypatch.setenv("TABSYNTH_DATA", str(data))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    return SimpleNamespace(data=data, cache=cache)


@pytest.fixture
def shared(data_dir, monkeypatch) -> Path:
    """The folder of the real tables, made known to the catalogue."""
    monkeypatch.setenv("TABSYNTH_DATA", str(data_dir))
    return data_dir


@pytest.fixture
def small(monkeypatch) -> datasets.Entry:
    """A catalogue with one table of three rows."""
    entry = datasets.Entry(
        name="small",
        description="A table for tests.",
        rows=3,
        columns=4,
        task="classification",
        target="label",
        licence="CC0",
        source="the test, doi:10.0/0",
        missing_values=("?",),
        missing_cells=1,
        numeric_columns=("size",),
        id_columns=("code",),
        datetime_columns=(),
        file="small.csv",
        sha256=hashlib.sha256(CELLS.encode()).hexdigest(),
        openml_id=99,
        openml_columns=("code", "kind", "size", "label"),
    )
    monkeypatch.setattr(datasets, "_catalogue", lambda: {"small": entry})
    return entry


def put(folder: Path, text: str = CELLS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "small.csv"
    file.write_text(text, encoding="utf-8", newline="")
    return file


@pytest.fixture
def openml(monkeypatch) -> list[dict[str, Any]]:
    """A stand-in for OpenML; the list holds what it was asked."""
    calls: list[dict[str, Any]] = []

    def fetch_openml(**arguments: Any) -> SimpleNamespace:
        calls.append(arguments)
        frame = pd.DataFrame(
            {
                "V1": [7, 10, 11],
                "V2": pd.Categorical(["NA", "None", "b"]),
                "V3": [1.5, np.nan, 2.5],
                "Class": pd.Categorical(["yes", "no", "yes"]),
            }
        )
        return SimpleNamespace(frame=frame)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    return calls


def test_the_demo_comes_first_and_names_are_unique():
    names = datasets.names()
    assert names[0] == "hospital_admissions"
    assert "adult" in names
    assert len(set(names)) == len(names) == 43


def test_every_entry_says_whence_it_comes_and_under_which_licence():
    for name in datasets.names():
        entry = datasets.describe(name)
        assert entry.name == name
        assert entry.licence
        assert entry.task in ("classification", "regression")
        assert (entry.file is None) == (entry.sha256 is None) == (name == "hospital_admissions")
        if entry.file is not None:
            assert re.search(r"doi:10\.|https://|arXiv:", entry.source), name
            assert re.fullmatch("[0-9a-f]{64}", entry.sha256 or ""), name
        if entry.openml_columns:
            assert entry.openml_id is not None
            assert len(set(entry.openml_columns)) == entry.columns
            assert entry.target in entry.openml_columns


def test_an_entry_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        datasets.describe("adult").rows = 1  # type: ignore[misc]


def test_an_unknown_table_is_refused_with_the_nearest_name():
    for ask in (datasets.describe, datasets.locate, datasets.load):
        with pytest.raises(ConfigError, match=r"no table called 'adlut'.*Did you mean 'adult'"):
            ask("adlut")


def test_the_files_of_the_data_folder_are_those_of_the_catalogue(shared):
    wrong = []
    for name in datasets.names():
        path = datasets.locate(name)
        if path is not None:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            wrong += [] if digest == datasets.describe(name).sha256 else [name]
    assert not wrong


def test_real_tables_have_the_stated_shape_columns_and_missing_cells(shared):
    """Tables of more than 1 MB are left out to keep the test short."""
    seen, wrong = 0, []
    for name in datasets.names():
        path, entry = datasets.locate(name), datasets.describe(name)
        if path is None or path.stat().st_size > 1_000_000:
            continue
        seen += 1
        frame = datasets.load(name)
        lists = (entry.numeric_columns, entry.id_columns, entry.datetime_columns)
        named = {entry.target, *entry.text_columns, *(column for part in lists for column in part)}
        numbers = frame[list(entry.numeric_columns)].dtypes
        if (
            frame.shape != (entry.rows, entry.columns)
            or int(frame.isna().sum().sum()) != entry.missing_cells
            or not named <= set(frame.columns)
            or not all(pd.api.types.is_numeric_dtype(kind) for kind in numbers)
        ):
            wrong.append(name)
    if seen == 0:
        pytest.skip(f"no table of the catalogue lies in {shared}")
    assert not wrong


def test_a_parquet_table_has_no_view_as_text():
    with pytest.raises(ConfigError, match="Parquet"):
        datasets.load("acs_income_2018", text=True)


def test_the_demo_table_is_always_there(monkeypatch):
    monkeypatch.delenv("TABSYNTH_DATA")
    frame = datasets.load("hospital_admissions")
    pd.testing.assert_frame_equal(frame, datasets.hospital_admissions(10_000, seed=0))
    entry = datasets.describe("hospital_admissions")
    assert frame.shape == (entry.rows, entry.columns)
    assert int(frame.isna().sum().sum()) == pytest.approx(entry.missing_cells, rel=0.01)
    lists = (entry.numeric_columns, entry.id_columns, entry.datetime_columns, entry.text_columns)
    assert {column for part in lists for column in part} < set(frame.columns)


def test_the_demo_table_as_text_keeps_leading_zeros_and_dates():
    typed = datasets.load("hospital_admissions")
    text = datasets.load("hospital_admissions", text=True)
    assert set(map(str, text.dtypes)) == {"str"}
    assert text["postcode"].tolist() == typed["postcode"].tolist()
    assert text["birth_date"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    assert text["systolic_bp"].str.fullmatch(r"\d*").all()
    assert (text["email"] == "").sum() == typed["email"].isna().sum()


def test_only_the_markers_of_the_catalogue_are_missing(small, folders):
    put(folders.data)
    frame = datasets.load("small")
    assert frame["kind"].tolist() == ["NA", "None", "b"]
    assert frame["size"].isna().tolist() == [False, True, False]
    assert frame["size"].dtype == "float64"


def test_text_gives_every_cell_as_it_stands_in_the_file(small, folders):
    put(folders.data)
    frame = datasets.load("small", text=True)
    assert frame["code"].tolist() == ["007", "010", "011"]
    assert frame["size"].tolist() == ["1.5", "?", "2.5"]


def test_the_data_folder_is_asked_before_the_cache(small, folders, monkeypatch):
    assert datasets.locate("small") is None
    in_cache = put(folders.cache)
    assert datasets.locate("small") == in_cache
    in_data = put(folders.data)
    assert datasets.locate("small") == in_data
    monkeypatch.delenv("TABSYNTH_DATA")
    assert datasets.folders() == [folders.cache]
    assert datasets.locate("small") == in_cache


def test_without_xdg_the_cache_lies_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datasets.folders()[-1] == tmp_path / ".cache" / "tabsynth"


def test_a_changed_file_is_refused_with_both_digests(small, folders):
    changed = CELLS.replace("011", "012")
    file = put(folders.data, changed)
    with pytest.raises(DataError) as caught:
        datasets.load("small")
    message = str(caught.value)
    assert str(file) in message
    assert small.sha256 in message
    assert hashlib.sha256(changed.encode()).hexdigest() in message
    assert "012" not in message.replace(hashlib.sha256(changed.encode()).hexdigest(), "")


def test_a_table_that_is_nowhere_names_the_folders_and_the_source(small, folders, openml):
    with pytest.raises(DataError) as caught:
        datasets.load("small")
    message = str(caught.value)
    for part in (str(folders.data), str(folders.cache), "small.csv", "--fetch", small.source):
        assert part in message
    assert not openml
    assert not folders.cache.exists()


def test_the_message_says_when_no_data_folder_is_set(small, monkeypatch):
    monkeypatch.delenv("TABSYNTH_DATA")
    with pytest.raises(DataError, match="TABSYNTH_DATA is not set"):
        datasets.load("small")


def test_a_table_that_openml_has_not_cannot_be_fetched(openml):
    with pytest.raises(DataError, match="cannot be fetched automatically"):
        datasets.load("telco_churn", fetch=True)
    assert not openml


def test_a_local_file_is_not_fetched_again(small, folders, openml):
    put(folders.data)
    datasets.load("small", fetch=True)
    assert not openml


def test_a_fetched_table_is_kept_with_its_digest_and_read_from_the_cache(small, folders, openml):
    first = datasets.load("small", fetch=True)
    assert openml == [{"data_id": 99, "as_frame": True, "target_column": None, "cache": False}]
    assert first.columns.tolist() == ["code", "kind", "size", "label"]
    assert first["kind"].tolist() == ["NA", "None", "b"]
    assert int(first.isna().sum().sum()) == 1
    kept = folders.cache / "small.openml.csv.gz"
    digest = hashlib.sha256(kept.read_bytes()).hexdigest()
    assert kept.with_name(kept.name + ".sha256").read_text().strip() == digest
    assert len(list(folders.cache.iterdir())) == 2
    pd.testing.assert_frame_equal(datasets.load("small"), first)
    assert datasets.load("small", text=True)["size"].tolist() == ["1.5", "?", "2.5"]
    assert len(openml) == 1


@pytest.mark.parametrize("damage", ["content", "digest"])
def test_a_fetched_table_that_was_changed_is_refused(small, folders, openml, damage):
    datasets.load("small", fetch=True)
    kept = folders.cache / "small.openml.csv.gz"
    if damage == "content":
        kept.write_bytes(kept.read_bytes()[:-1] + b"\x01")
    else:
        kept.with_name(kept.name + ".sha256").unlink()
    with pytest.raises(DataError, match="Delete it and fetch it again"):
        datasets.load("small")


@pytest.mark.parametrize("change", [{"rows": 4}, {"columns": 5}, {"target": "y"}])
def test_a_fetched_table_of_another_form_is_refused_and_not_kept(
    small, folders, openml, monkeypatch, change
):
    other = dataclasses.replace(small, **change)
    monkeypatch.setattr(datasets, "_catalogue", lambda: {"small": other})
    with pytest.raises(DataError, match="nothing was kept"):
        datasets.load("small", fetch=True)
    assert not folders.cache.exists()


def test_a_network_that_fails_is_an_error_that_says_what_to_do(small, folders, monkeypatch):
    def fetch_openml(**arguments: Any) -> SimpleNamespace:
        raise ConnectionError("no route")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    with pytest.raises(DataError, match=r"could not be fetched .*no route.*public source"):
        datasets.load("small", fetch=True)
    assert not folders.cache.exists()


def test_the_readme_shows_the_catalogue():
    if not README.is_file():
        pytest.skip("the folder datasets/ is not part of this copy")
    assert datasets.markdown_table() in README.read_text(encoding="utf-8")


def test_the_catalogue_can_be_read_without_heavy_imports():
    code = (
        "import sys; from tabsynth import datasets; datasets.describe('adult');"
        "print([name for name in ('sklearn', 'torch', 'scipy', 'faker') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"

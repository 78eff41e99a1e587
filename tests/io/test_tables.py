import csv
import datetime as dt
import errno
import gzip
import io
import os
import sys
import tomllib
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tabsynth.errors import ConfigError, DataError
from tabsynth.io import FORMATS, find_format, iter_table, open_writer, read_table, write_table

SUFFIXES = ["csv", "tsv", "txt", "csv.gz", "jsonl", "ndjson", "jsonl.gz", "parquet", "pq"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_chooses_the_format(tmp_path, suffix):
    frame = pd.DataFrame({"a": ["x", "ü,;\t\n"], "b": ["007", ""]})
    for name in (f"t.{suffix}", f"T.v2.{suffix.upper()}"):
        path = tmp_path / name
        write_table(frame, path)
        table = read_table(str(path))
        pd.testing.assert_frame_equal(table.frame, frame)
        assert table.format == find_format(name)[0].name


def test_the_formats_are_known_by_name():
    assert FORMATS.names() == ["csv", "jsonl", "parquet"]


@pytest.mark.parametrize(
    "name", ["t.xlsx", "t", "t.gz", "t.parquet.gz", "t.json", ".csv", "folder.csv/t"]
)
def test_an_unknown_suffix_lists_the_known_ones(tmp_path, name):
    for attempt in (
        lambda: read_table(tmp_path / name),
        lambda: write_table(pd.DataFrame({"a": [1]}), tmp_path / name),
        lambda: iter_table(tmp_path / name),
    ):
        with pytest.raises(ConfigError) as caught:
            attempt()
        message = str(caught.value)
        assert all(one in message for one in (".csv", ".tsv", ".csv.gz", ".jsonl.gz", ".parquet"))
        assert ".parquet.gz, " not in message
        assert "--format" in message
    assert os.listdir(tmp_path) == []


def test_a_format_that_is_given_beats_the_suffix(tmp_path):
    write_table(pd.DataFrame({"a": [1]}), tmp_path / "t.dat", format="jsonl")
    assert (tmp_path / "t.dat").read_text() == '{"a":1}\n'
    assert read_table(tmp_path / "t.dat", format="jsonl").frame["a"].tolist() == [1]
    with pytest.raises(ConfigError, match=r"no format called 'cvs'\. Did you mean 'csv'"):
        read_table(tmp_path / "t.dat", format="cvs")


def test_standard_input_and_output_need_a_format():
    with pytest.raises(ConfigError, match=r"format must be given for '-'.*csv, jsonl, parquet"):
        read_table("-")
    with pytest.raises(ConfigError, match="format must be given for '-'"):
        write_table(pd.DataFrame({"a": [1]}), "-")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_cannot_be_read_is_named(tmp_path, suffix, monkeypatch):
    for read in (read_table, iter_table):
        with pytest.raises(DataError, match=r"no\.\w+: there is no such file"):
            read(tmp_path / f"no.{suffix}")
        (tmp_path / f"folder.{suffix}").mkdir(exist_ok=True)
        with pytest.raises(DataError, match="is a folder"):
            read(tmp_path / f"folder.{suffix}")


def test_a_file_without_permission_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")

    def refuse(*arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(DataError, match=r"t\.csv: cannot be read: Permission denied"):
        read_table(path)


@pytest.mark.parametrize("rows", [0, -1, True, 2.5])
def test_a_number_of_rows_that_is_none_is_refused(tmp_path, rows):
    with pytest.raises(ConfigError, match="rows must be a positive integer"):
        iter_table(tmp_path / "t.csv", rows=rows)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_previous_file_and_nothing_else(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(b"old")
    real = open

    class Full(io.FileIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    def limited(file, mode="r", *arguments, **options):
        if mode == "wb":
            return io.BufferedWriter(Full(file, "wb"))
        return real(file, mode, *arguments, **options)

    monkeypatch.setattr("builtins.open", limited)
    frame = pd.DataFrame({"a": ["secret"] * 10})
    with pytest.raises(DataError) as caught:
        write_table(frame, path, force=True)
    monkeypatch.undo()
    assert f"Cannot write {path}: No space left on device" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_existing_file_is_left_unless_forced(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(DataError, match="--force"):
        write_table(pd.DataFrame({"a": ["1"]}), path)
    assert path.read_bytes() == b"old"
    write_table(pd.DataFrame({"a": ["1"]}), path, force=True)
    assert read_table(path).frame["a"].tolist() == ["1"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_writer_that_fails_leaves_nothing(tmp_path, suffix):
    def interrupt():
        with open_writer(tmp_path / f"t.{suffix}") as writer:
            writer.write(pd.DataFrame({"a": ["1"]}))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_writer_must_be_given_a_table(tmp_path, suffix):
    with (
        pytest.raises(DataError, match="no table was given"),
        open_writer(tmp_path / f"t.{suffix}"),
    ):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), "column name 'a' occurs more than"),
        (pd.DataFrame([[1, 2]], columns=["1", 1]), "column name '1' occurs more than once"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "2 levels"),
        (pd.DataFrame(index=[1, 2]), "no columns"),
    ],
)
def test_names_that_a_file_cannot_have_are_refused(tmp_path, frame, message):
    with pytest.raises(DataError, match=message):
        write_table(frame, tmp_path / "t.csv")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_chunks_with_other_columns_are_refused(tmp_path, suffix):
    def write():
        with open_writer(tmp_path / f"t.{suffix}") as writer:
            writer.write(pd.DataFrame({"a": [1], "b": [2]}))
            writer.write(pd.DataFrame({"b": [1], "a": [2]}))

    with pytest.raises(DataError, match="columns of the first one"):
        write()
    assert os.listdir(tmp_path) == []


def test_data_go_to_standard_output_as_they_would_to_a_file(tmp_path, capfdbinary):
    frame = pd.DataFrame({"a": ["ü", "x"], "b": [1, 2]})
    for format in ("csv", "jsonl", "parquet"):
        write_table(frame, tmp_path / f"t.{format}")
        write_table(frame, "-", format=format)
        captured = capfdbinary.readouterr()
        assert captured.out == (tmp_path / f"t.{format}").read_bytes()
        assert captured.err == b""


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EPIPE])
def test_a_standard_output_that_fails_is_an_error(monkeypatch, code):
    class Stdout:
        class buffer(io.BytesIO):
            def write(self, data):
                raise OSError(code, "x")

    Stdout.buffer = Stdout.buffer()
    monkeypatch.setattr(sys, "stdout", Stdout)
    expected = BrokenPipeError if code == errno.EPIPE else DataError
    with pytest.raises(expected):
        write_table(pd.DataFrame({"a": [1]}), "-", format="csv")


CELLS = {
    "ints": (pd.Series([1, 2**53 + 1]), ["1", "9007199254740993"]),
    "nullable ints": (pd.Series([2**62, None], dtype="Int64"), ["4611686018427387904", ""]),
    "bools": (pd.Series([True, False]), ["True", "False"]),
    "nullable bools": (pd.Series([True, None], dtype="boolean"), ["True", ""]),
    "object bools": (pd.Series([False, None], dtype=object), ["False", ""]),
    "floats": (pd.Series([1.0, np.nan]), ["1.0", ""]),
    "infinite floats": (pd.Series([np.inf, -np.inf]), ["inf", "-inf"]),
    "nullable floats": (pd.Series([0.1, None], dtype="Float64"), ["0.1", ""]),
    "object floats": (pd.Series([1, 0.5], dtype=object), ["1.0", "0.5"]),
    "arrow floats": (pd.Series([1e-7, None], dtype="double[pyarrow]"), ["1e-07", ""]),
    "huge ints": (pd.Series([2**70, None], dtype=object), ["1180591620717411303424", ""]),
    "decimals": (pd.Series([Decimal("1.50"), None], dtype=object), ["1.50", ""]),
    "arrow decimals": (
        pd.Series([Decimal("1.5"), None], dtype=pd.ArrowDtype(pa.decimal128(9, 2))),
        ["1.50", ""],
    ),
    "texts": (pd.Series(["x,y", None]), ['"x,y"', ""]),
    "python texts": (pd.Series(["x", None], dtype="string[python]"), ["x", ""]),
    "object texts": (pd.Series(['"', None], dtype=object), ['""""', ""]),
    "categories": (pd.Series(pd.Categorical(["b,", None], ["a", "b,"])), ['"b,"', ""]),
    "float categories": (pd.Series(pd.Categorical([0.5, None])), ["0.5", ""]),
    "date categories": (
        pd.Series(pd.Categorical(pd.to_datetime(["2020-02-29", None]))),
        ["2020-02-29 00:00:00", ""],
    ),
    "arrow categories": (
        pd.Series(["a,", None], dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
        ['"a,"', ""],
    ),
    "seconds": (
        pd.Series(np.array(["0001-01-01", "NaT"], "M8[s]")),
        ["0001-01-01 00:00:00", ""],
    ),
    "nanoseconds": (
        pd.Series(np.array(["2020-01-01T01:02:03.000000004", "2020-01-01"], "M8[ns]")),
        ["2020-01-01 01:02:03.000000004", "2020-01-01 00:00:00"],
    ),
    "zoned": (
        pd.Series(pd.to_datetime(["2020-07-01", None]).tz_localize("Europe/Rome")),
        ["2020-07-01 00:00:00+02:00", ""],
    ),
    "zoned west": (
        pd.Series(pd.to_datetime(["2020-07-01", None]).tz_localize("America/St_Johns")),
        ["2020-07-01 00:00:00-02:30", ""],
    ),
    "arrow zoned": (
        pd.Series([dt.datetime(2020, 1, 1), None], dtype=pd.ArrowDtype(pa.timestamp("us", "UTC"))),
        ["2020-01-01 00:00:00+00:00", ""],
    ),
    "durations": (pd.Series(pd.to_timedelta(["90s", None])), ["0 days 00:01:30", ""]),
    "arrow durations": (
        pd.Series([dt.timedelta(1), None], dtype=pd.ArrowDtype(pa.duration("us"))),
        ["1 days 00:00:00", ""],
    ),
    "dates": (pd.Series([dt.date(1500, 1, 2), None], dtype=object), ["1500-01-02", ""]),
    "datetimes": (
        pd.Series([dt.datetime(1500, 1, 2, 3), None], dtype=object),
        ["1500-01-02 03:00:00", ""],
    ),
    "arrow dates": (
        pd.Series([dt.date(1500, 1, 2), None], dtype=pd.ArrowDtype(pa.date32())),
        ["1500-01-02", ""],
    ),
    "times": (pd.Series([dt.time(1, 2), None], dtype=object), ["01:02:00", ""]),
    "arrow times": (
        pd.Series([dt.time(1, 2), None], dtype=pd.ArrowDtype(pa.time64("us"))),
        ["01:02:00", ""],
    ),
    "periods": (pd.Series(pd.PeriodIndex(["2020-01", None], freq="M")), ["2020-01", ""]),
    "nothing": (pd.Series([None, None], dtype=object), ["", ""]),
}


@pytest.mark.parametrize("name", CELLS)
def test_every_dtype_has_its_text(tmp_path, name):
    series, texts = CELLS[name]
    frame = pd.DataFrame({"key": ["k", "k"], "x": series})
    write_table(frame, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines() == [
        "key,x",
        *(f"k,{text}" for text in texts),
    ]
    write_table(frame.head(0), tmp_path / "t.csv", force=True)
    assert (tmp_path / "t.csv").read_bytes() == b"key,x\n"


@pytest.mark.parametrize(
    ("values", "contents"),
    [
        ([["secret"], None], "nested values"),
        ([{"secret": 1}, None], "nested values"),
        ([b"secret", None], "bytes"),
        (["secret", 1], r"values of several types \(int, str\)"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_what_no_text_can_hold_is_named_by_column(tmp_path, values, contents, suffix):
    frame = pd.DataFrame({"fine": [1, 2], "odd one": pd.Series(values, dtype=object)})
    with pytest.raises(DataError, match=f"column 'odd one' holds {contents}") as caught:
        write_table(frame, tmp_path / f"t.{suffix}")
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_cells_of_arrow_lists_and_bytes_are_refused(tmp_path):
    for kind, values in ((pa.list_(pa.int64()), [[1]]), (pa.binary(), [b"x"])):
        frame = pd.DataFrame({"odd": pd.array(values, dtype=pd.ArrowDtype(kind))})
        with pytest.raises(DataError, match="column 'odd' holds"):
            write_table(frame, tmp_path / "t.csv")


def test_a_delimiter_that_occurs_in_numbers_is_quoted(tmp_path):
    frame = pd.DataFrame({"a": [1.5, -2.5], "b": [1, 2]})
    write_table(frame, tmp_path / "t.csv", details={"delimiter": "."})
    table = read_table(tmp_path / "t.csv", delimiter=".")
    assert table.frame.to_numpy(dtype=object).tolist() == [["1.5", "1"], ["-2.5", "2"]]


def test_the_index_is_not_written_and_names_become_texts(tmp_path):
    frame = pd.DataFrame([[1, 2]], index=["label"])
    for suffix in ("csv", "jsonl", "parquet"):
        write_table(frame, tmp_path / f"t.{suffix}")
        assert read_table(tmp_path / f"t.{suffix}").frame.columns.tolist() == ["0", "1"]
    assert frame.columns.tolist() == [0, 1]


def test_real_tables_are_read_as_another_reader_reads_them(data_dir):
    manifest = tomllib.loads((data_dir / "manifest.toml").read_text(encoding="utf-8"))
    assert manifest
    for name in ("airbnb_london_text", "student_por", "titanic3"):
        path = data_dir / f"{name}.csv.gz"
        if not path.is_file():
            pytest.skip(f"{path.name} is not in the folder of real tables")
        table = read_table(path)
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter=table.details["delimiter"]) if row]
        assert table.frame.columns.tolist() == rows[0]
        same = table.frame.to_numpy(dtype=object).tolist() == rows[1:]
        assert same  # in a variable, so that a failure shows no rows
        chunks = pd.concat(iter_table(path, rows=5000))
        assert chunks.equals(table.frame)

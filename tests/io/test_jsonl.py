import gzip
import io
import json
import os
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tabsynth.errors import DataError
from tabsynth.io import iter_table, jsonl, open_writer, read_table, write_table
from tabsynth.io.jsonl import JsonLines


@pytest.fixture
def save(tmp_path):
    def save(content, name="t.jsonl"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return save


@pytest.fixture
def small_blocks(monkeypatch):
    """Cut files into many blocks, as only large files are."""
    monkeypatch.setattr(jsonl, "_BLOCK_SIZE", 64)
    monkeypatch.setattr("tabsynth.io.source.BLOCK_SIZE", 50)


def both(path):
    """Read a file whole and in chunks, and check that this is the same."""
    whole = read_table(path).frame
    for rows in (1, 3, 1000):
        chunks = list(iter_table(path, rows=rows))
        assert all(chunk.dtypes.equals(whole.dtypes) for chunk in chunks)
        pd.testing.assert_frame_equal(pd.concat(chunks), whole)
    return whole


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "2"], "int64"),
        (["9007199254740993", "null"], "Int64"),
        (["9223372036854775807", "-9223372036854775808"], "int64"),
        (["1.5", "2"], "float64"),
        (["1.0", "2.0"], "float64"),
        (["1.5", "null"], "float64"),
        (["true", "false"], "bool"),
        (["true", "null"], "boolean"),
        (['"x"', "null"], "str"),
        (['"2020-01-01"', '"2020-01-02T03:04:05Z"'], "str"),
        (['"007"', '""'], "str"),
        (['"NA"', r'"\u00e9\n\ud83d\ude00"'], "str"),
        (["null", "null"], "object"),
    ],
)
def test_values_get_the_dtype_that_holds_them(save, values, dtype):
    frame = both(save("".join(f'{{"x": {value}}}\n' for value in values)))
    assert str(frame["x"].dtype) == dtype
    expected = [json.loads(value) for value in values]
    assert [None if pd.isna(value) else value for value in frame["x"]] == expected


def test_integers_beyond_64_bits_are_exact(save):
    values = [2**63, -(2**70) - 1, 5, None, 10**37 + 1]
    frame = both(save("".join(f'{{"x": {json.dumps(value)}}}\n' for value in values)))
    assert isinstance(frame["x"].dtype, pd.ArrowDtype)
    assert [None if pd.isna(value) else int(value) for value in frame["x"]] == values


def test_large_floats_stay_floats(save):
    assert both(save('{"x": 1e300}\n{"x": 6.02e23}\n'))["x"].tolist() == [1e300, 6.02e23]
    values = [10**25, 0.5]
    frame = both(save("".join(f'{{"x": {value}}}\n' for value in values)))
    assert frame["x"].tolist() == [1e25, 0.5]


def test_keys_may_be_missing_and_keep_the_order_of_first_occurrence(save):
    frame = both(save('{"b": 1}\n\n{"a": true, "b": 2}\r\n{"😀, T": "x", "a": null}\n'))
    assert frame.columns.tolist() == ["b", "a", "😀, T"]
    assert frame.dtypes.astype(str).tolist() == ["Int64", "boolean", "str"]
    assert frame.isna().to_numpy().tolist() == [
        [False, True, True],
        [False, False, True],
        [True, True, False],
    ]


@pytest.mark.usefixtures("small_blocks")
def test_types_are_those_of_the_whole_file_whatever_block_shows_them(save):
    rows = [{"i": k, "f": k, "d": "2020-01-01", "n": None, "big": k} for k in range(40)]
    rows[30] |= {"f": 0.5, "d": "x", "n": "y", "big": 2**65}
    rows[35] |= {"i": None, "late": True}
    frame = both(save("".join(json.dumps(row) + "\n" for row in rows)))
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "i": "Int64",
        "f": "float64",
        "d": "str",
        "n": "str",
        "big": "decimal128(38, 0)[pyarrow]",
        "late": "boolean",
    }
    assert frame["d"].tolist() == [row["d"] for row in rows]
    assert [int(value) for value in frame["big"]] == [row["big"] for row in rows]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("at", [0, 1, 39])
def test_errors_name_the_row_of_the_whole_file(save, at):
    rows = ['{"x": 1, "name": "secret"}'] * 40
    rows[at] = '{"x": 1, "name": "sec'
    with pytest.raises(DataError, match=rf"row {at + 1} \(blank .* is not valid JSON") as caught:
        read_table(save("\n".join(rows) + "\n"))
    assert "sec" not in str(caught.value).replace("t.jsonl", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"deep/one": {"x": 1}}\n', "column 'deep/one' holds nested values"),
        ('{"a": 1, "b": [], "c": {}}\n', "columns 'b', 'c' hold nested values"),
        ('{"a": 1}\n{"a": [1]}\n', "column 'a' holds nested values"),
        ('{"a": 1}\n{"a": "secret"}\n', r"column 'a' holds values of several types.*row 2"),
        ('{"a": true}\n{"a": 1}\n', r"column 'a' holds values of several types.*row 2"),
        ('{"a": 1, "a": 2}\n', r"key 'a' occurs more than once in row 1"),
        ('{"": 1}\n', "column 1 has no name"),
        ("{}\n{}\n", "no keys"),
        ('{"a": 1}\n3\n', r"row 2 .* is no JSON object"),
        ('{"a": 1}\n"secret"\n', r"row 2 .* is no JSON object"),
        ('{"a": 1}\n\n null\n', r"row 2 .* is no JSON object"),
        ("null\n", r"row 1 .* is no JSON object"),
        (' null{"a": "secret"}', r"row 1 .* is no JSON object"),
        ('[{"a": 1}]\n', "is a JSON array, not JSON Lines"),
        ('[\n  {"a": 1}\n]\n', "is a JSON array, not JSON Lines"),
        ('{"a": 1}\n{"a": 1e999}\n', "number in row 2 .* too large"),
        ('{"a": "secret\n', r"row 1 .* is not valid JSON"),
        ("{'a': 'secret'}\n", r"row 1 .* is not valid JSON"),
        ("a,b\nsecret,2\n", r"row 1 .* is not valid JSON"),
        ('{"a": 007}\n', r"row 1 .* is not valid JSON"),
        (r'{"a": "\ud83d"}', r"row 1 .* is not valid JSON"),
        ("", "is empty"),
        ("  \n\n ", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b'{"a": "\xff"}\n', r"offset 7 \(line 1\)"),
        (b'{"a": "\x00"}\n', "NUL character"),
        (b"PAR1\x15\x04", "is not a JSON Lines file but a Parquet file"),
        (gzip.compress(b'{"a": 1}\n', mtime=0), "packed with gzip"),
    ],
)
def test_what_is_no_table_is_an_error_that_shows_no_cell(save, text, message):
    path = save(text)
    for read in (read_table, lambda path: list(iter_table(path))):
        with pytest.raises(DataError, match=message) as caught:
            read(path)
        assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("small_blocks")
def test_types_that_differ_between_blocks_are_an_error(save):
    rows = ['{"a": 1, "other": 2}'] * 20 + ['{"a": "secret", "other": 2}'] * 20
    with pytest.raises(DataError, match="column 'a' holds values of several types") as caught:
        read_table(save("\n".join(rows)))
    assert "secret" not in str(caught.value)


def test_marks_line_ends_and_gzip_are_taken(save):
    content = b'{"a": 1}\r\n{"a": 2}'
    for path in (
        save(content),
        save(b"\xef\xbb\xbf" + content),
        save(gzip.compress(content, mtime=0), "t.ndjson.gz"),
        save(b"\xff\xfe" + content.decode().encode("utf-16-le")),
    ):
        assert both(path)["a"].tolist() == [1, 2]


def test_the_standard_input_is_read(monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b'{"a": 1}\n{"a": 2}\n')

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert read_table("-", format="jsonl").frame["a"].tolist() == [1, 2]
    Stdin.buffer.seek(0)
    assert [len(chunk) for chunk in iter_table("-", format="jsonl", rows=1)] == [1, 1]


def test_writing_gives_one_object_a_line(tmp_path):
    frame = pd.DataFrame(
        {
            'na"me': ["x", 'say "hi"\\', None, "tab\tline\n\x01\x1f"],
            "int": pd.array([1, None, 2**53 + 1, 0], dtype="Int64"),
            "float": [1.0, 0.1, np.nan, 1e300],
            "bool": pd.array([True, None, False, True], dtype="boolean"),
            "when": np.array(["2020-01-01", "1500-01-01T10:00:00.5", "NaT", "2020"], "M8[ms]"),
            "level": pd.Categorical([3, None, 1, 3]),
            "long": pd.array(
                [Decimal(2**70), None, Decimal(1), Decimal(2)],
                dtype=pd.ArrowDtype(pa.decimal128(38, 0)),
            ),
        }
    )
    write_table(frame, tmp_path / "t.jsonl")
    text = (tmp_path / "t.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert [list(row) for row in rows] == [frame.columns.tolist()] * 4
    assert [row['na"me'] for row in rows] == ["x", 'say "hi"\\', None, "tab\tline\n\x01\x1f"]
    assert [row["int"] for row in rows] == [1, None, 2**53 + 1, 0]
    assert [row["float"] for row in rows] == [1.0, 0.1, None, 1e300]
    assert [row["bool"] for row in rows] == [True, None, False, True]
    assert [row["when"] for row in rows] == [
        "2020-01-01T00:00:00",
        "1500-01-01T10:00:00.500",
        None,
        "2020-01-01T00:00:00",
    ]
    assert [row["level"] for row in rows] == [3, None, 1, 3]
    assert [row["long"] for row in rows] == [2**70, None, 1, 2]
    back = both(tmp_path / "t.jsonl")
    names = ['na"me', "int", "float", "bool", "long"]
    pd.testing.assert_frame_equal(back[names], frame[names])


def test_infinity_is_not_written(tmp_path):
    with pytest.raises(DataError, match="column 'a' holds infinite values"):
        write_table(pd.DataFrame({"a": [1.0, -np.inf]}), tmp_path / "t.jsonl")
    assert os.listdir(tmp_path) == []


def test_a_table_without_rows_is_an_empty_file(tmp_path):
    write_table(pd.DataFrame({"a": [1]}).head(0), tmp_path / "t.jsonl")
    assert (tmp_path / "t.jsonl").read_bytes() == b""


def test_chunks_written_one_by_one_are_one_table(tmp_path):
    with open_writer(tmp_path / "t.jsonl.gz") as writer:
        writer.write(pd.DataFrame({"a": [1, 2]}))
        writer.write(pd.DataFrame({"a": [3]}))
    assert gzip.decompress((tmp_path / "t.jsonl.gz").read_bytes()) == b'{"a":1}\n{"a":2}\n{"a":3}\n'


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "text": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
                "real": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
                "whole": st.integers(-(2**63), 2**63 - 1) | st.none(),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
@example([{"text": '\x00"\\/\u2028', "real": -0.0, "whole": -(2**63)}])
def test_values_come_back_exactly(rows):
    frame = pd.DataFrame(
        {
            "text": pd.array([row["text"] for row in rows], dtype="str"),
            "real": pd.array([row["real"] for row in rows], dtype="Float64"),
            "whole": pd.array([row["whole"] for row in rows], dtype="Int64"),
        }
    )
    stream = io.BytesIO()
    writer = JsonLines().writer(stream, "t.jsonl", {})
    writer.write(frame)
    writer.close()
    lines = stream.getvalue().decode().split("\n")[:-1]
    assert [json.loads(line) for line in lines] == rows

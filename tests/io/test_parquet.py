import datetime as dt
import io
import json
import os
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabsynth.errors import DataError
from tabsynth.io import iter_table, open_writer, read_table, write_table


def arrow(values, kind):
    return pd.array(values, dtype=pd.ArrowDtype(kind))


def stamps(values, unit):
    return np.array(values, dtype=f"datetime64[{unit}]")


COLUMNS = {
    "int64": [2**53 + 1, -1, 3],
    "int8": np.array([1, 2, 3], "int8"),
    "uint64": np.array([2**64 - 1, 2, 3], "uint64"),
    "Int64": pd.array([2**53 + 1, None, 3], dtype="Int64"),
    "UInt8": pd.array([1, None, 3], dtype="UInt8"),
    "bool": [True, False, True],
    "boolean": pd.array([True, None, False], dtype="boolean"),
    "float64": [0.1, np.nan, np.inf],
    "float32": np.array([0.1, np.nan, 2], "float32"),
    "Float64": pd.array([1.5, None, 2], dtype="Float64"),
    "str": ["007", "", None],
    "string": pd.array(["a", None, "b"], dtype="string"),
    "category": pd.Categorical(["x", None, "y"], ["z", "y", "x"], ordered=True),
    "category of integers": pd.Categorical([2**53 + 1, None, 1], [3, 2**53 + 1, 1]),
    "category of booleans": pd.Categorical([True, None, False], [True, False]),
    "category of floats": pd.Categorical([0.5, None, 0.25]),
    "datetime64[s]": stamps(["0001-01-01", "NaT", "9999-12-31"], "s"),
    "datetime64[ms]": stamps(["1500-01-01", "NaT", "2000-02-29"], "ms"),
    "datetime64[us]": stamps(["1500-01-01", "NaT", "2000-02-29"], "us"),
    "datetime64[ns]": stamps(["2000-01-01", "NaT", "2000-02-29"], "ns"),
    "zoned": pd.to_datetime(["2020-03-29 00:30", None, "2020-10-25 00:30"]).tz_localize(
        "Europe/Rome"
    ),
    "zoned by offset": pd.to_datetime(["2020-03-29", None, "2020-10-25"]).tz_localize("+05:30"),
    "timedelta64[us]": pd.to_timedelta(["1s", None, "3D"]),
    "timedelta64[s]": np.array([1, "NaT", 3], "timedelta64[s]"),
    "object of dates": [dt.date(1500, 1, 1), None, dt.date(2020, 1, 1)],
    "object of booleans": [True, None, False],
    "object of integers": [2**53 + 1, None, 3],
    "object of nothing": [None, None, None],
    "period": pd.period_range("2020-01", periods=3, freq="M"),
    "arrow int64": arrow([2**62, None, 1], pa.int64()),
    "arrow string": arrow(["a", None, "b"], pa.string()),
    "arrow large string": arrow(["a", None, "b"], pa.large_string()),
    "arrow bool": arrow([True, None, False], pa.bool_()),
    "arrow decimal": arrow([Decimal("1.50"), None, Decimal("2.25")], pa.decimal128(38, 2)),
    "arrow date": arrow([dt.date(1500, 1, 1), None, dt.date(2020, 1, 1)], pa.date32()),
    "arrow time": arrow([dt.time(1, 2), None, dt.time(3, 4)], pa.time64("us")),
    "arrow timestamp": arrow([dt.datetime(2020, 1, 1), None, None], pa.timestamp("us", "UTC")),
    "arrow seconds": arrow([dt.datetime(2020, 1, 1), None, None], pa.timestamp("s")),
    "arrow category": arrow(["a", None, "b"], pa.dictionary(pa.int32(), pa.string())),
}


def columns(name):
    values = COLUMNS[name]
    dtype = object if name.startswith("object") else None
    return pd.DataFrame({name: pd.Series(values, dtype=dtype)})


@pytest.mark.parametrize("n_rows", [3, 0])
@pytest.mark.parametrize("name", COLUMNS)
def test_every_dtype_comes_back_exactly(tmp_path, name, n_rows):
    frame = columns(name).head(n_rows)
    write_table(frame, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet").frame, frame)


def test_chunks_joined_are_the_whole_table(tmp_path):
    frame = pd.concat([columns(name) for name in COLUMNS], axis=1)
    frame = pd.concat([frame, frame.iloc[::-1]] * 3, ignore_index=True)
    write_table(frame, tmp_path / "t.parquet")
    whole = read_table(tmp_path / "t.parquet").frame
    pd.testing.assert_frame_equal(whole, frame)
    for rows in (1, 4, 7, 100):
        chunks = list(iter_table(tmp_path / "t.parquet", rows=rows))
        assert all(chunk.dtypes.equals(whole.dtypes) for chunk in chunks)
        assert {len(chunk) for chunk in chunks[:-1]} <= {rows}
        pd.testing.assert_frame_equal(pd.concat(chunks), whole)


def foreign(tmp_path, **arrays):
    """Write a file as a program other than pandas does."""
    pq.write_table(pa.table(arrays), tmp_path / "t.parquet", row_group_size=2)
    return tmp_path / "t.parquet"


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        ([1, 2, 3, 4], pa.int32(), "int32"),
        ([2**53 + 1, 2, 3, None], pa.int64(), "Int64"),
        ([2**64 - 1, 2, 3, None], pa.uint64(), "UInt64"),
        ([True, False, True, True], pa.bool_(), "bool"),
        ([True, False, None, True], pa.bool_(), "boolean"),
        ([1.5, 2, None, 4], pa.float32(), "float32"),
        (["a", "", None, "b"], pa.string(), "str"),
        (["a", "", None, "b"], pa.large_string(), "str"),
        ([Decimal("1.5"), None, None, None], pa.decimal128(5, 1), "decimal128(5, 1)[pyarrow]"),
        ([dt.date(1500, 1, 1), None, None, None], pa.date32(), "date32[day][pyarrow]"),
        ([1, None, 2, 3], pa.time32("s"), "time32[ms][pyarrow]"),
        ([1, None, 2, 3], pa.timestamp("ms"), "datetime64[ms]"),
        ([1, None, 2, 3], pa.timestamp("us", "Asia/Tokyo"), "datetime64[us, Asia/Tokyo]"),
        ([1, None, 2, 3], pa.timestamp("ns", "UTC"), "datetime64[ns, UTC]"),
        ([1, None, 2, 3], pa.duration("us"), "timedelta64[us]"),
        ([None, None, None, None], pa.null(), "object"),
    ],
)
def test_files_of_other_programs_get_dtypes_that_lose_nothing(tmp_path, values, kind, dtype):
    path = foreign(tmp_path, x=pa.array(values, kind))
    frame = read_table(path).frame
    assert str(frame["x"].dtype) == dtype
    assert frame["x"].isna().tolist() == [value is None for value in values]
    if pa.types.is_integer(kind):
        assert [None if pd.isna(value) else int(value) for value in frame["x"]] == values
    pd.testing.assert_frame_equal(pd.concat(iter_table(path, rows=3)), frame)


def test_gaps_are_found_in_a_file_without_statistics(tmp_path):
    table = pa.table({"x": pa.array([1, 2, 3, None]), "y": [1, 2, 3, 4]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2, write_statistics=False)
    chunks = list(iter_table(tmp_path / "t.parquet", rows=2))
    assert [chunk.dtypes.astype(str).tolist() for chunk in chunks] == [["Int64", "int64"]] * 2


def test_dictionaries_of_other_programs_are_categories_of_one_dtype(tmp_path):
    parts = [pa.array(part).dictionary_encode() for part in (["b", "a"], ["c", "a"], ["d", None])]
    path = foreign(tmp_path, x=pa.chunked_array(parts))
    whole = read_table(path).frame
    assert isinstance(whole["x"].dtype, pd.CategoricalDtype)
    assert whole["x"].astype(object).tolist()[:5] == ["b", "a", "c", "a", "d"]
    chunks = list(iter_table(path, rows=2))
    assert len(chunks) == 3
    pd.testing.assert_frame_equal(pd.concat(chunks), whole)


def test_decimals_that_were_python_objects_are_arrow_decimals(tmp_path):
    frame = pd.DataFrame({"x": pd.Series([Decimal("1.50"), None], dtype=object)})
    frame.to_parquet(tmp_path / "t.parquet")
    column = read_table(tmp_path / "t.parquet").frame["x"]
    assert str(column.dtype) == "decimal128(3, 2)[pyarrow]"
    assert column[0] == Decimal("1.50")


def test_old_spark_timestamps_before_1677_are_read_exactly(tmp_path):
    table = pa.table({"x": pa.array([dt.datetime(1500, 1, 1)], pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "t.parquet", use_deprecated_int96_timestamps=True)
    frame = read_table(tmp_path / "t.parquet").frame
    assert frame["x"].tolist() == [pd.Timestamp("1500-01-01").as_unit("us")]


def test_levels_that_no_longer_fit_the_column_are_not_believed(tmp_path):
    frame = pd.DataFrame({"x": pd.Categorical([1, 2, 1])})
    write_table(frame, tmp_path / "t.parquet")
    stored = pq.read_table(tmp_path / "t.parquet")
    changed = stored.set_column(0, "x", pa.array([1, 2, 5]))
    pq.write_table(changed.replace_schema_metadata(stored.schema.metadata), tmp_path / "u.parquet")
    assert read_table(tmp_path / "u.parquet").frame["x"].tolist() == [1, 2, 5]


def test_an_unnamed_index_is_dropped_and_a_named_one_is_a_column(tmp_path):
    frame = pd.DataFrame({"x": [1, 2]}, index=[5, 9])
    frame.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "t.parquet").frame, pd.DataFrame({"x": [1, 2]})
    )
    frame.rename_axis("patient").to_parquet(tmp_path / "u.parquet")
    expected = pd.DataFrame({"x": [1, 2], "patient": [5, 9]})
    pd.testing.assert_frame_equal(read_table(tmp_path / "u.parquet").frame, expected)
    pd.testing.assert_frame_equal(pd.concat(iter_table(tmp_path / "u.parquet")), expected)


def test_names_with_dots_are_only_names(tmp_path):
    frame = pd.DataFrame({"a": pd.Categorical(["x", "y"]), "a.b": [1, 2], "😀, T": ["u", None]})
    write_table(frame, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet").frame, frame)
    pd.testing.assert_frame_equal(pd.concat(iter_table(tmp_path / "t.parquet")), frame)


def test_names_that_occur_twice_are_listed(tmp_path):
    table = pa.Table.from_arrays([pa.array([1])] * 3, ["a", "b", "a"])
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column name 'a' occurs more than once"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("value", [[1, 2], {"k": 1}])
def test_nested_cells_are_refused_by_column(tmp_path, value):
    pq.write_table(pa.table({"a": [1], "deep one": [value]}), tmp_path / "t.parquet")
    for read in (read_table, lambda path: next(iter_table(path))):
        with pytest.raises(DataError, match="column 'deep one' holds nested values"):
            read(tmp_path / "t.parquet")


@pytest.mark.parametrize("where", ["start", "middle", "end"])
def test_a_damaged_file_is_an_error_that_shows_nothing(tmp_path, where):
    path = tmp_path / "t.parquet"
    write_table(pd.DataFrame({"a": [f"secret{i}" for i in range(2000)]}), path)
    content = path.read_bytes()
    cut = {"start": content[:4], "middle": content[:9000], "end": content[:-1]}[where]
    path.write_bytes(cut)
    for read in (read_table, lambda path: next(iter_table(path))):
        with pytest.raises(DataError, match="damaged or cut-off Parquet") as caught:
            read(path)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "not a Parquet file but text, perhaps CSV or JSON"),
        (b"PK\x03\x04\x14\x00", "not a Parquet file but an Excel workbook"),
        (b"\x00\x01\x02\x03", "not a Parquet file but another kind of file"),
        (b"", "is empty"),
    ],
)
def test_a_file_that_is_something_else_is_recognised(tmp_path, content, message):
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "t.parquet")


def test_the_standard_input_and_output_work_without_seeking(tmp_path, monkeypatch, capfdbinary):
    frame = columns("Int64")
    write_table(frame, "-", format="parquet")
    written = capfdbinary.readouterr().out

    class Stdin:
        buffer = io.BytesIO(written)

    monkeypatch.setattr(sys, "stdin", Stdin)
    pd.testing.assert_frame_equal(read_table("-", format="parquet").frame, frame)
    Stdin.buffer.seek(0)
    pd.testing.assert_frame_equal(pd.concat(iter_table("-", format="parquet", rows=2)), frame)


def test_chunks_written_one_by_one_are_one_table(tmp_path):
    frame = pd.concat([columns(name) for name in COLUMNS], axis=1)
    with open_writer(tmp_path / "t.parquet") as writer:
        for _ in range(3):
            writer.write(frame)
    expected = pd.concat([frame] * 3, ignore_index=True)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet").frame, expected)


def test_chunks_of_other_types_are_refused(tmp_path):
    def write():
        with open_writer(tmp_path / "t.parquet") as writer:
            writer.write(pd.DataFrame({"a": [1]}))
            writer.write(pd.DataFrame({"a": ["secret"]}))

    with pytest.raises(DataError, match="other types than the first one") as caught:
        write()
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("values", [["secret", 1], [b"secret", "x"], [object(), 1]])
def test_a_column_that_parquet_cannot_hold_is_named(tmp_path, values):
    frame = pd.DataFrame({"fine": [1, 2], "mixed": pd.Series(values, dtype=object)})
    with pytest.raises(DataError, match="column 'mixed' holds values of several types") as caught:
        write_table(frame, tmp_path / "t.parquet")
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_nested_cells_are_not_written(tmp_path):
    with pytest.raises(DataError, match="column 'a' holds nested values"):
        write_table(pd.DataFrame({"a": [[1], [2]]}), tmp_path / "t.parquet")
    assert os.listdir(tmp_path) == []


def test_integers_beyond_64_bits_are_written_exactly(tmp_path):
    values = [2**70 + 1, None, -(2**100)]
    write_table(pd.DataFrame({"a": pd.Series(values, dtype=object)}), tmp_path / "t.parquet")
    column = read_table(tmp_path / "t.parquet").frame["a"]
    assert [None if pd.isna(value) else int(value) for value in column] == values


def test_levels_are_noted_as_plain_json(tmp_path):
    write_table(columns("category"), tmp_path / "t.parquet")
    noted = json.loads(pq.read_schema(tmp_path / "t.parquet").metadata[b"tabsynth"])
    assert noted == {
        "categories": {"category": {"levels": ["z", "y", "x"], "dtype": "str", "ordered": True}}
    }

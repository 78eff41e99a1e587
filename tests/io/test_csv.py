import gzip
import io
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tabsynth.errors import ConfigError, DataError
from tabsynth.io import ReadOptions, TableFile, iter_table, open_writer, read_table, write_table
from tabsynth.io.csv import Csv
from tabsynth.io.records import LONGEST_RECORD
from tabsynth.io.source import BLOCK_SIZE, Source


@pytest.fixture
def save(tmp_path):
    def save(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return save


def cells(path, **options):
    frame = read_table(path, **options).frame
    assert all(dtype == pd.StringDtype(na_value=np.nan) for dtype in frame.dtypes)
    assert not frame.isna().any(axis=None)
    return [frame.columns.tolist(), *frame.to_numpy(dtype=object).tolist()]


def test_every_cell_is_text_exactly_as_in_the_file(save):
    path = save('a,b,c\n007,NA, x \nNone,,"1,5"\n"say ""hi""","two\nlines",1e5\n""," ",nan\n')
    assert cells(path) == [
        ["a", "b", "c"],
        ["007", "NA", " x "],
        ["None", "", "1,5"],
        ['say "hi"', "two\nlines", "1e5"],
        ["", " ", "nan"],
    ]


def test_a_frame_has_a_plain_index_and_the_default_text_dtype(save):
    frame = read_table(save("a,b\n1,2\n3,4\n")).frame
    pd.testing.assert_frame_equal(
        frame, pd.DataFrame({"a": ["1", "3"], "b": ["2", "4"]}), check_index_type="exact"
    )
    assert isinstance(frame.index, pd.RangeIndex)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_ending", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_ends_are_found_and_given_back(tmp_path, save, delimiter, line_ending):
    rows = [["a", "b b", "c"], ["1", "x,;|", ""], ["", "y", "3"]]
    quoted = [[f'"{cell}"' if "," in cell else cell for cell in row] for row in rows]
    text = "".join(delimiter.join(row) + line_ending for row in quoted)
    path = save(text)
    table = read_table(path)
    assert cells(path) == rows
    assert table.details == {
        "delimiter": delimiter,
        "encoding": "utf-8",
        "bom": False,
        "quote": '"',
        "line_ending": line_ending,
    }
    write_table(table.frame, tmp_path / "back.csv", details=table.details)
    back = (tmp_path / "back.csv").read_bytes()
    assert back.count(line_ending.encode()) == 3
    assert cells(tmp_path / "back.csv") == rows
    assert read_table(tmp_path / "back.csv").details == table.details


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("x;y\n1,5;2,5\n3,5;4,5\n", [["x", "y"], ["1,5", "2,5"], ["3,5", "4,5"]]),
        ("name,note\nx,a;b\ny,c;d\n", [["name", "note"], ["x", "a;b"], ["y", "c;d"]]),
        ("when|what\n10:00|a,b\n", [["when", "what"], ["10:00", "a,b"]]),
        ('"a;b",c\n1,2\n', [["a;b", "c"], ["1", "2"]]),
        ("a\tb\n1 2\t3,4\n", [["a", "b"], ["1 2", "3,4"]]),
        ("only\n1\n2\n", [["only"], ["1"], ["2"]]),
        ("a,b", [["a", "b"]]),
    ],
)
def test_the_delimiter_is_the_one_that_cuts_rows_evenly(save, text, rows):
    assert cells(save(text)) == rows


def test_a_delimiter_that_is_given_is_taken(save):
    path = save("a:b,c\n1:2,3\n")
    assert cells(path, delimiter=":") == [["a", "b,c"], ["1", "2,3"]]
    assert cells(save("a,b\tc\n1,2\t3\n"), delimiter="tab") == [["a,b", "c"], ["1,2", "3"]]


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n", "e", "é", "1"])
def test_a_delimiter_that_cannot_be_one_is_refused(save, delimiter):
    with pytest.raises(ConfigError, match="delimiter must be one ASCII character"):
        read_table(save("a,b\n1,2\n"), delimiter=delimiter)


def test_a_tsv_file_prefers_and_writes_tabs(tmp_path, save):
    path = save("a,x\tb,y\n1,2\t3,4\n", "t.tsv")
    assert cells(path) == [["a,x", "b,y"], ["1,2", "3,4"]]
    write_table(pd.DataFrame({"a": ["1,2"], "b": ["x"]}), tmp_path / "new.tsv")
    assert (tmp_path / "new.tsv").read_bytes() == b"a\tb\n1,2\tx\n"


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")],
)
def test_a_byte_order_mark_says_the_encoding_and_is_given_back(tmp_path, save, encoding, mark):
    content = mark + "näme,b\n1,€😀\n".encode(encoding)
    path = save(content)
    table = read_table(path)
    assert cells(path) == [["näme", "b"], ["1", "€😀"]]
    assert (table.details["encoding"], table.details["bom"]) == (encoding, True)
    write_table(table.frame, tmp_path / "back.csv", details=table.details)
    assert (tmp_path / "back.csv").read_bytes() == content


def test_an_encoding_that_is_given_is_used_and_given_back(tmp_path, save):
    content = "näme,b\n1,é\n".encode("latin-1")
    path = save(content)
    table = read_table(path, encoding="latin-1")
    assert table.frame.columns.tolist() == ["näme", "b"]
    write_table(table.frame, tmp_path / "back.csv", details=table.details)
    assert (tmp_path / "back.csv").read_bytes() == content


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252", "shift_jis"])
def test_encodings_by_their_common_names_read_what_python_writes(save, encoding):
    path = save("a,b\n1,2\n3,4\n".encode(encoding))
    assert cells(path, encoding=encoding) == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_an_unknown_encoding_is_refused(save):
    for encoding in ("klingon", "base64", "rot13"):
        with pytest.raises(ConfigError, match=f"no text encoding called '{encoding}'"):
            read_table(save("a,b\n1,2\n"), encoding=encoding)


def test_a_character_that_the_encoding_lacks_is_an_error_without_the_cell(tmp_path):
    frame = pd.DataFrame({"a": ["secret😀"]})
    with pytest.raises(DataError, match="encoding iso8859-1 does not have") as caught:
        write_table(frame, tmp_path / "t.csv", details={"encoding": "latin-1"})
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("filler", [0, BLOCK_SIZE - 7, BLOCK_SIZE + 1, 3 * BLOCK_SIZE])
def test_wrong_encoding_names_the_offset_and_line(save, filler):
    line = b"x" * 62 + b",y\n"
    before = b"a,b\n" + line * (filler // len(line))
    line_number = before.count(b"\n") + 1
    content = before + b"caf\xe9,1\n" + line
    with pytest.raises(DataError) as caught:
        read_table(save(content))
    message = str(caught.value)
    assert f"offset {len(before) + 3} " in message
    assert f"(line {line_number})" in message
    assert "encoding=" in message
    assert "cp1252" in message
    assert "caf" not in message


def test_wrong_encoding_at_a_cut_off_character_names_its_offset(save):
    with pytest.raises(DataError, match=r"offset 7 \(line 2\)"):
        read_table(save(b"a,b\n1,x\xe2\x82"))


def test_wrong_encoding_of_a_packed_file_counts_unpacked_bytes(save):
    with pytest.raises(DataError, match=r"offset 4 of the unpacked text \(line 2\)"):
        read_table(save(gzip.compress(b"a,b\n\xff,1\n", mtime=0), "t.csv.gz"))


def test_an_encoding_that_was_given_and_is_wrong_says_so(save):
    with pytest.raises(DataError, match="give another encoding="):
        read_table(save(b"a,b\n\x81,1\n"), encoding="cp1252")


def test_nul_bytes_are_refused(save):
    with pytest.raises(DataError, match=r"NUL character \(line 3\)"):
        read_table(save(b"a,b\n1,2\n3,\x00\n"))
    with pytest.raises(DataError, match="UTF-16"):
        read_table(save("a,b\n1,2\n".encode("utf-16-le")))


@pytest.mark.parametrize(
    "content", [b"", b"  \n\t\r\n ", b"\n\n\n", b"\xef\xbb\xbf", b"\n" * 3_000_000]
)
def test_an_empty_file_is_an_error(save, content):
    with pytest.raises(DataError, match="is empty"):
        read_table(save(content))


@pytest.mark.parametrize("content", ["a,b", "a,b\n", "a,b\r\n\r\n", '"a","b"\n'])
def test_a_header_alone_gives_no_rows(save, content):
    path = save(content)
    frame = read_table(path).frame
    assert frame.columns.tolist() == ["a", "b"]
    assert len(frame) == 0
    assert frame.dtypes.astype(str).tolist() == ["str", "str"]
    chunks = list(iter_table(path))
    assert len(chunks) == 1
    pd.testing.assert_frame_equal(chunks[0], frame)


def test_names_may_be_anything(save):
    names = ["a b", "c,d", "😀", "shape", "index", "c0", "T", "__class__", "line\nbreak", 'qu"ote']
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    assert cells(save(header + "\n" + ",".join("0123456789") + "\n")) == [names, list("0123456789")]


def test_names_that_occur_twice_are_listed(save):
    with pytest.raises(DataError, match="these column names occur more than once: 'a', 'b c'"):
        read_table(save("a,b c,a,b c,d\n1,2,3,4,5\n"))


def test_columns_without_a_name_are_counted(save):
    with pytest.raises(DataError, match=r"column 3 has no name in the header"):
        read_table(save("a,b,,d\n1,2,3,4\n"))
    with pytest.raises(DataError, match=r"columns 2, 4 have no name"):
        read_table(save("a, ,c,\n1,2,3,4\n"))
    with pytest.raises(DataError, match="index=False"):
        read_table(save(",a\n0,1\n"))


@pytest.mark.parametrize("line_ending", ["\n", "\r\n"])
def test_ragged_rows_are_counted_and_not_shown(save, line_ending):
    lines = ["a,b", "1,2", "secret", "3,4", "5,secret,7", "", '"x', 'y",8', "secret,9,10"]
    with pytest.raises(DataError) as caught:
        read_table(save(line_ending.join(lines) + line_ending))
    message = str(caught.value)
    assert "header has 2 fields, but row 3 has 1, row 5 has 3, row 7 has 3 (" in message
    assert "secret" not in message


def test_many_ragged_rows_are_summed_up(save):
    with pytest.raises(DataError, match=r"row 6 has 3 and 1,995 more rows \("):
        read_table(save("a,b\n" + "1,2,3\n" * 2000))


def test_a_chunked_reader_meets_ragged_rows_too(save):
    path = save("a,b\n" + "1,2\n" * 100 + "1\n")
    with pytest.raises(DataError, match="row 102 has 1"):
        list(iter_table(path, rows=10))


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('a,b\n1,2\n3,"4\n5,6\n7,8\n', 3),
        ('a,b\n1,"2\n', 2),
        ('a,b\n1,2\n"3', 3),
        ('"a,b\n1,2\n', 1),
        ('a\n1\n2\n"3\n4\n', 4),
    ],
)
def test_a_quote_that_is_never_closed_is_an_error_with_its_row(save, text, row):
    with pytest.raises(DataError, match=rf"quote that opens in row {row} (or later )?is never"):
        read_table(save(text))


def test_a_quote_that_is_never_closed_far_from_the_end_is_an_error(save):
    text = "a,b\n" + "1,2\n" * 10 + '3,"secret\n' + "1,2\n" * (LONGEST_RECORD // 2)
    with pytest.raises(DataError, match=r"quote that opens in row \d+ or later is") as caught:
        read_table(save(text))
    assert "secret" not in str(caught.value)


def test_a_quote_inside_a_cell_is_a_character(save):
    assert cells(save('a,b\n5" pipe,x"y\n')) == [["a", "b"], ['5" pipe', 'x"y']]


def test_blank_lines_are_skipped(save):
    assert cells(save("\n\na,b\n1,2\n\n3,4\n\n\n")) == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_a_blank_line_in_a_file_of_one_column_is_an_empty_cell(save):
    assert cells(save("a\n1\n\n3\n\n")) == [["a"], ["1"], [""], ["3"]]
    assert cells(save('a\n""\n""\n')) == [["a"], [""], [""]]


def test_long_cells_and_many_columns_are_read(save):
    long = "x" * 300_000
    assert cells(save(f"a,b\n{long},1\n2,{long}\n"))[1:] == [[long, "1"], ["2", long]]
    names = [f"column number {place}" for place in range(3000)]
    assert cells(save(",".join(names) + "\n" + ",".join(names) + "\n")) == [names, names]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PAR1\x15\x04\x15\x10PAR1", "Parquet"),
        (b"PK\x03\x04\x14\x00\x06\x00", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel workbook"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "packed with gzip. Give it the suffix .gz"),
        (b'{"a": 1, "b": 2}\n', "JSON"),
        (b'[{"a": 1, "b": 2}]\n', "JSON"),
        (b"<!DOCTYPE html><html>", "web page"),
    ],
)
def test_a_file_that_is_something_else_is_recognised(save, content, kind):
    with pytest.raises(DataError, match="is not a CSV file but") as caught:
        read_table(save(content))
    assert kind in str(caught.value)


def test_a_column_called_like_a_signature_is_no_signature(save):
    assert cells(save("ORC,PAR1\n1,2\n"))[0] == ["ORC", "PAR1"]


def test_gzip_is_unpacked_and_packed_by_suffix(tmp_path, save):
    path = save(gzip.compress(b"a,b\n1,2\n", mtime=0), "t.csv.gz")
    assert cells(path) == [["a", "b"], ["1", "2"]]
    frame = read_table(path).frame
    write_table(frame, tmp_path / "one.csv.gz")
    write_table(frame, tmp_path / "two.csv.gz")
    assert gzip.decompress((tmp_path / "one.csv.gz").read_bytes()) == b"a,b\n1,2\n"
    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()


def test_gz_that_is_not_gzip_or_damaged_is_an_error(save):
    with pytest.raises(DataError, match="not packed with gzip"):
        read_table(save("a,b\n1,2\n", "t.csv.gz"))
    rng = np.random.default_rng(1)
    text = "a,b\n" + "\n".join(f"{x},{y}" for x, y in rng.integers(10**9, size=(5000, 2)))
    packed = gzip.compress(text.encode(), mtime=0)
    with pytest.raises(DataError, match="damaged or cut off"):
        read_table(save(packed[: len(packed) // 2], "t.csv.gz"))
    broken = bytearray(packed)
    broken[len(packed) // 2] ^= 0xFF
    with pytest.raises(DataError, match="damaged or cut off"):
        read_table(save(bytes(broken), "t.csv.gz"))
    with pytest.raises(DataError, match="is empty"):
        read_table(save(b"", "t.csv.gz"))


@pytest.mark.parametrize("rows", [1, 7, 100, 1000, 10**6])
def test_chunks_joined_are_the_whole_table(save, rows):
    path = save("a,b\n" + "".join(f'{i},"x\n{i % 3}"\n' for i in range(1000)))
    chunks = list(iter_table(path, rows=rows))
    assert [len(chunk) for chunk in chunks[:-1]] == [rows] * (len(chunks) - 1)
    pd.testing.assert_frame_equal(pd.concat(chunks), read_table(path).frame)


def test_a_chunked_reader_may_be_left_early(save):
    path = save("a,b\n" + "12345678,2\n" * 1_000_000)
    for _ in range(3):
        chunks = iter_table(path, rows=10)
        assert len(next(chunks)) == 10
        chunks.close()


def test_text_across_blocks_is_read_whole(save):
    lines = [f"{i},é{'x' * (i % 97)}" for i in range(60_000)]
    path = save("a,b\n" + "\n".join(lines))
    assert path.stat().st_size > 2 * BLOCK_SIZE
    frame = read_table(path).frame
    assert (frame["a"] + "," + frame["b"]).tolist() == lines


def test_the_standard_input_is_read(monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"a;b\n1;2\n")

    monkeypatch.setattr(sys, "stdin", Stdin)
    table = read_table("-", format="csv")
    assert (table.path, table.format) == ("-", "csv")
    assert table.frame.to_dict("list") == {"a": ["1"], "b": ["2"]}


def test_a_table_file_says_where_it_comes_from(save):
    path = save("a,b\n1,2\n", "t.txt")
    table = read_table(path)
    assert isinstance(table, TableFile)
    assert (table.path, table.format) == (str(path), "csv")


def test_writing_uses_few_quotes(tmp_path):
    frame = pd.DataFrame(
        {"a,b": ["x", ' "y" ', "l\nm", "c\rd", ",", "", " z "], "c": list("1234567")}
    )
    write_table(frame, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == (
        b'"a,b",c\nx,1\n" ""y"" ",2\n"l\nm",3\n"c\rd",4\n",",5\n,6\n z ,7\n'
    )


def test_a_single_column_with_empty_cells_comes_back(tmp_path):
    frame = pd.DataFrame({"a": ["", "x", "", ""]})
    write_table(frame, tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv").frame, frame)


TEXTS = st.one_of(
    st.sampled_from(["", "NA", "None", "007", " x ", '"', '""', ",", ";", "\t", "|", "\r\n", "😀"]),
    st.text(st.sampled_from('ab",;|\t\n\r 0.é😀\\'), max_size=8),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
)


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=0, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    line_ending=st.sampled_from(["\n", "\r\n"]),
)
@example(rows=[("\ufeff", "")], delimiter=",", line_ending="\n")
@example(rows=[("", "")], delimiter=",", line_ending="\n")
def test_texts_come_back_exactly_in_every_dialect(rows, delimiter, line_ending):
    frame = pd.DataFrame(rows, columns=["first", "second"], dtype="str")
    for part in (frame, frame[["first"]]):
        stream = io.BytesIO()
        details = {"delimiter": delimiter, "line_ending": line_ending}
        writer = Csv().writer(stream, "t.csv", details)
        writer.write(part)
        writer.close()
        source = _Memory(stream.getvalue())
        back = Csv().read(source, ReadOptions(delimiter=delimiter)).frame
        pd.testing.assert_frame_equal(back, part)


class _Memory(Source):
    """A file that lies in memory."""

    def __init__(self, content):
        super().__init__("t.csv", "CSV file")
        object.__setattr__(self, "content", content)

    def check(self):
        pass

    def _raw(self):
        yield self.content


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=30))
@example([1.0, 1e15, 1e16, 1e-5, 1e-4, 0.1, -0.0, 5e-324, float("inf"), -float("inf"), 123456.0])
def test_floats_are_written_as_repr(numbers):
    stream = io.BytesIO()
    writer = Csv().writer(stream, "t.csv", {})
    writer.write(pd.DataFrame({"x": numbers}))
    writer.close()
    assert stream.getvalue().decode().split("\n")[1:-1] == [repr(number) for number in numbers]


def test_short_floats_are_written_short(tmp_path):
    for name in ("float16", "float32"):
        values = np.array([0.1, 1, 1e-5, 1000.5], dtype=name)
        write_table(pd.DataFrame({"x": values}), tmp_path / "t.csv", force=True)
        lines = (tmp_path / "t.csv").read_text().split("\n")[1:-1]
        assert lines == [str(value) for value in values]


def test_speed_of_reading_a_wide_table(tmp_path):
    rows = [
        ",".join(
            f"{(i * 7919 + j) % 10**6},{'alpha' if i % 3 else 'beta gamma'}" for j in range(25)
        )
        for i in range(1000)
    ]
    header = ",".join(f"c{place}" for place in range(50))
    path = tmp_path / "t.csv"
    path.write_text(header + "\n" + ("\n".join(rows) + "\n") * 100)
    begin = time.process_time()
    assert read_table(path).frame.shape == (100_000, 50)
    # Measured 0.4 to 0.6 s; the bound leaves room for a slow machine.
    assert time.process_time() - begin < 1.5


def test_chunks_written_one_by_one_are_one_table(tmp_path):
    with open_writer(tmp_path / "t.csv") as writer:
        writer.write(pd.DataFrame({"a": [1, 2], "b": ["x", None]}))
        writer.write(pd.DataFrame({"a": [3], "b": ["y"]}))
        assert not Path(tmp_path / "t.csv").exists()
    assert (tmp_path / "t.csv").read_bytes() == b"a,b\n1,x\n2,\n3,y\n"

"""Categories keep their labels exactly, and never show what few rows hold."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.columns.base import Profile, columns
from tabsynth.encoding.coding import Coding
from tabsynth.errors import SchemaError
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe

DAY = datetime.date(2020, 2, 29)


def category(series, **parameters):
    """Return the column type for `series`."""
    column = Column(series.name, "category", parameters=parameters, dtype=describe(series))
    return columns.get("category")(column, frozenset({"", *parameters.get("missing", ())}))


def fit(series, **parameters):
    """Return the column type, the values and the codec of `series`, after a trip through JSON."""
    kind = category(series, **parameters)
    values = kind.parse(series)
    codec = kind.fit(kind.summarise(values), Coding())
    return kind, values, kind.load(json.loads(json.dumps(codec.state())))


def there_and_back(series, rng, **parameters):
    kind, values, codec = fit(series, **parameters)
    codes, offsets = codec.encode(values)
    (block,) = codec.blocks
    assert codes.shape == (len(series), 1)
    assert offsets.shape == (len(series), 0)
    assert ((codes >= 0) & (codes < block.size)).all()
    assert codes.dtype == np.int32
    return kind.render(codec.decode(codes, offsets, rng))


def series_of(*counts, dtype=None):
    """Return a column named x from pairs of (value, how often)."""
    cells = [value for value, n in counts for _ in range(n)]
    return pd.Series(cells, dtype=dtype, name="x")


@pytest.mark.parametrize(
    "series",
    [
        series_of(("a", 9), ("007", 7), ("é 'x', \"y\"", 5)),
        series_of(("a", 9), (None, 5), ("b", 5), dtype="string"),
        series_of(("a", 9), (None, 5), ("b", 5), dtype="str"),
        series_of(("a", 9), (None, 5), ("b", 5), dtype="string[pyarrow]"),
        series_of((3, 9), (-1, 5)),
        series_of((2**62, 9), (None, 5), dtype="Int64"),
        series_of((0.1, 9), (None, 5)),
        series_of((True, 9), (False, 5)),
        series_of((DAY, 9), (None, 5), dtype=object),
        series_of((Decimal("1.50"), 9), (Decimal("2.50"), 5), dtype=object),
        series_of((pd.Timestamp("2020-01-01", tz="Europe/Vienna"), 9), (pd.NaT, 5)),
        series_of((True, 9), (1, 8), ("1", 7), (None, 5), dtype=object),
        series_of(("b", 9), ("a", 5)).astype(pd.CategoricalDtype(["unused", "b", "a"])),
        series_of((2, 9), (1, 5), (None, 5)).astype(pd.CategoricalDtype([3, 2, 1], ordered=True)),
    ],
    ids=lambda series: str(describe(series)),
)
def test_released_labels_come_back_as_they_were(series, streams):
    found = there_and_back(series, streams.numpy("a"))
    pd.testing.assert_series_equal(found, series)
    present = series.notna().to_numpy()
    assert [type(cell) for cell in found[present]] == [type(cell) for cell in series[present]]


@given(st.lists(st.sampled_from(["a", "b", "", "é", "NA", None]), min_size=1), st.data())
@settings(max_examples=30)
def test_chunks_add_up_to_the_whole(cells, data):
    series = pd.Series(cells, dtype="str", name="x")
    cut = data.draw(st.integers(0, len(series)))
    kind = category(series)
    parts = [kind.summarise(kind.parse(part)) for part in (series[:cut], series[cut:])]
    whole = kind.summarise(kind.parse(series))
    assert kind.merge(*parts) == whole
    assert kind.merge(*parts[::-1]) == whole


@given(st.lists(st.text(max_size=3) | st.none(), min_size=1), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_state_does_not_depend_on_the_order_of_rows(cells, random):
    shuffled = list(cells)
    random.shuffle(shuffled)
    states = []
    for rows in (cells, shuffled):
        series = pd.Series(rows, dtype=object, name="x")
        _, _, codec = fit(series, minimum_count=1)
        states.append(codec.state())
    assert states[0] == states[1]


@given(st.lists(st.integers(0, 3) | st.none() | st.booleans() | st.text(max_size=2), min_size=1))
@settings(max_examples=30)
def test_any_mixture_of_labels_comes_back(cells):
    series = pd.Series(cells, dtype=object, name="x")
    found = there_and_back(series, np.random.Generator(np.random.PCG64(1)), minimum_count=1)
    if all(isinstance(cell, str | None) for cell in cells):
        cells = [cell or None for cell in cells]  # in a column of texts, no text means missing
    assert [(type(cell), cell) for cell in found] == [(type(cell), cell) for cell in cells]


def test_codes_are_sorted_by_frequency_and_then_by_label():
    _, _, codec = fit(series_of(("c", 6), ("b", 6), ("d", 9), ("a", 5)))
    assert codec.state()["labels"] == ["d", "b", "c", "a"]
    assert codec.blocks[0].size == 4
    assert not codec.blocks[0].ordinal
    assert codec.blocks[0].missing is None


def test_a_value_of_few_rows_is_nowhere_in_the_codec_and_never_comes_out(streams):
    series = series_of(("a", 60), ("b", 30), ("SECRET", 4), ("HIDDEN", 4))
    kind, values, codec = fit(series)
    assert codec.blocks[0].size == 3
    assert "SECRET" not in json.dumps(codec.state())
    codes = np.full((9_000, 1), 2)
    drawn = kind.render(codec.decode(codes, np.zeros((9_000, 0)), streams.numpy("a")))
    # drawn in proportion to the counts, 2 to 1: three standard deviations are 0.015
    assert abs((drawn == "a").mean() - 2 / 3) < 0.015
    assert set(drawn) == {"a", "b"}
    assert (codec.encode(values)[0][-8:] == 2).all()


@pytest.mark.parametrize(("n", "released"), [(4, False), (5, True)])
def test_five_rows_release_a_value(n, released):
    _, _, codec = fit(series_of(("a", 9), ("b", n)))
    assert ("b" in codec.state()["labels"]) is released


def test_the_floor_can_be_set_in_the_schema():
    series = series_of(("a", 9), ("b", 1))
    assert fit(series, minimum_count=1)[2].state()["labels"] == ["a", "b"]
    for floor in (0, -1, 2.5, "5", True, None):
        with pytest.raises(SchemaError, match="minimum_count must be a whole number"):
            category(series, minimum_count=floor)


@pytest.mark.parametrize(("label", "n_labels"), [("Other", 2), ("a", 1)])
def test_rare_values_are_written_as_the_label_that_the_schema_gives(label, n_labels, streams):
    series = series_of(("a", 9), ("b", 1))
    kind, values, codec = fit(series, other=label)
    decoded = codec.decode(*codec.encode(values), streams.numpy("a"))
    assert len(decoded.labels) == n_labels
    assert kind.render(decoded).tolist() == ["a"] * 9 + [label]


def test_a_label_for_rare_values_has_to_fit_in_the_column():
    with pytest.raises(SchemaError, match=r"Column 'x' .*: what other gives does not fit"):
        fit(series_of((1, 9), (2, 1)), other="Other")


def test_it_is_an_error_if_no_value_may_be_released():
    with pytest.raises(SchemaError, match=r"Column 'x' .* 5 or more rows.* minimum_count.* text"):
        fit(series_of(("a", 4), ("b", 4)))


def test_missing_cells_have_the_last_code():
    series = series_of(("a", 9), ("b", 1), (None, 2))
    _, values, codec = fit(series)
    (block,) = codec.blocks
    assert (block.size, block.missing) == (3, 2)
    assert (codec.encode(values)[0][-2:] == 2).all()


def test_a_column_can_be_declared_to_have_missing_cells():
    series = series_of(("a", 9))
    assert fit(series, nullable=True)[2].blocks[0].missing == 1
    kind, _, codec = fit(series)
    with pytest.raises(SchemaError, match="Column 'x': 1 cells are missing, but none were"):
        codec.encode(kind.parse(series_of(("a", 1), (None, 1))))


def test_missing_cells_of_texts_are_written_as_in_the_source(streams):
    series = series_of(("a", 9), ("?", 3), ("", 1))
    found = there_and_back(series, streams.numpy("a"), missing=["?"], missing_as="?")
    assert found.tolist() == ["a"] * 9 + ["?"] * 4
    found = there_and_back(series, streams.numpy("a"), missing=["?"])
    assert found.isna().sum() == 4


def test_a_column_of_which_only_missing_cells_are_left_still_works(streams):
    series = pd.Series([None] * 12, dtype="str", name="x")
    assert there_and_back(series, streams.numpy("a")).isna().all()


def test_an_unknown_label_takes_the_code_of_others_or_of_a_known_label(streams):
    kind, _, codec = fit(series_of(("a", 60), ("b", 30)))
    strange = kind.parse(series_of(("new", 9_000)))
    assert set(codec.encode(strange)[0].ravel()) == {0}
    drawn = codec.encode(strange, streams.numpy("a"))[0]
    assert abs((drawn == 0).mean() - 2 / 3) < 0.015  # three standard deviations
    _, _, codec = fit(series_of(("a", 60), ("b", 30), ("c", 1)))
    assert set(codec.encode(strange, streams.numpy("a"))[0].ravel()) == {2}


def test_levels_of_a_category_dtype_are_declared_and_all_released():
    dtype = pd.CategoricalDtype(["low", "middle", "high"], ordered=True)
    _, _, codec = fit(series_of(("high", 9), ("low", 1)).astype(dtype))
    assert codec.state()["labels"] == ["low", "high"]
    assert codec.blocks[0].ordinal
    unordered = pd.CategoricalDtype(["low", "middle", "high"])
    _, _, codec = fit(series_of(("high", 9), ("low", 1)).astype(unordered))
    assert codec.state()["labels"] == ["high", "low"]
    assert not codec.blocks[0].ordinal


def test_labels_are_listed_in_an_order_that_rows_do_not_change():
    kind = category(series_of(("a", 1)))
    parsed = [kind.parse(pd.Series(list(cells), name="x")).labels for cells in ("cab", "bca")]
    assert parsed == [("a", "b", "c")] * 2


def test_cells_of_many_parts_are_refused():
    with pytest.raises(SchemaError, match=r"Column 'x' .* hold lists"):
        category(series_of(("a", 1))).parse(pd.Series([["SECRET"]], name="x"))


@pytest.mark.parametrize(
    ("series", "confidence", "reason"),
    [
        (series_of(("a", 12), ("b", 2)), 0.5, "2 distinct values, 1 of them in fewer than 5 rows"),
        (series_of(("a", 12), ("b", 2), dtype="category"), 0.75, "stored as categories: 2 dist"),
        (series_of(("a", 12), (1, 12), dtype=object), 0.4, "2 distinct values"),
        (series_of(("a", 12), *((str(n), 1) for n in range(20))), 0.3, "together in most rows"),
        (series_of(("a", 9), ("b", 9)), None, ""),
        (series_of((1, 99), (2, 99)), None, ""),
        (series_of((True, 99), (False, 99)), None, ""),
        (series_of((pd.Timestamp(0), 99)), None, ""),
        (series_of((None, 99), dtype="str"), None, ""),
    ],
)
def test_claims(series, confidence, reason):
    claim = columns.get("category").claims(Profile("x", series, frozenset({""})))
    assert (claim.confidence if claim else None) == confidence
    assert reason in (claim.reason if claim else "")


def test_unused_levels_are_not_counted():
    series = series_of(("a", 3)).astype(pd.CategoricalDtype(["a", "b"]))
    claim = columns.get("category").claims(Profile("x", series, frozenset()))
    assert "1 distinct value" in claim.reason


def test_a_dictionary_of_arrow_is_a_category(streams):
    dtype = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
    series = pd.Series(["a"] * 12 + ["b"] * 6 + [None], dtype=dtype, name="x")
    assert columns.get("category").claims(Profile("x", series, frozenset())).confidence == 0.4
    pd.testing.assert_series_equal(there_and_back(series, streams.numpy("a")), series)

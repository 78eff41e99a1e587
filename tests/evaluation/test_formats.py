from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.formats import on_lattice
from tabsynth.evaluation.frame import analyse
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import infer_schema

N = 200


def scores(name, train, synthetic, schema, holdout=None):
    """Return the scores of a measure by name, none where it is not planned."""
    frames = {"train": train, "synthetic": synthetic}
    if holdout is not None:
        frames["holdout"] = holdout
    comparison = Comparison.of(
        analyse(frames, schema), streams=Streams(7), frames=frames, schema=schema
    )
    planned = measures.get(name).plan(comparison)
    return {score.name: score for kind in planned for score in kind.measure(comparison)}


def problem(real, other, declared=None, held=None):
    """Return what is wrong with the column `other`, empty where nothing is."""
    real, other = pd.DataFrame({"x": real}), pd.DataFrame({"x": other})
    held = None if held is None else pd.DataFrame({"x": held})
    schema = infer_schema(real, overrides={"x": declared} if declared else None)
    score = scores("formats", real, other, schema, held)["formats"]
    assert score.value == 1 - len(score.details["broken"])
    return score.details["broken"].get("x", "")


def drawn(name, low=0, high=1000):
    return Streams(1).numpy(name).integers(low, high, N)


def test_columns_in_the_format_of_the_real_ones_have_no_problem():
    for make in (
        lambda name: drawn(name),
        lambda name: drawn(name) * 5,
        lambda name: drawn(name) / 100,
        lambda name: pd.Series(drawn(name, 0, 9)).map("{:05d}".format),
        lambda name: pd.Series(drawn(name) / 10).map("{:.2f}".format),
        lambda name: pd.Series(drawn(name, 0, 9)).map("P-{:04d}".format),
        lambda name: Streams(1).numpy(name).choice(["a", "bb", "c1"], N),
        lambda name: pd.Timestamp("2024-01-01") + pd.to_timedelta(drawn(name), "D"),
        lambda name: pd.to_timedelta(drawn(name) * 60, "s"),
        lambda name: Streams(1).numpy(name).normal(size=N),
    ):
        assert problem(make("real"), make("other")) == ""


def test_another_data_type_is_named():
    assert problem(drawn("a"), drawn("b").astype(float)) == "stored as float64, not as int64"
    assert problem(drawn("a"), drawn("b").astype(str)) == "stored as str, not as int64"
    labels = pd.Series(["a", "b"] * 50)
    assert problem(labels.astype("category"), labels) == "stored as str, not as categories of str"
    ordered = labels.astype(pd.CategoricalDtype(["a", "b"], ordered=True))
    found = problem(labels.astype("category"), ordered)
    assert found == "stored as ordered categories of str, not as categories of str"


def test_other_levels_of_categories_are_not_another_format():
    real, other = (pd.Series(some * 50, dtype="category") for some in (["a", "b"], ["a", "c"]))
    assert problem(real, other) == ""


def test_either_data_type_of_the_real_tables_is_right():
    real, other, held = drawn("a"), drawn("b").astype(float), drawn("c").astype(float)
    assert problem(real, other, held=held) == ""


def test_numbers_with_more_decimals_or_off_the_step_are_found():
    words = "numbers with more decimals or between the multiples that the real ones are"
    assert problem(drawn("a") / 10, drawn("b") / 100) == words
    assert problem(drawn("a") * 5, drawn("b")) == words
    assert problem(drawn("a") * 0.25, drawn("b") * 0.05) == words
    assert problem(drawn("a") * 5, drawn("b") * 5 - 500) == ""  # below the smallest real one


def test_two_real_values_say_nothing_about_a_step():
    assert problem([0, 100] * 20, [0, 50] * 20, declared="number") == ""


def test_one_cell_in_a_thousand_is_overlooked():
    real, other = np.arange(4000) * 5, np.arange(4000) * 5
    other[:4] += 1
    assert problem(real, other) == ""
    other[:5] = [1, 6, 11, 16, 21]
    assert problem(real, other) != ""


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{:.1f}", "numbers with fewer decimals"),
        ("{:.3f}", "numbers with more decimals"),
        ("{:08.2f}", "numbers with leading zeros"),
        ("{:+.2f}", "numbers with a plus sign"),
        ("{:.2e}", "numbers with an exponent"),
        (" {:.2f}", "numbers with spaces"),
        ("{:.2f}", ""),
    ],
)
def test_numbers_written_otherwise_are_found(pattern, words):
    real = pd.Series(drawn("a") / 4 + 1).map("{:.2f}".format)
    assert problem(real, pd.Series(drawn("b") / 4 + 1).map(pattern.format)) == words


def test_codes_that_lost_their_leading_zeros_are_found():
    real = pd.Series(drawn("a", 0, 9)).map("{:05d}".format)
    assert problem(real, real.astype(int).astype(str), "category") == "codes of another shape"
    keys = pd.Series(range(N)).map("{:05d}".format)
    assert problem(keys, keys.astype(int).astype(str), "identifier") == "codes of another shape"


def test_codes_are_compared_by_what_all_real_ones_share():
    exact = [f"AB-{k:03}" for k in range(N)]
    loose = [f"{'A1' if k % 2 else '1A'}-{k:03}" for k in range(N)]
    length = [f"{k:03}{'-' if k % 2 else 'x'}" for k in range(N)]
    none = [f"K{k}" for k in range(N)]
    for real, other, words in (
        (exact, [f"ab-{k:03}" for k in range(N)], "codes of another shape"),
        (loose, exact, ""),
        (loose, [f"AB{k:04}" for k in range(N)], "codes of another shape"),
        (length, [f"{k:04}" for k in range(N)], ""),
        (length, [f"{k:05}" for k in range(N)], "codes of another length"),
        (none, [f"{k}-K" for k in range(N)], ""),
    ):
        assert problem(real, other, "identifier") == words


def test_words_are_no_codes():
    assert problem(["red", "tan"] * 20, ["red", "green"] * 20, "category") == ""


def test_dates_in_another_notation_are_found():
    days = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(drawn("a"), "D"))
    real = days.dt.strftime("%d/%m/%Y")
    unpadded = days.dt.strftime("%-d/%-m/%Y")
    assert problem(real, unpadded) == "dates or times in another notation"
    assert problem(unpadded, real) == "dates or times in another notation"
    assert problem(unpadded, unpadded.iloc[::-1].reset_index(drop=True)) == ""


def test_times_of_day_in_a_column_of_days_are_found():
    days = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(drawn("a"), "D"))
    hours = days + pd.to_timedelta(drawn("b", 0, 24), "h")
    assert problem(days, hours) == "times finer than the real ones"
    assert problem(hours, days) == ""
    quarters = pd.Series(pd.to_timedelta(drawn("a") * 15, "min"))
    assert problem(quarters, quarters + pd.Timedelta("1min") * drawn("b", 0, 3)) == (
        "times finer than the real ones"
    )


def test_free_text_emptied_and_absent_columns_are_not_checked():
    frame = pd.DataFrame({"x": drawn("a"), "note": "said so", "mail": "a@example.org"})
    blank = Column("mail", "personal", parameters={"kind": "email", "treatment": "blank"})
    schema = Schema((Column("x", "number"), Column("note", "text"), blank))
    made = pd.DataFrame({"x": drawn("b"), "note": 1, "mail": None})
    assert scores("formats", frame, made, schema)["formats"].details["columns"] == 1
    gone = Schema((Column("note", "text"), Column("id", "identifier")))
    frame = pd.DataFrame({"note": ["a"] * 20, "id": range(20)})
    assert scores("formats", frame, frame[["note"]], gone) == {}


def test_a_column_without_a_cell_has_no_format():
    assert problem(drawn("a"), [None] * N) == ""
    assert problem([None] * N, drawn("a").astype(float), "number") != ""


def test_fresh_rows_have_the_format_of_the_real_ones():
    real = pd.DataFrame({"x": drawn("a") / 10})
    schema = infer_schema(real)
    held = pd.DataFrame({"x": drawn("b") / 10})
    score = scores("formats", real, pd.DataFrame({"x": drawn("c") / 10}), schema, held)["formats"]
    assert (score.value, score.reference) == (1, 1)
    rough = pd.DataFrame({"x": drawn("b") / 100})
    score = scores("formats", real, pd.DataFrame({"x": drawn("c") / 10}), schema, rough)["formats"]
    assert (score.value, score.reference) == (1, 0)


@pytest.mark.parametrize(
    ("levels", "lattice", "on"),
    [
        (np.array([-10, -7, 0, 5]), (5, 5, 0), [True, False, True, True]),
        (np.array([2**64 - 1, 2**64 - 2], dtype=np.uint64), (1, 2, 0), [True, False]),
        (np.array([-(2**63), 2**63 - 1]), (0, 2, 0), [True, False]),
        (np.array([0.1, 0.2, 0.1 + 0.2, 0.35]), (1, 1, 1), [True, True, False, False]),
        (np.array([1.5, 1.75, 1e300]), (150, 25, 2), [True, True, False]),
    ],
)
def test_a_lattice_has_exactly_its_own_numbers(levels, lattice, on):
    assert on_lattice(levels, *lattice).tolist() == on

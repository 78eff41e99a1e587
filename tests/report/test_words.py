"""Figures and names in words."""

from __future__ import annotations

import math

import pytest

from tabsynth.evaluation.result import Interval, Score
from tabsynth.report.words import (
    anything,
    clean,
    comparison,
    direction,
    entries,
    number,
    percent,
    placement,
    shorten,
    span,
)


def score(value, better="half", best=0.5, reference=0.5, baseline=0.9, **more):
    group = more.pop("group", "fidelity")
    return Score(
        "x", "X", group, value, better, best, "", reference=reference, baseline=baseline, **more
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.64321, "0.643"),
        (0.00042, "0.0004"),
        (0.0011, "0.0011"),
        (0.0, "0"),
        (1.0, "1"),
        (-0.25, "-0.250"),
        (48842.0, "48,842"),
        (12.345, "12.3"),
        (1e-9, "1.0e-09"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_a_figure_has_the_digits_worth_reading(value, text):
    assert number(value) == text


def test_a_share_that_is_small_but_not_zero_is_never_shown_as_zero():
    assert percent(0.00001) == "<0.1%"
    assert percent(0.0) == "0%"


def test_an_interval_says_what_it_covers():
    assert span(Interval(0.1, 0.2, 0.9)) == "90% interval 0.100 to 0.200"
    assert span(Interval(math.nan, 0.2)) == ""
    assert span(None) == ""


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (score(0.5), "On a par with fresh real rows"),
        (score(0.55, interval=Interval(0.49, 0.61)), "On a par with fresh real rows"),
        (score(0.6), "Nearer to fresh real rows than to independent columns"),
        (score(0.4), "Nearer to fresh real rows than to independent columns"),
        (score(0.8), "Nearer to independent columns than to fresh real rows"),
        (score(0.9), "No better than independent columns"),
        (score(0.97), "No better than independent columns"),
        (score(0.6, reference=None), "Better than independent columns"),
        (score(0.6, baseline=None), "Falls short of fresh real rows"),
        (score(0.6, reference=None, baseline=None), ""),
        (score(None), ""),
        (score(math.nan), ""),
        (
            score(0.75, "higher", 1.0, 0.8, 0.5, group="utility"),
            "Nearer to real rows than to independent columns",
        ),
        (
            score(0.042, "lower", 0.0, 0.018, 0.019),
            "Falls short of fresh real rows; independent columns lose little or nothing in this "
            "test",
        ),
    ],
)
def test_a_score_is_placed_between_its_reference_and_the_baseline(measured, words):
    assert placement(measured) == words


def test_the_comparison_names_what_there_is():
    assert comparison(score(0.6)) == "Fresh real rows get 0.500, independent columns 0.900."
    assert comparison(score(0.6, reference=None)) == "Independent columns get 0.900."
    assert comparison(score(0.6, group="utility")) == (
        "Trained on real rows it is 0.500, on independent columns 0.900."
    )
    assert comparison(score(0.6, reference=None, baseline=math.nan)) == ""


def test_the_direction_is_in_words():
    assert direction(score(0.6)) == "The nearer to 0.5 the better."
    assert direction(score(0.6, "lower", 0.0)) == "Lower is better; 0 is the best possible."


def test_a_long_name_is_cut_by_what_it_takes_on_the_screen():
    assert shorten("a" * 30, 10) == "a" * 9 + "…"
    assert shorten("日本語の列名", 7) == "日本語…"
    assert shorten("two\nlines", 20) == "two lines"
    assert shorten("fits", 4) == "fits"
    assert shorten("", 4) == ""


def test_what_a_page_cannot_hold_is_replaced():
    text = clean("a\x00b\ud800c\u202ed")
    assert text == "a\ufffdb\ufffdcd"
    assert text.encode()


def test_any_value_of_a_document_becomes_text():
    assert anything({"a": [1, None], "b": False}) == "a: 1, –, b: no"
    assert anything(list(range(50))).endswith("… (50 in all)")
    assert anything([]) == "–"
    assert anything(math.nan) == "–"
    assert entries({"a": {"b": {"c": 1}}, "d": {}}) == [("A · b · c", "1"), ("D", "–")]

"""The charts by themselves."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import pytest

from tabsynth.evaluation.result import Pairs
from tabsynth.report.charts import (
    draw_heat,
    draw_marginal,
    draw_spark,
    draw_strip,
    nice_top,
)
from tabsynth.report.drawing import Drawing
from tabsynth.report.histograms import arrange, is_stretched, largest, shares_of, ticks_of


def column_named(evaluation, name):
    return next(column for column in evaluation.columns if column.name == name)


def test_a_drawing_is_an_element_with_a_name_and_colours_of_the_page():
    drawing = Drawing(100, 40)
    drawing.box(0, 0, 50, 20, "real")
    drawing.line([(0, 0), (100, 40)], "synthetic")
    drawing.text(10, 10, "5 < 6 & text0x $x$ 😀")
    svg = drawing.to_svg("k", 'A "title" <i>')
    assert svg.startswith('<svg class="chart" width="100" height="40" viewBox="0 0 100 40"')
    assert 'role="img" aria-labelledby="k-title"' in svg
    assert '<title id="k-title">A &#34;title&#34; &lt;i&gt;</title>' in svg
    assert ">5 &lt; 6 &amp; text0x $x$ 😀</text>" in svg
    assert {"var(--real)", "var(--synthetic)", "var(--muted)"} <= set(
        re.findall(r"var\(.*?\)", svg)
    )
    assert not re.search(r"#[0-9a-f]{6}|http|font-family|<style|<!--", svg)


def test_texts_that_look_like_stand_ins_stay_where_they_were_put():
    drawing = Drawing(100, 40)
    for text in ("text1x", "text2x", "last"):
        drawing.text(1, 1, text)
    assert re.findall(r">([^<>]+)</text>", drawing.to_svg("k", "t")) == ["text1x", "text2x", "last"]


def test_drawing_leaves_the_settings_of_matplotlib_alone(evaluation):
    # Text is set in the page's own font, whatever somebody's settings say.
    before = dict(mpl.rcParams)
    with mpl.rc_context({"svg.fonttype": "path", "savefig.bbox": "tight", "font.size": 30}):
        theirs = draw_marginal(evaluation.columns[3], "k")
        assert mpl.rcParams["svg.fonttype"] == "path"
    assert dict(mpl.rcParams) == before
    assert theirs == draw_marginal(evaluation.columns[3], "k")


def test_a_strip_shows_value_reference_and_baseline(evaluation):
    svg = draw_strip(evaluation["c2st"], "k")
    title = "Two-sample test: synthetic 0.641, reference 0.503, baseline 0.934"
    assert f'<title id="k-title">{title}</title>' in svg
    assert "chance 0.500" in draw_strip(evaluation["membership_auc"], "k")
    assert draw_strip(replace(evaluation["c2st"], value=None), "k") is None
    assert draw_strip(replace(evaluation["c2st"], value=math.nan), "k") is None


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e-9, 4e7])
@pytest.mark.parametrize("bar", [False, True])
def test_a_strip_can_be_drawn_whatever_the_figure(evaluation, value, bar):
    score = replace(
        evaluation["tvd_1way"], value=value, reference=None, baseline=None, interval=None
    )
    svg = draw_strip(score, "k", bar=bar)
    places = [float(x) for x in re.findall(r'<text[^>]* x="([^"]+)"', svg)]
    assert places
    assert all(0 <= place <= 380 for place in places)


def test_intervals_and_other_cells_of_a_number_are_told_apart(evaluation):
    shares = shares_of(column_named(evaluation, "systolic_pressure"))
    assert len(shares.edges) == len(shares.cells) + 1
    assert [cell for cell, *_ in shares.special] == ["missing"]


def ticks(column, room=60):
    shares = shares_of(column)
    return ticks_of(shares, arrange(shares)[0], room)


def test_the_ends_of_intervals_are_written_as_the_cells_write_them(evaluation):
    dates = ticks(column_named(evaluation, "admitted"))
    assert dates[0] == (0.0, "2024-01-01")
    assert [x for x, _ in dates] == sorted(x for x, _ in dates)
    assert ticks(column_named(evaluation, "total_cost"), room=300)[-1] == (1.0, "91,000")


def test_a_cell_of_one_value_is_named_in_its_middle(make_column):
    column = make_column(
        "x",
        ("below 2", "2", "3", "4 and above"),
        measure="continuous",
        edges=(1.0, 2.0, 3.0, 4.0, 5.0),
    )
    assert ticks(column) == [(0.375, "2"), (0.625, "3")]


def test_labels_below_a_histogram_do_not_run_into_each_other(make_column):
    cells = [f"[2024-01-{i:02d} 00:00, 2024-01-{i + 1:02d} 00:00)" for i in range(1, 30)]
    edges = tuple(float(i) for i in range(30))
    for room in (20, 40, 58, 200):
        labels = ticks(make_column("x", cells, measure="continuous", edges=edges), room=room)
        assert labels
        middles = [min(max(x * room, 8), room - 8) for x, _ in labels]
        assert all(right - left >= 16 + 3 for left, right in pairwise(middles))


def test_values_far_apart_are_drawn_side_by_side(make_column):
    column = make_column(
        "x", ("0", "1", "90"), measure="continuous", edges=(-0.5, 0.5, 45.5, 134.5)
    )
    places, real, _ = arrange(shares_of(column))
    assert places.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert real.tolist() == pytest.approx([1 / 3] * 3)
    assert not is_stretched(shares_of(column))


@pytest.mark.parametrize(
    "edges",
    [
        (0.0, 1.0, math.inf),
        (0.0, None, 2.0),
        (0.0, 0.0, 1.0),
        (0.0, 1.0, 1e9),
        (-1.7e308, 0.0, 1.7e308),
        (0.0, 5e-324, 1.0),
        (3.0, 2.0, 1.0),
    ],
)
def test_odd_edges_are_drawn_equally_wide(make_column, edges):
    column = make_column(
        "x",
        ("[a, b)", "[b, c)"),
        measure="continuous",
        edges=edges,
        real=(0.5, 0.5),
        synthetic=(1, 0),
    )
    places, real, _ = arrange(shares_of(column))
    assert places.tolist() == [0.0, 0.5, 1.0]
    assert real.tolist() == [0.5, 0.5]
    assert draw_marginal(column, "k")
    assert draw_spark(column, "k")


def test_intervals_of_moderately_different_width_are_drawn_as_densities(make_column):
    column = make_column(
        "x",
        ("[0, 1)", "[1, 4)"),
        measure="continuous",
        edges=(0.0, 1.0, 4.0),
        real=(0.25, 0.75),
    )
    places, real, _ = arrange(shares_of(column))
    assert places.tolist() == [0.0, 0.25, 1.0]
    assert real.tolist() == [0.25, 0.25]


def test_rare_categories_are_gathered_and_keep_their_share(make_column):
    cells = [f"c{i}" for i in range(50)]
    rows, rest = largest(shares_of(make_column("x", cells)), 8)
    assert len(rows) == 8
    assert rest == "43 others"
    assert sum(row[1] for row in rows) == pytest.approx(1)
    rows, rest = largest(shares_of(make_column("x", ("(other)", "a", "b"))), 8)
    assert [row[0] for row in rows] == ["a", "b", "all others"]
    assert rest == "all others"


def test_a_column_without_a_histogram_is_not_drawn(evaluation):
    column = column_named(evaluation, "patient_id")
    assert draw_marginal(column, "k") is None
    assert draw_spark(column, "k") is None


def test_shares_without_a_figure_count_as_zero(make_column):
    column = make_column("x", ("a", "b"), real=(None, math.nan), synthetic=(0.0, 0.0))
    assert shares_of(column).real == (0.0, 0.0)
    assert draw_marginal(column, "k")


def test_the_heat_map_needs_two_columns(evaluation):
    assert draw_heat(Pairs(), "k") is None
    assert draw_heat(Pairs(("a",), ((0.0,),)), "k") is None
    svg = draw_heat(evaluation.pairs, "k")
    assert svg.count("<image") == 2
    assert "length_of_stay" in svg


def test_a_wide_heat_map_is_numbered_and_small(wide_evaluation):
    svg = draw_heat(wide_evaluation.pairs, "k")
    assert "category_0" not in svg
    assert ">150</text>" in svg
    assert len(svg) < 150_000


def test_the_colour_scale_ends_at_a_round_number():
    assert [nice_top(x) for x in (0.0, 0.05, 0.051, 0.6, 0.9)] == [0.05, 0.05, 0.1, 0.75, 1.0]

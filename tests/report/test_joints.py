"""The worst pairs, drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabsynth.evaluation.result import Joint
from tabsynth.report import to_html
from tabsynth.report.joints import draw_joint, largest_gaps, told
from tabsynth.report.pages import drawn_pairs, worst_pairs

JOINT = Joint(
    "ward", "sex", ("a", "b"), ("f", "m"), ((0.4, 0.1), (0.1, 0.4)), ((0.2, 0.25), (0.2, 0.35))
)


def test_combinations_are_listed_with_the_greatest_difference_first():
    gaps, left_out = largest_gaps(JOINT)
    assert [(x.first, x.second) for x in gaps] == [("a", "f"), ("a", "m"), ("b", "f"), ("b", "m")]
    assert (gaps[1].real, gaps[1].synthetic) == (0.1, 0.25)
    assert left_out == 0
    assert told(JOINT).startswith("Too many: a with m (25.0%, real 10.0%). Too few: a with f")
    assert told(replace(JOINT, synthetic=JOINT.real)) == ""


def test_a_pair_is_one_picture_with_three_panels():
    svg = draw_joint(JOINT, "k")
    assert svg.count("<image") == 1
    for text in ("real", "synthetic", "difference", "a", "b"):
        assert f">{text}</text>" in svg
    assert "Joint distribution of ward and sex" in svg


@pytest.mark.parametrize(
    "changes",
    [
        {"first_cells": ()},
        {"real": ((0.5, 0.5),)},
        {"synthetic": ((0.5,), (0.5, 0.1))},
        {"second_cells": ("f", "m", "x")},
    ],
)
def test_shares_that_do_not_fit_the_cells_are_not_drawn(changes):
    odd = replace(JOINT, **changes)
    assert draw_joint(odd, "k") is None
    assert largest_gaps(odd) == ([], 0)


def test_shares_without_a_figure_count_as_zero():
    assert draw_joint(replace(JOINT, real=((None, float("nan")), (0.0, 0.0))), "k")
    assert draw_joint(replace(JOINT, real=((0.0, 0.0), (0.0, 0.0))), "k")


def test_the_worst_pairs_stand_in_the_table_as_they_are_drawn(evaluation):
    drawn = [(pair.joint.first, pair.joint.second) for pair in drawn_pairs(evaluation)]
    assert drawn == [(pair.first, pair.second) for pair in worst_pairs(evaluation)]
    assert len(drawn) == 10
    page = to_html(evaluation)
    assert "The worst ten pairs, drawn" in page
    for place in range(10):
        assert f'aria-details="t-joint-{place}"' in page


def test_without_joint_distributions_the_table_is_as_it_was(evaluation):
    bare = replace(evaluation, pairs=replace(evaluation.pairs, worst=()))
    distances = [pair.tvd for pair in worst_pairs(bare)]
    assert distances == sorted(distances, reverse=True)
    page = to_html(bare)
    assert "The worst ten pairs</h3>" in page
    assert "drawn</h3>" not in page

from __future__ import annotations

import pandas as pd
import pytest

from tabsynth.evaluation.nearest_share import NearestShare
from tabsynth.schema import Column, Schema


def share_of(comparison, *tables):
    return NearestShare().measure(comparison(*tables))[0]


def test_copies_lie_nearest_to_training_rows_and_fresh_rows_to_neither(comparison, sample):
    # Half of 600 fresh rows, give or take four standard errors of sqrt(0.25 / 600).
    train, holdout = sample(600, "a"), sample(600, "c")
    copies = share_of(comparison, train, train, holdout)
    assert copies.value > 0.99
    fresh = share_of(comparison, train, sample(600, "b"), holdout)
    assert fresh.value == pytest.approx(0.5, abs=0.082)
    assert share_of(comparison, train, holdout, holdout).value < 0.01
    for score in (copies, fresh):
        assert score.reference == pytest.approx(0.5, abs=0.116)  # of 300 rows
        assert score.baseline == pytest.approx(0.5, abs=0.082)


def test_a_draw_counts_half_and_sizes_do_not_matter(comparison):
    schema = Schema((Column("age", "number"), Column("town", "category")))
    same = pd.DataFrame({"age": [30] * 40 + [50] * 40, "town": ["a", "b"] * 40})
    assert share_of(comparison, same, same, same, schema).value == 0.5
    more = pd.concat([same, same, same], ignore_index=True)
    assert share_of(comparison, more, same, same, schema).value == 0.5


def test_it_says_that_it_is_no_evidence_of_privacy_and_has_no_part_in_the_verdict(
    comparison, sample
):
    train = sample(200, "a")
    score = share_of(comparison, train, train, sample(200, "c"))
    assert "no evidence of privacy" in score.title
    assert "no evidence of privacy" in score.explanation
    assert score.group == "fidelity"
    assert score.findings == ()

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

AB = Schema((Column("a", "number"), Column("b", "category")))


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


def table(*patterns):
    """Return rows with the cells missing that each text names, in a table of 10 each."""
    rows = [text for text in patterns for _ in range(10)]
    return pd.DataFrame(
        {
            "a": [np.nan if "a" in text else 1.0 for text in rows],
            "b": [None if "b" in text else "x" for text in rows],
        }
    )


def test_the_distance_is_that_between_shares_of_patterns():
    real, other = table("", "", "ab", "ab"), table("", "", "a", "b")
    score = scores("missing_patterns", real, other, AB)["missing_patterns"]
    assert score.value == 0.5
    assert score.details["worst"] == {"a": [0.5, 0.25], "b": [0.5, 0.25]}
    assert score.details["mean_difference_of_rates"] == 0.25


def test_cells_missing_at_the_right_rate_but_not_together_are_seen():
    real, other = table("", "", "ab", "ab"), table("", "a", "b", "ab")
    score = scores("missing_patterns", real, other, AB)["missing_patterns"]
    assert score.value == 0.5
    assert score.details["mean_difference_of_rates"] == 0


def test_fresh_rows_are_like_the_reference_and_independent_columns_are_not():
    rng = Streams(1).numpy("gaps")
    frames = [table(*rng.choice(["", "ab"], 100)) for _ in range(3)]
    score = scores("missing_patterns", *frames[:2], AB, frames[2])["missing_patterns"]
    # Groups of ten rows: a share of 100 groups is known to 0.05, their difference to 0.07.
    assert score.value < 0.25
    assert score.reference < 0.25
    assert score.baseline == pytest.approx(0.5, abs=0.1)


def test_where_no_cell_is_missing_nothing_is_planned():
    assert scores("missing_patterns", table(""), table(""), AB) == {}


def test_cells_missing_in_the_synthetic_table_only_are_seen():
    score = scores("missing_patterns", table("", ""), table("", "a"), AB)["missing_patterns"]
    assert score.value == 0.5


def test_patterns_of_many_columns_are_told_apart():
    names = [f"c{k:02}" for k in range(20)]
    schema = Schema(tuple(Column(name, "number") for name in names))
    real = pd.DataFrame(np.where(np.eye(20) > 0, np.nan, 1.0), columns=names)
    other = pd.DataFrame(np.where(np.eye(20)[:10] > 0, np.nan, 1.0), columns=names)
    score = scores("missing_patterns", real, other, schema)["missing_patterns"]
    assert score.value == 0.5
    assert score.details["patterns_of_real_rows"] == 20

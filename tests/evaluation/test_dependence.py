from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.dependence import information, kept
from tabsynth.evaluation.frame import analyse
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

SCHEMA = Schema((Column("age", "number"), Column("cost", "number"), Column("ward", "category")))


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


def people(n, name):
    rng = Streams(3).numpy(name)
    age = rng.integers(18, 90, n)
    return pd.DataFrame(
        {
            "age": age,
            "cost": np.round(50 * age + rng.normal(0, 400, n)),
            "ward": np.where(age + rng.normal(0, 20, n) > 60, "old", "young"),
        }
    )


def shuffled(frame, name="shuffle"):
    rng = Streams(5).numpy(name)
    return pd.DataFrame({column: rng.permutation(frame[column].to_numpy()) for column in frame})


def test_equal_columns_tell_everything_and_independent_ones_nothing():
    assert information(np.diag([500, 500]))[0] == pytest.approx(1, abs=0.001)
    assert information(np.full((2, 2), 250))[0] == 0
    assert information(np.array([[7, 3]]))[0] == 0


def test_information_is_in_nats_before_it_is_normalised():
    counts = np.array([[40, 10], [10, 40]])
    nats = 0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.5)
    _, plain, freedom = information(counts)
    assert plain == pytest.approx(200 * nats)
    assert freedom == 1
    assert information(counts)[0] == pytest.approx((nats - 1 / 200) / np.log(2))


def test_the_correction_takes_away_what_independent_columns_show_by_chance():
    rng = Streams(1).numpy("chance")
    plain, freedom = [], 0
    for _ in range(300):
        joint = rng.integers(0, 5, 400) * 5 + rng.integers(0, 5, 400)
        _, found, freedom = information(np.bincount(joint, minlength=25).reshape(5, 5))
        plain.append(found)
    # The G statistic has mean 16 and standard deviation 5.7; that of 300 is known to 0.33.
    assert freedom == 16
    assert np.mean(plain) == pytest.approx(16, abs=1.2)


def test_kept_is_the_weighted_share_and_what_is_made_up_counts_against_it():
    assert kept(np.array([0.4, 0.1]), np.array([0.2, 0.1])) == pytest.approx(0.6)
    assert kept(np.array([0.4, 0.0]), np.array([0.4, 0.4])) == pytest.approx(0.5)


def test_fresh_rows_keep_all_and_shuffled_columns_nothing_though_single_columns_are_right():
    train, fresh, held = (people(2000, name) for name in ("train", "fresh", "held"))
    score = scores("mutual_information", train, fresh, SCHEMA, held)["mutual_information"]
    assert score.value == pytest.approx(score.reference, abs=0.05)
    assert score.reference > 0.9
    assert score.baseline < 0.05
    mixed = shuffled(fresh)
    lost = scores("mutual_information", train, mixed, SCHEMA, held)["mutual_information"]
    assert lost.value < 0.05
    pairs = {tuple(sorted(row[:2])) for row in lost.details["worst"]}
    assert pairs == {("age", "cost"), ("age", "ward"), ("cost", "ward")}
    gap = scores("number_ks", train, mixed, SCHEMA, held)["number_ks"]
    same = scores("number_ks", train, fresh, SCHEMA, held)["number_ks"]
    assert gap.value == pytest.approx(same.value)
    triple = scores("tvd_3way", train, mixed, SCHEMA, held)["tvd_3way"]
    assert triple.value > 2 * triple.reference


def test_a_copy_keeps_exactly_all():
    train = people(500, "train")
    assert scores("mutual_information", train, train, SCHEMA)["mutual_information"].value == 1


def test_dependence_that_is_made_up_is_nothing_kept():
    real = shuffled(people(2000, "train"))
    score = scores("mutual_information", real, people(2000, "made"), SCHEMA)["mutual_information"]
    assert score.value < 0.05


def test_where_columns_do_not_depend_on_each_other_there_is_a_reason():
    real, other = (shuffled(people(1000, name), name) for name in ("train", "other"))
    score = scores("mutual_information", real, other, SCHEMA)["mutual_information"]
    assert score.value is None
    assert "no dependence to keep" in score.problem


def test_one_column_has_no_pairs():
    train = people(50, "train")[["age"]]
    score = scores("mutual_information", train, train, Schema(SCHEMA.columns[:1]))
    assert "no pairs" in score["mutual_information"].problem

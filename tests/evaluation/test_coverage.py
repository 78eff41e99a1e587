from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.coverage import (
    among_themselves,
    curve,
    departure,
    precision,
    reached,
    recall,
    squared_distances,
)
from tabsynth.evaluation.frame import analyse
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

SCHEMA = Schema(
    (
        Column("age", "number"),
        Column("cost", "number"),
        Column("dose", "number"),
        Column("ward", "category"),
    )
)
WARDS = list("abcde")


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
    """Return people; the numbers go together."""
    rng = Streams(3).numpy(name)
    age = rng.normal(50, 15, n)
    return pd.DataFrame(
        {
            "age": age,
            "cost": 50 * age + rng.normal(0, 100, n),
            "dose": age - rng.normal(0, 3, n),
            "ward": rng.choice(WARDS, n, p=[0.4, 0.3, 0.15, 0.1, 0.05]),
        }
    )


def both(synthetic, n=1500):
    """Return alpha-precision and beta-recall of a table, against people."""
    found = scores("coverage", people(n, "train"), synthetic, SCHEMA, people(n, "held"))
    return found["alpha_precision"], found["beta_recall"]


def test_the_area_between_curves_is_exact_where_they_cross_and_where_they_jump():
    knots = np.array([0.0, 1.0])
    assert departure(knots, np.array([0.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx(0.5)
    assert departure(knots, np.array([0.0, 1.0]), np.array([0.5, 0.5])) == pytest.approx(0.25)
    steep = np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert departure(*steep, steep[0]) == pytest.approx(0.25)


def test_the_area_equals_a_fine_sum():
    rng = Streams(1).numpy("area")
    real, other = rng.random(400), rng.random(300) ** 2
    sizes = np.quantile(real, np.arange(1, 4001) / 4000, method="inverted_cdf")
    shares = np.searchsorted(np.sort(other), sizes, side="right") / 300
    fine = np.abs(shares - np.arange(1, 4001) / 4000).mean()
    assert precision(real, other) == pytest.approx(1 - 2 * fine, abs=0.005)


def test_tied_distances_count_as_if_ties_were_broken_at_random():
    assert precision(np.ones(10), np.ones(7)) == 1
    assert precision(np.repeat([1.0, 2.0], 5), np.repeat([1.0, 2.0], [3, 3])) == 1
    assert precision(np.repeat([1.0, 2.0], 5), np.ones(4)) == pytest.approx(0.5)
    assert curve(np.ones(2), np.ones(3), 3)[1].tolist() == [0, 1]


def test_neighbours_are_those_of_a_plain_search():
    rng = Streams(1).numpy("points")
    real, other = rng.normal(size=(60, 4)), rng.normal(size=(50, 4))
    apart = np.sqrt(((real[:, None] - real) ** 2).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    places, radii = among_themselves(real, 3)
    assert (places == apart.argmin(axis=1)).all()
    assert np.sqrt(radii) == pytest.approx(np.sort(apart, axis=1)[:, 2])
    across = ((real[:, None] - other) ** 2).sum(axis=2)
    assert squared_distances(real, other) == pytest.approx(across)
    near = reached(real, other, radii)
    within = across.min(axis=1) <= radii
    assert (near[within] == across.argmin(axis=1)[within]).all()
    assert (near[~within] == -1).all()


def test_equal_rows_are_within_a_radius_of_nothing():
    points = np.repeat(np.arange(3.0)[:, None], 7, axis=0)
    _, radii = among_themselves(points, 5)
    assert (radii == 0).all()
    assert (reached(points, points[[0, 7, 14]], radii) == np.repeat([0, 1, 2], 7)).all()


def test_recall_of_nothing_that_is_near_is_zero_and_of_the_same_is_one():
    real = np.arange(1.0, 5.0)
    near = np.array([1, 0, 3, 2])
    assert recall(real, near, real, near) == 1
    assert recall(real, np.full(4, -1), real, near) == 0


def test_fresh_rows_are_near_the_reference_and_near_one():
    for score in both(people(1500, "fresh")):
        assert score.value == pytest.approx(score.reference, abs=0.04)
        assert score.value > 0.9
        assert score.baseline < score.reference


def test_few_rows_that_come_again_and_again_lower_recall_and_not_precision():
    few = people(1500, "fresh").sample(150, random_state=0)
    alpha, beta = both(pd.concat([few] * 10))
    assert alpha.value > 0.9
    assert beta.value < 0.75 * beta.reference


def test_noise_lowers_precision():
    fresh = people(1500, "fresh")
    rng = Streams(1).numpy("noise")
    noisy = fresh.assign(
        ward=rng.choice(WARDS, len(fresh)),
        **{name: rng.choice([-1e6, 1e6], len(fresh)) for name in ("age", "cost", "dose")},
    )
    half = pd.concat([fresh.iloc[:750], noisy.iloc[:750]])
    alpha, _ = both(half)
    assert alpha.value < 0.8 * alpha.reference
    worse, beta = both(noisy)
    assert worse.value < 0.2
    assert beta.value < 0.2


def test_a_kind_of_rows_that_is_left_out_lowers_recall():
    fresh = people(3000, "fresh")
    _, beta = both(fresh[fresh["ward"] == "a"])
    assert beta.value < 0.6


def test_only_ordinary_rows_lower_precision():
    fresh = people(6000, "fresh")
    ordinary = fresh[(fresh["age"] - 50).abs() < 8]
    alpha, _ = both(ordinary.iloc[:1500])
    assert alpha.value < 0.9 * alpha.reference


def test_a_copy_of_the_real_rows_scores_best():
    train = people(600, "train")
    found = scores("coverage", train, train, SCHEMA)
    assert found["alpha_precision"].value == 1
    assert found["beta_recall"].value > 0.95
    assert found["beta_recall"].reference is None


def test_tables_of_few_categories_only_are_measured():
    rng = Streams(1).numpy("few")
    frames = [pd.DataFrame({"w": rng.choice(WARDS, 400)}) for _ in range(3)]
    schema = Schema((Column("w", "category"),))
    for score in scores("coverage", *frames[:2], schema, frames[2]).values():
        assert score.value > 0.9
        assert score.reference > 0.9


def test_rows_are_drawn_from_larger_tables_and_the_number_is_stated(monkeypatch):
    monkeypatch.setattr("tabsynth.evaluation.coverage.MOST_ROWS", 100)
    alpha, beta = both(people(300, "fresh"), n=400)
    assert alpha.details["rows_a_side"] == beta.details["rows_a_side"] == 100


def test_constant_rows_have_a_reason():
    frame = pd.DataFrame({"x": [1.0] * 50})
    found = scores("coverage", frame, frame, Schema((Column("x", "number"),)))
    assert {score.value for score in found.values()} == {None}
    assert "No column varies" in found["beta_recall"].problem

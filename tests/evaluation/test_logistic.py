from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.errors import DataError
from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.logistic import Inputs
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
    age = rng.normal(50, 15, n)
    return pd.DataFrame(
        {
            "age": age,
            "cost": 50 * age + rng.normal(0, 30, n),
            "ward": rng.choice(list("abc"), n, p=[0.5, 0.3, 0.2]),
        }
    )


def judged(synthetic, train=None, held=None):
    train = people(1000, "train") if train is None else train
    held = people(1000, "held") if held is None else held
    return scores("c2st_logistic", train, synthetic, SCHEMA, held)["c2st_logistic"]


def test_fresh_rows_cannot_be_told_apart():
    score = judged(people(1000, "fresh"))
    assert score.interval.low < 0.5 < score.interval.high
    assert score.reference == pytest.approx(0.5, abs=0.06)
    assert score.details["rows_a_side"] == 1000


def test_rows_of_another_kind_are_told_apart_without_an_error():
    other = people(1000, "fresh").assign(ward="z", age=1e9)
    score = judged(other)
    assert score.value == 1
    assert score.interval.low > 0.98


def test_a_shifted_number_is_told_apart_as_well_as_theory_says():
    rng = Streams(1).numpy("shift")
    schema = Schema((Column("x", "number"),))
    real, other = pd.DataFrame({"x": rng.normal(size=4000)}), rng.normal(1, 1, 4000)
    found = scores("c2st_logistic", real, pd.DataFrame({"x": other}), schema)["c2st_logistic"]
    # The area for two normals one standard deviation apart is Phi(1 / sqrt 2) = 0.760.
    assert found.value == pytest.approx(0.760, abs=0.02)


def test_independent_columns_pass_and_the_test_with_trees_sees_them():
    train, held = people(1000, "train"), people(1000, "held")
    mixed = people(1000, "fresh").assign(cost=people(1000, "other")["cost"])
    linear = judged(mixed)
    assert linear.value == pytest.approx(0.5, abs=0.06)
    assert linear.baseline == pytest.approx(0.5, abs=0.06)
    assert scores("c2st", train, mixed, SCHEMA, held)["c2st"].value > 0.8


def test_cells_missing_on_one_side_only_are_seen():
    other = people(1000, "fresh")
    other["age"] = other["age"].mask(np.arange(1000) < 400)
    assert judged(other).value > 0.65


def test_inputs_are_standardised_and_bounded_in_number():
    rng = Streams(1).numpy("inputs")
    names = [f"c{k:02}" for k in range(40)]
    frame = pd.DataFrame({name: rng.integers(0, 60, 500).astype(str) for name in names})
    frame["x"] = np.where(rng.random(500) < 0.2, np.nan, rng.lognormal(0, 3, 500))
    frame["same"] = 1
    kinds = (*(Column(name, "category") for name in names), Column("x", "number"))
    schema = Schema((*kinds, Column("same", "number")))
    tables = analyse({"train": frame}, schema)
    design = Inputs.of([tables["train"]])
    matrix = design.matrix(tables["train"])
    assert design.n == matrix.shape[1] == 40 * (300 // 42) + 2
    assert matrix.mean(axis=0) == pytest.approx(np.zeros(design.n), abs=1e-9)
    assert matrix.std(axis=0) == pytest.approx(np.ones(design.n))


def test_enormous_numbers_do_not_overflow():
    frame = pd.DataFrame({"x": [1e308, -1e308, 0.0, 1.0] * 20})
    schema = Schema((Column("x", "number"),))
    assert scores("c2st_logistic", frame, frame, schema)["c2st_logistic"].value is not None


def test_where_no_column_varies_there_is_a_reason():
    frame = pd.DataFrame({"age": [1.0] * 30, "cost": 2.0, "ward": "a"})
    with pytest.raises(DataError, match="No column varies"):
        judged(frame, frame, frame)

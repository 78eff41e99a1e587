from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.errors import DataError
from tabsynth.evaluation.importance import ImportanceAgreement
from tabsynth.schema import Column, Schema


def rows(rng, n, matter=("x1", "x2", "x3"), noise=4):
    """Return a table whose target depends on three columns, each less than the one before."""
    names = ["x1", "x2", "x3", *(f"n{k}" for k in range(noise))]
    frame = pd.DataFrame(rng.normal(size=(n, len(names))), columns=names)
    first, second, third = matter
    odds = 3 * frame[first] + 1.5 * frame[second] + 0.8 * frame[third]
    return frame.assign(y=np.where(odds + 0.5 * rng.normal(size=n) > 0, "yes", "no"))


def schema_of(frame):
    return Schema(
        tuple(Column(name, "category" if name == "y" else "number") for name in frame.columns)
    )


@pytest.fixture
def rng():
    return np.random.Generator(np.random.PCG64(4))


def score_of(comparison, train, made, holdout=None):
    compared = comparison(train, made, holdout, schema_of(train))
    return ImportanceAgreement("y").measure(compared)[0]


def test_models_of_one_population_agree_and_noise_ranks_last(comparison, rng):
    score = score_of(comparison, *(rows(rng, 1000) for _ in range(3)))
    assert score.name == "importance:y"
    # Columns of noise are tied at zero or nearly, so 0.7 is far above chance (0.38 is one
    # standard deviation of the rank correlation of seven columns).
    assert score.value > 0.7
    assert score.reference > 0.7
    assert score.value > score.baseline + 0.3
    assert list(score.details["real"])[:3] == ["x1", "x2", "x3"]
    assert list(score.details["synthetic"])[:3] == ["x1", "x2", "x3"]
    noise = [score.details["synthetic"][f"n{k}"] for k in range(4)]
    assert max(noise) < 0.1 * score.details["synthetic"]["x2"]
    assert score.interval.low <= score.value <= score.interval.high


def test_a_table_where_other_columns_matter_disagrees(comparison, rng):
    made = rows(rng, 1000, matter=("n0", "n1", "n2"))
    score = score_of(comparison, rows(rng, 1000), made, rows(rng, 1000))
    assert score.value < 0.3 < 0.7 < score.reference
    assert score.interval.high < score.reference


def test_numbers_are_ranked_for_too(comparison, rng):
    def priced(n):
        frame = rows(rng, n)
        return frame.assign(y=100 * frame["x1"] + 20 * frame["x2"])

    tables = [priced(600) for _ in range(3)]
    schema = Schema(tuple(Column(name, "number") for name in tables[0].columns))
    score = ImportanceAgreement("y").measure(comparison(*tables, schema))[0]
    # The noise columns are tied, so only their share of ranks is lost.
    assert score.value > 0.7
    assert list(score.details["real"])[:2] == ["x1", "x2"]


def test_of_many_columns_those_that_tell_most_in_either_table_are_measured(
    comparison, rng, monkeypatch
):
    monkeypatch.setattr("tabsynth.evaluation.importance.MOST_COLUMNS", 6)
    made = rows(rng, 800, matter=("n5", "n6", "n7"), noise=30)
    tables = rows(rng, 800, noise=30), made, rows(rng, 800, noise=30)
    details = score_of(comparison, *tables).details
    assert details["columns"] == 33
    assert details["columns_measured"] == 6
    assert {"x1", "x2", "n5", "n6"} <= set(details["real"])


def test_what_cannot_be_ranked_has_a_reason(comparison, rng):
    train, made, holdout = (rows(rng, 200) for _ in range(3))
    with pytest.raises(DataError, match="No holdout"):
        score_of(comparison, train, made)
    two = [frame[["x1", "x2", "y"]] for frame in (train, made, holdout)]
    with pytest.raises(DataError, match="Only 2 columns"):
        score_of(comparison, *two)
    with pytest.raises(DataError, match="No column helps"):
        score_of(comparison, train.assign(y="yes"), made, holdout)


def test_synthetic_rows_that_teach_nothing_are_named(comparison, rng):
    made = rows(rng, 400).assign(y="yes")
    score = score_of(comparison, rows(rng, 400), made, rows(rng, 400))
    assert score.value == 0.0
    assert "No column helps" in score.problem

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.copying import ExactCopies
from tabsynth.evaluation.disclosure import Membership
from tabsynth.schema import Column, Schema


def copies_of(compared):
    return ExactCopies().measure(compared)[0]


def test_a_copy_of_the_training_table_is_found_whole(comparison, sample):
    train = sample(1500, "train")
    compared = comparison(train, train, sample(2000, "holdout"))
    copies = copies_of(compared)
    area, found, _ = Membership().measure(compared)
    assert copies.value == 1
    assert copies.reference < 0.01
    assert area.value > 0.99
    assert found.value > 0.95
    assert found.interval.low > 0.9
    assert area.baseline == pytest.approx(0.5, abs=0.05)


def test_one_row_in_twenty_copied_is_found(comparison, sample):
    train, made = sample(3000, "train"), sample(3000, "made")
    made.iloc[:150] = train.iloc[:150]
    compared = comparison(train, made, sample(3000, "holdout"))
    found = Membership().measure(compared)[1]
    assert found.interval.low > 0.01
    assert found.value == pytest.approx(0.06, abs=0.015)
    copies = copies_of(compared)
    assert copies.value == pytest.approx(0.05, abs=0.003)
    assert copies.interval.low > copies.details["chance"]


def test_a_copy_with_a_little_noise_is_found(comparison, sample):
    train = sample(1500, "train")
    made = train.assign(seen=train["seen"] + pd.Timedelta(days=1), income=train["income"] + 3)
    compared = comparison(train, made, sample(2000, "holdout"))
    area, found, _ = Membership().measure(compared)
    assert copies_of(compared).value < 0.01
    assert area.interval.low > 0.6
    assert found.interval.low > 0.05


@pytest.mark.parametrize("seed", range(4))
def test_fresh_real_rows_are_no_leak(comparison, sample, seed):
    train, made, holdout = (sample(1000, f"{name} {seed}") for name in ("a", "b", "c"))
    compared = comparison(train, made, holdout)
    area, found, _ = Membership().measure(compared)
    copies = copies_of(compared)
    assert area.interval.low <= 0.5 <= area.interval.high
    assert found.interval.low <= 0.01
    assert found.value == pytest.approx(0.01, abs=0.025)
    assert copies.interval.low <= copies.details["chance"]


def test_few_columns_make_equal_rows_by_chance(comparison, streams):
    rng = streams.numpy("dice")
    schema = Schema((Column("a", "category"), Column("b", "category")))
    train, made, holdout = (
        pd.DataFrame(rng.choice(list("abc"), (500, 2)), columns=["a", "b"]) for _ in range(3)
    )
    compared = comparison(train, made, holdout, schema)
    score = copies_of(compared)
    area, found, _ = Membership().measure(compared)
    assert score.value == score.reference == 1
    assert score.interval.low <= score.details["chance"]
    assert area.interval.low <= 0.5 <= area.interval.high
    assert found.interval.low <= 0.01


def test_a_table_of_frequent_rows_is_no_copy(comparison, streams):
    rng = streams.numpy("modes")
    schema = Schema((Column("a", "category"), Column("b", "number")))

    def rows():
        often = rng.random(1000) < 0.5
        return pd.DataFrame(
            {"a": np.where(often, "x", "y"), "b": np.where(often, 0.0, rng.random(1000))}
        )

    made = pd.DataFrame({"a": ["x"] * 1000, "b": [0.0] * 1000})
    score = copies_of(comparison(rows(), made, rows(), schema))
    assert score.value == 1 > score.reference
    assert score.interval.low <= score.details["chance"]


def test_more_synthetic_rows_than_real_ones_do_not_alarm(comparison, sample):
    compared = comparison(sample(600, "a"), sample(4000, "b"), sample(500, "c"))
    area, found, _ = Membership().measure(compared)
    assert area.interval.low <= 0.5 <= area.interval.high
    assert found.interval.low <= 0.01


def test_a_small_holdout_is_called_too_small_to_show_a_leak(comparison, sample):
    train = sample(300, "a")
    area, found, _ = Membership().measure(comparison(train, train, sample(200, "c")))
    assert "this figure alone can show no leak" in found.problem
    assert found.interval.low == 0
    assert area.problem == ""
    assert area.interval.low > 0.9


def test_every_attack_is_in_the_details_and_the_best_has_a_name(comparison, sample):
    area, found, _ = Membership().measure(comparison(*(sample(200, name) for name in "abc")))
    for score in (area, found):
        assert score.details["best"] in score.details["attacks"]
        assert len(score.details["attacks"]) == 7

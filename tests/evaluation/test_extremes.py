from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.extremes import Extremes, at_least, extremes
from tabsynth.evaluation.frame import analyse
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema


def found(frames, seed=0):
    schema = Schema(tuple(Column(name, "number") for name in frames["train"]))
    return extremes(Comparison.of(analyse(frames, schema), streams=Streams(seed)))


def numbers(rng, n=500, width=4):
    return pd.DataFrame(rng.standard_t(4, (n, width)).round(3), columns=list("abcdefgh")[:width])


def replayed(train, fresh):
    made = fresh.clip(train.min(), train.max(), axis=1)
    made.iloc[0], made.iloc[1] = train.min(), train.max()
    return made


def test_few_ends_are_enough_where_each_belongs_to_one_person(streams):
    rng = streams.numpy("few ends")
    train, fresh, holdout = (numbers(rng) for _ in range(3))
    leak = found({"train": train, "synthetic": replayed(train, fresh), "holdout": holdout})
    assert (leak.ends, leak.ours, leak.lone, leak.lone_met) == (8, 8, 8, 8)
    # Eight bits at most are in who is outermost, which is not enough among 24 tests.
    assert leak.p_value < 0.05 / 24 / 10
    assert leak.expected < 2


@pytest.mark.parametrize("decimals", [0, 1, 3])
def test_fresh_rows_raise_no_alarm(streams, monkeypatch, decimals):
    monkeypatch.setattr("tabsynth.evaluation.extremes.DRAWS", 299)
    rng = streams.numpy(f"fresh {decimals}")
    names = ("train", "synthetic", "holdout")
    p_values = np.array(
        [
            found({name: numbers(rng, 200).round(decimals) for name in names}).p_value
            for _ in range(60)
        ]
    )
    assert (p_values <= 0.05).sum() <= binom.ppf(0.999, 60, 0.05)


def test_an_end_that_several_share_or_an_unseen_row_has_counts_for_nobody(streams):
    rng = streams.numpy("shared")
    train, fresh, holdout = (numbers(rng).clip(-1, 1) for _ in range(3))
    leak = found({"train": train, "synthetic": replayed(train, fresh), "holdout": holdout})
    assert leak.lone == 0
    assert leak.p_value == 1


def test_tables_without_numbers_have_no_ends(streams):
    rng = streams.numpy("none")
    schema = Schema((Column("a", "category"),))
    frames = {
        name: pd.DataFrame({"a": rng.choice(list("xyz"), 80)})
        for name in ("train", "synthetic", "holdout")
    }
    compared = Comparison.of(analyse(frames, schema), streams=Streams(0))
    assert extremes(compared) == Extremes()


def test_the_chance_of_hits_is_the_binomial_one_where_all_chances_are_equal():
    chances = np.full(7, 0.3)
    for hits in range(8):
        assert at_least(chances, hits) == pytest.approx(binom.sf(hits - 1, 7, 0.3))

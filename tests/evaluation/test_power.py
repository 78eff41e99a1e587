from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.power import SHARES, smallest_leak
from tabsynth.schema import Column, Schema


def test_more_rows_and_fewer_tests_show_smaller_leaks(comparison, sample):
    few = comparison(*(sample(300, name) for name in "abc"))
    many = comparison(*(sample(4000, name) for name in "abc"))
    small, large = smallest_leak(many, 0.05 / 20), smallest_leak(few, 0.05 / 20)
    assert small in SHARES
    assert large in SHARES
    assert small < large
    assert smallest_leak(few, 1e-8) is None or smallest_leak(few, 1e-8) > large


def test_a_leak_of_the_smallest_size_is_found_when_it_is_really_planted(comparison, sample):
    from tabsynth.evaluation.contrast import exclusive

    train, made, holdout = (sample(2000, name) for name in "abc")
    level = 0.05 / 20
    smallest = smallest_leak(comparison(train, made, holdout), level)
    found = []
    for draw in range(10):
        rng = np.random.default_rng(draw)
        copies = train.sample(round(smallest * 2000), random_state=rng)
        leaky = pd.concat([copies, made.sample(2000 - len(copies), random_state=rng)])
        tables = comparison(train, leaky, holdout).complete
        ids = [tables[name].ids for name in ("train", "holdout", "synthetic")]
        found.append(exclusive(*ids).p_value <= level)
    assert sum(found) >= 6


def test_copies_cannot_be_seen_where_all_rows_are_alike(comparison, streams):
    rng = streams.numpy("dice")
    schema = Schema((Column("a", "category"), Column("b", "category")))
    frames = [pd.DataFrame(rng.choice(list("abc"), (800, 2)), columns=["a", "b"]) for _ in range(3)]
    assert smallest_leak(comparison(*frames, schema), 0.05 / 20) is None


def test_planting_is_quick_and_reproducible(comparison, sample):
    compared = comparison(*(sample(5000, name) for name in "abc"))
    first = smallest_leak(compared, 1e-12)
    start = time.process_time()
    assert smallest_leak(compared, 1e-12) == first
    assert time.process_time() - start < 5


@pytest.mark.parametrize("n", [60, 120])
def test_small_tables_have_a_power_or_none(comparison, sample, n):
    assert smallest_leak(comparison(*(sample(n, name) for name in "abc")), 0.05) in (*SHARES, None)

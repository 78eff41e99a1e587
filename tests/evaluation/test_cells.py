from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation import cells
from tabsynth.evaluation.cells import cells_of, column_distances, grouped, pair_distances
from tabsynth.evaluation.frame import Feature
from tabsynth.schema import Column, Schema


def numbers(levels):
    return Feature("x", "continuous", np.asarray(levels))


def test_distinct_numbers_fall_into_bins_of_equal_share():
    cell = cells_of(numbers(np.arange(1000.0)), np.append(np.ones(1000, int), 0))
    assert np.bincount(cell).tolist() == [50] * 20 + [1]
    assert cell[-1] == 20
    assert (np.diff(cell) >= 0).all()


def test_a_value_that_many_rows_share_has_a_cell_of_its_own():
    counts = np.append([900], np.ones(100, int))
    cell = cells_of(numbers(np.arange(101.0)), np.append(counts, 0))
    assert (cell == cell[0]).sum() == 1
    # The other tenth of the rows gets a tenth of the bins.
    assert len(np.unique(cell[1:-1])) == 2


def test_few_values_have_a_cell_each_and_values_between_share_another():
    feature = numbers([1.0, 1.5, 2.0, 2.5, 3.0])
    cell = cells_of(feature, np.array([10, 0, 10, 0, 10, 4]))
    assert len({cell[0], cell[2], cell[4], cell[1], cell[-1]}) == 5
    assert cell[1] == cell[3]


def test_the_rarest_categories_are_taken_together():
    feature = Feature("x", "nominal", np.array(list("abcdef"), dtype=object))
    counts = np.array([5, 1, 9, 1, 7, 2, 3])
    cell = grouped(cells_of(feature, counts), counts, most=4)
    assert cell.tolist() == [2, 2, 0, 2, 1, 2, 3]


def coins(heads, n=1000):
    return pd.DataFrame({"coin": ["heads"] * heads + ["tails"] * (n - heads)})


def test_a_fair_coin_and_one_of_seven_tenths_differ_by_a_fifth(comparison):
    schema = Schema((Column("coin", "category"),))
    found = column_distances(comparison(coins(500), coins(700), coins(500), schema))
    assert found.synthetic.tolist() == [0.2]
    assert found.fresh.tolist() == [0.0]


def test_missing_cells_are_compared(comparison):
    schema = Schema((Column("x", "number"),))
    real, holes = pd.DataFrame({"x": [1.0, 2.0] * 50}), pd.DataFrame({"x": [1.0, None] * 50})
    assert column_distances(comparison(real, holes, real, schema)).synthetic.tolist() == [0.5]


def test_categories_that_were_never_seen_count_in_full(comparison):
    schema = Schema((Column("coin", "category"),))
    other = pd.DataFrame({"coin": ["edge"] * 1000})
    assert column_distances(comparison(coins(500), other, None, schema)).synthetic.tolist() == [1.0]


def test_equal_tables_have_no_distance(comparison, sample):
    frame = sample(400, "a")
    compared = comparison(frame, frame.sample(frac=1, random_state=1), frame)
    assert column_distances(compared).synthetic.tolist() == [0.0] * 6
    assert pair_distances(compared).synthetic.tolist() == [0.0] * 15


def test_the_distance_of_a_pair_is_that_of_its_joint_shares(comparison):
    schema = Schema((Column("a", "category"), Column("b", "category")))
    real = pd.DataFrame({"a": list("xxyy") * 25, "b": list("xxyy") * 25})
    crossed = pd.DataFrame({"a": list("xxyy") * 25, "b": list("xyxy") * 25})
    found = pair_distances(comparison(real, crossed, real, schema))
    assert found.synthetic.tolist() == [0.5]
    assert found.members.tolist() == [[0, 1]]


def test_synthetic_and_fresh_rows_are_compared_in_equal_numbers(comparison, sample):
    compared = comparison(sample(200, "a"), sample(3000, "b"), sample(400, "c"))
    found = column_distances(compared)
    assert compared.n_equal == 200
    # Both are samples of 200 of one population against 400: the same noise, here within a half.
    assert found.synthetic.mean() == pytest.approx(found.fresh.mean(), rel=0.5)


def test_of_many_pairs_some_are_drawn(comparison, sample, monkeypatch):
    monkeypatch.setattr(cells, "MOST_PAIRS", 4)
    found = pair_distances(comparison(sample(100, "a"), sample(100, "b"), sample(100, "c")))
    assert (len(found.members), found.n_all) == (4, 15)
    assert len(np.unique(found.members, axis=0)) == 4

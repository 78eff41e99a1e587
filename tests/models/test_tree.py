"""Trees keep dependence, grids and shares, and let no single row show."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.encoding import Block, EncodedTable, Layout
from tabsynth.errors import ConfigError
from tabsynth.models.tree import Tree, TreeParameters
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.testing import check_encoded, check_model

N = 2_000
QUICK = {"rounds": 10}


def fitted(table, **values):
    return Tree(TreeParameters(**{**QUICK, **values})).fit(ExactTrainingData(table), Streams(5))


def numbers(*columns, missing=False):
    """Return a table of ranks, one column each; NaN is the code of missing cells."""
    blocks, codes = [], []
    for place, column in enumerate(columns):
        flags = (True, False) if missing else (True,)
        blocks.append(Block(f"x{place}", len(flags), flags, missing=1 if missing else None))
        codes.append(np.isnan(column))
    offsets = np.nan_to_num(np.stack(columns, axis=1)).astype(np.float32)
    return EncodedTable(np.stack(codes, axis=1).astype(np.int32), offsets, Layout(tuple(blocks)))


@pytest.fixture(scope="module")
def rng():
    return np.random.Generator(np.random.PCG64(3))


@pytest.fixture(scope="module")
def made(dependent):
    return fitted(dependent, leaf=10).sample(20_000, Streams(6))


@pytest.mark.parametrize("block", range(4))
def test_shares_of_codes_come_back(dependent, made, block):
    real, ours = (np.bincount(t.codes[:, block]) / len(t) for t in (dependent, made))
    assert np.abs(real - ours).max() < 0.02
    assert (np.abs(ours / real - 1) < 0.3).all()


def test_a_block_that_copies_another_still_does(made):
    # 0.9 in the data; 0.48 if the blocks were independent.
    assert (made.codes[:, 0] == made.codes[:, 1]).mean() == pytest.approx(0.9, abs=0.02)


def test_a_rare_category_keeps_what_goes_with_it(made):
    rare = made.codes[:, 0] == 2
    # 0.9 in the data, of 40 rows; 0.06 if the blocks were independent.
    assert (made.codes[rare, 1] == 2).mean() > 0.5


def test_independent_blocks_stay_independent(made):
    first, second = made.codes[:, 0] == 0, made.codes[:, 3] == 1
    assert (first & second).mean() == pytest.approx(first.mean() * second.mean(), abs=0.005)


def test_offsets_follow_the_distribution_of_their_code(made):
    peak = made.offsets[made.codes[:, 2] == 0, 0]
    even = made.offsets[made.codes[:, 2] == 1, 0]
    assert peak.mean() == pytest.approx(0.5, abs=0.02)
    assert peak.std() == pytest.approx(0.1, abs=0.02)
    assert even.std() == pytest.approx(3**-0.5, abs=0.04)
    assert (made.offsets[made.codes[:, 2] == 2] == 0).all()


def test_a_dependence_without_exceptions_has_none_afterwards(rng):
    layout = Layout((Block("town", 40), Block("region", 5)))
    town = rng.permutation(np.arange(N) % 40)
    region = rng.permutation(40) % 5
    table = EncodedTable(
        np.stack([town, region[town]], axis=1).astype(np.int32),
        np.zeros((N, 0), np.float32),
        layout,
    )
    made = fitted(table, target="region").sample(N, Streams(1))
    assert (region[made.codes[:, 0]] == made.codes[:, 1]).mean() > 0.99
    assert len(np.unique(made.codes[:, 0])) == 40


def test_a_number_that_follows_another_smoothly_still_does(rng):
    x = rng.uniform(-1, 1, N)
    y = np.clip(np.abs(x) * 2 - 1 + rng.normal(0, 0.1, N), -1, 1)
    made = fitted(numbers(x, y)).sample(N, Streams(1)).offsets
    left = made[:, 1] - (np.abs(made[:, 0]) * 2 - 1)
    # The noise has a deviation of 0.1; independent columns would leave 0.82.
    assert 0.05 < left.std() < 0.2


def test_values_that_many_rows_share_come_out_as_they_are(rng):
    grid = np.linspace(-1, 1, 60).astype(np.float32)
    x = grid[rng.integers(0, 60, N)]
    made = fitted(numbers(x, rng.uniform(-1, 1, N))).sample(N, Streams(1))
    assert np.isin(made.offsets[:, 0], grid).all()
    assert len(np.unique(made.offsets[:, 0])) == 60


def test_values_that_few_rows_share_never_come_out_more_often_than_others(rng):
    # Lattice places: half of them have a row, and the other half are as likely to come out.
    places = np.linspace(-1, 1, 2 * N)
    held = rng.permutation(2 * N) < N
    x = places[held]
    made = fitted(numbers(rng.permutation(x), rng.uniform(-1, 1, N))).sample(4 * N, Streams(1))
    nearest = np.rint((made.offsets[:, 0].astype(np.float64) + 1) / 2 * (2 * N - 1)).astype(int)
    # 8,000 draws between two kinds alike have a deviation of 0.006. Cells of 20 rows fit themselves
    # to where their rows are, by one in 40.
    assert held[nearest].mean() == pytest.approx(0.5, abs=0.035)
    exact = np.isin(made.offsets[:, 0], x.astype(np.float32)).mean()
    assert exact < 0.002


def test_no_letter_stands_for_fewer_rows_than_the_floor(rng):
    skewed = np.round(np.tanh(rng.exponential(1.0, N)), 2)
    model = fitted(numbers(skewed, rng.uniform(-1, 1, N)), floor=7)
    for index, column in enumerate((skewed, None)):
        alphabet = model._alphabets[index]
        share = np.diff(alphabet.bounds)
        assert (np.rint(share * N) >= 7).all()
        if column is not None:
            values, counts = np.unique(column.astype(np.float32), return_counts=True)
            single = alphabet.low == alphabet.high
            assert set(alphabet.low[single]) >= set(values[counts >= 7])


def test_leaves_hold_as_many_rows_as_asked_for(rng):
    x = rng.uniform(-1, 1, N)
    model = fitted(numbers(x, np.sin(9 * x), np.cos(9 * x)), leaf=37, penalty=0.0, trees=2)
    for bag in model._bags.values():
        assert np.diff(bag.starts).min() >= 37


def test_columns_of_noise_are_hardly_split(rng):
    table = numbers(*rng.uniform(-1, 1, (5, N)))

    def splits(penalty):
        model = fitted(table, leaf=20, trees=2, penalty=penalty, rounds=0)
        return sum(int((bag.feature >= 0).sum()) for bag in model._bags.values())

    assert splits(8.0) < 0.15 * splits(0.0)
    assert splits(25.0) == 0


def test_missing_cells_depend_on_other_columns_as_before(rng):
    x = rng.uniform(-1, 1, N)
    y = np.where((x > 0) & (rng.random(N) < 0.6), np.nan, rng.uniform(-1, 1, N))
    made = fitted(numbers(x, y, missing=True)).sample(N, Streams(1))
    high = made.offsets[:, 0] > 0
    assert (made.codes[high, 1] == 1).mean() == pytest.approx(0.6, abs=0.06)
    assert (made.codes[~high, 1] == 1).mean() < 0.03
    assert (made.offsets[made.codes[:, 1] == 1, 1] == 0).all()


def test_targets_are_learnt_first(dependent):
    assert fitted(dependent, target="label")._order == [3, 0, 1, 2]
    assert fitted(dependent, target=("size", "label", "no such column"))._order == [2, 3, 0, 1]


def test_two_thousand_categories_keep_their_shares_and_their_groups(rng):
    n = 20_000
    code = np.minimum(rng.zipf(1.3, n) - 1, 1_999)
    group = (code * 7919 % 3).astype(np.int32)
    layout = Layout((Block("group", 3), Block("place", 2_000)))
    table = EncodedTable(
        np.stack([group, code], axis=1).astype(np.int32), np.zeros((n, 0), np.float32), layout
    )
    made = fitted(table, trees=2).sample(n, Streams(1))
    assert (made.codes[:, 1] * 7919 % 3 == made.codes[:, 0]).mean() > 0.95
    real, ours = (np.bincount(t.codes[:, 1], minlength=2_000) / n for t in (table, made))
    assert np.abs(real - ours).sum() / 2 < 0.15


def test_wide_tables_ask_about_the_columns_that_tell_most(rng):
    noise = rng.uniform(-1, 1, (30, 1_000))
    table = numbers(*noise, noise[4])
    model = fitted(table, predictors=3, trees=1, rounds=0)
    assert max(len(bag.predictors) for bag in model._bags.values()) == 3
    assert 4 in model._bags[30].predictors


def test_the_critic_mends_what_trees_that_may_not_split_have_lost(rng):
    x = rng.uniform(-1, 1, N)
    table = numbers(x, x)

    def apart(**values):
        made = fitted(table, leaf=N, trees=1, **values).sample(N, Streams(1)).offsets
        return np.abs(made[:, 0] - made[:, 1]).mean()

    # Independent columns are 0.67 apart on average; the best of 32 such rows about 0.02.
    assert apart(rounds=0) == pytest.approx(0.67, abs=0.03)
    assert apart(rounds=60, candidates=32) < 0.2


def test_neither_rows_nor_values_of_single_rows_are_kept(rng):
    x = np.sort(rng.uniform(-1, 1, N).astype(np.float32))
    # Between two values next to each other as floats there is no third for a cell to end at.
    x = x[np.append(np.diff(x) > 1e-6, True)]
    tensors = fitted(numbers(x, np.clip(x + rng.normal(0, 0.1, len(x)), -1, 1))).state().tensors
    letters = np.concatenate([v for k, v in tensors.items() if k.startswith("0.letters")])
    # The ends of the whole column are among them, the rest is not.
    assert np.isin(x, letters.astype(np.float32)).sum() <= 2


def test_odd_tables_are_learnt(odd_table):
    made = fitted(odd_table).sample(50, Streams(1))
    check_encoded(made)
    assert len(made) == 50


def test_columns_that_are_missing_throughout_are_kept(rng):
    layout = Layout((Block("gone", 1, missing=0), Block("x", 2, (True, False), missing=1)))
    table = EncodedTable.empty(60, layout)
    table.codes[:, 1] = 1
    made = fitted(table).sample(40, Streams(1))
    check_encoded(made)
    assert (made.codes == [0, 1]).all()


def test_the_contract_holds_without_a_critic_and_with_one_tree():
    check_model(Tree, {"rounds": 0, "trees": 1})


def test_a_layout_without_blocks_gives_rows_without_columns():
    assert fitted(EncodedTable.empty(3, Layout(()))).sample(5, Streams(1)).codes.shape == (5, 0)


@pytest.mark.parametrize(
    "wrong", [{"leaf": 0}, {"share": 0.0}, {"trees": 1.5}, {"penalty": -1}, {"candidates": 1}]
)
def test_a_parameter_out_of_range_is_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TreeParameters(**wrong)

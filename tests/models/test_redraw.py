"""Targets are drawn again, told by boosted trees, and nothing else about them changes."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.encoding import Block, EncodedTable, Layout
from tabsynth.models.tree import Tree, TreeParameters
from tabsynth.models.trees.guess import FOLDS, Guess, _boosted, nodes_of, shares
from tabsynth.models.trees.oblivious import BINS, binned, cuts_of
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.testing import check_encoded, check_model

N = 3_000
NUMBERS = Layout(tuple(Block(name, 1, (True,)) for name in "abc"))


@pytest.fixture
def rng():
    return np.random.Generator(np.random.PCG64(4))


def columns_of(rng, n=N):
    return rng.uniform(-1, 1, (3, n)).astype(np.float32)


def table_of(columns, target, block):
    """Return a table of numbers, and a target that has codes alone."""
    layout = Layout((*NUMBERS.blocks[: len(columns)], block))
    codes = np.zeros((len(target), len(layout)), dtype=np.int32)
    codes[:, -1] = target
    return EncodedTable(codes, columns.T.copy(), layout)


def numbers(offsets):
    """Return a table of numbers alone."""
    codes = np.zeros(offsets.shape, dtype=np.int32)
    return EncodedTable(
        codes, offsets.astype(np.float32), Layout(NUMBERS.blocks[: offsets.shape[1]])
    )


def fitted(table, **values):
    own = TreeParameters(**{"rounds": 0, "leaf": 20, **values})
    return Tree(own).fit(ExactTrainingData(table), Streams(5))


@pytest.mark.parametrize("n_classes", [0, 2, 4])
def test_what_is_read_off_boosted_trees_predicts_as_they_do(rng, n_classes):
    inputs = columns_of(rng).T
    wanted = inputs[:, 0] * inputs[:, 1]
    if n_classes:
        wanted = np.digitize(wanted, np.quantile(wanted, np.arange(1, n_classes) / n_classes))
    trees = _boosted(inputs, wanted, n_classes > 0, 20, 20, 0)
    nodes, base = nodes_of(trees)
    raw = np.tile(base, (N, 1))
    for place, tree in enumerate(nodes):
        one = Guess(
            roots=np.array([0]),
            feature=np.where(tree["is_leaf"], -1, tree["feature_idx"]),
            threshold=tree["num_threshold"],
            left=tree["left"],
            right=tree["right"],
            predictors=np.arange(3),
            scores=np.zeros((FOLDS, 0)),
            base=np.zeros((FOLDS, 0)),
            ends=np.zeros(FOLDS),
            value=tree["value"],
        )
        raw[:, place % len(base)] += one.added(0, inputs)
    if not n_classes:
        np.testing.assert_allclose(raw[:, 0], trees.predict(inputs))
    else:
        np.testing.assert_allclose(shares(raw), trees.predict_proba(inputs), atol=1e-9)


def test_guesses_of_rows_learnt_from_are_no_better_than_of_new_ones(rng):
    columns, noise = columns_of(rng), rng.normal(size=N)
    classes = rng.integers(0, 2, N)
    args = (NUMBERS, columns, np.arange(3, dtype=np.int32))
    _, guesses = Guess.fit(*args, noise[:, None], None, 200, 20, rng)
    # Noise cannot be guessed; trees that had seen these rows would correlate with it by 0.3.
    assert abs(np.corrcoef(guesses[:, 0], noise)[0, 1]) < 0.06
    guess, logits = Guess.fit(*args, classes[:, None].astype(float), classes, 200, 20, rng)
    assert abs(np.corrcoef(logits[:, 0], classes)[0, 1]) < 0.06
    assert guess.of(NUMBERS, columns[:, :10], np.arange(10) % FOLDS).shape == (10, 1)


def test_a_target_that_hangs_on_many_columns_is_told_by_them_all(rng):
    columns = rng.uniform(-1, 1, (8, N)).astype(np.float32)
    layout = tuple(Block(f"x{place}", 1, (True,)) for place in range(8))
    slope = columns.sum(axis=0)
    target = (slope + rng.normal(0, 0.3, N) > 0).astype(np.int32)
    codes = np.zeros((N, 9), dtype=np.int32)
    codes[:, -1] = target
    table = EncodedTable(codes, columns.T.copy(), Layout((*layout, Block("y", 2))))

    def told(**values):
        made = fitted(table, target="y", penalty=30.0, **values).sample(N, Streams(1))
        return np.corrcoef(made.offsets.sum(axis=1), made.codes[:, -1])[0, 1]

    real = np.corrcoef(slope, target)[0, 1]
    assert told() > told(guesses=0) + 0.05
    assert told() > real - 0.15


def test_a_number_is_drawn_from_what_rows_guessed_alike_hold(rng):
    a, b = rng.uniform(-1, 1, (2, N))
    # Half of the rows share one value.
    y = np.where(rng.random(N) < 0.5, 0.25, np.clip(0.8 * b + 0.1 * rng.normal(size=N), -1, 1))
    table = numbers(np.stack([a, b, y], axis=1))
    made = fitted(table, target="c").sample(N, Streams(1)).offsets
    assert np.mean(made[:, 2] == np.float32(0.25)) == pytest.approx(0.5, abs=0.03)
    free = made[:, 2] != np.float32(0.25)
    assert np.corrcoef(made[free, 1], made[free, 2])[0, 1] > 0.9


def test_a_number_of_few_values_is_drawn_from_how_likely_each_is(rng):
    a, b = rng.uniform(-1, 1, (2, N))
    # The value in the middle stands apart from both others, which a mean cannot tell.
    y = np.select([a * b > 0.3, a * b < -0.3], [0.0, 0.0], np.where(a > 0, -1.0, 1.0))
    y[:3] = 0.5
    table = numbers(np.stack([a, b, y], axis=1))
    model = fitted(table, target="c")
    assert len(model._redraws[0].classes) == 3
    made = model.sample(N, Streams(1)).offsets
    assert set(np.unique(made[:, 2])) <= {-1.0, 0.0, 0.5, 1.0}
    apart = np.abs(made[:, 0] * made[:, 1]) > 0.35
    assert np.mean(made[apart, 2] == 0) > 0.85
    near = np.abs(made[:, 0] * made[:, 1]) < 0.2
    assert np.mean((made[near, 2] < 0) == (made[near, 0] > 0)) > 0.9


def test_rare_classes_and_missing_cells_keep_their_shares_and_their_rows(rng):
    columns = columns_of(rng)[:2]
    target = (columns[0] > 0).astype(np.int32)
    target[:10] = 2
    model = fitted(table_of(columns, target, Block("y", 3)), target="y")
    assert model._redraws[0].classes.tolist() == [0, 1]
    made = model.sample(20_000, Streams(1))
    assert np.mean(made.codes[:, -1] == 2) == pytest.approx(10 / N, abs=0.002)
    layout = Layout((NUMBERS[0], Block("y", 2, (True, False), missing=1)))
    gone = columns[0] > 0.5
    offsets = np.where([np.zeros(N), gone], 0, columns).T.astype(np.float32)
    codes = np.stack([np.zeros(N), gone], axis=1).astype(np.int32)
    made = fitted(EncodedTable(codes, offsets, layout), target="y").sample(N, Streams(1))
    check_encoded(made)
    missing = made.codes[:, 1] == 1
    assert missing.mean() == pytest.approx(gone.mean(), abs=0.03)
    assert (made.offsets[missing, 0] > 0.4).mean() > 0.95


def test_targets_that_cannot_be_redrawn_stay_as_they_were(rng):
    columns = columns_of(rng)[:2]
    alone = fitted(table_of(columns, np.zeros(N), Block("y", 2)), target="y")
    many = fitted(table_of(columns, rng.integers(0, 50, N), Block("y", 50)), target="y")
    by_itself = fitted(numbers(rng.uniform(-1, 1, (N, 1))), target="a")
    for model in (alone, many, by_itself):
        assert model._redraws == []
        check_encoded(model.sample(50, Streams(1)))


@pytest.mark.parametrize("target", ["category", "modes", "rank"])
def test_the_contract_holds_with_a_target(target):
    check_model(Tree, {"rounds": 5, "target": target})


@pytest.mark.parametrize(
    "values",
    [
        np.repeat(np.arange(100), 1 + np.arange(100) % 7),
        np.concatenate([np.arange(500), np.repeat(np.arange(0, 500, 10), 40)]),
        np.repeat(np.arange(70), 50),
        np.where(np.arange(9_000) % 10 > 0, 0, np.arange(9_000)),
        np.round(np.geomspace(1, 300, 10_000)),
    ],
)
def test_bins_are_filled_evenly_and_frequent_values_have_their_own(values):
    values = values.astype(np.float32)
    cuts = cuts_of(values)
    assert len(cuts) == BINS - 1
    bins = binned(cuts[None], values[None])[0]
    # Bins follow the order of the values, and equal values share one.
    order = np.argsort(values, kind="stable")
    assert (np.diff(bins[order].astype(int)) >= 0).all()
    assert BINS // 2 <= len(np.unique(bins)) <= BINS
    levels, counts = np.unique(values, return_counts=True)
    top = levels[counts.argmax()]
    if counts.max() > len(values) / 10:
        assert (values[bins == bins[values == top][0]] == top).all()
    in_bins = np.bincount(bins)
    assert in_bins.max() <= max(counts.max(), 4 * len(values) / BINS)

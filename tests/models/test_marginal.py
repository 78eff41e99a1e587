"""Counts of a few columns at a time give the distribution that agrees with them, and no more."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from tabsynth.encoding import Block, EncodedTable, Given, Layout
from tabsynth.errors import PrivacyError
from tabsynth.models._completion import Effort
from tabsynth.models.marginal import (
    FEW_PATTERNS,
    Marginal,
    MarginalParameters,
    _coarsened,
    _grouped,
)
from tabsynth.models.marginals.evidence import completed
from tabsynth.models.marginals.graph import Graph, Measurement, fitted
from tabsynth.models.marginals.junction import junction_tree
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.counting import Counts, Tally, counted, with_parent
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.training import ExactTrainingData, PrivateTrainingData
from tabsynth.random import Streams
from tabsynth.testing import check_encoded, toy_table

SIZES = (2, 3, 2, 4, 2, 3)
SETS = [
    [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)],
    [(0, 1), (1, 2), (2, 3), (0, 3), (4, 5)],
    [(0, 1, 2), (2, 3, 4), (5,)],
    [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4, 5), (0, 5)],
]


def rng_of(seed):
    return np.random.Generator(np.random.PCG64(seed))


def random_graph(sets, seed):
    rng = rng_of(seed)
    keys = [*((v,) for v in range(len(SIZES))), *sets]
    return Graph(SIZES, {key: rng.normal(0, 1.5, [SIZES[v] for v in key]) for key in set(keys)})


def whole(graph):
    """The joint distribution, by brute force."""
    logs = np.zeros(graph.sizes)
    for key, factor in graph.factors.items():
        shape = [graph.sizes[v] if v in key else 1 for v in range(len(graph.sizes))]
        logs = logs + factor.reshape(shape)
    return np.exp(logs) / np.exp(logs).sum()


def onto(joint, variables):
    return joint.sum(axis=tuple(v for v in range(joint.ndim) if v not in variables))


def shares(values, variables, sizes):
    cells = np.ravel_multi_index(
        tuple(values[:, v] for v in variables), [sizes[v] for v in variables]
    )
    n = math.prod(sizes[v] for v in variables)
    return np.bincount(cells, minlength=n).reshape([sizes[v] for v in variables]) / len(values)


def tree_table(n, seed=0):
    """Rows of a known chain 0 - 1 - 2 - 3, with a column that depends on nothing."""
    rng = rng_of(seed)
    layout = Layout(tuple(Block(name, 4) for name in "abcde"))
    table = EncodedTable.empty(n, layout)
    table.codes[:, 0] = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    for block in (1, 2, 3):
        keep = rng.random(n) < 0.7
        table.codes[:, block] = np.where(keep, table.codes[:, block - 1], rng.integers(0, 4, n))
    table.codes[:, 4] = rng.choice(4, n, p=[0.7, 0.1, 0.1, 0.1])
    return table


def private(table, epsilon, seed=1, delta=1e-5):
    """A table behind the door, with single counts that were bought before; and what is left."""
    ledger, noise = Ledger(PrivacyBudget(epsilon, delta)), Noise(debug_insecure_seed=seed)
    door = PrivateTrainingData(table, max(1, len(table)), [], ledger, noise)
    sets = [with_parent(table.layout, block) for block in range(len(table.layout))]
    known = door.measure(sets, 0.2 * ledger.left())
    data = PrivateTrainingData(table, max(1, len(table)), known, ledger, noise)
    return data, data.rho


@pytest.mark.parametrize("seed", range(40))
def test_cliques_of_a_junction_tree_hold_every_set_and_share_what_runs_between_them(seed):
    rng = rng_of(seed)
    n = int(rng.integers(1, 12))
    sizes = rng.integers(1, 6, n).tolist()
    sets = [
        tuple(sorted(rng.choice(n, int(rng.integers(1, min(n, 4) + 1)), replace=False).tolist()))
        for _ in range(int(rng.integers(0, 14)))
    ]
    tree = junction_tree(sets, sizes)
    assert all(tree.home(some) is not None for some in [*sets, *((v,) for v in range(n))])
    for place, (clique, parent, separator) in enumerate(
        zip(tree.cliques, tree.parents, tree.separators, strict=True)
    ):
        before = {v for other in tree.cliques[:place] for v in other}
        assert set(separator) == set(clique) & before
        assert parent < place
        assert not place or set(separator) <= set(tree.cliques[parent])


@pytest.mark.parametrize("seed", range(25))
def test_the_cells_foreseen_for_another_set_are_as_many_as_a_tree_with_it_has(seed):
    rng = rng_of(100 + seed)
    sizes = rng.integers(2, 6, 9).tolist()
    sets = [tuple(sorted(rng.choice(9, 2, replace=False).tolist())) for _ in range(9)]
    tree = junction_tree(sets, sizes)

    def cells(of):
        return sum(math.prod(sizes[v] for v in clique) for clique in of.cliques)

    for some in itertools.combinations(range(9), 2):
        # Carrying a variable along the tree is one way of triangulating; others may be better or,
        # since the order of elimination is greedy, worse.
        assert cells(junction_tree([*sets, some], sizes)) <= 2.5 * tree.cells_with(some, sizes)
        path = tree.path(tree.home(some[:1]), tree.home(some[1:]))
        assert all(
            tree.parents[a] == b or tree.parents[b] == a for a, b in itertools.pairwise(path)
        )
        assert (tree.cells_with(some, sizes) <= cells(tree)) == (tree.home(some) is not None)


@pytest.mark.parametrize("sets", SETS)
def test_sums_over_a_junction_tree_are_those_over_the_whole_distribution(sets):
    graph = random_graph(sets, 1)
    joint = whole(graph)
    for some in (s for k in (1, 2, 3) for s in itertools.combinations(range(6), k)):
        if graph.tree.home(some) is not None:
            np.testing.assert_allclose(graph.marginal(some), onto(joint, some), atol=1e-12)


@pytest.mark.parametrize("sets", SETS)
def test_pairs_that_no_clique_holds_are_summed_exactly_too(sets):
    graph = random_graph(sets, 2)
    joint = whole(graph)
    pairs = list(itertools.combinations(range(6), 2))
    for pair, found in zip(pairs, graph.marginals(pairs), strict=True):
        np.testing.assert_allclose(found, onto(joint, pair), atol=1e-12)
    # Triples are exact where a clique holds two of them.
    homes = list(itertools.combinations(range(6), 3))
    homes = [
        t for t in homes if any(graph.tree.home(p) is not None for p in pairs if set(p) < set(t))
    ]
    for triple, found in zip(homes, graph.marginals(homes), strict=True):
        np.testing.assert_allclose(found, onto(joint, triple), atol=1e-12)


@pytest.mark.parametrize("sets", SETS)
def test_cliques_agree_on_what_they_share(sets):
    graph = random_graph(sets, 3)
    beliefs, tree = graph.beliefs(), graph.tree
    for place, (parent, separator) in enumerate(zip(tree.parents, tree.separators, strict=True)):
        if parent < 0 or not separator:
            continue
        sums = [
            beliefs[at].sum(
                axis=tuple(a for a, v in enumerate(tree.cliques[at]) if v not in separator)
            )
            for at in (place, parent)
        ]
        np.testing.assert_allclose(*sums, atol=1e-12)


@pytest.mark.parametrize("evidence", [{0: 1}, {1: 2, 4: 0}, {0: 0, 3: 3, 5: 1}])
@pytest.mark.parametrize("sets", SETS)
def test_rows_with_something_given_follow_the_conditional_distribution(sets, evidence):
    graph = random_graph(sets, 4)
    joint = whole(graph)
    index = tuple(slice(None) if v not in evidence else evidence[v] for v in range(6))
    expected, n = joint[index] / joint[index].sum(), 20_000
    rows = graph.sample(n, rng_of(5), evidence)
    assert all((rows[:, v] == value).all() for v, value in evidence.items())
    free = [v for v in range(6) if v not in evidence]
    found = shares(rows, free, SIZES)
    # Five standard deviations of the share of a cell, of a few dozens.
    assert (np.abs(found - expected) < 5 * np.sqrt(expected / n) + 1e-3).all()


@pytest.mark.parametrize("most", [1, 300, 1 << 20])
@pytest.mark.parametrize("sets", SETS)
def test_many_sets_of_given_values_are_followed_together_as_each_by_itself(sets, most):
    graph, rng = random_graph(sets, 4), rng_of(5)
    joint = whole(graph)
    asked = [{}, {0: 1}, {1: 2, 4: 0}, {1: 0, 4: 0}, {0: 0, 3: 3, 5: 1}, dict.fromkeys(range(6), 0)]
    n = 6_000
    which = rng.permutation(np.arange(n * len(asked)) % len(asked))
    wanted = np.full((len(which), 6), -1)
    for number, evidence in enumerate(asked):
        for v, value in evidence.items():
            wanted[which == number, v] = value
    before = wanted.copy()
    rows = completed(graph, wanted, rng, most)
    assert (wanted == before).all()
    assert ((rows == wanted) | (wanted < 0)).all()
    for number, evidence in enumerate(asked):
        index = tuple(slice(None) if v not in evidence else evidence[v] for v in range(6))
        expected = joint[index] / joint[index].sum()
        free = [v for v in range(6) if v not in evidence]
        if not free:
            continue
        found = shares(rows[which == number], free, SIZES)
        # As above.
        assert (np.abs(found - expected) < 5 * np.sqrt(expected / n) + 1e-3).all()


def test_codes_that_have_no_chance_are_neither_drawn_nor_lost_in_rounding():
    factors = {(0,): np.array([0.0, -800.0]), (0, 1): np.array([[0.0, -900.0], [-900.0, 0.0]])}
    graph = Graph((2, 2), factors)
    assert np.isfinite(graph.marginal((0, 1))).all()
    assert (graph.sample(1000, rng_of(0)) == 0).all()
    assert (graph.sample(1000, rng_of(0), {0: 1}) == 1).all()
    assert completed(graph, np.array([[1, -1], [-1, 1], [-1, -1]]), rng_of(0)).tolist() == [
        [1, 1],
        [1, 1],
        [0, 0],
    ]


def test_exact_counts_that_overlap_are_all_met():
    joint = rng_of(6).dirichlet(np.ones(24)).reshape(2, 3, 4)
    sets = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2)]
    graph = fitted(
        (2, 3, 4), [Measurement(s, 5000 * onto(joint, s), 0.0) for s in sets], 5000, 3000
    )
    for some in sets:
        np.testing.assert_allclose(graph.marginal(some), onto(joint, some), atol=2e-3)


@pytest.mark.parametrize("method", ["tree", "adaptive"])
def test_pairs_of_a_table_that_hangs_together_as_a_tree_come_back(method):
    table = tree_table(4000)
    model = Marginal(MarginalParameters(method=method)).fit(ExactTrainingData(table), Streams(1))
    made = model.sample(40_000, Streams(2))
    for pair in itertools.combinations(range(5), 2):
        real, ours = (shares(t.codes, pair, [4] * 5) for t in (table, made))
        # Noise of 40,000 draws, and what pairs of 4,000 rows hang together by chance.
        assert 0.5 * np.abs(real - ours).sum() < 0.04, pair


@pytest.mark.parametrize("targets", [(), ("a",), ("b", "c")])
@pytest.mark.parametrize("method", ["tree", "adaptive"])
@pytest.mark.parametrize("epsilon", [0.01, 1.0, 100.0])
def test_the_budget_is_used_up_and_never_overdrawn(method, targets, epsilon):
    data, before = private(tree_table(1500), epsilon)
    model = Marginal(MarginalParameters(method=method, target=targets)).fit(data, Streams(1))
    assert 0 <= data.rho <= 0.01 * before
    check_encoded(model.sample(200, Streams(1)))
    assert all(np.isfinite(t).all() for t in model.state().tensors.values())


def test_the_budget_is_used_up_where_no_set_has_few_enough_cells():
    layout = Layout((Block("a", 60), Block("b", 60)))
    table = EncodedTable.empty(3000, layout)
    table.codes[:] = rng_of(1).integers(0, 60, (3000, 2))
    data, before = private(table, 1.0)
    Marginal(MarginalParameters(cells=100, rare=0.0)).fit(data, Streams(1))
    assert 0 <= data.rho <= 0.01 * before


class Recorder:
    """A door that tells what was asked of it, and refuses rows."""

    private = True

    def __init__(self, inner):
        self.inner, self.layout, self.n_rows = inner, inner.layout, inner.n_rows
        self.asked, self.paid = [], 0.0

    @property
    def rho(self):
        return self.inner.rho

    def table(self):
        raise AssertionError("the model opens the rows")

    codes = table

    def known(self):
        return self.inner.known()

    def measure(self, sets, rho=math.inf, groups=None):
        assert 0 < rho <= self.rho
        self.paid += rho
        self.asked += [tuple(s) for s in sets]
        return self.inner.measure(sets, rho, groups)

    def choose(self, estimates, rho=math.inf, **more):
        assert 0 < rho <= self.rho
        self.paid += rho
        return self.inner.choose(estimates, rho, **more)


@pytest.mark.parametrize("method", ["tree", "adaptive"])
def test_noisy_counts_and_choices_are_all_that_is_asked_for(method):
    inner, before = private(tree_table(1000), 1.0)
    door = Recorder(inner)
    Marginal(MarginalParameters(method=method, target="a")).fit(door, Streams(1))
    assert door.asked
    assert 0.97 * before <= door.paid <= before


def test_answers_alone_decide_what_is_learnt():
    """Two tables behind doors that answer the same give the same model."""

    class Silent(Recorder):
        def measure(self, sets, rho=math.inf, groups=None):
            found = super().measure(sets, rho, groups)
            return [Counts(c.blocks, np.full(c.values.shape, 9.0), c.sigma) for c in found]

        def choose(self, estimates, rho=math.inf, **more):
            super().choose(estimates, rho, **more)
            return 0

        def known(self):
            return [Counts(c.blocks, np.full(c.values.shape, 250.0), 3.0) for c in super().known()]

    made = []
    for seed in (0, 1):
        door = Silent(private(tree_table(1000, seed), 1.0)[0])
        made.append(Marginal().fit(door, Streams(1)).sample(300, Streams(2)).codes)
    assert np.array_equal(*made)


@pytest.mark.parametrize("method", ["tree", "adaptive"])
def test_weak_budgets_give_rows_without_a_flaw(method):
    data, _ = private(toy_table(150), 0.01)
    model = Marginal(MarginalParameters(method=method)).fit(data, Streams(1))
    check_encoded(model.sample(500, Streams(1)))


def odd_tables():
    one = toy_table(1)
    constant = EncodedTable.empty(50, Layout((Block("a", 1), Block("b", 1))))
    gaps = EncodedTable.empty(40, Layout((Block("a", 4, ordinal=True, missing=3), Block("b", 2))))
    gaps.codes[:, 0] = 3
    long = EncodedTable.empty(6000, Layout((Block("a", 5000), Block("b", 3))))
    long.codes[:, 0] = rng_of(0).permutation(6000) % 5000
    single = EncodedTable.empty(30, Layout((Block("a", 3),)))
    return {
        "one row": one,
        "no rows": one.take(np.zeros(0, dtype=np.int64)),
        "constant columns": constant,
        "all missing": gaps,
        "a category of 5,000 values": long,
        "one column": single,
    }


@pytest.mark.parametrize("name", odd_tables())
@pytest.mark.parametrize("epsilon", [None, 0.5])
def test_odd_tables_are_learnt_and_made(name, epsilon):
    table = odd_tables()[name]
    for target in ((), "a"):
        data, before = (ExactTrainingData(table), 0.0)
        if epsilon is not None:
            data, before = private(table, epsilon)
        model = Marginal(MarginalParameters(target=target)).fit(data, Streams(1))
        made = model.sample(100, Streams(1))
        check_encoded(made)
        if epsilon is None and name == "all missing":
            assert (made.codes[:, 0] == 3).mean() > 0.95
        if epsilon is not None:
            assert 0 <= data.rho <= 0.01 * before


def test_rare_codes_share_a_count_and_absent_ones_are_never_drawn():
    group, absent = _grouped(np.array([900.0, 4.0, 5.0, 6.0, 400.0]), 2.0, 4.0, None, True)
    assert group.tolist() == [0, 1, 1, 1, 2]
    assert not absent.any()
    group, absent = _grouped(np.array([900.0, 1.0, -3.0, 2.0, 400.0]), 2.0, 4.0, None, True)
    assert absent.tolist() == [False, True, True, True, False]
    assert group[1] == group[2] == group[3] == group[0]


def test_rare_codes_in_an_order_join_their_neighbours_and_missing_stays_alone():
    counts = np.array([50.0, 1.0, 2.0, 90.0, 1.0, 40.0])
    group, absent = _grouped(counts, 2.0, 3.0, 5, False)
    assert group.tolist() == [0, 1, 1, 1, 1, 2]
    assert not absent.any()
    group, absent = _grouped(np.array([50.0, 1.0, 2.0, 90.0, 1.0, -2.0]), 2.0, 3.0, 5, False)
    assert absent.tolist() == [False] * 5 + [True]


def test_a_target_of_many_codes_is_coarsened_into_groups_of_equally_many_rows():
    counts = np.full(40, 10.0)
    group = _coarsened(np.arange(40), counts, 8, False)
    assert np.bincount(group).tolist() == [5] * 8
    assert (np.diff(group) >= 0).all()
    nominal = _coarsened(np.arange(40), np.arange(40.0), 8, True)
    assert nominal[39] == 0
    assert np.bincount(nominal).tolist() == [1] * 7 + [33]


@pytest.fixture(scope="module")
def toy():
    table = toy_table(3000)
    return Marginal().fit(ExactTrainingData(table), Streams(1))


def test_completed_rows_are_those_that_fit_among_rows_drawn_freely(toy):
    free = toy.sample(60_000, Streams(3))
    wanted = (free.codes[:, 1] == 1) & (free.codes[:, 2] == 3)
    base = EncodedTable.empty(5000, free.layout)
    base.codes[:, 1], base.codes[:, 2], base.codes[:, 3] = 1, 3, 2
    known = np.zeros(base.codes.shape, dtype=bool)
    known[:, [1, 2, 3]] = True
    done = toy.complete(Given(base, known), Streams(4))
    check_encoded(done.table)
    assert (done.table.codes[:, [1, 2, 3]] == [1, 3, 2]).all()
    assert done.effort.way == "directly"
    real, ours = (
        np.bincount(t, minlength=3) / len(t)
        for t in (free.codes[wanted, 0], done.table.codes[:, 0])
    )
    assert np.abs(real - ours).max() < 5 * 0.5 / math.sqrt(min(5000, wanted.sum()))


def test_rare_codes_and_the_parts_of_a_number_come_back_as_they_were_given():
    layout = Layout(
        (
            Block("a", 40, ordinal=True, missing=39, refined=(*[True] * 20, *[False] * 20)),
            Block("a", 3, continuous=(True,) * 3, ordinal=True, parent=0),
            Block("b", 30),
        )
    )
    rng, table = rng_of(2), EncodedTable.empty(800, layout)
    table.codes[:, 0] = np.minimum(rng.geometric(0.1, 800) - 1, 39)
    refined = table.codes[:, 0] < 20
    table.codes[:, 1] = np.where(refined, rng.integers(0, 3, 800), 0)
    table.codes[:, 2] = np.minimum(rng.geometric(0.2, 800) - 1, 29)
    open_ = np.array(layout[1].continuous)[table.codes[:, 1]]
    table.offsets[:, 0] = np.where(open_, rng.uniform(-1, 1, 800), 0)
    data, _ = private(table, 0.5)
    model = Marginal().fit(data, Streams(1))
    check_encoded(model.sample(2000, Streams(3)))
    every = np.arange(40) % 40
    asked = EncodedTable.empty(400, layout)
    asked.codes[:, 0] = np.tile(every, 10)
    asked.codes[:, 1] = np.where(asked.codes[:, 0] < 20, np.arange(400) % 3, 0)
    asked.codes[:, 2] = np.arange(400) % 30
    asked.offsets[:, 0] = rng.uniform(-1, 1, 400)
    for blocks in ((0, 1), (2,), (0, 1, 2)):
        known = np.tile(np.isin(np.arange(3), blocks), (400, 1))
        made = model.complete(Given(asked, known), Streams(4)).table
        assert (made.codes[:, list(blocks)] == asked.codes[:, list(blocks)]).all()
        if 0 in blocks:
            assert (made.offsets == asked.offsets).all()
        else:
            check_encoded(made)


def test_any_number_of_different_sets_of_given_values_is_drawn_directly():
    rng = rng_of(3)
    layout = Layout(tuple(Block(name, 60, ordinal=True) for name in "abc"))
    table = EncodedTable.empty(6_000, layout)
    table.codes[:, 0] = rng.integers(0, 60, 6_000)
    table.codes[:, 1] = (table.codes[:, 0] + rng.integers(0, 30, 6_000)) % 60
    table.codes[:, 2] = np.where(rng.random(6_000) < 0.9, table.codes[:, 1], 0)
    model = Marginal(MarginalParameters(rare=0.0)).fit(ExactTrainingData(table), Streams(1))
    known = np.zeros(table.codes.shape, dtype=bool)
    known[:, :2] = True
    assert len(np.unique(table.codes[:, :2], axis=0)) > FEW_PATTERNS
    done = model.complete(Given(table, known), Streams(4))
    check_encoded(done.table)
    assert (done.table.codes[:, :2] == table.codes[:, :2]).all()
    assert done.effort == Effort("directly", 6_000, 6_000)
    # Nine in ten repeat the second column, and what is drawn does so as often.
    assert abs((done.table.codes[:, 2] == table.codes[:, 1]).mean() - 0.9) < 0.02


def test_a_saved_model_makes_the_same_rows():
    data, _ = private(toy_table(500), 1.0)
    model = Marginal(MarginalParameters(target="category")).fit(data, Streams(1))
    again = Marginal.from_state(model.parameters, model._layout, model.state())
    first, second = (some.sample(1000, Streams(7)) for some in (model, again))
    assert first.codes.tobytes() == second.codes.tobytes()
    assert first.offsets.tobytes() == second.offsets.tobytes()


def test_rows_are_refused_under_a_budget():
    data, _ = private(toy_table(50), 1.0)
    with pytest.raises(PrivacyError):
        data.table()


def test_a_wide_table_is_learnt_along_a_tree_in_a_few_seconds():
    rng, table = (
        rng_of(3),
        EncodedTable.empty(400, Layout(tuple(Block(f"c{i}", 5) for i in range(61)))),
    )
    table.codes[:] = rng.integers(0, 5, (400, 61))
    data, before = private(table, 1.0)
    model = Marginal().fit(data, Streams(1))
    # All columns hang together.
    assert all(model._graph.tree.separators[1:])
    assert 0 <= data.rho <= 0.01 * before


def test_counts_that_are_remembered_are_those_of_the_table():
    table = tree_table(300)
    tally = Tally(table)
    groups = {0: np.array([0, 0, 1, 1])}
    for some in (None, groups, groups, {0: np.array([0, 1, 1, 1])}, None):
        for blocks in ((0,), (0, 1), (1, 0), (0, 1)):
            assert np.array_equal(tally.counted(blocks, some), counted(table, blocks, some))

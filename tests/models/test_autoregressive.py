"""The autoregressive network: what it draws, from nothing and from any columns that are given."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from tabsynth import Synthesizer
from tabsynth.encoding import Block, EncodedTable, Given, Layout
from tabsynth.errors import ConfigError
from tabsynth.models._order import order_blocks
from tabsynth.models.autoregressive import Autoregressive, AutoregressiveParameters
from tabsynth.models.neural.holdout import hold_out
from tabsynth.models.neural.masked import MaskedNetwork, draw_factors
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.places import FEATURES, Places, describe_codes
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.unrolled import Known, Unrolled
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.testing import check_encoded, toy_table

CPU = torch.device("cpu")
SMALL = {"hidden": 12, "embedding": 4, "steps": 6}


def fit(table, seed=3, **parameters):
    model = Autoregressive(AutoregressiveParameters(**{**SMALL, **parameters}))
    return model.fit(ExactTrainingData(table), Streams(seed))


def shop(n_rows=3_000, seed=0):
    """Cities decide countries; half of the amounts are 0, the others hang on the kind."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["basic", "plus"], n_rows, p=[0.7, 0.3])
    city = rng.choice(["Oslo", "Rome", "Bari", "Lyon"], n_rows, p=[0.4, 0.3, 0.1, 0.2])
    country = np.select([city == "Oslo", city == "Lyon"], ["Norway", "France"], "Italy")
    amount = np.round(rng.gamma(4, 10, n_rows) + 60 * (kind == "plus"), 2)
    amount[rng.random(n_rows) < 0.5] = 0
    return pd.DataFrame({"amount": amount, "kind": kind, "city": city, "country": country})


@pytest.fixture(scope="module")
def shopper():
    parameters = {"steps": 700, "batch_size": 128, "hidden": 32, "embedding": 8, "shuffled": 0.4}
    return Synthesizer("autoregressive", parameters=parameters, seed=7).fit(shop())


@pytest.fixture(scope="module")
def bought(shopper):
    return shopper.sample(10_000, seed=1)


def test_a_number_keeps_its_zeros_and_hangs_on_a_category(bought):
    assert (bought["amount"] == 0).mean() == pytest.approx(0.5, abs=0.03)
    # 40 and 100 in the data; 58 for both if they were independent.
    spent = bought[bought["amount"] > 0].groupby("kind")["amount"].mean()
    assert spent["basic"] == pytest.approx(40, abs=5)
    assert spent["plus"] == pytest.approx(100, abs=8)


def test_a_column_that_another_one_decides_stays_decided(bought):
    real = shop()[["city", "country"]].drop_duplicates()
    pairs = bought.merge(real, on=["city", "country"])
    assert len(pairs) > 0.98 * len(bought)
    assert (bought["city"] == "Bari").mean() == pytest.approx(0.1, abs=0.02)


def test_any_column_can_be_given_and_tells_of_those_before_and_after_it(shopper):
    n = 2_000
    made = shopper.sample(n, given={"country": "Italy"}, seed=1)
    assert (made["country"] == "Italy").all()
    assert made["city"].isin(["Rome", "Bari"]).mean() > 0.97
    assert (made["city"] == "Rome").mean() == pytest.approx(0.75, abs=0.06)
    made = shopper.sample(n, given={"amount": 130.0}, seed=1)
    assert (made["amount"] == 130).all()
    # Bayes: so much is spent by the basic kind hardly ever.
    assert (made["kind"] == "plus").mean() > 0.85
    assert shopper.effort_.way == "directly"
    assert shopper.effort_.draws == n


def test_rows_given_in_different_columns_follow_each_their_own(shopper):
    wanted = pd.DataFrame({"kind": ["plus", None] * 1_000, "country": [None, "Norway"] * 1_000})
    made = shopper.sample(given=wanted, seed=1)
    plus, north = made[::2], made[1::2]
    assert (plus["kind"] == "plus").all()
    assert (north["country"] == "Norway").all()
    assert (north["city"] == "Oslo").mean() > 0.97
    assert (plus["city"] == "Oslo").mean() == pytest.approx(0.4, abs=0.06)
    assert (north["kind"] == "plus").mean() == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("block", range(4))
def test_shares_of_codes_come_back(dependent, block):
    made = fit(dependent, steps=60, batch_size=100).sample(20_000, Streams(1))
    real, ours = (np.bincount(t.codes[:, block]) / len(t) for t in (dependent, made))
    # A share of 0.5 has a standard deviation of 0.0035 in 20,000 rows, 0.008 in 4,096.
    assert np.abs(real - ours).max() < 0.03


def tiny_network():
    """A network with random weights, of 2 x (2 + 1 refined in 3) x 2 codes, and an order."""
    layout = Layout(
        (
            Block("a", 2),
            Block("n", 3, ordinal=True, missing=2, refined=(False, True, False)),
            Block("n", 3, ordinal=True, parent=1),
            Block("b", 2),
        )
    )
    spans = Spans(layout, CPU)
    generator = Streams(4).torch("weights")
    network = MaskedNetwork(spans, 3, 5, generator).requires_grad_(False).eval()
    for weight in network.parameters():
        weight.copy_(torch.randn(weight.shape, generator=generator) * 0.7)
    codes = [
        row
        for row in itertools.product(range(2), range(3), range(3), range(2))
        if row[1] == 1 or row[2] == 0
    ]
    return network, [int(column) for column in spans.column], np.array(codes, dtype=np.int32)


@pytest.mark.parametrize("given", [(), (3,), (1, 2), (0, 3), (1, 2, 3)], ids=str)
def test_rows_come_as_often_as_the_network_that_was_trained_says(given):
    network, order, codes = tiny_network()
    spans = network.spans
    columns = [order[number] for number in given]
    index, none = spans.index(codes), torch.zeros((1, 0))
    rank = torch.empty(len(order), dtype=torch.int64)
    rank[[*columns, *(c for c in order if c not in columns)]] = torch.arange(len(order))
    before = (rank[:, None] < rank).float()
    loss = [float(network(row[None], none, before)) for row in index]
    wanted = np.exp(-np.array(loss))
    assert wanted.sum() == pytest.approx(1, abs=1e-4)

    # Every row asks for the values of row 9 in the columns given, half of them for one fewer.
    n = 40_000
    flags = torch.zeros((n, len(order)), dtype=torch.bool)
    flags[:, columns] = True
    known = Known(index[9].repeat(n, 1), torch.zeros((n, 0)), flags)
    some = frozenset(columns)
    unrolled = Unrolled(network, order, some, some)
    made, _ = unrolled.make(n, Streams(1).torch("noise"), known)
    agree = (codes[:, list(given)] == codes[9, list(given)]).all(1)
    share = wanted * agree / (wanted * agree).sum()
    found = np.array([(spans.codes(made) == row).all(1).mean() for row in codes])
    # Five standard deviations of a share of 0.5.
    assert np.abs(found - share).max() < 5 * 0.5 / n**0.5

    if given:
        flags[::2] = False
        mixed, _ = Unrolled(network, order, some).make(n, Streams(2).torch("noise"), known)
        asked = np.array([(spans.codes(mixed[1::2]) == row).all(1).mean() for row in codes])
        assert np.abs(asked - share).max() < 5 * 0.5 / (n / 2) ** 0.5
        usual = Orders(spans, order, 0.0, torch.Generator()).usual
        free = np.exp([-float(network(row[None], none, usual)) for row in index])
        found = np.array([(spans.codes(mixed[::2]) == row).all(1).mean() for row in codes])
        assert np.abs(found - free).max() < 5 * 0.5 / (n / 2) ** 0.5


def test_a_hundred_rows_given_in_different_columns_hold_what_they_are_given():
    table = toy_table(100)
    model = fit(table)
    rng = np.random.default_rng(1)
    known = rng.random((100, 6)) < 0.5
    known[:, 3] = known[:, 2]
    assert len(np.unique(known, axis=0)) > 25
    done = model.complete(Given(table, known), Streams(1))
    check_encoded(done.table)
    assert (done.table.codes == table.codes)[known].all()
    assert (done.table.offsets == table.offsets)[known[:, table.layout.offset_blocks]].all()
    assert (done.effort.way, done.effort.draws) == ("directly", 100)


def test_an_exact_number_that_is_given_is_heard():
    """A block is certain by the half of a single bin that a number lies in."""
    layout = Layout((Block("x", 1, continuous=(True,), ordinal=True), Block("y", 2)))
    table = EncodedTable.empty(1_000, layout)
    table.offsets[:, 0] = np.random.default_rng(1).uniform(-1, 1, 1_000)
    table.codes[:, 1] = table.offsets[:, 0] > 0
    model = fit(table, steps=300, batch_size=64)
    known = np.tile([True, False], (1_000, 1))
    made = model.complete(Given(table, known), Streams(1)).table
    assert (made.codes[:, 1] == table.codes[:, 1]).mean() > 0.9


def test_a_code_that_no_row_has_can_be_given_and_says_nothing():
    table = EncodedTable.empty(300, Layout((Block("a", 6), Block("b", 3))))
    table.codes[:, 0] = np.arange(300) % 2 * 3
    table.codes[:, 1] = np.arange(300) % 3
    model = fit(table, steps=40)
    wanted = EncodedTable.empty(3_000, table.layout)
    wanted.codes[:, 0] = 5
    made = model.complete(Given(wanted, np.tile([True, False], (3_000, 1))), Streams(1)).table
    assert (made.codes[:, 0] == 5).all()
    # It begins with numbers as large as those of codes that were learnt for long.
    assert (model._network.embed[model._network.spans.positions[[1, 2, 4, 5]]] == 0).all()
    assert np.abs(np.bincount(made.codes[:, 1]) / 3_000 - 1 / 3).max() < 0.15


def odd_tables():
    number = Block("x", 3, continuous=(True, True, False), ordinal=True, missing=2)
    missing = EncodedTable.empty(40, Layout((number, Block("b", 2))))
    missing.codes[:, 0] = 2
    many = EncodedTable.empty(2_500, Layout((Block("place", 2_000), Block("b", 2))))
    many.codes[:, 0] = np.arange(2_500) % 2_000
    many.codes[:, 1] = many.codes[:, 0] % 2
    wide = EncodedTable.empty(30, Layout(tuple(Block(f"c{i}", 2 + i % 5) for i in range(300))))
    return {"all missing": missing, "2,000 categories": many, "300 columns": wide}


@pytest.mark.parametrize("name", ["all missing", "2,000 categories", "300 columns"])
def test_odd_tables_are_learnt_and_completed(name):
    table = odd_tables()[name]
    model = fit(table, hidden=64, embedding=16)
    made = model.sample(20, Streams(1))
    check_encoded(made)
    known = np.zeros((20, len(table.layout)), dtype=bool)
    known[:, 1] = True
    done = model.complete(Given(table.take(np.arange(20)), known), Streams(1)).table
    assert (done.codes[:, 1] == table.codes[:20, 1]).all()
    if name == "all missing":
        assert (made.codes[:, 0] == 2).all()
    # A first layer for 300 columns of 16 and 64 numbers would have 92 million weights.
    assert sum(value.size for value in model.state().tensors.values()) < 6_000_000


def test_targets_are_drawn_first_and_fine_blocks_follow_coarse_ones():
    layout = toy_table(1).layout
    assert order_blocks(layout, []) == [0, 1, 2, 3, 4, 5]
    assert order_blocks(layout, ["rank", "bins", "absent"]) == [5, 2, 3, 0, 1, 4]
    model = fit(toy_table(60), target="bins")
    order = model._order(model._network.spans)
    assert [int(model._network.spans.order[column]) for column in order] == [2, 3, 0, 1, 4, 5]
    again = type(model).from_state(model.parameters, layout, model.state())
    one, two = model.sample(50, Streams(1)), again.sample(50, Streams(1))
    assert np.array_equal(one.codes, two.codes)


def test_given_columns_come_first_and_the_others_in_the_order_of_drawing():
    spans = Spans(toy_table(1).layout, CPU)
    order = [int(spans.column[number]) for number in (2, 3, 0, 1, 4, 5)]
    owner = np.array([spans.layout[int(number)].owner for number in spans.order])
    orders = Orders(spans, order, 0.6, Streams(1).torch("orders"))
    sizes = np.zeros(6)
    for _ in range(600):
        rank = orders.draw().sum(0).long().numpy()
        drawn = np.argsort(rank)
        assert sorted(rank) == list(range(6))
        places = np.array([order.index(column) for column in drawn])
        falls = np.flatnonzero(np.diff(places) < 0)
        assert len(falls) <= 1
        front = int(falls[0]) + 1 if len(falls) else 0
        given, others = set(owner[drawn[:front]]), set(owner[drawn[front:]])
        assert not given & others
        sizes[len(given)] += 1
    # Orders that leave everything as it was look like the usual one.
    assert 0.4 < sizes[0] / 600 < 0.7
    assert sizes[1] > sizes[2] > sizes[4]
    never = Orders(spans, order, 0.0, Streams(1).torch("orders"))
    assert torch.equal(never.draw(), never.usual)


def test_places_are_where_numbers_lie_and_missing_ones_are_nowhere():
    layout = Layout(
        (
            Block("n", 3, ordinal=True, missing=2, refined=(True, True, False)),
            Block("n", 2, continuous=(True, True), ordinal=True, parent=0),
            Block("a", 2),
        )
    )
    spans = Spans(layout, CPU)
    places = Places.of(spans)
    codes = np.array([[0, 0, 0], [1, 1, 0], [2, 0, 0]], dtype=np.int32)
    offsets = torch.tensor([[-1.0], [1.0], [0.0]])
    features = places.features(spans, spans.index(codes), offsets)
    assert features.shape == (3, 1, FEATURES)
    # The first and the last knot have the ends of the line.
    assert features[0, 0, :16].tolist() == pytest.approx([1.0] + [0.0] * 15, abs=1e-6)
    assert features[1, 0, :16].tolist() == pytest.approx([0.0] * 15 + [1.0], abs=1e-6)
    assert (features[2] == 0).all()
    known = (describe_codes(spans) != 0).any(1)[spans.positions]
    assert known.tolist() == [True, True, False, True, True, False, False]


def test_factors_of_dropout_have_mean_one_and_their_rate():
    factors = draw_factors((300, 101), 0.25, Streams(1).torch("noise"))
    assert factors.shape == (300, 101)
    assert float((factors == 0).float().mean()) == pytest.approx(0.25, abs=0.015)
    assert float(factors.mean()) == pytest.approx(1, abs=0.02)
    assert draw_factors((3,), 0.0, Streams(1).torch("noise")) is None


def test_rows_are_held_out_where_there_are_enough():
    generator = Streams(1).torch("rows")

    def count(n_rows, share=None):
        unseen, seen = hold_out(n_rows, share, generator)
        assert sorted([*unseen.tolist(), *seen.tolist()]) == list(range(n_rows))
        return len(unseen)

    assert [count(n) for n in (100, 249, 250, 1_000, 4_000)] == [0, 0, 50, 50, 200]
    assert count(4_000, 0.0) == 0
    assert count(100, 0.3) == 30
    with pytest.raises(ConfigError, match=r"held_out = 0\.1 of 90 rows are 9"):
        count(90, 0.1)
    assert "held_out" in fit(toy_table(300)).loss_history_


def test_small_tables_get_more_dropout_unless_told_otherwise():
    usual = AutoregressiveParameters()
    assert [usual.dropouts(n)[0] for n in (100, 6_000, 25_000, 10**6)] == [0.3, 0.2, 0.1, 0.04]
    assert usual.dropouts(25_000)[1] == 0.05
    told = AutoregressiveParameters(dropout=0.0, embedding_dropout=0.3)
    assert told.dropouts(100) == (0.0, 0.3)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("target", 3), ("target", ("a", None)), ("bins", 0), ("sub_bins", 1.5)),
        *(("embedding", 0), ("shuffled", 1.1), ("dropout", 0.95), ("embedding_dropout", -0.1)),
        *(("held_out", 0.6), ("patience", 0), ("weight_decay", "much")),
    ],
)
def test_a_bad_hyper_parameter_is_refused_by_name(parameter, value):
    with pytest.raises(ConfigError, match=f"^{parameter} must be"):
        AutoregressiveParameters(**{parameter: value})

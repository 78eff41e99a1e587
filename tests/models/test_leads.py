"""What the code of one block says of another by noisy counts: shares, and rows that agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabsynth.encoding import EncodedTable, Given
from tabsynth.encoding.layout import Block, Layout
from tabsynth.models import models
from tabsynth.models.neural.ghost_masked import GhostMasked
from tabsynth.models.neural.heads import CodeHead, softmax
from tabsynth.models.neural.leads import buy_pairs, pair_shares, part_shares
from tabsynth.models.neural.led import LedHead
from tabsynth.models.neural.masked import MaskedNetwork
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.private import place
from tabsynth.models.neural.spans import Spans
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.counting import Counts
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.training import ExactTrainingData, PrivateTrainingData
from tabsynth.random import Streams
from tabsynth.testing import toy_table

CPU = torch.device("cpu")
N = 2_000


def dependent(n=N):
    """Return rows in which each column follows the target, and parts follow their bins."""
    rng = np.random.default_rng(0)
    layout = Layout(
        (
            Block("a", 4),
            Block("b", 3, refined=(True, True, False)),
            Block("b", 2, parent=1),
            Block("y", 2),
        )
    )
    y = rng.integers(0, 2, n)
    a = np.where(rng.random(n) < 0.7, 2 * y, rng.integers(0, 4, n))
    b = np.where(rng.random(n) < 0.6, y, rng.integers(0, 3, n))
    part = np.where(b == 2, 0, (rng.random(n) < np.array([0.2, 0.9, 0.0])[b]))
    codes = np.stack([a, b, part, y], axis=1).astype(np.int32)
    return EncodedTable(codes, np.zeros((n, 0), dtype=np.float32), layout)


def private(table, epsilon=50.0):
    ledger = Ledger(PrivacyBudget(epsilon, 1e-5))
    known = ExactTrainingData(table).known()
    return PrivateTrainingData(table, len(table), known, ledger, Noise(1)), ledger


def given(table, block, leader):
    """Return the share of each code of a block among the rows of each code of a leader."""
    (counts,) = ExactTrainingData(table).measure([(leader, block)])
    return counts.values / counts.values.sum(1, keepdims=True)


def test_parts_have_the_shares_that_rows_of_their_bin_have():
    table = dependent()
    found = part_shares(ExactTrainingData(table).known()[2], table.layout)
    np.testing.assert_allclose(found[:2], given(table, 2, 1)[:2], atol=1e-12)
    assert (found[2] == 0.5).all()


@pytest.mark.parametrize("block", [0, 1])
def test_pairs_without_noise_are_taken_as_they_are(block):
    table = dependent()
    data = ExactTrainingData(table)
    (pairs,) = data.measure([(3, block)])
    leading, own = (data.known()[place].values / N for place in (3, block))
    found = pair_shares(pairs, leading, own, N, 0.0)
    np.testing.assert_allclose(found, given(table, block, 3), atol=1e-9)


def test_pairs_of_nothing_but_noise_say_nothing():
    own, leading = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.75, 0.25])
    values = np.random.default_rng(1).normal(0, 1e6, (2, 4))
    found = pair_shares(Counts((0, 1), values, 1e6), leading, own, 100.0, 1.0)
    np.testing.assert_allclose(found, np.tile(own, (2, 1)), atol=1e-3)


def test_shares_given_a_code_are_shares_and_absent_codes_stay_absent():
    rng = np.random.default_rng(2)
    for _ in range(20):
        own, leading = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(3))
        own[2] = 0.0
        own /= own.sum()
        counts = Counts((0, 1), rng.normal(50, 80, (3, 6)), 40.0)
        found = pair_shares(counts, leading, own, 900.0, 30.0)
        assert (found >= 0).all()
        assert (found[:, 2] == 0).all()
        np.testing.assert_allclose(found.sum(1), 1.0)


def test_counts_of_pairs_are_debited_and_pairs_of_too_many_codes_left_out():
    layout = Layout((Block("y", 150), Block("a", 150), Block("b", 3)))
    table = EncodedTable(np.zeros((5, 3), np.int32), np.zeros((5, 0), np.float32), layout)
    data, ledger = private(table, 1.0)
    before = data.rho
    assert [pairs.blocks for pairs in buy_pairs(data, 0)] == [(0, 2)]
    assert [spend.what for spend in ledger.spends] == ["counts of 'y' x 'b'"]
    assert before > data.rho > 0.5 * before


@pytest.mark.parametrize("name", ["autoregressive", "tvae", "ctgan"])
def test_rows_agree_with_counts_of_the_target_and_each_column(name):
    table = dependent()
    kind = models.get(name)
    data, ledger = private(table)
    model = kind(kind.parameters_type(target="y", steps=5)).fit(data, Streams(1))
    assert [spend.mechanism for spend in ledger.spends] == ["gaussian"] * 2 + ["sampled gaussian"]
    made = model.sample(20_000, Streams(2))
    for block in (0, 1):
        # Five standard errors of a share of some 10,000 rows, and what calibration leaves.
        np.testing.assert_allclose(given(made, block, 3), given(table, block, 3), atol=0.035)
    loaded = kind.from_state(model.parameters, table.layout, model.state())
    assert np.array_equal(loaded.sample(50, Streams(3)).codes, model.sample(50, Streams(3)).codes)


@pytest.mark.parametrize("name", ["autoregressive", "tvae", "ctgan"])
def test_rows_that_are_given_the_target_or_another_column_agree_too(name):
    table = dependent()
    kind = models.get(name)
    model = kind(kind.parameters_type(target="y", steps=5)).fit(private(table)[0], Streams(1))
    made = model.sample(40_000, Streams(2))
    for block in (3, 0):
        asked = EncodedTable(table.codes[:1500].copy(), table.offsets[:1500], table.layout)
        flags = np.zeros((1500, 4), dtype=bool)
        flags[:, block] = True
        completed = model.complete(Given(asked, flags), Streams(3)).table
        assert np.array_equal(completed.codes[:, block], asked.codes[:, block])
        other = 1
        wanted, found = given(made, other, block), given(completed, other, block)
        often = np.bincount(asked.codes[:, block], minlength=len(wanted)) > 200
        np.testing.assert_allclose(found[often], wanted[often], atol=0.12)


@pytest.mark.parametrize("shuffled", [0.0, 0.5])
def test_parts_follow_their_bins_without_being_trained(shuffled):
    table = dependent()
    kind = models.get("autoregressive")
    own = kind.parameters_type(steps=3, shuffled=shuffled, target="y")
    model = kind(own).fit(private(table)[0], Streams(1))
    made = model.sample(20_000, Streams(2))
    if shuffled:
        flags = np.zeros((len(made), 4), dtype=bool)
        flags[:, 0] = True
        completed = model.complete(Given(made, flags), Streams(3))
        assert completed.effort.way == model.way == "directly"
        made = completed.table
    np.testing.assert_allclose(given(made, 2, 1)[:2], given(table, 2, 1)[:2], atol=0.03)


def led_head():
    table = dependent()
    spans = Spans(table.layout, CPU)
    head = CodeHead(spans, 5, Streams(1).torch("weights"), gain=1.0)
    head.start_at((spans.expand(torch.ones(1, spans.n_blocks)) > 0)[0].float())
    return spans, LedHead(head.requires_grad_(False), int(spans.column[3]))


def test_the_code_that_leads_is_the_one_that_is_drawn():
    spans, led = led_head()
    hidden = torch.randn((50, 5), generator=torch.Generator().manual_seed(1))
    units = led.extend(hidden, torch.linspace(0, 0.999, 50))
    index, _ = led.draw(units, None, torch.Generator().manual_seed(2))
    codes = index[:, led.leader] - spans.starts[led.leader]
    assert torch.equal(codes, units[:, -1].long())
    assert set(codes.tolist()) == {0, 1}


def test_what_leads_is_moved_until_shares_are_met():
    spans, led = led_head()
    hidden = torch.randn((4_000, 5), generator=torch.Generator().manual_seed(1))
    column = int(spans.column[0])
    wanted = torch.tensor([[0.4, 0.3, 0.3, 0.0], [0.1, 0.2, 0.3, 0.4]])
    places = slice(int(spans.starts[column]), int(spans.starts[column]) + 4)
    met = torch.zeros(spans.width)
    met[places] = 0.25
    led.calibrate([hidden], {column: wanted}, met)
    likely = softmax(led.head[0](hidden), spans)[:, led.own]
    for code in (0, 1):
        units = torch.cat([hidden, torch.full((len(hidden), 1), float(code))], dim=1)
        shares = softmax(led(units), spans)[:, places] * likely[:, code, None]
        np.testing.assert_allclose(shares.sum(0) / shares.sum(), wanted[code], atol=2e-3)


# The network that is trained.


def ghost_of(table, share, learnt=None):
    """Return a network whose codes are as likely as each other, and what is trained of it."""
    spans = Spans(table.layout, CPU)
    network = MaskedNetwork(spans, 3, 5, Streams(1).torch("weights"))
    shares = torch.zeros(spans.width)
    shares[torch.from_numpy(spans.positions)] = 0.1
    network.start_at(shares)
    orders = Orders(spans, list(range(spans.n_blocks)), share, Streams(1).torch("orders"))
    ghost = GhostMasked(network, orders, learnt)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in ghost.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=chance))
    ghost.first.before = ghost.among(orders.usual)
    return network.requires_grad_(False), ghost.requires_grad_(False), orders


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_network_says_what_was_trained_once_weights_are_stored(share):
    table = toy_table(30)
    network, ghost, orders = ghost_of(table, share)
    spans = network.spans
    index = place(spans)(torch.from_numpy(table.codes))
    ghost.store()
    told = network(index, torch.from_numpy(table.offsets), orders.usual)
    losses = ghost(index).mean()
    if not share:
        # The block that none is before is left out: its biases are all that it has.
        (left,) = set(range(spans.n_blocks)).difference(ghost.hearers.tolist())
        meant = spans.meant(index)[:, left].float().mean()
        losses = losses + meant * spans.sizes[left].log()
    assert float(told) == pytest.approx(float(losses), rel=1e-5)


def test_blocks_that_are_not_learnt_are_neither_heard_nor_told():
    table = toy_table(30)
    n = len(table.layout)
    network, ghost, _ = ghost_of(table, 0.0, list(range(1, n - 1)))
    spans = network.spans
    codes = torch.from_numpy(table.codes)
    other = codes.clone()
    out = [int(spans.order[0]), int(spans.order[spans.n_blocks - 1])]
    refined = {block.parent for block in table.layout}
    other[:, [block for block in out if block not in refined]] = 0
    index = place(spans)
    torch.testing.assert_close(ghost(index(codes)), ghost(index(other)))
    ghost.store()
    assert not network.inner[0].any()
    assert not network.inner[-1].any()

"""DP-SGD audited from outside: what one row does to the gradients that come out, many times over.

A network takes steps on a table and on the table without its most conspicuous row. The guess is
made from the noisy gradients along the direction of that row's gradient, which is what tells most.
The lower bound on epsilon at level 0.01 has to stay below what the ledger claims, and each mutant
has to be above it.

Other mutants are found elsewhere: noise that is too small, gradients that are not cut, whole
batches and packs of rows by their sums in `test_dpsgd`, rows held out (early stopping) by being
refused in `tests/models/test_private_training`, exact frequencies and thresholds that are left out
in `test_neighbours`.
"""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import torch

from tabsynth.encoding import EncodedTable
from tabsynth.models.neural.ghost_masked import GhostMasked
from tabsynth.models.neural.masked import MaskedNetwork
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.private import place
from tabsynth.models.neural.spans import Spans
from tabsynth.privacy import dpsgd
from tabsynth.privacy.accounting import epsilon_of, noise_for
from tabsynth.privacy.audit import many_run_epsilon
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.dpsgd import ClippedGradients
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.training import PrivateSteps, PrivateTrainingData
from tabsynth.random import Streams
from tabsynth.testing import toy_table

CPU = torch.device("cpu")
EPSILON, DELTA, ALPHA = 1.0, 1e-5, 0.01
N, CLIP = 8, 0.5
ALL = PrivateSteps(N, 1, CLIP)
"""One step of all rows."""
SOME = PrivateSteps(1, 1, CLIP)
"""One step in which each row has a chance of one in 500."""
PUBLIC = {ALL: N, SOME: 500}
"""What is said to be the number of rows; the rate of sampling follows from it."""


class Silent(Noise):
    """A mutant: no noise."""

    def gaussian(self, n):
        """Return nothing but zeros."""
        return np.zeros(n)


class Tenth(Noise):
    """A mutant: a tenth of the noise."""

    def gaussian(self, n):
        """Return too little."""
        return super().gaussian(n) / 10


class Whole(Noise):
    """A mutant: all rows take part, whatever the rate is."""

    def mask(self, n_rows, rate):
        """Return all."""
        return np.ones(n_rows, dtype=bool)


def network_of(layout):
    """Return a small masked network and its loss."""
    spans = Spans(layout, CPU)
    network = MaskedNetwork(spans, 2, 3, Streams(1).torch("weights"))
    network.start_at(torch.full((spans.width,), 0.1))
    orders = Orders(spans, list(range(spans.n_blocks)), 0.0, Streams(1).torch("orders"))
    ghost, index = GhostMasked(network, orders), place(spans)
    return ghost, lambda codes, _: ghost(index(codes))


def one_row_apart():
    """Return a table, the table without the row of the longest gradient, and that gradient."""
    table = toy_table(N)
    network, loss = network_of(table.layout)
    gradients = ClippedGradients(network, loss, CLIP)
    rows = torch.from_numpy(table.codes), torch.from_numpy(table.offsets)
    most = int(gradients.lengths(rows).argmax())
    direction = gradients.summed([(rows[0][[most]], rows[1][[most]])])
    gradients.close()
    assert np.linalg.norm(direction) == pytest.approx(CLIP, rel=1e-3)
    left = np.delete(np.arange(N), most)
    without = EncodedTable(table.codes[left], table.offsets[left], table.layout)
    return table, without, direction / CLIP


def score(table, run, noise, direction):
    """Take the steps; return the sum of what came out, along the direction."""
    network, loss = network_of(table.layout) if not SHARED else SHARED[0]
    ledger = Ledger(PrivacyBudget(EPSILON, DELTA))
    data, seen = PrivateTrainingData(table, PUBLIC[run], [], ledger, noise), []

    def update(step):
        parts = [p.grad.reshape(-1) for p in network.parameters() if p.requires_grad]
        seen.append(torch.cat(parts).double().numpy() @ direction)

    data.train(network, loss, run, update, CPU)
    assert len(seen) == run.steps
    return sum(seen) * run.batch_size


SHARED = []
"""A network and its loss that all runs of a test use; no run moves its weights."""


@pytest.fixture
def cheap(monkeypatch):
    """Find the noise once, and set up one network for all runs; no run moves its weights.

    The trial on made-up rows is left out. It is tested elsewhere.
    """
    found, opened, sums = {}, {}, {}

    def noise(ledger, rate, steps):
        key = rate, steps
        if key not in found:
            found[key] = noise_for(ledger.spends, rate, steps, EPSILON, DELTA)
        return found[key]

    class Open(ClippedGradients):
        def summed(self, parts):
            """Sum up the same rows once."""
            parts = list(parts)
            key = self.clip, b"".join(codes.numpy().tobytes() for codes, _ in parts)
            if key not in sums:
                sums[key] = super().summed(parts)
            return sums[key]

        def try_out(self, rows):
            """Leave it out."""

        def close(self):
            """Leave it open."""

    def opening(network, loss, clip):
        if clip not in opened:
            opened[clip] = Open(network, loss, clip)
        return opened[clip]

    SHARED.append(network_of(toy_table(N).layout))
    monkeypatch.setattr(Ledger, "noise_for", noise)
    monkeypatch.setattr(Ledger, "debit", lambda ledger, *spends: ledger.spends.extend(spends))
    monkeypatch.setattr(dpsgd, "ClippedGradients", opening)
    yield found
    SHARED.clear()


def told_apart(run, noise, runs, tables=None):
    """Return the lower bound on epsilon, from half of the runs, by a cut from the other half."""
    *tables, direction = tables or one_row_apart()
    scores = np.array(
        [
            [score(table, run, noise(2 * place + side), direction) for place in range(runs)]
            for side, table in enumerate(tables)
        ]
    )
    first, second = scores[:, : runs // 2], scores[:, runs // 2 :]
    cuts = np.quantile(first, np.linspace(0.02, 0.98, 49))

    def bound(some, cut):
        said = [int((side > cut).sum()) for side in some]
        n = some.shape[1]
        return many_run_epsilon(said[0], n, said[1], n, alpha=ALPHA, delta=DELTA)

    best = max(cuts, key=lambda cut: bound(first, cut))
    return bound(second, best)


@pytest.mark.audit
@pytest.mark.parametrize("run", [ALL, SOME], ids=["all rows", "sampled rows"])
def test_steps_tell_tables_apart_no_better_than_they_claim(cheap, run):
    assert told_apart(run, Noise, 2000) <= EPSILON


@pytest.mark.parametrize("mutant", [Silent, Tenth])
def test_steps_with_too_little_noise_are_found_out(cheap, mutant):
    assert told_apart(ALL, mutant, 200) > EPSILON


@pytest.mark.audit
def test_whole_batches_that_are_accounted_as_sampled_are_found_out(cheap):
    assert told_apart(SOME, Whole, 1000) > EPSILON


def test_gradients_that_are_not_cut_are_found_out(cheap, monkeypatch):
    tables, opening = one_row_apart(), dpsgd.ClippedGradients
    monkeypatch.setattr(dpsgd, "ClippedGradients", lambda net, loss, _: opening(net, loss, 1e9))
    assert told_apart(ALL, Noise, 400, tables) > EPSILON


class Watched(Exception):
    """A training was stopped."""


def steps_taken(table, stops):
    """Train; return how many steps were taken, and how many the ledger has."""
    network, loss = network_of(table.layout)
    ledger = Ledger(PrivacyBudget(EPSILON, DELTA))
    data = PrivateTrainingData(table, N, [], ledger, Noise(1))
    taken, losses = [], []

    def watched(codes, offsets):
        found = loss(codes, offsets)
        losses.append(float(found.detach().mean()))
        return found

    def update(step):
        taken.append(step)
        if stops and step >= 2 and losses[-1] < np.mean(losses[:-1]) + 1:
            raise Watched

    with contextlib.suppress(Watched):
        data.train(network, watched, PrivateSteps(N, 6, CLIP), update, CPU)
    return len(taken), ledger.spends[-1].steps


def test_a_training_that_stops_early_on_its_rows_is_found_out():
    # As many steps are taken as the ledger has, whatever the rows are; else rows decide about it.
    taken, told = steps_taken(toy_table(N), stops=False)
    assert taken == told == 6
    taken, told = steps_taken(toy_table(N), stops=True)
    assert taken < told


def test_the_noise_of_the_audited_steps_is_no_less_than_the_budget_pays_for(cheap):
    *tables, direction = one_row_apart()
    for run in (ALL, SOME):
        score(tables[0], run, Noise(1), direction)
    for (rate, steps), sigma in cheap.items():
        spend = dpsgd.Spend("steps", "sampled gaussian", sigma, steps, rate)
        assert 0 < epsilon_of([spend], DELTA) <= EPSILON

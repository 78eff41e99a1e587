"""DP-SGD keeps what is paid for: gradients are cut, noise is as large as said, rows are sampled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from tabsynth.encoding import EncodedTable
from tabsynth.errors import PrivacyError
from tabsynth.models.neural.autoencoder import Decoder, Encoder
from tabsynth.models.neural.chance import RowChance
from tabsynth.models.neural.ghost import Affine
from tabsynth.models.neural.ghost_autoencoder import GhostAutoencoder
from tabsynth.models.neural.ghost_critic import GhostCritic
from tabsynth.models.neural.ghost_masked import GhostMasked
from tabsynth.models.neural.masked import MaskedNetwork
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.private import place
from tabsynth.models.neural.private_adversary import Conditioned, real_losses
from tabsynth.models.neural.spans import Spans
from tabsynth.privacy.accounting import Spend
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.dpsgd import ClippedGradients, sampling_rate
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.training import ExactTrainingData, PrivateSteps, PrivateTrainingData
from tabsynth.random import Streams
from tabsynth.testing import toy_table

CPU = torch.device("cpu")
CLIP = 0.7
N = 40


def masked(layout, share=0.0, led=False):
    """An autoregressive network and its loss, in 64 bits."""
    spans = Spans(layout, CPU)
    network = MaskedNetwork(spans, 3, 5, Streams(1).torch("weights"))
    network.start_at(torch.full((spans.width,), 0.1))
    orders = Orders(spans, list(range(spans.n_blocks)), share, Streams(1).torch("orders"))
    learnt = list(range(spans.n_blocks))
    if led:
        learnt = [column for column in learnt if layout[int(spans.order[column])].parent is None]
        chance = torch.Generator().manual_seed(2)
        for column in learnt[1:]:
            sizes = int(spans.sizes[learnt[0]]), int(spans.sizes[column])
            network.lead(column, learnt[0], torch.randn(sizes, generator=chance))
    ghost, index = GhostMasked(network, orders, learnt).double(), place(spans)
    return ghost, lambda codes, _: ghost(index(codes))


def autoencoder(layout):
    """A variational autoencoder and its loss, in 64 bits; the blur of a row is always the same."""
    spans, weights = Spans(layout, CPU), Streams(1).torch("weights")
    encoder, decoder = Encoder(spans, 3, 6, weights), Decoder(spans, 3, 6, weights)
    decoder.codes.start_at(torch.full((spans.width,), 0.1))
    chance = RowChance(spans.width, torch.Generator().manual_seed(3), CPU)
    ghost = GhostAutoencoder(encoder, decoder, 0.5, chance).double()
    index = place(spans)
    return ghost, lambda codes, _: ghost(index(codes))


def critic(layout):
    spans = Spans(layout, CPU)
    chance = RowChance(spans.width, torch.Generator().manual_seed(3), CPU)
    columns = Conditioned.of(torch.ones(spans.width), spans, True).columns
    network = GhostCritic(spans, columns, 6, Streams(1).torch("weights"), chance).double()
    index = place(spans)
    return network, lambda codes, _: real_losses(network(index(codes)), "bce")


NETWORKS = {
    "autoregressive": masked,
    "autoregressive in any order": lambda layout: masked(layout, share=0.9),
    "autoregressive that is led": lambda layout: masked(layout, led=True),
    "tvae": autoencoder,
    "ctgan": critic,
}


@pytest.fixture(params=NETWORKS)
def made(request):
    table = toy_table(N)
    return (*NETWORKS[request.param](table.layout), table)


def tensors(table, rows=slice(None)):
    return torch.from_numpy(table.codes[rows]), torch.from_numpy(table.offsets[rows]).double()


def brute_force(network, loss, rows, clip):
    """Return the sum of the gradients, each built and cut, and their lengths."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    total, lengths = np.zeros(sum(p.numel() for p in parameters)), []
    for one in loss(*rows):
        parts = torch.autograd.grad(one, parameters, retain_graph=True, allow_unused=True)
        filled = [
            torch.zeros_like(p) if part is None else part
            for part, p in zip(parts, parameters, strict=True)
        ]
        gradient = torch.cat([part.reshape(-1) for part in filled]).numpy()
        lengths.append(np.linalg.norm(gradient))
        total += gradient * min(1.0, clip / (lengths[-1] + 1e-6))
    return total, np.array(lengths)


def added(clipped, rows, more):
    """Return how far one row more moves the sum."""
    both = tuple(torch.cat([extra, some]) for extra, some in zip(more, rows, strict=True))
    return np.linalg.norm(clipped.summed([both]) - clipped.summed([rows]))


def test_the_sum_of_cut_gradients_is_the_one_of_gradients_that_are_built(made):
    network, loss, table = made
    clipped = ClippedGradients(network, loss, CLIP)
    parts = [tensors(table, slice(0, 11)), tensors(table, slice(11, None))]
    found, lengths = clipped.summed(parts), clipped.lengths(tensors(table)).numpy()
    clipped.close()
    wanted, true_lengths = brute_force(network, loss, tensors(table), CLIP)
    assert (true_lengths > CLIP).any()
    np.testing.assert_allclose(lengths, true_lengths, rtol=1e-12)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_gradients_shorter_than_the_clip_are_left_alone(made):
    network, loss, table = made
    clipped = ClippedGradients(network, loss, 1e6)
    found = clipped.summed([tensors(table)])
    clipped.close()
    network.zero_grad()
    loss(*tensors(table)).sum().backward()
    plain = [p.grad.reshape(-1) for p in network.parameters() if p.requires_grad]
    np.testing.assert_allclose(found, torch.cat(plain).numpy(), atol=1e-11)


@pytest.mark.parametrize("seed", range(5))
def test_a_row_more_moves_the_sum_by_no_more_than_the_clip(made, seed):
    network, loss, table = made
    clipped = ClippedGradients(network, loss, CLIP)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(N)
    size = int(rng.integers(0, N - 1))
    moved = added(clipped, tensors(table, rows[:size]), tensors(table, rows[-1:]))
    clipped.close()
    assert moved <= CLIP * (1 + 1e-9)


def test_one_way_back_sums_up_what_two_ways_of_opacus_do(made, monkeypatch):
    network, loss, table = made
    once = ClippedGradients(network, loss, CLIP)
    assert once._once
    found = once.summed([tensors(table)])
    once.close()
    for module in network.modules():
        if hasattr(type(module), "weighted"):
            monkeypatch.delattr(type(module), "weighted")
    twice = ClippedGradients(network, loss, CLIP)
    assert not twice._once
    np.testing.assert_allclose(found, twice.summed([tensors(table)]), atol=1e-12)
    twice.close()


def test_our_linear_layer_tells_the_lengths_that_opacus_tells():
    generator = torch.Generator().manual_seed(0)
    ours = nn.Sequential(
        Affine(
            nn.Parameter(torch.randn(6, 4, generator=generator).double()),
            nn.Parameter(torch.zeros(6).double()),
        ),
        nn.Tanh(),
        Affine(nn.Parameter(torch.randn(1, 6, generator=generator).double())),
    )
    theirs = nn.Sequential(
        nn.utils.skip_init(nn.Linear, 4, 6, dtype=torch.float64),
        nn.Tanh(),
        nn.utils.skip_init(nn.Linear, 6, 1, bias=False, dtype=torch.float64),
    )
    theirs.load_state_dict(ours.state_dict())
    rows = torch.randn(9, 4, generator=generator).double(), torch.zeros(9, 0)
    lengths = []
    for network in (ours, theirs):
        clipped = ClippedGradients(network, lambda x, _, net=network: net(x)[:, 0], CLIP)
        lengths.append(clipped.lengths(rows).numpy())
        clipped.close()
    np.testing.assert_allclose(*lengths, rtol=1e-12)


# Mutants: what has to be refused, and would be found out if it were not.


class Packed(nn.Module):
    """A critic of packs of two rows."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = Affine(nn.Parameter(torch.randn(5, 6, generator=generator).double()))
        self.last = Affine(nn.Parameter(torch.randn(1, 5, generator=generator).double()))

    def forward(self, rows, _):
        return self.last(torch.tanh(self.first(rows.double().reshape(len(rows) // 2, -1))))[:, 0]


def test_packs_of_rows_are_refused_and_would_move_the_sum_by_more_than_the_clip(monkeypatch):
    network = Packed()
    rows = torch.randn(40, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(40, 0)
    clipped = ClippedGradients(network, network, CLIP)
    with pytest.raises(PrivacyError, match="a loss of its own"):
        clipped.summed([rows])
    clipped.close()

    clipped = ClippedGradients(network, network, CLIP)
    monkeypatch.setattr(clipped, "_losses", network)
    # A row is put in front of 39 others, and every pack holds other rows than before.
    less = tuple(part[1:] for part in rows)
    less = tuple(part[: len(part) // 2 * 2] for part in less)
    moved = np.linalg.norm(clipped.summed([rows]) - clipped.summed([less]))
    assert moved > 1.5 * CLIP


class Standardised(nn.Module):
    """Layers that let rows touch each other."""

    def __init__(self, norm):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = Affine(nn.Parameter(torch.randn(4, 3, generator=generator)))
        self.norm = norm

    def forward(self, rows, _):
        return self.norm(self.first(rows.float())).sum(1)


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm1d(4),
        nn.BatchNorm1d(4, affine=False),
        nn.BatchNorm1d(4, track_running_stats=False),
        nn.InstanceNorm1d(4, track_running_stats=True),
    ],
)
def test_norms_over_a_batch_are_refused_trained_or_not(norm):
    network = Standardised(norm)
    with pytest.raises(PrivacyError, match="several rows at once"):
        ClippedGradients(network, network, CLIP)


class Remembers(nn.Module):
    """Keeps the mean of the rows it has seen."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, rows):
        self.mean = rows.detach().mean(0)
        return rows


def test_a_buffer_that_changes_is_refused():
    network = Standardised(Remembers())
    clipped = ClippedGradients(network, network, CLIP)
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(4, 0)
    with pytest.raises(PrivacyError, match="keeps something"):
        clipped.try_out(rows)
    clipped.close()


class Untold(nn.Module):
    """A layer that neither Opacus nor the door knows."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, rows):
        return rows * self.scale


class Liar(Untold):
    """A layer whose gradients are longer than it says."""

    def squared_norms(self, inputs, gradient):
        return {self.scale: 0.5 * (inputs[0] * gradient).square().sum(1)}


class Doubling(Untold):
    """A layer that tells the lengths of gradients, and sums up longer ones."""

    def squared_norms(self, inputs, gradient):
        return {self.scale: (inputs[0] * gradient).square().sum(1)}

    def weighted(self, inputs, gradient, weights):
        return {self.scale: 2 * weights @ (inputs[0] * gradient)}


def test_a_layer_that_sums_up_wrongly_is_refused():
    network = Standardised(Doubling())
    clipped = ClippedGradients(network, network, CLIP)
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(4, 0)
    with pytest.raises(PrivacyError, match="not what its layers say"):
        clipped.try_out(rows)
    clipped.close()


def test_a_layer_that_does_not_tell_lengths_is_refused():
    network = Standardised(Untold())
    with pytest.raises(PrivacyError, match="does not tell"):
        ClippedGradients(network, network, CLIP)


def test_a_layer_that_tells_wrong_lengths_is_refused():
    network = Standardised(Liar())
    clipped = ClippedGradients(network, network, CLIP)
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(4, 0)
    with pytest.raises(PrivacyError, match="not what its layers say"):
        clipped.try_out(rows)
    clipped.close()


# The door.


def train(table, n_rows, run, noise, epsilon=1.0, facts=None):
    """Train an autoregressive network; return noisy gradients, rows of each step, and ledger."""
    network, loss = masked(table.layout)
    ledger = Ledger(PrivacyBudget(epsilon, 1e-5), facts=facts)
    data = PrivateTrainingData(table, n_rows, [], ledger, noise)
    steps, sizes = [], []

    def counted(codes, offsets):
        sizes[-1].append(len(codes))
        return loss(codes, offsets)

    def update(step):
        parts = [p.grad.reshape(-1).clone() for p in network.parameters() if p.requires_grad]
        steps.append(torch.cat(parts).numpy())
        sizes.append([])

    sizes.append([])
    data.train(network, counted, run, update, CPU)
    # The first call of a loss is the try on made-up rows.
    taken = [sum(some) for some in sizes[:-1]]
    return np.array(steps), np.array(taken), ledger, network


def noise_is_as_large_as_paid_for(noise):
    """Whether (noisy - clean) sums of all rows have the variance that the ledger says."""
    table, run = toy_table(N), PrivateSteps(N, 5, CLIP)
    steps, _, ledger, _ = train(table, N, run, noise)
    clipped = ClippedGradients(*masked(table.layout), CLIP)
    clean = clipped.summed([tensors(table)])
    spend = ledger.spends[-1]
    scaled = (steps * N - clean) / (spend.noise * CLIP)
    low, high = stats.chi2.interval(1 - 1e-6, scaled.size)
    return low <= np.square(scaled).sum() <= high


def rows_are_sampled(noise):
    """Whether about the share of rows that the ledger says takes part in each step."""
    table, run = toy_table(400), PrivateSteps(100, 30, CLIP)
    _, taken, ledger, _ = train(table, 400, run, noise)
    rate, n = ledger.spends[-1].rate, 400 * 29
    low, high = stats.binom.interval(1 - 1e-6, n, rate)
    return low <= taken[1:].sum() <= high and len(set(taken[1:])) > 5


def test_the_noise_is_as_large_as_the_ledger_says():
    assert noise_is_as_large_as_paid_for(Noise(debug_insecure_seed=1))


def test_each_row_takes_part_by_chance_as_often_as_the_ledger_says():
    assert rows_are_sampled(Noise(debug_insecure_seed=1))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_noise_that_is_smaller_is_found_out(share):
    class Small(Noise):
        def gaussian(self, n):
            return share * super().gaussian(n)

    assert not noise_is_as_large_as_paid_for(Small(1))


def test_whole_batches_that_are_accounted_as_sampled_are_found_out():
    class Whole(Noise):
        def mask(self, n_rows, rate):
            return np.ones(n_rows, dtype=bool)

    assert not rows_are_sampled(Whole(1))


def test_gradients_that_are_not_cut_are_found_out(made):
    network, loss, table = made
    uncut = ClippedGradients(network, loss, 1e9)
    longest = int(uncut.lengths(tensors(table)).argmax())
    moved = added(uncut, tensors(table, slice(0, 5)), tensors(table, slice(longest, longest + 1)))
    uncut.close()
    assert moved > 1.5 * CLIP


def test_steps_without_rows_are_noise_and_are_taken():
    table = EncodedTable.empty(0, toy_table(1).layout)
    steps, _, ledger, _ = train(table, N, PrivateSteps(N, 6, CLIP), Noise(1))
    assert len(steps) == 6
    assert np.isfinite(steps).all()
    assert ledger.spends[-1].steps == 6
    scale = ledger.spends[-1].noise * CLIP / N
    assert np.std(steps) == pytest.approx(scale, rel=0.05)


def test_all_that_is_told_is_the_same_with_a_row_more():
    run, told = PrivateSteps(N, 4, CLIP), []
    for n in (N, N + 1):
        steps, _, ledger, network = train(toy_table(n), N, run, Noise(1))
        shapes = {name: value.shape for name, value in network.state_dict().items()}
        told.append((ledger.to_dict(), steps.shape, shapes))
    assert told[0] == told[1]


def test_the_rate_follows_from_the_public_number_of_rows():
    assert sampling_rate(100, 1_000) == 0.1
    assert sampling_rate(100, 50) == 1.0
    assert sampling_rate(100, 0) == 1.0


def test_the_ledger_has_the_steps_that_were_taken_and_nothing_is_left():
    steps, _, ledger, _ = train(toy_table(N), N, PrivateSteps(10, 7, CLIP), Noise(1))
    spend = ledger.spends[-1]
    assert len(steps) == spend.steps == 7
    assert (spend.mechanism, spend.rate, spend.sensitivity) == ("sampled gaussian", 0.25, CLIP)
    assert 0.95 < ledger.epsilon() <= 1.0 + 1e-6


def test_steps_are_of_all_rows_where_the_number_of_rows_is_noisy():
    for rows, rate in (("noisy", 1.0), ("public", 0.25)):
        _, sizes, ledger, _ = train(
            toy_table(N), N, PrivateSteps(10, 3, CLIP), Noise(1), facts={"rows": rows}
        )
        assert ledger.spends[-1].rate == rate
        assert (sizes[1:] == N).all() == (rate == 1)


def test_steps_are_debited_before_the_first():
    table = toy_table(N)
    network, loss = masked(table.layout)
    ledger = Ledger(PrivacyBudget(1.0, 1e-5))
    data = PrivateTrainingData(table, N, [], ledger, Noise(1))
    seen = []

    def update(step):
        seen.append(list(ledger.spends))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        data.train(network, loss, PrivateSteps(N, 7, CLIP), update, CPU)
    assert seen[0][0].steps == 7


def test_no_step_is_taken_where_nothing_is_left():
    network, loss = masked(toy_table(1).layout)
    ledger = Ledger(PrivacyBudget(1.0, 1e-5), [Spend("counts", "gaussian", 0.5)])
    data = PrivateTrainingData(toy_table(N), N, [], ledger, Noise(1))
    with pytest.raises(PrivacyError, match="Nothing of the budget is left"):
        data.train(network, loss, PrivateSteps(N, 7, CLIP), pytest.fail, CPU)
    assert len(ledger.spends) == 1


def test_nothing_of_the_rows_is_left_in_the_network():
    *_, network = train(toy_table(N), N, PrivateSteps(N, 2, CLIP), Noise(1))
    for parameter in network.parameters():
        assert not {"_norm_sample", "grad_sample", "summed_grad"} & set(vars(parameter))
    for module in network.modules():
        assert not hasattr(module, "activations")


def test_without_a_budget_the_same_call_takes_plain_steps():
    table = toy_table(N)
    network, loss = masked(table.layout)
    found = []

    def update(step):
        parts = [p.grad.reshape(-1).clone() for p in network.parameters() if p.requires_grad]
        found.append(torch.cat(parts).numpy())

    ExactTrainingData(table).train(network, loss, PrivateSteps(N, 2, CLIP), update, CPU)
    clipped = ClippedGradients(network, loss, 1e9)
    np.testing.assert_allclose(found[1] * N, clipped.summed([tensors(table)]), rtol=1e-9)

"""Optimiser, batches, plan, offsets and mixture: the parts of a training."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tabsynth.encoding import Block, Layout
from tabsynth.errors import ConfigError
from tabsynth.models.neural.device import choose_device
from tabsynth.models.neural.mixture import fit_mixture
from tabsynth.models.neural.offsets import OffsetHead, squash, stretch
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.schedule import FEWEST_STEPS, Batches, cosine_rate, plan
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.training import Training, TrainingParameters
from tabsynth.random import Streams

CPU = torch.device("cpu")
FREE = {"epochs": None, "steps": None, "batch_size": None}


def weights():
    generator = Streams(1).torch("weights")
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((4, 3), (4,))]


def test_adam_takes_the_steps_of_its_paper():
    matrix, bias = weights()
    optimizer = Adam([matrix, bias], betas=(0.9, 0.99), clip=math.inf)
    rng = np.random.Generator(np.random.PCG64(1))
    wanted = optimizer.weights.numpy().astype(np.float64)
    first, second = np.zeros(16), np.zeros(16)
    for step in range(1, 21):
        gradient = rng.normal(size=16)
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        scaled = first / (1 - 0.9**step) / np.sqrt(second / (1 - 0.99**step))
        wanted -= 0.05 * scaled
        optimizer.clear()
        flat = torch.cat([matrix.reshape(-1), bias])
        (flat * torch.from_numpy(gradient).float()).sum().backward()
        optimizer.step(0.05)
    assert np.allclose(torch.cat([matrix.reshape(-1), bias]).detach().numpy(), wanted, atol=1e-5)


def test_weights_decay_and_biases_do_not():
    matrix, bias = weights()
    before = matrix.detach().clone(), bias.detach().clone()
    Adam([matrix, bias], decay=0.1).step(0.5)
    assert torch.allclose(matrix, before[0] * (1 - 0.05))
    assert torch.equal(bias, before[1])


def test_a_gradient_that_is_not_finite_changes_nothing():
    matrix, bias = weights()
    before = matrix.detach().clone()
    optimizer = Adam([matrix, bias])
    optimizer.gradient.fill_(1.0)
    optimizer.gradient[3] = math.nan
    optimizer.step(0.1)
    assert torch.equal(matrix, before)


def test_the_averaged_weights_lag_behind_the_last_ones():
    matrix, bias = weights()
    optimizer = Adam([matrix, bias], average=0.9)
    begin = matrix.detach().clone()
    for _ in range(10):
        optimizer.gradient.fill_(1.0)
        optimizer.step(0.1)
    last = matrix.detach().clone()
    optimizer.use_average()
    assert ((last < matrix) & (matrix < begin)).all()


def test_every_row_comes_once_before_any_comes_twice():
    drawn = Batches(10, 4, Streams(1).torch("rows"))
    rows = torch.cat([drawn.draw() for _ in range(5)])
    assert rows[:10].sort().values.tolist() == list(range(10))
    assert rows[10:].sort().values.tolist() == list(range(10))


@pytest.mark.parametrize("n_rows", [1, 5, 200, 3_000, 30_000, 10_000_000])
def test_the_plan_stays_within_its_limits(n_rows):
    made = plan(n_rows, 10**5, **FREE, usual_epochs=50, most_steps=4000)
    assert 1 <= made.batch_size <= min(n_rows, 500)
    assert FEWEST_STEPS <= made.steps <= 4000


def test_a_hundred_thousand_rows_do_not_take_four_times_as_long_as_twenty_five_thousand():
    work = [
        (made := plan(n, 500_000, **FREE, usual_epochs=50, most_steps=4000)).batch_size * made.steps
        for n in (25_000, 100_000)
    ]
    assert work[1] <= 2 * work[0]


def test_very_wide_tables_get_fewer_steps():
    few = plan(50_000, 10**8, **FREE, usual_epochs=50, most_steps=4000)
    assert few.steps == FEWEST_STEPS


def test_epochs_and_steps_are_taken_at_their_word():
    usual = {"usual_epochs": 50, "most_steps": 10}
    asked = {**FREE, "epochs": 3, "batch_size": 40}
    assert plan(100, 10**9, **asked, **usual).steps == 8
    assert plan(100, 10**9, **{**asked, "steps": 5}, **usual).steps == 5


def test_losses_are_fetched_only_to_be_told():
    class Counted(torch.Tensor):
        fetched = 0

        def __float__(self):
            Counted.fetched += 1
            return super().__float__()

    def update(step, place):
        return {"loss": torch.tensor(float(step)).as_subclass(Counted)}

    told = []
    training = Training("x", 1_000, {}, TrainingParameters(), told.append)
    training.run(update)
    assert Counted.fetched == len(told) == 100
    history = training.history()
    assert list(history) == ["step", "seconds", "loss"]
    assert history[["step", "loss"]].iloc[0].tolist() == [10, 4.5]
    assert history["seconds"].is_monotonic_increasing
    assert told[-1].metrics["loss"] == pytest.approx(994.5)


def test_the_rate_rises_then_falls_to_nothing():
    rates = [cosine_rate(step, 100, 10) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert max(rates) == 1
    assert rates[-1] < 0.01


def test_stretching_is_undone_by_squashing():
    values = torch.linspace(-0.99, 0.99, 50)
    assert torch.allclose(squash(stretch(values)), values, atol=1e-5)
    assert torch.isfinite(stretch(torch.tensor([-1.0, 1.0]))).all()


def test_an_offset_head_begins_where_the_offsets_are():
    spans = Spans(Layout((Block("x", 3, continuous=(True, True, True)),)), CPU)
    head = OffsetHead(spans, 2, Streams(1).torch("weights"))
    rng = np.random.Generator(np.random.PCG64(1))
    slots = torch.arange(3).repeat(4_000)[:, None]
    values = np.choose(
        slots.numpy(), [rng.normal(-0.4, 0.1, (12_000, 1)), rng.uniform(-1, 1, (12_000, 1)), 0.0]
    )
    offsets = torch.from_numpy(np.clip(values, -1, 1)).float()
    head.start_at(slots, offsets)
    drawn = head.draw(torch.zeros(12_000, 2), slots, Streams(2).torch("draws")).detach()
    soft = head.soften(torch.zeros(4_000, 2), Streams(3).torch("draws"))
    assert soft.requires_grad
    for slot, (mean, spread) in enumerate([(-0.4, 0.1), (0.0, 3**-0.5), (0.0, 0.0)]):
        for some in (drawn[slots == slot], soft.detach()[:, slot]):
            assert float(some.mean()) == pytest.approx(mean, abs=0.03)
            assert float(some.std()) == pytest.approx(spread, abs=0.03)
    # Slots whose offsets are always 0 cost nothing; even ones cost what evenness costs.
    loss = head.loss(torch.zeros(12_000, 2), slots, offsets).detach()
    assert (loss[slots == 2] == 0).all()
    assert float(loss[slots == 1].mean()) == pytest.approx(0.0, abs=0.05)
    assert float(loss[slots == 0].mean()) < -0.5


def test_a_mixture_finds_two_clouds_and_draws_them_again():
    generator = Streams(1).torch("points")
    points = torch.randn((2_000, 2), generator=generator) * 0.3
    points[:600] += torch.tensor([3.0, -1.0])
    mixture = fit_mixture(points, torch.zeros_like(points), 2, generator)
    assert sorted(mixture.weights.tolist()) == pytest.approx([0.3, 0.7], abs=0.02)
    drawn = mixture.draw(20_000, generator)
    assert torch.allclose(drawn.mean(0), points.mean(0), atol=0.05)
    assert torch.allclose(torch.cov(drawn.T), torch.cov(points.T), atol=0.1)


def test_noise_around_the_points_widens_the_mixture():
    generator = Streams(1).torch("points")
    points = torch.randn((500, 3), generator=generator)
    still = fit_mixture(points, torch.zeros_like(points), 1, generator).draw(20_000, generator)
    moved = fit_mixture(points, torch.ones_like(points), 1, generator).draw(20_000, generator)
    assert torch.allclose(moved.var(0) - still.var(0), torch.ones(3), atol=0.15)


@pytest.mark.parametrize("n_points", [1, 2, 6])
def test_a_mixture_of_hardly_any_points_is_finite(n_points):
    generator = Streams(1).torch("points")
    points = torch.zeros((n_points, 4))
    mixture = fit_mixture(points, torch.zeros_like(points), 5, generator)
    assert torch.isfinite(mixture.draw(10, generator)).all()


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert choose_device("auto") == CPU
    with pytest.raises(ConfigError, match="does not have"):
        choose_device("cuda")

"""CTGAN obeys its conditions and follows the real frequencies where nobody asks for anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabsynth.models.ctgan import CTGAN, CTGANParameters
from tabsynth.models.neural.adversary import Critic
from tabsynth.models.neural.conditions import Conditions
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.spans import Spans
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams


@pytest.fixture(scope="module")
def fitted(dependent):
    parameters = CTGANParameters(
        hidden=48, noise=16, embedding=24, steps=400, batch_size=120, pac=4
    )
    return CTGAN(parameters).fit(ExactTrainingData(dependent), Streams(5))


@pytest.fixture(scope="module")
def made(fitted):
    return fitted.sample(20_000, Streams(6))


@pytest.fixture(scope="module")
def spans(dependent):
    return Spans(dependent.layout, torch.device("cpu"))


@pytest.fixture(scope="module")
def conditions(dependent, spans):
    return Conditions(spans.index(dependent.codes), spans)


def make(fitted, condition, n=500):
    """Return rows of which every one was asked to fulfil `condition`."""
    noise = Streams(8).torch("noise")
    units = torch.randn((n, fitted.parameters.noise), generator=noise)
    hidden = fitted._generator(units, torch.full((n,), condition))
    return fitted._generator.draw(hidden, noise)[0]


def test_a_condition_on_every_block_reaches_the_generator_as_its_own(fitted, conditions, spans):
    told = fitted._generator.told(torch.arange(len(conditions)))
    assert len(told.unique(dim=0)) == len(conditions) == 3 + 3 + 2
    spoken_of = spans.order[conditions.columns.unique().numpy()]
    assert [spans.layout[int(block)].owner for block in sorted(spoken_of)] == [
        "rank",
        "copy",
        "label",
    ]


def test_a_condition_changes_the_logits_of_the_block_it_speaks_of(fitted, conditions, spans):
    noise = torch.randn((200, fitted.parameters.noise), generator=Streams(1).torch("z"))
    for column in conditions.columns.unique():
        numbers = (conditions.columns == column).nonzero()[:, 0]
        begin, size = int(spans.starts[column]), int(spans.sizes[column])
        for code, number in enumerate(numbers.tolist()):
            hidden = fitted._generator(noise, torch.full((200,), number))
            logits = fitted._generator.codes(hidden)[:, begin : begin + size]
            assert (logits.argmax(dim=1) == code).float().mean() > 0.9


def test_rows_mostly_obey_the_condition_they_were_made_for(fitted, conditions):
    for number in range(len(conditions)):
        index = make(fitted, number)
        obeyed = index[:, conditions.columns[number]] == conditions.positions[number]
        assert obeyed.float().mean() > 0.85


@pytest.mark.parametrize("block", range(4))
def test_unconditional_shares_are_the_real_ones_not_the_logarithmic(dependent, made, block):
    real, ours = (np.bincount(t.codes[:, block]) / len(t) for t in (dependent, made))
    # By the logarithm of its frequency the 2% code of block 0 would come in 22% of the conditions.
    assert np.abs(real - ours).max() < 0.02
    assert (np.abs(ours / real - 1) < 0.4).all()


def test_a_block_that_copies_another_still_does(made):
    # 0.9 in the data; 0.48 if the blocks were independent.
    assert 0.75 < (made.codes[:, 0] == made.codes[:, 1]).mean() < 0.99


def test_the_component_of_a_number_follows_the_rank(made):
    known = made.codes[:, 2] != 2
    assert ((made.codes[known, 2] == 1) == (made.codes[known, 0] != 0)).mean() > 0.85


def test_offsets_follow_the_distribution_of_their_code(made):
    peak = made.offsets[made.codes[:, 2] == 0, 0]
    even = made.offsets[made.codes[:, 2] == 1, 0]
    assert peak.mean() == pytest.approx(0.5, abs=0.1)
    assert peak.std() < 0.25
    assert even.std() > 0.3
    assert (made.offsets[made.codes[:, 2] == 2] == 0).all()


def test_no_gradient_of_the_critics_step_reaches_the_generator(dependent, monkeypatch):
    class Watch(Adam):
        def step(self, rate):
            seen.append([bool(one.gradient.any()) for one in both])
            super().step(rate)

    seen, both = [], []
    monkeypatch.setattr(
        "tabsynth.models.ctgan.Adam", lambda *a, **k: both.append(Watch(*a, **k)) or both[-1]
    )
    CTGAN(CTGANParameters(hidden=8, steps=1)).fit(ExactTrainingData(dependent), Streams(1))
    # First the critic steps, then the generator; both stood still before.
    assert seen == [[False, True], [True, True]]


def test_the_penalty_is_that_of_the_slope_between_whole_rows(dependent):
    spans = Spans(dependent.layout, torch.device("cpu"))
    model = CTGAN(CTGANParameters(pac=2))
    critic = Critic(spans, 0, 12, 8, 2, Streams(1).torch("weights"))
    rows = Streams(3).torch("rows")
    shares = torch.rand((2, 6, spans.width), generator=rows)
    slots = torch.rand((2, 6, spans.n_slots), generator=rows)
    real, made = (critic.rows.soft(*row) for row in zip(shares, slots, strict=True))
    found = model._penalty(critic, real, made, torch.zeros(6), Streams(2).torch("place")).detach()
    place = torch.rand((3, 1), generator=Streams(2).torch("place")).repeat_interleave(2, dim=0)
    points = [torch.lerp(*both, place).requires_grad_() for both in (shares, slots)]
    scores = critic(critic.rows.soft(*points), torch.zeros(6))
    slopes = torch.cat(torch.autograd.grad(scores.sum(), points), dim=1)
    expected = (slopes.view(3, -1).norm(dim=1) - 1).square().mean().detach()
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_a_row_does_not_depend_on_its_neighbours(fitted):
    noise = torch.randn((50, fitted.parameters.noise), generator=Streams(1).torch("z"))
    conditions = torch.zeros(50, dtype=torch.int64)
    together = fitted._generator(noise, conditions)
    alone = fitted._generator(noise[:1], conditions[:1])
    assert torch.allclose(together[:1], alone, atol=1e-5)


def test_the_critic_is_not_kept(fitted):
    names = {name.split(".")[0] for name in fitted.state().tensors}
    assert names == {"generator", "frequencies"}

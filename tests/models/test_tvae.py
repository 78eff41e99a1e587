"""TVAE learns codes, offsets and their dependence, and draws rows instead of the likeliest."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.models.tvae import TVAE, TVAEParameters
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams


@pytest.fixture(scope="module")
def made(dependent):
    parameters = TVAEParameters(hidden=64, latent=8, steps=500, batch_size=128)
    model = TVAE(parameters).fit(ExactTrainingData(dependent), Streams(5))
    return model.sample(20_000, Streams(6))


@pytest.mark.parametrize("block", range(4))
def test_shares_of_codes_come_back_within_a_hundredth_rare_ones_within_a_third(
    dependent, made, block
):
    real, ours = (np.bincount(t.codes[:, block]) / len(t) for t in (dependent, made))
    # 20,000 draws of a share of 0.02 have a standard deviation of 0.001.
    assert np.abs(real - ours).max() < 0.015
    assert (np.abs(ours / real - 1) < 0.35).all()


def test_a_block_that_copies_another_still_does(made):
    # 0.9 in the data; 0.48 if the blocks were independent.
    assert 0.82 < (made.codes[:, 0] == made.codes[:, 1]).mean() < 0.96


def test_a_rare_category_keeps_what_goes_with_it(made):
    rare = made.codes[:, 0] == 2
    # 0.9 in the data; 0.06 if the blocks were independent.
    assert (made.codes[rare, 1] == 2).mean() > 0.4


def test_independent_blocks_stay_independent(made):
    first, second = made.codes[:, 0] == 0, made.codes[:, 3] == 1
    both = (first & second).mean()
    assert both == pytest.approx(first.mean() * second.mean(), abs=0.01)


def test_offsets_follow_the_distribution_of_their_code(made):
    peak = made.offsets[made.codes[:, 2] == 0, 0]
    even = made.offsets[made.codes[:, 2] == 1, 0]
    assert peak.mean() == pytest.approx(0.5, abs=0.04)
    assert peak.std() == pytest.approx(0.1, abs=0.04)
    assert even.mean() == pytest.approx(0.0, abs=0.08)
    assert even.std() == pytest.approx(3**-0.5, abs=0.08)
    assert (made.offsets[made.codes[:, 2] == 2] == 0).all()


def test_rows_differ_although_one_is_likeliest(made):
    assert len(np.unique(made.codes, axis=0)) > 20


def test_without_a_mixture_the_latent_comes_from_the_prior(dependent):
    parameters = TVAEParameters(hidden=8, steps=5, components=0)
    model = TVAE(parameters).fit(ExactTrainingData(dependent), Streams(5))
    assert not any(name.startswith("latent") for name in model.state().tensors)
    assert len(model.sample(10, Streams(1))) == 10


def test_neither_encoder_nor_rows_are_kept(dependent):
    model = TVAE(TVAEParameters(hidden=8, steps=5))
    tensors = model.fit(ExactTrainingData(dependent), Streams(5)).state().tensors
    assert {name.split(".")[0] for name in tensors} <= {"decoder", "latent"}
    assert max(value.shape[0] for value in tensors.values() if value.ndim) < len(dependent)


def test_the_loss_falls(dependent):
    parameters = TVAEParameters(hidden=32, latent=4, steps=100, batch_size=64)
    model = TVAE(parameters).fit(ExactTrainingData(dependent), Streams(5))
    losses = model.loss_history_["reconstruction"]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.2

"""What the networks of an adversarial model pay, and that training on it makes rows like the table.

The presets are tested here too: they are the same classes with other defaults.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabsynth.errors import ConfigError
from tabsynth.models import models
from tabsynth.models.ctgan import CTGAN, CTGANParameters
from tabsynth.models.neural.losses import LOSSES, critic_loss, generator_loss
from tabsynth.models.tvae import TVAE
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams


def fit(name, table, **parameters):
    kind = models.get(name)
    small = {"hidden": 48, "noise": 16, "embedding": 24, "steps": 300, "batch_size": 120}
    if name in ("tvae", "vae"):
        small = {"hidden": 48, "latent": 8, "steps": 300, "batch_size": 120}
    model = kind(kind.parameters_type(**{**small, **parameters}))
    return model.fit(ExactTrainingData(table), Streams(5))


@pytest.mark.parametrize("name", LOSSES)
def test_a_critic_that_scores_real_packs_higher_pays_less(name):
    low, high = torch.tensor([-0.5, -0.2]), torch.tensor([0.3, 0.6])
    assert critic_loss(name, high, low) < critic_loss(name, low, low) < critic_loss(name, low, high)


@pytest.mark.parametrize("name", LOSSES)
def test_a_generator_pays_less_for_higher_scores_and_its_slope_never_vanishes(name):
    scores = torch.tensor([-30.0, 0.5], requires_grad=True)
    loss = generator_loss(name, scores)
    loss.backward()
    # The mean over two packs halves the slope of each.
    assert scores.grad[0] == pytest.approx(-0.5, abs=1e-6)
    assert scores.grad[1] < -0.1


def test_the_hinge_loss_is_content_with_a_margin_of_one():
    scores = torch.tensor([1.5], requires_grad=True)
    critic_loss("hinge", scores, torch.tensor([-1.5])).backward()
    assert scores.grad == 0


@pytest.mark.parametrize("name", LOSSES)
def test_rows_depend_on_each_other_after_training_on_any_loss(dependent, name):
    made = fit("ctgan", dependent, loss=name).sample(10_000, Streams(6))
    # 0.9 in the data; 0.48 if the blocks were independent.
    assert 0.7 < (made.codes[:, 0] == made.codes[:, 1]).mean() < 1.0


def test_the_loss_is_used(dependent):
    states = [fit("ctgan", dependent, loss=name, steps=3).state().tensors for name in LOSSES]
    weights = [state["generator.codes.narrow.weight"] for state in states]
    assert not np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_without_conditions_rows_are_made_from_noise_alone(dependent):
    model = fit("ctgan", dependent, conditional=False, steps=3)
    assert len(model.state().tensors["frequencies"]) == 0
    assert "condition" not in model.loss_history_.columns
    assert model.state().tensors["generator.condition"].shape[0] == 0


def test_presets_are_the_same_class_with_other_defaults():
    wgan, vae = models.get("wgan"), models.get("vae")
    assert issubclass(wgan, CTGAN)
    assert issubclass(vae, TVAE)
    assert wgan.fit is CTGAN.fit
    assert vae.fit is TVAE.fit
    assert wgan().coding.kind == vae().coding.kind == "scalar"
    assert not wgan().parameters.conditional
    assert CTGANParameters().conditional


@pytest.mark.parametrize("name", ["wgan", "vae"])
def test_presets_learn_what_columns_say_about_each_other(dependent, name):
    made = fit(name, dependent).sample(10_000, Streams(6))
    assert 0.7 < (made.codes[:, 0] == made.codes[:, 1]).mean() < 1.0
    assert made.codes[:, 3].mean() == pytest.approx(0.05, abs=0.02)


def test_a_loss_that_is_not_known_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"^loss must be one of wgan-gp, hinge, bce\."):
        CTGANParameters(loss="mse")

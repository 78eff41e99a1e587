"""Every registered model keeps the contract of a model."""

import pytest

from tabsynth.models import models
from tabsynth.testing import check_model

QUICK = {
    "autoregressive": {"steps": 15},
    "ctgan": {"steps": 10},
    "tree": {"rounds": 10},
    "tvae": {"steps": 15},
    "vae": {"steps": 15},
    "wgan": {"steps": 10},
}


@pytest.mark.parametrize("name", models.names())
def test_the_model_keeps_its_contract(name):
    check_model(models.get(name), QUICK.get(name))

"""Which model is taken, and how long it is said to take."""

from __future__ import annotations

import pytest

from tabsynth import Synthesizer
from tabsynth.choice import choose_model, estimate
from tabsynth.models import models


def test_auto_takes_a_model_that_fills_up_rows_where_that_is_wished():
    plain, wished = (choose_model("auto", 5_000, conditional=flag) for flag in (False, True))
    assert models.get(plain.model).completes != "directly"
    assert models.get(wished.model).completes == "directly"
    assert wished.reason != plain.reason
    assert Synthesizer(conditional=True).choose(5_000) == wished


@pytest.mark.parametrize("conditional", [False, True])
def test_a_wish_changes_neither_what_is_asked_for_nor_what_few_rows_get(conditional):
    assert choose_model("ctgan", 5_000, conditional=conditional).model == "ctgan"
    assert choose_model("auto", 199, conditional=conditional).model == "independent"


@pytest.mark.parametrize("model", models.names())
def test_the_estimate_grows_with_the_table(model):
    small, large = (estimate(model, {}, n_rows, 10) for n_rows in (500, 20_000))
    assert 0 < small < large
    assert estimate(model, {}, 20_000, 40) > large


@pytest.mark.parametrize("model", ["tvae", "ctgan", "autoregressive"])
def test_the_estimate_follows_the_steps_and_the_time_that_are_asked_for(model):
    usual = estimate(model, {}, 20_000, 10)
    assert estimate(model, {"steps": 10}, 20_000, 10) < usual / 4
    assert estimate(model, {"max_seconds": 2}, 20_000, 10) < 4

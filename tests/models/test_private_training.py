"""Networks under a privacy budget: small fits that hold to it, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.encoding import Given
from tabsynth.errors import PrivacyError
from tabsynth.models import models
from tabsynth.models.neural.private import known_shares, nearest_shares
from tabsynth.models.neural.spans import Spans
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.counting import Counts
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.training import ExactTrainingData, PrivateTrainingData
from tabsynth.random import Streams
from tabsynth.testing import toy_table

NAMES = ["autoregressive", "tvae", "ctgan"]
N = 200


def private(n=N, seed=None, sigma=3.0):
    """Return private data of `n` rows that says it has `N`, and its ledger."""
    table, ledger = toy_table(n), Ledger(PrivacyBudget(3.0, 1e-5))
    # The same for all n, as what is known is public or was bought.
    exact = ExactTrainingData(toy_table(N)).known()
    rng = np.random.default_rng(0)
    known = [
        Counts(counts.blocks, counts.values + rng.normal(0, sigma, counts.values.shape), sigma)
        for counts in exact
    ]
    return PrivateTrainingData(table, N, known, ledger, Noise(seed)), ledger


def fit(name, data, seed=1, **parameters):
    kind = models.get(name)
    model = kind(kind.parameters_type(**{"steps": 5, "batch_size": N, **parameters}))
    return model.fit(data, Streams(seed))


@pytest.mark.parametrize("name", NAMES)
def test_a_private_fit_spends_the_budget_and_makes_rows(name):
    data, ledger = private()
    model = fit(name, data)
    assert ledger.spends[-1].steps == model.steps_ == 5
    assert 0.99 * 3 < ledger.epsilon() <= 3.0 + 1e-5
    made = model.sample(30, Streams(2))
    assert len(made) == 30
    assert (made.codes < made.layout.sizes).all()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_told_of_losses(name):
    reports = []
    data, _ = private()
    kind = models.get(name)
    model = kind(kind.parameters_type(steps=5, batch_size=N))
    model.fit(data, Streams(1), reports.append)
    assert not len(model.loss_history_)
    assert reports
    assert all(not report.metrics for report in reports)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_does_not_fix_the_noise(name):
    first, second = (fit(name, private()[0]).state().tensors for _ in range(2))
    assert any(not np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_and_the_noise_fix_all(name):
    first, second = (fit(name, private(seed=4)[0]).state().tensors for _ in range(2))
    assert all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_more_changes_no_shape_and_no_name(name):
    states = [fit(name, private(n)[0]).state() for n in (N, N + 1)]
    shapes = [{key: value.shape for key, value in state.tensors.items()} for state in states]
    assert shapes[0] == shapes[1]
    assert states[0].values == states[1].values


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_makes_the_same_rows(name):
    data, _ = private()
    model = fit(name, data)
    loaded = type(model).from_state(model.parameters, data.layout, model.state())
    made, again = (some.sample(20, Streams(3)) for some in (model, loaded))
    assert np.array_equal(made.codes, again.codes)
    given = Given(made, np.eye(len(data.layout), dtype=bool)[[0] * len(made)])
    assert model.way == loaded.way
    completed, same = (some.complete(given, Streams(3)) for some in (model, loaded))
    assert np.array_equal(completed.table.codes, same.table.codes)
    assert np.array_equal(completed.table.codes[:, 0], made.codes[:, 0])
    assert completed.effort.way == model.way


def test_conditions_are_those_of_ctgan_without_a_budget():
    import torch

    from tabsynth.models.neural.conditions import Conditions
    from tabsynth.models.neural.marginals import read_shares
    from tabsynth.models.neural.private_adversary import Conditioned

    table = toy_table(N)
    spans = Spans(table.layout, torch.device("cpu"))
    index = spans.index(table.codes)
    wanted, found = (
        Conditions(index, spans),
        Conditioned.of(read_shares(index, spans), spans, True),
    )
    assert torch.equal(found.columns, wanted.columns)
    assert torch.equal(found.positions, wanted.positions)
    np.testing.assert_allclose(found.frequencies, wanted.weights(logarithmic=False), atol=1e-6)


def test_the_condition_of_a_row_is_one_of_its_codes_and_changes_from_step_to_step():
    import torch

    from tabsynth.models.neural.chance import RowChance
    from tabsynth.models.neural.ghost_critic import GhostCritic
    from tabsynth.models.neural.private_adversary import Conditioned

    table = toy_table(N)
    spans = Spans(table.layout, torch.device("cpu"))
    index = spans.index(table.codes).long()
    met = Conditioned.of(torch.ones(spans.width), spans, True)
    chance = RowChance(spans.width, torch.Generator().manual_seed(1), spans.device)
    critic = GhostCritic(spans, met.columns, 4, Streams(1).torch("weights"), chance)
    found = []
    for step in range(20):
        conditions = critic.conditions(index)
        assert (index == met.positions[conditions][:, None]).any(1).all()
        # A row's condition does not depend on which rows are with it.
        assert torch.equal(critic.conditions(index[5:7]), conditions[5:7])
        found.append(met.columns[conditions])
        chance.goes_on(step)
    assert set(torch.cat(found).tolist()) == set(met.columns.tolist())


def test_numbers_of_a_row_are_even_and_normal():
    import torch
    from scipy import stats

    from tabsynth.models.neural.chance import RowChance

    chance = RowChance(1000, torch.Generator().manual_seed(1), torch.device("cpu"))
    index = torch.arange(1000)[:, None]
    levels = []
    for step in range(20):
        levels.append(chance.uniform(index, 5).flatten())
        chance.goes_on(step)
    levels = torch.cat(levels).numpy()
    assert 0 < levels.min() < levels.max() < 1
    assert stats.kstest(levels, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(levels[:-1], levels[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(levels[:-5000], levels[5000:])[0, 1]) < 0.02
    assert stats.kstest(chance.normal(index, 20).flatten().numpy(), "norm").pvalue > 1e-4


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("ctgan", {"pac": 2}),
        ("ctgan", {"coding": "modes"}),
        ("ctgan", {"loss": "wgan-gp"}),
        ("tvae", {"coding": "modes"}),
        ("autoregressive", {"held_out": 0.1}),
    ],
)
def test_what_is_not_private_is_refused_before_the_budget_is_touched(name, wish):
    kind = models.get(name)
    with pytest.raises(PrivacyError, match="under a privacy budget"):
        kind(kind.parameters_type(**wish)).check_private()
    data, ledger = private()
    with pytest.raises(PrivacyError, match="under a privacy budget"):
        fit(name, data, **wish)
    assert ledger.spends == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "wish", [{"max_seconds": 5.0}, {"compile": True}, {"held_out": 0.1}, {"precision": "bfloat16"}]
)
def test_what_lets_rows_decide_is_refused_and_costs_nothing(name, wish):
    if name == "ctgan" and "held_out" in wish:
        pytest.skip("holds no rows out at all")
    data, ledger = private()
    with pytest.raises(PrivacyError, match="not allowed under a privacy budget"):
        fit(name, data, **wish)
    assert ledger.spends == []


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_refused(name, tmp_path):
    kind = models.get(name)
    data, ledger = private()
    with pytest.raises(PrivacyError, match="checkpoint"):
        kind(kind.parameters_type()).fit(data, Streams(1), checkpoint=tmp_path / "state")
    assert ledger.spends == []
    assert list(tmp_path.iterdir()) == []


def test_nearest_shares_are_shares_and_leave_shares_alone():
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = rng.normal(0.1, 0.3, rng.integers(1, 12))
        shares = nearest_shares(values)
        assert (shares >= 0).all()
        assert shares.sum() == pytest.approx(1)
        np.testing.assert_allclose(nearest_shares(shares), shares, atol=1e-12)
        # No other shares are nearer.
        others = rng.dirichlet(np.ones(len(values)), 200)
        far = np.linalg.norm(others - values, axis=1)
        assert np.linalg.norm(shares - values) <= far.min() + 1e-12


def test_known_shares_are_those_of_the_rows_where_nothing_is_noisy():
    import torch

    from tabsynth.models.neural.marginals import read_shares

    table = toy_table(N)
    spans = Spans(table.layout, torch.device("cpu"))
    found = known_shares(ExactTrainingData(table).known(), spans)
    wanted = read_shares(spans.index(table.codes), spans)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-6)

"""What holds for every model that is a network."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from tabsynth.encoding import Block, EncodedTable, Layout
from tabsynth.errors import ConfigError, DataError, PrivacyError
from tabsynth.models import models
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.testing import check_encoded, check_model, toy_table

NAMES = ["tvae", "ctgan", "vae", "wgan", "autoregressive"]
NETWORKS = {
    "tvae": "_decoder",
    "vae": "_decoder",
    "ctgan": "_generator",
    "wgan": "_generator",
    "autoregressive": "_network",
}
SMALL = {"hidden": 16, "steps": 6}


def build(name, **parameters):
    kind = models.get(name)
    return kind(kind.parameters_type(**{**SMALL, **parameters}))


def fit(name, table, seed=3, **parameters):
    return build(name, **parameters).fit(ExactTrainingData(table), Streams(seed))


def bytes_of(state):
    return {name: (value.dtype, value.shape, value.tobytes()) for name, value in state.items()}


@pytest.mark.parametrize("name", ["tvae", "ctgan", "vae", "wgan"])
@pytest.mark.parametrize("coding", ["modes", "bins", "scalar"])
def test_the_model_keeps_its_contract(name, coding):
    check_model(models.get(name), {**SMALL, "coding": coding}, n_rows=90)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(name):
    first, again, other = (fit(name, toy_table(80), seed) for seed in (3, 3, 4))
    assert bytes_of(first.state().tensors) == bytes_of(again.state().tensors)
    assert bytes_of(first.state().tensors) != bytes_of(other.state().tensors)
    one, two = first.sample(40, Streams(1)), again.sample(40, Streams(1))
    assert one.codes.tobytes() == two.codes.tobytes()
    assert one.offsets.tobytes() == two.offsets.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_rebuilt_from_its_state_gives_the_same_state_and_rows(name):
    model = fit(name, toy_table(80))
    state = model.state()
    again = type(model).from_state(model.parameters, toy_table(1).layout, state)
    assert bytes_of(again.state().tensors) == bytes_of(state.tensors)
    one, two = model.sample(5_000, Streams(1)), again.sample(5_000, Streams(1))
    assert one.codes.tobytes() == two.codes.tobytes()
    assert one.offsets.tobytes() == two.offsets.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_state_does_not_share_memory_with_the_model(name):
    model = fit(name, toy_table(80))
    before = model.sample(20, Streams(1))
    for tensor in model.state().tensors.values():
        tensor[...] = 0
    assert np.array_equal(before.codes, model.sample(20, Streams(1)).codes)


@pytest.mark.parametrize("name", NAMES)
def test_global_random_state_neither_changes_nor_matters(name):
    before = torch.random.get_rng_state()
    first = fit(name, toy_table(60))
    first.sample(5, Streams(1))
    assert torch.equal(before, torch.random.get_rng_state())
    with torch.random.fork_rng():
        torch.rand(7)
        second = fit(name, toy_table(60))
    assert bytes_of(first.state().tensors) == bytes_of(second.state().tensors)


@pytest.mark.parametrize("name", NAMES)
def test_odd_tables_train_and_give_rows_of_their_layout(name, odd_table):
    made = fit(name, odd_table).sample(33, Streams(1))
    assert (len(made), made.layout) == (33, odd_table.layout)
    check_encoded(made)


@pytest.mark.parametrize("name", NAMES)
def test_codes_that_no_row_has_are_never_drawn(name):
    table = EncodedTable.empty(60, Layout((Block("a", 6), Block("b", 3))))
    table.codes[:, 0] = np.arange(60) % 2 * 3
    made = fit(name, table).sample(3_000, Streams(1))
    assert set(made.codes[:, 0]) == {0, 3}
    assert set(made.codes[:, 1]) == {0}


@pytest.mark.parametrize("name", NAMES)
def test_a_layout_without_blocks_gives_rows_without_columns(name):
    table = EncodedTable.empty(7, Layout(()))
    model = fit(name, table)
    again = type(model).from_state(model.parameters, table.layout, model.state())
    for some in (model, again):
        assert some.sample(4, Streams(1)).codes.shape == (4, 0)
        assert some.sample(0, Streams(1)).offsets.shape == (0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_are_an_error_that_names_the_model(name):
    with pytest.raises(DataError, match=f"{name}.*no rows"):
        fit(name, toy_table(0))


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_that_closes_the_table_is_not_circumvented(name):
    class Closed(ExactTrainingData):
        def table(self):
            raise PrivacyError("closed")

    with pytest.raises(PrivacyError):
        build(name).fit(Closed(toy_table(50)), Streams(1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch_size", [1, 7, 33, 1_000])
def test_any_batch_size_trains(name, batch_size):
    model = fit(name, toy_table(50), batch_size=batch_size)
    assert np.isfinite(model.loss_history_.drop(columns="penalty", errors="ignore")).all(axis=None)
    check_encoded(model.sample(10, Streams(1)))


@pytest.fixture
def on_threads():
    """Give torch a number of threads, and its own back when the test is over."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
def test_rows_do_not_depend_on_the_threads_that_made_them(name, on_threads, monkeypatch):
    monkeypatch.setattr("tabsynth.models.neural.sampling.chunk_rows", lambda spans: 64)
    monkeypatch.setattr("tabsynth.models.neural.unrolled.MOST_ROWS", 64)
    fitted, made = fit(name, toy_table(80)), []
    for count in (1, 3):
        on_threads(count)
        made.append(fitted.sample(500, Streams(1)))
        assert torch.get_num_threads() == count
    assert made[0].codes.tobytes() == made[1].codes.tobytes()
    assert made[0].offsets.tobytes() == made[1].offsets.tobytes()
    # No chunk repeats another one.
    assert not np.array_equal(made[0].codes[:64], made[0].codes[64:128])


def test_a_monitor_that_raises_ends_sampling_on_threads(on_threads, monkeypatch):
    monkeypatch.setattr("tabsynth.models.neural.sampling.chunk_rows", lambda spans: 64)
    fitted, seen = fit("tvae", toy_table(80)), []

    def stop(progress):
        seen.append(progress.done)
        raise KeyboardInterrupt

    on_threads(2)
    with pytest.raises(KeyboardInterrupt):
        fitted.sample(5_000, Streams(1), stop)
    assert seen == [64]
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", NAMES)
def test_progress_is_told_to_the_end_and_at_most_a_hundred_times(name):
    told = []
    model = build(name, steps=150, hidden=4, batch_size=20)
    model.fit(ExactTrainingData(toy_table(40)), Streams(1), told.append)
    assert len(told) <= 100
    assert {report.phase for report in told} == {f"training {name}"}
    assert (told[-1].done, told[-1].total) == (150, 150)
    assert np.isfinite(told[-1].metrics["loss"])
    assert len(model.loss_history_) == len(told)
    told.clear()
    model.sample(5_000, Streams(1), told.append)
    assert (told[-1].done, told[-1].total) == (5_000, 5_000)
    assert len(told) > 1


@pytest.mark.parametrize("name", NAMES)
def test_what_is_trained_is_not_the_mode_that_samples(name):
    model = fit(name, toy_table(50))
    network = getattr(model, NETWORKS[name])
    assert not any(part.training for part in network.modules())
    assert not any(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("device", "abacus"),
        ("hidden", 0),
        ("hidden", 2.5),
        ("hidden", True),
        ("steps", 0),
        ("epochs", -1),
        ("batch_size", "many"),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("average", 1.0),
    ],
)
def test_a_bad_hyper_parameter_is_refused_by_name(name, parameter, value):
    with pytest.raises(ConfigError, match=f"^{parameter} must be"):
        build(name, **{parameter: value})


@pytest.mark.parametrize("name", ["tvae", "ctgan"])
def test_a_coding_that_is_not_there_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=r"^coding must be"):
        build(name, coding="one-hot")


@pytest.mark.parametrize("name", ["tvae", "ctgan", "autoregressive"])
def test_thousands_of_categories_need_little_memory(name):
    n, size = 20_000, 8_000
    layout = Layout((Block("place", size), Block("kind", 4)))
    rng = np.random.Generator(np.random.PCG64(1))
    place = (size * rng.random(n) ** 3).astype(np.int32)
    table = EncodedTable(
        np.stack([place, place % 4], axis=1).astype(np.int32),
        np.zeros((n, 0), dtype=np.float32),
        layout,
    )
    model = fit(name, table, hidden=128)
    # A full layer of 128 units would take 8,000 x 128 numbers for this block alone.
    assert sum(value.size for value in model.state().tensors.values()) < size * 128
    made = model.sample(2_000, Streams(1))
    assert np.isin(made.codes[:, 0], place).all()


def test_listing_models_does_not_import_torch():
    code = (
        "import sys; from tabsynth.models import models; assert 'tvae' in models.names(); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

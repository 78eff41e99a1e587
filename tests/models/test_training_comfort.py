"""Checkpoints, limits, early stopping and Ctrl-C: what a long training can be put through."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading

import numpy as np
import pytest
import torch
from safetensors import safe_open

from tabsynth.encoding import EncodedTable, Layout
from tabsynth.errors import ArtifactError, ConfigError, DataError, PrivacyError
from tabsynth.models import IterativeModel, models
from tabsynth.models.neural import training as engine
from tabsynth.models.neural.device import autocast, threads
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.stopping import EarlyStopping, interruptible
from tabsynth.models.neural.training import Training, TrainingParameters
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.testing import toy_table

NAMES = [name for name, kind in models.items() if issubclass(kind, IterativeModel)]
SMALL = {"hidden": 12, "steps": 40, "batch_size": 20}
EARLY = {"held_out": 0.3, "patience": 90}

pytestmark = pytest.mark.usefixtures("keyboard")


class Killed(Exception):
    """Stands for a process that ends."""


def build(name, **parameters):
    kind = models.get(name)
    return kind(kind.parameters_type(**{**SMALL, **parameters}))


def fit(name, path=None, *, monitor=lambda progress: None, seed=3, table=None, **parameters):
    data = ExactTrainingData(toy_table(90) if table is None else table)
    return build(name, **parameters).fit(data, Streams(seed), monitor, checkpoint=path)


def kill_after(step):
    def monitor(progress):
        if progress.done == step:
            raise Killed

    return monitor


def bytes_of(model):
    return {name: value.tobytes() for name, value in model.state().tensors.items()}


@pytest.fixture
def eager(monkeypatch):
    """Write a checkpoint after every step."""
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(engine, "CHECKPOINT_SHARE", 1e9)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("step", [1, 6, 12])
@pytest.mark.parametrize(
    ("name", "parameters"),
    [*((name, {}) for name in NAMES), ("tvae", EARLY), ("autoregressive", EARLY)],
    ids=str,
)
def test_a_training_killed_and_resumed_equals_an_uninterrupted_one(
    tmp_path, name, parameters, step
):
    parameters = {"steps": 12, **parameters}
    whole = fit(name, **parameters)
    path = tmp_path / "run.training"
    with pytest.raises(Killed):
        fit(name, path, monitor=kill_after(step), **parameters)
    told = []
    resumed = fit(name, path, monitor=told.append, **parameters)
    # The report is told before the checkpoint is written, so the step that was told is repeated.
    assert told[0].done == max(step, 1)
    assert bytes_of(resumed) == bytes_of(whole)
    history = whole.loss_history_.drop(columns="seconds")
    assert resumed.loss_history_.drop(columns="seconds").equals(history)
    assert (resumed.steps_, resumed.stopped_) == (whole.steps_, whole.stopped_)


@pytest.mark.usefixtures("eager")
def test_a_checkpoint_between_two_reports_keeps_the_losses_since_the_first(tmp_path):
    def update(step, place):
        if step == limit:
            raise Killed
        return {"loss": torch.tensor(float(step))}

    def train():
        run = Training("x", 150, {}, TrainingParameters(), lambda progress: None, checkpoint=file)
        run.run(update)
        return run.history()["loss"].tolist()

    run = {"model": "x", "parameters": {}, "layout": "", "seed": [1], "rows": "", "device": "cpu"}
    file = engine.Checkpoint(tmp_path / "x", run)
    limit = 33
    with pytest.raises(Killed):
        train()
    limit = 150
    assert train() == [2 * number + 0.5 for number in range(75)]


@pytest.mark.parametrize("name", NAMES)
def test_a_finished_checkpoint_stays_and_gives_the_same_model_at_once(tmp_path, name):
    path = tmp_path / "run.training"
    first = fit(name, path)
    told = []
    again = fit(name, path, monitor=told.append)
    assert told == []
    assert path.exists()
    assert bytes_of(again) == bytes_of(first)
    assert bytes_of(first) == bytes_of(fit(name))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 4}, "the seed"),
        ({"hidden": 13}, "hyper-parameters"),
        ({"table": toy_table(91)}, "the rows of the table"),
        ({"table": EncodedTable.empty(90, Layout(toy_table(1).layout.blocks[:2]))}, "the columns"),
    ],
    ids=["seed", "parameter", "rows", "layout"],
)
def test_the_checkpoint_of_another_training_is_refused_and_says_what_differs(
    tmp_path, change, words
):
    path = tmp_path / "run.training"
    fit("tvae", path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=f"belongs to another training.*{words}"):
        fit("tvae", path, **change)
    with pytest.raises(ConfigError, match="the model"):
        fit("ctgan", path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"{}" * 50])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="no checkpoint"):
        fit("tvae", path)
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_refused_before_training(tmp_path):
    told = []
    with pytest.raises(DataError):
        fit("tvae", tmp_path / "none" / "run.training", monitor=told.append)
    assert told == []


def test_a_checkpoint_is_safetensors_with_json_and_holds_no_cells(tmp_path):
    path = tmp_path / "run.training"
    fit("ctgan", path)
    with safe_open(path, framework="np") as file:
        document = json.loads(file.metadata()["tabsynth_checkpoint"])
        names = {name.split("/")[0] for name in file.keys()}  # noqa: SIM118
    assert set(document) == {"format", "run", "values"}
    assert document["values"]["step"] == 40
    assert names == {"generator", "critic", "making", "judging", "noise", "sums"}
    assert len(document["run"]["rows"]) == 64


@pytest.mark.parametrize("name", NAMES)
def test_a_time_limit_ends_the_training_and_says_so(name, caplog, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(engine.time, "monotonic", lambda: now[0])

    def tick(progress):
        now[0] += 1.0

    told = []
    with caplog.at_level(logging.WARNING, "tabsynth"):
        model = fit(
            name, monitor=lambda progress: (tick(progress), told.append(progress)), max_seconds=9.5
        )
    # A step takes a second here: the tenth would end after the limit.
    assert (model.steps_, model.stopped_) == (9, "out of time")
    assert "step 9 of 40: the time limit was reached" in caplog.text
    assert "step 9 of 40" in told[-1].phase
    again = type(model).from_state(model.parameters, toy_table(1).layout, model.state())
    assert (again.steps_, again.stopped_) == (9, "out of time")
    assert len(model.sample(5, Streams(1))) == 5


def test_the_schedule_reaches_its_end_under_a_time_limit_and_counts_steps_without(monkeypatch):
    now, places = [0.0], []
    monkeypatch.setattr(engine.time, "monotonic", lambda: now[0])

    def update(step, place):
        places.append(place)
        now[0] += 1.0
        return {}

    for limit, wanted in ((None, range(1_000)), (20.0, range(0, 1_000, 50))):
        places.clear()
        parameters = TrainingParameters(max_seconds=limit)
        Training("x", 1_000, {}, parameters, lambda progress: None).run(update)
        assert places == pytest.approx(list(wanted))


def test_a_limit_that_is_not_reached_changes_nothing():
    assert bytes_of(fit("tvae", max_seconds=1e6)) == bytes_of(fit("tvae"))


def test_early_stopping_keeps_the_best_weights_and_ends_when_patience_does():
    weights = torch.nn.Parameter(torch.zeros(1))
    optimizer = Adam([weights], average=0.0)
    # The loss is least where the weight is 5; steps of 1 pass it.
    early = EarlyStopping(optimizer, lambda: (optimizer.weights[0] - 5).square(), patience=4)

    def update(step, place):
        optimizer.weights += 1.0
        return {}

    run = Training("x", 50, {}, TrainingParameters(), lambda progress: None, early=early)
    run.run(update)
    early.use_best()
    assert (run.step, run.stopped) == (9, "no better")
    assert float(weights.detach()) == 5.0
    assert run.history()["held_out"].tolist() == [16, 9, 4, 1, 0, 1, 4, 9, 16]


def test_rows_held_out_end_a_training_that_learns_rows_by_heart(dependent):
    some = ExactTrainingData(dependent.take(np.arange(150)))
    parameters = {"hidden": 64, "steps": 1_500, "batch_size": 30, "average": 0.9}
    model = build("tvae", held_out=0.3, **parameters).fit(some, Streams(1))
    assert model.stopped_ == "no better"
    assert model.steps_ < 1_500
    # The last look was worse than the best one, by which the weights were chosen.
    held_out = model.loss_history_["held_out"].dropna()
    assert held_out.iloc[-1] > held_out.min()


def test_too_few_rows_to_hold_out_are_an_error():
    with pytest.raises(ConfigError, match=r"held_out = 0\.1 of 90 rows are 9"):
        fit("tvae", held_out=0.1)


def test_no_rows_are_held_out_under_a_budget():
    class Closed(ExactTrainingData):
        def table(self):
            raise PrivacyError("closed")

    with pytest.raises(PrivacyError):
        build("tvae", held_out=0.3).fit(Closed(toy_table(90)), Streams(1))


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c_ends_the_training_keeps_the_model_and_says_so(name, tmp_path, caplog):
    def press(progress):
        if progress.done == 12 and not progress.phase.count(":"):
            os.kill(os.getpid(), signal.SIGINT)

    path = tmp_path / "run.training"
    with caplog.at_level(logging.WARNING, "tabsynth"):
        model = fit(name, path, monitor=press)
    assert (model.steps_, model.stopped_) == (12, "interrupted")
    assert "ended at step 12 of 40: it was interrupted" in caplog.text
    assert len(model.sample(5, Streams(1))) == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # The checkpoint goes on from there.
    assert bytes_of(fit(name, path)) == bytes_of(fit(name))


def test_the_second_ctrl_c_ends_everything():
    def press(progress):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit("tvae", monitor=press)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_that_handles_ctrl_c_itself_is_left_alone():
    noted = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: noted.append(number))
    try:
        with interruptible() as interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            assert (len(noted), interrupted()) == (1, False)
    finally:
        signal.signal(signal.SIGINT, previous)


def test_a_training_in_another_thread_works():
    found = []
    thread = threading.Thread(target=lambda: found.append(fit("tvae").steps_))
    thread.start()
    thread.join()
    assert found == [40]


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_trains_on_the_processor_and_leaves_weights_in_float32(name):
    model = fit(name, precision="bfloat16")
    tensors = model.state().tensors
    assert {value.dtype for value in tensors.values() if value.dtype.kind == "f"} <= {
        np.dtype(np.float32),
        np.dtype(np.float64),
    }
    assert bytes_of(model) != bytes_of(fit(name))
    assert bytes_of(model) == bytes_of(fit(name, precision="bfloat16"))
    assert np.isfinite(model.loss_history_["loss"]).all()


def test_layers_compute_in_the_precision_asked_for():
    weights, inputs, cpu = torch.zeros(3, 3), torch.zeros(2, 3), torch.device("cpu")
    for precision, dtype in (
        ("auto", torch.float32),
        ("float32", torch.float32),
        ("bfloat16", torch.bfloat16),
    ):
        with autocast(precision, cpu):
            assert torch.nn.functional.linear(inputs, weights).dtype == dtype


def test_a_device_without_bfloat16_refuses_it_and_auto_takes_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    for device in ("cuda", "mps"):
        with pytest.raises(ConfigError, match="precision is 'bfloat16'"):
            autocast("bfloat16", torch.device(device))
        with autocast("auto", torch.device(device)):
            pass


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_compiled_only_when_asked_for(name, monkeypatch):
    made = []

    def compile(function, **options):
        made.append(function)
        return function

    monkeypatch.setattr(torch, "compile", compile)
    plain = fit(name)
    assert made == []
    assert bytes_of(fit(name, compile=True)) == bytes_of(plain)
    assert made


def test_a_machine_that_cannot_compile_is_told_in_plain_words(monkeypatch):
    def compile(function, **options):
        def fail(*args):
            raise torch._dynamo.exc.TorchDynamoException("g++")

        return fail

    monkeypatch.setattr(torch, "compile", compile)
    with pytest.raises(ConfigError, match=r"compile is true, but .* C\+\+ compiler"):
        fit("tvae", compile=True)


def test_the_number_of_threads_is_lowered_inside_and_restored_after(monkeypatch):
    now = [8]
    monkeypatch.setattr(torch, "get_num_threads", lambda: now[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: now.__setitem__(0, n))
    for asked, inside in ((1, 1), (3, 3), (12, 8), (None, 8)):
        with threads(asked):
            assert now == [inside]
        assert now == [8]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("max_seconds", 0), ("max_seconds", "long"), ("precision", "half"), ("threads", 0)),
        ("compile", "yes"),
    ],
)
def test_a_bad_hyper_parameter_of_the_engine_is_refused_by_name(name, parameter, value):
    with pytest.raises(ConfigError, match=f"^{parameter} must be"):
        build(name, **{parameter: value})

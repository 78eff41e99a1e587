"""Inside a step nothing is fetched from the device, whatever the model."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tabsynth.models import IterativeModel, models
from tabsynth.models.neural.device import WIDEST
from tabsynth.models.neural.training import Training, TrainingParameters
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.testing import toy_table

NAMES = [name for name, kind in models.items() if issubclass(kind, IterativeModel)]
READS = (
    *("item", "cpu", "numpy", "tolist", "__array__"),
    *("__bool__", "__float__", "__int__", "__index__"),
)
WAITS = (
    *("_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "masked_select"),
    *("unique_dim", "_unique2", "unique_consecutive", "bincount", "repeat_interleave.Tensor"),
)


class Waiting(Exception):
    """The host would wait for the device."""


def here(args):
    return args[0].device


class Watch(TorchDispatchMode):
    """Raises where an operation needs a number of the device on the host."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func).removeprefix("aten.")
        if any(name == wait or name.startswith(f"{wait}.") for wait in WAITS):
            raise Waiting(name)
        if name.startswith(("index.", "index_put")):
            masks = [at for at in args[1] if at is not None and at.dtype == torch.bool]
            if masks:
                raise Waiting(f"{name} with a mask")
        if name.startswith("_to_copy") and (kwargs or {}).get("device", here(args)) != here(args):
            raise Waiting(f"{name} to another device")
        return func(*args, **(kwargs or {}))


@pytest.fixture
def steps(monkeypatch):
    """Let every step of a training run under watch; give how many there were."""
    done = []
    run = Training.run

    def refuse(tensor, *args, **kwargs):
        raise Waiting

    def watched(self, update):
        def step(*args):
            with Watch(), monkeypatch.context() as patch:
                for name in READS:
                    patch.setattr(torch.Tensor, name, refuse)
                losses = update(*args)
            done.append(args)
            return losses

        run(self, step)

    monkeypatch.setattr(Training, "run", watched)
    return done


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_no_step_waits_for_the_device(name, precision, steps):
    kind = models.get(name)
    small = {"hidden": 8, "steps": 4, "batch_size": 40, "precision": precision}
    model = kind(kind.parameters_type(**small))
    model.fit(ExactTrainingData(toy_table(100)), Streams(1))
    assert len(steps) == 4
    assert model.steps_ == 4


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: bool(x.any()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: range(3)[x.sum().long()],
        lambda x: torch.equal(x, x),
    ],
)
def test_the_watch_sees_what_waits(wait, steps):
    class Wrong:
        def __call__(self, step, place):
            wait(torch.ones(3))
            return {}

    with pytest.raises(Waiting):
        Training("x", 1, {}, TrainingParameters(), lambda progress: None).run(Wrong())


@pytest.mark.parametrize("name", NAMES)
def test_a_device_without_floats_of_64_bits_gets_none(name, monkeypatch):
    class Narrow(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            assert getattr(made, "dtype", None) != torch.float64, func
            return made

    monkeypatch.setitem(WIDEST, "cpu", torch.float32)
    kind = models.get(name)
    model = kind(kind.parameters_type(hidden=8, steps=3, batch_size=40))
    with Narrow():
        model.fit(ExactTrainingData(toy_table(100)), Streams(1)).sample(20, Streams(2))

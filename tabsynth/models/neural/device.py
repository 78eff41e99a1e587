"""Where tensors live: the one place that knows of processors and accelerators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import torch

from tabsynth.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda", "mps")
WIDEST = {"mps": torch.float32}
"""The widest floats of devices that do not have those of 64 bits."""

PRECISIONS = ("auto", "float32", "bfloat16")

Owner = TypeVar("Owner", bound=Any)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` takes CUDA where there is one, else the processor.

    Raises
    ------
    ConfigError
        If the device does not exist on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present[name]:
        raise ConfigError(f"device is {name!r}, which this machine does not have. Use 'auto'.")
    return torch.device(name)


def widest(device: torch.device) -> torch.dtype:
    """Return the type of the widest floats that `device` has, for sums over rows."""
    return WIDEST.get(device.type, torch.float64)


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Return a contiguous copy in main memory."""
    return np.array(tensor.detach().cpu().numpy(), order="C")


def read_weights(module: torch.nn.Module, prefix: str) -> dict[str, np.ndarray]:
    """Return the parameters and buffers of `module`, their names below `prefix`."""
    return {f"{prefix}.{name}": to_numpy(value) for name, value in module.state_dict().items()}


def write_weights(
    module: torch.nn.Module, tensors: Mapping[str, np.ndarray], prefix: str
) -> torch.nn.Module:
    """Put what `read_weights` returned into `module`, and set it to be used, not trained."""
    state = {
        name.removeprefix(f"{prefix}."): torch.from_numpy(np.array(value))
        for name, value in tensors.items()
        if name.startswith(f"{prefix}.")
    }
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which layers compute in `precision`; weights and losses stay float32.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        `auto` is bfloat16 on a CUDA device that has it, else float32.
    device : torch.device

    Raises
    ------
    ConfigError
        If the device has no bfloat16.
    """
    has = device.type == "cpu" or (device.type == "cuda" and torch.cuda.is_bf16_supported())
    if precision == "float32" or (precision == "auto" and not (has and device.type == "cuda")):
        return nullcontext()
    if not has:
        raise ConfigError(
            f"precision is 'bfloat16', which the device {device.type!r} does not have here. "
            "Use 'float32'."
        )
    return torch.autocast(device.type, dtype=torch.bfloat16)


def compiled(function: Callable[Arguments, Result], wanted: bool) -> Callable[Arguments, Result]:
    """Return `function` compiled by torch at its first call, or as it is.

    Raises
    ------
    ConfigError
        When it is called, if it cannot be compiled here.
    """
    if not wanted:
        return function
    fast = torch.compile(function, dynamic=False)

    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return fast(*args, **kwargs)
        except torch._dynamo.exc.TorchDynamoException as error:
            raise ConfigError(
                "compile is true, but torch cannot compile the layers on this machine: on a "
                "processor it needs a C++ compiler (such as g++), on CUDA Triton. Set compile to "
                "false."
            ) from error

    return call


@contextmanager
def threads(n: int | None) -> Iterator[None]:
    """Compute on at most `n` threads of the processor inside the block; None changes nothing.

    The number is one of the whole process, so whatever else computes with torch meanwhile has it
    too. It never rises above what it was.
    """
    before = torch.get_num_threads()
    if n is None or n >= before:
        yield
        return
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def on_few_threads(
    method: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """Let a method of a model compute on at most ``self.parameters.threads`` threads.

    Operations of networks of this size are short. Where other programs want the processor too, the
    threads of one operation wait for each other, which may take many times as long as the work.
    """

    @wraps(method)
    def limited(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with threads(self.parameters.threads):
            return method(self, *args, **kwargs)

    return limited

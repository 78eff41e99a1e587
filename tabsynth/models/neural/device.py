"""Where tensors live: the one place that knows of processors and accelerators."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tabsynth.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda", "mps")


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

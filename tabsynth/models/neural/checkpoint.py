"""Checkpoints: a training written down so exactly that it can go on as if never interrupted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ArtifactError, ConfigError
from tabsynth.io.atomic import atomic_path, check_output
from tabsynth.models.base import Model
from tabsynth.random import Streams

FORMAT = 1
"""Version of the file format; files of a newer one are refused."""

KEY = "tabsynth_checkpoint"
FREE = ("max_seconds", "threads")
"""Hyper-parameters that may differ when a training goes on."""

WORDS = {
    "model": "the model",
    "parameters": "hyper-parameters",
    "layout": "the columns or their coding",
    "seed": "the seed",
    "rows": "the rows of the table",
    "device": "the kind of device",
}


class Stateful(Protocol):
    """Something whose state a further step depends on."""

    def state(self) -> Mapping[str, torch.Tensor]:
        """Return the state."""

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` returned."""


Kept = nn.Module | torch.Generator | Stateful
"""What can be written into a checkpoint."""


class Checkpoint:
    """A file that holds the state of a training.

    Parameters
    ----------
    path : path
    run : mapping of str to JSON
        What the training is of; see `describe_run`. A file of another one is refused.

    Notes
    -----
    Privacy: the exact state of a training on private rows, with networks that the model file leaves
    out and the order in which rows come. It is as confidential as the table, and under no budget.

    The file is one of safetensors; a JSON document in its header holds numbers and history. It
    holds no code, and is replaced in one step.
    """

    def __init__(self, path: str | Path, run: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.run = dict(run)

    def write(self, values: Mapping[str, Any], kept: Mapping[str, Kept]) -> None:
        """Write the state of everything in `kept`, and `values`, which JSON can hold.

        Raises
        ------
        DataError
            If the file cannot be written; what was there stays.
        """
        from safetensors.torch import save

        tensors = {
            f"{name}/{key}": value.detach().to("cpu", copy=True).contiguous()
            for name, item in kept.items()
            for key, value in _state(item).items()
        }
        document = {"format": FORMAT, "run": self.run, "values": values}
        data = save(tensors, {KEY: json.dumps(document)})
        with atomic_path(self.path, force=True) as temporary:
            temporary.write_bytes(data)

    def read(self, kept: Mapping[str, Kept]) -> dict[str, Any] | None:
        """Restore everything in `kept` and return the values; None where there is no file.

        Raises
        ------
        ArtifactError
            If the file is no checkpoint, is damaged, or comes from a newer version.
        ConfigError
            If it belongs to another training.
        """
        if not self.path.exists():
            return None
        document, tensors = _read(self.path)
        other = document["run"]
        differing = [name for name in WORDS if other.get(name) != self.run.get(name)]
        if differing:
            raise ConfigError(
                f"Checkpoint {self.path} belongs to another training. Different are: "
                f"{', '.join(WORDS[name] for name in differing)}. Repeat the training that it "
                "belongs to, or name another file."
            )
        try:
            for name, item in kept.items():
                begin = f"{name}/"
                _restore(
                    item,
                    {k.removeprefix(begin): v for k, v in tensors.items() if k.startswith(begin)},
                )
        except (KeyError, RuntimeError) as error:
            raise _unreadable(self.path) from error
        values: dict[str, Any] = document["values"]
        return values


def open_checkpoint(
    path: str | Path | None,
    model: Model,
    table: EncodedTable,
    streams: Streams,
    device: torch.device,
) -> Checkpoint | None:
    """Return the checkpoint at `path` of a model's training; None where there is no path.

    Raises
    ------
    DataError
        If no file can be written there.
    """
    if path is None:
        return None
    check_output(path, force=True)
    return Checkpoint(path, describe_run(model, table, streams, device))


def describe_run(
    model: Model, table: EncodedTable, streams: Streams, device: torch.device
) -> dict[str, Any]:
    """Return what a training is of, as JSON: two that agree in it take the same steps.

    Rows and layout are told by their sha256.
    """
    parameters = model.parameters
    rows = hashlib.sha256(table.codes.tobytes())
    rows.update(table.offsets.tobytes())
    layout = json.dumps(table.layout.to_list(), sort_keys=True)
    own = {name: value for name, value in parameters.to_dict().items() if name not in FREE}
    return {
        "model": model.name,
        "parameters": json.loads(json.dumps(own)),
        "layout": hashlib.sha256(layout.encode()).hexdigest(),
        "seed": [streams.seed, *streams.path],
        "rows": rows.hexdigest(),
        "device": device.type,
    }


def read_seed(path: str | Path) -> int | None:
    """Return the seed of the training that a checkpoint holds; None where there is no file.

    Raises
    ------
    ArtifactError
        If the file is no checkpoint, is damaged, or comes from a newer version.
    """
    if not Path(path).exists():
        return None
    return int(_read(Path(path))[0]["run"]["seed"][0])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            document = json.loads((file.metadata() or {})[KEY])
            newer = document["format"] > FORMAT
            document["run"]["seed"], document["values"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(path) from error
    if newer:
        raise ArtifactError(
            f"Checkpoint {path} was written by a newer version of tabsynth. Update tabsynth, or "
            "name another file."
        )
    return document, tensors


def _unreadable(path: Path) -> ArtifactError:
    return ArtifactError(
        f"File {path} is no checkpoint of a training, or is damaged. Name another file; this one "
        "is left as it is."
    )


def _state(item: Kept) -> Mapping[str, torch.Tensor]:
    if isinstance(item, nn.Module):
        state: dict[str, torch.Tensor] = item.state_dict()
        return state
    if isinstance(item, torch.Generator):
        return {"state": item.get_state()}
    return item.state()


def _restore(item: Kept, state: Mapping[str, torch.Tensor]) -> None:
    if isinstance(item, nn.Module):
        item.load_state_dict(state)
    elif isinstance(item, torch.Generator):
        item.set_state(state["state"])
    else:
        item.restore(state)

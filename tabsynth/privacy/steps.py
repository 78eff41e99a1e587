"""Steps of training: which rows take part, what is told of them, and which networks mix rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import PrivacyError
from tabsynth.monitor import Monitor, Progress

if TYPE_CHECKING:
    from tabsynth.privacy.training import PrivateSteps

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Rows = tuple[torch.Tensor, torch.Tensor]

MOST_ROWS = 2048
"""Rows whose gradients are summed up at a time."""
MADE_UP = 4
"""Made-up rows on which a network is tried before the first step."""
REPORTS = 100
"""How often, at most, a training tells of its progress."""


def train_exactly(
    table: EncodedTable,
    network: nn.Module,
    loss: Loss,
    run: PrivateSteps,
    update: Callable[[int], None],
    device: torch.device,
    monitor: Monitor,
) -> None:
    """Take the same steps without a budget: nothing is cut and nothing blurred."""
    rate, chance = sampling_rate(run.batch_size, len(table)), np.random.PCG64(0)
    levels = np.random.Generator(chance)
    rows = torch.from_numpy(table.codes).to(device), torch.from_numpy(table.offsets).to(device)
    parameters = trainable(network)
    for step in range(run.steps):
        chosen = np.flatnonzero(levels.random(len(table)) < rate)
        for parameter in parameters:
            parameter.grad = None if parameter.grad is None else parameter.grad.zero_()
        for some in parts_of(rows, chosen):
            (loss(*some).sum() / run.batch_size).backward()  # type: ignore[no-untyped-call]
        update(step)
        report(monitor, step + 1, run.steps)


def sampling_rate(batch_size: int, n_rows: int) -> float:
    """Return the probability with which each row takes part in a step."""
    return min(1.0, batch_size / max(n_rows, 1))


def report(monitor: Monitor, done: int, steps: int) -> None:
    """Tell how many steps were taken, and nothing else."""
    if done % max(1, -(-steps // REPORTS)) == 0 or done == steps:
        monitor(Progress("training", done, steps))


def made_up_rows(table: EncodedTable, device: torch.device) -> Rows:
    """Return a few rows drawn evenly from what the layout allows, not from the table."""
    rng, layout = np.random.Generator(np.random.PCG64(0)), table.layout
    codes = rng.integers(0, layout.sizes, size=(MADE_UP, len(layout))).astype(np.int32)
    offsets = np.zeros((MADE_UP, len(layout.offset_blocks)), dtype=np.float32)
    return torch.from_numpy(codes).to(device), torch.from_numpy(offsets).to(device)


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that are trained."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def parts_of(rows: Rows, chosen: np.ndarray) -> Iterable[Rows]:
    """Return chosen rows, a part at a time."""
    for some in torch.split(torch.from_numpy(chosen), MOST_ROWS):
        here = some.to(rows[0].device)
        yield rows[0][here], rows[1][here]


def refuse_mixed_rows(network: nn.Module) -> None:
    """Refuse layers that let rows touch each other, trained or not.

    Raises
    ------
    PrivacyError
    """
    mixing = nn.modules.batchnorm._BatchNorm
    tracking = nn.modules.instancenorm._InstanceNorm
    for name, module in network.named_modules():
        whole = isinstance(module, mixing) and not isinstance(module, tracking)
        if whole or (isinstance(module, tracking) and module.track_running_stats):
            raise PrivacyError(
                f"Layer {name!r} ({type(module).__name__}) computes with several rows at once, so "
                "the gradient of one row is not its own. Use LayerNorm, or none, under a privacy "
                "budget."
            )

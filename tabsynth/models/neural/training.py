"""The training loop: how many steps of how many rows, at which rate, and who is told."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from tabsynth.monitor import Monitor, Progress

REPORTS = 100
"""How often, at most, a training tells of its progress."""


@dataclass(frozen=True)
class Plan:
    """How a training runs.

    Attributes
    ----------
    batch_size : int
        Rows of one step.
    steps : int
        Number of steps.
    """

    batch_size: int
    steps: int


def cosine_rate(step: int, steps: int, warm_up: int) -> float:
    """Return the factor of the learning rate: a linear rise, then half a cosine down to 0.

    Examples
    --------
    >>> [round(cosine_rate(step, 100, 10), 2) for step in (0, 9, 55, 99)]
    [0.1, 1.0, 0.5, 0.0]
    """
    if step < warm_up:
        return (step + 1) / warm_up
    share = (step - warm_up) / max(steps - warm_up, 1)
    return 0.5 * (1 + math.cos(math.pi * share))


def batches(
    n_rows: int, batch_size: int, generator: torch.Generator, device: torch.device
) -> Iterator[torch.Tensor]:
    """Yield row numbers for ever: every row once, in random order, then again.

    A batch may take its last rows from the next round, so all have the same size.

    Yields
    ------
    tensor of int64, shape (batch_size,)
    """
    rest = torch.empty(0, dtype=torch.int64, device=device)
    while True:
        while len(rest) < batch_size:
            order = torch.randperm(n_rows, generator=generator, device=device)
            rest = torch.cat([rest, order])
        yield rest[:batch_size]
        rest = rest[batch_size:]


def run_steps(
    phase: str,
    steps: int,
    update: Callable[[int], Mapping[str, torch.Tensor]],
    monitor: Monitor,
) -> list[dict[str, float]]:
    """Call `update` for every step and tell `monitor` about `REPORTS` times.

    Parameters
    ----------
    phase : str
        What is being done, for the reports.
    steps : int
        Number of steps.
    update : callable
        Does step number i and returns its losses, on the device; they are fetched for reports only.
    monitor : callable
        Told of the steps done and of the mean losses since the last report.

    Returns
    -------
    list of dict
        What was told: "step" and the mean losses.
    """
    every = max(1, math.ceil(steps / REPORTS))
    history: list[dict[str, float]] = []
    sums: dict[str, torch.Tensor] = {}
    since = 0
    for step in range(steps):
        for name, value in update(step).items():
            value = value.detach()
            sums[name] = sums[name] + value if name in sums else value
        since += 1
        if since == every or step + 1 == steps:
            means = {name: float(value) / since for name, value in sums.items()}
            history.append({"step": step + 1, **means})
            monitor(Progress(phase, step + 1, steps, means))
            sums, since = {}, 0
    return history

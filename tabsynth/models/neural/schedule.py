"""How long a training takes: how many steps of how many rows, at which rate, in which order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

FEWEST_STEPS = 600
"""Steps that a small table gets at least, and a very wide one too."""

OPERATIONS = 4e12
"""Arithmetic that a training spends at most, where nothing else is said."""


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


def plan(
    n_rows: int,
    n_weights: int,
    *,
    epochs: int | None,
    steps: int | None,
    batch_size: int | None,
    usual_epochs: int,
    most_steps: int,
    operations: float = OPERATIONS,
) -> Plan:
    """Choose the batch size and the number of steps from the size of the table.

    Parameters
    ----------
    n_rows : int
        Rows of the table, at least one.
    n_weights : int
        Weights of the networks, which say what a step costs.
    epochs, steps, batch_size : int or None
        What the user asked for; None leaves it to this function. `steps` comes before `epochs`.
    usual_epochs : int
        Epochs of a table that is neither small nor large.
    most_steps : int
        Steps of a large table.
    operations : float
        Arithmetic to spend at most, as long as there are `FEWEST_STEPS`.

    Examples
    --------
    >>> for n_rows in (40, 1_000, 16_000, 1_000_000):
    ...     plan(
    ...         n_rows, 10**5, epochs=None, steps=None, batch_size=None,
    ...         usual_epochs=50, most_steps=4000,
    ...     )
    Plan(batch_size=32, steps=600)
    Plan(batch_size=32, steps=1563)
    Plan(batch_size=250, steps=3200)
    Plan(batch_size=500, steps=4000)
    """
    if batch_size is None:
        batch_size = 500 if n_rows > 50_000 else min(max(n_rows // 64, 32), 250)
    batch_size = min(batch_size, n_rows)
    if steps is None and epochs is not None:
        steps = math.ceil(epochs * n_rows / batch_size)
    if steps is not None:
        return Plan(batch_size, max(1, steps))
    steps = math.ceil(usual_epochs * n_rows / batch_size)
    # A row costs about 6 operations a weight forth and back, an update about 200.
    affordable = int(operations / (n_weights * (6 * batch_size + 200)))
    return Plan(batch_size, max(FEWEST_STEPS, min(steps, most_steps, affordable)))


def cosine_rate(step: float, steps: int, warm_up: int) -> float:
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


class Batches:
    """Row numbers for ever: every row once, in random order, then again.

    A batch may take its last rows from the next round, so all have the same size.

    Parameters
    ----------
    n_rows, batch_size : int
    generator : torch.Generator
        On the device where the numbers are wanted.
    """

    def __init__(self, n_rows: int, batch_size: int, generator: torch.Generator) -> None:
        self.n_rows, self.batch_size, self._generator = n_rows, batch_size, generator
        self._rest = torch.empty(0, dtype=torch.int64, device=generator.device)

    def draw(self) -> torch.Tensor:
        """Return the next row numbers, int64 of shape (batch_size,)."""
        while len(self._rest) < self.batch_size:
            order = torch.randperm(
                self.n_rows, generator=self._generator, device=self._generator.device
            )
            self._rest = torch.cat([self._rest, order])
        drawn, self._rest = self._rest[: self.batch_size], self._rest[self.batch_size :]
        return drawn

    def state(self) -> dict[str, torch.Tensor]:
        """Return the rows of this round that are still to come, and the generator's state."""
        return {"rest": self._rest, "generator": self._generator.get_state()}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` returned."""
        self._rest = state["rest"].to(self._rest.device)
        self._generator.set_state(state["generator"])

"""Networks under a privacy budget: what they begin with, how they are trained, what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tabsynth.errors import PrivacyError
from tabsynth.models.neural.optimizer import Adam
from tabsynth.models.neural.schedule import cosine_rate
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.training import TrainingParameters
from tabsynth.monitor import Monitor, Progress
from tabsynth.privacy.counting import Counts
from tabsynth.privacy.training import PrivateSteps, TrainingData

MOST_ROWS = 16_384
"""Rows of a step under a budget: all of them up to this number."""
RARE = 3.0
"""Codes of fewer rows than so many standard deviations of the noise are few."""
PRESENT = 2.0
"""Few rows are taken for noise if they are fewer than so many standard deviations of their sum."""
WARM_UP = 10
"""Steps over which the learning rate rises."""


def known_shares(known: Sequence[Counts], spans: Spans) -> torch.Tensor:
    """Return the share of every code among the rows where its block means something.

    Noisy counts are moved to the nearest that are nowhere negative and have the same sum; few rows
    that may be noise alone are taken for it first (`without_few`).

    Parameters
    ----------
    known : sequence of Counts
        See `TrainingData.known`.
    spans : Spans

    Returns
    -------
    tensor of float, shape (spans.width,)
        0 in the padding; blocks sum to 1, or to 0 where no row means anything.
    """
    shares = np.zeros(spans.width)
    starts = dict(zip(spans.order.tolist(), spans.starts.tolist(), strict=True))
    for counts in known:
        block, values, sigma = counts.blocks[-1], counts.values, counts.sigma
        if len(counts.blocks) > 1:
            refined = np.array(spans.layout[counts.blocks[0]].refined, dtype=bool)
            values, sigma = values[refined].sum(0), sigma * math.sqrt(refined.sum())
        values = without_few(values, sigma)
        total = float(values.sum())
        if total > 0:
            start = starts[block]
            shares[start : start + len(values)] = nearest_shares(values / total)
    return torch.from_numpy(shares).float().to(spans.device)


def without_few(values: np.ndarray, sigma: float) -> np.ndarray:
    """Return counts, 0 for codes of few rows if all of these together may well be noise.

    A value that no row has, or that is missing in none, would otherwise be held by some made rows.

    Parameters
    ----------
    values : ndarray of float64, shape (n_codes,)
    sigma : float
        Standard deviation of their noise.

    Examples
    --------
    >>> without_few(np.array([900.0, 12.0, 300.0, -5.0]), 10.0)
    array([900.,   0., 300.,   0.])
    >>> without_few(np.array([900.0, 28.0, 300.0, 9.0]), 10.0)
    array([900.,  28., 300.,   9.])
    """
    few = values < RARE * sigma
    if few.all() or values[few].sum() >= PRESENT * sigma * math.sqrt(few.sum()):
        return values
    return np.where(few, 0.0, values)


def nearest_shares(values: np.ndarray) -> np.ndarray:
    """Return the shares, none negative and 1 in sum, that are nearest to `values`.

    References
    ----------
    Held, Wolfe and Crowder, "Validation of subgradient optimization", 1974,
    doi:10.1007/BF01580223.

    Examples
    --------
    >>> nearest_shares(np.array([0.75, 0.375, -0.125]))
    array([0.6875, 0.3125, 0.    ])
    """
    falling = np.sort(values)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(values) + 1)
    last = np.flatnonzero(falling > excess)[-1]
    shares: np.ndarray = np.maximum(values - excess[last], 0.0)
    return shares


def refuse_checkpoint(checkpoint: str | Path | None) -> None:
    """Refuse a checkpoint.

    Raises
    ------
    PrivacyError
    """
    if checkpoint is not None:
        raise PrivacyError(
            "a checkpoint is not allowed under a privacy budget: it holds the state of a training "
            "on the rows. Leave the checkpoint out."
        )


def refuse_watching(own: TrainingParameters, held_out: float | None = None) -> None:
    """Refuse what would let rows decide about the training, or leave traces of them.

    Raises
    ------
    PrivacyError
    """
    wishes = {
        "held_out": (bool(held_out), "rows held out would decide how long the others are learnt"),
        "max_seconds": (
            own.max_seconds is not None,
            "the steps that are paid for are taken, however long the rows of each take; set steps",
        ),
        "compile": (own.compile, "gradients of rows are cut layer by layer"),
        "precision 'bfloat16'": (
            own.precision == "bfloat16",
            "the gradient of a row could be longer than what is paid for",
        ),
    }
    for name, (wished, reason) in wishes.items():
        if wished:
            raise PrivacyError(
                f"{name} is not allowed under a privacy budget: {reason}. Leave it out."
            )


def plan_steps(own: TrainingParameters, n_rows: int, usual_steps: int, clip: float) -> PrivateSteps:
    """Return batch size and steps under a privacy budget.

    What all steps together tell, over their noise, hardly depends on how they are cut: on 16,280
    rows at epsilon 1, batch size times the root of the steps over the noise multiplier is from
    3,997 to 4,033 for batches from 2,048 rows to all of them and 50 to 400 steps. So few steps of
    all rows are taken, which cost least, up to `MOST_ROWS` rows a step.

    Parameters
    ----------
    own : TrainingParameters
        What was asked for.
    n_rows : int
        Public or noisy.
    usual_steps : int
    clip : float
    """
    n_rows = max(n_rows, 1)
    batch_size = own.batch_size or min(n_rows, MOST_ROWS)
    steps = own.steps
    if steps is None and own.epochs is not None:
        steps = math.ceil(own.epochs * n_rows / batch_size)
    return PrivateSteps(batch_size, steps or usual_steps, clip)


def place(spans: Spans) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what turns codes, int (n_rows, n_blocks), into an index (see `Spans`)."""
    order = torch.from_numpy(np.ascontiguousarray(spans.order)).to(spans.device)
    starts = spans.starts.to(torch.int32)
    return lambda codes: codes[:, order] + starts


def train_privately(
    network: Any,
    data: TrainingData,
    run: PrivateSteps,
    learning_rate: float,
    average: float,
    phase: str,
    device: torch.device,
    monitor: Monitor,
    after: Callable[[int], None] = lambda _: None,
) -> None:
    """Train a network through the door to the rows, and keep the average of its weights.

    Parameters
    ----------
    network : Module
        With an attribute `spans`; takes an index, (n_rows, n_blocks), and returns one loss a row.
    data, run, device, monitor
        See `TrainingData.train`.
    learning_rate : float
        Of Adam, at its highest; it falls along half a cosine.
    average : float
        Decay of the moving average of the weights.
    phase : str
        What is being done, for the reports.
    after : callable
        Told the number of each step that was taken.

    Notes
    -----
    Privacy: Adam, its rate and the average take nothing but the noisy gradients.
    """
    optimizer = Adam((p for p in network.parameters() if p.requires_grad), average=average)
    warm_up = max(1, min(WARM_UP, run.steps // 10))

    index = place(network.spans)

    def loss(codes: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        losses: torch.Tensor = network(index(codes))
        return losses

    def update(step: int) -> None:
        optimizer.step(learning_rate * cosine_rate(step, run.steps, warm_up))
        after(step)

    def tell(progress: Progress) -> None:
        monitor(Progress(phase, progress.done, progress.total))

    data.train(network, loss, run, update, device, tell)
    optimizer.use_average()

"""The autoregressive network under a privacy budget: what is bought, trained and calibrated."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tabsynth.models._autoregressive import (
    PRIVATE,
    PRIVATE_STEPS,
    AutoregressiveParameters,
    private_rate,
)
from tabsynth.models.neural.ghost_masked import train_masked
from tabsynth.models.neural.leads import (
    first_target,
    given_leader,
    logits_of,
    part_shares,
)
from tabsynth.models.neural.masked import MaskedNetwork
from tabsynth.models.neural.orders import Orders
from tabsynth.models.neural.private import known_shares, plan_steps
from tabsynth.models.neural.spans import Spans
from tabsynth.models.neural.unrolled import Unrolled
from tabsynth.monitor import Monitor
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams

CALIBRATION_ROWS = 8_192
"""Rows made to calibrate with."""


def fit_masked(
    network: MaskedNetwork,
    order: Sequence[int],
    data: TrainingData,
    own: AutoregressiveParameters,
    streams: Streams,
    phase: str,
    monitor: Monitor,
) -> tuple[int, bool]:
    """Train a network through the door to the rows, and calibrate it to noisy shares.

    Parts of a bin follow from the bin by the counts that bins were found with, and are not trained.
    With a target, counts of it together with each other column are bought first; the network is
    left to learn what they do not say.

    Parameters
    ----------
    network : MaskedNetwork
        With its first weights.
    order : sequence of int
        Columns of an index in the order of drawing.
    data : TrainingData
        Under a budget.
    own : AutoregressiveParameters
    streams : Streams
    phase : str
        What is being done, for the reports.
    monitor : callable

    Returns
    -------
    steps : int
        That were taken.
    any_order : bool
        Whether columns can be given that are not the first ones.
    """
    spans, layout = network.spans, data.layout
    usual, known = own.over(PRIVATE), data.known()
    shares = known_shares(known, spans)
    network.start_at(shares)
    orders = Orders(spans, order, usual.shuffled, streams.torch("orders", spans.device.type))
    roots = [c for c in range(len(layout)) if layout[int(spans.order[c])].parent is None]
    wanted = {column: _of(shares, spans, column) for column in roots}
    for column in set(range(len(layout))).difference(roots):
        counts = known[int(spans.order[column])]
        parts = logits_of(part_shares(counts, layout), spans.device)
        network.lead(column, int(spans.column[counts.blocks[0]]), parts)
    leader = None if orders.any_order else first_target(layout, own.targets)
    if leader is not None:
        first = int(spans.column[leader])
        for column, found in given_leader(data, spans, shares, leader).items():
            network.lead(column, first, logits_of(found.cpu().double().numpy(), spans.device))
            wanted[column] = found
    run = plan_steps(own, data.n_rows, PRIVATE_STEPS, own.clip)
    rates = private_rate(own, run.steps), usual.average
    steps = train_masked(network, orders, roots, data, run, *rates, phase, spans.device, monitor)
    network.eval().requires_grad_(False)
    with torch.inference_mode():
        noise = streams.torch("calibration", spans.device.type)
        Unrolled(network, order).make(CALIBRATION_ROWS, noise, shares=wanted)
    return steps, orders.any_order


def _of(values: torch.Tensor, spans: Spans, column: int) -> torch.Tensor:
    start = int(spans.starts[column])
    return values[start : start + int(spans.sizes[column])]

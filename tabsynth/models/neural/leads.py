"""Shares of a block's codes given the code of another, from noisy counts of both together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tabsynth.encoding.layout import Layout
from tabsynth.models.neural.heads import NEVER
from tabsynth.models.neural.private import nearest_shares
from tabsynth.models.neural.spans import Spans
from tabsynth.privacy.counting import Counts
from tabsynth.privacy.training import TrainingData

PAIRS_SHARE = 0.2
"""Share of what is left of a budget that counts of the target with other columns cost."""
MOST_CELLS = 20_000
"""Most counts of a pair of blocks that are bought; each takes time."""
LIKELY = 0.5
"""How far counts of two codes together are off those of independent ones, usually, as a share."""


def buy_pairs(data: TrainingData, leader: int) -> list[Counts]:
    """Return counts of a block together with each other one that refines none.

    Parameters
    ----------
    data : TrainingData
    leader : int
        A block that refines none.

    Returns
    -------
    list of Counts
        Of ``(leader, block)``; none of pairs with too many codes.
    """
    layout = data.layout
    sizes = [block.size for block in layout]
    sets = [
        (leader, number)
        for number, block in enumerate(layout)
        if block.parent is None and number != leader and sizes[leader] * sizes[number] <= MOST_CELLS
    ]
    return data.measure(sets, PAIRS_SHARE * data.rho) if sets else []


def part_shares(counts: Counts, layout: Layout) -> np.ndarray:
    """Return the shares of the codes of a block for each code of the one that it refines.

    Parameters
    ----------
    counts : Counts
        Of ``(parent, block)``.
    layout : Layout

    Returns
    -------
    ndarray of float64, shape (size of parent, size of block)
        Even where no row is known, and where a code is not refined.
    """
    parent, block = counts.blocks
    shares = np.full(counts.values.shape, 1 / layout[block].size)
    for code, values in enumerate(counts.values):
        total = float(values.sum())
        if layout[parent].refined[code] and total > 0:
            shares[code] = nearest_shares(values / total)
    return shares


def pair_shares(
    pairs: Counts, leading: np.ndarray, own: np.ndarray, n_rows: float, sigma: float
) -> np.ndarray:
    """Return the shares of the codes of a block for each code of another.

    What both have together by themselves, were they independent, is moved towards the counts of
    both, the less the more of the difference may be noise.

    Parameters
    ----------
    pairs : Counts
        Of both together.
    leading, own : ndarray of float64, shape (n_codes,)
        Shares of the codes of both by themselves.
    n_rows : float
        Noisy or public.
    sigma : float
        Standard deviation of the noise of counts that `own` was found from.

    Returns
    -------
    ndarray of float64, shape (codes of the other, codes)
        Rows sum to 1; codes of no share by themselves have none.
    """
    counts, noise = pairs.values, pairs.sigma
    weight = sigma**2 / (sigma**2 + len(counts) * noise**2) if sigma or noise else 0.0
    column = np.maximum((1 - weight) * n_rows * own + weight * counts.sum(0), 0.0) * (own > 0)
    column *= n_rows / max(column.sum(), 1e-30)
    expected = np.outer(leading, column)
    likely = (LIKELY * expected) ** 2
    found = expected + likely / np.maximum(likely + noise**2, 1e-30) * (counts - expected)
    found = np.where(expected > 0, found, 0.0)
    totals = found.sum(1, keepdims=True)
    shares = np.where(totals > 0, found / np.where(totals > 0, totals, 1.0), own)
    held = own > 0
    for row in shares:
        if held.any():
            row[held] = nearest_shares(row[held])
    return shares


def given_leader(
    data: TrainingData, spans: Spans, shares: torch.Tensor, leader: int
) -> dict[int, torch.Tensor]:
    """Return the shares of codes for each code of a block, from counts that are bought.

    Parameters
    ----------
    data : TrainingData
    spans : Spans
    shares : tensor of float, shape (spans.width,)
        Of codes by themselves.
    leader : int
        The block.

    Returns
    -------
    dict of int to tensor of float, shape (size of leader, size)
        By column of an index.
    """
    known, found = data.known(), {}
    leading = _own_shares(shares, spans, leader)
    for pairs in buy_pairs(data, leader):
        block = pairs.blocks[1]
        own, sigma = _own_shares(shares, spans, block), known[block].sigma
        given = pair_shares(pairs, leading, own, float(data.n_rows), sigma)
        found[int(spans.column[block])] = torch.from_numpy(given).float().to(spans.device)
    return found


def _own_shares(shares: torch.Tensor, spans: Spans, block: int) -> np.ndarray:
    start = int(spans.starts[int(spans.column[block])])
    own = shares[start : start + spans.layout[block].size]
    return own.double().cpu().numpy()


def logits_of(shares: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return logits of shares, float32."""
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(shares), NEVER)
    return torch.from_numpy(logits).float().to(device)


def first_target(layout: Layout, targets: Sequence[str]) -> int | None:
    """Return the first block of the first target that is learnt, or None."""
    for name in targets:
        for number, block in enumerate(layout):
            if block.owner == name and block.parent is None:
                return number
    return None

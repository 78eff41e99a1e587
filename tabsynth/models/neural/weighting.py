"""Rows given in part, by weighting: latents are drawn, weighed, and drawn again by the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from tabsynth.encoding.given import Given
from tabsynth.encoding.table import EncodedTable
from tabsynth.models._completion import PATIENCE, Completed, effort_of, too_rare
from tabsynth.models.neural.device import to_numpy
from tabsynth.models.neural.heads import NEVER, CodeHead
from tabsynth.models.neural.offsets import OffsetHead, stretch
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks
from tabsynth.models.neural.spans import Spans
from tabsynth.monitor import Monitor, Progress

WEIGHTS = 2**21
"""Weights that are held at a time."""

LEAST_EFFECTIVE = 32.0
"""Fewest effective latents that a row is drawn from, so that the weights are worth something."""


@dataclass(frozen=True)
class Decoding:
    """What makes rows out of latents, blocks independent of each other given the latent.

    Attributes
    ----------
    latents : callable
        Draws so many latents, float (n, n_latent).
    hidden : callable
        Turns latents into hidden units.
    codes : CodeHead
    offsets : OffsetHead or None
    finish : callable
        Draws rows from latents: positions of codes, and offsets.
    """

    latents: Callable[[int], torch.Tensor]
    hidden: Callable[[torch.Tensor], torch.Tensor]
    codes: CodeHead
    offsets: OffsetHead | None
    finish: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class Patterns:
    """What is given, each distinct pattern once, as the heads of a network see it.

    Parameters
    ----------
    given : Given
        Distinct rows.
    spans : Spans
    """

    def __init__(self, given: Given, spans: Spans) -> None:
        self.spans, device = spans, spans.device
        self.index = spans.index(given.table.codes).long()
        known = torch.from_numpy(np.ascontiguousarray(given.known[:, spans.order])).to(device)
        slots = spans.slots(self.index)
        moved = known[:, spans.offset_columns] & (slots < spans.n_slots)
        self.known = known & spans.meant(self.index)
        self.offsets = stretch(torch.from_numpy(given.table.offsets).to(device))
        self.slots = slots.clamp_max(max(spans.n_slots - 1, 0))
        self.moved = moved

    def log_likelihood(self, hidden: torch.Tensor, heads: Decoding, some: np.ndarray) -> np.ndarray:
        """Return how likely hidden units make what is given, float64 (n_patterns, n_hidden).

        Parameters
        ----------
        hidden : tensor of float, shape (n_hidden, n_units)
        heads : Decoding
        some : ndarray of int64, shape (n_patterns,)
            Which patterns.
        """
        logits = heads.codes(hidden)
        views = [torch.log_softmax(view, -1).flatten(1) for view in self.spans.views(logits)]
        shares = torch.cat(views, dim=1).T.contiguous()
        # A code that no row of the table has is not just unlikely.
        shares = shares.masked_fill(shares < NEVER / 10, -torch.inf)
        rows = torch.from_numpy(some).to(hidden.device)
        total = hidden.new_zeros((len(some), len(hidden)))
        known = self.known[rows]
        for column in known.any(0).nonzero()[:, 0].tolist():
            part = shares[self.index[rows, column]]
            total += torch.where(known[:, column, None], part, 0.0)
        moved = self.moved[rows]
        if heads.offsets is not None and moved.any():
            locations = heads.offsets.shift(hidden).T
            for column in moved.any(0).nonzero()[:, 0].tolist():
                slots = self.slots[rows, column]
                scale = heads.offsets.scale(slots)[:, None]
                scaled = (self.offsets[rows, column, None] - locations[slots]) / scale
                part = -scaled - 2 * torch.nn.functional.softplus(-scaled)
                flags = moved[:, column] & heads.offsets.used[slots]
                total += torch.where(flags[:, None], part, 0.0)
        return to_numpy(total).astype(np.float64)


@torch.inference_mode()
def complete_by_weighting(
    decoding: Decoding,
    given: Given,
    spans: Spans,
    monitor: Monitor,
    max_tries: int,
    rng: np.random.Generator,
    phase: str,
) -> Completed:
    """Make rows that are given in part.

    Given the latent, the blocks of a row are independent of each other. So a latent is drawn among
    many in proportion to how likely it makes what is given, and the rest of the row from that
    latent: rows follow the model's distribution given what is given, in the limit of many latents,
    for any number of columns and for numbers to their exact value. Latents are drawn until the
    effective sample size is at least the number of rows that are given alike, and at least
    `LEAST_EFFECTIVE`.

    Raises
    ------
    SampleError
        If latents that fit are rarer than one in `max_tries`.

    References
    ----------
    Rubin, "Using the SIR algorithm to simulate posterior distributions", 1988, Bayesian
    Statistics 3. Chao, "A general purpose unequal probability sampling plan", 1982,
    doi:10.1093/biomet/69.3.653.
    """
    n_rows = len(given)
    distinct, which = given.patterns()
    patterns = Patterns(distinct, spans)
    n = len(distinct)
    goals = np.maximum(np.bincount(which, minlength=n), LEAST_EFFECTIVE)
    sums, squares = np.full(n, -np.inf), np.full(n, -np.inf)
    rates, effective = np.zeros(n), np.zeros(n)
    lost = np.zeros(n, dtype=bool)
    active = np.arange(n)
    one = decoding.latents(1)
    chosen = one.new_zeros((n_rows, one.shape[1]))
    size, draws = chunk_rows(spans), 0
    while len(active):
        latents = decoding.latents(size)
        hidden = decoding.hidden(latents)
        draws += size
        for some in np.array_split(active, -(-len(active) * size // WEIGHTS)):
            weights = patterns.log_likelihood(hidden, decoding, some)
            rows = np.flatnonzero(np.isin(which, some))
            place = np.searchsorted(some, which[rows])
            kept, taken = _redraw(weights, sums, squares, some, place, rng)
            chosen[torch.from_numpy(rows[kept]).to(spans.device)] = latents[
                torch.from_numpy(taken).to(spans.device)
            ]
        with np.errstate(invalid="ignore"):
            found = np.nan_to_num(np.exp(2 * sums[active] - squares[active]))
        effective[active], rates[active] = found, found / draws
        done = found >= goals[active]
        lost[active] = ~done & (draws > max_tries * (found + PATIENCE))
        active = active[~done & ~lost[active]]
        monitor(Progress(phase, int(n_rows - np.isin(which, active).sum()), n_rows))
    if lost.any():
        made = int((~lost[which]).sum())
        hardest = np.flatnonzero(lost)[rates[lost].argmin()]
        tried = round(effective[hardest] / rates[hardest]) if rates[hardest] else draws
        raise too_rare(given, made, tried, float(effective[hardest]), max_tries)
    begin = 0

    def make(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal begin
        part = chosen[begin : begin + count]
        begin += count
        return decoding.finish(part)

    table: EncodedTable = sample_in_chunks(phase, make, n_rows, spans, monitor)
    return Completed(given.impose(table), effort_of("by weighting", draws, rates[which]))


def _redraw(
    weights: np.ndarray,
    sums: np.ndarray,
    squares: np.ndarray,
    some: np.ndarray,
    place: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Let rows keep what they have, or take one of the new latents, by the weights of both.

    Parameters
    ----------
    weights : ndarray of float64, shape (n_some, n_latents)
        Logarithms; overwritten.
    sums, squares : ndarray of float64, shape (n_patterns,)
        Logarithms of the sums of all weights so far, and of their squares; brought up to date.
    some : ndarray of int64, shape (n_some,)
        The patterns that the weights are of.
    place : ndarray of int64, shape (n_rows,)
        The row of `weights` that each row is drawn by.
    rng : Generator

    Returns
    -------
    rows : ndarray of int64, shape (n_taken,)
        Positions in `place` of the rows that take a new latent.
    taken : ndarray of int64, shape (n_taken,)
        Which one.
    """
    top = weights.max(axis=1)
    possible = np.isfinite(top)
    top = np.where(possible, top, 0.0)
    np.exp(weights - top[:, None], out=weights)
    total, square = weights.sum(axis=1), np.square(weights).sum(axis=1)
    with np.errstate(divide="ignore"):
        new, new_square = top + np.log(total), 2 * top + np.log(square)
    sums[some] = np.logaddexp(sums[some], new)
    squares[some] = np.logaddexp(squares[some], new_square)
    with np.errstate(invalid="ignore"):
        chance = np.where(possible, np.exp(new - sums[some]), 0.0)
    rows = np.flatnonzero(rng.random(len(place)) < chance[place])
    # The edges of all patterns one behind the other, each pattern one unit long.
    edges = np.cumsum(weights / np.where(possible, total, 1.0)[:, None], axis=1)
    edges += np.arange(len(some))[:, None]
    level = place[rows] + rng.random(len(rows)) * (1.0 - 1e-9)
    n_latents = weights.shape[1]
    taken = np.searchsorted(edges.ravel(), level, side="right") - place[rows] * n_latents
    return rows, np.clip(taken, 0, n_latents - 1)

"""Rows given in part, by weighting: latents are drawn, weighed, and drawn again by the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from tabsynth.encoding.given import Given
from tabsynth.models._completion import PATIENCE, Completed, effort_of, too_rare
from tabsynth.models.neural.adversary import Generator
from tabsynth.models.neural.conditions import draw_conditions
from tabsynth.models.neural.device import to_numpy
from tabsynth.models.neural.heads import NEVER
from tabsynth.models.neural.offsets import stretch
from tabsynth.models.neural.sampling import chunk_rows, sample_in_chunks
from tabsynth.models.neural.spans import Spans
from tabsynth.monitor import Monitor, Progress
from tabsynth.random import Streams

WEIGHTS = 2**21
"""Weights that are held at a time."""

LEAST_EFFECTIVE = 32.0
"""Fewest effective latents that a row is drawn from, so that the weights are worth something."""

CLIPPED = 0.02
"""Largest share of the weight that may be cut off."""


Weigher = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Takes slots and stretched offsets, one a pattern, and gives (n_patterns, n_hidden) logarithms."""


@dataclass(frozen=True)
class Decoding:
    """What makes rows out of latents, blocks independent of each other given the latent.

    Attributes
    ----------
    spans : Spans
    latents : callable
        Draws so many latents for an aim, float (n, n_latent).
    hidden : callable
        Turns latents into hidden units.
    codes : callable
        Turns hidden units into logits, (n, spans.width).
    offsets : callable or None
        Returns what weighs hidden units by an offset; None where there are no offsets.
    finish : callable
        Draws rows from hidden units: positions of codes, and offsets.
    """

    spans: Spans
    latents: Callable[[int, int], torch.Tensor]
    hidden: Callable[[torch.Tensor], torch.Tensor]
    codes: Callable[[torch.Tensor], torch.Tensor]
    offsets: Callable[[torch.Tensor], Weigher] | None
    finish: Callable[[torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]]


def decoding_of(maker: Generator, frequencies: torch.Tensor, noise: torch.Generator) -> Decoding:
    """Return how an adversary's generator makes rows; a latent is noise and a condition.

    The aim of a latent is its condition; -1 draws one by the frequencies.
    """

    def latents(n: int, aim: int) -> torch.Tensor:
        units = torch.randn((n, maker.n_noise), generator=noise, device=noise.device)
        conditions = torch.full((n,), max(aim, 0), device=noise.device)
        if aim < 0 and len(frequencies):
            conditions = draw_conditions(n, frequencies.cumsum(0), noise)
        return torch.cat([units, conditions[:, None].to(units.dtype)], dim=1)

    def hidden(latents: torch.Tensor) -> torch.Tensor:
        units: torch.Tensor = maker(latents[:, :-1], latents[:, -1].long())
        return units

    weigh = maker.offsets.weigh if maker.offsets is not None else None
    return Decoding(maker.spans, latents, hidden, maker.codes, weigh, maker.draw)


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
            weigh = heads.offsets(hidden)
            for column in moved.any(0).nonzero()[:, 0].tolist():
                part = weigh(self.slots[rows, column], self.offsets[rows, column])
                total += torch.where(moved[:, column, None], part, 0.0)
        return to_numpy(total).astype(np.float64)


class Draws:
    """Latents drawn for rows by weight, none of them twice for rows that are given alike.

    Every latent gets its weight, divided by a uniform number, as a key, and a pattern's rows keep
    the latents of the highest keys. That is rejection with the lowest key kept as the bound: a
    latent is taken with a probability of its weight over the bound, or 1 where that is more. The
    bound rises with the number of latents until next to no weight lies above it; only the latents
    kept are held.

    Parameters
    ----------
    which : ndarray of int64, shape (n_rows,)
        The pattern of each row.
    n_latent : int
    rng : Generator

    References
    ----------
    Duffield, Lund and Thorup, "Priority sampling for estimation of arbitrary subset sums", 2007,
    doi:10.1145/1314690.1314696.
    """

    def __init__(self, which: np.ndarray, n_latent: int, rng: np.random.Generator) -> None:
        n = int(which.max(initial=-1)) + 1
        self.order = np.argsort(which, kind="stable")
        self.counts = np.bincount(which, minlength=n)
        self.starts = np.cumsum(self.counts) - self.counts
        # In the order of the patterns; the keys of a pattern descend.
        self.keys = np.full(len(which), -np.inf)
        self.weights = np.full(len(which), -np.inf)
        self.latents = np.zeros((len(which), n_latent), dtype=np.float32)
        self.sums, self.squares = np.full(n, -np.inf), np.full(n, -np.inf)
        self.rng = rng

    def effective(self) -> np.ndarray:
        """Return the effective sample size of each pattern's latents, float64 (n_patterns,)."""
        possible, size = np.isfinite(self.sums), np.zeros(len(self.sums))
        size[possible] = np.exp(2 * self.sums[possible] - self.squares[possible])
        return size

    def clipped(self, some: np.ndarray) -> np.ndarray:
        """Return the share of the weight above the bound, float64 of the shape of `some`."""
        counts = self.counts[some]
        own = np.repeat(self.starts[some], counts) + _ramp(counts)
        total = np.repeat(self.sums[some], counts)
        bound = np.repeat(self.keys[self.starts[some] + counts - 1], counts)
        above = self.weights[own] > bound
        excess = np.zeros(len(own))
        excess[above] = np.exp(self.weights[own][above] - total[above]) - np.exp(
            bound[above] - total[above]
        )
        shares: np.ndarray = np.add.reduceat(excess, np.cumsum(counts) - counts)
        return shares

    def chosen(self) -> np.ndarray:
        """Return the latent of each row, float32 (n_rows, n_latent)."""
        latents = np.empty_like(self.latents)
        latents[self.order] = self.latents
        return latents

    def add(self, some: np.ndarray, weights: np.ndarray, latents: np.ndarray) -> None:
        """Add latents, weighed for some patterns.

        Parameters
        ----------
        some : ndarray of int64, shape (n_some,)
            Ascending.
        weights : ndarray of float64, shape (n_some, n_latents)
            Logarithms.
        latents : ndarray of float32, shape (n_latents, n_latent)
        """
        self._sum(some, weights)
        keys = weights + self.rng.standard_exponential(size=weights.shape)
        counts = self.counts[some]
        lowest = self.keys[self.starts[some] + counts - 1]
        if counts.max() == 1:
            pattern, latent = np.arange(len(some)), keys.argmax(axis=1)
            better = keys[pattern, latent] > lowest
            pattern, latent = pattern[better], latent[better]
        else:
            pattern, latent = np.nonzero(keys > lowest[:, None])
        changed = np.unique(pattern)
        own = np.repeat(self.starts[some[changed]], counts[changed])
        own += _ramp(counts[changed])
        owners = np.concatenate([np.repeat(changed, counts[changed]), pattern])
        rivals = np.concatenate([self.keys[own], keys[pattern, latent]])
        order = np.lexsort((-rivals, owners))
        lengths = np.bincount(owners, minlength=len(some))[changed]
        order = order[_ramp(lengths) < np.repeat(counts[changed], lengths)]
        kept = np.concatenate([self.latents[own], latents[latent]])[order]
        heavy = np.concatenate([self.weights[own], weights[pattern, latent]])[order]
        self.latents[own], self.keys[own], self.weights[own] = kept, rivals[order], heavy

    def _sum(self, some: np.ndarray, weights: np.ndarray) -> None:
        top = weights.max(axis=1)
        top = np.where(np.isfinite(top), top, 0.0)
        scaled = np.exp(weights - top[:, None])
        with np.errstate(divide="ignore"):
            total = top + np.log(scaled.sum(axis=1))
            square = 2 * top + np.log(np.square(scaled, out=scaled).sum(axis=1))
        self.sums[some] = np.logaddexp(self.sums[some], total)
        self.squares[some] = np.logaddexp(self.squares[some], square)


def _ramp(lengths: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... up to each length, one run after the other."""
    starts = np.cumsum(lengths) - lengths
    ramp: np.ndarray = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    return ramp


@torch.inference_mode()
def complete_by_weighting(
    decoding: Decoding,
    given: Given,
    aims: np.ndarray,
    streams: Streams,
    monitor: Monitor,
    max_tries: int,
    name: str,
) -> Completed:
    """Make rows that are given in part.

    Given the latent, the blocks of a row are independent of each other. So a latent is drawn among
    many in proportion to how likely it makes what is given, and the rest of the row from that
    latent: rows follow the model's distribution given what is given, in the limit of many latents,
    for any number of columns. Latents are drawn until no more than `CLIPPED` of their weight is cut
    off and their effective number is `LEAST_EFFECTIVE`; none serves two rows that are given alike.

    Parameters
    ----------
    decoding : Decoding
    given : Given
    aims : ndarray of int64, shape (n_rows,)
        What latents of each row are drawn for; rows given alike have the same.
    streams : Streams
    monitor : callable
    max_tries : int
        Latents for each effective one that are too many.
    name : str
        Of the model, for the reports.

    Raises
    ------
    TooRare
        If latents that fit are rarer than one in `max_tries`.

    References
    ----------
    Rubin, "Using the SIR algorithm to simulate posterior distributions", 1988, Bayesian
    Statistics 3.
    """
    n_rows, spans, phase = len(given), decoding.spans, f"sampling {name}"
    distinct, which = given.patterns()
    patterns, n = Patterns(distinct, spans), len(distinct)
    n_latent = decoding.latents(1, 0).shape[1]
    draws = Draws(which, n_latent, streams.numpy("weighting"))
    most = max_tries * np.maximum(draws.counts, LEAST_EFFECTIVE)
    aimed = np.zeros(n, dtype=np.int64)
    aimed[which] = aims
    drawn, lost = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    size, total = chunk_rows(spans), 0
    for aim in np.unique(aimed):
        active = np.flatnonzero(aimed == aim)
        while len(active):
            latents = decoding.latents(size, int(aim))
            hidden = decoding.hidden(latents)
            for some in np.array_split(active, -(-len(active) * size // WEIGHTS)):
                weights = patterns.log_likelihood(hidden, decoding, some)
                draws.add(some, weights, to_numpy(latents))
            drawn[active] += size
            total += size
            found = draws.effective()[active]
            done = (found >= LEAST_EFFECTIVE) & (draws.clipped(active) <= CLIPPED)
            rare = drawn[active] > max_tries * (found + PATIENCE)
            lost[active] = ~done & (rare | (drawn[active] > most[active]))
            active = active[~done & ~lost[active]]
            waiting = int(draws.counts[active].sum() + draws.counts[drawn == 0].sum())
            monitor(Progress(phase, n_rows - waiting, n_rows))
    found = draws.effective()
    chosen = torch.from_numpy(draws.chosen()).to(spans.device)

    def make(rows: slice, noise: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return decoding.finish(decoding.hidden(chosen[rows]), noise)

    table = given.impose(sample_in_chunks(phase, make, n_rows, spans, streams, monitor))
    if lost.any():
        hardest = np.flatnonzero(lost)[(found / drawn)[lost].argmin()]
        drawn_hard, found_hard = int(drawn[hardest]), float(found[hardest])
        raise too_rare(given, lost[which], table, drawn_hard, found_hard, max_tries)
    rates = np.minimum((found / np.maximum(drawn, 1))[which], 1.0)
    return Completed(table, effort_of("by weighting", total, rates))

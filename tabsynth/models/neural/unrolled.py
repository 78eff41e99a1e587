"""Rows made block by block, by a masked network whose weights are laid out for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from tabsynth.models.neural.masked import BlockHead, MaskedNetwork
from tabsynth.models.neural.places import Places
from tabsynth.models.neural.spans import Spans

CELLS = 2**22
"""Numbers that embeddings, or the logits of one block, may take for the rows made at a time."""
MOST_ROWS = 2048
"""Rows made at a time, at most."""
ROUNDS = 5
"""Corrections of the shares of a block's codes."""
FEWEST = 20
"""Rows, at most, of a leader's code that tell too little to correct what it adds."""


@dataclass(frozen=True)
class Known:
    """What rows hold already.

    Attributes
    ----------
    index : tensor of int, shape (n_rows, n_blocks)
    offsets : tensor of float, shape (n_rows, n_offset_blocks)
    flags : tensor of bool, shape (n_rows, n_blocks)
        Which columns of the index are known, and with them their offsets.
    """

    index: torch.Tensor
    offsets: torch.Tensor
    flags: torch.Tensor

    def take(self, rows: slice) -> Known:
        """Return some of the rows."""
        return Known(self.index[rows], self.offsets[rows], self.flags[rows])


@dataclass(frozen=True)
class _Step:
    """One block: where it lies, and the weights that lead to it.

    Attributes
    ----------
    column : int
        Column of the index.
    slot : int
        Place of its embedding among those told.
    parent : int or None
        Column of the block that it refines.
    offset : int or None
        Column of offsets that goes with it.
    start, size : int
        Position of its first code, and how many it has.
    leader : int or None
        Column of the block whose code adds to its logits.
    lead : tensor of float, shape (size of leader, size), or None
        What it adds.
    """

    column: int
    slot: int
    parent: int | None
    offset: int | None
    start: int
    size: int
    places: Places | None
    smooth: torch.Tensor | None
    first: torch.Tensor
    first_bias: torch.Tensor
    inner: torch.Tensor
    inner_bias: torch.Tensor
    head: list[torch.Tensor]
    bias: torch.Tensor
    leader: int | None
    lead: torch.Tensor | None

    def hidden(self, told: torch.Tensor) -> torch.Tensor:
        """Return hidden units, (n_rows, hidden), from what is told, (n_rows, at least n_in)."""
        layer = torch.addmm(self.first_bias, told[:, : len(self.first)], self.first).relu_()
        return torch.addmm(self.inner_bias, layer, self.inner).relu_().add_(layer)

    def logits(self, hidden: torch.Tensor, led: torch.Tensor | None = None) -> torch.Tensor:
        """Return the logits of the codes, (n_rows, size); `led`, (n_rows,), are leaders' codes."""
        *inner, last = self.head
        for layer in inner:
            hidden = hidden @ layer
        logits = torch.addmm(self.bias, hidden, last)
        return logits if self.lead is None or led is None else logits + self.lead[led]

    def calibrate(
        self, hidden: torch.Tensor, shares: torch.Tensor, led: torch.Tensor | None
    ) -> None:
        """Move the network's biases until codes come with `shares`, by expectation.

        Parameters
        ----------
        hidden : tensor of float, shape (n_rows, hidden)
        shares : tensor of float, shape (size,), or (size of leader, size) for each code of it
        led : tensor of int64, shape (n_rows,), or None
            Codes of the leader.
        """
        moved, kinds = self.bias[None], torch.zeros(len(hidden), dtype=torch.int64)
        if self.lead is not None and led is not None:
            moved, kinds = self.lead, led
        kinds = kinds.to(hidden.device)
        counts = torch.bincount(kinds, minlength=len(moved)).clamp_min(1)[:, None]
        wanted, met = shares.view(moved.shape), torch.zeros_like(moved)
        for _ in range(ROUNDS if len(hidden) else 0):
            found = torch.softmax(self.logits(hidden, led), 1)
            found = met.zero_().index_add_(0, kinds, found).div(counts).clamp_min(1e-9).log()
            step = (wanted.clamp_min(1e-30).log() - found).clamp(-1.0, 1.0)
            moved.add_(torch.where((wanted > 0) & (counts > FEWEST), step, 0.0))


class Unrolled:
    """A network laid out to make rows: the order of drawing, and what each block hears.

    A block hears the blocks before it and whatever a row is known to hold, which lies in front.
    What a block says is written once, when it is drawn; until then it is 0. So rows that know
    different columns are made together, each in the order that its own columns ask for.

    Parameters
    ----------
    network : MaskedNetwork
    order : sequence of int
        Columns of an index in the order of drawing.
    some, every : set of int, optional
        Columns that any row knows, and those that all rows know, which are not drawn at all.
    """

    def __init__(
        self,
        network: MaskedNetwork,
        order: Sequence[int],
        some: frozenset[int] = frozenset(),
        every: frozenset[int] = frozenset(),
    ) -> None:
        n, d, _ = network.sizes
        self.network, spans = network, network.spans
        front = [column for column in order if column in some]
        self.front = torch.tensor(front, dtype=torch.int64, device=spans.device)
        self.heard = front + [column for column in order if column not in some]
        self.width = n * (d + 1)
        self.embed = _with_one(network.embed)
        self.carries = torch.zeros(spans.width, dtype=torch.bool, device=spans.device)
        self.carries[spans.slot_positions] = True
        slots = {column: slot for slot, column in enumerate(self.heard)}
        numbers = {column: i for i, column in enumerate(network.places.columns.tolist())}
        offsets = {column: i for i, column in enumerate(spans.offset_columns.tolist())}
        parents = {
            column: int(parent)
            for children, above in spans.levels
            for column, parent in zip(children.tolist(), above.tolist(), strict=True)
        }
        lasts = {head: head.last() for head in network.heads if isinstance(head, BlockHead)}
        first = network.first.view(n, d, n, -1)
        present = network.present.view(n, n, -1)
        self.steps: list[_Step] = []
        n_before = len(front)
        for column in order:
            if column not in every:
                heard = self.heard[:n_before]
                weights = torch.cat([first[heard, :, column], present[heard, None, column]], dim=1)
                number, (head, row, start) = numbers.get(column), _head_of(network, column)
                size = int(spans.sizes[column])
                inner = [layer[row] for layer in head.layers[:-1]]
                part = None if number is None else slice(number, number + 1)
                self.steps.append(
                    _Step(
                        column,
                        slots[column],
                        parents.get(column),
                        offsets.get(column),
                        start,
                        size,
                        None if part is None else network.places.take(part),
                        None if number is None else _with_zero(network.smooth[number]),
                        weights.flatten(0, 1),
                        network.first_bias.view(n, -1)[column],
                        network.inner[column],
                        network.inner_bias[column, 0],
                        [*inner, lasts[head][row, :, :size].contiguous()],
                        network.bias[start : start + size],
                        network.leaders.get(column),
                        network.leads[str(column)] if column in network.leaders else None,
                    )
                )
            n_before += column not in some

    def chunk_rows(self) -> int:
        """Return how many rows are made at a time."""
        largest = max(self.width, 3 * int(self.network.spans.sizes.max()))
        return min(max(CELLS // largest, 64), MOST_ROWS)

    def make(
        self,
        n_rows: int,
        generator: torch.Generator,
        known: Known | None = None,
        shares: Mapping[int, torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Make rows.

        Parameters
        ----------
        n_rows : int
        generator : torch.Generator
        known : Known, optional
            What each of the rows holds; its columns are those in `some`.
        shares : mapping of int to tensor of float, optional
            Shares that the codes of columns are to come with, (size,), or (size of leader, size)
            for each code of its leader: each block is calibrated before it is drawn.

        Returns
        -------
        index : tensor of int64, shape (n_rows, n_blocks)
        offsets : tensor of float, shape (n_rows, n_offset_blocks)
        """
        spans, device = self.network.spans, self.network.spans.device
        # Where nothing is known, only what has been drawn is read.
        new = torch.empty if known is None else torch.zeros
        told = new((n_rows, self.width), device=device)
        index = spans.starts.repeat(n_rows, 1)
        shape = (n_rows, len(spans.offset_columns))
        offsets = torch.rand(shape, generator=generator, device=device).mul_(2).sub_(1)
        if known is not None:
            index = torch.where(known.flags, known.index, index)
            offsets = torch.where(known.flags[:, spans.offset_columns], known.offsets, offsets)
            said = _with_one(self.network.embedded(index, offsets))[:, self.front]
            said *= known.flags[:, self.front, None]
            told[:, : said[0].numel()] = said.flatten(1)
        meant: dict[int, torch.Tensor] = {}
        for step in self.steps:
            column = step.column
            drawn: torch.Tensor | None = None
            if step.parent is not None:
                drawn = spans.refined[index[:, step.parent]]
                if step.parent in meant:
                    drawn &= meant[step.parent]
                meant[column] = drawn
            hidden = step.hidden(told)
            led = None
            if step.leader is not None:
                led = (index[:, step.leader] - spans.starts[step.leader]).long()
            if shares is not None and column in shares:
                some = slice(None) if drawn is None else drawn
                step.calibrate(hidden[some], shares[column], None if led is None else led[some])
            level = torch.rand((n_rows, 1), generator=generator, device=device)
            codes = _draw(step.logits(hidden, led), level)
            here = step.start + (codes if drawn is None else torch.where(drawn, codes, 0))
            if known is not None:
                here = torch.where(known.flags[:, column], index[:, column], here)
            index[:, column] = here
            if step.offset is not None:
                carries = self.carries[here]
                if drawn is not None:
                    carries = torch.where(drawn, carries, self.carries[index[:, step.parent]])
                offsets[:, step.offset] *= carries
            said = self.embed[here]
            if step.places is not None and step.smooth is not None:
                features = step.places.features(spans, index, offsets)[:, 0]
                said = torch.addmm(said, features, step.smooth)
            width = said.shape[1]
            told[:, step.slot * width : (step.slot + 1) * width] = said
        return index, offsets


def _draw(logits: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Return a code of each row, (n_rows,), from logits (n_rows, size) and levels in [0, 1)."""
    edges = torch.softmax(logits, 1).cumsum(1)
    # Below the last edge, whatever the rounding: codes at the end may be ones that never come.
    reached = level * edges[:, -1:] * (1 - 1e-6)
    return torch.searchsorted(edges, reached, right=True)[:, 0]


def _head_of(network: MaskedNetwork, column: int) -> tuple[BlockHead, int, int]:
    """Return the head of a column of an index, its place there, and where its codes begin."""
    spans: Spans = network.spans
    for bucket, head in zip(spans.buckets, network.heads, strict=True):
        if column < bucket.count:
            assert isinstance(head, BlockHead)
            return head, column, bucket.start + column * bucket.width
        column -= bucket.count
    raise IndexError(column)


def _with_one(embedded: torch.Tensor) -> torch.Tensor:
    """Return embeddings with a further number that says that the block is there."""
    return torch.nn.functional.pad(embedded, (0, 1), value=1.0)


def _with_zero(weights: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.pad(weights, (0, 1))

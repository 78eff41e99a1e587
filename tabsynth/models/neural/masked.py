"""A network that tells every block of a row from the blocks before it, in any order of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from tabsynth.models.neural.heads import NEVER
from tabsynth.models.neural.linear import uniform
from tabsynth.models.neural.spans import Bucket, Spans

KNOTS = 16
OCTAVES = 8


@dataclass(frozen=True)
class Line:
    """A number as its place on a line from 0 to 1, read off its blocks.

    Attributes
    ----------
    columns : tensor of int64, shape (n_numbers,)
        Column of an index that holds the last block of each number.
    parents : tensor of int64, shape (n_numbers,)
        Column of the block that it refines, or the same column where it refines none.
    sizes, parts : tensor of float, shape (n_numbers,)
        Codes that mean places of the upper block, and of the lower one (1 where there is none).
    offsets : tensor of int64, shape (n_numbers,)
        Column of offsets that goes with the number; one past the last where there is none.
    """

    columns: torch.Tensor
    parents: torch.Tensor
    sizes: torch.Tensor
    parts: torch.Tensor
    offsets: torch.Tensor

    @classmethod
    def of(cls, spans: Spans) -> Line:
        """Return the numbers of a layout."""
        layout = spans.layout
        refined = {block.parent for block in layout}
        n_offsets = len(layout.offset_blocks)
        place = {int(block): column for column, block in enumerate(layout.offset_blocks)}
        rows: list[tuple[int, int, float, float, int]] = []
        for number, block in enumerate(layout):
            if not block.ordinal or number in refined:
                continue
            upper = number if block.parent is None else block.parent
            above = layout[upper]
            size = above.size - (above.missing is not None)
            rows.append(
                (
                    int(spans.column[number]),
                    int(spans.column[upper]),
                    float(max(size, 1)),
                    1.0 if upper == number else float(block.size),
                    place.get(number, n_offsets),
                )
            )
        table = np.array(rows, dtype=np.float64).reshape(-1, 5)
        whole = [torch.from_numpy(table[:, j].astype(np.int64)).to(spans.device) for j in (0, 1, 4)]
        real = [torch.from_numpy(table[:, j].astype(np.float32)).to(spans.device) for j in (2, 3)]
        return cls(whole[0], whole[1], real[0], real[1], whole[2])

    def __len__(self) -> int:
        return len(self.columns)

    def features(
        self, spans: Spans, index: torch.Tensor, offsets: torch.Tensor, numbers: torch.Tensor
    ) -> torch.Tensor:
        """Return what a network is told of the places of some numbers.

        Returns
        -------
        tensor of float, shape (n_rows, len(numbers), KNOTS + 2 * OCTAVES)
            Hats on equally spaced knots, then sines and cosines; 0 where the number is missing.
        """
        columns, parents = self.columns[numbers], self.parents[numbers]
        upper = (index[:, parents] - spans.starts[parents]).float()
        refined = parents != columns
        lower = torch.where(refined, (index[:, columns] - spans.starts[columns]).float(), 0.0)
        padded = torch.cat([offsets, offsets.new_zeros((len(offsets), 1))], dim=1)
        inside = (padded[:, self.offsets[numbers]] + 1) / 2
        place = (upper + (lower + inside) / self.parts[numbers]) / self.sizes[numbers]
        known = (upper < self.sizes[numbers]).float()[..., None]
        place = place.clamp(0.0, 1.0)[..., None]
        knots = torch.linspace(0.0, 1.0, KNOTS, device=place.device)
        hats = (1 - (place - knots).abs() * (KNOTS - 1)).clamp_min(0.0)
        turns = place * (math.pi * 2.0 ** torch.arange(OCTAVES, device=place.device))
        return torch.cat([hats, turns.sin(), turns.cos()], dim=2) * known


class MaskedNetwork(nn.Module):
    """Distributions of all blocks of a row, each told from the blocks that an order puts before it.

    Every block is an embedding of its code. A first layer sums what the blocks before it say to a
    block, each block has hidden units and a layer of its own, and a softmax ends it. Which blocks
    count as before is a mask, so that one set of weights serves every order; a block that is not
    before another says so, too.

    Parameters
    ----------
    spans : Spans
    embedding, hidden : int
        Numbers for each block's code, and hidden units of each block.
    generator : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self, spans: Spans, embedding: int, hidden: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.spans = spans
        self.line = Line.of(spans)
        n, d, h = spans.n_blocks, embedding, hidden
        self.sizes = (n, d, h)
        self.embed = uniform((spans.width, d), math.sqrt(3.0), generator)
        bound = math.sqrt(3 / (KNOTS / 4 + OCTAVES))
        self.smooth = uniform((len(self.line), KNOTS + 2 * OCTAVES, d), bound, generator)
        self.first = uniform((n * d, n * h), math.sqrt(6 / max(d * n / 2, 1)), generator)
        self.absent = nn.Parameter(torch.zeros((n, n * h)))
        self.first_bias = nn.Parameter(torch.zeros(n * h))
        self.inner = uniform((n, h, h), math.sqrt(3 / h), generator)
        self.inner_bias = nn.Parameter(torch.zeros((n, 1, h)))
        self.heads = nn.ParameterList(
            uniform((bucket.count, h, bucket.width), 0.1 * math.sqrt(3 / h), generator)
            for bucket in spans.buckets
        )
        self.bias = nn.Parameter(torch.full((spans.width,), NEVER))

    @torch.no_grad()
    def start_at(self, shares: torch.Tensor) -> None:
        """Set the biases so that codes come with `shares`, (spans.width,), and others never."""
        self.bias.copy_(torch.where(shares > 0, shares.clamp_min(1e-30).log(), NEVER))

    def embedded(self, index: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of rows, (n_rows, n_blocks, embedding)."""
        found = nn.functional.embedding(index, self.embed)
        if len(self.line):
            numbers = torch.arange(len(self.line), device=index.device)
            features = self.line.features(self.spans, index, offsets, numbers)
            places = torch.einsum("bnf,nfd->bnd", features, self.smooth)
            found = found.index_add(1, self.line.columns, places)
        return found

    def losses(
        self,
        index: torch.Tensor,
        offsets: torch.Tensor,
        before: torch.Tensor,
        drop: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Return the negative log-likelihood of every block, in nats.

        Parameters
        ----------
        index : tensor of int, shape (n_rows, n_blocks)
        offsets : tensor of float, shape (n_rows, n_offset_blocks)
        before : tensor of float, shape (n_blocks, n_blocks)
            1 where the first block is before the second, else 0.
        drop : tuple of tensor, optional
            Factors of the embeddings and of both hidden layers, for training.

        Returns
        -------
        tensor of float, shape (n_blocks, n_rows)
            0 where a block means nothing.
        """
        n, d, h = self.sizes
        rows = self.embedded(index, offsets)
        if drop is not None:
            rows = rows * drop[0]
        weights = (self.first.view(n, d, n, h) * before[:, None, :, None]).view(n * d, n * h)
        silent = (self.absent.view(n, n, h) * (1 - before)[:, :, None]).sum(0).view(-1)
        hidden = torch.relu(torch.addmm(self.first_bias + silent, rows.flatten(1), weights))
        layers = hidden.view(-1, n, h).transpose(0, 1)
        if drop is not None:
            layers = layers * drop[1]
        inner = torch.relu(torch.baddbmm(self.inner_bias, layers, self.inner))
        if drop is not None:
            inner = inner * drop[2]
        layers = layers + inner
        parts, column = [], 0
        codes = (index - self.spans.starts).long()
        for bucket, head in zip(self.spans.buckets, self.heads, strict=True):
            some = slice(column, column + bucket.count)
            bias = self.bias[bucket.start : bucket.stop].view(bucket.count, 1, bucket.width)
            logits = torch.baddbmm(bias, layers[some], head)
            wanted = codes[:, some].T.reshape(-1)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), wanted, reduction="none")
            parts.append(loss.view(bucket.count, -1))
            column += bucket.count
        each = torch.cat(parts)
        return each * self.spans.meant(index).T if self.spans.levels else each

    def bucket_of(self, column: int) -> tuple[int, int, Bucket]:
        """Return the bucket of a column of an index, and its place in the bucket."""
        first = 0
        for number, bucket in enumerate(self.spans.buckets):
            if column < first + bucket.count:
                return number, column - first, bucket
            first += bucket.count
        raise IndexError(column)


class Unrolled:
    """A network's weights laid out for one order, to make rows block by block.

    Parameters
    ----------
    network : MaskedNetwork
    order : sequence of int
        Columns of an index, the first one first.
    """

    def __init__(self, network: MaskedNetwork, order: Sequence[int]) -> None:
        n, d, h = network.sizes
        self.network, self.order = network, list(order)
        self.first: list[torch.Tensor] = []
        self.first_bias: list[torch.Tensor] = []
        weights = network.first.view(n, d, n, h)
        for place, column in enumerate(self.order):
            before, after = self.order[:place], self.order[place:]
            self.first.append(weights[before, :, column].reshape(place * d, h))
            silent = network.absent.view(n, n, h)[after, column].sum(0)
            own = network.first_bias.view(n, h)[column]
            self.first_bias.append(own + silent)
        numbers = network.line.columns.tolist()
        self.number = {column: numbers.index(column) for column in self.order if column in numbers}

    def hidden(self, place: int, told: torch.Tensor) -> torch.Tensor:
        """Return the hidden units of the block at a place in the order.

        Parameters
        ----------
        place : int
        told : tensor of float, shape (n_rows, n_blocks * embedding)
            Embeddings of the blocks so far, in their order.
        """
        column = self.order[place]
        width = self.first[place].shape[0]
        layer = torch.relu(torch.addmm(self.first_bias[place], told[:, :width], self.first[place]))
        inner = torch.addmm(
            self.network.inner_bias[column, 0], layer, self.network.inner[column]
        )
        return layer + torch.relu(inner)

    def logits(self, place: int, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits of the codes of the block at a place in the order."""
        number, row, bucket = self.network.bucket_of(self.order[place])
        begin = bucket.start + row * bucket.width
        size = int(self.network.spans.sizes[self.order[place]])
        bias = self.network.bias[begin : begin + size]
        return torch.addmm(bias, hidden, self.network.heads[number][row, :, :size])

    def tell(
        self, place: int, told: torch.Tensor, index: torch.Tensor, offsets: torch.Tensor
    ) -> None:
        """Write the embedding of the block that was drawn at a place in the order to `told`."""
        d = self.network.sizes[1]
        column = self.order[place]
        found = self.network.embed[index[:, column]]
        if column in self.number:
            number = torch.tensor([self.number[column]], device=index.device)
            line = self.network.line
            features = line.features(self.network.spans, index, offsets, number)[:, 0]
            found = found + features @ self.network.smooth[self.number[column]]
        told[:, place * d : (place + 1) * d] = found

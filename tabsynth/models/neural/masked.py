"""A network that tells every block of a row from the blocks before it, in any order of blocks."""

from __future__ import annotations

import math

import torch
from torch import nn

from tabsynth.models.neural.heads import NEVER, RANK
from tabsynth.models.neural.linear import uniform
from tabsynth.models.neural.places import FEATURES, KNOTS, OCTAVES, Places, describe_codes
from tabsynth.models.neural.spans import WIDE, Bucket, Spans

Factors = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]
"""Factors of dropout, of embeddings and both hidden layers; None where nothing is dropped."""


class BlockHead(nn.Module):
    """The linear layers from the hidden units of blocks to the logits of their codes.

    Codes that are places on a line share weights with their neighbours, besides those of their own.
    Blocks of more than `WIDE` codes are reached through `RANK` units.

    Parameters
    ----------
    bucket : Bucket
        Blocks of a width.
    hidden : int
        Hidden units of each block.
    features : tensor of float, shape (spans.width, FEATURES)
        See `describe_codes`.
    generator : torch.Generator
    """

    features: torch.Tensor

    def __init__(
        self, bucket: Bucket, hidden: int, features: torch.Tensor, generator: torch.Generator
    ) -> None:
        super().__init__()
        shapes = [(bucket.count, hidden, bucket.width)]
        if bucket.width > WIDE:
            shapes = [(bucket.count, hidden, RANK), (bucket.count, RANK, bucket.width)]
        gains = [1.0] * (len(shapes) - 1) + [0.1]
        self.layers = nn.ParameterList(
            uniform(shape, gain * math.sqrt(3 / shape[1]), generator)
            for shape, gain in zip(shapes, gains, strict=True)
        )
        self.smooth = nn.Parameter(torch.zeros((bucket.count, shapes[-1][1], FEATURES)))
        own = features[bucket.start : bucket.stop].view(bucket.count, bucket.width, FEATURES)
        self.register_buffer("features", own.transpose(1, 2).contiguous(), persistent=False)

    def last(self) -> torch.Tensor:
        """Return the weights of the last layer, (count, n_in, width)."""
        return torch.baddbmm(self.layers[-1], self.smooth, self.features)

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Return logits, (count, n_rows, width), of hidden units (count, n_rows, hidden)."""
        for layer in self.layers[:-1]:
            hidden = torch.bmm(hidden, layer)
        return torch.baddbmm(bias, hidden, self.last())


class MaskedNetwork(nn.Module):
    """Distributions of all blocks of a row, each told from the blocks that an order puts before it.

    Every code has an embedding, to which a number adds what its place on the line says. A first
    layer sums what the blocks before a block say to it, a block that is before another says so too,
    and each block has hidden units, a further layer and a softmax of its own. Which blocks are
    before is a mask, so that one set of weights serves every order.

    Parameters
    ----------
    spans : Spans
    embedding, hidden : int
        Numbers for each code, and hidden units of each block.
    generator : torch.Generator
        Draws the first weights; on the processor.

    Attributes
    ----------
    sizes : tuple of int
        Blocks, embedding and hidden units.
    embed : Parameter, shape (spans.width, embedding)
    smooth : Parameter, shape (n_numbers, FEATURES, embedding)
        What places add to the embeddings.
    first : Parameter, shape (n_blocks * embedding, n_blocks * hidden)
        What each block says to each, whether before or not.
    present : Parameter, shape (n_blocks, n_blocks * hidden)
        What it says to be before.
    bias : Parameter, shape (spans.width,)
        Of the logits.
    leads : ParameterDict
        What the code of a leader adds to the logits of a column of an index; see `lead`. Not heard
        in `forward`: for networks that are trained under a budget.
    leaders : dict of int to int
        The leader of each such column.

    References
    ----------
    Germain et al., "MADE: Masked Autoencoder for Distribution Estimation", 2015, arXiv:1502.03509.
    """

    def __init__(
        self, spans: Spans, embedding: int, hidden: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.spans, self.places = spans, Places.of(spans)
        n, d, h = spans.n_blocks, embedding, hidden
        self.sizes = (n, d, h)
        self.embed = uniform((spans.width, d), math.sqrt(3.0), generator)
        # About two hats of a place and one of each sine and cosine are not 0.
        bound = math.sqrt(3 / (KNOTS / 4 + OCTAVES))
        self.smooth = uniform((len(self.places), FEATURES, d), bound, generator)
        self.first = uniform((n * d, n * h), math.sqrt(6 / max(d * n / 2, 1)), generator)
        self.present = nn.Parameter(torch.zeros((n, n * h)))
        self.first_bias = nn.Parameter(torch.zeros(n * h))
        self.inner = uniform((n, h, h), math.sqrt(3 / h), generator)
        self.inner_bias = nn.Parameter(torch.zeros((n, 1, h)))
        codes = describe_codes(spans)
        self.heads = nn.ModuleList(BlockHead(part, h, codes, generator) for part in spans.buckets)
        self.bias = nn.Parameter(torch.full((spans.width,), NEVER))
        self.leads = nn.ParameterDict()
        self.leaders: dict[int, int] = {}

    @torch.no_grad()
    def lead(self, column: int, leader: int, logits: torch.Tensor) -> None:
        """Let the code of one block add to the logits of another, whose biases become 0.

        Parameters
        ----------
        column, leader : int
            Columns of an index; the leader is drawn before.
        logits : tensor of float, shape (size of leader, size of column)
        """
        start, size = int(self.spans.starts[column]), int(self.spans.sizes[column])
        self.bias[start : start + size] = 0.0
        self.leads[str(column)] = nn.Parameter(logits.clone(), requires_grad=False)
        self.leaders[column] = leader

    @torch.no_grad()
    def start_at(self, shares: torch.Tensor) -> None:
        """Set the biases so that codes come with `shares`, (spans.width,), and others never."""
        self.bias.copy_(torch.where(shares > 0, shares.clamp_min(1e-30).log(), NEVER))

    @torch.no_grad()
    def forget_unseen(self, index: torch.Tensor) -> None:
        """Let codes that no row of `index` has say nothing, instead of what they began with."""
        counts = torch.bincount(index.reshape(-1).long(), minlength=self.spans.width)
        self.embed.mul_((counts > 0)[:, None])

    def embedded(self, index: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of rows, (n_rows, n_blocks, embedding)."""
        found = nn.functional.embedding(index, self.embed)
        if len(self.places):
            features = self.places.features(self.spans, index, offsets)
            said = torch.einsum("bnf,nfd->bnd", features, self.smooth)
            found = found.index_add(1, self.places.columns, said.to(found.dtype))
        return found

    def forward(
        self,
        index: torch.Tensor,
        offsets: torch.Tensor,
        before: torch.Tensor,
        factors: Factors = (None, None, None),
    ) -> torch.Tensor:
        """Return the negative log-likelihood of the codes, in nats a row.

        Parameters
        ----------
        index : tensor of int, shape (n_rows, n_blocks)
        offsets : tensor of float, shape (n_rows, n_offset_blocks)
        before : tensor of float, shape (n_blocks, n_blocks)
            1 where the first block is before the second, else 0; see `Orders`.
        factors : tuple of tensor
            What embeddings, (n_rows, n_blocks, embedding), and hidden layers, (n_blocks, n_rows,
            hidden), are multiplied with, in training.

        Returns
        -------
        tensor of float, shape ()
            The mean over the rows; blocks that mean nothing count nothing.
        """
        n, d, h = self.sizes
        rows = _times(self.embedded(index, offsets), factors[0])
        weights = (self.first.view(n, d, n, h) * before[:, None, :, None]).view(n * d, n * h)
        bias = (self.present.view(n, n, h) * before[:, :, None]).sum(0).view(-1) + self.first_bias
        hidden = torch.relu(torch.addmm(bias, rows.flatten(1), weights))
        layers = _times(hidden.view(-1, n, h).transpose(0, 1), factors[1])
        inner = torch.relu(torch.baddbmm(self.inner_bias, layers, self.inner))
        layers = layers + _times(inner, factors[2])
        losses = torch.cat(self._losses(layers, (index - self.spans.starts).long().T))
        if self.spans.levels:
            losses = losses * self.spans.meant(index).T.reshape(-1)
        return losses.sum() / len(index)

    def _losses(self, layers: torch.Tensor, codes: torch.Tensor) -> list[torch.Tensor]:
        """Return the losses of each bucket, (count * n_rows,), of codes (n_blocks, n_rows)."""
        buckets = self.spans.buckets
        # Splits, not slices: on the way back each slice would fill a whole layer with zeros.
        counts = [bucket.count for bucket in buckets]
        lengths = [bucket.count * bucket.width for bucket in buckets]
        parts = [
            torch.split(values, sizes)
            for values, sizes in ((layers, counts), (self.bias, lengths), (codes, counts))
        ]
        losses = []
        for bucket, head, some, bias, wanted in zip(buckets, self.heads, *parts, strict=True):
            logits = head(some, bias.view(bucket.count, 1, bucket.width)).flatten(0, 1).float()
            target = wanted.reshape(-1)
            losses.append(nn.functional.cross_entropy(logits, target, reduction="none"))
        return losses


def _times(values: torch.Tensor, factors: torch.Tensor | None) -> torch.Tensor:
    return values if factors is None else values * factors


def draw_factors(
    shape: tuple[int, ...], rate: float, generator: torch.Generator
) -> torch.Tensor | None:
    """Draw factors of dropout, whose mean is 1; None where the rate is 0.

    They come from single random bytes, so the rate is taken to the nearest 256th: a number for each
    factor would take a tenth of the time of a step.
    """
    least = round(256 * rate)
    if not least:
        return None
    size = math.prod(shape)
    words = torch.empty(-(-size // 8), dtype=torch.int64, device=generator.device)
    words.random_(-(2**63), None, generator=generator)
    keep = words.view(torch.uint8)[:size].view(shape) >= least
    return keep * (256 / (256 - least))

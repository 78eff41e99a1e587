"""First layers: rows of codes and offsets in, sums of embeddings out; no one-hot is built."""

from __future__ import annotations

import math

import torch
from torch import nn

from tabsynth.models.neural.heads import RANK
from tabsynth.models.neural.linear import Linear, uniform
from tabsynth.models.neural.spans import Spans


class RowInputs(nn.Module):
    """The linear layer of a row's one-hot codes and of its offsets, as a sum of embeddings.

    Every code has an embedding, and every code that carries an offset a second one, which is
    multiplied by the offset: the same offset means something else in another code. Codes of blocks
    with more than `WIDE` of them have short embeddings, which a further layer widens.

    Parameters
    ----------
    spans : Spans
    n_out : int
        Number of outputs.
    generator : torch.Generator
    """

    def __init__(self, spans: Spans, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.spans = spans
        # One code of each block is set, so a sum has as many terms as there are blocks.
        bound = math.sqrt(3 / max(spans.n_blocks + len(spans.offset_columns), 1))
        # Narrow codes, then slots of offsets, then one that stands for no offset.
        rows = spans.narrow_width + spans.n_slots + 1
        self.narrow = uniform((rows, n_out), bound, generator)
        self.wide: nn.Parameter | None = None
        self.widen: Linear | None = None
        if spans.width > spans.narrow_width:
            self.wide = uniform((spans.width - spans.narrow_width, RANK), bound, generator)
            self.widen = Linear(RANK, n_out, generator, bias=False)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, index: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return the outputs for rows, float of shape (n_rows, n_out).

        Parameters
        ----------
        index : tensor of int, shape (n_rows, n_blocks)
            Positions of the codes.
        offsets : tensor of float, shape (n_rows, n_offset_blocks)
        """
        spans = self.spans
        total: torch.Tensor = self.bias
        narrow, weights = index[:, : spans.n_narrow], None
        if spans.n_slots:
            slots = (spans.slots(index) + spans.narrow_width).to(index.dtype)
            weights = torch.cat([torch.ones_like(narrow, dtype=offsets.dtype), offsets], dim=1)
            narrow = torch.cat([narrow, slots], dim=1)
        if narrow.shape[1]:
            total = total + nn.functional.embedding_bag(
                narrow, self.narrow, mode="sum", per_sample_weights=weights
            )
        if self.wide is not None and self.widen is not None:
            wide = index[:, spans.n_narrow :] - spans.narrow_width
            total = total + self.widen(nn.functional.embedding_bag(wide, self.wide, mode="sum"))
        return total

    def soft(self, shares: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return the outputs for rows whose codes are shared between the codes of a block.

        Parameters
        ----------
        shares : tensor of float, shape (n_rows, spans.width)
        offsets : tensor of float, shape (n_rows, spans.n_slots)
            The offset in every slot times the share of its code.
        """
        width = self.spans.narrow_width
        narrow = torch.cat([shares[:, :width], offsets], dim=1)
        total = torch.addmm(self.bias, narrow, self.narrow[:-1])
        if self.wide is not None and self.widen is not None:
            total = total + self.widen(shares[:, width:] @ self.wide)
        return total

    def squared_slopes(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the squared length of a gradient with respect to what `soft` takes.

        The layer is linear, so its weights lead back from outputs to inputs, whatever these are: no
        row of shares is built.

        Parameters
        ----------
        gradient : tensor of float, shape (n_rows, n_out)
            With respect to the outputs.

        Returns
        -------
        tensor of float, shape (n_rows,)
        """
        total = (gradient @ self.narrow[:-1].T).square().sum(1)
        if self.wide is not None and self.widen is not None:
            total = total + (gradient @ self.widen.weight @ self.wide.T).square().sum(1)
        return total

"""First layers: rows of codes and offsets in, sums of embeddings out; no one-hot is built."""

from __future__ import annotations

import math

import torch
from torch import nn

from tabsynth.models.neural.linear import uniform
from tabsynth.models.neural.spans import Spans


class RowInputs(nn.Module):
    """The linear layer of a row's one-hot codes and of its offsets, as a sum of embeddings.

    Every code has an embedding, and every code that carries an offset a second one, which is
    multiplied by the offset: the same offset means something else in another code.

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
        self.weight = uniform((spans.width + spans.n_continuous + 1, n_out), bound, generator)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, index: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return the outputs for rows.

        Parameters
        ----------
        index : tensor of int, shape (n_rows, n_blocks)
            Positions of the codes.
        offsets : tensor of float, shape (n_rows, n_offset_blocks)
        """
        spans = self.spans
        weights = None
        if spans.n_continuous:
            moved = self.spans.offset_codes(index) + spans.width
            weights = torch.cat([torch.ones_like(index, dtype=offsets.dtype), offsets], dim=1)
            index = torch.cat([index, moved.to(index.dtype)], dim=1)
        total = nn.functional.embedding_bag(
            index, self.weight, mode="sum", per_sample_weights=weights
        )
        return total + self.bias

    def soft(self, shares: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return the outputs for rows whose codes are shares between the codes of a block.

        Parameters
        ----------
        shares : tensor of float, shape (n_rows, spans.width)
        offsets : tensor of float, shape (n_rows, spans.n_continuous)
            For every continuous code, its share times its offset.
        """
        rows = torch.cat([shares, offsets], dim=1)
        return torch.addmm(self.bias, rows, self.weight[:-1])

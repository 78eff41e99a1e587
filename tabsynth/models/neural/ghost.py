"""Layers that say how long the gradient of each row is, without building it.

Under a privacy budget the gradient of every row is cut to a length. For these layers the length
follows from what goes in and from the gradient with respect to what comes out: the gradient of a
weight is an outer product of the two. Each has a method ``squared_norms(inputs, gradient)`` that
returns, for each of its parameters, the squared length of each row's gradient, float (n_rows,);
the door to the rows asks for nothing else. Parameters are those of another network, taken over.

References
----------
Goodfellow, "Efficient Per-Example Gradient Computations", 2015, arXiv:1510.01799.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

Norms = dict[nn.Parameter, torch.Tensor]


def squares(values: torch.Tensor) -> torch.Tensor:
    """Return the sums of the squares along the last dimension."""
    lengths: torch.Tensor = torch.linalg.vector_norm(values, dim=-1)
    return lengths.square()


class Affine(nn.Module):
    """``x @ weight.T + bias`` for x of shape (n_rows, n_in)."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None = None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Apply the layer."""
        return nn.functional.linear(inputs, self.weight, self.bias)

    def squared_norms(self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor) -> Norms:
        """Return the squared lengths of the rows' gradients."""
        length = squares(gradient)
        norms = {self.weight: squares(inputs[0]) * length}
        return norms if self.bias is None else {**norms, self.bias: length}


class Shift(nn.Module):
    """``x + bias`` for x of shape (n_rows, n_out)."""

    def __init__(self, bias: nn.Parameter) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Apply the layer."""
        return inputs + self.bias

    def squared_norms(self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor) -> Norms:
        """Return the squared lengths of the rows' gradients."""
        return {self.bias: squares(gradient)}


class Lookup(nn.Module):
    """The embedding of every code, (n_rows, n_blocks, n_out), of positions (n_rows, n_blocks).

    No position may occur twice in a row, as is so where every block has positions of its own.
    """

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        """Apply the layer."""
        return nn.functional.embedding(index, self.weight)

    def squared_norms(self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor) -> Norms:
        """Return the squared lengths of the rows' gradients."""
        return {self.weight: squares(gradient.flatten(1))}


class Bag(nn.Module):
    """The sum of the embeddings of a row's codes, (n_rows, n_out); positions as in `Lookup`."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        """Apply the layer."""
        return nn.functional.embedding_bag(index, self.weight, mode="sum")

    def squared_norms(self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor) -> Norms:
        """Return the squared lengths of the rows' gradients."""
        return {self.weight: squares(gradient) * inputs[0].shape[1]}


class Batched(nn.Module):
    """A linear layer of its own for each of several blocks.

    Parameters
    ----------
    weight : Parameter, shape (n_blocks, n_in, n_out)
    bias : Parameter, shape (n_blocks, 1, n_out), optional
    """

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None = None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return outputs, (n_blocks, n_rows, n_out), of inputs (n_blocks, n_rows, n_in)."""
        if self.bias is None:
            return torch.bmm(inputs, self.weight)
        return torch.baddbmm(self.bias, inputs, self.weight)

    def squared_norms(self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor) -> Norms:
        """Return the squared lengths of the rows' gradients."""
        length = squares(gradient)
        norms = {self.weight: (squares(inputs[0]) * length).sum(0)}
        return norms if self.bias is None else {**norms, self.bias: length.sum(0)}


class Masked(nn.Module):
    """The first layer of a `MaskedNetwork`: blocks hear the blocks before them.

    Parameters
    ----------
    weight : Parameter, shape (n_blocks * n_in, n_blocks * n_out)
    present : Parameter, shape (n_blocks, n_blocks * n_out)
    bias : Parameter, shape (n_blocks * n_out,)
    before : tensor of float, shape (n_blocks, n_blocks)
        1 where the first block is before the second.
    """

    def __init__(
        self,
        weight: nn.Parameter,
        present: nn.Parameter,
        bias: nn.Parameter,
        before: torch.Tensor,
    ) -> None:
        super().__init__()
        self.weight, self.present, self.bias = weight, present, bias
        self.before = before

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return outputs, (n_rows, n_blocks, n_out), of inputs (n_rows, n_blocks, n_in)."""
        n, d = inputs.shape[1:]
        before = self.before.to(inputs.dtype)
        weight = self.weight.view(n, d, n, -1) * before[:, None, :, None]
        present = (self.present.view(n, n, -1) * before[:, :, None]).sum(0)
        outputs = torch.addmm(
            present.view(-1) + self.bias, inputs.flatten(1), weight.view(n * d, -1)
        )
        return outputs.view(len(inputs), n, -1)

    def squared_norms(self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor) -> Norms:
        """Return the squared lengths of the rows' gradients."""
        length, before = squares(gradient), self.before.to(gradient.dtype)
        heard = squares(inputs[0]) @ before
        return {
            self.weight: (heard * length).sum(1),
            self.present: length @ before.sum(0),
            self.bias: length.sum(1),
        }

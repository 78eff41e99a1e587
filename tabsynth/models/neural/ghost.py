"""Layers that say how long the gradient of each row is, and weigh such gradients, unbuilt.

Under a privacy budget the gradient of every row is cut to a length. For these layers all follows
from what goes in and from the gradient with respect to what comes out: the gradient of a weight is
an outer product of the two. Each has two methods, and the door to the rows asks for nothing else.
``squared_norms(inputs, gradient)`` returns, for each of its parameters, the squared length of each
row's gradient, float (n_rows,). ``weighted(inputs, gradient, weights)`` returns, for each of them,
the sum of the rows' gradients times `weights`, float (n_rows,), in the shape of the parameter. So
one way back through the network serves both.

References
----------
Goodfellow, "Efficient Per-Example Gradient Computations", 2015, arXiv:1510.01799. Bu, Wang, Zha and
Karypis, "Differentially Private Optimization on Large Model at Small Cost", 2023, arXiv:2210.00038.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

FEW = 1024
"""Positions up to which a product is quicker than adding up row by row."""

Norms = dict[nn.Parameter, torch.Tensor]
Sums = dict[nn.Parameter, torch.Tensor]


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

    def weighted(
        self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor, weights: torch.Tensor
    ) -> Sums:
        """Return the weighted sums of the rows' gradients."""
        gradient = gradient * weights[:, None]
        sums = {self.weight: gradient.T @ inputs[0]}
        return sums if self.bias is None else {**sums, self.bias: gradient.sum(0)}


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

    def weighted(
        self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor, weights: torch.Tensor
    ) -> Sums:
        """Return the weighted sums of the rows' gradients."""
        return {self.bias: weights @ gradient}


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

    def weighted(
        self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor, weights: torch.Tensor
    ) -> Sums:
        """Return the weighted sums of the rows' gradients."""
        gradient = gradient * weights[:, None, None]
        return {self.weight: _gathered(inputs[0].flatten(), gradient.flatten(0, 1), self.weight)}


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

    def weighted(
        self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor, weights: torch.Tensor
    ) -> Sums:
        """Return the weighted sums of the rows' gradients."""
        index, size = inputs[0].long(), len(self.weight)
        if size <= FEW:
            said = gradient.new_zeros((len(gradient), size))
            said.scatter_(1, index, weights[:, None].expand(index.shape))
            return {self.weight: said.T @ gradient}
        gradient = (gradient * weights[:, None])[:, None].expand(-1, index.shape[1], -1)
        return {self.weight: _gathered(index.flatten(), gradient.flatten(0, 1), self.weight)}


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

    def weighted(
        self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor, weights: torch.Tensor
    ) -> Sums:
        """Return the weighted sums of the rows' gradients."""
        gradient = gradient * weights[:, None]
        sums = {self.weight: torch.bmm(inputs[0].transpose(1, 2), gradient)}
        return sums if self.bias is None else {**sums, self.bias: gradient.sum(1, keepdim=True)}


class Masked(nn.Module):
    """The first layer of a `MaskedNetwork`: blocks hear the blocks before them.

    Only weights that some block may hear another through are there, in one vector: the gradient of
    all others is 0 whatever the rows, and noise on them would be in vain.

    Parameters
    ----------
    weight : tensor, shape (n_speakers, n_in, n_hearers, n_out)
        What each block that speaks says to each that hears.
    present : tensor, shape (n_speakers, n_hearers, n_out), optional
        What it says to be before; None where the same blocks are before in every step.
    bias : tensor, shape (n_hearers, n_out)
    before : tensor of float, shape (n_speakers, n_hearers)
        1 where the first block is before the second; may change from step to step if there is a
        `present`.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        present: torch.Tensor | None,
        bias: torch.Tensor,
        before: torch.Tensor,
    ) -> None:
        super().__init__()
        self.shape, self.before = weight.shape, before
        heard = before.bool() if present is None else torch.ones_like(before, dtype=torch.bool)
        flags = heard[:, None, :, None].expand(self.shape).reshape(-1)
        self.places = flags.nonzero()[:, 0]
        self.weight = nn.Parameter(weight.detach().reshape(-1)[self.places])
        self.present = None if present is None else nn.Parameter(present.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())

    def dense(self) -> torch.Tensor:
        """Return what each block says to each, as `weight` was given."""
        empty = self.weight.new_zeros(self.shape.numel())
        return empty.index_copy(0, self.places, self.weight).view(self.shape)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return outputs, (n_rows, n_hearers, n_out), of inputs (n_rows, n_speakers, n_in)."""
        n, d, m, h = self.shape
        weight: torch.Tensor = self.dense()
        bias: torch.Tensor = self.bias.view(-1)
        if self.present is not None:
            before = self.before.to(inputs.dtype)
            weight = weight * before[:, None, :, None]
            bias = bias.add((self.present * before[:, :, None]).sum(0).view(-1))
        outputs = torch.addmm(bias, inputs.flatten(1), weight.view(n * d, m * h))
        return outputs.view(len(inputs), m, h)

    def squared_norms(self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor) -> Norms:
        """Return the squared lengths of the rows' gradients."""
        length, before = squares(gradient), self.before.to(gradient.dtype)
        heard = squares(inputs[0]) @ before
        norms = {self.weight: (heard * length).sum(1), self.bias: length.sum(1)}
        if self.present is not None:
            norms[self.present] = length @ before.sum(0)
        return norms

    def weighted(
        self, inputs: Sequence[torch.Tensor], gradient: torch.Tensor, weights: torch.Tensor
    ) -> Sums:
        """Return the weighted sums of the rows' gradients."""
        flat = gradient.flatten(1) * weights[:, None]
        product, total = inputs[0].flatten(1).T @ flat, flat.sum(0).view(self.bias.shape)
        sums = {self.bias: total}
        if self.present is not None:
            before = self.before.to(gradient.dtype)
            product = product.view(self.shape) * before[:, None, :, None]
            sums[self.present] = before[:, :, None] * total
        sums[self.weight] = product.reshape(-1)[self.places]
        return sums


def _gathered(index: torch.Tensor, values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the sums of `values`, (n, n_out), by their positions, in the shape of `like`."""
    return torch.zeros_like(like).index_add_(0, index, values)

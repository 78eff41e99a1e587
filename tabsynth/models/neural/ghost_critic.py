"""The critic of an adversary under a privacy budget: one score a row, and nothing of other rows."""

from __future__ import annotations

import torch
from torch import nn

from tabsynth.models.neural.chance import RowChance
from tabsynth.models.neural.ghost import Affine, Bag, Shift, squares
from tabsynth.models.neural.heads import RANK
from tabsynth.models.neural.linear import uniform
from tabsynth.models.neural.spans import Spans

LEAK = 0.2
"""Slope of the units below 0."""


class GhostCritic(nn.Module):
    """From the codes of a row, and a condition, to a score.

    One hidden layer behind a sum of embeddings. There is no normalisation at all, and rows are
    judged one at a time, so that the gradient of a row is its own. Offsets, and codes that refine
    another, are not heard: they follow their shares.

    Parameters
    ----------
    spans : Spans
    columns : tensor of int64, shape (n_conditions,)
        Column of an index that each condition speaks of, in rising order.
    n_units : int
        Units of the embeddings and of the hidden layer.
    generator : torch.Generator
        For the first weights.
    chance : RowChance
        Says which of its columns is the condition of a row.
    """

    def __init__(
        self,
        spans: Spans,
        columns: torch.Tensor,
        n_units: int,
        generator: torch.Generator,
        chance: RowChance,
    ) -> None:
        super().__init__()
        self.spans, self.chance = spans, chance
        self.columns, counts = torch.unique_consecutive(columns, return_counts=True)
        self.first = counts.cumsum(0) - counts
        refining = {int(child) for children, _ in spans.levels for child in children}
        heard = [column for column in range(spans.n_blocks) if column not in refining]
        at = torch.tensor(heard, dtype=torch.int64, device=spans.device)
        self.heard = at[at < spans.n_narrow], at[at >= spans.n_narrow]
        ones = torch.zeros((1, spans.n_blocks), device=spans.device).index_fill_(1, at, 1.0)
        self.audible = spans.expand(ones)[0]
        narrow, wide = spans.narrow_width, spans.width - spans.narrow_width
        bound = (3 / max(spans.n_blocks + 1, 1)) ** 0.5
        # One layer of embeddings serves codes and conditions.
        self.codes = Bag(uniform((narrow + len(columns), n_units), bound, generator))
        self.wide: Bag | None = None
        self.widen: Affine | None = None
        if wide:
            self.wide = Bag(uniform((wide, RANK), bound, generator))
            self.widen = Affine(uniform((n_units, RANK), (3 / RANK) ** 0.5, generator))
        self.shift = Shift(nn.Parameter(torch.zeros(n_units)))
        self.inner = _affine(n_units, n_units, generator)
        self.outer = _affine(n_units, 1, generator)

    def conditions(self, index: torch.Tensor) -> torch.Tensor:
        """Return the condition of each row, int64 (n_rows,): one of its own columns, by chance."""
        level = self.chance.uniform(index, 1)[:, 0]
        which = (level * len(self.columns)).long().clamp_max(len(self.columns) - 1)
        column = self.columns[which]
        position = index.gather(1, column[:, None])[:, 0]
        found: torch.Tensor = self.first[which] + position - self.spans.starts[column]
        return found

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        """Return the scores of rows, (n_rows,), of positions of their codes (n_rows, n_blocks)."""
        index, narrow = index.long(), self.spans.narrow_width
        heard = index[:, self.heard[0]]
        if len(self.columns):
            heard = torch.cat([heard, self.conditions(index)[:, None] + narrow], dim=1)
        total: torch.Tensor = self.codes(heard)
        if self.wide is not None and self.widen is not None:
            total = total + self.widen(self.wide(index[:, self.heard[1]] - narrow))
        hidden = nn.functional.leaky_relu(self.shift(total), LEAK)
        hidden = nn.functional.leaky_relu(self.inner(hidden), LEAK)
        scores: torch.Tensor = self.outer(hidden)[:, 0]
        return scores

    def judge(
        self, shares: torch.Tensor, conditions: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """Return the scores of made rows, and what their gradients' lengths follow from.

        No layer is called, since the door to the rows listens to them.

        Parameters
        ----------
        shares : tensor of float, shape (n_rows, spans.width)
        conditions : tensor of int64, shape (n_rows,)

        Returns
        -------
        scores : tensor of float, shape (n_rows,)
        units : list of tensor
            What comes out of each layer, before it is bent.
        squared : list of tensor of float, shape (n_rows,)
            Squared length of what goes into each, counting 1 for the shift.
        """
        linear, narrow = nn.functional.linear, self.spans.narrow_width
        shares = shares * self.audible
        total = torch.addmm(self.shift.bias, shares[:, :narrow], self.codes.weight[:narrow])
        told = 1.0 + len(self.heard[0])
        if len(self.columns):
            total, told = total + self.codes.weight[narrow + conditions], told + 1.0
        if self.wide is not None and self.widen is not None:
            total = total + linear(shares[:, narrow:] @ self.wide.weight, self.widen.weight)
        hidden = nn.functional.leaky_relu(total, LEAK)
        inner = linear(hidden, self.inner.weight, self.inner.bias)
        last = nn.functional.leaky_relu(inner, LEAK)
        scores = linear(last, self.outer.weight, self.outer.bias)
        squared = [torch.full_like(scores[:, 0], told), 1 + squares(hidden), 1 + squares(last)]
        return scores[:, 0], [total, inner, scores], squared


def shortened(
    losses: torch.Tensor, units: list[torch.Tensor], squared: list[torch.Tensor], clip: float
) -> torch.Tensor:
    """Return the sum of losses of made rows, weighted so that each row's gradient is cut to `clip`.

    What blocks of very many codes add to a length is left out: made rows are cut to be as long as
    real ones are, not for the sake of privacy.
    """
    gradients = torch.autograd.grad(losses.sum(), units, retain_graph=True)
    pairs = zip(gradients, squared, strict=True)
    length = torch.stack([squares(gradient) * size for gradient, size in pairs]).sum(0)
    weight = (clip / (length.detach().sqrt() + 1e-6)).clamp_max(1.0)
    return (weight * losses).sum()


def _affine(n_in: int, n_out: int, generator: torch.Generator) -> Affine:
    weight = uniform((n_out, n_in), (6 / n_in) ** 0.5, generator)
    return Affine(weight, nn.Parameter(torch.zeros(n_out)))

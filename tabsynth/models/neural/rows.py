"""The rows that an adversarial model is shown: drawn for conditions, sparse or spread out."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tabsynth.models.neural.conditions import Conditions, draw_conditions
from tabsynth.models.neural.spans import Spans


@dataclass(frozen=True)
class Rows:
    """The rows of the table, on the device."""

    index: torch.Tensor
    offsets: torch.Tensor
    slots: torch.Tensor
    conditions: Conditions
    spans: Spans

    def draw(
        self, n: int, edges: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw conditions (zeros where there are none) and a row that fulfils each."""
        device = self.index.device
        if edges is None:
            none = torch.zeros(n, dtype=torch.int64, device=device)
            return none, torch.randint(len(self.index), (n,), generator=generator, device=device)
        conditions = draw_conditions(n, edges, generator)
        return conditions, self.conditions.rows(conditions, generator)

    def dense(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return shares and offsets in slots of a batch, as `Generator.soften` gives them."""
        shares = self.offsets.new_zeros((len(rows), self.spans.width))
        shares.scatter_(1, self.index[rows].long(), 1.0)
        offsets = self.offsets.new_zeros((len(rows), self.spans.n_slots + 1))
        offsets.scatter_(1, self.slots[rows], self.offsets[rows])
        return shares, offsets[:, :-1]

"""The rows that an adversarial model is shown, drawn for conditions."""

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

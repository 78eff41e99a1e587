"""Arrays: what is made of arrays alone, and goes into a model file as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Arrays:
    """Base class of dataclasses whose fields are all arrays."""

    def tensors(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the arrays by name."""
        return {f"{prefix}.{item.name}": getattr(self, item.name) for item in fields(self)}

    @classmethod
    def load(cls, tensors: Mapping[str, np.ndarray], prefix: str) -> Self:
        """Rebuild from the arrays."""
        return cls(**{item.name: tensors[f"{prefix}.{item.name}"] for item in fields(cls)})

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


@dataclass(frozen=True, eq=False)
class Questions(Arrays):
    """Base class of trees whose nodes lie one after another; `feature` is -1 on a leaf."""

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def reached(self, tree: int, inputs: np.ndarray) -> np.ndarray:
        """Return the leaf node that each row comes to in one tree, int32 of shape (n_rows,).

        Parameters
        ----------
        tree : int
        inputs : ndarray of float32, shape (n_rows, n_predictors)
        """
        node = np.full(len(inputs), self.roots[tree], dtype=np.int32)
        rows = np.arange(len(inputs))
        while True:
            feature = self.feature[node[rows]]
            inner = feature >= 0
            rows, feature = rows[inner], feature[inner]
            if not len(rows):
                return node
            here = node[rows]
            below = inputs[rows, feature] <= self.threshold[here]
            node[rows] = np.where(below, self.left[here], self.right[here])

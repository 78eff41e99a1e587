"""TrainingData: the only thing that a model sees of the private table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable


class TrainingData(Protocol):
    """What a model may ask of the table it learns.

    Models never receive rows, files or loaders in another way, so that the same model code can be
    handed an exact table or, under a privacy budget, one that answers with noise and refuses the
    rest.
    """

    @property
    def layout(self) -> Layout:
        """The blocks of the encoded table."""

    @property
    def n_rows(self) -> int:
        """Number of rows that the model may take as known."""

    def table(self) -> EncodedTable:
        """Return the rows themselves.

        Raises
        ------
        PrivacyError
            Under a privacy budget.
        """

    def marginal(self, blocks: Sequence[int]) -> np.ndarray:
        """Return the counts of the code combinations of a few blocks.

        Parameters
        ----------
        blocks : sequence of int
            Indices of blocks.

        Returns
        -------
        ndarray of float64, shape (size of block, ...)
        """


class ExactTrainingData:
    """TrainingData without a privacy budget: answers exactly and opens the rows.

    Parameters
    ----------
    table : EncodedTable

    Notes
    -----
    Privacy: none. What a model learns from this carries no formal guarantee, and everything that
    is made from it has to say so.
    """

    def __init__(self, table: EncodedTable) -> None:
        self._table = table

    @property
    def layout(self) -> Layout:
        """The blocks of the encoded table."""
        return self._table.layout

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._table)

    def table(self) -> EncodedTable:
        """Return the rows themselves."""
        return self._table

    def marginal(self, blocks: Sequence[int]) -> np.ndarray:
        """Return the exact counts of the code combinations of a few blocks."""
        shape = tuple(int(self.layout.sizes[block]) for block in blocks)
        cells = np.ravel_multi_index(tuple(self._table.codes[:, block] for block in blocks), shape)
        counts = np.bincount(cells, minlength=int(np.prod(shape)))
        return counts.reshape(shape).astype(np.float64)

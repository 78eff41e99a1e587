"""Gaussian copula: empirical margins, tied together by one matrix of correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.models.base import HyperParameters, Model, ModelState, models
from tabsynth.models.trees.alphabet import Alphabet
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams
from tabsynth.validation import check_integer, check_real

CHUNK = 1 << 16
"""Most rows that are drawn at a time."""
SMALLEST = 1e-6
"""Smallest eigenvalue of the matrix of correlations."""


@dataclass(frozen=True)
class CopulaParameters(HyperParameters):
    """Hyper-parameters of `Copula`.

    Attributes
    ----------
    floor : int
        Rows that must share a value for it to come out exactly; other values come out near by.
    shrinkage : float
        How far correlations are drawn towards 0, from 0 (not at all) to 1 (independent columns).
    """

    floor: int = 5
    shrinkage: float = 0.0

    def __post_init__(self) -> None:
        check_integer("floor", self.floor, 1)
        check_real("shrinkage", self.shrinkage, 0.0, 1.0)


@models.register("copula")
class Copula(Model):
    """Gaussian copula of the columns.

    Every column is taken for a normal variable that was cut into steps: the values that many rows
    share, the categories (the most frequent first), cells of neighbouring numbers, and missing
    cells. The correlation of two such variables is estimated from the mean of the variable inside
    each step, by the first term of its series in Hermite polynomials, which is exact for numbers
    without ties and close to it for moderate correlations of coarse steps.

    Notes
    -----
    Privacy: reads the rows through ``TrainingData.table``. No formal guarantee; what is kept is the
    correlations, and how many rows lie in steps of at least `floor` rows.

    References
    ----------
    Olsson, "Maximum likelihood estimation of the polychoric correlation coefficient", 1979,
    doi:10.1007/BF02296207.
    """

    name = "copula"
    description = "Gaussian copula: the classical baseline, keeps margins and linear dependence."
    parameters_type = CopulaParameters
    parameters: CopulaParameters

    _layout: Layout
    _alphabets: list[Alphabet]
    _present: np.ndarray
    _factor: np.ndarray

    @property
    def coding(self) -> Coding:
        """Ranks: one scaled number a column."""
        return Coding("scalar")

    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
        """Count the steps of every column and correlate all pairs.

        Raises
        ------
        DataError
            If there are no rows.
        PrivacyError
            Under a privacy budget.
        """
        table = self._rows(data)
        self._layout, self._alphabets = data.layout, []
        slots = self._layout.slots
        n_blocks = len(self._layout)
        self._present = np.ones(n_blocks)
        scores = np.zeros((len(table), n_blocks))
        for index, block in enumerate(self._layout):
            codes = table.codes[:, index]
            offsets = table.offsets[:, slots[index]] if index in slots else None
            alphabet, letters = Alphabet.fit(
                block, codes, offsets, self.parameters.floor, by_frequency=block.is_nominal
            )
            self._alphabets.append(alphabet)
            if block.missing is not None:
                self._present[index] = float((codes != block.missing).mean())
            scores[:, index] = _means(alphabet, self._present[index])[letters]
            monitor(Progress("counting steps", index + 1, n_blocks))
        self._factor = _factor(correlations(scores) * (1.0 - self.parameters.shrinkage))
        return self

    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw normal variables and cut them into steps."""
        from scipy.special import ndtr

        table = EncodedTable.empty(n_rows, self._layout)
        slots = self._layout.slots
        for start in range(0, n_rows, CHUNK):
            stop = min(n_rows, start + CHUNK)
            monitor(Progress("sampling copula", start, n_rows))
            rng = streams.numpy(f"rows from {start}")
            shares = ndtr(rng.standard_normal((stop - start, len(self._layout))) @ self._factor.T)
            for index, block in enumerate(self._layout):
                codes, offsets = self._read(index, shares[:, index])
                if block.parent is not None:
                    parent = table.codes[start:stop, block.parent]
                    refined = np.array(self._layout[block.parent].refined)[parent]
                    codes = np.where(refined, codes, 0)
                table.codes[start:stop, index] = codes
                if index in slots:
                    open_ = np.array(block.continuous)[codes]
                    table.offsets[start:stop, slots[index]] = np.where(open_, offsets, 0.0)
        monitor(Progress("sampling copula", n_rows, n_rows))
        return table

    def _read(self, index: int, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return codes and offsets of one block at shares of its rows, in [0, 1]."""
        present = self._present[index]
        places = np.where(shares < present, shares / max(present, 1e-300), 1.5)
        return self._alphabets[index].read(places)

    def state(self) -> ModelState:
        """Return steps and correlations."""
        tensors = {"present": self._present, "factor": self._factor}
        for index, alphabet in enumerate(self._alphabets):
            tensors |= alphabet.tensors(f"{index}")
        return ModelState(tensors=tensors)

    @classmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild from steps and correlations."""
        model = cls(parameters)
        model._layout = layout
        model._present, model._factor = state.tensors["present"], state.tensors["factor"]
        model._alphabets = [Alphabet.load(state.tensors, f"{i}") for i in range(len(layout))]
        return model


def correlations(scores: np.ndarray) -> np.ndarray:
    """Return correlations of normal variables from their means inside steps.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_rows, n_blocks)
        Mean of the standard normal variable inside the step of each row.

    Returns
    -------
    ndarray of float64, shape (n_blocks, n_blocks)
        Symmetric, 1 on the diagonal, in [-1, 1]; 0 where a column does not vary.

    Examples
    --------
    >>> from scipy.special import ndtri
    >>> z = ndtri(np.linspace(0.01, 0.99, 99))
    >>> correlations(np.stack([z, -z], axis=1)).round(2).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    centred = scores - scores.mean(axis=0)
    variance = np.einsum("ij,ij->j", centred, centred)
    usable = variance > 1e-12 * len(scores)
    scale = np.where(usable, variance, 1.0)
    # Hermite series: cov(m_a, m_b) = rho * var(m_a) * var(m_b) + terms of rho squared and on.
    found = centred.T @ centred * len(scores) / np.outer(scale, scale)
    found[~usable] = found[:, ~usable] = 0.0
    bounded: np.ndarray = np.clip(found, -1.0, 1.0)
    np.fill_diagonal(bounded, 1.0)
    return bounded


def _factor(matrix: np.ndarray) -> np.ndarray:
    """Return F with F F' near to `matrix`, positive definite and 1 on the diagonal."""
    if not len(matrix):
        return matrix
    matrix = matrix.copy()
    np.fill_diagonal(matrix, 1.0)
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.maximum(values, SMALLEST))
    factor: np.ndarray = root / np.sqrt((root**2).sum(axis=1, keepdims=True))
    return factor


def _means(alphabet: Alphabet, present: float) -> np.ndarray:
    """Return the mean of the standard normal variable inside each letter, float64."""
    from scipy.special import ndtri

    ends = np.where(alphabet.bounds <= 1.0, alphabet.bounds * present, 1.0)
    density = np.exp(-0.5 * ndtri(np.clip(ends, 0.0, 1.0)) ** 2) / np.sqrt(2 * np.pi)
    wide = np.diff(ends)
    means: np.ndarray = np.where(wide > 0, -np.diff(density) / np.where(wide > 0, wide, 1.0), 0.0)
    return means

"""What the trees of each block ask about."""

from __future__ import annotations

import numpy as np

CELLS = 16
"""Most cells in which a predictor is seen when predictors are chosen."""


def cells_of(columns: np.ndarray) -> np.ndarray:
    """Return columns in few cells of about equally many rows, int64 of the same shape.

    Parameters
    ----------
    columns : ndarray of float32, shape (n_blocks, n_rows)
    """
    cells = np.empty(columns.shape, dtype=np.int64)
    for column, found in zip(columns, cells, strict=True):
        ends = np.unique(np.sort(column)[(len(column) * np.arange(1, CELLS)) // CELLS])
        found[:] = np.searchsorted(ends, column, side="right")
    return cells


def most_telling(cells: np.ndarray, targets: np.ndarray, most: int) -> np.ndarray:
    """Return which predictors tell most about `targets`, ascending, int64 (at most `most`,).

    Parameters
    ----------
    cells : ndarray of int64, shape (n_predictors, n_rows)
        As `cells_of` gives them.
    targets : ndarray of float64, shape (n_rows, n_targets)
    most : int
    """
    if len(cells) <= most:
        return np.arange(len(cells))
    centred = targets - targets.mean(axis=0)
    told = np.zeros(len(cells))
    for place, column in enumerate(cells):
        rows = np.maximum(np.bincount(column, minlength=CELLS), 1)
        for target in centred.T:
            told[place] += (np.bincount(column, target, minlength=CELLS) ** 2 / rows).sum()
    return np.sort(np.argsort(-told, kind="stable")[:most])

"""What trees see of a table: one number a block, and what they learn to tell of a block."""

from __future__ import annotations

import numpy as np

from tabsynth.encoding.layout import Block, Layout

BELOW = np.float32(-2.0)
"""Where missing cells stand among numbers: below all of them."""
MOST_CLASSES = 30
"""A nominal block with more codes is learnt through directions in which they differ."""
DIRECTIONS = 6
"""How many directions those are."""
PRIOR = 10.0
"""Rows of the whole table that the mean of a code is mixed with, so that rare codes are not taken
at their word."""


def column_of(block: Block, codes: np.ndarray, offsets: np.ndarray | None) -> np.ndarray:
    """Return the number that stands for each row of a block, float32 of shape (n_rows,).

    The offset where there is one, and the code else; missing cells lie below.
    """
    if offsets is None:
        column = codes.astype(np.float32)
    else:
        column = np.where(np.array(block.continuous)[codes], offsets, np.float32(-1.0))
    if block.missing is not None and not block.is_nominal:
        column[codes == block.missing] = BELOW
    result: np.ndarray = column.astype(np.float32)
    return result


def targets_of(
    block: Block, codes: np.ndarray, column: np.ndarray, predictors: np.ndarray
) -> np.ndarray:
    """Return what trees shall tell rows apart by, float64 of shape (n_rows, n_targets).

    Parameters
    ----------
    block : Block
    codes : ndarray of int32, shape (n_rows,)
    column : ndarray of float32, shape (n_rows,)
        As `column_of` gives it.
    predictors : ndarray of float32, shape (n_predictors, n_rows)
        Numbers that codes of a nominal block are compared by, where there are many.
    """
    if block.is_nominal:
        if block.size <= MOST_CLASSES:
            # Of two classes one says all.
            classes: np.ndarray = np.eye(block.size)[codes]
            return classes[:, :1] if block.size == 2 else classes
        if not len(predictors):
            # The first block is not told apart by anything.
            return np.zeros((len(codes), 1))
        means = means_by(codes, block.size, standardised(predictors.T))
        places = directions(means, np.bincount(codes, minlength=block.size), DIRECTIONS)
        apart: np.ndarray = places[codes]
        return apart
    missing = np.zeros(len(codes), dtype=bool) if block.missing is None else codes == block.missing
    spread = column.astype(np.float64)
    if not block.has_offset:
        counts = np.bincount(codes, minlength=block.size)
        spread = ((np.cumsum(counts) - counts / 2) / max(1, counts.sum()) * 2 - 1)[codes]
    spread[missing] = spread[~missing].mean() if not missing.all() else 0.0
    return np.stack([spread, missing], axis=1) if missing.any() else spread[:, None]


def scores_of(codes: np.ndarray, size: int, targets: np.ndarray) -> np.ndarray:
    """Return the codes of a nominal predictor as numbers, float32 of shape (size,).

    They lie along the direction in which the mean targets of the codes differ most.
    """
    means = means_by(codes, size, targets)
    return directions(means, np.bincount(codes, minlength=size), 1)[:, 0].astype(np.float32)


def means_by(codes: np.ndarray, size: int, targets: np.ndarray) -> np.ndarray:
    """Return the mean targets of each code less those of all rows, drawn to 0 where rows are few.

    Returns
    -------
    ndarray of float64, shape (size, n_targets)
    """
    centred = targets - targets.mean(axis=0)
    sums = np.stack([np.bincount(codes, one, minlength=size) for one in centred.T], axis=1)
    means: np.ndarray = sums / (np.bincount(codes, minlength=size) + PRIOR)[:, None]
    return means


def directions(means: np.ndarray, weights: np.ndarray, most: int) -> np.ndarray:
    """Return coordinates along the directions in which `means` differ most.

    Parameters
    ----------
    means : ndarray of float64, shape (n_codes, n_targets)
    weights : ndarray, shape (n_codes,)
        Rows with each code.
    most : int

    Returns
    -------
    ndarray of float64, shape (n_codes, at most `most`)
    """
    if means.shape[1] <= most:
        return means
    _, vectors = np.linalg.eigh((means * weights[:, None]).T @ means)
    leading = vectors[:, ::-1][:, :most]
    # The sign of an eigenvector is arbitrary: its largest part is made positive.
    largest = np.take_along_axis(leading, np.abs(leading).argmax(axis=0)[None], axis=0)
    coordinates: np.ndarray = means @ (leading * np.where(largest < 0, -1.0, 1.0))
    return coordinates


def standardised(columns: np.ndarray) -> np.ndarray:
    """Return columns with mean 0 and variance 1, float64."""
    centred = columns - columns.mean(axis=0, dtype=np.float64)
    spread = centred.std(axis=0)
    result: np.ndarray = centred / np.where(spread > 0, spread, 1.0)
    return result


def code_starts(layout: Layout, predictors: np.ndarray) -> np.ndarray:
    """Return where the codes of each nominal predictor begin side by side, int64 (n_predictors,).

    Predictors that are no nominal ones have -1.
    """
    starts, used = np.full(len(predictors), -1, dtype=np.int64), 0
    for place, block in enumerate(predictors.tolist()):
        if layout[block].is_nominal:
            starts[place] = used
            used += layout[block].size
    return starts

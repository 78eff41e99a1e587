"""How sorted values are cut: atoms, quantile groups that hold enough rows, softened ends."""

from __future__ import annotations

import numpy as np


def find_atoms(counts: np.ndarray, share: float, floor: int, most: int) -> np.ndarray:
    """Return which values many rows share exactly, bool of shape (m,).

    Parameters
    ----------
    counts : ndarray of int64, shape (m,)
    share : float
        An atom holds at least this share of the rows, in (0, 1].
    floor : int
        And at least this many rows.
    most : int
        Only the `most` frequent ones.
    """
    atoms: np.ndarray = counts >= max(share * counts.sum(), floor)
    if atoms.sum() > most:
        threshold = np.partition(counts[atoms], -most)[-most]
        atoms &= counts >= threshold
        surplus = int(atoms.sum()) - most
        if surplus:
            atoms[np.flatnonzero(atoms & (counts == threshold))[-surplus:]] = False
    return atoms


def stands_out(counts: np.ndarray, times: float = 4.0, reach: int = 5) -> np.ndarray:
    """Return which values occur far more often than their neighbours, bool of shape (m,).

    A value stands out when it has at least `times` the median count of the `reach` values on
    either side of it.
    """
    if not len(counts):
        return np.zeros(0, dtype=bool)
    padded = np.pad(counts, reach, mode="reflect" if len(counts) > reach else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    result: np.ndarray = counts >= times * np.median(windows, axis=1)
    return result


def partition(counts: np.ndarray, parts: int, floor: int) -> np.ndarray:
    """Cut sorted values into about `parts` runs of about equally many rows.

    Parameters
    ----------
    counts : ndarray of int64, shape (m,)
        Rows at each of the sorted values.
    parts : int
    floor : int
        Every run holds at least so many rows, unless all together are fewer.

    Returns
    -------
    ndarray of int64, shape (n_runs,)
        Index of the first value of each run; empty for no values.
    """
    if not len(counts):
        return np.zeros(0, dtype=np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1])
    target = max(total / parts, floor)
    starts = [0]
    while True:
        before = ends[starts[-1] - 1] if starts[-1] else 0
        # The run ends with the value that brings it nearest to the target without falling below
        # the floor.
        reach = int(np.searchsorted(ends, before + target - 0.5))
        if reach > starts[-1] and ends[min(reach, len(ends) - 1)] - before > 1.5 * target:
            shorter = ends[reach - 1] - before
            if shorter >= max(floor, 0.5 * target):
                reach -= 1
        if reach + 1 >= len(counts) or total - ends[reach] < floor:
            break
        starts.append(reach + 1)
    return np.array(starts, dtype=np.int64)


def softened_ends(values: np.ndarray, counts: np.ndarray, rows: int) -> tuple[float, float]:
    """Return bounds that no single row decides.

    The lower one is the mean of the `rows` lowest values, the upper one the mean of the `rows`
    highest; where at least `rows` rows share the extreme value itself, that is the bound.
    """
    ends = np.cumsum(counts)

    def mean_of_first(ordered: np.ndarray, weights: np.ndarray) -> float:
        taken = np.minimum(np.cumsum(weights), rows)
        weight = np.diff(np.concatenate([[0], taken]))
        return float((ordered * weight).sum() / weight.sum())

    low_end = int(np.searchsorted(ends, rows)) + 1
    high_start = int(np.searchsorted(ends, ends[-1] - rows, side="right"))
    low = mean_of_first(values[:low_end].astype(np.float64), counts[:low_end])
    high = mean_of_first(values[high_start:][::-1].astype(np.float64), counts[high_start:][::-1])
    return low, high


def nearest_integers(x: np.ndarray) -> np.ndarray:
    """Return int64 nearest to float64 `x`, kept inside the range of int64."""
    integers: np.ndarray = np.clip(np.rint(x), -(2.0**63), 2.0**63 - 2.0**10).astype(np.int64)
    return integers

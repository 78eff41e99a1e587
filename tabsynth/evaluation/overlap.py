"""Overlap: holdout rows that are training rows, and taking them out."""

from __future__ import annotations

import math

import numpy as np

from tabsynth.evaluation.frame import Table

MOST_ALIKE = 4
"""Rows that occur more often in the training table are one class."""


def unseen(train: Table, holdout: Table, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Return which holdout rows were plausibly not trained on, and what a reader must know.

    Rows of a source may repeat, so that some unseen rows equal a training row by chance: as many
    as training rows equal another training row. Only what exceeds that is taken out, by chance
    among the equal rows. Taking out all of them would leave a holdout without frequent rows, and
    frequent rows would look like a leak. Expected numbers are those of Good and Turing, for rows
    that occur once, twice and so on in the training table.

    Parameters
    ----------
    train, holdout : Table
    rng : Generator
        Chooses among rows that equal a training row.

    Returns
    -------
    kept : ndarray of bool, shape (n_holdout,)
    notice : str
        Empty where the tables do not overlap beyond chance; then all rows are kept.

    References
    ----------
    Good (1953), doi:10.1093/biomet/40.3-4.237.
    """
    kept = np.ones(len(holdout), dtype=bool)
    if not train.features or not len(holdout):
        return kept, ""
    values, where, sizes = np.unique(train.ids, return_inverse=True, return_counts=True)
    alike = sizes[where] - 1
    place = np.minimum(np.searchsorted(values, holdout.ids), len(values) - 1)
    met = np.where(values[place] == holdout.ids, sizes[place], 0)
    shared, expected = float((met > 0).mean()), float((alike > 0).mean())
    noise = math.sqrt(max(expected * (1 - expected), 1 / len(holdout)) / len(holdout))
    if shared <= expected + 5 * noise + 0.005:
        return kept, ""
    # Of n holdout rows x were trained on, and of the other n - x the expected share is equal too.
    seen = (shared - expected) / (1 - expected)
    for times in range(1, MOST_ALIKE + 1):
        last = times == MOST_ALIKE
        rows = np.flatnonzero(met >= times if last else met == times)
        share = float((alike >= times).mean() if last else (alike == times).mean())
        excess = len(rows) - round(share * (1 - seen) * len(holdout))
        if excess > 0:
            # The choice does not depend on the order in which rows came.
            rows = rows[np.argsort(holdout.ids[rows], kind="stable")]
            kept[rng.permutation(rows)[:excess]] = False
    left = int(kept.sum())
    notice = (
        f"{shared:.1%} of the holdout rows equal a training row, where {expected:.1%} would be "
        f"expected from repeated rows. The excess of {len(holdout) - left:,} rows was taken out of "
        f"the holdout, because rows that the model saw make a leak look smaller; {left:,} are left."
    )
    return kept, notice

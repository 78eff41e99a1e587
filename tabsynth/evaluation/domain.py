"""Domain: columns of which the synthetic table holds what no real row holds.

Attacks compare cells. A column that is coded or scaled otherwise in the synthetic table, so that
none of its cells can be equal to a real one, would hide a copy of the training rows from them.
"""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.comparison import Comparison

MOST = 0.5
"""Share of foreign cells beyond that of unseen rows from which a column is named."""
MOST_NAMED = 5


def foreign(comparison: Comparison) -> list[str]:
    """Return the names of columns whose synthetic cells mostly stand in no real row.

    A category is foreign if no real row has it, a number if it lies outside the range of the real
    rows, a missing cell if the column has none in the real rows. Unseen rows, held against the
    training rows in the same way, show how much of it is to be expected of values that most rows
    have for themselves.
    """
    holdout = comparison.holdout
    if holdout is None or not len(comparison.synthetic):
        return []
    names = []
    for place, feature in enumerate(comparison.features):
        train, unseen = comparison.train.counts(place), holdout.counts(place)
        made = comparison.synthetic.counts(place)
        shares = [
            float((some * ~_known(known, feature.is_nominal)).sum() / some.sum())
            for some, known in ((made, train + unseen), (unseen, train))
        ]
        if shares[0] > shares[1] + MOST:
            names.append(feature.name)
    return names


def _known(counts: np.ndarray, nominal: bool) -> np.ndarray:
    """Return which levels, missing last, lie within what some rows hold; bool, as counts."""
    known = counts > 0
    present = np.flatnonzero(known[:-1])
    if not nominal and len(present):
        known[present[0] : present[-1] + 1] = True
    return known


def warning(names: list[str]) -> str:
    """Return what a reader must know about foreign columns, empty where there are none.

    Examples
    --------
    >>> warning(["town"])[:65]
    "Most of what the synthetic table holds in 'town' stands in no rea"
    """
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more columns" if len(names) > MOST_NAMED else ""
    return (
        f"Most of what the synthetic table holds in {', '.join(map(repr, names[:MOST_NAMED]))}"
        f"{more} stands in no real row: unknown categories, or numbers out of range. Attacks would "
        "not recognise a copy. Are the columns coded and scaled as in the real tables?"
    )

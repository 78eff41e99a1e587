"""Texts that mean missing although nobody said so."""

from __future__ import annotations

import numpy as np
import pandas as pd

MARKERS = frozenset(
    [
        *("na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "(null)", "none", "nil", "nat"),
        *("", "?", "-", "--", ".", "\\n"),
    ]
)
"""Texts that many tables write where a value is missing, in small letters and without blanks."""

MOST_ODD_TEXTS = 3
"""Most frequent words among many numbers or dates that are taken as missing."""
_MANY = 32
_FREQUENT = 5


def is_known(text: str) -> bool:
    """Return whether a text is one of `MARKERS`.

    Examples
    --------
    >>> is_known(" n/a "), is_known("unknown")
    (True, False)
    """
    return text.strip().lower() in MARKERS


def marker_sets(texts: pd.Series, counts: np.ndarray) -> list[tuple[str, ...]]:
    """Return sets of texts that may mean missing in a column, to be tried one after the other.

    First the well-known markers that occur. Then, where the column has many distinct values, also
    the few frequent texts without a digit: the "N" of a census among thousands of incomes.

    Parameters
    ----------
    texts : Series of str, shape (n_distinct,)
        The distinct values of the column.
    counts : ndarray of int64, shape (n_distinct,)
        How many rows hold each.

    Examples
    --------
    >>> marker_sets(pd.Series(["1", "NA", "2"]), np.array([9, 5, 1]))
    [('NA',)]
    """
    known = texts.str.strip().str.lower().isin(MARKERS).to_numpy(dtype=bool)
    odd = ~known & ~texts.str.contains(r"\d").to_numpy(dtype=bool)
    sets = [known] if known.any() else []
    few = 0 < odd.sum() <= MOST_ODD_TEXTS and (~odd).sum() >= _MANY
    if few and (counts[odd] >= _FREQUENT).all():
        sets.append(known | odd)
    return [tuple(texts[chosen].tolist()) for chosen in sets]

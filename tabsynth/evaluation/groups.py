"""Groups: the people whose treatment by a model is compared, read off the protected columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import MISSING

PROTECTED = ("quasi", "sensitive")
"""Roles of the columns whose groups are compared."""
FEWEST_ROWS = 50
"""Rows to test on that a group needs; smaller groups are left out."""
MOST_GROUPS = 10
MOST_COLUMNS = 3
"""Columns whose groups are compared for one target."""

_AGE = frozenset({"age", "birth", "birthday", "birthdate", "birthyear", "dob", "born"})


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of one column.

    Attributes
    ----------
    column : str
    labels : tuple of str
        Categories; "lower half" and "upper half" of a number or date.
    codes : ndarray of int, shape (n_rows,)
        Group of each row of `Comparison.real`, -1 where it is left out.
    n_left_out : int
        Rows with a missing value or of a group that is too small.
    """

    column: str
    labels: tuple[str, ...]
    codes: np.ndarray
    n_left_out: int


def protected(comparison: Comparison, target: str) -> tuple[list[Groups], int]:
    """Return the groups to compare for a target, and in how many columns more there are some.

    Columns of the roles `PROTECTED` are taken: categories with 2 to `MOST_GROUPS` groups of at
    least `FEWEST_ROWS` rows, numbers and dates cut at their median. Of more than `MOST_COLUMNS`
    those with the fewest groups come first, because these have the most rows each; numbers that
    are no age come last.
    """
    if comparison.schema is None:
        return [], 0
    found: list[tuple[bool, int, int, Groups]] = []
    for column in comparison.schema:
        place = comparison.place(column.name)
        if column.role not in PROTECTED or column.name == target or place is None:
            continue
        groups = _groups(comparison, place)
        if 2 <= len(groups.labels) <= MOST_GROUPS:
            words = set(re.findall("[a-z]+", column.name.lower()))
            early = comparison.features[place].is_nominal or bool(words & _AGE)
            found.append((not early, len(groups.labels), len(found), groups))
    found.sort(key=lambda item: item[:3])
    chosen = [item[3] for item in found[:MOST_COLUMNS]]
    return chosen, len(found) - len(chosen)


def _groups(comparison: Comparison, place: int) -> Groups:
    feature, table = comparison.features[place], comparison.real
    codes = table.codes[:, place].astype(np.int64)
    labels = [str(level) for level in feature.levels] if feature.is_nominal else []
    if not feature.is_nominal:
        labels = ["lower half", "upper half"]
        present = np.sort(codes[codes != MISSING])
        if len(present):
            median = present[len(present) // 2]
            # Ties at the median go to the side that leaves the halves the more even.
            above = [codes >= median, codes > median]
            uneven = [abs(2 * int(side.sum()) - len(present)) for side in above]
            codes = np.where(codes == MISSING, MISSING, above[int(np.argmin(uneven))])
    sizes = np.bincount(codes[codes != MISSING], minlength=len(labels))
    kept = np.flatnonzero(sizes >= FEWEST_ROWS)
    lookup = np.full(len(labels) + 1, MISSING)
    lookup[kept] = np.arange(len(kept))
    codes = lookup[codes]
    return Groups(
        feature.name,
        tuple(labels[group] for group in kept),
        codes,
        int((codes == MISSING).sum()),
    )

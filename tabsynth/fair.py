"""Fair: rows thinned so that a target does not depend on the group of people that a row is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.columns import Values, columns
from tabsynth.errors import ConfigError
from tabsynth.schema.schema import Schema
from tabsynth.validation import check_integer

FEWEST_ROWS = 30
"""Rows that a group needs to be compared, where two groups have as many."""


@dataclass(frozen=True)
class Fair:
    """Asks for rows in which a target is independent of protected columns (demographic parity).

    More rows are drawn than are asked for, and of each protected group just as many are kept with
    each value of the target that every group has the shares of all rows. Groups and values stay as
    frequent as the model makes them; within a group and a value rows are kept at random, so that
    all other columns are as the model makes them there. No row is changed and none is kept twice.

    Parameters
    ----------
    protected : str or sequence of str
        Columns whose combinations are the groups; a missing cell is a value of its own.
    target : str
    bins : int
        A number or date is cut at so many quantiles of the rows drawn; parity is that of the parts.

    Raises
    ------
    ConfigError
        If no column is protected, if one is named twice, or if the target is protected.

    Notes
    -----
    Privacy: looks at rows made, never at private ones, so that what holds for the rows of the
    model holds for these too.

    What is removed is the dependence of this target in the rows alone. Other columns may still tell
    the group, and a model that learns another target from the rows is not made fair by it.

    References
    ----------
    Kamiran and Calders (2012), doi:10.1007/s10115-011-0463-8 (preferential sampling).

    Examples
    --------
    >>> Fair("sex", "income")
    Fair(protected=('sex',), target='income', bins=10)
    """

    protected: tuple[str, ...]
    target: str
    bins: int = 10

    def __post_init__(self) -> None:
        names = (self.protected,) if isinstance(self.protected, str) else tuple(self.protected)
        object.__setattr__(self, "protected", names)
        check_integer("bins", self.bins, 2)
        if not names:
            raise ConfigError("fair: name at least one protected column.")
        if len(set(names)) < len(names) or self.target in names:
            raise ConfigError(
                "fair: name each protected column once, and the target not among them. Got "
                f"{', '.join(names)} for the target {self.target!r}."
            )

    def check(self, schema: Schema) -> None:
        """Raise ConfigError, with every problem, where a column cannot be balanced."""
        problems = []
        for name in (*self.protected, self.target):
            if name not in schema:
                near = get_close_matches(str(name), schema.names, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                problems.append(
                    f"fair: there is no column {name!r}.{hint} Columns: {', '.join(schema.names)}."
                )
            elif columns.get(schema[name].type).measure == "none":
                problems.append(
                    f"fair: column {name!r} ({schema[name].type}) is not learnt, so nothing "
                    "depends on it. Name a column that is learnt."
                )
        if problems:
            raise ConfigError("\n".join(problems))

    def balance(
        self, values: Mapping[str, Values], n_rows: int, rng: np.random.Generator
    ) -> Balance:
        """Choose `n_rows` of the rows drawn.

        Parameters
        ----------
        values : mapping of str to Values
            The protected columns and the target of the rows drawn.
        n_rows : int
        rng : Generator
        """
        keys = np.stack([_parts(values[name], self.bins) for name in self.protected], axis=1)
        groups = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
        classes = np.unique(_parts(values[self.target], self.bins), return_inverse=True)[1].ravel()
        shape = int(groups.max(initial=-1)) + 1, int(classes.max(initial=-1)) + 1
        cells = groups * shape[1] + classes
        drawn = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
        wanted = quotas(n_rows, drawn)
        order = rng.permutation(len(cells))
        place = pd.Series(cells[order]).groupby(cells[order]).cumcount().to_numpy()
        rows = np.sort(order[place < wanted.ravel()[cells[order]]])
        return Balance(self, drawn, wanted, rows)


@dataclass(frozen=True, eq=False)
class Balance:
    """Which of the rows drawn make a fair table, or how many are missing for one.

    Attributes
    ----------
    fair : Fair
    drawn, wanted : ndarray of int64, shape (n_groups, n_classes)
        Rows drawn, and rows to keep.
    rows : ndarray of int64, shape (n_kept,)
        Positions of those kept, ascending; fewer than wanted where rows are missing.
    """

    fair: Fair
    drawn: np.ndarray
    wanted: np.ndarray
    rows: np.ndarray

    @property
    def missing(self) -> np.ndarray:
        """Rows that are missing, int64 (n_groups, n_classes)."""
        short: np.ndarray = np.maximum(self.wanted - self.drawn, 0)
        return short

    @property
    def growth(self) -> float:
        """By how much more rows have to be drawn, judged by the cell that lacks the most."""
        return float((self.wanted / np.maximum(self.drawn, 0.5)).max())

    def reachable(self) -> tuple[float, float]:
        """Return the gap among the rows drawn, and the least that so many rows allow.

        Shares are taken as they are, not in whole rows, so that rounding has no part in it.
        """
        sizes, total = self.drawn.sum(axis=1, keepdims=True), self.drawn.sum()
        ideal = self.wanted.sum() * (sizes / total) * (self.drawn.sum(axis=0) / total)
        compared = sizes.ravel() >= FEWEST_ROWS
        return gap(self.drawn, compared), gap(np.minimum(ideal, self.drawn), compared)

    def parity(self) -> Parity:
        """Return what was reached with the rows kept."""
        kept = np.minimum(self.wanted, self.drawn)
        sizes = kept.sum(axis=1)
        compared = sizes >= FEWEST_ROWS
        if compared.sum() < 2:
            compared = sizes > 0
        return Parity(
            self.fair.protected,
            self.fair.target,
            "difference of rates" if self.drawn.shape[1] == 2 else "total variation",
            gap(self.drawn, compared),
            gap(kept, compared),
            int(compared.sum()),
            int((~compared & (sizes > 0)).sum()),
            int(kept.sum()),
            int(self.drawn.sum()),
        )


@dataclass(frozen=True)
class Parity:
    """How far a target depended on the group before and after rows were chosen.

    Attributes
    ----------
    protected : tuple of str
    target : str
    measure : {"difference of rates", "total variation"}
        Greatest difference between two groups in the share of one of two values; of other targets
        the greatest total variation distance between a group and all rows.
    before, after : float
        Among the rows drawn and among those kept, over the groups compared.
    groups : int
        Groups compared.
    small : int
        Groups that are not: they keep fewer than 30 rows. Their rows are chosen in the same way.
    rows, draws : int
        Rows kept, and rows that they were chosen from.
    """

    protected: tuple[str, ...]
    target: str
    measure: str
    before: float
    after: float
    groups: int
    small: int
    rows: int
    draws: int

    def in_words(self) -> str:
        """Return a clause about it.

        Examples
        --------
        >>> Parity(("sex",), "income", "difference of rates", 0.2, 0.001, 2, 0, 100, 140).in_words()
        "'income' between 2 groups of 'sex': difference of rates 0.200 before, 0.001 after; 100 of \
140 rows drawn are kept"
        """
        names = ", ".join(map(repr, self.protected))
        small = f" (and {self.small:,} with fewer than {FEWEST_ROWS} rows)" if self.small else ""
        return (
            f"{self.target!r} between {self.groups:,} groups of {names}{small}: {self.measure} "
            f"{self.before:.3f} before, {self.after:.3f} after; {self.rows:,} of {self.draws:,} "
            "rows drawn are kept"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "protected": list(self.protected)}


def gap(counts: np.ndarray, compared: np.ndarray) -> float:
    """Return how far the groups `compared` are from parity.

    Parameters
    ----------
    counts : ndarray of int64 or float64, shape (n_groups, n_classes)
    compared : ndarray of bool, shape (n_groups,)

    Examples
    --------
    >>> gap(np.array([[50, 50], [80, 20]]), np.array([True, True]))
    0.3
    """
    if compared.sum() < 2 or counts.shape[1] < 2:
        return 0.0
    rates = counts[compared] / np.maximum(counts[compared].sum(axis=1, keepdims=True), 1e-12)
    if counts.shape[1] == 2:
        return round(float(np.ptp(rates[:, 1])), 12)
    overall = counts.sum(axis=0) / counts.sum()
    return round(float(0.5 * np.abs(rates - overall).sum(axis=1).max()), 12)


def quotas(n_rows: int, drawn: np.ndarray) -> np.ndarray:
    """Return how many rows of each group and class make both independent.

    Groups and classes get their shares among the rows drawn, and each cell the product of both,
    rounded up or down so that both margins stay whole (controlled rounding).

    Parameters
    ----------
    n_rows : int
    drawn : ndarray of int64, shape (n_groups, n_classes)

    Returns
    -------
    ndarray of int64, shape (n_groups, n_classes)

    References
    ----------
    Gale (1957), doi:10.2140/pjm.1957.7.1073, for the order in which rests are given out.

    Examples
    --------
    >>> quotas(10, np.array([[30, 10], [10, 50]]))
    array([[2, 2],
           [2, 4]])
    """
    groups = apportion(n_rows, drawn.sum(axis=1))
    classes = apportion(n_rows, drawn.sum(axis=0))
    found: np.ndarray = groups[:, None] * classes // max(n_rows, 1)
    rest, open_ = groups - found.sum(axis=1), classes - found.sum(axis=0)
    for group in np.argsort(-rest, kind="stable"):
        if not rest[group]:
            break
        # Where no row is left of a class, another one that is still open takes the place.
        spare = drawn[group] > found[group]
        first = np.lexsort((-open_, ~(spare & (open_ > 0))))[: rest[group]]
        found[group, first] += 1
        open_[first] -= 1
    return found


def apportion(n: int, counts: np.ndarray) -> np.ndarray:
    """Return `n` divided in proportion to `counts`, by largest remainders.

    Examples
    --------
    >>> apportion(10, np.array([1, 1, 1]))
    array([4, 3, 3])
    """
    total = max(int(counts.sum()), 1)
    found: np.ndarray = n * counts // total
    left = n * counts % total
    found[np.argsort(-left, kind="stable")[: n - int(found.sum())]] += 1
    return found


def _parts(values: Values, bins: int) -> np.ndarray:
    """Return a whole number for each value, int64: its category, its part of a number, or -1."""
    codes = values.data
    if values.labels is None:
        ordered = np.sort(values.data[~values.missing])
        at = np.arange(1, bins) * len(ordered) // bins
        edges = np.unique(ordered[at[: len(ordered)]])
        codes = np.searchsorted(edges, values.data, side="right")
    return np.where(values.missing, -1, codes.astype(np.int64))

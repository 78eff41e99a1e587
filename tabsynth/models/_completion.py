"""Rows that are given in part: what completing them took, and the way that serves every model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tabsynth.encoding.given import Given, compared, distinct
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import SampleError
from tabsynth.monitor import Monitor, Progress

Way = Literal["directly", "by weighting", "by rejection"]
"""How a model makes rows that are given in part."""

MAX_TRIES = 50_000
"""Most draws for a row that fits; what is rarer is refused."""

PATIENCE = 5
"""Rows by which those found may fall short of what the draws had to bring."""

LEAST, MOST = 1_024, 65_536
"""Fewest and most rows drawn at a time."""


@dataclass(frozen=True)
class Effort:
    """What it took to make rows that are given in part.

    Attributes
    ----------
    way : {"directly", "by weighting", "by rejection"}
    rows : int
        Rows made.
    draws : int
        Candidates drawn for all of them together.
    acceptance : float
        Share of the candidates that fit, in (0, 1]: the mean over the rows. By weighting it is the
        effective sample size for each candidate.
    lowest : float
        The same of the row that was hardest to make.
    """

    way: Way
    rows: int
    draws: int
    acceptance: float = 1.0
    lowest: float = 1.0

    def and_then(self, other: Effort) -> Effort:
        """Return the effort of both."""
        rows = self.rows + other.rows
        both = self.acceptance * self.rows + other.acceptance * other.rows
        slower = other if other.way != "directly" else self
        lowest = min(self.lowest, other.lowest)
        # A mean of equal numbers may be rounded to less than they are.
        acceptance = max(both / rows, lowest) if rows else 1.0
        return Effort(slower.way, rows, self.draws + other.draws, acceptance, lowest)

    def in_words(self) -> str:
        """Return a clause about it.

        Examples
        --------
        >>> Effort("by rejection", 1000, 3200, 0.33, 0.31).in_words()
        '1,000 rows by rejection from 3,200 draws; 33% of them fit'
        """
        if self.way == "directly" or not self.rows:
            return f"{self.rows:,} rows, drawn directly"
        verb = "count" if self.way == "by weighting" else "fit"
        share = f"{share_in_words(self.acceptance)} of them {verb}"
        if self.lowest < 0.5 * self.acceptance:
            share += f", and {share_in_words(self.lowest)} for the hardest row"
        return f"{self.rows:,} rows {self.way} from {self.draws:,} draws; {share}"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "way": self.way,
            "rows": self.rows,
            "draws": self.draws,
            "acceptance": self.acceptance,
            "lowest": self.lowest,
        }


@dataclass(frozen=True)
class Completed:
    """Rows that hold what was given.

    Attributes
    ----------
    table : EncodedTable
        In the order of what was given.
    effort : Effort
    """

    table: EncodedTable
    effort: Effort


class TooRare(SampleError):
    """Rows given in part are too rare for the model to make them.

    Parameters
    ----------
    message : str
    lost : ndarray of bool, shape (n_rows,)
        Which rows those are.
    made : EncodedTable, optional
        The other rows, where they were made; what the rows lost hold there means nothing.
    """

    def __init__(self, message: str, lost: np.ndarray, made: EncodedTable | None = None) -> None:
        super().__init__(message)
        self.lost, self.made = lost, made


def share_in_words(share: float) -> str:
    """Return a share as a percentage of two digits.

    Examples
    --------
    >>> share_in_words(0.331), share_in_words(0.00012)
    ('33%', '0.012%')
    """
    return f"{100 * share:.2g}%" if share < 0.995 else "100%"


def effort_of(way: Way, draws: int, rates: np.ndarray) -> Effort:
    """Return the effort of rows of which each had a share of candidates that fit, (n_rows,)."""
    if not len(rates):
        return Effort(way, 0, draws)
    lowest = float(rates.min())
    return Effort(way, len(rates), draws, max(float(rates.mean()), lowest), lowest)


def too_rare(
    given: Given, lost: np.ndarray, made: EncodedTable, draws: int, found: float, max_tries: int
) -> TooRare:
    """Return the error for rows that cannot be made.

    Parameters
    ----------
    given : Given
    lost : ndarray of bool, shape (n_rows,)
        Which rows those are.
    made : EncodedTable
        The others.
    draws : int
        Candidates drawn.
    found : float
        How many of them fit the row that was hardest to make.
    max_tries : int
    """
    owners = given.owners()
    columns = f"column{'s' if len(owners) > 1 else ''} {', '.join(map(repr, owners))}"
    rate = f"about {found:,.0f} of {draws:,} draws fit" if found >= 1 else f"none of {draws:,} fit"
    return TooRare(
        f"Only {int((~lost).sum()):,} of {len(given):,} rows could be made with what is given for "
        f"{columns}: for the others {rate}, and one in {max_tries:,} has to. Give fewer columns or "
        "values that occur together more often, set max_tries higher, or learn with another model.",
        lost,
        made,
    )


def reject(
    draw: Callable[[int, int], EncodedTable],
    given: Given,
    monitor: Monitor,
    max_tries: int,
    rng: np.random.Generator,
    phase: str,
) -> Completed:
    """Draw rows until every row given has one that fits, and put in what is given.

    All rows are served from the same draws. Rows that are given in the same columns never share
    one. What a number is given as fits where its bin does (see `compared`), so that
    the other columns follow their distribution for that bin; then the number takes its exact place.

    Parameters
    ----------
    draw : callable
        Takes how many rows to draw, and the number of the batch.
    given : Given
    monitor : callable
        Told after every batch.
    max_tries : int
        What fits less often than once in so many draws is given up.
    rng : Generator
        Where rows are given in different columns, those look at the draws in different orders.
    phase : str
        What is being done, for the reports.

    Raises
    ------
    TooRare
        If rows were given up.
    """
    n_rows = len(given)
    chosen = EncodedTable.empty(n_rows, given.layout)
    wanted = compared(given.table)
    known = given.known[:, given.blocks].astype(np.int32)
    _, masks = distinct(known)
    _, kinds = distinct(np.concatenate([known, known * wanted[:, given.blocks]], axis=1))
    found, drawn = np.zeros(n_rows), np.zeros(n_rows, dtype=np.int64)
    lost = np.zeros(n_rows, dtype=bool)
    waiting, draws, batch = np.arange(n_rows), 0, 0
    size = int(np.clip(2 * n_rows, LEAST, MOST))
    while len(waiting):
        pool = draw(size, batch)
        keys, draws, batch = compared(pool), draws + size, batch + 1
        served = np.zeros(n_rows, dtype=bool)
        for mask in np.unique(masks[waiting]):
            rows = waiting[masks[waiting] == mask]
            columns = np.flatnonzero(given.known[rows[0]])
            order = rng.permutation(size)
            pairs, hits = _matches(wanted[rows][:, columns], keys[order][:, columns])
            found[rows] += hits
            fitting = rows[pairs[0]]
            chosen.codes[fitting] = pool.codes[order[pairs[1]]]
            chosen.offsets[fitting] = pool.offsets[order[pairs[1]]]
            served[fitting] = True
        drawn[waiting] = draws
        waiting = waiting[~served[waiting]]
        lost[waiting[draws > max_tries * (found[waiting] + PATIENCE)]] = True
        waiting = waiting[~lost[waiting]]
        monitor(Progress(phase, n_rows - len(waiting), n_rows))
        if len(waiting):
            # As many as the hardest rows are likely to need, judged by what has been seen.
            alike = np.bincount(kinds[waiting])[kinds[waiting]]
            needed = (alike * draws / (found[waiting] + 0.5)).max()
            size = int(np.clip(needed, LEAST, MOST))
    made = given.impose(chosen)
    if lost.any():
        hardest = np.flatnonzero(lost)[found[lost].argmin()]
        raise too_rare(given, lost, made, int(drawn[hardest]), float(found[hardest]), max_tries)
    return Completed(made, effort_of("by rejection", draws, found / drawn))


def _matches(wanted: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows wanted with rows that have the same keys, none of them twice.

    Parameters
    ----------
    wanted, keys : ndarray of int32, shape (n_wanted, n_columns) and (n_keys, n_columns)

    Returns
    -------
    pairs : ndarray of int64, shape (2, n_pairs)
        Positions in `wanted` and in `keys`; earlier rows go first.
    hits : ndarray of int64, shape (n_wanted,)
        How many rows have the keys of each row wanted.
    """
    n = len(wanted)
    _, which = distinct(np.concatenate([wanted, keys]))
    ours, theirs = which[:n], which[n:]
    hits = np.bincount(theirs, minlength=int(which.max(initial=0)) + 1)[ours]
    span = max(n, len(keys))
    _, left, right = np.intersect1d(
        ours * span + _place(ours), theirs * span + _place(theirs), return_indices=True
    )
    return np.stack([left, right]), hits


def _place(groups: np.ndarray) -> np.ndarray:
    """Return how many earlier elements are of the same group, int64 (n,)."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    place = np.empty(len(groups), dtype=np.int64)
    place[order] = np.arange(len(groups)) - np.repeat(
        begins, np.diff(np.append(begins, len(groups)))
    )
    return place

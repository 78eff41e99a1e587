"""Rows chosen from more rows than are asked for: the plausible ones, or those that are fair."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabsynth.codec import Fixed, TableCodec
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError, SampleError
from tabsynth.fair import Balance, Fair, Parity
from tabsynth.monitor import Monitor
from tabsynth.random import Streams
from tabsynth.schema import Schema
from tabsynth.validation import check_real

MOST_SHARE = 0.9
"""Greatest share of the rows drawn that may be rejected."""
MOST_DRAWS = 20
"""Rows that are drawn at most for each row of a fair table."""
FEWEST_DRAWS = 20_000
"""Rows that may be drawn however few are asked for."""

Draw = Callable[[int, Streams], tuple[EncodedTable, Fixed | None]]
"""Takes how many rows to draw; also returns what they hold beside their codes."""
Judge = Callable[[pd.DataFrame], np.ndarray]
"""Takes rows without keys and personal data, and returns a number for each, higher where it is
less plausible."""

logger = logging.getLogger("tabsynth")


@dataclass(frozen=True)
class Rejection:
    """Asks for more rows to be drawn, and for the least plausible ones to be left out.

    Parameters
    ----------
    share : float
        Share of the rows drawn to leave out, from 0 to 0.9.
    judge : callable
        Takes a data frame of the rows drawn, without keys and personal data, and returns a number
        for each row: the higher, the sooner it is left out. It may be asked more than once.

    Notes
    -----
    Privacy: a judge that has seen private rows makes the choice depend on them once more, outside
    any account.

    Examples
    --------
    >>> Rejection(0.2, lambda rows: rows["age"] < rows["years_of_school"]).share
    0.2
    """

    share: float
    judge: Judge

    def __post_init__(self) -> None:
        check_real("reject", self.share, 0, MOST_SHARE)

    def kept(self, rows: pd.DataFrame, n_kept: int) -> np.ndarray:
        """Return the positions of the `n_kept` most plausible rows, ascending; ties by position."""
        odds = np.asarray(self.judge(rows), dtype=np.float64)
        if odds.shape != (len(rows),) or np.isnan(odds).any():
            raise ConfigError(
                f"reject: the judge must return a number for each of the {len(rows):,} rows."
            )
        return np.sort(np.argsort(odds, kind="stable")[:n_kept])


@dataclass(frozen=True)
class Selected:
    """The rows, and what it took.

    Attributes
    ----------
    table : DataFrame
    parity : Parity or None
    drawn, rejected : int
        Rows drawn in the last round, and those of them that were left out as implausible.
    """

    table: pd.DataFrame
    parity: Parity | None = None
    drawn: int = 0
    rejected: int = 0


def select(
    n_rows: int,
    draw: Draw,
    codec: TableCodec,
    streams: Streams,
    monitor: Monitor,
    fair: Fair | None = None,
    reject: Rejection | None = None,
) -> Selected:
    """Draw rows and choose `n_rows` of them, first the plausible ones and then the fair ones.

    Keys and personal data are made for the rows that are chosen, so that keys stay unique and count
    on without gaps. Where too few rows were drawn for a fair table, more are drawn anew.

    Raises
    ------
    SampleError
        If no fair table can be chosen from `MOST_DRAWS` times as many rows.
    """
    fair, reject = (fair, reject) if n_rows else (None, None)
    share = 0.0 if reject is None else reject.share
    needed = n_rows if fair is None else 1.2 * n_rows + 50
    size = math.ceil(needed / (1 - share) - 1e-9)
    most = math.ceil(max(MOST_DRAWS * n_rows, FEWEST_DRAWS) / (1 - share))
    round_ = 0
    while True:
        inner = streams.child(f"round {round_}") if round_ else streams
        table, fixed = draw(size, inner)
        decoding = inner.child("decode")
        values = codec.learnt(table, decoding, monitor, fixed)
        rows, parity, n_left = np.arange(size), None, size
        if reject is not None:
            n_left = n_rows if fair is None else size - round(size * share)
            rows = reject.kept(codec.rendered(values, size), n_left)
        if fair is not None:
            names = (*fair.protected, fair.target)
            some = {name: values[name].take(rows) for name in names}
            balance = fair.balance(some, n_rows, inner.numpy("fair"))
            if len(balance.rows) < n_rows:
                if size >= most:
                    raise _impossible(balance, n_rows)
                grown = size * max(1.2, 1.1 * balance.growth)
                size, round_ = min(most, math.ceil(grown)), round_ + 1
                continue
            rows, parity = rows[balance.rows], balance.parity()
            logger.info("fair: %s", parity.in_words())
        if reject is not None:
            logger.info("reject: %s of %s rows left out", f"{size - n_left:,}", f"{size:,}")
        if len(rows) < size:
            table, values = table.take(rows), {name: v.take(rows) for name, v in values.items()}
            fixed = {
                name: (v.take(rows), flags[rows]) for name, (v, flags) in (fixed or {}).items()
            }
        frame = codec.finish(values, table, decoding, monitor, fixed)
        return Selected(frame, parity, size, size - n_left)


def check_choice(
    schema: Schema, fair: Fair | None, reject: Rejection | None, each_given: bool
) -> None:
    """Raise ConfigError where rows cannot be chosen from more rows."""
    if fair is not None:
        fair.check(schema)
    if each_given and (fair or reject):
        raise ConfigError(
            "Each row given is made, so none can be chosen. Leave fair and reject out, or give "
            "values that all rows hold."
        )


def _impossible(balance: Balance, n_rows: int) -> SampleError:
    """Return the error for rows that cannot be made fair, with how much is missing."""
    fair, parity, missing = balance.fair, balance.parity(), balance.missing
    short, (before, best) = missing.sum(axis=1), balance.reachable()
    return SampleError(
        f"fair: {int((short > 0).sum()):,} of {len(short):,} groups of "
        f"{', '.join(map(repr, fair.protected))} have too few rows with some values of "
        f"{fair.target!r}: {int(missing.sum()):,} of the {n_rows:,} rows are missing, up to "
        f"{int(short.max()):,} in a group, although {parity.draws:,} were drawn, the most that are "
        f"allowed. The {parity.measure} is {before:.3f} and could be brought to {best:.3f} at "
        f"best. Name fewer protected columns, give rare groups one name in "
        "the schema, ask for fewer rows, or learn with another model."
    )

"""Replay: rare values, extremes, keys and personal data of training rows, met again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import pandas as pd

from tabsynth.columns.base import Profile
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import (
    MOST_HOLDERS,
    Pool,
    Tally,
    contrasted,
    exclusive,
    pool,
    share,
    too_few,
    unable,
)
from tabsynth.evaluation.extremes import extremes
from tabsynth.evaluation.result import Finding, Score

COLUMNS_HOLD = "training values met, all, unseen values met, all"
FEW_LEVELS = 20
"""A number with at most so many distinct values has no rare ones to speak of."""


@measures.register("rare_values")
class RareValues(Measure):
    """Share of rare values of training rows that are in the synthetic table.

    Three kinds are tested by themselves: categories that fewer than five real rows have; numbers
    that one real row has; and the lowest and highest value of every number column. What is met of
    unseen rows in the same way shows how much of it is chance.

    Privacy
    -------
    Counts on a sample of the training rows; names columns, never values.
    """

    order = 53
    needs_holdout = True
    minimum_rows = 1
    figures = (
        Figure(
            "rare_values",
            "Rare values met again",
            "disclosure",
            "lower",
            0.0,
            "Of the categories that fewer than five real rows have and the exact numbers that one "
            "real row has, the share that is also in the synthetic table, for those of training "
            "rows. Many are met by chance where numbers are rounded; clearly more than for real "
            "rows that the model never saw means that values were copied.",
            "The same share for values of real rows that the model never saw.",
        ),
    )

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share of rare categories and numbers."""
        figure = self.figures[0]
        problem = too_few(comparison)
        if problem:
            return [unable(figure, "rare values of real rows", "copying", 1, problem)]
        rows = comparison.once(pool)
        members, n = rows.members, len(rows.members)
        tallies = {"categories": Tally(n), "numbers": Tally(n)}
        both = Tally(n)
        columns: dict[str, list[int]] = {}
        shuffled = Tally(n)
        for place, held in rare_cells(comparison, rows):
            feature, codes = comparison.features[place], rows.real[place, held]
            met = (comparison.synthetic.counts(place) > 0)[codes]
            for tally in (tallies["categories" if feature.is_nominal else "numbers"], both):
                tally.add(held, met)
            shuffled.add(held, (comparison.independent.counts(place) > 0)[codes])
            columns[feature.name] = [
                number
                for side in (members[held], ~members[held])
                for number in (int(met[side].sum()), int(side.sum()))
            ]
        findings = [
            Finding(f"rare {name} of real rows", "copying", 1, tally.p_value(members))
            for name, tally in tallies.items()
            if tally.contrasts(members)
        ]
        ends = comparison.once(extremes)
        if ends.ends:
            findings.append(Finding("lowest and highest numbers", "copying", 1, ends.p_value))
        independent = shuffled.rate(members)
        return [
            contrasted(
                figure,
                both.rate(members),
                both.rate(~members),
                findings,
                baseline=None if independent is None else independent[0],
                nothing="No real row has a value that is rare.",
                details={
                    "columns": columns,
                    "columns_hold": COLUMNS_HOLD,
                    "extremes": ends.ends,
                    "extremes_of_training_met": ends.ours,
                    "extremes_of_unseen_met": ends.theirs,
                    "extremes_of_one_training_row": ends.lone,
                    "extremes_of_one_training_row_met": ends.lone_met,
                    "extremes_of_one_training_row_expected": ends.expected,
                },
            )
        ]


def rare_cells(comparison: Comparison, rows: Pool) -> Iterator[tuple[int, np.ndarray]]:
    """Yield columns, and which real rows have a category of few or a number of their own there."""
    for place, feature in enumerate(comparison.features):
        counts = rows.counts[place][:-1]
        if not feature.is_nominal and np.count_nonzero(counts) <= FEW_LEVELS:
            continue
        rare = (counts > 0) & (counts <= (MOST_HOLDERS if feature.is_nominal else 1))
        held = np.flatnonzero(np.append(rare, False)[rows.real[place]])
        if len(held):
            yield place, held


class _Replay(Measure):
    """Share of synthetic cells of columns that are never learnt that stand in the training column.

    A value that training rows alone have is contrasted with those that unseen rows alone have.
    """

    order = 54
    needs_holdout = True
    minimum_rows = 1
    kinds: ClassVar[tuple[str, ...]]
    what: ClassVar[str]

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return the measure where the synthetic table has such a column."""
        return [cls()] if cls._columns(comparison) else []

    @classmethod
    def _columns(cls, comparison: Comparison) -> list[str]:
        frames, schema = comparison.frames, comparison.schema
        if schema is None or not {"train", "synthetic"} <= set(frames):
            return []
        return [
            column.name
            for column in schema
            if column.type in cls.kinds
            and all(column.name in frame for frame in frames.values())
            and bool(frames["synthetic"][column.name].notna().any())
        ]

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share of all cells of all such columns."""
        figure, attack = self.figures[0], f"{self.what} of real rows in the synthetic table"
        problem = too_few(comparison)
        if problem:
            return [unable(figure, attack, "copying", 1, problem)]
        met, fresh, p_values = np.zeros(2, int), np.zeros(2, int), []
        columns: dict[str, list[int]] = {}
        counted: list[str] = []
        for name in self._columns(comparison):
            cells = {table: cells_of_key(comparison, table, name) for table in comparison.frames}
            if counts_up(cells["synthetic"]):
                counted.append(name)
                continue
            train, holdout, made = (hashed(cells[t]) for t in ("train", "holdout", "synthetic"))
            if not min(len(train), len(holdout), len(made)):
                continue
            found = exclusive(train, holdout, made)
            met += [int(np.isin(made, train).sum()), len(made)]
            fresh += [int(np.isin(holdout, train).sum()), len(holdout)]
            columns[name] = [found.hits, found.values, found.other_hits, found.other_values]
            if min(found.values, found.other_values):
                p_values.append(found.p_value)
        details = {
            "columns": columns,
            "columns_hold": COLUMNS_HOLD,
            "columns_that_count_up": counted,
        }
        if not columns:
            problem = (
                "The keys of the synthetic table count up (1, 2, 3, ...), so they tell nothing."
                if counted
                else f"The synthetic or a real table has no {self.what}."
            )
            return [figure.absent(problem, **details)]
        nothing = "" if p_values else f"No {self.what} belong to rows of one real table alone."
        p_value = min(1.0, min(p_values, default=1.0) * max(1, len(p_values)))
        score = contrasted(
            figure,
            share(int(met[0]), int(met[1])),
            share(int(fresh[0]), int(fresh[1])),
            [Finding(attack, "copying", 1, p_value)] if p_values else [],
            problem=nothing,
            details=details,
        )
        return [score]


@measures.register("key_replay")
class KeyReplay(_Replay):
    """Share of synthetic keys that are keys of training rows.

    Keys that count up by one are left out: they are their own number and no more.

    Privacy
    -------
    Counts on all training rows; names columns, never values.
    """

    kinds = ("identifier",)
    what = "keys"
    figures = (
        Figure(
            "key_replay",
            "Keys met again",
            "disclosure",
            "lower",
            0.0,
            "Share of the keys in the synthetic table (record numbers and the like) that are keys "
            "of training rows. New keys may equal some by chance, but then those of unseen rows "
            "just as often.",
            "Share of the keys of unseen real rows that are keys of training rows.",
        ),
    )


@measures.register("personal_replay")
class PersonalReplay(_Replay):
    """Share of synthetic personal data and free texts that stand in training rows.

    Privacy
    -------
    Counts on all training rows; names columns, never values.
    """

    kinds = ("personal", "text")
    what = "personal data or texts"
    figures = (
        Figure(
            "personal_replay",
            "Personal data met again",
            "disclosure",
            "lower",
            0.0,
            "Share of the names, addresses, telephone numbers or free texts in the synthetic "
            "table that stand in a training row. Made-up names may equal some by chance, but then "
            "those of unseen rows just as often.",
            "Share of those of unseen real rows that stand in a training row.",
        ),
    )


def cells_of_key(comparison: Comparison, table: str, name: str) -> pd.Series:
    """Return the present cells of a column that is not compared, as texts in one form."""
    schema = comparison.schema
    assert schema is not None
    series = comparison.frames[table][name]
    series = series[~Profile(name, series, schema.missing_of(schema[name])).missing]
    if pd.api.types.is_float_dtype(series.dtype):
        # A column with missing cells holds its whole numbers as 7.0.
        whole = (series % 1 == 0) & (series.abs() < 2**53)
        series = series.astype("int64") if whole.all() else series
    return series.astype("str").str.strip().str.casefold()


def hashed(cells: pd.Series) -> np.ndarray:
    """Return a 64-bit hash of each text."""
    hashes: np.ndarray = pd.util.hash_array(cells.to_numpy(dtype=object), categorize=False)
    return hashes


def counts_up(cells: pd.Series) -> bool:
    """Return whether cells are whole numbers one after another.

    Examples
    --------
    >>> counts_up(pd.Series(["3", "1", "2"])), counts_up(pd.Series(["3", "1", "9"]))
    (True, False)
    """
    if not len(cells) or not cells.str.fullmatch(r"\d{1,15}").all():
        return False
    numbers = np.unique(cells.astype("int64").to_numpy())
    return len(numbers) > 1 and int(numbers[-1] - numbers[0]) == len(numbers) - 1

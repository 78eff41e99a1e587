"""Sides: what is held against the real rows, all in equal numbers, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.evaluation.base import Figure
from tabsynth.evaluation.cells import cells_of, grouped
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.result import Score

FRESH = "As many real training rows in place of the synthetic ones: what a perfect table gets."
BINS = 8
"""Quantile bins of a continuous column where more than two columns, or all pairs, are counted."""
MOST_CELLS = 16
"""Most cells of a column there; rarer categories are taken together."""


@dataclass(frozen=True, eq=False)
class Found:
    """A figure for every side; one entry for each column, pair or triple, NaN where there is none.

    Attributes
    ----------
    synthetic, independent : ndarray of float64, shape (n,)
    fresh : ndarray of float64, shape (n,), or None
        Of as many training rows; None without a holdout.
    """

    synthetic: np.ndarray
    independent: np.ndarray
    fresh: np.ndarray | None

    def score(self, figure: Figure, *, marginal: bool = False, **known: Any) -> Score:
        """Return the means as a score with reference and baseline.

        Parameters
        ----------
        figure : Figure
        marginal : bool
            Whether the figure looks at single columns only. Without a holdout the baseline would
            then be a column compared with itself, and is left out.
        **known
            More of `Score`.
        """
        holdout = self.fresh is not None
        return figure.score(
            float(np.nanmean(self.synthetic)),
            reference=None if self.fresh is None else float(np.nanmean(self.fresh)),
            reference_text=FRESH if holdout else "",
            baseline=float(np.nanmean(self.independent)) if holdout or not marginal else None,
            **known,
        )


@dataclass(frozen=True, eq=False)
class Sides:
    """Real rows, and what is compared with them.

    Attributes
    ----------
    real : Table
    synthetic, independent : Table
        As many rows each.
    fresh : Table or None
        As many training rows; None where there is no holdout, since they are `real` then.
    """

    real: Table
    synthetic: Table
    independent: Table
    fresh: Table | None

    @classmethod
    def of(cls, comparison: Comparison) -> Sides:
        """Return all real rows, and equal numbers of the others."""
        return cls._first(comparison, comparison.n_equal, len(comparison.real))

    @classmethod
    def equal(cls, comparison: Comparison, most: int) -> Sides:
        """Return equal numbers of all sides, the real one too, and at most `most`."""
        n = min(comparison.n_equal, len(comparison.real), most)
        return cls._first(comparison, n, n)

    @classmethod
    def _first(cls, comparison: Comparison, n: int, n_real: int) -> Sides:
        return cls(
            comparison.real.first(n_real),
            comparison.synthetic.first(n),
            comparison.independent.first(n),
            comparison.train.first(n) if comparison.holdout is not None else None,
        )

    @property
    def tables(self) -> list[Table]:
        """Real, synthetic, independent and (with a holdout) fresh rows."""
        tables = [self.real, self.synthetic, self.independent]
        return tables if self.fresh is None else [*tables, self.fresh]

    def each(self, measure: Callable[[Table], Any]) -> Found:
        """Return what `measure` says of every side but the real one."""
        return found([measure(table) for table in self.tables[1:]])


def found(figures: list[Any]) -> Found:
    """Return figures of synthetic, independent and perhaps fresh rows, each a number or many."""
    arrays = [np.atleast_1d(np.asarray(some, dtype=np.float64)) for some in figures]
    return Found(arrays[0], arrays[1], arrays[2] if len(arrays) > 2 else None)


def coarse_cells(comparison: Comparison) -> tuple[list[np.ndarray], list[int]]:
    """Return few cells for every column, so that combinations of columns can be counted.

    Returns
    -------
    cells : list of ndarray of int64, shape (n_features, n_rows)
        Of real, synthetic, independent and (with a holdout) fresh rows.
    sizes : list of int
        Number of cells of each feature, missing included.
    """
    sides = Sides.of(comparison)
    lookups = []
    for place, feature in enumerate(comparison.features):
        counts = sides.real.counts(place)
        lookups.append(grouped(cells_of(feature, counts, BINS), counts, MOST_CELLS))
    cells = [
        np.array([lookup[table.codes[:, place]] for place, lookup in enumerate(lookups)])
        for table in sides.tables
    ]
    return cells, [int(lookup[-1]) + 1 for lookup in lookups]

"""Singling out: descriptions drawn from the synthetic rows that fit exactly one real row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.combinations import entropy
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import (
    Pool,
    contrasted,
    pool,
    share,
    tails,
    too_few,
    unable,
)
from tabsynth.evaluation.result import Finding, Score

MOST_ROWS = 20_000
"""Most training rows, and unseen rows, that descriptions are tried on."""
MOST_COLUMNS = 60
EXTREMES = 5
"""Lowest and highest values of a number that are described."""
RARE = 15
"""Values of a column that one synthetic row has, and that are described."""
SETS = 250
"""Sets of columns of which descriptions are made."""
EACH = 40
"""Synthetic rows that are described by each set."""
SIZES = (3, 4, 5, 6, 8)
WINDOW = 0.01
"""A number is described as an interval around it with twice this share of the synthetic rows."""


@dataclass(frozen=True, eq=False)
class Descriptions:
    """Conditions on some columns that a row can fulfil, several over the same columns.

    Attributes
    ----------
    places : ndarray of int, shape (n_columns,)
    low, high : ndarray of int32, shape (n_columns, n_descriptions)
        Codes between which a cell must lie.
    """

    places: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __len__(self) -> int:
        return int(self.low.shape[1])

    def fits(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all pairs of a description and a row that fits it.

        Parameters
        ----------
        codes : ndarray of int32, shape (n_features, n_rows)
        """
        conditions = list(zip(self.places, self.low, self.high, strict=True))
        fits = np.ones((len(self), codes.shape[1]), dtype=bool)
        for place, low, high in conditions[:2]:
            fits &= codes[place] >= low[:, None]
            fits &= codes[place] <= high[:, None]
        which, rows = np.nonzero(fits)
        for place, low, high in conditions[2:]:
            cells = codes[place][rows]
            kept = (cells >= low[which]) & (cells <= high[which])
            which, rows = which[kept], rows[kept]
        return which, rows

    def take(self, which: np.ndarray) -> Descriptions:
        """Return some of the descriptions."""
        return Descriptions(self.places, self.low[:, which], self.high[:, which])


@measures.register("singling_out")
class SinglingOut(Measure):
    """Success of an attacker who describes one person from the synthetic table.

    Descriptions are of two kinds: the few lowest and highest values of a number and values that one
    synthetic row has; and three to eight attributes of one synthetic row that no other synthetic
    row fits, numbers by a narrow interval. A description succeeds where exactly one row fits it.

    Privacy
    -------
    Counts on a sample of the training rows; exact, without noise.

    References
    ----------
    Article 29 Working Party, Opinion 05/2014 on anonymisation techniques (WP216). The success on
    unseen rows as a control is an idea of Giomi et al. (2023), doi:10.56553/popets-2023-0055.
    """

    order = 65
    needs_holdout = True
    minimum_rows = 1
    figures = (
        Figure(
            "singling_out",
            "Singling out",
            "disclosure",
            "lower",
            0.0,
            "An attacker reads descriptions off the synthetic table (an extreme or rare value, or "
            "a few attributes of one row) and hopes that each fits exactly one training row: the "
            "share that does. Only what exceeds the same share for real rows that the model "
            "never saw is a risk.",
            "The same descriptions, tried on as many real rows that the model never saw.",
        ),
    )
    attack = "descriptions read off synthetic rows that fit one real row alone"

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share of descriptions that single out a training row."""
        figure = self.figures[0]
        problem = too_few(comparison)
        if problem:
            return [unable(figure, self.attack, "singling out", 2, problem)]
        rows = comparison.once(pool)
        n_train = int(rows.members.sum())
        chosen = np.concatenate(
            [
                np.arange(min(n_train, MOST_ROWS)),
                np.arange(n_train, min(len(rows.members), n_train + MOST_ROWS)),
            ]
        )
        members, real = rows.members[chosen], rows.real[:, chosen]
        equal = int(min(members.sum(), (~members).sum()))
        sides = [side & (np.cumsum(side) <= equal) for side in (members, ~members)]
        rng = comparison.rng("singling out")
        scores = np.zeros(len(members))
        single, multiple = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
        for group in describe(comparison, rows, rng):
            which, fitting = group.fits(real)
            alone = np.bincount(which, minlength=len(group)) == 1
            scores += np.bincount(fitting[alone[which]], minlength=len(scores))
            counts = single if len(group.places) == 1 else multiple
            hits = [np.bincount(which[side[fitting]], minlength=len(group)) for side in sides]
            counts += [len(group), *(int((hit == 1).sum()) for hit in hits)]
        total, attack, control = (int(n) for n in single + multiple)
        if not total:
            problem = "The synthetic rows have nothing that one of them alone has."
            return [unable(figure, self.attack, "singling out", 2, problem)]
        finding = Finding(self.attack, "singling out", 2, tails(scores, members))
        return [
            contrasted(
                figure,
                share(attack, total),
                share(control, total),
                [finding],
                details={
                    "descriptions": total,
                    "rows_of_each_table": equal,
                    "of_one_column": int(single[0]),
                    "of_one_column_training": int(single[1]),
                    "of_one_column_unseen": int(single[2]),
                    "of_several_columns": int(multiple[0]),
                    "of_several_columns_training": int(multiple[1]),
                    "of_several_columns_unseen": int(multiple[2]),
                    "training_rows_singled_out": int((scores[members] > 0).sum()),
                    "unseen_rows_singled_out": int((scores[~members] > 0).sum()),
                },
            )
        ]


def describe(comparison: Comparison, rows: Pool, rng: np.random.Generator) -> list[Descriptions]:
    """Return descriptions made of the synthetic rows alone."""
    made = rows.synthetic
    counts = [comparison.synthetic.counts(place) for place in range(len(comparison.features))]
    varying = np.array([p for p, count in enumerate(counts) if np.count_nonzero(count) > 1], int)
    groups = []
    for place in rng.permutation(varying)[:MOST_COLUMNS]:
        low, high = _of_one(counts[place], comparison.features[place].is_nominal, rng)
        if len(low):
            groups.append(Descriptions(np.array([place]), low[None], high[None]))
    windows = [
        _windows(count, feature.is_nominal)
        for count, feature in zip(counts, comparison.features, strict=True)
    ]
    told = np.array([entropy(counts[place]) for place in varying])
    for _ in range(SETS):
        size = min(int(rng.choice(SIZES)), len(varying))
        if size < 2:
            break
        chosen = rng.choice(len(varying), size, replace=False, p=told / told.sum())
        # What tells most comes first: few rows are left to look at.
        places = varying[chosen[np.argsort(-told[chosen], kind="stable")]]
        cells = made[np.ix_(places, rng.integers(made.shape[1], size=EACH))]
        bounds = [
            np.array([windows[place][end][x] for place, x in zip(places, cells, strict=True)])
            for end in (0, 1)
        ]
        group = Descriptions(places, *bounds)
        alone = np.flatnonzero(np.bincount(group.fits(made)[0], minlength=len(group)) == 1)
        if len(alone):
            groups.append(group.take(alone))
    return groups


def _of_one(
    counts: np.ndarray, nominal: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest codes that descriptions of one column allow."""
    present = np.flatnonzero(counts[:-1])
    rare = rng.permutation(np.flatnonzero(counts[:-1] == 1))[:RARE]
    low, high = [rare], [rare]
    if not nominal:
        lowest, highest = present[:EXTREMES], present[-EXTREMES:]
        low += [np.zeros_like(lowest), highest]
        high += [lowest, np.full_like(highest, len(counts))]
    if counts[-1] == 1:
        low.append(np.array([-1]))
        high.append(np.array([-1]))
    return np.concatenate(low).astype(np.int32), np.concatenate(high).astype(np.int32)


def _windows(counts: np.ndarray, nominal: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return for each code, missing last, the lowest and highest code of its interval."""
    codes = np.append(np.arange(len(counts) - 1), -1).astype(np.int32)
    present = counts[:-1]
    if nominal or not present.sum():
        return codes, codes
    above = np.cumsum(present)
    middle = above - present / 2
    reach = WINDOW * float(above[-1])
    low = np.searchsorted(above, middle - reach, side="right")
    high = np.searchsorted(above - present, middle + reach, side="left") - 1
    low, high = np.minimum(low, codes[:-1]), np.maximum(high, codes[:-1])
    return (
        np.append(low, -1).astype(np.int32),
        np.append(high, -1).astype(np.int32),
    )

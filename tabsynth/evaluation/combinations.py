"""Rare combinations: several values together that only one real person has, met again."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.cells import cells_of
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import Pool, Tally, contrasted, pool, too_few, unable
from tabsynth.evaluation.result import Finding, Score

SIZES = (2, 3, 4)
"""Columns in a combination."""
MOST_SETS = 50
"""Most sets of columns of each size; of more, as many are drawn at random."""
COMMON = 20
"""Real rows that have each single value of a combination; that a rare one is met is no news."""
MANY = 50
"""A number with more distinct values than this is also looked at in intervals."""


@measures.register("rare_combinations")
class RareCombinations(Measure):
    """Share of combinations held by one training row alone that are in the synthetic table.

    A combination that one real row has and no other one, training or unseen, belongs to a training
    row or to an unseen row by chance, so that both kinds are met equally often unless something
    was learnt by heart. Each of its values by itself is common, so that this is not about rare
    values or shares of values. Every real row is scored by how many of its own combinations were
    met, in proportion to how often such combinations are met at all. Combinations of exact values
    are one test; those of values and intervals of numbers, which small changes do not hide,
    another.

    Privacy
    -------
    Counts on a sample of the training rows; exact, without noise.
    """

    order = 52
    needs_holdout = True
    minimum_rows = 1
    figures = (
        Figure(
            "rare_combinations",
            "Combinations of one person met again",
            "disclosure",
            "lower",
            0.0,
            "Of the combinations of 2 to 4 common values that only one real row has, a training "
            "row, the share that is also in the synthetic table. Many are met by chance; "
            "clearly more than for real rows that the model never saw means that parts of "
            "training rows were copied.",
            "The same share for combinations of a real row that the model never saw.",
        ),
    )
    attack = "combinations of values that only one real row has"

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share of combinations of exact values."""
        figure = self.figures[0]
        problem = too_few(comparison)
        if problem:
            return [unable(figure, self.attack, "singling out", 1, problem)]
        rows = comparison.once(pool)
        if len(rows.varying) < 2:
            return [figure.absent("A combination needs two columns that vary.")]
        rng = comparison.rng("rare combinations")
        sets = column_sets(rows, rng)
        independent = comparison.independent.codes.T
        real, made, mixed = (
            words_of(codes, rows) for codes in (rows.real, rows.synthetic, independent)
        )
        common = common_cells(rows.real)
        exact, shuffled = Tally(len(rows.members)), Tally(len(rows.members))
        by_size: dict[str, float] = {}
        for size, some in sets.items():
            tally = Tally(len(rows.members))
            for number, places in enumerate(some):
                keys, alone = combined(real, common, places)
                found = met(keys, made, places)
                exact.add(alone, found)
                tally.add(alone, found)
                if number % 3 == 0:
                    shuffled.add(alone, met(keys, mixed, places))
            for name, members in (("training", rows.members), ("unseen", ~rows.members)):
                rate = tally.rate(members)
                if rate is not None:
                    by_size[f"{size}_columns_{name}"] = rate[0]
        coarse = self._coarse(comparison, rows, rng)
        p_values = [
            tally.p_value(rows.members)
            for tally in (exact, coarse)
            if tally is not None and tally.contrasts(rows.members)
        ]
        p_value = min(1.0, min(p_values, default=1.0) * len(p_values))
        baseline = shuffled.rate(rows.members)
        return [
            contrasted(
                figure,
                exact.rate(rows.members),
                exact.rate(~rows.members),
                [Finding(self.attack, "singling out", 1, p_value)] if p_values else [],
                baseline=None if baseline is None else baseline[0],
                nothing="No combination of up to 4 values belongs to one real row alone.",
                details={
                    "sets_of_columns": sum(len(some) for some in sets.values()),
                    "training_rows_with_some": int((exact.tried[rows.members] > 0).sum()),
                    "unseen_rows_with_some": int((exact.tried[~rows.members] > 0).sum()),
                    **by_size,
                },
            )
        ]

    def _coarse(self, comparison: Comparison, rows: Pool, rng: np.random.Generator) -> Tally | None:
        """Return the tally of combinations in which numbers count by the interval they lie in."""
        fine = [
            not feature.is_nominal and np.count_nonzero(count[:-1]) > MANY
            for feature, count in zip(comparison.features, rows.counts, strict=True)
        ]
        if not any(fine):
            return None
        cells = [
            cells_of(feature, count) if cut else np.arange(len(count))
            for feature, count, cut in zip(comparison.features, rows.counts, fine, strict=True)
        ]
        cut_real, cut_made = (
            np.array([c[x] for c, x in zip(cells, codes, strict=True)])
            for codes in (rows.real, rows.synthetic)
        )
        real, made, common = (
            words_of(cut_real, rows),
            words_of(cut_made, rows),
            common_cells(cut_real),
        )
        tally = Tally(len(rows.members))
        for size, some in column_sets(rows, rng).items():
            if size > 2:
                for places in some:
                    keys, alone = combined(real, common, places)
                    tally.add(alone, met(keys, made, places))
        return tally


def column_sets(rows: Pool, rng: np.random.Generator) -> dict[int, list[np.ndarray]]:
    """Return sets of columns by size: all where there are few, else drawn at random.

    Columns that tell more (of larger entropy) are drawn more often.
    """
    places = rows.varying
    told = np.array([entropy(rows.counts[place]) for place in places])
    sets: dict[int, list[np.ndarray]] = {}
    for size in SIZES:
        if comb(len(places), size) <= MOST_SETS:
            found = dict.fromkeys(combinations(places.tolist(), size))
        else:
            found = {}
            for _ in range(2 * MOST_SETS):
                drawn = rng.choice(places, size, replace=False, p=told / told.sum())
                if len(found) < MOST_SETS:
                    found[tuple(np.sort(drawn).tolist())] = None
        if found:
            sets[size] = [np.array(some) for some in found]
    return sets


def entropy(counts: np.ndarray) -> float:
    """Return how much a column tells, in nats."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def lone(keys: np.ndarray) -> np.ndarray:
    """Return the rows whose key no other row has.

    Examples
    --------
    >>> lone(np.array([7, 5, 7, 9]))
    array([1, 3])
    """
    order = np.argsort(keys)
    ordered = keys[order]
    differs = np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])
    return np.sort(order[differs[1:] & differs[:-1]])


def words_of(codes: np.ndarray, rows: Pool) -> np.ndarray:
    """Return a random word of 64 bits for each cell, so that sums of them name combinations."""
    rng = np.random.Generator(np.random.PCG64(len(rows.counts)))
    words = np.empty(codes.shape, dtype=np.uint64)
    for place, count in enumerate(rows.counts):
        words[place] = rng.integers(0, 2**64, len(count), dtype=np.uint64)[codes[place]]
    return words


def common_cells(codes: np.ndarray) -> np.ndarray:
    """Return which cells have a value that at least `COMMON` rows have, by column."""
    return np.array([np.bincount(column + 1)[column + 1] >= COMMON for column in codes])


def combined(
    words: np.ndarray, common: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the combinations of common values that one row alone has, and which row that is."""
    keys = words[places].sum(axis=0, dtype=np.uint64)
    alone = lone(keys)
    alone = alone[common[places][:, alone].all(axis=0)]
    return keys[alone], alone


def met(keys: np.ndarray, words: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return which combinations are among those of other rows."""
    among = np.sort(words[places].sum(axis=0, dtype=np.uint64))
    found: np.ndarray = among[np.minimum(np.searchsorted(among, keys), len(among) - 1)] == keys
    return found

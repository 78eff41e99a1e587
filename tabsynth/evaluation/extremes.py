"""Extremes: whether the lowest and highest training numbers stand in the synthetic table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import Pool, pool

MOST_COLUMNS = 40
"""Most columns whose extremes are looked at; of more, as many are drawn at random."""
OUTERMOST = 30
"""Real rows at each end of a column among which the lowest or highest training value is sought."""
DRAWS = 4_999
"""Random ways to say which real rows are training rows."""
ZONE = 100
"""Outermost numbers of one real row each, among which a met one is compared with the others."""


@dataclass(frozen=True)
class Extremes:
    """What is met of the outermost values of the number columns.

    Attributes
    ----------
    p_value : float
    ends : int
        How many ends there are: two for each number column.
    ours, theirs : int
        Ends whose outermost training (unseen) value is in the synthetic table.
    lone, lone_met : int
        Ends whose outermost training value one real row alone has, and those of them that are met.
    expected : float
        How many of them would be met if they were met as often as the numbers beside them.
    """

    p_value: float = 1.0
    ends: int = 0
    ours: int = 0
    theirs: int = 0
    lone: int = 0
    lone_met: int = 0
    expected: float = 0.0


def extremes(comparison: Comparison) -> Extremes:
    """Return whether outermost training values are met too often; use with ``comparison.once``.

    Two tests, and Bonferroni over them. One holds without a condition: where nothing was copied,
    the outermost training values are those of a random part of all real rows, so for many random
    parts it is counted how many of their outermost values are met. That is at most one bit for
    each end. The other looks at outermost values that one real row alone has, a training row: if
    they were met by chance, they would be met no more often than the numbers of one real row
    beside them, which are likelier values. A value that several real rows share says nothing of
    anybody and does not count in it.
    """
    rows = comparison.once(pool)
    rng = comparison.rng("extremes")
    places = [
        place
        for place, feature in enumerate(comparison.features)
        if not feature.is_nominal and np.count_nonzero(rows.counts[place][:-1]) > 1
    ]
    if not places:
        return Extremes()
    chosen = rng.permutation(places)[:MOST_COLUMNS]
    known = {place: comparison.synthetic.counts(place) > 0 for place in chosen}
    by_label, ours, theirs = _by_label(rows, known, rng)
    chances, flags = _by_position(rows, known)
    p_values = [by_label] if not len(chances) else [by_label, at_least(chances, int(flags.sum()))]
    return Extremes(
        min(1.0, min(p_values) * len(p_values)),
        2 * len(chosen),
        ours,
        theirs,
        len(flags),
        int(flags.sum()),
        float(chances.sum()),
    )


def _by_label(
    rows: Pool, known: dict[int, np.ndarray], rng: np.random.Generator
) -> tuple[float, int, int]:
    """Return the p-value of the first test, and the ends met of training and of unseen rows."""
    members = rows.members
    outer, met = [], []
    for place, levels in known.items():
        codes = rows.real[place]
        # In random order, so that ties do not follow the table that a row is from.
        present = rng.permutation(np.flatnonzero(codes >= 0))
        for sign in (1, -1):
            first = present[np.argsort(sign * codes[present], kind="stable")[:OUTERMOST]]
            first = np.pad(first, (0, OUTERMOST - len(first)), mode="edge")
            outer.append(first)
            met.append(levels[codes[first]])
    chosen, where = np.unique(np.array(outer), return_inverse=True)
    where, found = where.reshape(len(outer), OUTERMOST), np.array(met)

    def count(labels: np.ndarray) -> np.ndarray:
        """Return for each way of labelling the rows how many outermost values are met."""
        mine = labels[:, where]
        first = mine.argmax(axis=2)
        picked = found[np.arange(len(found)), first] & mine.any(axis=2)
        counts: np.ndarray = picked.sum(axis=1)
        return counts

    observed = members[chosen]
    ours, theirs = int(count(observed[None])[0]), int(count(~observed[None])[0])
    n_members = int(members.sum())
    reached, step = 0, max(1, (1 << 22) // where.size)
    for start in range(0, DRAWS, step):
        n = min(step, DRAWS - start)
        drawn = rng.hypergeometric(n_members, len(members) - n_members, len(chosen), size=n)
        order = np.argsort(rng.random((n, len(chosen)), dtype=np.float32), axis=1)
        reached += int((count(order < drawn[:, None]) >= ours).sum())
    return (1 + reached) / (1 + DRAWS), ours, theirs


def _by_position(rows: Pool, known: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return of each end with a lone training value the chance that it is met, and whether it is.

    The chance is the share of met values among `ZONE` outermost ones of one real row each, the
    outermost training value among them.
    """
    chances, flags = [], []
    for place, levels in known.items():
        codes, counts = rows.real[place], rows.counts[place][:-1]
        ours = codes[rows.members & (codes >= 0)]
        lone = np.flatnonzero(counts == 1)
        if not len(ours) or len(lone) < 2:
            continue
        for end, zone in ((ours.min(), lone[:ZONE]), (ours.max(), lone[-ZONE:])):
            if counts[end] == 1 and end in zone:
                chances.append(float(levels[zone].mean()))
                flags.append(bool(levels[end]))
    return np.array(chances), np.array(flags, dtype=bool)


def at_least(chances: np.ndarray, hits: int) -> float:
    """Return the chance of at least so many hits among independent trials.

    Parameters
    ----------
    chances : ndarray of float, shape (n_trials,)
        Of a hit in each trial.
    hits : int

    Examples
    --------
    >>> round(at_least(np.array([0.5, 0.1]), 2), 6), round(at_least(np.array([0.5, 0.1]), 1), 6)
    (0.05, 0.55)
    """
    exactly = np.ones(1)
    for chance in chances:
        exactly = np.convolve(exactly, [1 - chance, chance])
    return float(np.clip(exactly[hits:].sum(), 0.0, 1.0))

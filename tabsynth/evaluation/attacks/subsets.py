"""Attack by distances in some of the columns: parts of rows that were copied."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.attacks.base import Attack, Scene, attacks
from tabsynth.evaluation.cells import cells_of
from tabsynth.evaluation.distance import Space, nearest
from tabsynth.evaluation.frame import Table

MOST_ROWS = 6000
"""Most synthetic and reference rows that are compared in each subset."""
MOST_CANDIDATES = 24_000
"""Most candidates whose parts are compared; the others score as the median."""
MOST_COLUMNS = 60
"""Most columns that subsets are made of; of more, as many are drawn at random."""
LEAST = 3
"""Fewest columns of a subset: two real people often agree in two."""
BINS = 8
"""Quantile bins in which the association of columns is measured."""
FOR_ASSOCIATION = 4000
"""Rows that the association of columns is measured on."""


@attacks.register("subsets")
class Subsets(Attack):
    """Distances compared with a reference in several subsets of columns, taken together.

    Columns are cut into two and into three groups at random, and into groups that belong together.
    In each group a candidate is as suspect as the nearest synthetic row is nearer than the nearest
    reference row. Ranks of suspicion of all groups are combined as p-values are by Fisher, so that
    both one very suspect part and several suspect parts count.
    """

    title = "distances in subsets of columns"
    order = 70

    def score(self, scene: Scene) -> np.ndarray:
        """Return the combined ranks of suspicion."""
        rng = scene.streams.numpy("subsets")
        n = scene.n_calibrated
        rows = np.sort(rng.permutation(n)[:MOST_CANDIDATES])
        candidates = scene.candidates.take(rows)
        suspicion = np.zeros(len(rows))
        subsets = choose(scene.candidates, rng)
        for places in subsets:
            tables = [_drawn(table, rng) for table in (scene.synthetic, scene.reference)]
            gaps = [_gaps(scene.space, candidates, table, places) for table in tables]
            suspicion -= np.log1p(-_ranks(gaps[1] - gaps[0]))
        found = np.full(n, float(np.median(suspicion)))
        found[rows] = suspicion
        return found


def choose(table: Table, rng: np.random.Generator) -> list[np.ndarray]:
    """Return subsets of columns, each an array of places.

    Parameters
    ----------
    table : Table
        Training rows and unseen ones as one heap.
    rng : Generator
    """
    places = np.flatnonzero([np.ptp(column) > 0 for column in table.codes.T])
    if len(places) < 2 * LEAST:
        return [places] if len(places) else []
    if len(places) > MOST_COLUMNS:
        places = np.sort(rng.permutation(places)[:MOST_COLUMNS])
    parts = [2] if len(places) < 3 * LEAST else [2, 3]
    chosen = [p for n in parts for p in np.array_split(rng.permutation(places), n)]
    together = association(table.take(rng.permutation(len(table))[:FOR_ASSOCIATION]), places)
    size = max(LEAST, len(places) // 3)
    for start in np.array_split(rng.permutation(len(places)), 3):
        likest = np.argsort(-together[start[0]], kind="stable")
        chosen.append(places[likest[:size]])
    return [np.sort(part) for part in chosen]


def association(table: Table, places: np.ndarray) -> np.ndarray:
    """Return Cramer's V of every pair of columns in few cells, itself 1.

    Returns
    -------
    ndarray of float64, shape (n_places, n_places)
    """
    n = len(table)
    indicators = []
    for place in places:
        counts = table.counts(place)
        cells = cells_of(table.features[place], counts, BINS)
        size = np.bincount(cells, weights=counts)
        # Rare cells are one, so that all columns have few.
        kept = np.flatnonzero(size >= n / 50)
        lookup = np.zeros(len(size), dtype=np.int64)
        lookup[kept] = np.arange(1, len(kept) + 1)
        found = lookup[cells][table.codes[:, place]]
        one_hot = np.eye(len(kept) + 1)[found]
        share = one_hot.mean(axis=0)
        used = share > 0
        indicators.append((one_hot[:, used] - share[used]) / np.sqrt(share[used]))
    widths = [indicator.shape[1] for indicator in indicators]
    joint = np.concatenate(indicators, axis=1)
    squares = (joint.T @ joint / n) ** 2
    starts = np.cumsum([0, *widths[:-1]])
    chi = np.add.reduceat(np.add.reduceat(squares, starts, axis=0), starts, axis=1)
    least = np.minimum.outer(widths, widths) - 1
    strength: np.ndarray = np.sqrt(chi / np.maximum(least, 1))
    np.fill_diagonal(strength, 2.0)
    return strength


def _drawn(table: Table, rng: np.random.Generator) -> Table:
    return table if len(table) <= MOST_ROWS else table.take(rng.permutation(len(table))[:MOST_ROWS])


def _gaps(space: Space, candidates: Table, table: Table, places: np.ndarray) -> np.ndarray:
    """Return the distance of each candidate to the nearest row of a table in some columns."""
    part = Space(tuple(space.lookups[place] for place in places))
    sides = []
    for some in (candidates, table):
        narrow = Table(tuple(some.features[place] for place in places), some.codes[:, places])
        ids, first, where = np.unique(narrow.ids, return_index=True, return_inverse=True)
        sides.append((part.points(narrow.take(first)), ids, where))
    (queries, ids, where), (points, others, _) = sides
    gaps = nearest(queries, points)
    gaps[np.isin(ids, others)] = 0.0
    return gaps[where]


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Return the mean rank of each score in (0, 1), equal ones alike."""
    from scipy.stats import rankdata

    ranks: np.ndarray = rankdata(scores) / (len(scores) + 1)
    return ranks

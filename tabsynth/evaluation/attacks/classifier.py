"""Attack by a learner that tells synthetic rows from reference rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tabsynth.evaluation.attacks.base import Attack, Scene, attacks
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.learner import Design, boost

MOST_ROWS = 10_000
"""Most rows of each kind that the learner sees."""
ROUNDS = 20
"""Trees of the learner."""
LEAF = 0.02
"""Smallest share of rows in a leaf."""
CELLS = 16
"""Quantile cells in which numbers are shown to the learner."""


@attacks.register("classifier")
class Classifier(Attack):
    """Gradient-boosted trees learn what synthetic rows look like and reference rows do not.

    What they take for synthetic is likelier to have shaped the synthetic rows. Numbers are shown in
    cells and leaves are large: the learner is after combinations of values, and a value by itself
    must not give a row away (there are other measures for replayed values).

    References
    ----------
    Hayes et al. (2019), doi:10.2478/popets-2019-0008 (LOGAN, where the adversary trains a
    discriminator of its own).
    """

    title = "classifier of synthetic against reference rows"
    order = 60

    def score(self, scene: Scene) -> np.ndarray:
        """Return the probability of being synthetic."""
        tables = [scene.synthetic.first(MOST_ROWS), scene.reference.first(MOST_ROWS)]
        candidates = scene.candidates.take(slice(scene.n_calibrated))
        design = in_cells(Design.of([*tables, candidates]), candidates)
        inputs = np.concatenate([design.matrix(table) for table in tables])
        classes = np.repeat([1, 0], [len(table) for table in tables])
        seed = scene.streams.integer("classifier attack")
        leaf = max(20, int(LEAF * len(inputs)))
        learnt = boost(design, inputs, classes, 2, seed, ROUNDS, min_samples_leaf=leaf)
        return learnt(design.matrix(candidates))[:, 1]


def in_cells(design: Design, table: Table) -> Design:
    """Return the design with numbers in quantile cells of a table."""
    lookups = []
    for place, lookup, nominal in zip(design.places, design.lookups, design.nominal, strict=True):
        counts = table.counts(place)[:-1]
        below = np.cumsum(counts) - counts / 2
        cells = np.floor(CELLS * below / max(1, counts.sum()))
        lookups.append(lookup if nominal else np.append(cells, np.nan))
    return replace(design, lookups=tuple(lookups))

"""Probes: what is kept of the synthetic rows of a run, as seen from a few rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from tabsynth.errors import DataError
from tabsynth.evaluation.attacks import Attack, Scene, attacks
from tabsynth.evaluation.attempt import attempt
from tabsynth.evaluation.distance import Space, neighbours
from tabsynth.evaluation.frame import Table, analyse
from tabsynth.evaluation.vulnerable import with_tails
from tabsynth.random import Streams
from tabsynth.schema import Schema
from tabsynth.synthesizer import Synthesizer

QUERIES = 48
"""Random combinations of columns that are counted."""
WIDTHS = (0.005, 0.05, 0.2)
"""How near a number must lie to count as equal, in the units of `with_tails`."""
NEAREST = (1, 2, 5)
"""Which nearest synthetic rows are looked at."""
NEAR = (0.0, 0.01, 0.05)
"""Share of reference rows nearer than which a synthetic row is near."""


@dataclass(frozen=True, eq=False)
class Sight:
    """The rows that a probe looks from, and real rows to compare with.

    Attributes
    ----------
    targets, reference : DataFrame
    schema : Schema
    n_rows : int
        How many rows are sampled.
    streams : Streams
    """

    targets: pd.DataFrame
    reference: pd.DataFrame
    schema: Schema
    n_rows: int
    streams: Streams

    def look(self, fitted: Synthesizer) -> tuple[Table, Table, Table, Space]:
        """Return targets, reference and new rows of a fitted synthesizer, and their space."""
        made = fitted.sample(self.n_rows)
        kept = tuple(column for column in self.schema if column.name in made.columns)
        schema = replace(self.schema, columns=kept, primary_key=None, constraints=())
        tables = analyse(
            {"targets": self.targets, "reference": self.reference, "synthetic table": made}, schema
        )
        targets, reference, synthetic = tables.values()
        real = Table(targets.features, np.concatenate([targets.codes, reference.codes]))
        space = with_tails(Space.of([real], self.streams.numpy("directions")), real)
        return targets, reference, synthetic, space


@dataclass(frozen=True, eq=False)
class RowProbe:
    """What the synthetic rows say about each target: a row of numbers for each.

    Distances to the nearest ones, shares of near ones, shares that have the target's value in one
    column, shares beyond it, and shares that have its values in random combinations of columns.

    References
    ----------
    Houssiau et al. (2022), arXiv:2211.06550 (counts of random combinations as features).
    """

    sight: Sight

    def __call__(self, fitted: Synthesizer) -> np.ndarray:
        """Return float64 of shape (n_targets, n_features)."""
        targets, reference, synthetic, space = self.sight.look(fitted)
        points = [space.points(table) for table in (targets, reference, synthetic)]
        found = neighbours(points[0], points[2], max(NEAREST))
        last = found.distances.shape[1] - 1
        nearest = found.distances[:, [min(k - 1, last) for k in NEAREST]]
        shares = _near(*points), _matching(self.sight, targets, synthetic, space)
        return np.concatenate([np.log(nearest + 1e-3), *shares], axis=1)


def _near(targets: np.ndarray, reference: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """Return the shares of synthetic rows that are nearer than few reference rows are."""
    shares = np.empty((len(targets), len(NEAR)))
    for row, target in enumerate(targets):
        usual = np.sort(((reference - target) ** 2).sum(axis=1))
        usual = usual[usual > 0] if (usual > 0).any() else usual
        radii = [usual[int(share * (len(usual) - 1))] for share in NEAR]
        gaps = np.sort(((synthetic - target) ** 2).sum(axis=1))
        shares[row] = np.searchsorted(gaps, radii, side="left") / len(gaps)
    return shares


def _matching(sight: Sight, targets: Table, synthetic: Table, space: Space) -> np.ndarray:
    """Return the shares of synthetic rows with the target's values in one or more columns."""
    n = len(targets.features)
    combinations, widths = _queries(n, sight.streams.numpy("queries"))
    sizes = combinations.sum(axis=0)
    found = []
    for row in range(len(targets)):
        gaps = np.empty((len(synthetic), n), dtype=np.float32)
        beyond = []
        for place, feature in enumerate(targets.features):
            mine, theirs = targets.codes[row, place], synthetic.codes[:, place]
            lookup = space.lookups[place]
            gaps[:, place] = np.where(theirs == mine, 0.0, np.inf)
            if feature.is_nominal or mine < 0:
                continue
            values, present = lookup[theirs, 0], theirs >= 0
            gaps[present, place] = np.abs(values[present] - lookup[mine, 0])
            side = values >= lookup[mine, 0] if lookup[mine, 0] > 0 else values <= lookup[mine, 0]
            beyond.append(float((side & present).mean()))
        beyond += [0.0] * (n - len(beyond))
        shares = np.empty(len(sizes))
        for width in WIDTHS:
            some = widths == width
            equal = (gaps <= width).astype(np.float32) @ combinations[:, some]
            shares[some] = (equal == sizes[some]).mean(axis=0)
        found.append(np.concatenate([beyond, shares]))
    return np.array(found)


def _queries(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return which columns each query combines, (n_columns, n_queries), and its width."""
    single = np.eye(n, dtype=np.float32)
    sizes = rng.integers(min(2, n), n + 1, QUERIES)
    ranks = rng.random((n, QUERIES)).argsort(axis=0)
    several = (ranks < sizes).astype(np.float32)
    widths = np.array(WIDTHS)[rng.integers(0, len(WIDTHS), QUERIES)]
    return np.concatenate([single, several], axis=1), np.append(np.full(n, WIDTHS[1]), widths)


@dataclass(frozen=True, eq=False)
class CanaryProbe:
    """How much each canary looks like a row that was learnt, by every membership attack.

    An attack that cannot be run gives NaN.
    """

    sight: Sight

    def __call__(self, fitted: Synthesizer) -> np.ndarray:
        """Return float64 of shape (n_attacks, n_canaries), higher for likelier ones."""
        targets, reference, synthetic, space = self.sight.look(fitted)
        scene = Scene(targets, len(targets), 0, reference, synthetic, space, self.sight.streams)
        scores = np.full((len(attacks.names()), len(targets)), np.nan)
        for row, kind in enumerate(ordered_attacks()):
            found, _ = attempt(partial(_scores, kind, scene))
            if found is not None:
                scores[row] = found
        if np.isnan(scores).all():
            raise DataError("No membership attack could be run on the synthetic rows.")
        return scores


def ordered_attacks() -> list[type[Attack]]:
    """Return the membership attacks in the order in which their scores are kept."""
    return [kind for _, kind in sorted(attacks.items(), key=lambda x: (x[1].order, x[0]))]


def _scores(kind: type[Attack], scene: Scene) -> np.ndarray:
    scores = np.asarray(kind().score(scene), dtype=np.float64)
    if scores.shape != (scene.n_members,) or not np.isfinite(scores).all():
        raise DataError("The attack did not return one number for each row.")
    rounded: np.ndarray = np.round(scores, 9)
    return rounded

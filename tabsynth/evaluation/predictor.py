"""Learners that judge utility: a line, a forest and boosted trees, each as people would use it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.evaluation.learner import Design, Predictor, boost, constant, one_thread, predictor

MOST_ONE_HOT = 30
"""Categories of a column that the line tells apart; rarer ones are "another"."""
MOST_COLUMNS = 400
"""Columns that the line works on; where there would be more, each tells fewer categories apart."""
MOST_CELLS = 4_000_000
"""Rows times columns, and for classes times half their number, that the line learns from."""
WIDE = 50
"""Columns above which a table is wide."""
FURTHEST = 10.0
"""Standard deviations from the mean at which a number counts as extreme as can be."""
TREES = 50
MOST_ROWS_OF_FOREST = 10_000
MOST_CELLS_OF_FOREST = 400_000
BINS = 255
"""Parts of equal share that the forest sees a number in."""
MOST_TRIED = 12
"""Columns that the forest tries at a split."""
MOST_CELLS_BOOSTED = 4_600_000
"""Rows times columns that boosted trees learn from."""


@dataclass(frozen=True)
class Learner:
    """One way to learn.

    Attributes
    ----------
    name : str
        "boosted", "linear" or "forest".
    label, number_label : str
        Part of the score's name for classes and for numbers; empty for the headline.
    title, number_title : str
        What it is called.
    learn : callable
        Takes design, inputs, answers, n_classes and seed as `boost` does.
    most_rows : callable
        Takes n_used and n_classes; returns how many rows it learns from at most.
    """

    name: str
    label: str
    number_label: str
    title: str
    number_title: str
    learn: Callable[[Design, np.ndarray, np.ndarray, int, int], Predictor]
    most_rows: Callable[[int, int], int]

    def train(
        self, design: Design, inputs: np.ndarray, answers: np.ndarray, n_classes: int, seed: int
    ) -> tuple[Predictor, int]:
        """Return the predictor learnt from at most `most_rows` rows, and from how many.

        The rows are taken evenly from first to last, so tables laid end to end keep their shares.
        """
        most = self.most_rows(max(1, inputs.shape[1]), n_classes)
        if len(inputs) > most:
            rows = np.linspace(0, len(inputs) - 1, most).astype(np.int64)
            inputs, answers = inputs[rows], answers[rows]
        if not inputs.shape[1] or np.ptp(answers) == 0:
            return constant(answers, n_classes), len(inputs)
        return self.learn(design, inputs, answers, n_classes, seed), len(inputs)


def _boosted(
    design: Design, inputs: np.ndarray, answers: np.ndarray, n_classes: int, seed: int
) -> Predictor:
    rounds = 100 if n_classes <= 2 else max(20, 200 // n_classes)
    wide = inputs.shape[1] > WIDE
    # Of many columns some at a time and fewer bins: twice as fast and no worse.
    more = {"max_bins": 64, "max_features": 0.3} if wide else {}
    return boost(design, inputs, answers, n_classes, seed, rounds, **more)


def _linear(
    design: Design, inputs: np.ndarray, answers: np.ndarray, n_classes: int, seed: int
) -> Predictor:
    """Learn a logistic or ridge regression on standardised numbers and indicators of categories."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    encode = _indicators(design.nominal, inputs)
    line = LogisticRegression(max_iter=100, tol=1e-3) if n_classes else Ridge(alpha=1.0)
    with one_thread(), warnings.catch_warnings():
        # A hundred steps are plenty to rank rows by; the last digits of weights do not matter.
        warnings.simplefilter("ignore", ConvergenceWarning)
        line.fit(encode(inputs), answers)
    predict = predictor(line, n_classes)
    return lambda rows: predict(encode(rows))


def _indicators(nominal: Sequence[bool], inputs: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns inputs into columns for a line, fitted to the rows that are learnt from."""
    known = ~np.isnan(inputs)
    found = [
        np.unique(inputs[known[:, place], place], return_counts=True) if is_nominal else None
        for place, is_nominal in enumerate(nominal)
    ]
    most = MOST_ONE_HOT
    numbers = len(nominal) - sum(nominal)
    while most > 1 and numbers + sum(min(len(f[0]), most) for f in found if f) > MOST_COLUMNS:
        most -= 1
    kept = [f and f[0][np.argsort(-f[1], kind="stable")[:most]] for f in found]
    gaps = ~known.all(axis=0)
    scales = [scale_of(inputs[known[:, place], place]) for place in range(inputs.shape[1])]

    def encode(rows: np.ndarray) -> np.ndarray:
        columns = []
        for place, values in enumerate(rows.T):
            categories, (unit, centre, spread) = kept[place], scales[place]
            if categories is not None:
                columns.append((values[:, None] == categories).astype(np.float64))
            else:
                standard = (values / unit - centre) / spread
                standard = np.clip(np.nan_to_num(standard, nan=0.0), -FURTHEST, FURTHEST)
                columns.append(standard[:, None])
            if gaps[place]:
                columns.append(np.isnan(values)[:, None].astype(np.float64))
        return np.concatenate(columns, axis=1)

    return encode


def scale_of(values: np.ndarray) -> tuple[float, float, float]:
    """Return unit, mean and standard deviation in that unit; the unit keeps squares finite."""
    largest = float(np.abs(values).max(initial=0.0))
    unit = max(largest, np.finfo(np.float64).tiny) if largest else 1.0
    values = values / unit
    spread = float(values.std()) if len(values) else 0.0
    return unit, float(values.mean()) if len(values) else 0.0, spread or 1.0


def _forest(
    design: Design, inputs: np.ndarray, answers: np.ndarray, n_classes: int, seed: int
) -> Predictor:
    """Learn a random forest on ranks: categories by how common, numbers in parts of equal share."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    encode = _ranks(design.nominal, inputs)
    n_used = inputs.shape[1]
    wanted = round(n_used**0.5) if n_classes else n_used // 3
    kind = RandomForestClassifier if n_classes else RandomForestRegressor
    forest = kind(
        n_estimators=TREES,
        min_samples_leaf=3 if n_classes else 5,
        max_features=min(max(1, wanted), MOST_TRIED),
        random_state=seed % 2**32,
    )
    with one_thread():
        forest.fit(encode(inputs), answers)
    predict = predictor(forest, n_classes)
    return lambda rows: predict(encode(rows))


def _ranks(nominal: Sequence[bool], inputs: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns inputs into small whole numbers; missing is -1."""
    edges: list[np.ndarray] = []
    ranks: list[np.ndarray | None] = []
    for is_nominal, values in zip(nominal, inputs.T, strict=True):
        present = values[~np.isnan(values)]
        if is_nominal:
            levels, counts = np.unique(present, return_counts=True)
            rank = np.empty(len(levels))
            rank[np.argsort(-counts, kind="stable")] = np.arange(len(levels))
            edges.append(levels)
            ranks.append(np.append(rank, len(levels)))
        else:
            share = np.arange(1, BINS) / BINS
            cuts = np.quantile(present, share, method="lower") if len(present) else present
            edges.append(np.unique(cuts))
            ranks.append(None)

    def encode(rows: np.ndarray) -> np.ndarray:
        encoded = np.empty(rows.shape, dtype=np.float32)
        for place, values in enumerate(rows.T):
            found = np.searchsorted(edges[place], values)
            rank = ranks[place]
            if rank is not None:
                levels = edges[place]
                known = np.isin(values, levels)
                found = rank[np.where(known, found, len(levels))]
            encoded[:, place] = np.where(np.isnan(values), -1, found)
        return encoded

    return encode


BOOSTED = Learner(
    "boosted",
    "",
    "",
    "boosted trees",
    "boosted trees",
    _boosted,
    lambda n_used, n_classes: max(5_000, MOST_CELLS_BOOSTED // n_used),
)
LINEAR = Learner(
    "linear",
    "logistic",
    "ridge",
    "logistic regression",
    "ridge regression",
    _linear,
    lambda n_used, n_classes: max(2_000, MOST_CELLS // (n_used * max(1, n_classes // 2))),
)
FOREST = Learner(
    "forest",
    "forest",
    "forest",
    "a random forest",
    "a random forest",
    _forest,
    lambda n_used, n_classes: min(MOST_ROWS_OF_FOREST, max(2_000, MOST_CELLS_OF_FOREST // n_used)),
)
LEARNERS: Mapping[str, Learner] = {one.name: one for one in (BOOSTED, LINEAR, FOREST)}
"""Every learner by name, the headline first."""

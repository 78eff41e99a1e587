"""How `reference_models.py` judges synthetic rows, mixtures and rare classes; see there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import f1_score, r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.distribution import Distribution
from tabsynth.encoding.grid import Grid
from tabsynth.encoding.modes import ModeCoder

SIDE = 15_000
"""Most rows of each side that `c2st` looks at."""
MINIMUM_COUNT = 5
"""Rows that share a value before it gets a code of its own."""
CATEGORIES = 255
"""Most categories that the learner takes as such; larger codes are read as numbers."""


def boosted(kind: type, categories: list[int]) -> Any:
    """Return the learner of all measures."""
    return kind(max_iter=200, early_stopping=False, random_state=0, categorical_features=categories)


def as_numbers(
    frames: list[pd.DataFrame], discrete: list[str]
) -> tuple[list[np.ndarray], list[int]]:
    """Return the tables as numbers, with codes for categories, and the columns that are codes."""
    found = [frame.copy() for frame in frames]
    categories = []
    for position, name in enumerate(frames[0].columns):
        if name not in discrete:
            continue
        names = sorted(set().union(*(frame[name].astype(str) for frame in frames)))
        for frame in found:
            frame[name] = pd.Categorical(frame[name].astype(str), categories=names).codes
        if len(names) <= CATEGORIES:
            categories.append(position)
    return [frame.to_numpy(np.float64) for frame in found], categories


def c2st(made: pd.DataFrame, test: pd.DataFrame, discrete: list[str]) -> float:
    """Return how well synthetic rows are told from real ones; 0.5 is not at all."""
    (ours, real), categories = as_numbers([made, test], discrete)
    size = min(len(ours), len(real), SIDE)
    rows = np.concatenate([ours[:size], real[:size]])
    labels = np.repeat([1, 0], size)
    scores = np.zeros(len(rows))
    for train, held in StratifiedKFold(3, shuffle=True, random_state=0).split(rows, labels):
        learner = boosted(HistGradientBoostingClassifier, categories)
        learner.fit(rows[train], labels[train])
        scores[held] = learner.predict_proba(rows[held])[:, 1]
    return float(roc_auc_score(labels, scores))


def split(
    made: pd.DataFrame, test: pd.DataFrame, discrete: list[str], target: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[int]]:
    """Return inputs and targets of both tables, and the inputs that are codes."""
    (ours, real), categories = as_numbers([made, test], discrete)
    place = list(test.columns).index(target)
    inputs = [position for position in range(len(test.columns)) if position != place]
    codes = [inputs.index(position) for position in categories if position != place]
    return ours[:, inputs], ours[:, place], real[:, inputs], real[:, place], codes


def tstr(made: pd.DataFrame, test: pd.DataFrame, discrete: list[str], target: str) -> float:
    """Return the AUC (of a number: R2) on real rows of a learner trained on synthetic ones."""
    inputs, wanted, unseen, truth, codes = split(made, test, discrete, target)
    if target not in discrete:
        learner = boosted(HistGradientBoostingRegressor, codes).fit(inputs, wanted)
        return float(r2_score(truth, learner.predict(unseen)))
    if len(np.unique(wanted)) < 2:
        return 0.5
    learner = boosted(HistGradientBoostingClassifier, codes).fit(inputs, wanted)
    return float(roc_auc_score(truth, learner.predict_proba(unseen)[:, 1]))


def minority_f1(
    made: pd.DataFrame, test: pd.DataFrame, discrete: list[str], target: str, rare: str
) -> float:
    """Return the F1 of the rare class on real rows of a learner trained on synthetic ones."""
    if made[target].astype(str).nunique() < 2:
        return 0.0
    inputs, wanted, unseen, truth, codes = split(made, test, discrete, target)
    names = sorted({*made[target].astype(str), *test[target].astype(str)})
    learner = boosted(HistGradientBoostingClassifier, codes).fit(inputs, wanted)
    return float(f1_score(truth, learner.predict(unseen), pos_label=names.index(rare)))


def tvd(made: pd.DataFrame, test: pd.DataFrame, discrete: list[str]) -> float:
    """Return the mean total variation over columns."""
    found = []
    for name in test.columns:
        ours, real = made[name], test[name]
        if name in discrete:
            ours, real = ours.astype(str), real.astype(str)
        else:
            edges = np.unique(np.quantile(real.astype(float), np.linspace(0, 1, 21)[1:-1]))
            ours, real = (
                pd.Series(np.searchsorted(edges, side.astype(float), side="right"))
                for side in (ours, real)
            )
        shares = [side.value_counts(normalize=True) for side in (ours, real)]
        found.append(0.5 * shares[0].subtract(shares[1], fill_value=0).abs().sum())
    return float(np.mean(found))


def judge(
    made: pd.DataFrame, test: pd.DataFrame, discrete: list[str], target: str
) -> dict[str, float]:
    """Return the three measures of `reference_models.py`."""
    made = made[list(test.columns)]
    return {
        "c2st": round(c2st(made, test, discrete), 4),
        "tstr": round(tstr(made, test, discrete, target), 4),
        "tvd_1way": round(tvd(made, test, discrete), 4),
    }


@dataclass(frozen=True)
class Modes:
    """Mode-specific normalisation of one column: a mixture, and values with a code of their own."""

    grid: Grid
    coder: ModeCoder
    atoms: dict[float, float]


def fit_modes(frame: pd.DataFrame) -> dict[str, Modes]:
    """Fit the `modes` coding of every column, from the plain numbers."""
    found = {}
    for name, column in frame.items():
        numbers = column.to_numpy()
        summary = Distribution.of(numbers, np.zeros(len(numbers), dtype=bool))
        grid = Grid.of(summary)
        index = grid.index(summary.values)
        coder = ModeCoder.fit(index, summary.counts, Coding("modes", size=10), MINIMUM_COUNT)
        shares = summary.counts[np.isin(index, coder.atoms)] / len(numbers)
        atoms = dict(zip(coder.atoms.astype(float).tolist(), shares.tolist(), strict=True))
        found[str(name)] = Modes(grid, coder, atoms)
    return found


def likelihoods(
    ours: dict[str, Modes], theirs: Mapping[str, Any], test: pd.DataFrame
) -> dict[str, float]:
    """Compare the mean log-likelihood of unseen numbers, each taken for its cell of the grid.

    Both sides are mixed with a thousandth of the uniform distribution over the cells, so that no
    single number decides.

    Returns
    -------
    dict
        Means over columns, in nats a number, and on how many columns each side is better by more
        than a hundredth of a nat.
    """
    differences, means = [], []
    for name, modes in ours.items():
        grid, coder = modes.grid, modes.coder
        values = grid.index(test[name].to_numpy()).astype(np.float64)
        scale = 10.0**grid.decimals / grid.step if grid.is_lattice else 1.0
        origin = grid.origin / grid.step if grid.is_lattice else 0.0
        step = 1.0 if grid.is_lattice else float(np.ptp(values)) / 2**20
        mixture = theirs[name]
        reference = cell_likelihood(
            np.array(mixture["weights"]), np.array(mixture["means"]) * scale - origin,
            np.array(mixture["deviations"]) * scale, values, step, {},
        )  # fmt: skip
        own = cell_likelihood(
            coder.weights, coder.means, coder.deviations, values, step, modes.atoms
        )
        means.append((reference, own))
        differences.append(own - reference)
    reference, own = (float(value) for value in np.mean(means, axis=0))
    apart = np.array(differences)
    return {
        "reference": reference,
        "tabsynth": own,
        "reference_better": int((apart < -0.01).sum()),
        "tabsynth_better": int((apart > 0.01).sum()),
    }


def cell_likelihood(
    weights: np.ndarray,
    means: np.ndarray,
    deviations: np.ndarray,
    values: np.ndarray,
    step: float,
    atoms: Mapping[float, float],
) -> float:
    """Return the mean log-likelihood of `values`, each taken for the cell of `step` around it.

    Parameters
    ----------
    weights, means, deviations : ndarray of float64, shape (n_components,)
        Of a Gaussian mixture.
    values : ndarray of float64, shape (n,)
    step : float
        Distance of neighbours on the grid of the column.
    atoms : mapping of float to float
        Shares of values that have a code of their own; the mixture stands for the rest.
    """
    distinct, counts = np.unique(values, return_counts=True)
    mass = np.zeros(len(distinct))
    for weight, mean, deviation in zip(weights, means, deviations, strict=True):
        # Below the mean and above it are alike, and so the tail keeps its digits.
        away, half = np.abs(distinct - mean) / deviation, step / 2 / deviation
        mass += weight * (ndtr(half - away) - ndtr(-half - away))
    own = np.array([atoms.get(float(value), 0.0) for value in distinct])
    mass = mass * (1.0 - sum(atoms.values())) + own
    even = step / max(float(np.ptp(distinct)), step)
    return float(np.average(np.log(0.999 * mass + 0.001 * even), weights=counts))

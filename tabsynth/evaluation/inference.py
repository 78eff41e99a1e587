"""Inference: what an attacker who knows the rest of a row learns about one column of it."""

from __future__ import annotations

import numpy as np

from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.contrast import Tally, contrasted, pool, too_few, unable
from tabsynth.evaluation.distance import neighbours
from tabsynth.evaluation.frame import MISSING, Feature, Table
from tabsynth.evaluation.result import Finding, Score
from tabsynth.evaluation.scaled import compact, part, scaled_space

MOST_SECRETS = 8
"""Most columns that are guessed: sensitive ones first, then targets, then any."""
MOST_ROWS = 2_000
"""Most training rows, and unseen rows, that are guessed about."""
MOST_SYNTHETIC = 20_000
CLOSE = 0.05
"""A number is guessed where the guess is off by at most this times the interquartile range."""


@measures.register("inference")
class Inference(Measure):
    """Success of an attacker who knows all of a row but one column and guesses that one.

    The guess is what stands in the synthetic row that is nearest by all other columns. Much of it
    is right because columns hang together in the population; that holds for unseen rows as well,
    and only the difference is a risk to those whose rows were used.

    Privacy
    -------
    Guesses cells of a sample of the training rows.

    References
    ----------
    Article 29 Working Party, Opinion 05/2014 on anonymisation techniques (WP216). The success on
    unseen rows as a control is an idea of Giomi et al. (2023), doi:10.56553/popets-2023-0055.
    """

    order = 67
    needs_holdout = True
    minimum_rows = 1
    figures = (
        Figure(
            "inference",
            "Attribute inference",
            "disclosure",
            "lower",
            0.0,
            "An attacker knows a training row but for one column, and takes what stands there in "
            "the synthetic row most like it: the share of guesses that are right, over several "
            "columns. Only what exceeds the same share for real rows that the model never saw is "
            "a risk; the rest is what columns tell about each other in anybody.",
            "The same share of guesses about real rows that the model never saw.",
        ),
    )
    attack = "one column guessed from the synthetic row nearest by all others"

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share of guesses about training rows that are right."""
        figure, holdout = self.figures[0], comparison.holdout
        assert holdout is not None
        problem = too_few(comparison)
        if problem:
            return [unable(figure, self.attack, "inference", 2, problem)]
        rows, varying = comparison.once(pool), comparison.once(pool).varying
        if len(varying) < 2:
            problem = "Guessing one column from others needs at least two columns that vary."
            return [figure.absent(problem)]
        rng = comparison.rng("inference")
        space = comparison.once(scaled_space)
        train, others = comparison.train.first(MOST_ROWS), holdout.first(MOST_ROWS)
        real = Table(train.features, np.concatenate([train.codes, others.codes]))
        made = comparison.synthetic.first(MOST_SYNTHETIC)
        members = np.arange(len(real)) < len(train)
        tally, columns = Tally(len(real)), {}
        for place in _secrets(comparison, varying, rng):
            known = varying[varying != place]
            points = compact(part(space, real, known), part(space, made, known))
            found = neighbours(*points, 1).places[:, 0]
            truth, guess = real.codes[:, place], made.codes[found, place]
            right = _right(truth, guess, comparison.features[place], rows.counts[place])
            asked = np.flatnonzero(truth != MISSING)
            tally.add(asked, right[asked])
            sides = [right[asked[members[asked] == side]] for side in (True, False)]
            columns[comparison.features[place].name] = [
                float(side.mean()) if len(side) else None for side in sides
            ]
        finding = Finding(self.attack, "inference", 2, tally.p_value(members))
        both = tally.contrasts(members)
        return [
            contrasted(
                figure,
                tally.rate(members),
                tally.rate(~members),
                [finding] if both else [],
                nothing="All cells of the columns to guess are missing.",
                details={
                    "training_rows": int(members.sum()),
                    "unseen_rows": int((~members).sum()),
                    "columns": columns,
                    "columns_hold": "share of right guesses about training rows, unseen rows",
                },
            )
        ]


def _secrets(comparison: Comparison, varying: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Return the columns to guess, the most delicate first."""
    schema = comparison.schema

    def delicate(place: int) -> int:
        name = comparison.features[place].name
        if schema is not None and name in schema and schema[name].role == "sensitive":
            return 0
        return 1 if name in comparison.targets else 2

    return sorted((int(place) for place in rng.permutation(varying)), key=delicate)[:MOST_SECRETS]


def _right(
    truth: np.ndarray, guess: np.ndarray, feature: Feature, counts: np.ndarray
) -> np.ndarray:
    """Return which guesses are right, bool of shape (n_rows,); missing is never right."""
    right: np.ndarray = (truth == guess) & (truth != MISSING)
    if feature.is_nominal or not counts[:-1].sum():
        return right
    shares = np.cumsum(counts[:-1]) / counts[:-1].sum()
    low, high = (float(feature.numbers[np.searchsorted(shares, q - 1e-9)]) for q in (0.25, 0.75))
    numbers, reach = feature.numbers, CLOSE * (high - low)
    right |= np.isclose(numbers[truth], numbers[guess], rtol=1e-12, atol=reach)
    return right

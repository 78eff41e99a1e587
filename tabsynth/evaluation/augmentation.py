"""Augmentation: what adding synthetic rows to the real ones is worth to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.exam import (
    FEWEST_TESTS,
    NOTHING_UNSEEN,
    Exam,
    Lesson,
    answers_of,
    exam_of,
    parts_of,
)
from tabsynth.evaluation.predictor import BOOSTED
from tabsynth.evaluation.result import Interval, Score
from tabsynth.evaluation.skill import BOTH, everything, half_width, resample, spread


@measures.register("augmentation")
class Augmentation(Measure):
    """Real and synthetic rows together against the real rows alone.

    The holdout is cut in two at random. One half is only tested on. As many synthetic rows as the
    other half has are added to the training rows; the other half itself, fresh real rows, is added
    for the reference, and rows with independent columns for the baseline. All are tested on the
    same rows, so differences are paired.

    Parameters
    ----------
    target : str

    References
    ----------
    Hernandez et al. (2022), doi:10.1016/j.neucom.2022.04.053, review ways to judge utility.
    """

    order = 42

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.figures = (
            Figure(
                f"augmentation:{target}",
                f"Adding synthetic rows to predict {target!r}",
                "utility",
                "higher",
                1.0,
                f"How much better boosted trees predict {target!r} on unseen real rows after "
                "learning from the real training rows and synthetic ones together than from the "
                "real training rows alone; 0 is no gain, below 0 the synthetic rows do harm.",
            ),
        )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return one measure for each target."""
        return [cls(target) for target in comparison.targets]

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the gain in AUC or R2, with a paired interval over the rows tested on."""
        if comparison.holdout is None:
            raise DataError(NOTHING_UNSEEN)
        exam = exam_of(comparison, self.target)
        half = len(comparison.holdout) // 2
        n, added = len(comparison.train), min(len(comparison.synthetic), half)
        # Where the learner takes fewer rows, fewer of both kinds, so that those added are added.
        most = BOOSTED.most_rows(max(1, len(exam.design.places)), exam.task.n_classes)
        if n + added > most:
            n, added = most * n // (n + added), most * added // (n + added)
        tested = exam.rows >= half
        truth = exam.truth[tested]
        if len(truth) < FEWEST_TESTS or np.ptp(truth) == 0:
            raise DataError(
                f"The half of the holdout that is tested on needs {FEWEST_TESTS} rows with "
                f"different values of {self.target!r}. Hold out more rows."
            )
        alone: Lesson = (("train", 0, n),)
        once = everything(len(truth))
        draws = resample(len(truth), comparison.rng(f"augmentation {self.target}"))

        def skill(lesson: Lesson) -> tuple[float, np.ndarray, int]:
            answers = answers_of(comparison, self.target, "boosted", lesson)
            judge = exam.task.skill(answers.predictions[tested], truth)
            return float(judge(once)[0]), judge(draws), answers.n_rows

        real, real_drawn, _ = skill(alone)
        both, both_drawn, n_rows = skill((*alone, ("synthetic", 0, added)))
        fresh, fresh_drawn, _ = skill((*alone, ("holdout", 0, added)))
        independent, _, _ = skill((*alone, ("independent", 0, added)))
        freedom, learnt = self._learnt(comparison, exam, tested, n, added)

        def interval(gain: float, drawn: np.ndarray) -> Interval:
            half = half_width(float(np.nanvar(drawn)), learnt, freedom)
            return Interval(gain - half, gain + half, 0.95, BOTH)

        ceiling = interval(fresh - real, fresh_drawn - real_drawn)
        score = self.figures[0].score(
            both - real,
            explanation=f"{self.figures[0].explanation} Figure: difference in {exam.task.metric}.",
            interval=interval(both - real, both_drawn - real_drawn),
            reference=fresh - real,
            reference_text="As many fresh real rows added in place of the synthetic ones.",
            baseline=independent - real,
            details={
                "target": self.target,
                "learner": "boosted",
                "metric": exam.task.metric,
                "real_alone": real,
                "real_and_synthetic": both,
                "real_and_fresh_real": fresh,
                "fresh_gain_low": ceiling.low,
                "fresh_gain_high": ceiling.high,
                "real_rows": n,
                "rows_added": added,
                "rows_learnt_from": n_rows,
                "rows_tested_on": len(truth),
            },
        )
        return [replace(score, best=max(0.0, 1 - real))]

    def _learnt(
        self, comparison: Comparison, exam: Exam, tested: np.ndarray, n: int, added: int
    ) -> tuple[int, float]:
        """Return the variance of a gain over the rows learnt from, and its degrees of freedom.

        Were a figure a mean over the rows learnt from, with variance v for one row, the means over
        n rows and over these and `added` more would differ with variance v * added / (n * (n +
        added)). The variance for one row comes from parts of the rows.
        """
        once = everything(int(tested.sum()))
        variances, freedom = [], 0
        for table in ("synthetic", "train"):
            skills = np.array([
                exam.task.skill(part.predictions[tested], exam.truth[tested])(once)[0]
                for part in parts_of(comparison, self.target, "boosted", table)
            ])  # fmt: skip
            variances.append(float(spread(skills)))
            freedom += len(skills) - 1
        one_row = float(np.mean(variances)) * comparison.n_equal
        return freedom, one_row * added / (n * (n + added))

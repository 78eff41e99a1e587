"""Utility: whether what is learnt from the synthetic rows holds on real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from tabsynth.errors import DataError
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.exam import Answers, Exam, answers_of, exam_of, parts_of, task_of
from tabsynth.evaluation.predictor import BOOSTED, LEARNERS, Learner
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.skill import (
    BOTH,
    average_precision,
    everything,
    f1,
    half_width,
    percentiles,
    spread,
)

IMBALANCED = 0.25
"""Share of the rarer of two classes below which its own figures are added."""


@measures.register("tstr")
class TrainOnSynthetic(Measure):
    """Train on synthetic, test on real, beside train on real, test on real.

    Parameters
    ----------
    target : str
    name : str
        Of its score: "tstr", "tstr_logistic" or "tstr_ridge", "tstr_forest" for the first target;
        followed by ":<target>" for others.
    learner : str
        "boosted", "linear" or "forest".
    title : str
        What the learner is called.

    References
    ----------
    Esteban, Hyland and Rätsch (2017), arXiv:1706.02633.
    """

    order = 40

    def __init__(
        self,
        target: str = "",
        name: str = "tstr",
        learner: str = "boosted",
        title: str = "boosted trees",
    ) -> None:
        self.target = target
        self.learner = learner
        added = "" if learner == BOOSTED.name else f" with {title}"
        self.figures = (
            Figure(
                name,
                f"Predicting {target!r}{added} (train on synthetic, test on real)",
                "utility",
                "higher",
                1.0,
                f"How well {title} that learnt from synthetic rows "
                f"predict{'s' if title.startswith('a ') or 'regression' in title else ''} "
                f"{target!r} on real rows that the model never saw; the nearer to the reference "
                "the better.",
            ),
        )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return one measure for each target and learner."""
        planned: list[Measure] = []
        for place, target in enumerate(comparison.targets):
            for learner in LEARNERS.values():
                label, title = _called(learner, comparison, target)
                name = f"tstr_{label}" if label else "tstr"
                planned.append(
                    cls(target, f"{name}:{target}" if place else name, learner.name, title)
                )
        return planned

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the AUC or R2, with an interval over the rows it was tested on."""
        exam = exam_of(comparison, self.target)
        task = exam.task
        n = comparison.n_equal
        holdout = comparison.holdout is not None

        def answers(table: str) -> Answers:
            return answers_of(comparison, self.target, self.learner, ((table, 0, n),))

        once = everything(len(exam))
        synthetic = answers("synthetic")
        judge = task.skill(synthetic.predictions, exam.truth)
        value, drawn = float(judge(once)[0]), judge(exam.draws)
        details: dict[str, object] = {
            "target": self.target,
            "learner": self.learner,
            "metric": task.metric,
            "rows_learnt_from": synthetic.n_rows,
            "rows_tested_on": len(exam),
            "classes": task.n_classes,
            "rare_values_left_out": task.n_left_out,
        }
        details |= _minority(exam, synthetic, "")
        reference = None
        if holdout:
            real = answers("train")
            other = task.skill(real.predictions, exam.truth)
            reference = float(other(once)[0])
            difference = value - reference
            details["difference_to_real"] = difference
            with suppress(DataError):
                half = self._uncertainty(comparison, exam, drawn - other(exam.draws))
                details |= {
                    "difference_low": difference - half,
                    "difference_high": difference + half,
                    "difference_interval": BOTH,
                }
            details |= _minority(exam, real, "_real")
        independent = task.skill(answers("independent").predictions, exam.truth)
        problems = [] if holdout else [
            "No holdout: tested on the training rows, which flatters tables that repeat them."
        ]  # fmt: skip
        return [
            self.figures[0].score(
                value,
                explanation=f"{self.figures[0].explanation} {task.meaning}",
                interval=percentiles(value, drawn),
                reference=reference,
                reference_text="The same learner after as many real training rows."
                if holdout
                else "",
                baseline=float(independent(once)[0]),
                problem=" ".join([*problems, *shortcomings(exam, synthetic)]),
                details=details,
            )
        ]

    def _uncertainty(self, comparison: Comparison, exam: Exam, drawn: np.ndarray) -> float:
        """Return half the width of the interval of the difference to learning from real rows.

        The variance over the rows tested on is that of the paired `drawn` differences; that over
        the rows learnt from is read off models of disjoint parts of them.
        """
        once = everything(len(exam))
        learnt, freedom = 0.0, 0
        for table in ("synthetic", "train"):
            skills = np.array([
                exam.task.skill(part.predictions, exam.truth)(once)[0]
                for part in parts_of(comparison, self.target, self.learner, table)
            ])  # fmt: skip
            learnt += float(spread(skills))
            freedom += len(skills) - 1
        return half_width(float(np.nanvar(drawn)), learnt, freedom)


def _called(learner: Learner, comparison: Comparison, target: str) -> tuple[str, str]:
    """Return the label and the title of a learner for a target."""
    try:
        numbers = not task_of(comparison, target).is_classification
    except DataError:
        numbers = False
    if numbers:
        return learner.number_label, learner.number_title
    return learner.label, learner.title


def shortcomings(exam: Exam, answers: Answers) -> list[str]:
    """Return sentences about what the synthetic rows lack, so that it could not be learnt."""
    if answers.learnt_nothing:
        return [
            f"{exam.target!r} has the same value in all synthetic rows learnt from, so nothing "
            "could be learnt from them."
        ]
    if answers.n_unseen:
        return [
            f"{answers.n_unseen} of the {exam.task.n_classes} values of {exam.target!r} occur in "
            "no synthetic row learnt from, so they are never predicted."
        ]
    return []


def _minority(exam: Exam, answers: Answers, ending: str) -> Mapping[str, object]:
    """Return figures of the rarer of two classes where it is rare."""
    if exam.task.n_classes != 2:
        return {}
    rarer = int(exam.truth.mean() < 0.5)
    positive = exam.truth == rarer
    share = float(positive.mean())
    if share >= IMBALANCED:
        return {}
    predicted = answers.predictions.argmax(axis=1) == rarer
    found: dict[str, object] = {} if ending else {"minority_share": share}
    found[f"minority_average_precision{ending}"] = average_precision(
        answers.predictions[:, rarer], positive
    )
    found[f"minority_f1{ending}"] = f1(np.asarray(predicted), positive)
    return found

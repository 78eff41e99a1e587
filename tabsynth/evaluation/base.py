"""The contract of a measure, and the registry through which measures are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.result import Better, Group, Score
from tabsynth.registry import Registry


@dataclass(frozen=True)
class Figure:
    """What is known about a score before anything is measured.

    Attributes
    ----------
    name, title, group, better, best, explanation, reference_text
        As in `Score`.
    """

    name: str
    title: str
    group: Group
    better: Better
    best: float
    explanation: str
    reference_text: str = ""

    def score(self, value: float | None, **known: Any) -> Score:
        """Return the score with its value and whatever else of `Score` is `known`."""
        return Score(
            name=self.name,
            title=self.title,
            group=self.group,
            value=None if value is None else float(value),
            better=self.better,
            best=self.best,
            explanation=known.pop("explanation", self.explanation),
            reference_text=known.pop("reference_text", self.reference_text),
            **known,
        )

    def absent(self, problem: str, **details: Any) -> Score:
        """Return the score without a value, and why there is none."""
        return self.score(None, problem=problem, details=details)


class Measure(ABC):
    """One way to judge a synthetic table; a subclass is found by ``@measures.register(name)``.

    A measure may raise: the evaluation goes on, and its figures say that they failed. A
    `TabsynthError` is shown to the reader as it is; of any other error only the class and the
    place, because its text may hold cells of the table.
    """

    figures: Sequence[Figure]
    """Every score that `measure` returns."""
    order: ClassVar[int] = 100
    """Place among the measures of all groups; those with equal places go by name."""
    needs_holdout: ClassVar[bool] = False
    """Whether it says nothing without real rows that the model has not seen."""
    minimum_rows: ClassVar[int] = 20
    """Fewest rows of each table that it works with."""

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return the measures of this kind that fit the tables: itself, or one for each target."""
        return [cls()]

    @abstractmethod
    def measure(self, comparison: Comparison) -> list[Score]:
        """Return one score for each of `figures`."""


measures: Registry[type[Measure]] = Registry("measure", "tabsynth.evaluation")
"""Every measure by name."""

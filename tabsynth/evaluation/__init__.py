"""Judging a synthetic table: measures of fidelity, utility and disclosure, and their result.

`tabsynth.evaluation.evaluate.evaluate` runs every registered measure on real and synthetic rows
and returns an `Evaluation`. A measure is a subclass of `Measure` with one decorator.
"""

from tabsynth.evaluation.evaluate import evaluate
from tabsynth.evaluation.result import ColumnProfile, Evaluation, Interval, Pairs, Score

__all__ = ["ColumnProfile", "Evaluation", "Interval", "Pairs", "Score", "evaluate"]

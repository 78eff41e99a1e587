"""Bars: what synthetic rows are worth for prediction, and what a privacy budget was spent on."""

from __future__ import annotations

from collections.abc import Sequence

from tabsynth.evaluation.result import Evaluation, Score
from tabsynth.report.drawing import Drawing
from tabsynth.report.formal import Spend
from tabsynth.report.words import finite, number, shorten

MOST_BARS = 24
"""Most scores that the chart of predictions has a bar for."""


def predictions(evaluation: Evaluation) -> list[Score]:
    """Return the scores of training on synthetic rows and testing on real ones, with a value."""
    found = [
        score
        for score in evaluation.group("utility")
        if score.name.partition(":")[0].partition("_")[0] == "tstr"
        and finite(score.value) is not None
    ]
    return found[:MOST_BARS]


def draw_predictions(scores: Sequence[Score], key: str) -> str | None:
    """Draw a bar with its interval for every score, and real rows as the ceiling; None for none.

    Parameters
    ----------
    scores : sequence of Score
        From `predictions`.
    key : str
        Unique on the page.
    """
    if not scores:
        return None
    drawing = Drawing(370, 30 + 44 * len(scores))
    left, right, bottom = 4.0, 366.0, 6 + 44 * len(scores)
    ends = [score.interval.low if score.interval else score.value for score in scores]
    least = min([0.0, *(x for end in (*ends, *(s.baseline for s in scores)) if (x := finite(end)))])
    low = max(least, -1.0)

    def at(value: float) -> float:
        return left + (min(max(value, low), 1.0) - low) / (1 - low) * (right - left)

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawing.line([(at(tick), bottom), (at(tick), bottom + 4)], "rule")
        drawing.text(min(max(at(tick), 8), 360), bottom + 17, f"{tick:g}", "center")
    drawing.line([(left, bottom), (right, bottom)], "rule")
    for place, score in enumerate(scores):
        y = 44 * place
        value, reference = finite(score.value) or 0.0, finite(score.reference)
        drawing.text(left, y + 12, shorten(_called(score), 46), "left", "ink")
        drawing.text(right, y + 12, f"{number(value)} / {number(reference)}", "right", "ink")
        begin, end = sorted((at(0.0), at(value)))
        drawing.box(begin, y + 19, end - begin, 14, "synthetic", 0.85)
        if reference is not None:
            drawing.line([(at(reference), y + 16), (at(reference), y + 36)], "real", 3.0)
        interval = score.interval
        if interval and finite(interval.low) is not None and finite(interval.high) is not None:
            drawing.line([(at(interval.low), y + 26), (at(interval.high), y + 26)], "ink", 1.4)
            for x in (at(interval.low), at(interval.high)):
                drawing.line([(x, y + 22), (x, y + 30)], "ink", 1.4)
        baseline = finite(score.baseline)
        if baseline is not None:
            drawing.dot(at(baseline), y + 26, 4.4, "muted", hollow=True)
    return drawing.to_svg(key, "Prediction: trained on synthetic rows against trained on real rows")


def _called(score: Score) -> str:
    """Return the title of a score without what all of them have in common."""
    return score.title.removesuffix(" (train on synthetic, test on real)")


def draw_budget(spends: Sequence[Spend], key: str) -> str | None:
    """Draw what part of the budget each release took; None where that is not known.

    Parameters
    ----------
    spends : sequence of Spend
    key : str
        Unique on the page.
    """
    total = sum(spend.share or 0.0 for spend in spends)
    if not spends or total <= 0:
        return None
    drawing = Drawing(370, 52)
    x = 2.0
    for place, spend in enumerate(spends):
        width = 366 * (spend.share or 0.0) / total
        drawing.box(x, 4, max(width - 1.5, 0.0), 26, "synthetic", (0.9, 0.55)[place % 2])
        if width >= 14:
            drawing.text(x + width / 2, 46, str(place + 1), "center", "ink")
        x += width
    return drawing.to_svg(key, "Share of the privacy budget that each release took")

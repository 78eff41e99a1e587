"""How far membership attacks get at few false alarms, beside what chance alone would give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabsynth.evaluation.result import Evaluation, Score
from tabsynth.report.drawing import Drawing
from tabsynth.report.words import finite, percent

POPULATIONS = {
    "membership_tpr": "All rows",
    "membership_auc": "All rows",
    "membership_vulnerable_tpr": "The 5% of rows that are least like any other",
}
"""Scores whose strongest attack is drawn, and the rows that it was judged on."""
LEVEL = 0.95
DASHES: tuple[tuple[float, float] | None, ...] = (None, (6.0, 3.0))
"""How the first and the second attack of a chart are drawn."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 358.0, 10.0, 226.0  # pixels


@dataclass(frozen=True)
class Curve:
    """The strongest attack of a score.

    Attributes
    ----------
    attack : str
    rates, reached : tuple of float
        False and true positive rates; ascending rates.
    """

    attack: str
    rates: tuple[float, ...]
    reached: tuple[float, ...]


@dataclass(frozen=True)
class Roc:
    """The attacks on some rows, with the band of chance.

    Attributes
    ----------
    population : str
    members, others : int
        Training rows, and unseen rows to tell them from.
    tests : int
        Attacks that the strongest was chosen from.
    curves : tuple of Curve
    low, high : tuple of float
        What chance alone gives at the rates of the first curve.
    """

    population: str
    members: int
    others: int
    tests: int
    curves: tuple[Curve, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def rocs(evaluation: Evaluation) -> list[Roc]:
    """Return the strongest attacks of every population; nothing where no curve was recorded."""
    found: dict[str, list[tuple[Score, Curve]]] = {}
    for name, population in POPULATIONS.items():
        for score in evaluation.scores:
            curve = _curve(score) if score.name == name else None
            if curve is not None:
                known = found.setdefault(population, [])
                if all(other != curve for _, other in known):
                    known.append((score, curve))
    return [_roc(population, members) for population, members in found.items()]


def _curve(score: Score) -> Curve | None:
    """Return the curve in the details of a score; None where there is none that can be drawn."""
    details: Mapping[str, Any] = score.details
    roc = details.get("roc")
    sizes = [details.get(name) for name in ("members", "non_members")]
    if not isinstance(roc, Mapping) or not all(isinstance(n, int) and n > 0 for n in sizes):
        return None
    points = [
        (rate, reached)
        for rate, reached in zip(roc.get("fpr", ()), roc.get("tpr", ()), strict=False)
        if _is_share(rate) and _is_share(reached) and 0 < rate < 1
    ]
    if len(points) < 2:
        return None
    rates, reached = zip(*sorted(points), strict=True)
    return Curve(str(details.get("best") or score.title), rates, reached)


def _is_share(value: Any) -> bool:
    known = finite(value) if isinstance(value, (int, float)) else None
    return known is not None and 0 <= known <= 1


def _roc(population: str, found: Sequence[tuple[Score, Curve]]) -> Roc:
    details = found[0][0].details
    attacks = details.get("attacks")
    tests = max(1, len(attacks)) if isinstance(attacks, Mapping) else 1
    members, others = details["members"], details["non_members"]
    low, high = chance_band(found[0][1].rates, members, others, tests)
    curves = tuple(curve for _, curve in found[: len(DASHES)])
    return Roc(population, members, others, tests, curves, low, high)


def chance_band(
    rates: Sequence[float], members: int, others: int, tests: int = 1, level: float = LEVEL
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return between what an attack that knows nothing lies at each false positive rate.

    Parameters
    ----------
    rates : sequence of float
        False positive rates in (0, 1).
    members, others : int
        How many rows of each kind are told apart.
    tests : int
        How many attacks the one shown was chosen from (Bonferroni).
    level : float
        Share of cases inside the band, at each rate by itself.

    Returns
    -------
    low, high : tuple of float

    Notes
    -----
    With k false alarms among n others the threshold lies just above the next of them, so its true
    rate is Beta(k + 1, n - k), and the number of members above it is beta-binomial: binomial, with
    the chance in the threshold.

    Examples
    --------
    >>> low, high = chance_band([0.01, 0.1], members=8000, others=1000)
    >>> [round(x, 2) for x in (*low, *high)]
    [0.01, 0.08, 0.02, 0.12]
    """
    from scipy.stats import betabinom

    alarms = np.floor(np.asarray(rates) * others + 1e-9)
    tail = (1 - level) / 2 / tests
    spread = betabinom(members, alarms + 1, others - alarms)
    low, high = spread.ppf(tail) / members, spread.isf(tail) / members
    return tuple(low.tolist()), tuple(high.tolist())


def draw_roc(roc: Roc, key: str) -> str:
    """Draw the attacks on logarithmic axes over the band of chance.

    Parameters
    ----------
    roc : Roc
    key : str
        Unique on the page.
    """
    drawing = Drawing(370, 264)
    least = min(0.01, *(rate for curve in roc.curves for rate in curve.rates))
    start = 10.0 ** math.floor(math.log10(least) + 1e-9)

    def across(rate: float) -> float:
        share = math.log10(max(rate, start) / start) / -math.log10(start)
        return _LEFT + share * (_RIGHT - _LEFT)

    def up(rate: float) -> float:
        return _BOTTOM - (across(rate) - _LEFT) / (_RIGHT - _LEFT) * (_BOTTOM - _TOP)

    tick = start
    while tick <= 1.0001:
        drawing.line([(across(tick), _TOP), (across(tick), _BOTTOM)], "rule", 0.8)
        drawing.line([(_LEFT, up(tick)), (_RIGHT, up(tick))], "rule", 0.8)
        text = f"{100 * tick:g}%"
        drawing.text(min(across(tick), 370 - 14), _BOTTOM + 15, text, "center")
        drawing.text(_LEFT - 6, up(tick) + 3.6, text, "right")
        tick *= 10
    rates = roc.curves[0].rates
    upper = [(across(x), up(y)) for x, y in zip(rates, roc.high, strict=True)]
    lower = [(across(x), up(y)) for x, y in zip(rates, roc.low, strict=True)]
    drawing.area([*upper, *reversed(lower)], "real", 0.35)
    drawing.line([(across(start), up(start)), (across(1), up(1))], "muted", 1.0, (2.5, 2.5))
    for curve, dash in zip(roc.curves, DASHES, strict=False):
        points = [(across(x), up(y)) for x, y in zip(curve.rates, curve.reached, strict=True)]
        drawing.line(points, "synthetic", 1.8, dash)
        if dash is None:
            for x, y in points:
                drawing.dot(x, y, 3.0, "synthetic")
    drawing.text((_LEFT + _RIGHT) / 2, 258, "false alarms", "center")
    title = (
        f"{roc.population}: share of training rows found against false alarms, logarithmic axes, "
        "with the band of chance"
    )
    return drawing.to_svg(key, title)


def above(roc: Roc) -> str:
    """Return where the first curve lies above the band of chance, in a sentence."""
    curve = roc.curves[0]
    places = [
        percent(rate)
        for rate, reached, top in zip(curve.rates, curve.reached, roc.high, strict=True)
        if reached > top
    ]
    if not places:
        return "The first line is nowhere above the band."
    return f"The first line is above the band at {', '.join(places)} false alarms."

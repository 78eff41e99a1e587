"""What an evaluation says in plain words: fidelity, utility, disclosure, formal privacy.

There is no overall mark. Every line says what was measured and what real rows and independent
columns would have got; disclosure is one of "leak detected", "no leak detected at this power"
and "inconclusive".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tabsynth.evaluation.result import Evaluation, Group, Score, Verdict
from tabsynth.report.findings import smallest_leak
from tabsynth.report.words import (
    anything,
    comparison,
    direction,
    finite,
    label,
    number,
    placement,
    sentence,
    span,
)

Outcome = Literal["leak detected", "no leak detected at this power", "inconclusive"]

HEADLINES: dict[Group, tuple[str, ...]] = {
    "fidelity": ("c2st", "tvd_2way", "tvd_1way"),
    "utility": (),
    "fairness": (),
    "disclosure": ("membership_auc",),
    "validity": (),
}
"""The scores that stand for their group, the first that has a value; then any other."""

PLAIN = {
    "c2st": "A classifier that tells synthetic from unseen real rows reaches an AUC of {value}",
    "tvd_1way": "Single columns differ from the real ones by {value} on average",
    "tvd_2way": "Pairs of columns differ from the real ones by {value} on average",
    "membership_auc": "An attack that tells training rows from unseen ones reaches an AUC of "
    "{value}",
}
"""What a score says, for those that most readers meet for the first time."""

MOST_REASONS = 3
"""Reasons of a verdict that "In short" has room for."""

NO_STATEMENT = (
    "Nothing was recorded about differential privacy. Take it that none was used and that nothing "
    "here is a formal guarantee."
)


@dataclass(frozen=True)
class Line:
    """One line of "In short".

    Attributes
    ----------
    topic : str
        "Fidelity", "Utility", "Disclosure" or "Formal privacy".
    verdict : str
        In a few words.
    text : str
        The figures behind it, with what they are compared with.
    short : str
        The same for a terminal.
    grave : bool
        Whether a reader must not miss it.
    """

    topic: str
    verdict: str
    text: str
    short: str
    grave: bool = False


@dataclass(frozen=True)
class Finding:
    """What the attacks found.

    Attributes
    ----------
    outcome : {"leak detected", "no leak detected at this power", "inconclusive"}
    reason : str
        Why, in a sentence; empty where the figures say it.
    scores : tuple of Score
        The attacks that the outcome rests on, the telling ones first.
    """

    outcome: Outcome
    reason: str
    scores: tuple[Score, ...]


def in_short(evaluation: Evaluation) -> list[Line]:
    """Return the four lines that open the report."""
    return [
        _measured(evaluation, "fidelity", "No figure of fidelity was computed."),
        _measured(
            evaluation, "utility", "No target was named, so no model was trained to compare."
        ),
        _disclosure(evaluation),
        _formal(evaluation),
    ]


def summary(evaluation: Evaluation) -> list[str]:
    """Return the five lines that close a run in a terminal.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    list of str
        Rows, fidelity, utility, disclosure with its interval, and the privacy statement.

    Examples
    --------
    >>> for line in summary(Evaluation(scores=(), rows={"train": 90, "synthetic": 100})):
    ...     print(line)
    Rows: 100 synthetic, 90 training, no holdout.
    Fidelity: not measured. No figure of fidelity was computed.
    Utility: not measured. No target was named, so no model was trained to compare.
    Disclosure: inconclusive. No attack was run.
    Privacy: Nothing was recorded about differential privacy. Take it that none was used ...
    """
    lines = in_short(evaluation)
    return [
        f"Rows: {rows_text(evaluation)}.",
        *(f"{line.topic}: {line.short}" for line in lines[:-1]),
        f"Privacy: {lines[-1].short}",
    ]


def rows_text(evaluation: Evaluation) -> str:
    """Return the numbers of rows in words."""
    rows = evaluation.rows
    parts = [
        f"{number(rows[key])} {name}"
        for key, name in (("synthetic", "synthetic"), ("train", "training"))
        if key in rows
    ]
    if not rows:
        return "not recorded"
    held = rows.get("holdout") or 0
    return ", ".join([*parts, f"{number(held)} held out" if held else "no holdout"])


def chance(score: Score) -> float | None:
    """Return what an attack gets that knows nothing; None where that is not known.

    It is `own_chance` where there is one; else the reference, since a count whose best value is
    zero is never exactly zero by chance alone.
    """
    level = own_chance(score)
    return finite(score.reference) if level is None else level


def own_chance(score: Score) -> float | None:
    """Return what an attack that knows nothing gets by the nature of its figure.

    It is ``details["chance"]`` where given; else the best value if the figure is best at one half
    or above zero; else not known.
    """
    given = score.details.get("chance")
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return finite(given)
    return score.best if score.better == "half" or score.best > 0 else None


def excludes_chance(score: Score) -> bool:
    """Return whether the interval of an attack leaves out what chance gets, on the telling side.

    For figures that are best at one half both sides tell.
    """
    level, interval = chance(score), score.interval
    if level is None or interval is None or finite(score.value) is None:
        return False
    above, below = interval.low > level, interval.high < level
    if score.better == "half":
        return above or below
    return above if score.better == "lower" else below


def find_leaks(evaluation: Evaluation) -> Finding:
    """Return what the disclosure scores say together.

    The verdict of the evaluation decides where there is one. Evaluations without one, such as
    those of other tools, are judged by the intervals of their scores.
    """
    if evaluation.verdict is not None:
        verdict = evaluation.verdict
        return Finding(verdict.word, " ".join(sentence(text) for text in verdict.reasons), ())
    scores = evaluation.group("disclosure")
    attacks = [
        score
        for score in scores
        if finite(score.value) is not None and score.interval and chance(score) is not None
    ]
    leaks = [score for score in attacks if excludes_chance(score)]
    if leaks:
        return Finding("leak detected", "", tuple(leaks))
    if not scores:
        return Finding("inconclusive", "No attack was run.", ())
    if not evaluation.rows.get("holdout"):
        reason = "No real rows were held out, so nothing can be compared with chance."
        return Finding("inconclusive", reason, tuple(attacks))
    failed = [score for score in scores if finite(score.value) is None]
    if failed:
        return Finding("inconclusive", _problems(failed), tuple(attacks))
    if not attacks:
        return Finding("inconclusive", "No attack with an interval was run.", ())
    names = [score.name for score in attacks]
    first = next((name for name in HEADLINES["disclosure"] if name in names), names[0])
    attacks.sort(key=lambda score: score.name != first)
    return Finding("no leak detected at this power", "", tuple(attacks))


def headline(scores: Sequence[Score], group: Group) -> Score | None:
    """Return the score that stands for a group; None where no score has a value."""
    measured = {score.name: score for score in scores if finite(score.value) is not None}
    for name in HEADLINES[group]:
        if name in measured:
            return measured[name]
    return next(iter(measured.values()), None)


def _says(score: Score) -> str:
    """Return what a score says, with its interval."""
    template = PLAIN.get(score.name, "{title}: {value}")
    text = template.format(value=number(score.value), title=score.title)
    interval = span(score.interval)
    return f"{text} ({interval})" if interval else text


def _problems(scores: Sequence[Score]) -> str:
    """Return why scores have no value: once where all have the same reason."""
    reasons = [score.problem or "could not be computed" for score in scores]
    if len(set(reasons)) == 1 and scores[0].problem:
        return sentence(reasons[0])
    pairs = zip(scores, reasons, strict=True)
    return " ".join(sentence(f"{score.title}: {reason}") for score, reason in pairs)


def _measured(evaluation: Evaluation, group: Group, nothing: str) -> Line:
    topic = group.capitalize()
    scores = evaluation.group(group)
    score = headline(scores, group)
    if score is None:
        text = _problems(scores) or nothing
        return Line(topic, "Not measured", text, f"not measured. {text}")
    verdict = placement(score) or "Measured, with nothing to compare with"
    text = " ".join(
        part
        for part in (
            f"{_says(score)}.",
            comparison(score),
            direction(score),
            sentence(score.problem),
        )
        if part
    )
    interval = span(score.interval)
    detail = f", {interval}" if interval else ""
    compared = comparison(score)
    short = f"{score.title} {number(score.value)}{detail}."
    if compared:
        short = f"{short} {compared} {verdict}."
    return Line(topic, verdict, text, short)


def _disclosure(evaluation: Evaluation) -> Line:
    if evaluation.verdict is not None:
        return _judged(evaluation, evaluation.verdict)
    finding = find_leaks(evaluation)
    verdict = finding.outcome
    figures = [_against_chance(score) for score in finding.scores[:1]]
    others = [f"{score.title} {number(score.value)}" for score in finding.scores[1:]]
    if others and verdict != "inconclusive":
        figures.append(f"The same holds for: {'; '.join(others)}.")
    unseen = evaluation.rows.get("holdout") or 0
    meaning = ""
    if verdict == "leak detected":
        meaning = "The synthetic table gives away which rows the model was trained on."
    elif verdict == "no leak detected at this power":
        meaning = f"{number(unseen)} unseen real rows were used; a smaller leak would not be seen."
    weak = dict.fromkeys(sentence(score.problem) for score in finding.scores)
    text = " ".join(part for part in (finding.reason, *figures, meaning, *weak) if part)
    short = " ".join([f"{verdict}.", finding.reason or figures[0]])
    return Line("Disclosure", verdict.capitalize(), text, short, verdict == "leak detected")


def _judged(evaluation: Evaluation, verdict: Verdict) -> Line:
    """Return the line of an evaluation that has a verdict."""
    reasons = [sentence(reason) for reason in verdict.reasons]
    shown = reasons[:MOST_REASONS]
    if len(reasons) > MOST_REASONS:
        shown.append("More in the section on disclosure.")
    power = smallest_leak(verdict)
    grave = verdict.word == "leak detected"
    meaning = "The synthetic table gives away more about training rows than chance would."
    unseen = evaluation.rows.get("holdout") or 0
    compared = f"Compared with {number(unseen)} unseen real rows." if unseen else ""
    text = " ".join(part for part in (meaning if grave else "", *shown, compared) if part)
    short = " ".join(part for part in (f"{verdict.word}.", *reasons[:1], power) if part)
    return Line("Disclosure", label(verdict.word), text, short, grave)


def _against_chance(score: Score) -> str:
    """Return an attack's figure with its interval and what chance gets."""
    level = own_chance(score)
    inside = "; ".join(
        part
        for part in (span(score.interval), "" if level is None else f"chance {number(level)}")
        if part
    )
    compared = comparison(score)
    return " ".join(part for part in (f"{score.title} {number(score.value)} ({inside}).", compared))


def _formal(evaluation: Evaluation) -> Line:
    statement = sentence(str(evaluation.privacy.get("statement") or NO_STATEMENT))
    mechanism = str(evaluation.privacy.get("mechanism") or "")
    verdict = mechanism[:1].upper() + mechanism[1:] if mechanism else "Not recorded"
    if mechanism == "none":
        verdict = "No differential privacy"
    elif evaluation.privacy.get("epsilon") is not None:
        verdict += f", ε = {anything(evaluation.privacy['epsilon'])}"
    return Line("Formal privacy", verdict, statement, statement)

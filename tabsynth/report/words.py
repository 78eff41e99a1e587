"""How figures and names are put into words, the same in every view of an evaluation."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from tabsynth.evaluation.result import Group, Interval, Score

ABSENT = "–"
"""Stands where there is no figure."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DIRECTIONAL = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")

REFERENCES: Mapping[Group, str] = {
    "fidelity": "fresh real rows",
    "utility": "real rows",
    "fairness": "real rows",
    "disclosure": "fresh real rows",
    "validity": "real rows",
}
"""What the reference of a group of scores is called in a few words."""

BASELINE = "independent columns"
"""What the baseline is called."""


def finite(value: float | None) -> float | None:
    """Return `value`, or None where it is none, infinite or not a number.

    Examples
    --------
    >>> finite(0.5), finite(float("nan")), finite(None)
    (0.5, None, None)
    """
    return None if value is None or not math.isfinite(value) else float(value)


def number(value: float | None) -> str:
    """Return a figure with as many digits as are worth reading.

    Examples
    --------
    >>> number(0.64321), number(0.00042), number(0.5), number(1.0), number(48842), number(None)
    ('0.643', '0.0004', '0.500', '1', '48,842', '–')
    """
    value = finite(value)
    if value is None:
        return ABSENT
    if value == int(value):
        return f"{int(value):,}"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 0.01:
        return f"{value:.3f}" if size < 10 else f"{value:.1f}"
    return f"{value:.4f}" if size >= 0.0001 else f"{value:.1e}"


def percent(share: float | None) -> str:
    """Return a share as per cent.

    Examples
    --------
    >>> percent(0.1234), percent(0.0004), percent(0), percent(1)
    ('12.3%', '<0.1%', '0%', '100%')
    """
    share = finite(share)
    if share is None:
        return ABSENT
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{share:.1%}" if share >= 0.0005 else "<0.1%"


def span(interval: Interval | None) -> str:
    """Return a confidence interval in words; empty where there is none.

    Examples
    --------
    >>> span(Interval(0.488, 0.518, 0.95, "DeLong"))
    '95% interval 0.488 to 0.518'
    """
    if interval is None or finite(interval.low) is None or finite(interval.high) is None:
        return ""
    return f"{interval.level * 100:g}% interval {number(interval.low)} to {number(interval.high)}"


def direction(score: Score) -> str:
    """Return which way is good.

    Examples
    --------
    >>> direction(Score("c2st", "C2ST", "fidelity", 0.6, "half", 0.5, ""))
    'The nearer to 0.5 the better.'
    """
    best = f"{score.best:g}"
    if score.better == "half":
        return f"The nearer to {best} the better."
    return f"{score.better.capitalize()} is better; {best} is the best possible."


def reference_name(score: Score) -> str:
    """Return what the reference of a score is called."""
    return REFERENCES[score.group]


def placement(score: Score) -> str:
    """Return where a score lies between its reference and the baseline, in words.

    Empty where there is no value or nothing to compare it with.

    Examples
    --------
    >>> score = Score("c2st", "C2ST", "fidelity", 0.6, "half", 0.5, "", None, 0.5, "", 0.95)
    >>> placement(score)
    'Nearer to fresh real rows than to independent columns'
    """
    value, reference, baseline = (
        finite(item) for item in (score.value, score.reference, score.baseline)
    )
    if value is None:
        return ""
    name = reference_name(score)
    away = abs(value - score.best)
    to_reference = None if reference is None else abs(reference - score.best)
    to_baseline = None if baseline is None else abs(baseline - score.best)
    if reference is not None and to_reference is not None:
        interval = score.interval
        covered = interval is not None and interval.low <= reference <= interval.high
        if away <= to_reference or covered:
            return f"On a par with {name}"
    if to_baseline is None:
        return "" if to_reference is None else f"Falls short of {name}"
    if to_reference is not None and 4 * (to_baseline - to_reference) < away - to_reference:
        return f"Falls short of {name}; {BASELINE} lose little or nothing in this test"
    if away >= to_baseline:
        return f"No better than {BASELINE}"
    if to_reference is None:
        return f"Better than {BASELINE}"
    nearer, farther = (name, BASELINE)
    if away - to_reference > to_baseline - away:
        nearer, farther = farther, nearer
    return f"Nearer to {nearer} than to {farther}"


def comparison(score: Score) -> str:
    """Return the sentence with the reference and the baseline of a score; empty without both.

    Examples
    --------
    >>> comparison(Score("c2st", "C2ST", "fidelity", 0.6, "half", 0.5, "", None, 0.5, "", 0.95))
    'Fresh real rows get 0.500, independent columns 0.950.'
    """
    utility = score.group in ("utility", "fairness")
    opening, verb = ("trained on ", "it is") if utility else ("", "get")
    parts: list[str] = []
    for name, value in ((reference_name(score), score.reference), (BASELINE, score.baseline)):
        if finite(value) is None:
            continue
        if parts:
            parts.append(f"{'on ' if utility else ''}{name} {number(value)}")
        else:
            parts.append(f"{opening}{name} {verb} {number(value)}")
    return sentence(", ".join(parts))


def sentence(text: str) -> str:
    """Return `text` with a capital and a full stop; empty text stays empty.

    Examples
    --------
    >>> sentence("no rows were held out")
    'No rows were held out.'
    """
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def clean(text: str) -> str:
    r"""Return `text` without characters that a page cannot hold or that turn its direction.

    Examples
    --------
    >>> clean("a\x00b")
    'a\ufffdb'
    """
    return _DIRECTIONAL.sub("", _UNPRINTABLE.sub("\ufffd", text))


def shorten(text: str, width: int) -> str:
    """Return `text` on one line, cut to `width` columns; wide characters take two.

    Examples
    --------
    >>> shorten("days_since_admission", 10)
    'days_sinc…'
    """
    text = " ".join(clean(text).split())
    room = width
    for place, character in enumerate(text):
        room -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if room < 0 or (room == 0 and place + 1 < len(text)):
            return text[:place].rstrip() + "…"
    return text


def label(key: str) -> str:
    """Return a key of a document as a label.

    Examples
    --------
    >>> label("model_reason")
    'Model reason'
    """
    text = str(key).replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def anything(value: Any) -> str:
    """Return any value of a JSON document as text on one line.

    Examples
    --------
    >>> anything([1, 2.5, None, True])
    '1, 2.5, –, yes'
    """
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ABSENT
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {anything(item)}" for key, item in value.items()) or ABSENT
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = ", ".join(anything(item) for item in value[:20])
        return f"{shown}, … ({len(value)} in all)" if len(value) > 20 else shown or ABSENT
    return str(value)


def entries(document: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Return a nested document as labels and texts, one for every leaf.

    Examples
    --------
    >>> entries({"seed": 7, "versions": {"python": "3.11"}})
    [('Seed', '7'), ('Versions · python', '3.11')]
    """
    found = []
    for key, value in document.items():
        path = f"{above} · {key}" if above else label(key)
        if isinstance(value, Mapping) and value:
            found += entries(value, path)
        else:
            found.append((path, anything(value)))
    return found

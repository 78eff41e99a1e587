"""The synthetic-data card in words: a page of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabsynth.evaluation.result import Evaluation, Score
from tabsynth.report import pages
from tabsynth.report.card import PURPOSE, SHARED, SYNTHETIC, limits
from tabsynth.report.findings import sample_sizes
from tabsynth.report.verdict import in_short, rows_text
from tabsynth.report.words import (
    ABSENT,
    anything,
    clean,
    direction,
    entries,
    label,
    number,
    sentence,
    span,
)

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


def to_card(evaluation: Evaluation) -> str:
    """Return the card of a synthetic table as Markdown.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    str
        The same text for the same evaluation; no marginals, no categories, no digest of the source.

    Notes
    -----
    Privacy: as `to_card_dict`.
    """
    sections = (
        _opening(evaluation),
        _purpose(),
        _source(evaluation),
        _generator(evaluation),
        _schema(evaluation),
        _privacy(evaluation),
        _figures(evaluation),
        _limits(evaluation),
    )
    lines = (line for section in sections for line in (*section, ""))
    return "\n".join(lines).rstrip() + "\n"


def markdown(text: Any) -> str:
    r"""Return any text on one line, with what Markdown and HTML would read as markup escaped.

    Examples
    --------
    >>> print(markdown("a|b <i>"))
    a\|b \<i\>
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(clean(str(text)).split()))


def _code(text: Any) -> str:
    """Return a name as code; a name with a backtick or bar is escaped instead."""
    name = " ".join(clean(str(text)).split())
    if not name:
        return "(blank)"
    return markdown(name) if set(name) & set("`|\\") else f"`{name}`"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _opening(evaluation: Evaluation) -> list[str]:
    name = evaluation.provenance.get("table")
    title = f"Synthetic data card: {markdown(name)}" if name else "Synthetic data card"
    lines = [f"# {title}", "", f"**{SYNTHETIC[0]}** {SYNTHETIC[1]}"]
    if evaluation.provenance.get("date"):
        lines += ["", f"Date: {markdown(evaluation.provenance['date'])}"]
    return lines


def _purpose() -> list[str]:
    return ["## Purpose and limits", "", PURPOSE]


def _source(evaluation: Evaluation) -> list[str]:
    return [
        "## Source",
        "",
        f"- Rows: {rows_text(evaluation)}",
        f"- Columns: {len(evaluation.columns)}",
    ]


def _generator(evaluation: Evaluation) -> list[str]:
    provenance = evaluation.provenance
    found = provenance.get("versions")
    versions: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    lines = ["## Generator", "", f"- Model: {markdown(provenance.get('model', 'not recorded'))}"]
    lines.append(f"- tabsynth: {markdown(versions.get('tabsynth', 'version not recorded'))}")
    others = {key: value for key, value in versions.items() if key != "tabsynth"}
    if others:
        lines.append(f"- Other versions: {markdown(anything(others))}")
    lines.append(f"- Seed: {markdown(provenance.get('seed', 'not recorded'))}")
    lines += [
        f"- {label(key)}: {markdown(anything(provenance[key]))}"
        for key in SHARED
        if provenance.get(key)
    ]
    parameters = provenance.get("parameters")
    if isinstance(parameters, Mapping) and parameters:
        text = ", ".join(f"{key} {anything(value)}" for key, value in parameters.items())
        lines.append(f"- Parameters: {markdown(text)}")
    return lines


def _schema(evaluation: Evaluation) -> list[str]:
    lines = ["## Schema and transformations", ""]
    if not evaluation.columns:
        return [*lines, "No column was described."]
    return lines + _table(
        ("Column", "Type", "Stored as", "Role", "Transformation"),
        (
            (
                _code(column.name),
                markdown(column.type),
                markdown(column.dtype or ABSENT),
                markdown(column.role),
                markdown(column.treatment),
            )
            for column in evaluation.columns
        ),
    )


def _privacy(evaluation: Evaluation) -> list[str]:
    lines = ["## Privacy", "", markdown(in_short(evaluation)[-1].text)]
    known = {
        key: value
        for key, value in evaluation.privacy.items()
        if key not in ("statement", "ledger", "spends", "mechanism")
    }
    if known:
        lines += ["", *(f"- {markdown(key)}: {markdown(value)}" for key, value in entries(known))]
    ledger = pages.ledger(evaluation)
    if ledger is not None:
        rows = ([markdown(cell) for cell in row] for row in ledger.rows)
        lines += ["", *_table([markdown(title) for title in ledger.header], rows)]
    return lines


def _figures(evaluation: Evaluation) -> list[str]:
    lines = ["## Evaluation", ""]
    lines += [
        f"- **{line.topic}:** {markdown(line.verdict)}." for line in in_short(evaluation)[:-1]
    ]
    sizes = sample_sizes(evaluation)
    if evaluation.verdict is not None and sizes:
        lines.append(f"- **Disclosure was tested on:** {sizes}.")
    if not evaluation.scores:
        return lines
    header = ("Figure", "Synthetic", "Interval", "Real reference", "Independent columns", "Reading")
    return [*lines, "", *_table(header, (_row(score) for score in evaluation.scores))]


def _row(score: Score) -> tuple[str, ...]:
    reading = direction(score)
    if score.problem:
        reading = f"{reading} {sentence(score.problem)}"
    return (
        markdown(score.title),
        number(score.value),
        markdown(span(score.interval) or ABSENT),
        number(score.reference),
        number(score.baseline),
        markdown(reading),
    )


def _limits(evaluation: Evaluation) -> list[str]:
    return ["## Known limits", "", *(f"- {markdown(text)}" for text in limits(evaluation))]

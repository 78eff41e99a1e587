"""The page as data: what each section of the HTML report shows, before it is laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.evaluation.result import ColumnProfile, Evaluation, Group, Joint, Pairs, Score
from tabsynth.report import charts
from tabsynth.report.findings import PRINCIPLES, principle_of
from tabsynth.report.formal import ledger_entries
from tabsynth.report.histograms import is_stretched, shares_of, worst_columns
from tabsynth.report.joints import Combination, brief, draw_joint, largest_gaps, told
from tabsynth.report.verdict import own_chance
from tabsynth.report.words import (
    BASELINE,
    anything,
    comparison,
    direction,
    finite,
    label,
    number,
    percent,
    placement,
    reference_name,
    sentence,
    shorten,
    span,
)

DRAWN_COLUMNS = 24
"""Columns drawn in full, the worst ones."""
TABLE_CELLS = 40
"""Most cells of one column that a table lists."""
SMALL_CELLS = 6000
"""Most cells that the table of all columns drawn small lists together."""
CELL_WIDTH = 80
"""Most characters of a category in a table."""
MATRIX_COLUMNS = 30
"""Most columns whose pairs are all listed in a table."""
WORST_PAIRS = 10

NOT_COVERED = {
    "singling_out": "singling out a person by a combination of values",
    "linkability": "linking two tables about the same persons through this one",
    "inference": "inferring one column of a known person from the others",
}
"""Attacks by a part of their score's name; those without a score are named as not covered."""


_MARKS = {"utility": "trained on real rows", "fairness": "trained on real rows"}

DRAWN = (
    "tvd_1way",
    "tvd_2way",
    "c2st",
    "tstr",
    "exact_copies",
    "membership_auc",
    "membership_tpr",
)
"""Scores that are drawn, by what their names begin with up to a colon; others go in a table."""


@dataclass(frozen=True)
class Mark:
    """One figure of a score with the sign that stands for it in the chart."""

    sign: str
    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """One score: its figures, its chart and what it takes to read them.

    `drawn` tells whether it has a place of its own; all others share a table.
    """

    score: Score
    drawn: bool
    value: str
    chart: str | None
    marks: tuple[Mark, ...]
    placement: str
    comparison: str
    direction: str
    notes: tuple[str, ...]
    more: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Part:
    """The disclosure scores of one principle."""

    key: str
    title: str
    question: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Marginal:
    """One column: its chart and the shares behind it."""

    key: str
    column: ColumnProfile
    chart: str
    notes: tuple[str, ...]
    cells: tuple[tuple[str, float, float], ...]
    left_out: int


@dataclass(frozen=True)
class Pair:
    """Two columns and how far their joint distribution is off."""

    first: str
    second: str
    tvd: float | None
    reference: float | None
    alone: tuple[float | None, float | None]


@dataclass(frozen=True)
class DrawnPair:
    """Two columns whose joint distribution is drawn, and the shares behind the drawing."""

    key: str
    joint: Joint
    chart: str
    told: str
    across: tuple[str, ...]
    gaps: tuple[Combination, ...]
    left_out: int


@dataclass(frozen=True)
class Table:
    """A table whose columns are not known beforehand."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def panels(evaluation: Evaluation, group: Group) -> list[Panel]:
    """Return the scores of a group, ready to be shown."""
    return [
        _panel(score, f"{group}-{place}") for place, score in enumerate(evaluation.group(group))
    ]


def parts(evaluation: Evaluation) -> list[Part]:
    """Return the disclosure scores by what they would breach; nothing where nothing was tried."""
    found = panels(evaluation, "disclosure")
    if not found and not (evaluation.verdict and evaluation.verdict.findings):
        return []
    return [
        Part(
            name.replace(" ", "-"),
            label(name),
            question,
            tuple(p for p in found if principle_of(p.score) == name),
        )
        for name, question in PRINCIPLES.items()
    ]


def _panel(score: Score, key: str) -> Panel:
    drawn = score.name.partition(":")[0] in DRAWN
    marks = []
    if drawn and finite(score.value) is not None:
        signs = {"utility": "bar"}
        marks.append(
            Mark(
                signs.get(score.group, "dot"),
                "synthetic rows",
                number(score.value),
                span(score.interval),
            )
        )
        if finite(score.reference) is not None:
            marks.append(
                Mark(
                    "tick", _MARKS.get(score.group, reference_name(score)), number(score.reference)
                )
            )
        if finite(score.baseline) is not None:
            marks.append(Mark("ring", BASELINE, number(score.baseline)))
        level = own_chance(score) if score.group == "disclosure" else None
        if level is not None:
            name = "chance" if level == score.best else "most by chance"
            marks.append(Mark("dash", name, number(level)))
    notes = []
    if score.reference_text and finite(score.reference) is not None:
        notes.append(f"{label(reference_name(score))}: {sentence(score.reference_text)}")
    if score.interval and score.interval.method and span(score.interval):
        notes.append(f"Interval: {sentence(score.interval.method)}")
    return Panel(
        score=score,
        drawn=drawn,
        value=number(score.value),
        chart=charts.draw_strip(score, f"c-{key}", bar=score.group == "utility") if drawn else None,
        marks=tuple(marks),
        placement="" if score.group == "disclosure" else placement(score),
        comparison=comparison(score),
        direction=direction(score),
        notes=tuple(notes),
        more=tuple(
            (label(name), anything(value))
            for name, value in score.details.items()
            if isinstance(value, (int, float, str, bool)) and value != ""
        ),
    )


def marginals(columns: Sequence[ColumnProfile]) -> tuple[list[Marginal], list[Marginal]]:
    """Return the worst columns drawn in full and all others drawn small."""
    ordered = worst_columns(columns)
    n_small = max(len(ordered) - DRAWN_COLUMNS, 1)
    small_cells = max(min(TABLE_CELLS, SMALL_CELLS // n_small), 3)
    full: list[Marginal] = []
    small: list[Marginal] = []
    for place, column in enumerate(ordered):
        key = f"m-{place}"
        draw = charts.draw_marginal if place < DRAWN_COLUMNS else charts.draw_spark
        chart = draw(column, f"c-{key}")
        shares = shares_of(column)
        if chart is None or shares is None:
            continue
        notes = [
            f"{label(cell)}: {percent(real)} of real and {percent(synthetic)} of synthetic rows"
            for cell, real, synthetic in shares.special
            if real or synthetic
        ]
        if is_stretched(shares):
            notes.append("Intervals of unequal width, drawn equally wide")
        rows = [
            *zip(shares.cells, shares.real, shares.synthetic, strict=True),
            *shares.special,
        ]
        most = TABLE_CELLS if place < DRAWN_COLUMNS else small_cells
        worst = sorted(range(len(rows)), key=lambda i: -abs(rows[i][1] - rows[i][2]))
        kept = [(shorten(rows[i][0], CELL_WIDTH), *rows[i][1:]) for i in sorted(worst[:most])]
        marginal = Marginal(key, column, chart, tuple(notes), tuple(kept), len(rows) - len(kept))
        (full if place < DRAWN_COLUMNS else small).append(marginal)
    return full, small


def worst_pairs(evaluation: Evaluation, most: int = WORST_PAIRS) -> list[Pair]:
    """Return the pairs of columns that are off most, the worst first."""
    alone = {column.name: finite(column.tvd) for column in evaluation.columns}
    pairs = evaluation.pairs
    known = [(x.first, x.second, finite(x.tvd), finite(x.reference)) for x in pairs.worst]
    if not known:
        matrix = [
            (first, second, value, None)
            for i, first in enumerate(pairs.columns)
            for j, second in enumerate(pairs.columns[i + 1 :], i + 1)
            if (value := _at(pairs, i, j)) is not None
        ]
        known = sorted(matrix, key=lambda row: -(row[2] or 0.0))
    return [
        Pair(first, second, tvd, reference, (alone.get(first), alone.get(second)))
        for first, second, tvd, reference in known[:most]
    ]


def drawn_pairs(evaluation: Evaluation) -> list[DrawnPair]:
    """Return the worst pairs whose joint distribution is known, ready to be shown."""
    found = []
    for place, joint in enumerate(evaluation.pairs.worst[:WORST_PAIRS]):
        key = f"joint-{place}"
        chart = draw_joint(joint, f"c-{key}")
        if chart is None:
            continue
        gaps, left_out = largest_gaps(joint)
        across = tuple(shorten(brief(cell), 26) or "(blank)" for cell in joint.second_cells)
        found.append(DrawnPair(key, joint, chart, told(joint), across, tuple(gaps), left_out))
    return found


def _at(pairs: Pairs, i: int, j: int) -> float | None:
    return finite(pairs.tvd[i][j]) if i < len(pairs.tvd) and j < len(pairs.tvd[i]) else None


def pair_table(pairs: Pairs) -> Table:
    """Return all distances where they are few, else each column's mean and greatest one."""
    n = len(pairs.columns)
    if n <= MATRIX_COLUMNS:
        rows = tuple(
            (
                f"{i + 1}",
                name,
                *("" if i == j else number(_at(pairs, i, j)) for j in range(n)),
            )
            for i, name in enumerate(pairs.columns)
        )
        return Table(("#", "Column", *(str(j + 1) for j in range(n))), rows)
    summaries = []
    for i, name in enumerate(pairs.columns):
        others = [
            (value, j) for j in range(n) if j != i and (value := _at(pairs, i, j)) is not None
        ]
        worst, with_whom = max(others, default=(float("nan"), i))
        mean = sum(value for value, _ in others) / len(others) if others else float("nan")
        summaries.append((f"{i + 1}", name, number(mean), number(worst), pairs.columns[with_whom]))
    return Table(("#", "Column", "Mean", "Greatest", "With"), tuple(summaries))


def stability(evaluation: Evaluation) -> Table | None:
    """Return how much scores differ between seeds; None where one table was made."""
    rows = tuple(
        (
            score.title,
            *(number(score.details.get(name)) for name in ("mean", "standard_deviation")),
            f"{number(score.details.get('minimum'))} to {number(score.details.get('maximum'))}",
            str(score.details.get("tables", "")),
        )
        for score in evaluation.stability
        if finite(score.value) is not None
    )
    header = ("Figure", "Mean", "Standard deviation", "Least to greatest", "Tables")
    return Table(header, rows) if rows else None


def not_covered(evaluation: Evaluation) -> list[str]:
    """Return what no attack of this evaluation looked for."""
    names = [
        score.name for score in evaluation.group("disclosure") if finite(score.value) is not None
    ]
    return [text for part, text in NOT_COVERED.items() if not any(part in name for name in names)]


def ledger(evaluation: Evaluation) -> Table | None:
    """Return the privacy ledger as a table; None where there is none."""
    found = ledger_entries(evaluation)
    if found is None:
        return None
    header = list(dict.fromkeys(key for entry in found for key in entry))
    return Table(
        tuple(label(key) for key in header),
        tuple(tuple(anything(entry.get(key)) for key in header) for entry in found),
    )

"""The shareable report: method, budget, sample sizes and words, and no statistic of real rows.

It is built up from a few named fields, never by taking things out of the full report. What a field
may hold is decided here, once; whatever else an evaluation learns to say does not get in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from tabsynth.evaluation.result import Evaluation, Group
from tabsynth.report.findings import PRINCIPLES, principle_of, tallies
from tabsynth.report.formal import NOT_SAID, Spend, elements, spends, uncovered
from tabsynth.report.pages import not_covered
from tabsynth.report.verdict import NO_STATEMENT, Outcome, find_leaks, headline, in_short
from tabsynth.report.words import finite, label, placement

VERSION = 1
"""Version of the JSON form."""

CAVEAT = (
    "The words below were chosen by looking at real rows: even a verdict is computed from them, "
    "and so are the numbers of rows. They are outside any guarantee of differential privacy that "
    "the synthetic table may have."
)
ROWS = {
    "synthetic": "synthetic rows",
    "train": "real rows that the model learnt from",
    "holdout": "real rows held out, which it never saw",
    "synthetic_measured": "synthetic rows measured on",
    "train_measured": "training rows measured on",
    "holdout_measured": "held-out rows measured on",
}
"""Numbers of rows that are shown, and what each is."""
NOT_TRIED = (
    "Attacks that are stronger than those named here.",
    "Attacks on the model file, or with several synthetic tables made from the same rows.",
    "Attacks on several rows about the same person together: every row counts as one person.",
)


@dataclass(frozen=True)
class Attack:
    """One attack, and whether it could be run."""

    name: str
    run: bool


@dataclass(frozen=True)
class Principle:
    """What was tried against one principle, and what came of all of it together, in words."""

    name: str
    question: str
    outcome: str
    attacks: tuple[Attack, ...]


@dataclass(frozen=True)
class Shareable:
    """All that the shareable report says.

    Attributes
    ----------
    table, date : str
        As the caller named them for the public; empty where not.
    model, description : str
    versions : mapping of str to str
    rows : mapping of str to int
        Sample sizes, those of `ROWS`.
    verdicts : mapping of str to str
        Fidelity, utility, disclosure and formal privacy, each in a few words; no figure but the
        budget.
    principles : tuple of Principle
    not_tried : tuple of str
    statement : str
        What is promised by proof, in words of whoever made the table.
    formal : mapping of str to str
        The elements of a claim of differential privacy.
    not_covered : tuple of str
        What the formal guarantee does not cover.
    spends : tuple of Spend
    """

    table: str
    date: str
    model: str
    description: str
    versions: Mapping[str, str]
    rows: Mapping[str, int]
    verdicts: Mapping[str, str]
    principles: tuple[Principle, ...]
    not_tried: tuple[str, ...]
    statement: str
    formal: Mapping[str, str]
    not_covered: tuple[str, ...]
    spends: tuple[Spend, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"tabsynth_shareable": VERSION, "synthetic": True, "caveat": CAVEAT, **asdict(self)}


def to_shareable(evaluation: Evaluation) -> Shareable:
    """Return what may be told of an evaluation without a statistic of real rows.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    Shareable
        No value, interval or p-value of a score, no column, no category, no count of a cell, no
        row number, no seed and no notice.

    Notes
    -----
    Privacy: the words depend on private rows, and the numbers of rows are exact; both are outside
    any formal guarantee (`CAVEAT`, which every form carries). The seed is left out because with it
    anybody who guesses the real table could check the guess.
    """
    provenance = evaluation.provenance
    versions = provenance.get("versions")
    known = versions.items() if isinstance(versions, Mapping) else ()
    tried = _principles(evaluation)
    aims = [f"{label(aim)}." for aim in not_covered(evaluation)]
    return Shareable(
        table=_text(provenance.get("table")),
        date=_text(provenance.get("date")),
        model=_text(provenance.get("model")) or NOT_SAID,
        description=_text(provenance.get("model_description")),
        versions={name: text for name, text in known if isinstance(text, str)},
        rows={name: n for name in ROWS if isinstance(n := evaluation.rows.get(name), int)},
        verdicts={
            "Fidelity": _word(evaluation, "fidelity"),
            "Utility": _word(evaluation, "utility"),
            "Disclosure": _outcome(evaluation),
            "Formal privacy": in_short(evaluation)[-1].verdict,
        },
        principles=tried,
        not_tried=(
            *aims,
            *(
                f"{attack.name}: could not be run."
                for principle in tried
                for attack in principle.attacks
                if not attack.run
            ),
            *NOT_TRIED,
        ),
        statement=_text(evaluation.privacy.get("statement")) or NO_STATEMENT,
        formal=dict(elements(evaluation)),
        not_covered=uncovered(evaluation),
        spends=tuple(spends(evaluation)),
    )


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _word(evaluation: Evaluation, group: Group) -> str:
    """Return where the score that stands for a group lies, in words without a figure."""
    score = headline(evaluation.group(group), group)
    if score is None:
        return "Not measured"
    return placement(score) or "Measured, with nothing to compare with"


def _outcome(evaluation: Evaluation) -> str:
    outcome = find_leaks(evaluation).outcome
    return label(outcome if outcome in get_args(Outcome) else "inconclusive")


def _principles(evaluation: Evaluation) -> tuple[Principle, ...]:
    """Return what was tried, in an order that does not tell which attack was the strongest."""
    verdict = evaluation.verdict
    outcomes = {tally.principle: tally.outcome for tally in tallies(verdict)}
    tried: dict[str, set[Attack]] = {name: set() for name in PRINCIPLES}
    if verdict is not None and verdict.findings:
        for finding in verdict.findings:
            if finding.principle in tried:
                run = finite(finding.p_value) is not None
                tried[finding.principle].add(Attack(finding.attack, run))
    else:
        for score in evaluation.group("disclosure"):
            attack = Attack(score.title, finite(score.value) is not None)
            tried[principle_of(score)].add(attack)
    return tuple(
        Principle(
            label(name),
            question,
            outcomes.get(label(name), "no test of its own" if tried[name] else "not tested"),
            tuple(sorted(tried[name], key=lambda attack: attack.name)),
        )
        for name, question in PRINCIPLES.items()
    )

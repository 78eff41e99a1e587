"""The clauses of ISO/IEC 27559:2022 behind the sections, and what an organisation has to add."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tabsynth.evaluation.result import ColumnProfile, Evaluation
from tabsynth.report.words import finite, label

STANDARD = "ISO/IEC 27559:2022"

CLAUSES = {
    "context": "clause 6, context assessment",
    "columns": "clause 7, data assessment",
    "attack-model": "clause 7.3, attack modelling",
    "disclosure": "clause 8, identifiability assessment",
    "quantified": "clause 8.2.2, quantifying identifiability",
    "tested": "clause 8.2.3, adversarial testing",
    "mitigation": "clause 8.3, mitigation",
    "governance": "clause 9, governance",
}
"""What each section, or part of one, answers to."""

CONTEXT = (
    "Who gets the table, for what purpose, and under which terms?",
    "May they pass it on? Where will it be kept, and who else could get at it?",
    "What would somebody want to find out from it, and what do they know about the people already?",
    "Which other tables or figures from the same people are out already?",
    "What have the people in the table been told, and on what legal ground is this done?",
)
"""What only the organisation knows about the surroundings of the table."""

GOVERNANCE = (
    "Who decides that the table may be given away, and on which day did they?",
    "Who answers questions of the people in the table and of those who receive it?",
    "Who keeps this report, the model file and the seed, and who may see them?",
    "When will this be looked at again: new data, new attacks, another recipient?",
    "What is done when a leak becomes known?",
)
"""What only the organisation can say about who is responsible."""

KNOWN_TO_ATTACKERS = (
    "The attacker holds the whole synthetic table and knows how it was made.",
    "They know some real rows completely, or in all columns but one, and ask whether these were "
    "among the training rows, or what the missing column says.",
    "They have real rows from the same source of their own to compare with. A part of the rows "
    "held out plays that role.",
    "They do not hold the model, the seed or this report.",
)
RISK = (
    "Both the average risk over all rows and the risk of the most exposed ones are looked at: the "
    "5% of rows that are least like any other are attacked by themselves.",
    "The training rows are taken as a sample from a population. What is equally true of unseen "
    "rows of the same source counts as knowledge about the population, not as a leak.",
)
"""Which risk is meant: maximum or average, of the sample or of the population."""


def attack_model(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what attackers are taken to know, and which risk is meant; empty without attacks."""
    tried = [s for s in evaluation.group("disclosure") if finite(s.value) is not None]
    if not tried and not (evaluation.verdict and evaluation.verdict.findings):
        return ()
    vulnerable = any("vulnerable" in score.name for score in tried)
    return (*KNOWN_TO_ATTACKERS, *(RISK if vulnerable else RISK[1:]))


def mitigation(columns: Sequence[ColumnProfile]) -> list[tuple[str, str]]:
    """Return what was done to columns before anything was learnt, and how many it was done to.

    Examples
    --------
    >>> mitigation([ColumnProfile("a", "text", "plain", "left out", "none")])
    [('Left out', '1 column')]
    """
    counted = Counter(column.treatment for column in columns)
    return [
        (label(treatment), f"{n} column{'' if n == 1 else 's'}")
        for treatment, n in counted.most_common()
    ]

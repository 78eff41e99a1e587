"""Formal privacy as data: the elements that NIST SP 800-226 asks for, and what was spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from tabsynth.evaluation.result import Evaluation
from tabsynth.report.words import anything, entries, finite, number, sentence

NOT_SAID = "not recorded"
CURATOR = "Central: whoever ran the program saw the real rows and is trusted with them."
NOT_COVERED = (
    "This report and its verdict, which are computed from the real rows.",
    "Other tables, models or statistics released from the same real rows: budgets add up.",
    "Several rows about one person, unless the unit above says otherwise.",
    "What is true of the population: it can be learnt about anybody, in the table or not.",
    "Running times, memory and floating-point effects, and a seed that becomes known.",
)
"""What a budget never covers."""
NOTHING_COVERED = (
    "Everything: no promise by proof is made about any row. The tests for disclosure on this page "
    "are evidence, and no attack is the strongest there can be.",
)

_SHOWN = ("mechanism", "statement", "epsilon", "delta", "neighbours", "unit", "trust_model")
_LEDGER = ("spends", "ledger")
_NOT_COVERED = "not_covered"


@dataclass(frozen=True)
class Spend:
    """One release that cost something.

    Attributes
    ----------
    what, mechanism : str
    epsilon : float or None
        In nats.
    share : float or None
        What its part of the budget is measured in: rho where every release has it, else epsilon.
    """

    what: str
    mechanism: str
    epsilon: float | None
    share: float | None


def has_budget(evaluation: Evaluation) -> bool:
    """Return whether a budget of differential privacy is claimed."""
    return _figure(evaluation.privacy.get("epsilon")) is not None


def elements(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return the elements of a claim of differential privacy, each with what holds here.

    Returns
    -------
    list of (str, str)
        The same elements whether there is a budget or none.

    References
    ----------
    NIST SP 800-226 (2025), doi:10.6028/NIST.SP.800-226.

    Examples
    --------
    >>> elements(Evaluation(scores=(), privacy={"mechanism": "none"}))[0]
    ('Privacy loss, epsilon', 'none: no bound is claimed')
    """
    privacy = evaluation.privacy
    mechanism = anything(privacy.get("mechanism") or NOT_SAID)
    if not has_budget(evaluation):
        return [
            ("Privacy loss, epsilon", "none: no bound is claimed"),
            ("Failure probability, delta", "none"),
            ("Unit of privacy", "none: nobody's row is protected by proof"),
            ("Neighbour relation", "none"),
            ("Mechanisms", "none: no noise was added" if mechanism == "none" else mechanism),
            ("Trust model", CURATOR if mechanism != NOT_SAID else NOT_SAID),
        ]
    names = dict.fromkeys(spend.mechanism for spend in spends(evaluation) if spend.mechanism)
    return [
        ("Privacy loss, epsilon", anything(privacy["epsilon"])),
        ("Failure probability, delta", anything(privacy.get("delta", NOT_SAID))),
        ("Unit of privacy", anything(privacy.get("unit", NOT_SAID))),
        ("Neighbour relation", anything(privacy.get("neighbours", NOT_SAID))),
        ("Mechanisms", ", ".join(names) or mechanism),
        ("Trust model", sentence(anything(privacy.get("trust_model", CURATOR)))),
    ]


def uncovered(evaluation: Evaluation) -> tuple[str, ...]:
    """Return what the formal guarantee does not cover: as recorded, or what none ever does."""
    if not has_budget(evaluation):
        return NOTHING_COVERED
    found = evaluation.privacy.get(_NOT_COVERED)
    if not isinstance(found, Sequence) or isinstance(found, str):
        return NOT_COVERED
    return tuple(text for text in found if isinstance(text, str)) or NOT_COVERED


def spends(evaluation: Evaluation) -> list[Spend]:
    """Return what the budget was spent on, in the order of the ledger."""
    found = ledger_entries(evaluation) or ()
    shares = [_figure(entry.get("rho")) for entry in found]
    if any(share is None for share in shares):
        shares = [_figure(entry.get("epsilon")) for entry in found]
    return [
        Spend(
            str(entry.get("what") or f"release {place + 1}"),
            str(entry.get("mechanism") or ""),
            _figure(entry.get("epsilon")),
            share,
        )
        for place, (entry, share) in enumerate(zip(found, shares, strict=True))
    ]


def adds_up(evaluation: Evaluation) -> str:
    """Return how the spends and the budget hang together, in a sentence; empty where unknown."""
    total = _figure(evaluation.privacy.get("epsilon"))
    parts = [spend.epsilon for spend in spends(evaluation)]
    known = [part for part in parts if part is not None]
    if total is None or not known or len(known) < len(parts):
        return ""
    alone = sum(known)
    if abs(alone - total) <= 0.005 * total:
        return f"The spends add up to the budget, ε = {number(total)}."
    if alone > total:
        return (
            f"Counted one by one the spends would be ε = {number(alone)}; accounted for together "
            f"they are ε = {number(total)}."
        )
    return f"The spends are ε = {number(alone)} of a budget of ε = {number(total)}."


def further(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return what else is recorded about formal privacy."""
    hidden = (*_SHOWN, *_LEDGER, _NOT_COVERED)
    privacy = evaluation.privacy.items()
    return entries({k: v for k, v in privacy if k not in hidden and v not in ([], {})})


def ledger_entries(evaluation: Evaluation) -> Sequence[Mapping[str, Any]] | None:
    """Return the entries of the ledger; None where there is none."""
    for name in _LEDGER:
        found = evaluation.privacy.get(name)
        if isinstance(found, Mapping):
            found = next((item for item in found.values() if _is_table(item)), None)
        if _is_table(found):
            return found
    return None


def _is_table(value: Any) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) > 0
        and all(isinstance(entry, Mapping) for entry in value)
    )


def _figure(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return finite(value)

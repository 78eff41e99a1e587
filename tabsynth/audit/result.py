"""AuditResult: what an audit found, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tabsynth.errors import DataError
from tabsynth.evaluation.result import Finding, Verdict, Word, json_form

VERSION = 1
"""Version of the JSON form."""


@dataclass(frozen=True)
class MethodResult:
    """What one method of auditing found.

    Attributes
    ----------
    method, title : str
        Registered name, and the same in words.
    word : {"leak detected", "no leak detected at this power", "inconclusive"}
    epsilon : float or None
        Lower bound on epsilon, in nats, at `confidence`; 0 if nothing was found, None if the
        method could not be carried out.
    confidence : float
        Chance that `epsilon` is no larger than the true one. Where several methods are used
        together each has a higher one, so that all bounds hold together.
    largest : float
        What `epsilon` would be if the attack had made no mistake: no larger value can be refuted.
    statement : str
        How it was computed, in one sentence.
    smallest : str
        The smallest thing that would have been detected, in one sentence.
    reasons : tuple of str
        Why the word was chosen.
    runs : int
        Fits.
    findings : tuple of Finding
        Of level 3.
    details : mapping
        More figures, JSON only. Rows are named by their numbers, counted from 1.
    """

    method: str
    title: str
    word: Word
    epsilon: float | None
    confidence: float
    largest: float
    statement: str
    smallest: str
    reasons: tuple[str, ...]
    runs: int
    findings: tuple[Finding, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditResult:
    """What all methods of an audit found together.

    Attributes
    ----------
    verdict : Verdict
        "leak detected" if any method detected one, otherwise "inconclusive" if any was, otherwise
        "no leak detected at this power". Its findings are corrected for all methods and records.
    epsilon : float or None
        The largest lower bound of all methods; all hold together at `confidence`.
    confidence : float
    largest : float
        The largest epsilon that any of the methods could have refuted.
    claim : float or None
        The epsilon that was declared, to be refuted.
    delta : float
        The delta that goes with all of them.
    methods : tuple of MethodResult
    model : str
    parameters : mapping
        Hyper-parameters that were given.
    rows : int
        Of the table.
    seed : int
    versions : mapping of str to str

    Privacy
    -------
    Computed from private rows, exactly: confidential, and outside any budget.
    """

    verdict: Verdict
    epsilon: float | None
    confidence: float
    largest: float
    claim: float | None
    delta: float
    methods: tuple[MethodResult, ...]
    model: str
    parameters: Mapping[str, Any]
    rows: int
    seed: int
    versions: Mapping[str, str]

    def __getitem__(self, method: str) -> MethodResult:
        for result in self.methods:
            if result.method == method:
                return result
        raise KeyError(method)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        state = asdict(self)
        finite: dict[str, Any] = json_form({"tabsynth_audit": VERSION, **state})
        return finite

    @classmethod
    def from_dict(cls, state: Any) -> AuditResult:
        """Rebuild from the JSON form.

        Raises
        ------
        DataError
            If the document is no result of an audit, or of another version.
        """
        if not isinstance(state, Mapping) or "tabsynth_audit" not in state:
            raise DataError("This JSON document is no result of an audit written by tabsynth.")
        if state["tabsynth_audit"] != VERSION:
            raise DataError(
                f"This audit is of format {state['tabsynth_audit']!r}; this version of tabsynth "
                f"reads format {VERSION}. Audit the table again."
            )
        known = {key: value for key, value in state.items() if key != "tabsynth_audit"}
        verdict = {**known["verdict"], **_tuples(known["verdict"])}
        methods = [MethodResult(**{**one, **_tuples(one)}) for one in known["methods"]]
        return cls(**{**known, "verdict": Verdict(**verdict), "methods": tuple(methods)})

    def to_json(self) -> str:
        """Return the result as JSON text; the same audit gives the same text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _tuples(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return findings and reasons as they are in memory."""
    return {
        "findings": tuple(Finding(**finding) for finding in state["findings"]),
        "reasons": tuple(state["reasons"]),
    }

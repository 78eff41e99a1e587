"""Score and Evaluation: what was measured, as data; reports are views of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

VERSION = 1
"""Version of the JSON form."""

Group = Literal["fidelity", "utility", "fairness", "disclosure", "validity"]
Better = Literal["lower", "higher", "half"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes
    ----------
    low, high : float
    level : float
        Coverage in (0, 1).
    method : str
        How it was computed ("Clopper-Pearson", "bootstrap over rows", ...).
    """

    low: float
    high: float
    level: float = 0.95
    method: str = ""


Word = Literal["leak detected", "no leak detected at this power", "inconclusive"]


@dataclass(frozen=True)
class Finding:
    """One test for disclosure: whether synthetic rows tell more than fresh real rows would.

    Attributes
    ----------
    attack : str
        What was tried, in words ("nearest synthetic row, on the most vulnerable 5% of rows").
    principle : {"membership", "copying", "singling out", "linkability", "inference"}
        What it would breach.
    level : int
        1: always, 2: by default, 3: audits.
    p_value : float or None
        One-sided, under the hypothesis that training rows are no more exposed than unseen rows of
        the same source; None where the attack could not be run.
    adjusted : float or None
        The same after Holm's correction for all findings of the evaluation.
    problem : str
        Why it could not be run.
    """

    attack: str
    principle: str
    level: int
    p_value: float | None
    adjusted: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Score:
    """One measured figure, with what it takes to read it.

    Attributes
    ----------
    name : str
        Stable key ("c2st", "tvd_1way", "membership_auc").
    title : str
        What people call it.
    group : {"fidelity", "utility", "fairness", "disclosure", "validity"}
    value : float or None
        None where it could not be computed; `problem` then says why.
    better : {"lower", "higher", "half"}
        Which direction is good; "half": the nearer to 0.5 the better.
    best : float
        The value of perfection.
    explanation : str
        One sentence of plain words: what it is and how it was computed.
    interval : Interval or None
        Where the figure is an estimate.
    reference : float or None
        The same figure for as many fresh real rows: what a perfect synthesizer would get.
    reference_text : str
        What the reference is.
    baseline : float or None
        The same figure for independent columns.
    problem : str
        Why there is no value, or what weakens it; empty where all is well.
    details : mapping
        More figures, JSON only.
    findings : tuple of Finding
        Disclosure only: the tests behind the figure; the verdict is drawn from those of all scores.
    """

    name: str
    title: str
    group: Group
    value: float | None
    better: Better
    best: float
    explanation: str
    interval: Interval | None = None
    reference: float | None = None
    reference_text: str = ""
    baseline: float | None = None
    problem: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(replace(self, details=dict(self.details)))


@dataclass(frozen=True)
class Verdict:
    """What the attacks say together.

    Attributes
    ----------
    word : str
        "leak detected", "no leak detected at this power" or "inconclusive".
    alpha : float
        Chance of "leak detected" where nothing leaks, over all attacks together.
    findings : tuple of Finding
        Strongest first.
    smallest_leak : float or None
        The smallest share of planted copies of training rows, among the shares tried, that these
        attacks would have detected in this table; None where none was, or nothing was planted.
    reasons : tuple of str
        Sentences in plain words: which attack found what, or what stands in the way.
    """

    word: Word
    alpha: float
    findings: tuple[Finding, ...] = ()
    smallest_leak: float | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnProfile:
    """One column in aggregates, enough to draw it; counts, never rows.

    Attributes
    ----------
    name, type, role, treatment, measure : str
        From the schema; `measure` is "continuous", "nominal" or "none" (not compared).
    dtype : str
    cells : tuple of str
        What each cell of the histograms is: an interval ("[18, 22)"), a category, "missing",
        "(other)".
    edges : tuple of float
        For continuous columns the edges of the intervals; empty otherwise.
    real, synthetic : tuple of float
        Shares of the cells in the unseen real rows (the training rows where there are none) and
        in the synthetic ones.
    tvd : float or None
        Total variation distance between the two.
    reference : float or None
        The same for training rows against unseen real ones.
    """

    name: str
    type: str
    role: str
    treatment: str
    measure: str
    dtype: str = ""
    cells: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    real: tuple[float, ...] = ()
    synthetic: tuple[float, ...] = ()
    tvd: float | None = None
    reference: float | None = None


@dataclass(frozen=True)
class Joint:
    """The joint distribution of two columns in few cells, enough to draw it; never rows.

    Attributes
    ----------
    first, second : str
        Names of the columns.
    first_cells, second_cells : tuple of str
        What the cells of each are, as in `ColumnProfile`, but coarser.
    real, synthetic : tuple of tuple of float
        Shares of the real and of the synthetic rows, one row for each cell of `first`.
    tvd : float or None
        Distance of the pair, on finer cells: that of `Pairs`.
    reference : float or None
        The same for training rows against unseen real ones.
    """

    first: str
    second: str
    first_cells: tuple[str, ...]
    second_cells: tuple[str, ...]
    real: tuple[tuple[float, ...], ...]
    synthetic: tuple[tuple[float, ...], ...]
    tvd: float | None = None
    reference: float | None = None


@dataclass(frozen=True)
class Pairs:
    """Two-way total variation distances of all pairs of compared columns.

    Attributes
    ----------
    columns : tuple of str
    tvd : tuple of tuple of float
        Symmetric, zero diagonal.
    worst : tuple of Joint
        The pairs whose distances exceed most what as many fresh real rows get, the worst first;
        without a holdout those with the greatest distances.
    """

    columns: tuple[str, ...] = ()
    tvd: tuple[tuple[float, ...], ...] = ()
    worst: tuple[Joint, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """All that is known about a synthetic table.

    Attributes
    ----------
    scores : tuple of Score
    columns : tuple of ColumnProfile
    pairs : Pairs
    rows : mapping of str to int
        Numbers of rows: "train", "holdout", "synthetic", and what was sampled for measuring.
    privacy : mapping
        ``{"mechanism": "none", "statement": "No differential privacy was used. ..."}``. Under a
        budget also "epsilon" (nats), "delta", "neighbours" ("add or remove one row"), "unit"
        ("one row"), "trust_model" where it is not the usual curator, and "spends": one mapping
        for each release with "what", "mechanism", "epsilon" and, where known, "delta" and "rho"
        (zCDP).
    provenance : mapping
        Versions, seed, model, parameters, seconds, digest of the source: for the report's end.
    notices : tuple of str
        What a reader must know (rows sampled, no holdout given, columns dropped).
    verdict : Verdict or None
        What the attacks say together.
    stability : tuple of Score
        Means and spreads over tables made with different seeds of the model; empty for one table.
    """

    scores: tuple[Score, ...]
    columns: tuple[ColumnProfile, ...] = ()
    pairs: Pairs = field(default_factory=Pairs)
    rows: Mapping[str, int] = field(default_factory=dict)
    privacy: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    verdict: Verdict | None = None
    stability: tuple[Score, ...] = ()

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def group(self, group: Group) -> list[Score]:
        """Return the scores of one group."""
        return [score for score in self.scores if score.group == group]

    def with_context(
        self,
        *,
        privacy: Mapping[str, Any] | None = None,
        provenance: Mapping[str, Any] | None = None,
        notices: Sequence[str] = (),
    ) -> Evaluation:
        """Return the evaluation with what its caller knows about how the table was made."""
        return replace(
            self,
            privacy={**self.privacy, **(privacy or {})},
            provenance={**self.provenance, **(provenance or {})},
            notices=(*self.notices, *notices),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        state = {
            "tabsynth_evaluation": VERSION,
            "rows": dict(self.rows),
            "privacy": dict(self.privacy),
            "provenance": dict(self.provenance),
            "notices": list(self.notices),
            "verdict": None if self.verdict is None else asdict(self.verdict),
            "scores": [score.to_dict() for score in self.scores],
            "columns": [asdict(column) for column in self.columns],
            "pairs": asdict(self.pairs),
            "stability": [score.to_dict() for score in self.stability],
        }
        finite: dict[str, Any] = json_form(state)
        return finite

    @classmethod
    def from_dict(cls, state: Any) -> Evaluation:
        """Rebuild from the JSON form, after checking all of it.

        Raises
        ------
        DataError
            If the document is no evaluation, of another version, or damaged.
        """
        from tabsynth.evaluation.document import rebuild

        return rebuild(state)

    def to_json(self) -> str:
        """Return the evaluation as JSON text, keys in a stable order."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def json_form(value: Any) -> Any:
    """Return `value` with NaN and infinities replaced by None and tuples by lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_form(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_form(item) for item in value]
    return value

"""The contract of an audit: it plans fits, has each looked at, and judges what was seen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from tabsynth.audit.ground import Ground
from tabsynth.audit.result import MethodResult
from tabsynth.privacy.budget import DELTA, PrivacyBudget
from tabsynth.random import Streams
from tabsynth.registry import Registry
from tabsynth.schema import Schema
from tabsynth.synthesizer import Synthesizer


class Probe(Protocol):
    """What looks at a fitted synthesizer and keeps a few numbers.

    It is handed to other processes, so it is made of data. It may sample rows, or look into the
    model where a model offers more than rows.
    """

    def __call__(self, fitted: Synthesizer) -> np.ndarray:
        """Return float64 of a shape that is the same for every run."""


@dataclass(frozen=True, eq=False)
class Run:
    """One fit, independent of all others.

    Attributes
    ----------
    rows : ndarray of int
        Which rows of the pool are learnt; they are shuffled before.
    seed : int
    """

    rows: np.ndarray
    seed: int


@dataclass(frozen=True, eq=False)
class Job:
    """What every run of an audit shares.

    Attributes
    ----------
    pool : DataFrame
        All rows that any run may learn.
    schema : Schema
    model : str
    parameters : mapping
    probe : Probe
    runs : tuple of Run
    budget : PrivacyBudget or None
        What each run may cost; None fits openly.
    """

    pool: pd.DataFrame
    schema: Schema
    model: str
    parameters: Mapping[str, Any]
    probe: Probe
    runs: tuple[Run, ...]
    budget: PrivacyBudget | None = None


@dataclass(frozen=True, eq=False)
class Setting:
    """What is audited, and how far an audit may go.

    Attributes
    ----------
    frame : DataFrame
    schema : Schema
    model : str
    parameters : mapping
    streams : Streams
    runs, canaries : int or None
        What was asked for; None leaves it to the audit.
    level : float
        Chance of "leak detected" where the claim holds, in this audit alone.
    claim : float or None
        Declared epsilon; without it the claim is that nothing is given away.
    delta : float
    declared : Schema or None
        What to fit with under a budget of the claim; None fits with `schema`, openly.
    """

    frame: pd.DataFrame
    schema: Schema
    model: str
    parameters: Mapping[str, Any]
    streams: Streams
    runs: int | None = None
    canaries: int | None = None
    level: float = 0.05
    claim: float | None = None
    delta: float = DELTA
    declared: Schema | None = None

    @property
    def epsilon(self) -> float:
        """The epsilon that is to be refuted."""
        return self.claim or 0.0

    @property
    def slack(self) -> float:
        """The delta that goes with it: none where nothing at all may be given away."""
        return 0.0 if self.claim is None else self.delta

    @cached_property
    def ground(self) -> Ground:
        """Where the rows lie among each other."""
        return Ground.of(self.frame, self.schema, self.streams.child("ground"))

    def job(self, pool: pd.DataFrame, probe: Probe, runs: Sequence[Run]) -> Job:
        """Return the job of an audit in this setting."""
        schema, budget = self.schema, None
        if self.declared is not None:
            schema, budget = self.declared, PrivacyBudget(self.epsilon, self.delta)
        return Job(pool, schema, self.model, self.parameters, probe, tuple(runs), budget)


class Audit(ABC):
    """One way to audit; found by ``@audits.register(name)``.

    Nothing that an audit decides before its runs are judged, and no score, may depend on which
    rows which run learnt, except through what the probe saw of that run.

    Parameters
    ----------
    setting : Setting
        What is drawn at random comes from its streams, so that the same setting gives the same
        plan.
    """

    title: ClassVar[str]
    """What it is, in words."""
    order: ClassVar[int] = 100
    """Place among the audits."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @property
    @abstractmethod
    def job(self) -> Job:
        """The runs, and what they share."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """What will be done, in one sentence for the plan."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what was decided about the size of the audit, JSON only."""

    @abstractmethod
    def judge(self, seen: Sequence[np.ndarray]) -> MethodResult:
        """Return what the probe's numbers of all runs say, in the order of the runs."""


audits: Registry[type[Audit]] = Registry("audit", "tabsynth.audit")
"""Every audit by name."""

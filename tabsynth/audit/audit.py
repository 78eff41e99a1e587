"""The audit of a model: methods are planned, their fits are done, and the results put together."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.artifact import versions
from tabsynth.audit.base import Audit, Setting, audits
from tabsynth.audit.result import AuditResult, MethodResult
from tabsynth.audit.running import RunError, one_thread, perform_all
from tabsynth.audit.state import State, digest_of
from tabsynth.audit.wording import NO_SCHEMA
from tabsynth.errors import ConfigError, DataError, PrivacyError
from tabsynth.evaluation.result import Finding, Verdict, Word
from tabsynth.models import models
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.privacy.budget import DELTA, PrivacyBudget
from tabsynth.random import Streams
from tabsynth.schema import Schema
from tabsynth.schema.infer import check_schema, infer_schema, require_rows, with_dtypes
from tabsynth.synthesizer import Synthesizer
from tabsynth.validation import check_integer

ALL = "all"
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Prepared:
    """An audit that is planned, before anything is fitted.

    Attributes
    ----------
    setting : Setting
        Its level is that of each method.
    methods : mapping of str to Audit
    confidence : float
        Of all methods together.
    """

    setting: Setting
    methods: Mapping[str, Audit]
    confidence: float

    @property
    def n_fits(self) -> int:
        """Number of fits of all methods."""
        return sum(len(method.job.runs) for method in self.methods.values())

    @property
    def summaries(self) -> dict[str, str]:
        """What each method will do, in words."""
        return {name: method.summary for name, method in self.methods.items()}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What must be the same for finished runs to be taken up again."""
        setting = self.setting
        return {
            "table": digest_of(setting.frame),
            "schema": (setting.declared or setting.schema).to_dict(),
            "model": setting.model,
            "parameters": dict(setting.parameters),
            "seed": setting.streams.seed,
            "versions": versions(),
        }

    def state(self, name: str, folder: str | Path | None) -> State:
        """Return the state of one method below a folder."""
        method, setting = self.methods[name], self.setting
        size = {
            **method.settings(),
            "level": setting.level,
            "epsilon": setting.claim,
            "delta": setting.delta,
            "private": setting.declared is not None,
        }
        place = None if folder is None else Path(folder) / name
        return State(place, {**self.identity, "settings": size}, len(method.job.runs))


def prepare(
    table: pd.DataFrame,
    *,
    model: str = "auto",
    method: str | Sequence[str] = ALL,
    parameters: Mapping[str, Any] | None = None,
    schema: Schema | None = None,
    runs: int | None = None,
    canaries: int | None = None,
    epsilon: float | None = None,
    delta: float = DELTA,
    confidence: float = CONFIDENCE,
    seed: int | None = None,
) -> Prepared:
    """Return what `audit` would do with a table; nothing is fitted and nothing written.

    Raises
    ------
    DataError, SchemaError, ConfigError, PrivacyError
        As `audit`.
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"An audit takes a pandas DataFrame. Got {type(table).__name__}.")
    require_rows(len(table))
    _check_numbers(runs, canaries, epsilon, delta, confidence)
    named = audits.names() if method == ALL else [method] if isinstance(method, str) else method
    kinds = {name: audits.get(name) for name in dict.fromkeys(named)}
    if not kinds:
        raise ConfigError(f"No method is named. Known: {', '.join([*audits.names(), ALL])}.")
    chosen = Synthesizer(model, epsilon=epsilon).choose(len(table)).model
    kind = models.get(chosen)
    built = kind(kind.parameters_type.from_dict(dict(parameters or {}), chosen))
    if epsilon is not None:
        PrivacyBudget(epsilon, delta).require_rows(len(table))
        if schema is None:
            raise PrivacyError(NO_SCHEMA)
        built.check_private()
    frame = table.reset_index(drop=True)
    declared = schema if epsilon is not None else None
    if schema is None:
        schema = infer_schema(frame)
    else:
        check_schema(schema, frame)
        schema = with_dtypes(schema, frame)
    setting = Setting(
        frame,
        schema,
        chosen,
        dict(parameters or {}),
        Streams(seed).child("audit"),
        runs,
        canaries,
        (1 - confidence) / len(kinds),
        epsilon,
        delta,
        declared,
    )
    ordered = sorted(kinds.items(), key=lambda item: (item[1].order, item[0]))
    methods = {
        name: kind(replace(setting, streams=setting.streams.child(name))) for name, kind in ordered
    }
    prepared = Prepared(setting, methods, confidence)
    with one_thread():
        _ = prepared.n_fits, prepared.summaries  # what cannot be planned is told now
    return prepared


def carry_out(
    prepared: Prepared,
    *,
    workers: int = 1,
    state: str | Path | None = None,
    monitor: Monitor = ignore,
) -> AuditResult:
    """Do what was prepared.

    Parameters
    ----------
    prepared : Prepared
    workers : int
        Processes that fit at the same time, one thread each; 1 is this process.
    state : path, optional
        Folder for finished runs. An audit that was stopped goes on where it was when it is called
        again with the same arguments.
    monitor : callable
        Told of the progress, with ``seconds_per_run`` and ``seconds_left``.

    Returns
    -------
    AuditResult
    """
    check_integer("workers", workers, 1)
    states = {name: prepared.state(name, state) for name in prepared.methods}
    done = {name: kept.open() for name, kept in states.items()}
    results = tuple(
        _one(name, method, states[name], done[name], workers, monitor)
        for name, method in prepared.methods.items()
    )
    return _together(prepared, results)


def audit(
    table: pd.DataFrame,
    *,
    model: str = "auto",
    method: str | Sequence[str] = ALL,
    parameters: Mapping[str, Any] | None = None,
    schema: Schema | None = None,
    runs: int | None = None,
    canaries: int | None = None,
    epsilon: float | None = None,
    delta: float = DELTA,
    confidence: float = CONFIDENCE,
    workers: int = 1,
    state: str | Path | None = None,
    seed: int | None = None,
    monitor: Monitor = ignore,
) -> AuditResult:
    """Attack a model as it would be fitted to `table`, and bound epsilon from below.

    With a declared epsilon every fit is made under that budget, with noise of its own.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        As for `Synthesizer.fit`.
    model : str
        Name of a model, or "auto".
    method : str or sequence of str
        "one-run", "multi-run", "shadow", several of them, or "all".
    parameters : mapping, optional
        Hyper-parameters of the model.
    schema : Schema, optional
        Inferred once from the whole table where left out; what inference reads off the rows is
        then not audited.
    runs : int, optional
        Fits of each of the two tables ("multi-run", 100 by default), shadow fits ("shadow", 32).
    canaries : int, optional
        "one-run": rows whose presence is decided by coins; a fifth of the rows by default.
    epsilon : float, optional
        A declared epsilon (adding or removing one row), to be refuted; `schema` must be declared
        then. Without it fits have no budget, and anything beyond chance is a leak.
    delta : float
        The delta that goes with it.
    confidence : float
        Chance that nothing is detected where the claim holds, over all methods together.
    workers : int
        Processes that fit at the same time, one thread each; 1 is this process. With more, a
        script must be guarded by ``if __name__ == "__main__":``.
    state : path, optional
        Folder for finished runs, from which an audit that was stopped goes on.
    seed : int, optional
        Makes the audit reproducible, but for noise; drawn and reported where left out.
    monitor : callable
        Told of the progress.

    Returns
    -------
    AuditResult

    Raises
    ------
    DataError
        If the table cannot be learnt from, or the state belongs to another audit.
    SchemaError
        If the schema does not fit, with every problem.
    ConfigError
        If an argument has a value that is not allowed.
    PrivacyError
        If fits under the declared epsilon are not possible.

    Privacy
    -------
    Attacks private rows. The result and the state are exact, confidential and outside any budget.
    Fits of an audit are never released, so no odometer is charged for them.
    An audit can refute a claim, never prove it.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1, 2, 3, 4] * 25, "y": list("abab") * 25})
    >>> result = audit(table, model="independent", method="one-run", seed=7)
    >>> result.verdict.word, result.epsilon
    ('no leak detected at this power', 0.0)
    """
    prepared = prepare(
        table,
        model=model,
        method=method,
        parameters=parameters,
        schema=schema,
        runs=runs,
        canaries=canaries,
        epsilon=epsilon,
        delta=delta,
        confidence=confidence,
        seed=seed,
    )
    return carry_out(prepared, workers=workers, state=state, monitor=monitor)


def _check_numbers(
    runs: int | None,
    canaries: int | None,
    epsilon: float | None,
    delta: float,
    confidence: float,
) -> None:
    check_integer("runs", runs, 1, optional=True)
    check_integer("canaries", canaries, 1, optional=True)
    if epsilon is not None and not (math.isfinite(epsilon) and epsilon > 0):
        raise ConfigError(f"epsilon must be a positive number. Got {epsilon!r}.")
    if not 0 <= delta < 1:
        raise ConfigError(f"delta must be at least 0 and below 1. Got {delta!r}.")
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"confidence must be at least 0.5 and below 1. Got {confidence!r}.")


def _one(
    name: str,
    method: Audit,
    state: State,
    done: dict[int, np.ndarray],
    workers: int,
    monitor: Monitor,
) -> MethodResult:
    """Do what is left of one method, and judge it."""
    total = len(method.job.runs)
    left = [place for place in range(total) if place not in done]
    phase = f"auditing, {method.title}"
    monitor(Progress(phase, len(done), total))
    started, fits = time.perf_counter(), 0
    try:
        with closing(perform_all(method.job, left, workers)) as fitting:
            for seen in fitting:
                state.keep(seen)
                done[seen.place] = seen.values
                fits += 1
                wall = (time.perf_counter() - started) / fits
                metrics = {
                    "seconds_per_run": seen.seconds,
                    "seconds_left": wall * (len(left) - fits),
                }
                monitor(Progress(phase, len(done), total, metrics))
    except RunError as failure:
        if isinstance(failure.error, ConfigError):
            raise failure.error from None
        return _failed(name, method, failure)
    with one_thread():
        return method.judge([done[place] for place in range(total)])


def _failed(name: str, method: Audit, failure: RunError) -> MethodResult:
    """Return the result of a method of which a fit failed."""
    problem = " ".join(str(failure.error).splitlines())
    n = len(method.job.runs)
    where = "The fit" if n == 1 else f"Fit {failure.place + 1:,} of {n:,}"
    reason = f"{where} failed, so nothing can be said: {problem}"
    return MethodResult(
        name,
        method.title,
        "inconclusive",
        None,
        1 - method.setting.level,
        0.0,
        "Nothing was computed.",
        "Nothing could have been detected.",
        (reason,),
        n,
        (Finding(method.title, "membership", 3, None, problem=reason),),
    )


def _together(prepared: Prepared, results: tuple[MethodResult, ...]) -> AuditResult:
    """Return the result of all methods."""
    setting, n = prepared.setting, len(results)
    corrected = tuple(
        replace(
            result,
            findings=tuple(
                replace(f, adjusted=None if f.adjusted is None else min(1.0, n * f.adjusted))
                for f in result.findings
            ),
        )
        for result in results
    )
    words: list[Word] = ["leak detected", "inconclusive", "no leak detected at this power"]
    word = next(word for word in words if any(result.word == word for result in corrected))
    findings = [finding for result in corrected for finding in result.findings]
    findings.sort(key=lambda f: 2.0 if f.adjusted is None else f.adjusted)
    reasons = [
        f"{result.title[0].upper()}{result.title[1:]}: {result.reasons[0]}"
        for result in corrected
        if result.word == word
    ]
    bounds = [result.epsilon for result in corrected if result.epsilon is not None]
    return AuditResult(
        Verdict(word, round(1 - prepared.confidence, 12), tuple(findings), None, tuple(reasons)),
        max(bounds, default=None),
        prepared.confidence,
        max(result.largest for result in corrected),
        setting.claim,
        setting.delta,
        corrected,
        setting.model,
        setting.parameters,
        len(setting.frame),
        setting.streams.seed,
        versions(),
    )

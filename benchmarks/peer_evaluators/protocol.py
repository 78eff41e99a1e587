"""What the adapters share: they read jobs from standard input and print figures, one JSON a line.

An adapter runs in the environment of its peer, where tabsynth is not installed, so this file
needs pandas alone. A job is a JSON object with `folder` (where train, holdout and synthetic lie as
CSV files), `columns` (name to "number" or "category"), `target` and `seed`. For each job the
adapter prints a line with the names of its `steps`, one line for each figure as soon as it is
known, then a line with `done`. A figure that could not be computed has no value and a problem.

Every figure says by which rule it is read:

- "alarm": the peer's own documentation says when it is bad; `alarm` is then true or false;
- "low" or "high": the peer says only which direction is bad, without a threshold;
- "": it is no privacy figure (fidelity), or says nothing about training rows; never judged.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Figure(NamedTuple):
    """One figure of a peer. `rule` is one of "alarm", "low", "high" and ""."""

    name: str
    value: float | None
    rule: str = ""
    alarm: bool | None = None
    low: float | None = None
    high: float | None = None
    problem: str = ""
    note: str = ""


class Job(NamedTuple):
    """The tables to judge."""

    train: pd.DataFrame
    holdout: pd.DataFrame
    synthetic: pd.DataFrame
    numbers: list[str]
    categories: list[str]
    target: str
    seed: int


Steps = dict[str, Callable[[Job], Iterator[Figure]]]


def read(job: dict[str, Any]) -> Job:
    """Read the three files; numbers are int64 or float64, categories texts, None where missing."""
    kinds, parts = job["columns"], {}
    texts = {name: "str" for name, kind in kinds.items() if kind == "category"}
    for part in ("train", "holdout", "synthetic"):
        path = Path(job["folder"]) / f"{part}.csv"
        parts[part] = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    for name in kinds:
        if name in texts:
            for frame in parts.values():
                frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
        elif any(frame[name].dtype.kind == "f" for frame in parts.values()):
            for frame in parts.values():
                frame[name] = frame[name].astype("float64")
    numbers = [name for name, kind in kinds.items() if kind == "number"]
    return Job(
        **parts, numbers=numbers, categories=list(texts), target=job["target"], seed=job["seed"]
    )


def cpu() -> float:
    """Return CPU seconds of this process and of those it started."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def serve(package: str, steps: Steps) -> None:
    """Answer jobs until standard input ends.

    Parameters
    ----------
    package : str
        The peer, whose version is told with every figure.
    steps : dict of str to callable
        What is run for a job, each under the name that stands for it if it fails.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a peer prints must not come between the answers
    for line in sys.stdin:
        given = json.loads(line)
        print(json.dumps({"steps": list(steps)}), file=answers)
        job = read(given)
        for name, step in steps.items():
            random.seed(job.seed)
            np.random.seed(job.seed)  # noqa: NPY002, TID251  # peers draw from global generators
            started, clock = cpu(), time.perf_counter()
            try:
                found = list(step(job))
            except Exception as error:  # a peer may raise anything; the next step can still run
                text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                found = [Figure(name, None, problem=text)]
            spent, waited = cpu() - started, time.perf_counter() - clock
            for figure in found:
                row = {key: _plain(value) for key, value in figure._asdict().items()}
                row |= {"step": name, "version": version(package)}
                row |= {"cpu_seconds": spent / len(found), "seconds": waited / len(found)}
                print(json.dumps(row), file=answers)
        print(json.dumps({"done": given["folder"]}), file=answers)


def _plain(value: Any) -> Any:
    """Return a value that JSON knows; no value where it is not finite."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    return float(value) if isfinite(value) else None

"""What the tests of the command line share: a way to run it, and a table with marked cells."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabsynth.cli.main import run as run_program
from tabsynth.evaluation.result import Evaluation, Score

MARK = "ZQX"
"""Part of cells of every table here; must never turn up in messages."""

PROGRAM = [sys.executable, "-c", "from tabsynth.cli.main import main; main()"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capfd) -> Callable[..., Outcome]:
    """Run the program in this process."""

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = run_program([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def run_apart() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the program in a process of its own."""

    def call(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            capture_output=True,
            timeout=60,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            **options,
        )

    return call


def patients(n_rows: int = 60) -> pd.DataFrame:
    """Return a table as a CSV file would hold it, with the mark in cells of every kind."""
    rng = np.random.default_rng(1)
    age = rng.integers(20, 90, n_rows)
    return pd.DataFrame(
        {
            "patient_id": [f"P-{number:06d}" for number in rng.permutation(500_000)[:n_rows]],
            "age": age.astype(str),
            "ward": np.array([f"{MARK} north", f"{MARK} south", "00712"])[
                rng.integers(0, 3, n_rows)
            ],
            "cost": [f"{value:.2f}" for value in rng.lognormal(6, 1, n_rows)],
            "sick": np.where(age + rng.normal(0, 10, n_rows) > 60, "yes", "no"),
        }
    ).astype("str")


@pytest.fixture
def table(tmp_path) -> Path:
    """A CSV file of 60 patients."""
    path = tmp_path / "patients.csv"
    patients().to_csv(path, index=False)
    return path


@pytest.fixture
def quick(monkeypatch) -> Evaluation:
    """Replace evaluation and drawing, which have tests of their own and take seconds."""
    evaluation = Evaluation(
        scores=(
            Score("c2st", "C2ST", "fidelity", 0.62, "half", 0.5, "How real it looks."),
            Score("tvd_1way", "Columns", "fidelity", 0.04, "lower", 0.0, "How far off."),
            Score("tstr", "Predicting", "utility", 0.8, "higher", 1.0, "How useful."),
            Score(
                "membership_auc",
                "Membership",
                "disclosure",
                None,
                "half",
                0.5,
                "Who was in it.",
                problem="no holdout was given",
            ),
        ),
        rows={"train": 48, "holdout": 12, "synthetic": 60},
    )
    monkeypatch.setattr("tabsynth.workflow.evaluate", lambda *rest, **options: evaluation)
    monkeypatch.setattr("tabsynth.evaluation.evaluate", lambda *rest, **options: evaluation)
    monkeypatch.setattr("tabsynth.workflow.to_html", lambda evaluation: "<html></html>\n")
    return evaluation


def names(folder: Path) -> set[str]:
    """Return what lies in a folder, hidden files included."""
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def listed() -> Callable[[Path], set[str]]:
    """Return what lies in a folder, hidden files included."""
    return names

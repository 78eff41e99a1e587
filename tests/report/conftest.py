"""An evaluation with plausible figures, and the table it speaks of made up to any width."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tabsynth.evaluation.result import ColumnProfile, Evaluation, Interval, Joint, Pairs, Score

NOTHING = "No differential privacy was used: nothing here is a formal guarantee."

RATES = [0.001, 0.005, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9]
SCORES = (
    Score(
        name="c2st",
        title="Two-sample test",
        group="fidelity",
        value=0.641,
        better="half",
        best=0.5,
        explanation="How well gradient-boosted trees tell synthetic rows from unseen real ones "
        "(area under the ROC curve): at 0.5 they cannot, at 1 they always can.",
        interval=Interval(0.622, 0.66, 0.95, "DeLong"),
        reference=0.503,
        reference_text="as many training rows against the same unseen rows",
        baseline=0.934,
        details={"rows": 2000, "folds": 5, "roc": {"fpr": [0, 1], "tpr": [0, 1]}},
    ),
    Score(
        name="tvd_1way",
        title="Distance of single columns",
        group="fidelity",
        value=0.042,
        better="lower",
        best=0.0,
        explanation="Mean total variation distance between the real and the synthetic "
        "distribution of one column.",
        reference=0.018,
        reference_text="as many training rows against the same unseen rows",
        baseline=0.019,
    ),
    Score(
        name="tvd_2way",
        title="Distance of pairs of columns",
        group="fidelity",
        value=0.083,
        better="lower",
        best=0.0,
        explanation="Mean total variation distance between the real and the synthetic joint "
        "distribution of two columns.",
        reference=0.049,
        baseline=0.131,
    ),
    Score(
        name="tstr",
        title="Prediction of readmitted",
        group="utility",
        value=0.731,
        better="higher",
        best=1.0,
        explanation="Area under the ROC curve on unseen real rows of gradient-boosted trees that "
        "were trained on synthetic rows.",
        interval=Interval(0.706, 0.756, 0.95, "bootstrap over test rows"),
        reference=0.774,
        reference_text="the same trees trained on as many real rows",
        baseline=0.502,
        details={"target": "readmitted", "task": "classification", "test_rows": 2000},
    ),
    Score(
        name="exact_copies",
        title="Exact copies",
        group="disclosure",
        value=0.0004,
        better="lower",
        best=0.0,
        explanation="Share of synthetic rows that equal a training row in every compared column.",
        interval=Interval(0.0001, 0.0011, 0.95, "Clopper-Pearson"),
        reference=0.0006,
        reference_text="share of unseen real rows that equal a training row",
        baseline=0.0,
    ),
    Score(
        name="membership_auc",
        title="Membership attack, AUC",
        group="disclosure",
        value=0.507,
        better="half",
        best=0.5,
        explanation="How well the distance to the nearest synthetic row tells training rows from "
        "unseen ones.",
        interval=Interval(0.489, 0.525, 0.95, "DeLong"),
        reference=0.498,
        baseline=0.501,
        details={
            "best": "local likelihood",
            "attacks": {"local likelihood": {}, "nearest row": {}},
            "members": 8000,
            "non_members": 1000,
            "roc": {"fpr": RATES, "tpr": [0.0008, 0.006, 0.012, 0.06, 0.11, 0.31, 0.5, 0.9]},
        },
    ),
    Score(
        name="membership_tpr",
        title="Membership attack, hits at 1% false alarms",
        group="disclosure",
        value=0.013,
        better="lower",
        best=0.01,
        explanation="Share of training rows that the attack finds while it accuses 1% of the "
        "unseen ones.",
        interval=Interval(0.0085, 0.019, 0.95, "Clopper-Pearson"),
        reference=0.011,
        baseline=0.0095,
        details={
            "best": "nearest row",
            "attacks": {"local likelihood": {}, "nearest row": {}},
            "members": 8000,
            "non_members": 1000,
            "roc": {"fpr": RATES, "tpr": [0.0015, 0.0061, 0.013, 0.057, 0.1, 0.3, 0.49, 0.9]},
        },
    ),
)


def number_column(name, rng, off=0.0, cells=24, missing=0.0, **more):
    """Return a bell-shaped column whose synthetic copy is moved by `off` standard deviations."""
    z = np.linspace(-3, 3, cells + 1)
    middle = (z[1:] + z[:-1]) / 2
    real = np.exp(-(middle**2) / 2) * rng.uniform(0.9, 1.1, cells)
    synthetic = np.exp(-((middle - off) ** 2) / 2) * rng.uniform(0.9, 1.1, cells)
    real *= (1 - missing) / real.sum()
    synthetic *= (1 - missing) / synthetic.sum()
    low, high = more.pop("low", 18), more.pop("high", 90)
    edges = np.round(low + (high - low) * (z + 3) / 6, 1)
    names = [f"[{a:g}, {b:g})" for a, b in pairwise(edges)]
    return ColumnProfile(
        name=name,
        type=more.pop("type", "number"),
        role=more.pop("role", "plain"),
        treatment="learnt",
        measure="continuous",
        dtype=more.pop("dtype", "int64"),
        cells=(*names, "missing"),
        edges=tuple(edges.tolist()),
        real=(*real.tolist(), missing),
        synthetic=(*synthetic.tolist(), missing),
        tvd=float(np.abs(real - synthetic).sum() / 2),
        reference=0.019,
    )


def category_column(name, rng, cells, off=0.1, **more):
    """Return a column of categories with a long tail."""
    real = 1 / np.arange(1, len(cells) + 1)
    synthetic = real * rng.uniform(1 - off, 1 + off, len(cells))
    real, synthetic = real / real.sum(), synthetic / synthetic.sum()
    return ColumnProfile(
        name=name,
        type=more.pop("type", "category"),
        role=more.pop("role", "plain"),
        treatment="learnt",
        measure="nominal",
        dtype="str",
        cells=tuple(cells),
        real=tuple(real.tolist()),
        synthetic=tuple(synthetic.tolist()),
        tvd=float(np.abs(real - synthetic).sum() / 2),
        reference=0.012,
    )


def plain_column(name, kind, treatment, role="plain"):
    """Return a column that is not compared."""
    return ColumnProfile(name, kind, role, treatment, "none", "str")


def hospital_columns():
    """Return the columns of a hospital table."""
    rng = np.random.Generator(np.random.PCG64(7))
    wards = ("Medicine", "Surgery", "Maternity", "Intensive care", "Paediatrics")
    codes = [f"{letter}{n:02d}.{n % 10}" for n in range(11, 19) for letter in "IEJK"]
    cost = number_column("total_cost", rng, 0.35, dtype="float64", low=120, high=91000)
    steps = tuple(float(round(x)) for x in np.geomspace(120, 91000, 25))
    return (
        plain_column("patient_id", "identifier", "regenerated in the same shape", "identifier"),
        plain_column("full_name", "personal", "regenerated, never learnt", "identifier"),
        plain_column("email", "personal", "regenerated, never learnt", "identifier"),
        number_column("age", rng, 0.08, role="quasi"),
        category_column("sex", rng, ("female", "male", "not stated"), role="quasi"),
        category_column("postcode", rng, [f"0{n}" for n in range(1010, 1060)], role="quasi"),
        category_column("ward", rng, wards, 0.2),
        category_column("diagnosis_code", rng, codes, 0.5, role="sensitive"),
        number_column("systolic_pressure", rng, 0.2, missing=0.12, low=80, high=210),
        number_column("heart_rate", rng, 0.05, missing=0.08, low=38, high=160),
        number_column("temperature", rng, -0.1, dtype="float64", low=34.5, high=41.2),
        replace(
            cost,
            edges=steps,
            cells=(
                *(f"[{a:,.0f}, {b:,.0f})" for a, b in pairwise(steps)),
                "missing",
            ),
        ),
        replace(
            number_column("admitted", rng, 0.15, cells=12, type="datetime", dtype="datetime64[us]"),
            cells=(*(f"[2024-{m:02d}-01, 2024-{m + 1:02d}-01)" for m in range(1, 13)), "missing"),
        ),
        number_column("length_of_stay", rng, 0.4, low=0, high=42),
        category_column("readmitted", rng, ("no", "yes"), role="sensitive"),
        plain_column("remarks", "text", "dropped: free text is not learnt"),
    )


def pairs_of(columns, seed=11):
    """Return distances of all compared columns, never less than those of the columns alone."""
    rng = np.random.Generator(np.random.PCG64(seed))
    compared = [column for column in columns if column.tvd is not None]
    alone = np.array([column.tvd for column in compared])
    extra = rng.gamma(0.6, 0.04, (len(compared), len(compared)))
    tvd = np.maximum(alone[:, None], alone[None, :]) + (extra + extra.T) / 2
    np.fill_diagonal(tvd, 0)
    names = tuple(column.name for column in compared)
    tvd = tvd.clip(0, 1)
    places = np.argsort(-np.triu(tvd), axis=None)[:10] if len(names) > 1 else ()
    worst = tuple(
        joint_of(compared[place // len(names)], compared[place % len(names)], rng, tvd.flat[place])
        for place in places
    )
    return Pairs(names, tuple(tuple(row) for row in tvd.tolist()), worst)


def joint_of(first, second, rng, tvd):
    """Return a joint distribution of two columns in up to eight cells of each."""
    cells = [column.cells[:8] for column in (first, second)]
    sides = []
    for noise in (0.2, 0.5):
        shares = np.outer(*(1 / np.arange(2, len(names) + 2) for names in cells))
        shares *= rng.uniform(1 - noise, 1 + noise, shares.shape)
        sides.append(tuple(tuple(row) for row in (shares / shares.sum()).tolist()))
    return Joint(first.name, second.name, *cells, *sides, tvd=float(tvd), reference=float(tvd) / 2)


def hospital():
    """Return a realistic evaluation of 16 columns."""
    columns = hospital_columns()
    return Evaluation(
        scores=SCORES,
        columns=columns,
        pairs=pairs_of(columns),
        rows={"train": 8000, "holdout": 2000, "synthetic": 10000, "measured": 2000},
        privacy={"mechanism": "none", "statement": NOTHING},
        provenance={
            "table": "hospital_admissions.csv",
            "date": "2026-03-02",
            "model": "tvae",
            "model_reason": "the table has more than 200 rows",
            "parameters": {"epochs": 300, "embedding": 128, "learning_rate": 0.001, "hidden": [64]},
            "seed": 7,
            "seconds_fit": 41.25,
            "seconds_total": 66.4,
            "source_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "versions": {"tabsynth": "0.1.0", "python": "3.11.9", "torch": "2.13.0"},
        },
        notices=(
            "2,000 of 10,000 synthetic rows were drawn for the figures that compare rows.",
            "Column 'remarks' holds free text and was dropped.",
        ),
    )


def wide(n=150, cells=40, seed=3):
    """Return an evaluation of `n` columns with long names."""
    rng = np.random.Generator(np.random.PCG64(seed))
    columns = tuple(
        number_column(f"a_rather_long_name_of_a_measurement_number_{i:03d}", rng, i / n, cells)
        if i % 2
        else category_column(f"category_{i}", rng, [f"value {j} of {i}" for j in range(cells)])
        for i in range(n)
    )
    return replace(hospital(), columns=columns, pairs=pairs_of(columns))


@pytest.fixture
def evaluation():
    """A realistic evaluation of 16 columns."""
    return hospital()


@pytest.fixture
def wide_evaluation():
    """An evaluation of 150 columns."""
    return wide()


@pytest.fixture
def make_column():
    """Return a maker of columns of categories."""

    def make(name, cells=("a", "b"), **changes):
        share = tuple(1 / len(cells) for _ in cells)
        column = ColumnProfile(name, "category", "plain", "learnt", "nominal", "str")
        known = {"cells": tuple(cells), "real": share, "synthetic": share, "tvd": 0.1}
        return replace(column, **{**known, **changes})

    return make

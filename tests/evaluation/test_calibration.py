"""p-values are valid and intervals hold: the small version of `evaluator_calibration.py`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kstest, norm

from tabsynth.evaluation.advantage import by_area
from tabsynth.evaluation.contrast import Tally, exclusive, tails
from tabsynth.evaluation.fidelity import told_apart
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.intervals import area, area_interval
from tabsynth.evaluation.skill import everything, macro_area, percentiles, resample
from tabsynth.schema import Column, Schema

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "evaluator_calibration.csv"
SURE = 1e-4
"""Chance with which a test of this file fails though all is well."""


def rarely_small(p_values):
    """Return whether p-values are at most a no more often than with probability a."""
    found = np.asarray(p_values)
    return all(
        (found <= a).sum() <= binom.ppf(1 - SURE, len(found), a) for a in (0.01, 0.05, 0.1, 0.2)
    )


def holds(held, total):
    """Return whether an interval of 95% covers the truth as often as it says."""
    return held >= binom.ppf(SURE, total, 0.95)


def test_the_area_of_distinct_scores_has_uniform_p_values(streams):
    rng = streams.numpy("uniform")
    p_values = [by_area(*np.split(rng.normal(size=500), [350])) for _ in range(1000)]
    assert kstest(p_values, "uniform").pvalue > SURE
    assert rarely_small(p_values)


@pytest.mark.parametrize(("m", "n"), [(200, 200), (300, 60), (60, 300)])
def test_fisher_over_shares_is_valid_with_ties_and_unequal_numbers(streams, m, n):
    rng, members = streams.numpy(f"tails {m} {n}"), np.arange(m + n) < m
    assert rarely_small([tails(rng.geometric(0.4, m + n), members) for _ in range(600)])


@pytest.mark.parametrize(("m", "n"), [(300, 300), (400, 80)])
def test_values_of_one_table_alone_are_met_by_chance(streams, m, n):
    rng = streams.numpy(f"values {m} {n}")
    p_values = []
    for _ in range(400):
        drawn = np.split(rng.integers((m + n) // 2, size=m + 2 * n), [m, m + n])
        p_values.append(exclusive(*drawn).p_value)
    assert rarely_small(p_values)


def attempted(rng, n, ease):
    """Return attempts on rows of which some are found more easily than others."""
    tally, easy = Tally(n), rng.beta(ease, 4 * ease, n)
    for _ in range(10):
        rows = np.flatnonzero(rng.random(n) < 0.4)
        tally.add(rows, rng.random(len(rows)) < easy[rows])
    return tally


def test_attempts_on_rows_are_valid_and_their_rate_has_an_interval_that_holds(streams):
    rng, members = streams.numpy("attempts"), np.arange(300) < 200
    tallies = [attempted(rng, 300, 0.5) for _ in range(500)]
    assert rarely_small([tally.p_value(members) for tally in tallies])
    intervals = [tally.rate(np.arange(300))[1] for tally in tallies]
    # The chance of success is 0.2 whatever rows there are.
    assert holds(sum(i.low <= 0.2 <= i.high for i in intervals), len(intervals))


@pytest.mark.parametrize(("shift", "m", "n"), [(0, 300, 300), (1, 400, 100), (3, 60, 60)])
def test_the_interval_of_the_area_holds(streams, shift, m, n):
    rng, truth, held = streams.numpy(f"area {shift}"), norm.cdf(shift / 2**0.5), 0
    for _ in range(600):
        members, others = rng.normal(shift, 1, m), rng.normal(0, 1, n)
        interval = area_interval(*area(members, others), min(m, n))
        held += interval.low <= truth <= interval.high
    assert holds(held, 600)


def test_the_interval_over_rows_tested_on_holds_for_the_population(streams):
    rng, held = streams.numpy("tested on"), 0
    scores = rng.random(20_000)
    truth = (rng.random(20_000) < scores**2).astype(int)
    odds = np.stack([1 - scores, scores], axis=1)
    whole = macro_area(odds, truth)(everything(len(truth)))[0]
    for _ in range(150):
        rows = rng.choice(20_000, 400, replace=False)
        judge = macro_area(odds[rows], truth[rows])
        interval = percentiles(float(judge(everything(400))[0]), judge(resample(400, rng)))
        held += interval.low <= whole <= interval.high
    assert holds(held, 150)


@pytest.mark.slow
def test_the_interval_of_c2st_holds_where_there_is_nothing_to_tell_apart(streams):
    rng, held, total = streams.numpy("c2st"), 0, 40
    schema = Schema((Column("x", "number"), Column("y", "number"), Column("c", "category")))
    for draw in range(total):
        rows = [
            pd.DataFrame(rng.normal(size=(300, 2)).round(1), columns=["x", "y"]).assign(
                c=rng.choice(list("abc"), 300)
            )
            for _ in range(2)
        ]
        tables = analyse(dict(zip("ab", rows, strict=True)), schema)
        interval = area_interval(*told_apart(tables["a"], tables["b"], draw), 300)
        held += interval.low <= 0.5 <= interval.high
    assert holds(held, total)


def test_the_committed_calibration_holds():
    with RESULTS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["kind"] for row in rows} == {"test", "KS", "finding", "interval"}
    broken = [(row["name"], row["setting"]) for row in rows if row["holds"] != "yes"]
    assert not broken

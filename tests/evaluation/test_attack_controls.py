"""What is no leak raises no alarm, and every leak is found by the attack that is meant for it."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.combinations import RareCombinations
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.copying import ExactCopies, NearCopies
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.inference import Inference
from tabsynth.evaluation.linkability import Linkability
from tabsynth.evaluation.replay import RareValues
from tabsynth.evaluation.singling_out import SinglingOut
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

ATTACKS = (
    *(ExactCopies, NearCopies, RareCombinations, RareValues),
    *(SinglingOut, Linkability, Inference),
)
NUMBERS = ("age", "income", "pressure", "weight", "dose", "visits")
PATIENTS = Schema(
    (
        *(Column(name, "number") for name in NUMBERS),
        *(Column(name, "category") for name in ("ward", "code", "sex")),
    )
)
ANSWERS = Schema(tuple(Column(f"q{place}", "category") for place in range(6)))


def patients(n, rng):
    """Return people with whole, rounded and precise numbers and many rare codes."""
    ill = rng.normal(size=n)
    return pd.DataFrame(
        {
            "age": np.clip(np.round(45 + 15 * ill), 18, 90),
            "income": np.round(np.exp(8 + ill * 0.5 + rng.normal(0, 0.6, n)), 2),
            "pressure": np.round(120 + 10 * ill + rng.normal(0, 8, n), 2),
            "weight": np.round(70 + 5 * ill + rng.normal(0, 12, n), 3),
            "dose": np.round(rng.gamma(2, 2, n), 4),
            "visits": rng.poisson(2, n).astype(float),
            "ward": rng.choice(list("abcdef"), n, p=[0.4, 0.3, 0.15, 0.1, 0.04, 0.01]),
            "code": [f"c{min(int(x), 3000)}" for x in rng.zipf(1.6, n)],
            "sex": rng.choice(["f", "m"], n),
        }
    )


def answers(n, rng):
    """Return a table of categories in which most rows have equals."""
    kind = rng.integers(0, 3, n)
    return pd.DataFrame(
        {
            f"q{place}": np.where(rng.random(n) < 0.6, kind, rng.integers(0, place + 2, n)).astype(
                str
            )
            for place in range(6)
        }
    )


def repeated(n, rng):
    """Return patients of whom most have several equal rows."""
    return patients(n // 3, rng).iloc[rng.integers(0, n // 3, n)]


def gappy(n, rng):
    """Return patients with 30% of all cells missing."""
    frame = patients(n, rng)
    return frame.mask(rng.random(frame.shape) < 0.3)


SOURCES = {
    "patients": (patients, PATIENTS, (300, 300), 20),
    "unequal sizes": (patients, PATIENTS, (500, 100), 15),
    "mostly holdout": (patients, PATIENTS, (100, 500), 15),
    "answers": (answers, ANSWERS, (500, 100), 20),
    "repeated rows": (repeated, PATIENTS, (300, 300), 15),
    "missing cells": (gappy, PATIENTS, (300, 300), 15),
}


def compare(train, synthetic, holdout, schema=PATIENTS, seed=7):
    frames = {"train": train, "synthetic": synthetic, "holdout": holdout}
    return Comparison.of(
        analyse(frames, schema), streams=Streams(seed), frames=frames, schema=schema
    )


def findings_of(compared):
    """Return the p-values of all attacks, by attack and then by name."""
    found = {}
    for attack in ATTACKS:
        for score in attack().measure(compared):
            for finding in score.findings:
                found[f"{score.name}: {finding.attack}"] = finding.p_value
    return found


@pytest.fixture
def brief(monkeypatch):
    """Fewer sets of columns and draws: as valid, and quicker."""
    monkeypatch.setattr("tabsynth.evaluation.singling_out.SETS", 40)
    monkeypatch.setattr("tabsynth.evaluation.combinations.MOST_SETS", 12)
    monkeypatch.setattr("tabsynth.evaluation.extremes.DRAWS", 999)


@pytest.mark.usefixtures("brief")
def test_fresh_rows_raise_no_alarm():
    p_values = defaultdict(list)
    for source, (draw, schema, (m, n), seeds) in SOURCES.items():
        for seed in range(seeds):
            rng = np.random.default_rng([seed, len(source)])
            rows = draw(m + n + 300, rng)
            rows = rows.iloc[rng.permutation(len(rows))].reset_index(drop=True)
            compared = compare(
                rows.iloc[:m], rows.iloc[m + n :], rows.iloc[m : m + n], schema, seed
            )
            for name, p_value in findings_of(compared).items():
                assert p_value is not None
                p_values[name].append(p_value)
    assert len(p_values) == 9
    for name, some in p_values.items():
        found = np.array(some)
        # 100 tables, or 80 with numbers: 5% and three standard deviations.
        allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(found))
        assert len(found) >= 60, name
        assert np.mean(found <= 0.05) <= allowed, name
        assert found.min() > 1e-4, name


@pytest.fixture(scope="module")
def thirds():
    rows = patients(2400, np.random.default_rng(11))
    return [rows.iloc[start : start + 800].reset_index(drop=True) for start in (0, 800, 1600)]


def part(train, fresh, rows):
    return pd.concat([train.loc[rows], fresh.iloc[len(rows) :]], ignore_index=True)


def noised(frame, size, rng):
    """Return the frame with noise on all precise numbers."""
    steps = {name: size * frame[name].std() for name in ("income", "pressure", "weight", "dose")}
    return frame.assign(
        **{name: frame[name] + rng.normal(0, step, len(frame)) for name, step in steps.items()}
    )


def full_copy(train, fresh, rng):
    return train


def some_copies(train, fresh, rng):
    return part(train, fresh, rng.permutation(800)[:40])


def noisy_copy(train, fresh, rng):
    return noised(train, 0.01, rng)


def some_noisy_copies(train, fresh, rng):
    return part(noised(train, 0.01, rng), fresh, rng.permutation(800)[:40])


def copied_outliers(train, fresh, rng):
    away = sum((train[name].rank(pct=True) - 0.5).abs() for name in NUMBERS)
    return part(train, fresh, away.nlargest(24).index)


def extremes_replayed(train, fresh, rng):
    made = fresh.copy()
    for name in NUMBERS:
        made[name] = made[name].clip(train[name].min(), train[name].max())
        made.loc[rng.integers(800), name] = train[name].min()
        made.loc[rng.integers(800), name] = train[name].max()
    return made


def rare_categories_replayed(train, fresh, rng):
    counts = train["code"].value_counts()
    made = fresh.copy()
    rare = counts.index[counts < 5]
    made.loc[rng.permutation(800)[: len(rare)], "code"] = rare.to_numpy()
    return made


def blocks_swapped(train, fresh, rng):
    other = train.iloc[rng.permutation(800)].reset_index(drop=True)
    return train.assign(**{name: other[name] for name in ("income", "weight", "ward", "visits")})


@pytest.mark.parametrize(
    ("leak", "caught"),
    [
        (
            full_copy,
            "exact_copies near_copies rare_combinations rare_values singling_out linkability "
            "inference",
        ),
        (
            some_copies,
            "exact_copies near_copies rare_combinations rare_values singling_out linkability "
            "inference",
        ),
        (noisy_copy, "near_copies rare_combinations singling_out linkability inference"),
        (some_noisy_copies, "near_copies singling_out linkability inference"),
        (copied_outliers, "exact_copies near_copies"),
        (extremes_replayed, "lowest"),
        (rare_categories_replayed, "rare_values: rare categories"),
        (blocks_swapped, "rare_combinations rare_values"),
    ],
)
def test_a_leak_is_found_by_the_attacks_that_are_meant_for_it(thirds, leak, caught):
    train, fresh, holdout = thirds
    made = leak(train, fresh, np.random.default_rng(5))
    found = findings_of(compare(train, made, holdout))
    wanted = [caught] if ":" in caught else caught.split()
    for name in wanted:
        best = min(p_value for attack, p_value in found.items() if name in attack)
        assert best < (0.005 if name == "lowest" else 0.001), name


def test_values_replayed_out_of_their_rows_are_a_finding_about_values_alone(thirds, shuffle):
    train, _, holdout = thirds
    found = findings_of(compare(train, shuffle(train), holdout))
    assert found["rare_values: rare numbers of real rows"] < 1e-6
    others = {name: p for name, p in found.items() if not name.startswith(("rare_v", "singling"))}
    assert min(others.values()) > 0.001


def test_more_copies_never_lower_the_exposure(thirds):
    train, fresh, holdout = thirds
    order = np.random.default_rng(8).permutation(800)
    values = {attack: [] for attack in ATTACKS}
    for copies in (0, 40, 200, 800):
        compared = compare(train, part(train, fresh, order[:copies]), holdout)
        for attack in ATTACKS:
            values[attack].append(attack().measure(compared)[0].details.get("risk"))
    for attack in ATTACKS[1:]:
        # Differences of shares of 800 rows have a standard deviation of at most 0.025.
        assert np.diff(values[attack]).min() > -0.05, attack
        assert values[attack][-1] > 0.2, attack


@pytest.mark.parametrize("attack", ATTACKS[1:])
def test_swapping_training_and_unseen_rows_mirrors_the_result(thirds, attack):
    train, fresh, holdout = thirds
    made = part(train, fresh, np.arange(200))
    straight = attack().measure(compare(train, made, holdout))[0]
    swapped = attack().measure(compare(holdout, made, train))[0]
    assert swapped.value == pytest.approx(straight.reference, abs=1e-9)
    assert swapped.reference == pytest.approx(straight.value, abs=1e-9)
    assert straight.value > straight.reference
    assert min(finding.p_value for finding in swapped.findings) > 0.05


@pytest.mark.parametrize("attack", ATTACKS)
def test_few_rows_are_an_obstacle_and_no_result(thirds, attack):
    train, _, holdout = thirds
    score = attack().measure(compare(train, train, holdout.iloc[:40]))[0]
    assert "only 40 holdout rows" in score.problem
    assert [finding.p_value for finding in score.findings] == [None]
    assert "only 40" in score.findings[0].problem
    assert score.value is None or score.name == "exact_copies"


@pytest.mark.parametrize("attack", [RareCombinations, Linkability, Inference])
@pytest.mark.parametrize("constant", [False, True])
def test_what_needs_two_columns_says_so(thirds, attack, constant):
    columns = ["age", "sex"] if constant else ["age"]
    schema = Schema(tuple(PATIENTS[name] for name in columns))
    train, fresh, holdout = (
        frame[columns].assign(**{"sex": "f"} if constant else {}) for frame in thirds
    )
    score = attack().measure(compare(train, fresh, holdout, schema))[0]
    assert score.value is None
    assert "two columns" in score.problem
    assert score.findings == ()


@pytest.mark.parametrize("attack", [NearCopies, RareValues, SinglingOut])
def test_one_column_is_enough_for_the_others(thirds, attack):
    schema = Schema((PATIENTS["income"],))
    train, fresh, holdout = (frame[["income"]] for frame in thirds)
    for made, low in ((train, True), (fresh, False)):
        score = attack().measure(compare(train, made, holdout, schema))[0]
        best = min(finding.p_value for finding in score.findings)
        assert (best < 1e-3) is low


def test_rows_that_all_have_equals_cannot_be_copied():
    rows = answers(300, np.random.default_rng(1))[["q0", "q1"]]
    schema = Schema(tuple(ANSWERS[name] for name in ("q0", "q1")))
    compared = compare(rows.iloc[:100], rows.iloc[:100], rows.iloc[100:], schema)
    for attack in (ExactCopies, NearCopies, RareValues):
        score = attack().measure(compared)[0]
        assert score.problem
        assert score.findings == ()


def test_findings_and_details_show_no_values(thirds):
    train, _, holdout = thirds
    marked = train.assign(ward="zz_ward", code=[f"zz_{row}" for row in range(800)])
    compared = compare(marked, marked, holdout)
    for attack in ATTACKS:
        assert "zz_" not in str([score.to_dict() for score in attack().measure(compared)])

"""What all measures of likeness and validity have in common."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation import evaluate
from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import infer_schema
from tabsynth.testing import check_measure

NAMES = (
    "number_ks",
    "number_wasserstein",
    "missing_patterns",
    "calendar",
    "tvd_3way",
    "mutual_information",
    "c2st_logistic",
    "coverage",
    "in_range",
    "known_categories",
    "unique_keys",
    "formats",
)
SCORES = {*NAMES, "alpha_precision", "beta_recall"} - {"coverage"}


def scores(name, train, synthetic, schema, holdout=None):
    """Return the scores of a measure by name, none where it is not planned."""
    frames = {"train": train, "synthetic": synthetic}
    if holdout is not None:
        frames["holdout"] = holdout
    comparison = Comparison.of(
        analyse(frames, schema), streams=Streams(7), frames=frames, schema=schema
    )
    planned = measures.get(name).plan(comparison)
    return {score.name: score for kind in planned for score in kind.measure(comparison)}


def visits(n, name):
    """Return visits to a hospital: every kind of column, dependent, some cells missing."""
    rng = Streams(3).numpy(name)
    age = rng.integers(18, 90, n)
    start = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 365 * 24, n), "h")
    return pd.DataFrame(
        {
            "key": [f"K-{k:05}" for k in range(n)],
            "age": age,
            "cost": np.where(rng.random(n) < 0.1, np.nan, 50 * age + rng.integers(0, 2000, n)),
            "ward": np.where(age + rng.normal(0, 20, n) > 60, "old", "young"),
            "town": rng.choice(list("abcdef"), n, p=[0.4, 0.3, 0.1, 0.1, 0.08, 0.02]),
            "seen": start,
        }
    )


@pytest.fixture(scope="module")
def tables():
    return tuple(visits(400, name) for name in ("train", "fresh", "unseen"))


@pytest.fixture(scope="module")
def schema(tables):
    found = infer_schema(tables[0])
    assert found["key"].type == "identifier"
    return found


def judged(tables, schema):
    """Return value, reference and baseline of every score."""
    train, made, held = tables
    found = {}
    for name in NAMES:
        found.update(scores(name, train, made, schema, held))
    assert set(found) == SCORES
    return {name: (s.value, s.reference, s.baseline) for name, s in found.items()}


def assert_alike(found, expected, tolerance):
    for name, figures in expected.items():
        for one, two in zip(found[name], figures, strict=True):
            assert one == pytest.approx(two, abs=tolerance), name


@pytest.fixture(scope="module")
def expected(tables, schema):
    return judged(tables, schema)


@pytest.mark.parametrize("name", NAMES)
def test_the_measure_keeps_the_contract(name):
    check_measure(measures.get(name), n_rows=150)


def test_fresh_rows_are_near_the_reference(expected):
    # Four standard deviations of what chance does to 400 rows, over samples of these visits.
    for name, (value, reference, _) in expected.items():
        tolerance = 0.24 if name == "mutual_information" else 0.14
        assert value == pytest.approx(reference, abs=tolerance), name


def test_every_score_has_a_sentence_a_direction_and_a_group(tables, schema):
    for name in NAMES:
        for score in scores(name, *tables[:2], schema, tables[2]).values():
            assert score.group == ("validity" if score.name in NAMES[-4:] else "fidelity")
            assert score.explanation.endswith(".")
            assert score.better in ("lower", "higher", "half")
            assert score.reference_text


def test_the_order_of_rows_and_columns_changes_nothing(tables, schema, expected):
    turned = tuple(
        frame.sample(frac=1, random_state=1)[sorted(frame.columns, reverse=True)]
        for frame in tables
    )
    assert judged(turned, schema) == expected


def test_names_of_columns_change_nothing_beyond_which_random_directions_are_taken(tables, expected):
    for prefix in ("x ", "zz"):
        named = tuple(frame.add_prefix(prefix) for frame in tables)
        assert judged(named, infer_schema(named[0])) == expected
    # Another order of names: other rows are drawn first and folds differ.
    turned = tuple(frame.rename(columns={"age": "zage", "town": "atown"}) for frame in tables)
    assert_alike(judged(turned, infer_schema(turned[0])), expected, 0.06)


def test_other_units_of_numbers_and_a_shift_of_dates_by_weeks_change_nothing(tables, expected):
    def changed(frame):
        return frame.assign(age=frame["age"] * 4 - 100, cost=frame["cost"] / 8 + 2)

    scaled = tuple(changed(frame) for frame in tables)
    assert_alike(judged(scaled, infer_schema(scaled[0])), expected, 1e-6)


def test_swapped_signs_change_nothing_beyond_chance(tables, expected):
    swapped = tuple(frame.assign(age=-frame["age"]) for frame in tables)
    assert_alike(judged(swapped, infer_schema(swapped[0])), expected, 0.06)


def test_shuffled_columns_are_seen_by_measures_of_dependence_and_by_no_others(tables, schema):
    train, made, held = tables
    rng = Streams(5).numpy("shuffle")
    mixed = pd.DataFrame({name: rng.permutation(made[name].array) for name in made})
    found = judged((train, mixed, held), schema)
    for name in ("number_ks", "number_wasserstein", "calendar", "c2st_logistic", "in_range"):
        assert found[name][0] == pytest.approx(found[name][1], abs=0.08), name
    value, reference, baseline = found["mutual_information"]
    assert abs(value - baseline) < 0.1 < reference - value
    value, reference, baseline = found["tvd_3way"]
    assert abs(value - baseline) < 0.05 < value - reference


CONSTANT = pd.DataFrame({"x": [1.0] * 40, "w": ["a"] * 40, "t": pd.Timestamp("2024-01-01")})
KINDS = Schema((Column("x", "number"), Column("w", "category"), Column("t", "datetime")))
DEGENERATE = {
    "constant": (CONSTANT, KINDS),
    "all missing": (CONSTANT.mask(CONSTANT.notna()), KINDS),
    "one column of numbers": (pd.DataFrame({"x": np.arange(40.0)}), Schema(KINDS.columns[:1])),
    "one column of labels": (pd.DataFrame({"w": list("ab") * 20}), Schema(KINDS.columns[1:2])),
    "one row": (CONSTANT.iloc[:1], KINDS),
    "only identifiers": (pd.DataFrame({"id": range(40)}), Schema((Column("id", "identifier"),))),
    "only constants": (CONSTANT, Schema(tuple(Column(n, "constant") for n in CONSTANT))),
}


@pytest.mark.parametrize("holdout", [True, False])
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_tables_have_a_value_or_a_reason(case, holdout, monkeypatch):
    frame, schema = DEGENERATE[case]
    others = [name for name in measures.names() if name not in NAMES]
    members = {name: measures.get(name) for name in NAMES}
    assert others
    monkeypatch.setattr(measures, "_members", members)
    found = evaluate(frame, frame, holdout=frame if holdout else None, schema=schema)
    assert {score.name for score in found.scores} <= SCORES
    assert found.scores
    for score in found.scores:
        assert score.value is not None or score.problem
        assert "computation failed" not in score.problem
        if score.value is not None and case != "one row":
            assert score.value == pytest.approx(score.best, abs=0.15), score.name

"""What the ensemble of membership attacks says where nothing leaks, and how it moves."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree
from scipy.stats import binom

from tabsynth.evaluation.attacks import Attack, attacks
from tabsynth.evaluation.disclosure import Membership, attacked, scene_of, vulnerable_of
from tabsynth.evaluation.verdict import holm
from tabsynth.schema import Column, Schema

LOADINGS = np.random.default_rng(1).normal(size=(2, 6))


def numbers(rng, n):
    """Return rows of which some columns are rounded, so that they are often equal."""
    rows = rng.normal(size=(n, 2)) @ LOADINGS + 0.5 * rng.standard_t(3, size=(n, 6))
    rows[:, 0], rows[:, 1], rows[:, 2] = (
        rows[:, 0].round(),
        rows[:, 1] > 0,
        (2 * rows[:, 2]).round(),
    )
    return rows


def categories(rng, n):
    """Return rows of which most are equal to others."""
    return (rng.integers(0, 3, (n, 1)) + rng.integers(0, 3, (n, 5))).astype(float)


def gaps(rng, n):
    """Return rows of which 30% of the cells are missing."""
    rows = numbers(rng, n)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    return rows


def repeats(rng, n):
    """Return rows of a source that holds each row several times."""
    weights = rng.pareto(1.5, 700) + 0.2
    return numbers(rng, 700)[rng.choice(700, n, p=weights / weights.sum())]


SOURCES = {
    "numbers": (numbers, (400, 400, 400)),
    "categories only": (categories, (400, 400, 400)),
    "missing cells": (gaps, (400, 400, 400)),
    "repeated rows": (repeats, (400, 400, 400)),
    "five to one": (numbers, (500, 300, 100)),
    "one to five": (numbers, (100, 300, 500)),
}


def framed(rows):
    return pd.DataFrame(rows, columns=[f"c{place}" for place in range(rows.shape[1])])


def test_fresh_rows_are_significant_no_more_often_than_said(comparison):
    p_values, leaks, draws = {}, 0, 20
    for number in range(draws * len(SOURCES)):
        name = list(SOURCES)[number % len(SOURCES)]
        draw, sizes = SOURCES[name]
        rows = np.split(draw(np.random.default_rng(number), sum(sizes)), np.cumsum(sizes)[:2])
        frames = [framed(part) for part in rows]
        kind = "category" if draw is categories else "number"
        schema = Schema(tuple(Column(column, kind) for column in frames[0]))
        compared = comparison(*frames, schema)
        outcomes = attacked(scene_of(compared), vulnerable_of(compared))
        findings = [o.finding(rows) for rows, some in outcomes.items() for o in some]
        for finding in findings:
            p_values.setdefault(finding.attack, []).append(finding.p_value)
        leaks += holm(findings)[0].adjusted <= 0.05
    total = draws * len(SOURCES)
    assert total >= 100
    assert len(p_values) == 2 * len(attacks.names())
    # One attack among fourteen exceeds this by chance with a probability below 0.002.
    most = binom.ppf(1 - 1e-4, total, 0.05)
    counts = {attack: int((np.array(p) <= 0.05).sum()) for attack, p in p_values.items()}
    assert all(count <= most for count in counts.values()), counts
    assert leaks / total <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / total)


@pytest.fixture(scope="module")
def people(sample):
    return {name: sample(1200, name) for name in ("train", "made", "holdout")}


def judged(comparison, train, made, holdout, schema=None):
    extra = () if schema is None else (schema,)
    return Membership().measure(comparison(train, made, holdout, *extra))


def findings_of(scores):
    return [finding for score in scores for finding in score.findings]


def test_every_attack_has_one_finding_for_all_rows_and_one_for_the_most_vulnerable(
    comparison, people
):
    scores = judged(comparison, *people.values())
    found = findings_of(scores)
    titles = {kind.title for _, kind in attacks.items()}
    populations = ("all rows", "the most vulnerable 5% of rows")
    expected = {f"{title}, on {rows}" for title in titles for rows in populations}
    assert {finding.attack for finding in found} == expected
    assert len(found) == len(expected)
    assert {(f.principle, f.level) for f in found} == {("membership", 2)}
    assert [score.name for score in scores] == [
        "membership_auc", "membership_tpr", "membership_vulnerable_tpr"
    ]  # fmt: skip


def test_more_copies_never_lower_the_risk(comparison, people):
    train, made, holdout = people.values()
    least, areas, reached = [], [], []
    for copies in (0, 12, 24, 60, 120, 300, 600, 1200):
        mixed = pd.concat([train.iloc[:copies], made.iloc[copies:]], ignore_index=True)
        area, found, _ = judged(comparison, train, mixed, holdout)
        nearest = area.details["attacks"]["nearest synthetic row"]
        least.append(min(finding.p_value for finding in area.findings))
        areas.append(nearest["auc"])
        reached.append(found.value)
    assert least[2] < 0.05 / 30
    assert all(later <= before for before, later in pairwise(least[2:]))
    # Fresh rows that lay near a training row by chance give way to copies.
    assert (np.diff(areas) > -0.01).all()
    assert (np.diff(reached) > -0.01).all()
    assert reached[-1] > 0.99


def test_the_result_is_mirrored_if_training_rows_and_holdout_are_swapped(comparison, people):
    train, made, holdout = people.values()
    mixed = pd.concat([train.iloc[:300], made.iloc[300:]], ignore_index=True)
    one = judged(comparison, train, mixed, holdout)
    other = judged(comparison, holdout, mixed, train)
    there, back = (s[0].details["attacks"]["nearest synthetic row"]["auc"] for s in (one, other))
    assert there > 0.6
    assert back == pytest.approx(1 - there, abs=0.002)
    assert min(finding.p_value for finding in findings_of(other)) > 0.05 / 14
    assert one[0].details["p_reversed"] > 0.001 > other[0].details["p_reversed"]


def scaled(frame):
    """Return the table in other units, in another order, under other names."""
    other = frame.assign(income=frame["income"] * 7.3 + 11, age=frame["age"] * 2)
    names = {"age": "z_age", "income": "a_income", "town": "m_town"}
    return other.rename(columns=names)[["m_town", "seen", "ill", "z_age", "smokes", "a_income"]]


def test_units_names_and_orders_change_nothing_beyond_the_interval(comparison, people, mixed):
    train, made, holdout = people.values()
    leaky = pd.concat([train.iloc[:200], made.iloc[200:]], ignore_index=True)
    schema = Schema(
        tuple(
            Column({"age": "z_age", "income": "a_income", "town": "m_town"}.get(c.name, c.name),
                   c.type, parameters=c.parameters)
            for c in mixed
        )
    )  # fmt: skip
    before = judged(comparison, train, leaky, holdout)
    after = judged(comparison, *(scaled(f)[::-1] for f in (train, leaky, holdout)), schema)
    for one, other in zip(before, after, strict=True):
        assert one.interval.low <= other.value <= one.interval.high
        assert other.interval.low <= one.value <= other.interval.high
    same = judged(comparison, *(f.sample(frac=1, random_state=1) for f in (train, leaky, holdout)))
    assert [score.to_dict() for score in same] == [score.to_dict() for score in before]


class Broken(Attack):
    title = "broken"

    def score(self, scene):
        raise ValueError("secret cell")


class Uneven(Attack):
    title = "uneven"

    def score(self, scene):
        return np.zeros(3)


class Endless(Attack):
    title = "endless"
    needs_reference = False

    def score(self, scene):
        return np.full(len(scene.candidates), np.inf)


@pytest.mark.parametrize("kind", [Broken, Uneven, Endless])
def test_an_attack_that_fails_leaves_the_others_and_shows_no_cell(
    comparison, people, monkeypatch, kind
):
    attacks.names()  # so that all members are known before one is added
    monkeypatch.setitem(attacks._members, "broken", kind)
    scores = judged(comparison, *people.values())
    failed = [finding for finding in findings_of(scores) if finding.p_value is None]
    assert [finding.attack.partition(",")[0] for finding in failed] == [kind.title] * 2
    assert all(finding.problem and "secret" not in finding.problem for finding in failed)
    assert len(findings_of(scores)) == 2 * len(attacks.names())
    assert all(score.value is not None for score in scores)


def test_figures_are_absent_where_every_attack_fails(comparison, people, monkeypatch):
    attacks.names()
    for name in list(attacks._members):
        monkeypatch.delitem(attacks._members, name)
    monkeypatch.setitem(attacks._members, "uneven", Uneven)
    scores = judged(comparison, *people.values())
    assert all(score.value is None for score in scores)
    assert all("No attack could be run" in score.problem for score in scores)


def test_a_few_near_copied_outliers_show_among_the_most_vulnerable_rows(comparison, streams):
    rng = streams.numpy("outliers")
    train, made, holdout = (rng.standard_t(3, size=(2000, 8)) for _ in range(3))
    far = np.argsort(-cKDTree(train).query(train, 6)[0].mean(axis=1))[:25]
    made[:25] = train[far] + 0.01 * train.std(axis=0) * rng.normal(size=(25, 8))
    schema = Schema(tuple(Column(f"c{place}", "number") for place in range(8)))
    _, whole, vulnerable = judged(comparison, *map(framed, (train, made, holdout)), schema)
    assert vulnerable.value > 0.1 > 0.05 > whole.value
    least = min(finding.p_value for finding in vulnerable.findings)
    assert least < 0.05 / 14
    assert vulnerable.details["members"] + vulnerable.details["non_members"] <= 200


def test_rates_at_a_threshold_chosen_on_one_half_are_judged_on_the_other(comparison, people):
    train, made, holdout = people.values()
    leaky = pd.concat([train.iloc[:240], made.iloc[240:]], ignore_index=True)
    halves = judged(comparison, train, leaky, holdout)[1].details["attacks"][
        "nearest synthetic row"
    ]["halves"]
    assert halves["tpr_low"] <= halves["tpr"] <= halves["tpr_high"]
    assert halves["fpr_low"] <= 0.01 <= halves["fpr_high"]
    assert halves["tpr_low"] > halves["fpr_high"]


def test_the_curve_rises_to_what_is_found_at_one_percent(comparison, people):
    train, made, holdout = people.values()
    found = judged(comparison, train, train, holdout)[1]
    assert found.details["roc"]["fpr"][0] >= 0.001
    assert min(found.details["roc"]["tpr"]) > 0.95
    fresh = judged(comparison, train, made, holdout)[1].details["roc"]
    assert fresh["tpr"] == sorted(fresh["tpr"])
    np.testing.assert_allclose(fresh["tpr"], fresh["fpr"], atol=0.05)


def test_one_in_a_thousand_is_told_where_there_are_ten_such_rows(monkeypatch, comparison, sample):
    monkeypatch.setattr("tabsynth.evaluation.outcome.RARE", 0.02)
    monkeypatch.setattr("tabsynth.evaluation.disclosure.attacked", partial(attacked, quick=True))
    scores = judged(comparison, *(sample(600, name) for name in "abc"))
    attack = scores[1].details["attacks"]["nearest synthetic row"]
    assert attack["rare"]["rate"] == 0.02
    assert attack["rare"]["tpr_low"] <= 0.02 <= attack["rare"]["tpr_high"]
    assert "rare" not in scores[2].details["attacks"]["nearest synthetic row"]

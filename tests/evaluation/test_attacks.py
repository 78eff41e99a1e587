from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.advantage import advantage
from tabsynth.evaluation.attacks import attacks
from tabsynth.evaluation.attacks.density import log_density, principal_axes
from tabsynth.evaluation.attacks.subsets import association, choose
from tabsynth.evaluation.disclosure import scene_of
from tabsynth.evaluation.frame import Table
from tabsynth.evaluation.vulnerable import SHARE, loneliness, most_vulnerable
from tabsynth.schema import Column, Schema


@pytest.fixture(scope="module")
def scene(comparison, sample):
    """The synthetic rows are the training rows with small changes."""
    train = sample(2000, "train")
    made = train.assign(income=train["income"] + 5)
    return scene_of(comparison(train, made, sample(1800, "holdout")))


def test_a_scene_has_each_real_row_once(scene):
    assert (scene.n_members, scene.n_others, len(scene.reference)) == (2000, 900, 900)
    held = scene.candidates.take(slice(scene.n_calibrated, None))
    np.testing.assert_array_equal(held.codes, scene.reference.codes)


@pytest.mark.parametrize("name", attacks.names())
def test_an_attack_scores_every_candidate_and_finds_changed_copies(scene, name):
    kind = attacks.get(name)
    scores = kind().score(scene)
    n = scene.n_calibrated if kind.needs_reference else len(scene.candidates)
    assert scores.shape == (n,)
    assert np.isfinite(scores).all()
    assert kind.title
    assert advantage(scores[:2000], scores[2000:]) < 0.01


@pytest.mark.parametrize("name", attacks.names())
def test_an_attack_does_not_look_at_who_is_a_training_row(scene, name, streams):
    mixed = np.arange(len(scene.candidates))
    mixed[: scene.n_calibrated] = streams.numpy("mix").permutation(scene.n_calibrated)
    other = replace(scene, candidates=scene.candidates.take(mixed))
    before, after = attacks.get(name)().score(scene), attacks.get(name)().score(other)
    np.testing.assert_allclose(after, before[mixed[: len(before)]], rtol=1e-3, atol=1e-3)


def test_copied_halves_of_rows_are_found_in_subsets_of_columns(comparison, streams):
    rng = streams.numpy("halves")
    train, holdout = (
        pd.DataFrame(rng.normal(size=(1500, 8)) @ rng.normal(size=(8, 8))) for _ in range(2)
    )
    mixed = pd.concat(
        [train.iloc[rng.permutation(1500), part].reset_index(drop=True)
         for part in (slice(0, 4), slice(4, 8))], axis=1
    )  # fmt: skip
    frames = [f.rename(columns=lambda c: f"c{c}") for f in (train, mixed, holdout)]
    schema = Schema(tuple(Column(f"c{c}", "number") for c in range(8)))
    scene = scene_of(comparison(*frames, schema))
    scores = attacks.get("subsets")().score(scene)
    assert advantage(scores[:1500], scores[1500:]) < 1e-6


def test_columns_that_belong_together_are_in_one_subset(comparison, streams):
    rng = streams.numpy("columns")
    base = rng.normal(size=(1000, 3))
    frame = pd.DataFrame(
        {f"{group}{k}": base[:, group] + 0.1 * rng.normal(size=1000)
         for group in range(3) for k in range(3)}
    )  # fmt: skip
    schema = Schema(tuple(Column(name, "number") for name in frame))
    table = comparison(frame, frame, frame, schema).train
    together = association(table, np.arange(9))
    assert together[0, 1] > 0.5 > 0.2 > together[0, 3]
    subsets = [set(part) for part in choose(table, rng)]
    assert any(part in ({0, 1, 2}, {3, 4, 5}, {6, 7, 8}) for part in subsets)
    assert all(len(part) >= 3 for part in subsets)


def test_columns_that_never_vary_are_in_no_subset(comparison):
    frame = pd.DataFrame({"a": [1.0, 2.0] * 50, "b": [1.0] * 100})
    schema = Schema((Column("a", "number"), Column("b", "number")))
    table = comparison(frame, frame, frame, schema).train
    assert [list(part) for part in choose(table, np.random.default_rng(0))] == [[0]]
    assert choose(table.take(slice(1)), np.random.default_rng(0)) == []


def test_the_kernel_density_is_that_of_the_formula(streams):
    rng = streams.numpy("density")
    queries, points = rng.normal(size=(2, 40, 3)).astype(np.float32)
    width = 40 ** (-1 / 7)
    gaps = ((queries[:, None] - points[None]) ** 2).sum(axis=2) / width**2
    expected = np.log(np.exp(-gaps / 2).mean(axis=1))
    np.testing.assert_allclose(log_density(queries, points), expected, rtol=1e-4, atol=1e-4)


def test_principal_axes_have_unit_variance_and_leave_out_what_is_constant(streams):
    points = streams.numpy("axes").normal(size=(500, 4)).astype(np.float32) * [3, 2, 1, 0]
    axes, centre = principal_axes(points.astype(np.float32), 8)
    assert axes.shape == (4, 3)
    np.testing.assert_allclose(((points - centre) @ axes).std(axis=0), 1, rtol=1e-3)


def test_rows_that_lie_alone_are_the_most_vulnerable(streams):
    rng = streams.numpy("alone")
    points = rng.normal(size=(1000, 3)).astype(np.float32)
    points[[5, 500]] = [[30, 30, 30], [-30, 0, 0]]
    lonely = loneliness(points, rng)
    assert set(np.argsort(-lonely)[:2]) == {5, 500}
    chosen = most_vulnerable(points, rng)
    assert chosen.sum() == SHARE * 1000
    assert chosen[[5, 500]].all()


def test_a_row_is_not_its_own_neighbour_and_equal_rows_are_chosen_by_chance(streams):
    points = np.repeat(np.eye(3, dtype=np.float32), 100, axis=0)
    assert (loneliness(points, streams.numpy("a")) == 0).all()
    assert loneliness(np.array([[0.0], [1.0]], dtype=np.float32), streams.numpy("a"))[0] == 1
    chosen = most_vulnerable(points, streams.numpy("b"))
    assert len(set(np.flatnonzero(chosen) // 100)) == 3


def test_rows_of_the_same_codes_score_alike(scene):
    twice = np.concatenate([scene.candidates.codes[:1], scene.candidates.codes[:-1]])
    other = replace(scene, candidates=Table(scene.candidates.features, twice))
    for name in attacks.names():
        scores = attacks.get(name)().score(other)
        assert scores[0] == pytest.approx(scores[1], abs=1e-4)

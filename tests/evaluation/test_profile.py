from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.profile import pairs, profiles
from tabsynth.schema import Column, Schema


def profile_of(comparison, kind, real, synthetic, holdout=None, **parameters):
    schema = Schema((Column("x", kind, parameters=parameters),))
    frames = [pd.DataFrame({"x": cells}) for cells in (real, synthetic)]
    other = None if holdout is None else pd.DataFrame({"x": holdout})
    return profiles(comparison(*frames, other, schema), schema, frames[0])[0]


def test_every_column_has_a_profile_in_the_order_of_the_schema(comparison, sample, mixed):
    train = sample(400, "a")
    drawn = profiles(comparison(train, sample(400, "b"), sample(400, "c")), mixed, train)
    assert [profile.name for profile in drawn] == mixed.names
    for profile in drawn:
        assert len(profile.cells) == len(profile.real) == len(profile.synthetic) <= 30
        assert sum(profile.real) == pytest.approx(1)
        assert sum(profile.synthetic) == pytest.approx(1)
        assert 0 < profile.tvd < 0.3
        assert 0 < profile.reference < 0.3
        n_edges = len(profile.cells) - ("missing" in profile.cells) + 1
        assert len(profile.edges) == (n_edges if profile.measure == "continuous" else 0)
        assert list(profile.edges) == sorted(set(profile.edges))


def test_intervals_have_round_edges_and_open_ends(comparison):
    real = [*np.arange(0, 1000), 5000]
    profile = profile_of(comparison, "number", real, [-700, *range(0, 1000)])
    assert profile.cells[:2] == ("below 0", "[0, 50)")
    assert profile.cells[-1] == "1000 and above"
    assert profile.synthetic[0] == pytest.approx(1 / 1001)
    assert profile.real[-1] == pytest.approx(1 / 1001)
    assert profile.real[1] == pytest.approx(50 / 1001)


def test_few_numbers_have_a_cell_each(comparison):
    profile = profile_of(comparison, "number", [1, 2, 2, 4] * 5, [1, 2, 4, 4] * 5)
    assert profile.cells == ("1", "2", "4")
    assert profile.edges == (0.5, 1.5, 3.0, 4.5)
    assert profile.real == (0.25, 0.5, 0.25)
    assert profile.synthetic == (0.25, 0.25, 0.5)


def test_dates_are_cut_at_whole_days_and_written_as_dates(comparison):
    days = pd.date_range("2020-01-01", periods=600).strftime("%Y-%m-%d").tolist()
    profile = profile_of(comparison, "datetime", days, days, format="%Y-%m-%d")
    assert profile.cells[1].startswith("[2020-")
    assert (np.diff(profile.edges) == 30 * 86_400e6).all()


def test_the_tail_of_many_categories_is_other(comparison):
    real = [f"c{k:02}" for k in range(40) for _ in range(40 - k)]
    profile = profile_of(comparison, "category", real, [*real, "new", None])
    assert profile.cells[0] == "c00"
    assert profile.cells[-2:] == ("(other)", "missing")
    assert len(profile.cells) == 30
    assert profile.synthetic[-1] == pytest.approx(1 / (len(real) + 2))


def test_columns_that_are_never_compared_are_listed(comparison):
    schema = Schema((Column("id", "identifier"), Column("x", "number"), Column("note", "text")))
    frame = pd.DataFrame({"id": ["a", "b"], "x": [1, 2], "note": ["c", "d"]})
    drawn = profiles(comparison(frame, frame, frame, schema), schema, frame)
    assert [profile.measure for profile in drawn] == ["none", "continuous", "none"]
    assert drawn[0].cells == ()
    assert drawn[2].treatment


def test_all_missing_and_constant_columns_are_drawn(comparison):
    empty = profile_of(comparison, "number", [None] * 5, [None] * 5)
    assert (empty.cells, empty.real) == (("missing",), (1.0,))
    constant = profile_of(comparison, "number", [3.5] * 5, [3.5, 3.5, 9.0])
    assert (constant.cells, constant.synthetic) == (("3.5",), (1.0,))


def test_pairs_are_a_symmetric_matrix_in_the_order_of_the_schema(comparison, sample, mixed):
    compared = comparison(sample(300, "a"), sample(300, "b"), sample(300, "c"))
    found = pairs(compared, mixed)
    matrix = np.array(found.tvd)
    assert list(found.columns) == mixed.names
    assert (matrix == matrix.T).all()
    assert (np.diag(matrix) == 0).all()
    assert (matrix + np.eye(6) > 0).all()


def test_of_many_columns_the_pairs_of_the_worst_are_kept(comparison, sample, mixed, monkeypatch):
    monkeypatch.setattr("tabsynth.evaluation.profile.MOST_COLUMNS", 3)
    monkeypatch.setattr("tabsynth.evaluation.cells.MOST_PAIRS", 12)
    made = sample(300, "b").assign(town="z", income=0.5)
    found = pairs(comparison(sample(300, "a"), made, sample(300, "c")), mixed)
    assert len(found.columns) == 3
    assert {"town", "income"} <= set(found.columns)
    assert (np.array(found.tvd) + np.eye(3) > 0).all()


def test_the_worst_pairs_are_kept_as_joint_distributions(comparison, sample, mixed):
    train, holdout = sample(900, "a"), sample(600, "c")
    made = sample(900, "b").assign(ill="ill")  # what was ill or well is all ill
    found = pairs(comparison(train, made, holdout), mixed)
    beyond = [joint.tvd - joint.reference for joint in found.worst]
    assert len(found.worst) == 10
    assert beyond == sorted(beyond, reverse=True)
    assert all("ill" in (joint.first, joint.second) for joint in found.worst[:5])
    places = {name: place for place, name in enumerate(found.columns)}
    for joint in found.worst:
        assert joint.tvd == found.tvd[places[joint.first]][places[joint.second]]
    for joint in found.worst:
        real, synthetic = np.array(joint.real), np.array(joint.synthetic)
        assert real.shape == synthetic.shape == (len(joint.first_cells), len(joint.second_cells))
        assert max(real.shape) <= 9
        assert real.sum() == pytest.approx(1, abs=1e-4)
        assert synthetic.sum() == pytest.approx(1, abs=1e-4)
    joint = next(x for x in found.worst if {x.first, x.second} == {"town", "ill"})
    assert joint.second_cells == ("ill", "well")
    for place, town in enumerate(joint.first_cells):
        here = holdout["town"] == town
        shares = [(here & (holdout["ill"] == word)).mean() for word in ("ill", "well")]
        assert joint.real[place] == pytest.approx(shares, abs=1e-6)
    assert np.array(joint.synthetic)[:, 1].sum() == 0


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (range(80), ("below 10", *(f"[{k}, {k + 10})" for k in range(10, 70, 10)), "70 and above")),
        ([0] * 190 + list(range(1, 20)), ("below 1", "1 and above")),
        ([1, 2, 2, None], ("1", "2", "missing")),
        (
            [f"c{k}" for k in range(12) for _ in range(12 - k)],
            (*(f"c{k}" for k in range(7)), "(other)"),
        ),
    ],
)
def test_a_joint_distribution_has_few_cells_with_names(comparison, cells, names):
    kind = "category" if isinstance(next(iter(cells)), str) else "number"
    schema = Schema((Column("x", kind), Column("y", "category")))
    cells = list(cells)
    frame = pd.DataFrame(
        {"x": cells, "y": ["a", "b"] * (len(cells) // 2) + ["a"] * (len(cells) % 2)}
    )
    joint = pairs(comparison(frame, frame, frame, schema), schema).worst[0]
    assert joint.first_cells == names
    assert joint.real == joint.synthetic


def test_without_a_holdout_the_worst_pairs_are_those_with_the_greatest_distance(
    comparison, sample, mixed
):
    found = pairs(comparison(sample(300, "a"), sample(300, "b"), None), mixed)
    distances = [joint.tvd for joint in found.worst]
    assert distances == sorted(np.array(found.tvd)[np.triu_indices(6, 1)], reverse=True)[:10]
    assert {joint.reference for joint in found.worst} == {None}

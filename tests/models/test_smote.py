"""SMOTE lies between neighbours, says that it is not private, and is refused under a budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth import deidentify
from tabsynth.encoding import Block, EncodedTable, Layout
from tabsynth.errors import PrivacyError
from tabsynth.models.smote import Smote, SmoteParameters
from tabsynth.plan import make_plan
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.synthesizer import Synthesizer
from tabsynth.testing import check_encoded


def drawn(table, n=5_000, **values):
    return (
        Smote(SmoteParameters(**values))
        .fit(ExactTrainingData(table), Streams(1))
        .sample(n, Streams(2))
    )


@pytest.fixture(scope="module")
def circle():
    rng = np.random.Generator(np.random.PCG64(1))
    angle = rng.uniform(0, 2 * np.pi, 1_000)
    layout = Layout((Block("x", 1, (True,)), Block("y", 1, (True,)), Block("half", 2)))
    offsets = 0.9 * np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    codes = np.zeros((1_000, 3), dtype=np.int32)
    codes[:, 2] = angle < np.pi
    return EncodedTable(codes, offsets, layout)


def test_rows_lie_between_neighbours(circle):
    made = drawn(circle)
    assert np.hypot(*made.offsets.T) == pytest.approx(0.9, abs=0.05)
    assert (made.codes[:, 2] == (made.offsets[:, 1] > 0)).mean() > 0.98


def test_shares_of_codes_come_back(dependent):
    made = drawn(dependent, 20_000)
    for block in range(4):
        real, ours = (np.bincount(t.codes[:, block]) / len(t) for t in (dependent, made))
        assert np.abs(real - ours).max() < 0.02


def test_a_row_is_not_its_own_neighbour(circle):
    model = Smote().fit(ExactTrainingData(circle), Streams(1))
    assert (model._near != np.arange(len(circle))[:, None]).all()


def test_odd_tables_are_learnt(odd_table):
    check_encoded(drawn(odd_table, 50))


def test_many_categories_are_compared_too():
    rng = np.random.Generator(np.random.PCG64(1))
    codes = rng.integers(0, 500, (2_000, 1)).repeat(2, axis=1).astype(np.int32)
    table = EncodedTable(codes, np.zeros((2_000, 0), np.float32), Layout((Block("a", 500),) * 2))
    made = drawn(table)
    assert (made.codes[:, 0] == made.codes[:, 1]).mean() > 0.7


class Budgeted(ExactTrainingData):
    def table(self):
        raise PrivacyError("Rows are not to be had under a budget.")


def test_it_is_refused_under_a_budget(circle):
    with pytest.raises(PrivacyError):
        Smote().fit(Budgeted(circle), Streams(1))


def test_plan_report_card_and_model_file_say_that_it_is_not_private(tmp_path):
    rng = np.random.Generator(np.random.PCG64(1))
    table = pd.DataFrame({"x": rng.normal(size=300).round(2), "y": rng.choice(list("abc"), 300)})
    assert any("not private" in notice for notice in make_plan(table, model="smote").notices)
    result = deidentify(table, model="smote", seed=3)
    assert "not private: it interpolates real rows" in result.report()
    assert "not private: it interpolates real rows" in result.card()
    result.synthesizer.save(tmp_path / "smote.model")
    from tabsynth.artifact import read_artifact

    assert "not private" in read_artifact(tmp_path / "smote.model").manifest["privacy"]


@pytest.mark.parametrize("rows", [10, 5_000])
def test_auto_never_takes_it(rows):
    assert Synthesizer().choose(rows).model != "smote"

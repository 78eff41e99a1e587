"""The baseline keeps marginals and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.encoding import EncodedTable, Layout
from tabsynth.models.independent import Independent
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.testing import check_encoded, check_model


@pytest.fixture(scope="module")
def made(dependent):
    return Independent().fit(ExactTrainingData(dependent), Streams(1)).sample(20_000, Streams(2))


def test_it_keeps_the_contract_of_a_model():
    check_model(Independent)


@pytest.mark.parametrize("block", range(4))
def test_shares_of_codes_come_back(dependent, made, block):
    real, ours = (np.bincount(t.codes[:, block]) / len(t) for t in (dependent, made))
    assert np.abs(real - ours).max() < 5 * 0.5 / len(made) ** 0.5


def test_dependence_between_columns_is_gone(made):
    first, second = (np.bincount(made.codes[:, block]) / len(made) for block in (0, 1))
    assert (made.codes[:, 0] == made.codes[:, 1]).mean() == pytest.approx(
        (first * second).sum(), abs=0.02
    )


def test_the_parts_of_one_number_stay_within_their_layout(made):
    check_encoded(made)


def test_a_layout_without_blocks_gives_rows_without_columns():
    model = Independent().fit(ExactTrainingData(EncodedTable.empty(3, Layout(()))), Streams(1))
    assert model.sample(5, Streams(1)).codes.shape == (5, 0)

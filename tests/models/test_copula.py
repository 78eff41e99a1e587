"""The copula keeps margins and linear dependence."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.encoding import Block, EncodedTable, Layout
from tabsynth.models.copula import Copula, CopulaParameters, correlations
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.testing import check_encoded

N = 4_000


def normal(rho, cuts=(None, None), seed=1):
    """Return a table of two normal numbers as ranks, each cut into so many codes where asked."""
    from scipy.special import ndtr

    rng = np.random.Generator(np.random.PCG64(seed))
    z = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], N)
    blocks, codes, offsets = [], [], []
    for place, n in enumerate(cuts):
        share = ndtr(z[:, place])
        if n is None:
            blocks.append(Block(f"x{place}", 1, (True,)))
            codes.append(np.zeros(N))
            offsets.append(2 * share - 1)
        else:
            blocks.append(Block(f"x{place}", n, ordinal=True))
            codes.append(np.floor(share * n))
    columns = np.stack(offsets, axis=1) if offsets else np.zeros((N, 0))
    return EncodedTable(
        np.stack(codes, axis=1).astype(np.int32), columns.astype(np.float32), Layout(tuple(blocks))
    )


def drawn(table, **values):
    return (
        Copula(CopulaParameters(**values))
        .fit(ExactTrainingData(table), Streams(1))
        .sample(20_000, Streams(2))
    )


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.5, 0.95])
def test_the_correlation_of_two_numbers_comes_back(rho):
    made = drawn(normal(rho)).offsets
    # Spearman's rho of a normal pair is 6 / pi * arcsin(rho / 2); sampling gives 0.01.
    expected = 6 / np.pi * np.arcsin(rho / 2)
    assert np.corrcoef(made.T)[0, 1] == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("rho", [-0.5, 0.3, 0.6])
def test_the_correlation_of_coarse_codes_comes_back(rho):
    table = normal(rho, (3, 4))
    real, made = (np.corrcoef(t.codes.T)[0, 1] for t in (table, drawn(table)))
    assert made == pytest.approx(real, abs=0.05)


def test_shrinkage_of_one_makes_columns_independent():
    assert abs(np.corrcoef(drawn(normal(0.9), shrinkage=1.0).offsets.T)[0, 1]) < 0.03


@pytest.mark.parametrize("block", range(4))
def test_shares_of_codes_come_back(dependent, block):
    real, ours = (np.bincount(t.codes[:, block]) / len(t) for t in (dependent, drawn(dependent)))
    assert np.abs(real - ours).max() < 0.015


def test_values_that_few_rows_share_do_not_come_back():
    table = normal(0.5)
    made = drawn(table)
    assert np.isin(made.offsets, table.offsets).mean() < 0.005


def test_correlations_of_more_columns_than_rows_are_mended():
    rng = np.random.Generator(np.random.PCG64(1))
    layout = Layout(tuple(Block(f"x{i}", 1, (True,)) for i in range(60)))
    offsets = rng.uniform(-1, 1, (20, 60)).astype(np.float32)
    table = EncodedTable(np.zeros((20, 60), np.int32), offsets, layout)
    made = drawn(table)
    check_encoded(made)
    assert (made.offsets.std(axis=0) > 0.2).all()


def test_a_column_that_does_not_vary_correlates_with_nothing():
    scores = np.stack([np.linspace(-1, 1, 50), np.zeros(50)], axis=1)
    assert correlations(scores).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_odd_tables_are_learnt(odd_table):
    check_encoded(drawn(odd_table))

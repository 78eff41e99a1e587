"""Training by sampling: which conditions there are, how often they come, which rows fulfil them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabsynth.encoding import Given
from tabsynth.models.neural.conditions import Conditions, draw_conditions, rarest_condition
from tabsynth.models.neural.spans import Spans
from tabsynth.random import Streams
from tabsynth.testing import toy_table


@pytest.fixture
def spans(dependent):
    return Spans(dependent.layout, torch.device("cpu"))


@pytest.fixture
def index(dependent, spans):
    return spans.index(dependent.codes)


def test_every_code_of_every_discrete_block_has_a_condition_in_the_span_of_its_block(index, spans):
    conditions = Conditions(index, spans)
    begin = spans.starts[conditions.columns]
    codes = conditions.positions - begin
    assert ((codes >= 0) & (codes < spans.sizes[conditions.columns])).all()
    assert len(conditions.positions.unique()) == len(conditions) == 8


def test_blocks_with_offsets_children_refined_ones_and_single_codes_have_none():
    table = toy_table(50)
    spans = Spans(table.layout, torch.device("cpu"))
    conditions = Conditions(spans.index(table.codes), spans)
    assert spans.order[conditions.columns.unique().numpy()].tolist() == [0]


def test_rows_drawn_for_a_condition_fulfil_it_and_all_that_do_are_drawn(index, spans):
    conditions = Conditions(index, spans)
    generator = Streams(1).torch("rows")
    for number in range(len(conditions)):
        rows = conditions.rows(torch.full((20_000,), number), generator)
        column, position = conditions.columns[number], conditions.positions[number]
        assert (index[rows, column] == position).all()
        assert len(rows.unique()) > 0.99 * int(conditions.counts[number])


def test_drawn_conditions_follow_frequency_or_its_logarithm(dependent, index, spans):
    conditions = Conditions(index, spans)
    generator = Streams(1).torch("conditions")
    rank = int(spans.column[0])
    real = np.bincount(dependent.codes[:, 0]) / len(dependent)
    logarithmic = np.log1p(np.bincount(dependent.codes[:, 0]))
    for flag, wanted in ((False, real), (True, logarithmic / logarithmic.sum())):
        edges = conditions.weights(logarithmic=flag).cumsum(0)
        assert float(edges[-1]) == pytest.approx(1)
        drawn = draw_conditions(60_000, edges, generator)
        of_rank = conditions.positions[drawn[conditions.columns[drawn] == rank]]
        assert len(of_rank) / 60_000 == pytest.approx(1 / 3, abs=0.01)
        shares = np.bincount((of_rank - spans.starts[rank]).numpy(), minlength=3) / len(of_rank)
        assert shares == pytest.approx(wanted, abs=0.01)


def test_a_code_that_no_row_has_is_never_a_condition(index, spans):
    column = int(spans.column[3])
    some = index[index[:, column] == spans.starts[column]]
    conditions = Conditions(some, spans)
    edges = conditions.weights(logarithmic=True).cumsum(0)
    drawn = draw_conditions(5_000, edges, Streams(1).torch("conditions"))
    assert (conditions.counts[drawn] > 0).all()


def test_only_codes_that_are_very_rare_are_asked_for_and_of_these_the_rarest(
    dependent, spans, index
):
    conditions = Conditions(index, spans)
    shares = conditions.weights(logarithmic=False).numpy()
    names = [
        (int(spans.order[column]), int(position - spans.starts[column]))
        for column, position in zip(conditions.columns, conditions.positions, strict=True)
    ]
    rank, label = names.index((0, 2)), names.index((3, 1))
    shares[rank], shares[label] = 2e-4 / 3, 1e-4 / 3  # three blocks have conditions
    given = Given(dependent, np.zeros(dependent.codes.shape, dtype=bool))
    given.known[:, [0, 3]] = True
    aims = rarest_condition(given, shares, spans.column)
    both = (dependent.codes[:, 0] == 2, dependent.codes[:, 3] == 1)
    assert (aims[both[1]] == label).all()
    assert (aims[both[0] & ~both[1]] == rank).all()
    assert (aims[~both[0] & ~both[1]] == -1).all()
    given.known[:] = False
    assert (rarest_condition(given, shares, spans.column) == -1).all()

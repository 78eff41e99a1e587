"""What rows must hold: compared by bins, put in exactly."""

import numpy as np
import pytest

from tabsynth.encoding import Block, EncodedTable, Given, Layout
from tabsynth.encoding.given import CELLS, compared, distinct
from tabsynth.testing import toy_requests, toy_table


@pytest.fixture(scope="module")
def table():
    return toy_table(60)


def test_what_is_given_is_put_in_and_nothing_else_changes(table):
    given = toy_requests(table, 60)["rows given in different blocks"]
    other = toy_table(60, seed=1)
    made = given.impose(other)
    assert (made.codes == np.where(given.known, table.codes, other.codes)).all()
    moved = given.known[:, table.layout.offset_blocks]
    assert (made.offsets == np.where(moved, table.offsets, other.offsets)).all()


def test_rows_given_alike_are_one_pattern_whatever_they_hold_elsewhere(table):
    known = np.zeros(table.codes.shape, dtype=bool)
    known[:, 0] = True
    patterns, which = Given(table, known).patterns()
    assert len(patterns) == 3
    assert (patterns.table.codes[which, 0] == table.codes[:, 0]).all()


def test_the_same_code_with_another_offset_or_not_given_is_another_pattern(table):
    known = np.zeros(table.codes.shape, dtype=bool)
    known[:20, 5] = True
    patterns, which = Given(table, known).patterns()
    assert len(patterns) == 21
    assert len(set(which[20:])) == 1
    assert (patterns.table.offsets[which[:20], -1] == table.offsets[:20, -1]).all()


def test_a_bin_is_compared_without_the_position_inside_and_a_component_with_it():
    layout = Layout((Block("bin", 2, (True, True), ordinal=True), Block("mode", 2, (True, False))))
    codes = np.array([[1, 0], [1, 0], [1, 0], [1, 1]], dtype=np.int32)
    offsets = np.array([[-1, -1], [1, -1 + 1 / CELLS], [0, 1], [0, 0]], dtype=np.float32)
    keys = compared(EncodedTable(codes, offsets, layout))
    assert keys[:, 0].tolist() == [1, 1, 1, 1]
    assert keys[:, 1].tolist() == [0, 0, CELLS - 1, CELLS]


def test_a_block_given_without_the_one_that_it_refines_is_refused(table):
    known = np.zeros(table.codes.shape, dtype=bool)
    known[:, 3] = True
    with pytest.raises(ValueError, match="parent"):
        Given(table, known)


def test_distinct_rows_of_no_columns_are_all_the_same():
    first, which = distinct(np.zeros((5, 0), dtype=np.int32))
    assert first.tolist() == [0]
    assert which.tolist() == [0] * 5

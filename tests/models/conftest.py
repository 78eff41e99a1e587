"""Small encoded tables whose codes and offsets depend on each other in known ways."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.encoding import Block, EncodedTable, Layout


@pytest.fixture(scope="session")
def dependent():
    """2,000 rows: a rank with a 2% code, its noisy copy, a number that follows it, a label.

    Block 1 equals block 0 in 90% of the rows. Block 2 has component 0 for code 0 of block 0, with
    offsets around 0.5, and else component 1, with offsets spread evenly, or is missing (code 2) in
    5% of the rows. Block 3 is independent of the rest, 5% of it code 1.
    """
    layout = Layout(
        (
            Block("rank", 3),
            Block("copy", 3),
            Block("size", 3, continuous=(True, True, False), missing=2),
            Block("label", 2),
        )
    )
    n, rng = 2_000, np.random.Generator(np.random.PCG64(1))
    table = EncodedTable.empty(n, layout)
    rank = np.repeat([0, 1, 2], [1_200, 760, 40])
    rng.shuffle(rank)
    table.codes[:, 0] = rank
    table.codes[:, 1] = np.where(rng.random(n) < 0.9, rank, (rank + 1) % 3)
    table.codes[:, 2] = np.where(rng.random(n) < 0.05, 2, rank != 0)
    table.codes[:, 3] = rng.random(n) < 0.05
    peak = np.clip(rng.normal(0.5, 0.1, n), -1, 1)
    offsets = np.choose(table.codes[:, 2], [peak, rng.uniform(-1, 1, n), np.zeros(n)])
    table.offsets[:, 0] = offsets
    return table


def constant():
    layout = Layout((Block("a", 4), Block("b", 2, continuous=(True, False)), Block("c", 1)))
    table = EncodedTable.empty(30, layout)
    table.codes[:, 0] = 2
    table.offsets[:, 0] = 0.25
    return table


def distinct():
    layout = Layout((Block("key", 25), Block("x", 1, continuous=(True,))))
    codes = np.stack([np.arange(25), np.zeros(25)], axis=1).astype(np.int32)
    return EncodedTable(codes, np.linspace(-1, 1, 25, dtype=np.float32)[:, None], layout)


def tiny():
    layout = Layout((Block("a", 3), Block("x", 2, continuous=(True, True))))
    codes = np.array([[0, 0], [1, 1], [2, 0], [0, 1], [1, 0]], dtype=np.int32)
    return EncodedTable(codes, np.full((5, 1), -1, dtype=np.float32), layout)


def edges():
    """Every offset at an end of its interval, no discrete block."""
    layout = Layout((Block("x", 2, continuous=(True, True)),))
    codes = (np.arange(100) % 2)[:, None].astype(np.int32)
    return EncodedTable(codes, (2.0 * codes - 1).astype(np.float32), layout)


ODD_TABLES = {
    "one block of one code": EncodedTable.empty(20, Layout((Block("only", 1),))),
    "one row": tiny().take(np.array([0])),
    "five rows": tiny(),
    "all rows the same": constant(),
    "one row a category": distinct(),
    "offsets at the ends": edges(),
}


@pytest.fixture(params=list(ODD_TABLES))
def odd_table(request):
    return ODD_TABLES[request.param]

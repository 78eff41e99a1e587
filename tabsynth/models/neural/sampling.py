"""Sampling in chunks, so that memory does not grow with the number of rows asked for."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tabsynth.encoding.table import EncodedTable
from tabsynth.models.neural.device import to_numpy
from tabsynth.models.neural.spans import Spans
from tabsynth.monitor import Monitor, Progress

CELLS = 2**21
"""Numbers that one row of every code's logit may take in a chunk."""


def chunk_rows(spans: Spans) -> int:
    """Return how many rows are made at a time."""
    return min(max(CELLS // max(spans.width, 1), 64), 4096)


def settling_chunks(spans: Spans) -> list[int]:
    """Return sizes of chunks that stand for the whole table: 10,000 rows, fewer of wide ones."""
    size = chunk_rows(spans)
    n_rows = min(max(10 * CELLS // max(spans.width, 1), 2_000), 10_000)
    return [min(size, n_rows - begin) for begin in range(0, n_rows, size)]


@torch.inference_mode()
def sample_in_chunks(
    phase: str,
    make: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    n_rows: int,
    spans: Spans,
    monitor: Monitor,
    size: int | None = None,
) -> EncodedTable:
    """Make rows chunk by chunk.

    Parameters
    ----------
    phase : str
        What is being done, for the reports.
    make : callable
        Makes so many rows: positions of codes, and offsets.
    n_rows : int
        Number of rows; 0 gives an empty table.
    spans : Spans
    monitor : callable
        Told after every chunk.
    size : int, optional
        Rows of a chunk; see `chunk_rows` where left out.
    """
    table = EncodedTable.empty(n_rows, spans.layout)
    size = chunk_rows(spans) if size is None else size
    for begin in range(0, n_rows, size):
        end = min(begin + size, n_rows)
        index, offsets = make(end - begin)
        table.codes[begin:end] = spans.codes(index)
        table.offsets[begin:end] = to_numpy(offsets.clamp(-1.0, 1.0))
        monitor(Progress(phase, end, n_rows))
    return table

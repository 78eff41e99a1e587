"""Sampling in chunks: memory does not grow with the rows asked for, and processors share them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from tabsynth.encoding.table import EncodedTable
from tabsynth.models.neural.device import threads, to_numpy
from tabsynth.models.neural.spans import Spans
from tabsynth.monitor import Monitor, Progress
from tabsynth.random import Streams

Make = Callable[[slice, torch.Generator], tuple[torch.Tensor, torch.Tensor]]
"""Makes the rows of a slice, from a generator of their own: positions of codes, and offsets."""

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


def sample_in_chunks(
    phase: str,
    make: Make,
    n_rows: int,
    spans: Spans,
    streams: Streams,
    monitor: Monitor,
    size: int | None = None,
) -> EncodedTable:
    """Make rows chunk by chunk, on as many threads as torch may use, a chunk on one of them.

    Every chunk has a generator of its own, so that rows do not depend on the number of threads.

    Parameters
    ----------
    phase : str
        What is being done, for the reports.
    make : callable
        See `Make`. It must not change what another chunk reads.
    n_rows : int
        Number of rows; 0 gives an empty table.
    spans : Spans
    streams : Streams
    monitor : callable
        Told after every chunk.
    size : int, optional
        Rows of a chunk; see `chunk_rows` where left out.
    """
    table = EncodedTable.empty(n_rows, spans.layout)
    size = chunk_rows(spans) if size is None else size
    chunks = [slice(begin, min(begin + size, n_rows)) for begin in range(0, n_rows, size)]

    @torch.inference_mode()
    def fill(rows: slice) -> int:
        noise = streams.torch(f"rows from {rows.start}", spans.device.type)
        index, offsets = make(rows, noise)
        table.codes[rows] = spans.codes(index)
        table.offsets[rows] = to_numpy(offsets.clamp(-1.0, 1.0))
        return int(rows.stop)

    most = min(torch.get_num_threads(), len(chunks)) if spans.device.type == "cpu" else 1
    with threads(1):
        for end in map(fill, chunks) if most < 2 else _in_threads(fill, chunks, most):
            monitor(Progress(phase, end, n_rows))
    return table


def _in_threads(fill: Callable[[slice], int], chunks: list[slice], most: int) -> Iterator[int]:
    """Return what `fill` returns, in the order of the chunks, `most` of them at a time."""
    with ThreadPoolExecutor(most) as pool:
        waiting: deque[Future[int]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(fill, chunk))
                if len(waiting) > most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

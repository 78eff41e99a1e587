"""Batches of any size, cut anew into tables of equal size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa


def rechunk(batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """Yield tables of `rows` rows from batches of any size.

    Parameters
    ----------
    batches : iterable of RecordBatch
        All of type `schema`.
    schema : Schema
    rows : int
        Positive.

    Yields
    ------
    Table
        Each of `rows` rows but the last, which has at least one, unless there are no rows at all:
        then there is one table without rows.
    """
    held: list[pa.RecordBatch] = []
    n_held, n_tables = 0, 0
    for batch in batches:
        while n_held + batch.num_rows >= rows:
            cut = rows - n_held
            yield pa.Table.from_batches([*held, batch.slice(0, cut)], schema)
            batch = batch.slice(cut)
            held, n_held, n_tables = [], 0, n_tables + 1
        if batch.num_rows:
            held.append(batch)
            n_held += batch.num_rows
    if n_held or not n_tables:
        yield pa.Table.from_batches(held, schema)

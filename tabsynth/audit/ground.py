"""Ground: where rows lie among each other, which lie alone, and rows that are made to lie alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabsynth.constraints import read_constraints
from tabsynth.errors import DataError
from tabsynth.evaluation.cells import cells_of
from tabsynth.evaluation.distance import Space
from tabsynth.evaluation.frame import Table, analyse
from tabsynth.evaluation.vulnerable import loneliness, with_tails
from tabsynth.random import Streams
from tabsynth.schema import Schema

MOST_ROWS = 10_000
"""Most rows among which lonely ones are sought; of more, as many are drawn at random."""
TRIES = 8
"""Combinations that are tried for each row that is made."""
FEWEST_TRIES = 400
HELD = 4
"""Values of made rows are held by at least so many rows: with the made one there are five, which
is when column types release a value."""


@dataclass(frozen=True, eq=False)
class Ground:
    """The rows of a table as points.

    Attributes
    ----------
    frame : DataFrame
        Index 0, 1, ...
    schema : Schema
    table : Table
    space : Space
        Numbers lie by value, far ones drawn nearer.
    streams : Streams

    Privacy
    -------
    Holds private rows.
    """

    frame: pd.DataFrame
    schema: Schema
    table: Table
    space: Space
    streams: Streams

    @classmethod
    def of(cls, frame: pd.DataFrame, schema: Schema, streams: Streams) -> Ground:
        """Return the ground of a table.

        Raises
        ------
        DataError
            If no column can be compared.
        """
        table = analyse({"table": frame}, schema)["table"]
        if not table.features:
            raise DataError(
                "No column can be compared: all hold identifiers, personal data or free text. "
                "Give at least one another type in the schema."
            )
        space = with_tails(Space.of([table], streams.numpy("directions")), table)
        return cls(frame, schema, table, space, streams)

    def loneliest(self, n: int) -> np.ndarray:
        """Return the numbers of the `n` rows that are least like any other, loneliest first.

        References
        ----------
        Meeus et al. (2023), arXiv:2306.10308 (distance to the nearest rows).
        """
        rng = self.streams.numpy("lonely rows")
        rows = np.sort(rng.permutation(len(self.table))[:MOST_ROWS])
        lonely = loneliness(self.space.points(self.table.take(rows)), rng)
        order = np.lexsort((rng.random(len(rows)), -lonely))
        return rows[order[:n]]

    def craft(self, n: int) -> pd.DataFrame:
        """Return `n` rows of values that the table has, in combinations that lie alone.

        Every value of every column is about as likely as any other, so that rare ones meet. Cells
        of columns that a rule ties together come from one row. Of many such rows the loneliest are
        kept.
        """
        rng = self.streams.numpy("made rows")
        tries = max(FEWEST_TRIES, TRIES * n)
        place = {feature.name: i for i, feature in enumerate(self.table.features)}
        codes = np.empty((tries, len(place)), dtype=np.int32)
        donors: dict[str, np.ndarray] = {}
        for names in self._tied():
            leads = [name for name in names if name in place]
            rows = self._spread(place[leads[0]], tries, rng) if leads else self._any(tries, rng)
            for name in names:
                donors[name] = rows
                if name in place:
                    codes[:, place[name]] = self.table.codes[rows, place[name]]
        among = np.sort(rng.permutation(len(self.table))[:MOST_ROWS])
        made = self.space.points(Table(self.table.features, codes))
        heap = np.concatenate([made, self.space.points(self.table.take(among))])
        lonely = loneliness(heap, rng)[:tries]
        kept = np.lexsort((rng.random(tries), -lonely))[:n]
        columns = {
            name: self.frame[name].iloc[donors[name][kept]].reset_index(drop=True)
            for name in self.frame.columns
        }
        return pd.DataFrame(columns)

    def _tied(self) -> list[list[str]]:
        """Return the columns in groups that rules tie together."""
        group = {str(name): {str(name)} for name in self.frame.columns}
        for rule in read_constraints(self.schema):
            together = set().union(*(group[name] for name in (*rule.reads, rule.writes)))
            for name in together:
                group[name] = together
        order = [str(name) for name in self.frame.columns]
        firsts = [name for name in order if name == min(group[name], key=order.index)]
        return [sorted(group[name], key=order.index) for name in firsts]

    def _any(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, len(self.table), n)

    def _spread(self, place: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows whose cells of a column are drawn evenly from all cells that rows share."""
        feature, counts = self.table.features[place], self.table.counts(place)
        cells = cells_of(feature, counts)[self.table.codes[:, place]]
        order = np.argsort(cells, kind="stable")
        _, starts, sizes = np.unique(cells[order], return_index=True, return_counts=True)
        shared = np.flatnonzero(sizes >= HELD)
        if not len(shared):
            return self._any(n, rng)
        chosen = rng.choice(shared, n)
        rows: np.ndarray = order[starts[chosen] + rng.integers(0, sizes[chosen])]
        return rows


def together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return rows below each other with the dtypes of the first frame."""
    first = frames[0]
    joined = pd.concat(frames, ignore_index=True)
    return joined.astype(first.dtypes.to_dict())

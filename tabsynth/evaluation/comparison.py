"""Comparison: what a measure sees, real rows and synthetic ones side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tabsynth.evaluation.frame import Feature, Table
from tabsynth.random import Streams
from tabsynth.schema.schema import Schema

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Tables over the same features, in random order and of bounded size.

    The order depends on the seed and on which rows there are, never on the order in which they or
    the columns came, nor on what the columns are called. The first `n` rows of a table are
    therefore a random sample of it.

    Attributes
    ----------
    train : Table
        Rows that the model learnt from.
    synthetic : Table
    holdout : Table or None
        Real rows that the model has not seen.
    complete : mapping of str to Table
        "train", "synthetic" and "holdout" with all their rows.
    targets : tuple of str
        Names of the columns that people will want to predict.
    streams : Streams
    frames : mapping of str to DataFrame
        "train", "synthetic" and "holdout" as they came, for what is not compared by value: keys,
        personal data, formats. Absent columns were left out of the synthetic table.
    schema : Schema or None

    Privacy
    -------
    Holds private rows. What measures compute from it is not differentially private.
    """

    train: Table
    synthetic: Table
    holdout: Table | None
    complete: Mapping[str, Table]
    targets: tuple[str, ...]
    streams: Streams
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    schema: Schema | None = None
    _made: dict[Callable[[Comparison], Any], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        tables: Mapping[str, Table],
        *,
        targets: tuple[str, ...] = (),
        streams: Streams,
        max_rows: int = 20_000,
        frames: Mapping[str, pd.DataFrame] | None = None,
        schema: Schema | None = None,
    ) -> Comparison:
        """Order the tables "train", "synthetic" and perhaps "holdout", and sample from them."""
        complete, sampled = {}, {}
        columns = tables["train"].by_content()
        for name, table in tables.items():
            complete[name] = table.pick(columns).ordered()
            rows = streams.numpy(f"rows of {name}").permutation(len(table))[:max_rows]
            sampled[name] = complete[name].take(rows)
        return cls(
            sampled["train"],
            sampled["synthetic"],
            sampled.get("holdout"),
            complete,
            targets,
            streams,
            frames or {},
            schema,
        )

    @property
    def features(self) -> tuple[Feature, ...]:
        """What is compared."""
        return self.train.features

    @property
    def real(self) -> Table:
        """Real rows to compare with: unseen ones, or the training rows where there are none."""
        return self.train if self.holdout is None else self.holdout

    @property
    def n_equal(self) -> int:
        """How many rows synthetic, training and independent tables have in fair comparisons.

        Distances between samples shrink as samples grow, so a reference needs equal numbers.
        """
        return min(len(self.train), len(self.synthetic))

    @cached_property
    def independent(self) -> Table:
        """The training rows with every column shuffled by itself: the baseline."""
        return self.train.shuffled(self.streams.numpy("independent columns"))

    def place(self, name: str) -> int | None:
        """Return the index of the feature called `name`, None where it is not compared."""
        for place, feature in enumerate(self.features):
            if feature.name == name:
                return place
        return None

    def rng(self, name: str) -> np.random.Generator:
        """Return the random generator of a purpose."""
        return self.streams.numpy(name)

    def once(self, make: Callable[[Comparison], T]) -> T:
        """Return ``make(self)``, computed once however many measures ask for it."""
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made

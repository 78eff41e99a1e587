"""The contract of a membership attack, what it sees, and the registry that finds it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from tabsynth.evaluation.distance import Neighbours, Space, neighbours
from tabsynth.evaluation.frame import Table
from tabsynth.random import Streams
from tabsynth.registry import Registry

NEAREST = 5
"""How many nearest rows are known of each row."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What an attacker has, and the rows whose membership is to be told.

    Candidates are the training rows, then unseen rows that no attack has as its own (*others*),
    then the unseen rows that attackers have as a sample of similar data (*reference*). Attacks
    that need no reference are judged on all of them.

    Attributes
    ----------
    candidates : Table
        Training rows, others and reference rows, in this order.
    n_members, n_others : int
        How many of them are training rows and others.
    reference : Table
    synthetic : Table
    space : Space
        In which distances are measured. It treats training rows and unseen ones alike.
    streams : Streams
    """

    candidates: Table
    n_members: int
    n_others: int
    reference: Table
    synthetic: Table
    space: Space
    streams: Streams

    @property
    def n_calibrated(self) -> int:
        """How many candidates there are apart from the reference rows."""
        return self.n_members + self.n_others

    @cached_property
    def points(self) -> np.ndarray:
        """Where the candidates lie, float32 of shape (n_candidates, n_dimensions)."""
        return self.space.points(self.candidates)

    @cached_property
    def reference_points(self) -> np.ndarray:
        """Where the reference rows lie, float32 of shape (n_reference, n_dimensions)."""
        return self.space.points(self.reference)

    @cached_property
    def synthetic_points(self) -> np.ndarray:
        """Where the synthetic rows lie, float32 of shape (n_synthetic, n_dimensions)."""
        return self.space.points(self.synthetic)

    @cached_property
    def to_synthetic(self) -> Neighbours:
        """The nearest synthetic rows of every candidate."""
        found = neighbours(self.points, self.synthetic_points, NEAREST)
        return found.with_equal(self.candidates.ids, self.synthetic.ids)

    @cached_property
    def to_reference(self) -> Neighbours:
        """The nearest reference rows of every candidate that is not one itself."""
        n = self.n_calibrated
        found = neighbours(self.points[:n], self.reference_points, NEAREST)
        return found.with_equal(self.candidates.ids[:n], self.reference.ids)

    def against(self, synthetic: Table, reference: Table, rows: np.ndarray) -> Scene:
        """Return the scene with other tables, for some of the candidates apart from the reference.

        Parameters
        ----------
        synthetic, reference : Table
        rows : ndarray of int
            Indices of candidates, training rows first.
        """
        members = int((rows < self.n_members).sum())
        return Scene(
            self.candidates.take(rows),
            members,
            len(rows) - members,
            reference,
            synthetic,
            self.space,
            self.streams,
        )


class Attack(ABC):
    """One way to tell training rows from unseen ones; found by ``@attacks.register(name)``.

    An attack must treat candidates alike: its scores may depend on the synthetic rows, on the
    reference rows and on the candidates as one heap, never on which of them are training rows.
    Then, where nothing leaks, training rows are a random draw from the candidates, and what is
    said of chance is exact. An attack may raise: the others go on, and the verdict says so.
    """

    title: ClassVar[str]
    """What it is, in words ("nearest synthetic row")."""
    order: ClassVar[int] = 100
    """Place among the attacks."""
    needs_reference: ClassVar[bool] = True
    """Whether it compares with a sample of unseen rows."""
    is_quick: ClassVar[bool] = False
    """Whether it costs nothing once distances are known; only those are run on other tables."""

    @abstractmethod
    def score(self, scene: Scene) -> np.ndarray:
        """Return a score for each candidate, higher for likelier training rows.

        Returns
        -------
        ndarray of float64, shape (n_candidates,) or (n_calibrated,)
            The latter if the attack needs a reference: its rows are no candidates then.
        """


attacks: Registry[type[Attack]] = Registry("attack", "tabsynth.evaluation.attacks")
"""Every membership attack by name."""

"""Toy models as an installed package would bring them, so that other processes find them too."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from tabsynth.models import models

TOYS = '''
"""A model that copies training rows, one that ignores them, and some that fail."""

import os

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import DataError
from tabsynth.models.base import Model, ModelState
from tabsynth.monitor import ignore


class Toy(Model):
    @property
    def coding(self):
        return Coding("bins", size=64, distinct=64)

    def fit(self, data, streams, monitor=ignore):
        self.table = data.table()
        return self

    def state(self):
        return ModelState()

    @classmethod
    def from_state(cls, parameters, layout, state):
        raise NotImplementedError


class Copier(Toy):
    name, description = "copier", "Copies every training row."

    def sample(self, n_rows, streams, monitor=ignore):
        made = EncodedTable.empty(n_rows, self.table.layout)
        rows = streams.numpy("copier").permutation(n_rows) % len(self.table)
        made.codes[:], made.offsets[:] = self.table.codes[rows], self.table.offsets[rows]
        return made


class Liar(Copier):
    name, description = "liar", "Copies every training row, past the door that keeps the account."
    private = True

    def fit(self, data, streams, monitor=ignore):
        self.table = data._table
        return self


class Blind(Toy):
    name, description = "blind", "Draws codes evenly, whatever the rows are."

    def sample(self, n_rows, streams, monitor=ignore):
        made = EncodedTable.empty(n_rows, self.table.layout)
        rng = streams.numpy("blind")
        for block, size in enumerate(made.layout.sizes):
            made.codes[:, block] = rng.integers(0, size, n_rows)
        return made


class Failing(Toy):
    name, description = "failing", "Fails."

    def sample(self, n_rows, streams, monitor=ignore):
        raise DataError("The toy does not work.")


class Dying(Toy):
    name, description = "dying", "Ends its process, as the system does where memory runs out."

    def sample(self, n_rows, streams, monitor=ignore):
        os._exit(9)
'''


@pytest.fixture(scope="module", autouse=True)
def toys(tmp_path_factory):
    """Install the toy models for the tests of a module; those elsewhere must not see them."""
    folder = tmp_path_factory.mktemp("toys")
    (folder / "toy_models.py").write_text(TOYS)
    info = folder / "toy_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy_models\nVersion: 1.0\n")
    names = ("copier", "liar", "blind", "failing", "dying")
    points = "".join(f"{name} = toy_models:{name.capitalize()}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[tabsynth.models]\n{points}")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("toy_models", None)
    for name in names:
        models._members.pop(name, None)


@pytest.fixture(scope="session")
def table():
    """80 rows of numbers and labels, most of them different."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    return pd.DataFrame(
        {
            "x": np.round(x, 2),
            "n": rng.poisson(3, 80),
            "label": np.where(x + rng.normal(0, 0.3, 80) > 0, "yes", "no"),
            "ward": rng.choice(list("abcd"), 80, p=[0.5, 0.3, 0.15, 0.05]),
        }
    )


@pytest.fixture(scope="session")
def labels():
    """160 rows of labels that many rows hold.

    What is learnt of a column of labels is which there are, and that is the same with any row and
    without it; edges of intervals of numbers are not.
    """
    rng = np.random.default_rng(0)
    columns = {name: rng.choice(list("pqr"), 160) for name in ("a", "b", "c", "d", "e")}
    return pd.DataFrame(columns)

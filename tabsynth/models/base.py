"""The contract of a model, and the registry through which models are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.given import Given
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError, DataError, PrivacyError
from tabsynth.models._completion import MAX_TRIES, Completed, Way, reject
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.training import TrainingData
from tabsynth.random import Streams
from tabsynth.registry import Registry


@dataclass(frozen=True)
class ModelState:
    """What a fitted model is made of, ready to be written to a file without code.

    Attributes
    ----------
    values : dict
        Anything JSON can hold.
    tensors : dict of str to ndarray
        Fitted arrays by name.
    """

    values: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class HyperParameters:
    """Base class of the hyper-parameters of a model: a frozen dataclass with defaults."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], model: str = "") -> Self:
        """Build from names and values.

        Raises
        ------
        ConfigError
            If a name is not known; the message names the nearest one.
        """
        known = [item.name for item in fields(cls)]
        for name in values:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise ConfigError(
                    f"Model {model!r} has no parameter {name!r}.{hint} Known: {', '.join(known)}."
                )
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


class Model(ABC):
    """A generative model of encoded tables.

    Subclasses live in one file each, register themselves with ``@models.register(name)`` and
    name the frozen dataclass of their hyper-parameters in `parameters_type`.

    Parameters
    ----------
    parameters : HyperParameters, optional
        Hyper-parameters; the defaults where left out.
    """

    name: ClassVar[str]
    """The registered name."""
    description: ClassVar[str]
    """What it is, in one sentence for a user."""
    notice: ClassVar[str] = ""
    """What a person must know before using it; shown with the plan, in the report and the card."""
    parameters_type: ClassVar[type[HyperParameters]] = HyperParameters
    """The class of its hyper-parameters."""
    completes: ClassVar[Way] = "by rejection"
    """How it makes rows that are given in part; a model that overrides `complete` says its own."""
    private: ClassVar[bool] = False
    """Whether it can be learnt under a privacy budget."""
    columns_share: ClassVar[float] = 0.15
    """Share of a budget that the coding of its columns is bought with."""

    def __init__(self, parameters: HyperParameters | None = None) -> None:
        self.parameters = self.parameters_type() if parameters is None else parameters

    @property
    @abstractmethod
    def coding(self) -> Coding:
        """How this model wants numbers coded."""

    def coding_for(self, epsilon: float) -> Coding:
        """Return how this model wants numbers coded under a privacy budget.

        Parameters
        ----------
        epsilon : float
            Of the whole budget.
        """
        return self.coding

    @property
    def way(self) -> Way:
        """How this fitted model makes rows that are given in part: `completes`, or less."""
        return self.completes

    def check_private(self) -> None:
        """Refuse a model, or hyper-parameters, that a privacy budget does not allow.

        Raises
        ------
        PrivacyError
            Before the budget is touched; with what to do.
        """
        if not self.private:
            able = [name for name in models.names() if models.get(name).private]
            raise PrivacyError(
                f"Model {self.name!r} reads the rows themselves, which a privacy budget does not "
                f"allow. Choose one of {', '.join(able)}, or leave epsilon out."
            )

    @abstractmethod
    def fit(self, data: TrainingData, streams: Streams, monitor: Monitor = ignore) -> Self:
        """Learn from `data`.

        Parameters
        ----------
        data : TrainingData
        streams : Streams
            Randomness; the same streams and data give the same model.
        monitor : callable
            Told of the progress.

        Returns
        -------
        self
        """

    def estimate(self, n_rows: int, n_columns: int) -> float:
        """Return about how many seconds `fit` takes on one core of a laptop.

        Fitted to measurements on public tables; a wrong half or double is to be expected.

        Parameters
        ----------
        n_rows, n_columns : int
            Of the table to learn from.
        """
        return 1 + 1e-6 * n_rows * n_columns

    def _rows(self, data: TrainingData) -> EncodedTable:
        """Return the rows to learn from.

        Raises
        ------
        DataError
            If there are none.
        PrivacyError
            Under a privacy budget.
        """
        table = data.table()
        if not len(table):
            raise DataError(
                f"{self.name} cannot be fitted: the table has no rows. Give it at least one."
            )
        return table

    @abstractmethod
    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw `n_rows` new rows (0 gives an empty table)."""

    def complete(
        self,
        given: Given,
        streams: Streams,
        monitor: Monitor = ignore,
        max_tries: int = MAX_TRIES,
    ) -> Completed:
        """Draw a row for every row of `given`, with exactly the codes and offsets given.

        What is not given follows its distribution given the rest. This one serves every model: it
        draws candidates until rows fit. A model that can do better overrides it and keeps the
        contract: every row is made, in the order of `given`, or SampleError is raised.

        Parameters
        ----------
        given : Given
            What each row must hold; nothing at all is allowed too.
        streams : Streams
        monitor : callable
        max_tries : int
            What fits less often than once in so many draws is refused.

        Raises
        ------
        SampleError
            If the model makes rows that fit too rarely or never; it says how many could be made.
        """
        return reject(
            lambda size, batch: self.sample(size, streams.child(f"batch {batch}")),
            given,
            monitor,
            max_tries,
            streams.numpy("orders"),
            f"sampling {self.name} until rows fit",
        )

    @abstractmethod
    def state(self) -> ModelState:
        """Return what was learnt, enough for `from_state`."""

    @classmethod
    @abstractmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild a fitted model."""


class IterativeModel(Model):
    """A model that is trained in steps, which can be watched, ended early, and taken up again.

    Attributes
    ----------
    loss_history_ : DataFrame
        One row a report: "step", "seconds", and the mean losses since the report before.
    steps_ : int
        Steps that were taken.
    stopped_ : str or None
        Why training ended before its last step: "interrupted", "out of time", "no better" (on rows
        held out); None where it did not.
    """

    _layout: Layout
    loss_history_: pd.DataFrame
    steps_: int
    stopped_: str | None

    @abstractmethod
    def fit(
        self,
        data: TrainingData,
        streams: Streams,
        monitor: Monitor = ignore,
        *,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learn from `data`.

        Parameters
        ----------
        data : TrainingData
        streams : Streams
        monitor : callable
        checkpoint : path, optional
            File that the state of the training is written to from time to time; where it exists
            already, training goes on from it. It is as confidential as the rows.
        """

    def _begin(self, data: TrainingData) -> EncodedTable:
        """Return the rows to learn from (see `_rows`); nothing is left of an earlier training."""
        table = self._rows(data)
        self._forget(data)
        return table

    def _forget(self, data: TrainingData) -> None:
        """Leave nothing of an earlier training."""
        self._layout = data.layout
        self.loss_history_, self.steps_, self.stopped_ = pd.DataFrame(), 0, None


models: Registry[type[Model]] = Registry("model", "tabsynth.models", lazy=True)
"""Every model by name; a model's module is imported when the model is asked for."""

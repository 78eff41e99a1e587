"""The contract of a model, and the registry through which models are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Self

import numpy as np

from tabsynth.encoding.coding import Coding
from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import ConfigError
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

    def __init__(self, parameters: HyperParameters | None = None) -> None:
        self.parameters = self.parameters_type() if parameters is None else parameters

    @property
    @abstractmethod
    def coding(self) -> Coding:
        """How this model wants numbers coded."""

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

    @abstractmethod
    def sample(self, n_rows: int, streams: Streams, monitor: Monitor = ignore) -> EncodedTable:
        """Draw `n_rows` new rows (0 gives an empty table)."""

    @abstractmethod
    def state(self) -> ModelState:
        """Return what was learnt, enough for `from_state`."""

    @classmethod
    @abstractmethod
    def from_state(cls, parameters: HyperParameters, layout: Layout, state: ModelState) -> Self:
        """Rebuild a fitted model."""


models: Registry[type[Model]] = Registry("model", "tabsynth.models", lazy=True)
"""Every model by name; a model's module is imported when the model is asked for."""

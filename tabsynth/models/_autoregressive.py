"""Hyper-parameters of the autoregressive network, and what they are where nothing is said."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tabsynth.encoding.coding import Coding
from tabsynth.errors import ConfigError
from tabsynth.models.neural.training import TrainingParameters, filled_in
from tabsynth.validation import check_integer, check_real

RANGES = (
    ("shuffled", 0.0, 1.0),
    ("dropout", 0.0, 0.9),
    ("embedding_dropout", 0.0, 0.9),
    ("held_out", 0.0, 0.5),
    ("learning_rate", 1e-8, 1.0),
    ("average", 0.0, 1.0 - 1e-6),
)
"""What numbers that may be left out may be."""


@dataclass(frozen=True)
class AutoregressiveParameters(TrainingParameters):
    """Hyper-parameters of `Autoregressive`.

    Attributes
    ----------
    target : str or tuple of str
        Columns that people will predict; they are drawn first, so that all others are drawn given
        them. Names that are not learnt (keys, constants, columns left out) are passed over.
    bins, sub_bins : int or None
        Quantile bins of a number with many values, and parts that each of them is cut into; None
        takes 64 and 32, and fewer under a privacy budget.
    embedding, hidden : int or None
        Numbers for each code, and hidden units of each block in each of its two layers; None takes
        16 and 64, and far fewer under a budget. Tables of more than some fifty blocks get fewer of
        both.
    shuffled : float or None
        Share of the steps that learn to draw rows whose columns are given in part, any of them;
        None takes 0.3, and 0 under a budget.
    dropout, embedding_dropout : float or None
        Share of the hidden units, and of the embeddings' numbers, that are left out in a step. None
        takes the more the fewer rows there are, from 0.04 to 0.3, and half of it for embeddings.
    learning_rate : float or None
        Of AdamW, at its highest; it falls along half a cosine. None takes 0.01, and more under a
        budget.
    weight_decay : float
        Of AdamW; strong, since it keeps rows from being learnt by heart. Under a budget there is
        none.
    average : float or None
        Decay of the moving average of the weights, which is what is kept. None takes 0.995, and
        0.97 under a budget.
    clip : float
        Under a budget: largest length of the gradient of a row.
    held_out : float or None
        Share of the rows that is not trained on but watched: training ends when the averaged
        weights describe them no better, and the best ones are kept. 0 holds none out; None takes a
        twentieth and at least 50 rows, and none where these were more than a fifth.
    patience : int
        Looks at the rows held out, of 50, that may find nothing better before training ends.

    Notes
    -----
    Besides those of `TrainingParameters`.
    """

    target: str | tuple[str, ...] = ()
    bins: int | None = None
    sub_bins: int | None = None
    embedding: int | None = None
    hidden: int | None = None
    shuffled: float | None = None
    dropout: float | None = None
    embedding_dropout: float | None = None
    learning_rate: float | None = None
    weight_decay: float = 0.5
    average: float | None = None
    clip: float = 1.0
    held_out: float | None = None
    patience: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isinstance(name, str) for name in self.targets):
            raise ConfigError(f"target must be a column name, or several. Got {self.target!r}.")
        for name in ("bins", "sub_bins", "embedding", "hidden"):
            check_integer(name, getattr(self, name), 1, optional=True)
        for name, low, high in RANGES:
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), low, high)
        check_real("weight_decay", self.weight_decay, 0.0, 1.0)
        check_real("clip", self.clip, 1e-6)
        check_integer("patience", self.patience, 1)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return self.target if isinstance(self.target, tuple) else (self.target,)

    def dropouts(self, n_rows: int) -> tuple[float, float]:
        """Return the dropout of hidden units and of embeddings for a table of `n_rows` rows."""
        usual = min(max(round(50 * 15 / n_rows**0.5) / 50, 0.04), 0.3)
        units = usual if self.dropout is None else self.dropout
        return units, units / 2 if self.embedding_dropout is None else self.embedding_dropout

    @property
    def given(self) -> Settings:
        """Return sizes and rates without a budget, with what is usual where nothing is said."""
        return self.over(USUAL)

    def over(self, usual: Settings) -> Settings:
        """Return sizes and rates, with those of `usual` where nothing is said."""
        return filled_in(self, usual)


@dataclass(frozen=True)
class Settings:
    """Sizes and rates; see `AutoregressiveParameters`."""

    bins: int
    sub_bins: int
    embedding: int
    hidden: int
    shuffled: float
    learning_rate: float
    average: float

    @property
    def coding(self) -> Coding:
        """How numbers are coded."""
        return Coding("bins", size=self.bins, sub_bins=self.sub_bins)


USUAL = Settings(64, 32, 16, 64, 0.3, 1e-2, 0.995)
"""Without a budget."""

PRIVATE = Settings(16, 4, 8, 16, 0.0, 0.045, 0.97)
"""Under a budget; chosen from fits of adult at epsilon 1."""
DISTINCT = 16
"""Most values that a number has a code for each of, under a budget."""
PRIVATE_STEPS = 120


def private_coding(own: AutoregressiveParameters) -> Coding:
    """Return how numbers are coded under a privacy budget."""
    return replace(own.over(PRIVATE).coding, distinct=DISTINCT)


def private_rate(own: AutoregressiveParameters, steps: int) -> float:
    """Return the learning rate under a privacy budget: the smaller the more steps there are.

    Noise moves weights by rate times root of steps, whatever the batch size.
    """
    if own.learning_rate is not None:
        return own.learning_rate
    return PRIVATE.learning_rate * math.sqrt(PRIVATE_STEPS / max(steps, PRIVATE_STEPS))

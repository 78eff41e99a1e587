"""Hyper-parameters of CTGAN and of the presets of its class."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.encoding.coding import Coding
from tabsynth.errors import ConfigError, PrivacyError
from tabsynth.models.neural.losses import LOSSES
from tabsynth.models.neural.schedule import Plan, plan
from tabsynth.models.neural.training import TrainingParameters, filled_in
from tabsynth.validation import check_choice, check_integer, check_real

CODINGS = {
    "modes": Coding("modes", size=10),
    "bins": Coding("bins", size=32, sub_bins=16),
    "scalar": Coding("scalar"),
}


RANGES = (
    ("learning_rate", 1e-8, 1.0),
    ("critic_rate", 1e-8, 1.0),
    ("average", 0.0, 1.0 - 1e-6),
)
"""What numbers that may be left out may be."""


@dataclass(frozen=True)
class CTGANParameters(TrainingParameters):
    """Hyper-parameters of `CTGAN`.

    Attributes
    ----------
    target : str or tuple of str
        Columns that people will predict. Under a budget counts of the first of them together with
        each other column are bought, and made rows agree with them; else of no effect.
    coding : {"modes", "bins", "scalar"} or None
        How numbers are coded: mode-specific normalisation, quantile bins with sub-bins, or one
        scaled value each. None takes modes, and few bins under a privacy budget, which allows no
        other.
    conditional : bool
        Whether rows are made for conditions: a code of a discrete block, rare ones more often than
        they occur.
    loss : {"wgan-gp", "hinge", "bce"} or None
        What the networks pay: the Wasserstein distance, the hinge loss, or the cross-entropy. None
        takes the last. Under a budget None takes the hinge loss, and the first is not allowed.
    noise : int
        Units of noise that a row is made from.
    hidden : int or None
        Units of each of the two hidden layers of generator and critic; None takes 256. Under a
        budget, of the generator; None takes 128.
    embedding : int or None
        Units that the critic makes of a row before it looks at several together; None takes 256.
        Under a budget, all units of the critic's two layers; None takes 64.
    pac : int
        Rows that the critic judges together. Batches are rounded up to a multiple of it. Under a
        budget only 1.
    penalty : float
        Weight of the gradient penalty; under a budget there is none.
    penalty_every : int
        Steps from one gradient penalty, weighted that much more, to the next.
    temperature : float
        Of the softmax through which the gradient of a drawn code flows.
    learning_rate, critic_rate : float or None
        Of Adam, for the generator and for the critic, at their highest; they fall along half a
        cosine. None takes 0.002 for both, and other rates under a budget.
    average : float or None
        Decay of the moving average of the generator's weights, which is what is kept. None takes
        0.998.
    clip : float
        Under a budget: largest length of the gradient of a row.

    Notes
    -----
    Besides those of `TrainingParameters`.
    """

    target: str | tuple[str, ...] = ()
    coding: str | None = None
    conditional: bool = True
    loss: str | None = None
    noise: int = 128
    hidden: int | None = None
    embedding: int | None = None
    pac: int = 1
    penalty: float = 1.0
    penalty_every: int = 4
    temperature: float = 0.5
    learning_rate: float | None = None
    critic_rate: float | None = None
    average: float | None = None
    clip: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.coding is not None:
            check_choice("coding", self.coding, tuple(CODINGS))
        if self.loss is not None:
            check_choice("loss", self.loss, LOSSES)
        if not all(isinstance(name, str) for name in self.targets):
            raise ConfigError(f"target must be a column name, or several. Got {self.target!r}.")
        for name in ("noise", "pac", "penalty_every"):
            check_integer(name, getattr(self, name), 1)
        for name in ("hidden", "embedding"):
            check_integer(name, getattr(self, name), 1, optional=True)
        check_real("clip", self.clip, 1e-6)
        check_real("penalty", self.penalty, 0.0)
        check_real("temperature", self.temperature, 1e-3)
        for name, low, high in RANGES:
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), low, high)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return self.target if isinstance(self.target, tuple) else (self.target,)

    @property
    def given(self) -> Settings:
        """Return sizes and rates without a budget, with what is usual where nothing is said."""
        return self.over(USUAL)

    def over(self, usual: Settings) -> Settings:
        """Return sizes and rates, with those of `usual` where nothing is said."""
        return filled_in(self, usual)


@dataclass(frozen=True)
class Settings:
    """Sizes and rates; see `CTGANParameters`."""

    loss: str
    hidden: int
    embedding: int
    learning_rate: float
    critic_rate: float
    average: float


BATCH = 100
"""Rows of a step, where nothing else is said: an adversary gains more from steps than from rows."""
OPERATIONS = 8e12
"""Arithmetic that a training spends at most: an adversary needs more of it than an autoencoder."""
SECONDS = 6e-3, 4e-6
"""What a step takes on one core, and what each cell of its rows adds, measured on public tables."""
USUAL = Settings("bce", 256, 256, 2e-3, 2e-3, 0.998)
"""Without a budget."""
PRIVATE = Settings("hinge", 128, 32, 1e-3, 1e-2, 0.998)
"""Under a budget; chosen from single fits of adult at epsilon 3, on no other table yet."""
PRIVATE_CODING = Coding("bins", size=16, sub_bins=4, distinct=16)
PRIVATE_STEPS = 150
MADE = 1024
"""Made rows that the critic sees in a step under a budget."""
TURNS = 4
"""Steps of the generator for each of the critic."""
CRITIC_AVERAGE = 0.9
"""Decay of the average of the critic's weights that the generator learns from."""


def plan_training(own: CTGANParameters, n_rows: int, n_weights: int) -> Plan:
    """Return batch size and steps without a budget."""
    return plan(
        n_rows,
        n_weights,
        epochs=own.epochs,
        steps=own.steps,
        batch_size=own.batch_size or BATCH,
        usual_epochs=77,
        most_steps=12_500,
        operations=OPERATIONS,
    )


def refuse_unprivate(own: CTGANParameters) -> None:
    """Refuse what a privacy budget does not allow.

    Raises
    ------
    PrivacyError
    """
    if own.pac > 1:
        raise PrivacyError(
            f"pac = {own.pac} is not allowed under a privacy budget: where rows are judged "
            "together, one more row changes the gradients of others. Set pac to 1."
        )
    if own.coding not in (None, "bins"):
        raise PrivacyError(
            f"coding {own.coding!r} is not allowed under a privacy budget: the critic hears no "
            "offsets there. Take 'bins', or leave coding out."
        )
    if own.loss == "wgan-gp":
        raise PrivacyError(
            "loss 'wgan-gp' is not allowed under a privacy budget: its gradient penalty mixes real "
            "rows with made ones. Take 'bce' or 'hinge'."
        )

"""Hyper-parameters of CTGAN and of the presets of its class."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.encoding.coding import Coding
from tabsynth.models.neural.losses import LOSSES
from tabsynth.models.neural.training import TrainingParameters
from tabsynth.validation import check_choice, check_integer, check_real

CODINGS = {
    "modes": Coding("modes", size=10),
    "bins": Coding("bins", size=32, sub_bins=16),
    "scalar": Coding("scalar"),
}


@dataclass(frozen=True)
class CTGANParameters(TrainingParameters):
    """Hyper-parameters of `CTGAN`.

    Attributes
    ----------
    coding : {"modes", "bins", "scalar"}
        How numbers are coded: mode-specific normalisation, quantile bins with sub-bins, or one
        scaled value each.
    conditional : bool
        Whether rows are made for conditions: a code of a discrete block, rare ones more often than
        they occur.
    loss : {"wgan-gp", "hinge", "bce"}
        What the networks pay: the Wasserstein distance, the hinge loss, or the cross-entropy.
    noise : int
        Units of noise that a row is made from.
    hidden : int
        Units of each of the two hidden layers of generator and critic.
    embedding : int
        Units that the critic makes of a row before it looks at several together.
    pac : int
        Rows that the critic judges together. Batches are rounded up to a multiple of it.
    penalty : float
        Weight of the gradient penalty.
    penalty_every : int
        Steps from one gradient penalty, weighted that much more, to the next.
    temperature : float
        Of the softmax through which the gradient of a drawn code flows.
    learning_rate, critic_rate : float
        Of Adam, for the generator and for the critic, at their highest; they fall along half a
        cosine.
    average : float
        Decay of the moving average of the generator's weights, which is what is kept.

    Notes
    -----
    Besides those of `TrainingParameters`.
    """

    coding: str = "modes"
    conditional: bool = True
    loss: str = "bce"
    noise: int = 128
    hidden: int = 256
    embedding: int = 256
    pac: int = 1
    penalty: float = 1.0
    penalty_every: int = 4
    temperature: float = 0.5
    learning_rate: float = 2e-3
    critic_rate: float = 2e-3
    average: float = 0.998

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("coding", self.coding, tuple(CODINGS))
        check_choice("loss", self.loss, LOSSES)
        for name in ("noise", "hidden", "embedding", "pac", "penalty_every"):
            check_integer(name, getattr(self, name), 1)
        check_real("penalty", self.penalty, 0.0)
        check_real("temperature", self.temperature, 1e-3)
        check_real("learning_rate", self.learning_rate, 1e-8, 1.0)
        check_real("critic_rate", self.critic_rate, 1e-8, 1.0)
        check_real("average", self.average, 0.0, 1.0 - 1e-6)

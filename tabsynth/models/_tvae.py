"""Hyper-parameters of TVAE and of the presets of its class."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.encoding.coding import Coding
from tabsynth.models.neural.training import TrainingParameters
from tabsynth.validation import check_choice, check_integer, check_real

CODINGS = {
    "bins": Coding("bins", size=32, sub_bins=16),
    "modes": Coding("modes", size=10),
    "scalar": Coding("scalar"),
}


@dataclass(frozen=True)
class TVAEParameters(TrainingParameters):
    """Hyper-parameters of `TVAE`.

    Attributes
    ----------
    coding : {"bins", "modes", "scalar"}
        How numbers are coded: quantile bins with sub-bins, mode-specific normalisation, or one
        scaled value each.
    latent : int
        Dimensions of the latent.
    hidden : int
        Units of each of the two hidden layers of encoder and decoder.
    beta : float
        Weight of the divergence from the prior. Below 1 rows are told apart better, and the latent
        strays from the prior, which `components` mends.
    components : int
        Gaussians of the mixture that is fitted to the latents of the training rows and drawn from;
        0 draws from the prior.
    learning_rate : float
        Of AdamW, at its highest; it falls along half a cosine.
    weight_decay : float
        Of AdamW.
    average : float
        Decay of the moving average of the weights, which is what is kept.
    held_out : float
        Share of the rows that is not trained on but watched: training ends when the averaged
        weights describe them no better, and the best ones are kept. 0 holds none out.
    patience : int
        Looks at the rows held out, of 50, that may find nothing better before training ends.

    Notes
    -----
    Besides those of `TrainingParameters`.
    """

    coding: str = "bins"
    latent: int = 32
    hidden: int = 256
    beta: float = 0.5
    components: int = 20
    learning_rate: float = 6e-3
    weight_decay: float = 1e-2
    average: float = 0.998
    held_out: float = 0.0
    patience: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("held_out", self.held_out, 0.0, 0.5)
        check_integer("patience", self.patience, 1)
        check_choice("coding", self.coding, tuple(CODINGS))
        check_integer("latent", self.latent, 1)
        check_integer("hidden", self.hidden, 1)
        check_integer("components", self.components, 0)
        check_real("beta", self.beta, 0.0)
        check_real("learning_rate", self.learning_rate, 1e-8, 1.0)
        check_real("weight_decay", self.weight_decay, 0.0, 1.0)
        check_real("average", self.average, 0.0, 1.0 - 1e-6)

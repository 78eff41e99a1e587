"""Hyper-parameters of TVAE and of the presets of its class."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.encoding.coding import Coding
from tabsynth.errors import ConfigError, PrivacyError
from tabsynth.models.neural.training import TrainingParameters, filled_in
from tabsynth.validation import check_choice, check_integer, check_real

CODINGS = {
    "bins": Coding("bins", size=32, sub_bins=16),
    "modes": Coding("modes", size=10),
    "scalar": Coding("scalar"),
}
SECONDS = 3e-3, 1.6e-6
"""What a step takes on one core, and what each cell of its rows adds, measured on public tables."""


@dataclass(frozen=True)
class TVAEParameters(TrainingParameters):
    """Hyper-parameters of `TVAE`.

    Attributes
    ----------
    target : str or tuple of str
        Columns that people will predict. Under a budget counts of the first of them together with
        each other column are bought, and made rows agree with them; else of no effect.
    coding : {"bins", "modes", "scalar"}
        How numbers are coded: quantile bins with sub-bins, mode-specific normalisation, or one
        scaled value each.
    latent : int or None
        Dimensions of the latent; None takes 32, and fewer under a privacy budget.
    hidden : int or None
        Units of each of the two hidden layers of encoder and decoder; None takes 256, and fewer
        under a budget.
    beta : float
        Weight of the divergence from the prior. Below 1 rows are told apart better, and the latent
        strays from the prior, which `components` mends.
    components : int
        Gaussians of the mixture that is fitted to the latents of the training rows and drawn from;
        0 draws from the prior, and so do models that were fitted under a budget.
    learning_rate : float or None
        Of AdamW, at its highest; it falls along half a cosine. None takes 0.006, and more under a
        budget.
    weight_decay : float
        Of AdamW; none under a budget.
    average : float or None
        Decay of the moving average of the weights, which is what is kept. None takes 0.998, and
        0.99 under a budget.
    held_out : float
        Share of the rows that is not trained on but watched: training ends when the averaged
        weights describe them no better, and the best ones are kept. 0 holds none out.
    patience : int
        Looks at the rows held out, of 50, that may find nothing better before training ends.
    clip : float
        Under a budget: largest length of the gradient of a row.

    Notes
    -----
    Besides those of `TrainingParameters`.
    """

    target: str | tuple[str, ...] = ()
    coding: str = "bins"
    latent: int | None = None
    hidden: int | None = None
    beta: float = 0.5
    components: int = 20
    learning_rate: float | None = None
    weight_decay: float = 1e-2
    average: float | None = None
    held_out: float = 0.0
    patience: int = 5
    clip: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(isinstance(name, str) for name in self.targets):
            raise ConfigError(f"target must be a column name, or several. Got {self.target!r}.")
        check_real("held_out", self.held_out, 0.0, 0.5)
        check_integer("patience", self.patience, 1)
        check_choice("coding", self.coding, tuple(CODINGS))
        check_integer("latent", self.latent, 1, optional=True)
        check_integer("hidden", self.hidden, 1, optional=True)
        check_real("clip", self.clip, 1e-6)
        check_integer("components", self.components, 0)
        check_real("beta", self.beta, 0.0)
        for name, low, high in (("learning_rate", 1e-8, 1.0), ("average", 0.0, 1.0 - 1e-6)):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), low, high)
        check_real("weight_decay", self.weight_decay, 0.0, 1.0)

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
    """Sizes and rates; see `TVAEParameters`."""

    latent: int
    hidden: int
    learning_rate: float
    average: float


USUAL = Settings(32, 256, 6e-3, 0.998)
"""Without a budget."""
PRIVATE = Settings(8, 64, 2e-2, 0.99)
"""Under a budget; a first choice, not yet compared with others."""
PRIVATE_CODING = Coding("bins", size=16, sub_bins=4, distinct=16)
PRIVATE_STEPS = 100


def refuse_coding(own: TVAEParameters) -> None:
    """Refuse a coding that a privacy budget does not allow.

    Raises
    ------
    PrivacyError
    """
    if own.coding != "bins":
        raise PrivacyError(
            f"coding {own.coding!r} is not allowed under a privacy budget: offsets are not learnt "
            "there. Take 'tvae' with coding 'bins', or 'autoregressive'."
        )

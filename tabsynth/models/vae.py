"""VAE: the plain variational autoencoder, as a preset of `TVAE`."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.models._tvae import TVAEParameters
from tabsynth.models.base import models
from tabsynth.models.tvae import TVAE


@dataclass(frozen=True)
class VAEParameters(TVAEParameters):
    """Hyper-parameters of `VAE`: those of `TVAE` with another default.

    Attributes
    ----------
    coding : {"bins", "modes", "scalar"}
        How numbers are coded; here one scaled value each.
    """

    coding: str = "scalar"


@models.register("vae")
class VAE(TVAE):
    """`TVAE` without mode-specific normalisation: a number is one value with one likelihood.

    Notes
    -----
    Privacy: as `TVAE`, none.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, arXiv:1312.6114.
    """

    name = "vae"
    private = False
    description = "Plain variational autoencoder: tvae without bins and without modes."
    parameters_type = VAEParameters
    parameters: VAEParameters

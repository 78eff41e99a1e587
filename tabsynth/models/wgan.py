"""WGAN: the plain adversarial network of the literature, as a preset of `CTGAN`."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.models._ctgan import CTGANParameters
from tabsynth.models.base import models
from tabsynth.models.ctgan import CTGAN


@dataclass(frozen=True)
class WGANParameters(CTGANParameters):
    """Hyper-parameters of `WGAN`: those of `CTGAN` with other defaults.

    Attributes
    ----------
    coding : {"modes", "bins", "scalar"}
        How numbers are coded; here one scaled value each.
    conditional : bool
        Whether rows are made for conditions; here they are not.
    loss : {"wgan-gp", "hinge", "bce"}
        What the networks pay; here the Wasserstein distance.
    """

    coding: str | None = "scalar"
    conditional: bool = False
    loss: str | None = "wgan-gp"


@models.register("wgan")
class WGAN(CTGAN):
    """`CTGAN` without conditions and without mode-specific normalisation.

    Notes
    -----
    Privacy: as `CTGAN`, none.

    References
    ----------
    Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028.
    """

    name = "wgan"
    description = "Plain adversarial network: ctgan without conditions and without modes."
    private = False
    parameters_type = WGANParameters
    parameters: WGANParameters

"""What the two networks of an adversarial model pay, given the critic's scores."""

from __future__ import annotations

import torch
from torch import nn

LOSSES = ("wgan-gp", "hinge", "bce")


def critic_loss(name: str, real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Return what the critic pays for its scores of real and of made packs.

    Parameters
    ----------
    name : {"wgan-gp", "hinge", "bce"}
        The difference of the means, which is the Wasserstein distance where the critic's slope is
        bound to 1; the same with a margin of 1 on either side; or the cross-entropy of telling
        real from made.
    real, made : tensor of float, shape (n_packs,)

    References
    ----------
    Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875.
    Lim and Ye, "Geometric GAN", 2017, arXiv:1705.02894.
    Goodfellow et al., "Generative Adversarial Networks", 2014, arXiv:1406.2661.

    Examples
    --------
    >>> import torch
    >>> scores = torch.tensor([2.0]), torch.tensor([-0.5])
    >>> [round(float(critic_loss(name, *scores)), 3) for name in LOSSES]
    [-2.5, 0.5, 0.601]
    """
    if name == "wgan-gp":
        return made.mean() - real.mean()
    if name == "hinge":
        return torch.relu(1 - real).mean() + torch.relu(1 + made).mean()
    return nn.functional.softplus(-real).mean() + nn.functional.softplus(made).mean()


def generator_loss(name: str, made: torch.Tensor) -> torch.Tensor:
    """Return what the generator pays for the scores of its packs, shape (n_packs,).

    Under `bce` it is the cross-entropy of being taken for real, whose slope does not vanish where
    the critic is sure.

    Examples
    --------
    >>> import torch
    >>> [round(float(generator_loss(name, torch.tensor([-0.5]))), 3) for name in LOSSES]
    [0.5, 0.5, 0.974]
    """
    return nn.functional.softplus(-made).mean() if name == "bce" else -made.mean()

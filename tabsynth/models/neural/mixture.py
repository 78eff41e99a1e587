"""A mixture of Gaussians with full covariances, fitted by expectation-maximisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians.

    Attributes
    ----------
    weights : tensor of float, shape (n_components,)
    means : tensor of float, shape (n_components, n_dimensions)
    factors : tensor of float, shape (n_components, n_dimensions, n_dimensions)
        Lower triangular; a covariance is ``factor @ factor.T``.
    """

    weights: torch.Tensor
    means: torch.Tensor
    factors: torch.Tensor

    def draw(self, n_rows: int, generator: torch.Generator) -> torch.Tensor:
        """Draw points, float of shape (n_rows, n_dimensions)."""
        device = self.means.device
        edges = self.weights.cumsum(0)
        level = torch.rand(n_rows, generator=generator, device=device) * edges[-1]
        which = torch.searchsorted(edges, level, right=True).clamp_max(len(edges) - 1)
        noise = torch.randn(
            (n_rows, self.means.shape[1]), generator=generator, device=device
        )
        points = torch.empty_like(noise)
        for component, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            rows = (which == component).nonzero()[:, 0]
            points[rows] = mean + noise[rows] @ factor.T
        return points


def _log_density(points: torch.Tensor, mixture: Mixture) -> torch.Tensor:
    """Return the joint log-density of points and components, (n_points, n_components)."""
    found = []
    for weight, mean, factor in zip(
        mixture.weights, mixture.means, mixture.factors, strict=True
    ):
        inverse = torch.linalg.inv(factor)
        scaled = (points - mean) @ inverse.T
        volume = torch.diagonal(factor).log().sum()
        constant = 0.5 * points.shape[1] * math.log(2 * math.pi)
        found.append(weight.log() - volume - constant - 0.5 * scaled.square().sum(1))
    return torch.stack(found, dim=1)


def fit_mixture(
    points: torch.Tensor,
    n_components: int,
    generator: torch.Generator,
    *,
    noise: torch.Tensor | None = None,
    iterations: int = 30,
) -> Mixture:
    """Fit a mixture to points.

    Parameters
    ----------
    points : tensor of float, shape (n_points, n_dimensions)
    n_components : int
        Number of components; fewer are kept where there are few points.
    generator : torch.Generator
        Chooses the rows where the components begin.
    noise : tensor of float, shape (n_points, n_dimensions), optional
        Variance around each point, as of a posterior; it is added to the covariances exactly, not
        by drawing.
    iterations : int

    References
    ----------
    Dempster, Laird and Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", 1977,
    doi:10.1111/j.2517-6161.1977.tb01600.x.
    """
    n_points, n_dimensions = points.shape
    n_components = max(1, min(n_components, n_points // (4 * n_dimensions + 1)))
    if noise is None:
        noise = torch.zeros_like(points)
    total = torch.cov(points.T, correction=0).reshape(n_dimensions, n_dimensions)
    total = total + torch.diag(noise.mean(0))
    eye = torch.eye(n_dimensions, device=points.device)
    floor = 1e-3 * torch.diagonal(total).mean() * eye
    starts = torch.randperm(n_points, generator=generator, device=points.device)[:n_components]
    mixture = Mixture(
        torch.full((n_components,), 1 / n_components, device=points.device),
        points[starts],
        torch.linalg.cholesky(total + floor).expand(n_components, -1, -1),
    )
    for _ in range(iterations if n_components > 1 else 1):
        shares = torch.softmax(_log_density(points, mixture), dim=1)
        counts = shares.sum(0) + 1e-6
        means = (shares.T @ points) / counts[:, None]
        spreads = (shares.T @ noise) / counts[:, None]
        factors = []
        for component in range(n_components):
            away = points - means[component]
            covariance = (away * shares[:, component, None]).T @ away / counts[component]
            # As if a few points more had the covariance of all.
            prior = 2.0 * n_dimensions ** 0.5
            covariance = covariance + torch.diag(spreads[component])
            mixed = (covariance * counts[component] + total * prior) / (counts[component] + prior)
            factors.append(torch.linalg.cholesky(mixed + floor))
        mixture = Mixture(counts / counts.sum(), means, torch.stack(factors))
    return mixture

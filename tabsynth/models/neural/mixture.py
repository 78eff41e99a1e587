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
        noise = torch.randn((n_rows, self.means.shape[1]), generator=generator, device=device)
        points = torch.empty_like(noise)
        for component, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            rows = (which == component).nonzero()[:, 0]
            points[rows] = mean + noise[rows] @ factor.T
        return points

    def log_density(self, points: torch.Tensor) -> torch.Tensor:
        """Return the joint log-density of points and components, (n_points, n_components)."""
        constant = 0.5 * points.shape[1] * math.log(2 * math.pi)
        eye = torch.eye(points.shape[1], device=points.device)
        found = []
        for weight, mean, factor in zip(self.weights, self.means, self.factors, strict=True):
            inverse = torch.linalg.solve_triangular(factor, eye, upper=False)
            distance = ((points - mean) @ inverse.T).square().sum(1)
            volume = torch.diagonal(factor).log().sum()
            found.append(weight.log() - volume - constant - 0.5 * distance)
        return torch.stack(found, dim=1)


def fit_mixture(
    points: torch.Tensor,
    noise: torch.Tensor,
    n_components: int,
    generator: torch.Generator,
    *,
    iterations: int = 20,
) -> Mixture:
    """Fit a mixture to points that are Gaussians of diagonal covariance themselves.

    Parameters
    ----------
    points : tensor of float, shape (n_points, n_dimensions)
    noise : tensor of float, shape (n_points, n_dimensions)
        Variance around each point, such as of a posterior; it goes into the covariances exactly,
        not by drawing.
    n_components : int
        Number of components; fewer are used where a component would have less than about four
        points a dimension.
    generator : torch.Generator
        Chooses the points where components begin.
    iterations : int

    References
    ----------
    Dempster, Laird and Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", 1977,
    doi:10.1111/j.2517-6161.1977.tb01600.x.
    """
    n_points, n_dimensions = points.shape
    device = points.device
    n_components = max(1, min(n_components, n_points // (4 * n_dimensions + 1)))
    away = points - points.mean(0)
    total = away.T @ away / n_points + torch.diag(noise.mean(0))
    ridge = 1e-3 * torch.diag(torch.diagonal(total)) + 1e-6 * torch.eye(n_dimensions, device=device)
    starts = torch.randperm(n_points, generator=generator, device=device)[:n_components]
    mixture = Mixture(
        torch.full((n_components,), 1 / n_components, device=device),
        points[starts],
        torch.linalg.cholesky(total + ridge).expand(n_components, -1, -1),
    )
    # As if some points more, with the covariance of all, belonged to every component.
    prior = 2.0 * math.sqrt(n_dimensions)
    for _ in range(iterations):
        shares = torch.softmax(mixture.log_density(points), dim=1)
        counts = shares.sum(0) + 1e-6
        means = (shares.T @ points) / counts[:, None]
        inner = (shares.T @ noise) / counts[:, None]
        covariances = []
        for component in range(n_components):
            away = points - means[component]
            spread = (away * shares[:, component, None]).T @ away
            spread = spread + torch.diag(inner[component]) * counts[component] + total * prior
            covariances.append(spread / (counts[component] + prior) + ridge)
        factors = torch.linalg.cholesky(torch.stack(covariances))
        mixture = Mixture(counts / counts.sum(), means, factors)
    return mixture

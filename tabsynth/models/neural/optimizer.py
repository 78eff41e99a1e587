"""Adam on one flat vector of parameters, with a moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


class Adam:
    """Adam with decoupled weight decay, a bound on the gradient, and averaged weights.

    All parameters become views of one vector, so a step is a handful of operations, however many
    layers there are. Nothing is copied to the host: a gradient that is not finite is replaced by
    zeros on the device.

    Parameters
    ----------
    parameters : iterable of Parameter
        They are changed in place to be views of one vector, and so are their gradients.
    betas : tuple of float
        Decay of the first and second moment.
    decay : float
        Weight decay; parameters of one dimension, which are biases, do not decay.
    clip : float
        Largest Euclidean norm of the gradient.
    average : float
        Decay of the moving average of the weights, 0 for none. It begins with the plain mean of the
        steps so far.

    References
    ----------
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        decay: float = 0.0,
        clip: float = 10.0,
        average: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.betas, self.decay, self.clip, self.average = betas, decay, clip, average
        self.weights = torch.cat([value.detach().reshape(-1) for value in self.parameters])
        self.gradient = torch.zeros_like(self.weights)
        self._decays = torch.cat(
            [torch.full_like(value, value.dim() > 1).reshape(-1) for value in self.parameters]
        )
        self._attach(self.weights)
        self._first = torch.zeros_like(self.weights)
        self._second = torch.zeros_like(self.weights)
        self._mean = self.weights.clone()
        self._steps = 0

    def _attach(self, weights: torch.Tensor) -> None:
        """Make the parameters views of `weights`."""
        begin = 0
        for value in self.parameters:
            end = begin + value.numel()
            value.data = weights[begin:end].view_as(value)
            value.grad = self.gradient[begin:end].view_as(value)
            begin = end

    def clear(self) -> None:
        """Set the gradient to zero."""
        self.gradient.zero_()

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take one step with the gradient that was gathered."""
        self._steps += 1
        gradient, weights = self.gradient, self.weights
        shrink = (self.clip / (torch.linalg.vector_norm(gradient) + 1e-12)).clamp_max(1.0)
        gradient.mul_(shrink).nan_to_num_(nan=0.0)
        self._first.lerp_(gradient, 1 - self.betas[0])
        self._second.mul_(self.betas[1]).addcmul_(gradient, gradient, value=1 - self.betas[1])
        correction = (1 - self.betas[1] ** self._steps) ** 0.5
        # Added under the root, so that no root of a denormal number is taken, which is slow.
        size = (self._second + 1e-16).sqrt_().div_(correction)
        if self.decay:
            weights.addcmul_(weights, self._decays, value=-rate * self.decay)
        weights.addcdiv_(self._first, size, value=-rate / (1 - self.betas[0] ** self._steps))
        if self.average:
            share = max(1 - self.average, 1 / self._steps)
            self._mean.lerp_(weights, share)

    def use_average(self) -> None:
        """Put the averaged weights in place of the last ones."""
        if self.average:
            self.weights.copy_(self._mean)

    @contextmanager
    def averaged(self) -> Iterator[torch.Tensor]:
        """Compute with the averaged weights inside the block, and give them."""
        if not self.average:
            yield self.weights
            return
        last = self.weights.clone()
        self.weights.copy_(self._mean)
        try:
            yield self.weights
        finally:
            self.weights.copy_(last)

    def state(self) -> dict[str, torch.Tensor]:
        """Return all that a further step depends on, besides the weights."""
        steps = torch.tensor(self._steps)
        return {"first": self._first, "second": self._second, "mean": self._mean, "steps": steps}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` returned."""
        for name in ("first", "second", "mean"):
            getattr(self, f"_{name}").copy_(state[name])
        self._steps = int(state["steps"])

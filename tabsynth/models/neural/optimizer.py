"""Adam on one flat vector of parameters, with a moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class Adam:
    """Adam with decoupled weight decay, a bound on the gradient, and averaged weights.

    All parameters become views of one vector, so a step is one fused operation and a few small
    ones, however many layers there are. Nothing is copied to the host: a step whose gradient is not
    finite is skipped on the device.

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

    Attributes
    ----------
    weights, gradient : tensor of float, shape (n_weights,)
        What the parameters are views of: those that decay first.

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
        self.parameters = sorted(parameters, key=lambda value: value.dim() <= 1)
        self.clip, self.average = clip, average
        self.weights = torch.cat([value.detach().reshape(-1) for value in self.parameters])
        self.gradient = torch.zeros_like(self.weights)
        self._attach(self.weights)
        n = sum(value.numel() for value in self.parameters if value.dim() > 1)
        groups: list[dict[str, Any]] = []
        for part, rate in ((slice(0, n), decay), (slice(n, None), 0.0)):
            flat = self.weights[part]
            if len(flat):
                flat.grad = self.gradient[part]
                groups.append({"params": [flat], "weight_decay": rate})
        self._inner = torch.optim.AdamW(groups, betas=betas, eps=1e-8, fused=True)
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
        length = torch.linalg.vector_norm(self.gradient)
        for group in self._inner.param_groups:
            group["lr"] = rate
        # The fused step divides the gradient by the one and is skipped where the other is not 0.
        scale, bad = (length / self.clip).clamp_min(1.0), (~length.isfinite()).float()
        self._inner.grad_scale, self._inner.found_inf = scale, bad  # type: ignore[attr-defined]
        self._inner.step()
        if self.average:
            self._mean.lerp_(self.weights, max(1 - self.average, 1 / self._steps))

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
        state = {"mean": self._mean, "steps": torch.tensor(self._steps)}
        for number, group in enumerate(self._inner.param_groups):
            for name, value in self._inner.state[group["params"][0]].items():
                state[f"{name}.{number}"] = value
        return state

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` returned."""
        self._mean.copy_(state["mean"])
        self._steps = int(state["steps"])
        for number, group in enumerate(self._inner.param_groups):
            flat = group["params"][0]
            self._inner.state[flat] = {
                name: state[f"{name}.{number}"].to(flat.device)
                for name in ("step", "exp_avg", "exp_avg_sq")
            }

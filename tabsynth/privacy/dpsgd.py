"""DP-SGD: gradients of rows that are cut to a length, summed up, and blurred.

Opacus finds the length of each row's gradient without building it, and how much of it is kept.
Layers that can then sum up what is kept do so, from what went in and came back, which saves a
second way back through the network; for others Opacus goes it. Which rows take part in a step, and
the noise, are drawn here, from `Noise`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import PrivacyError
from tabsynth.monitor import Monitor
from tabsynth.privacy.accounting import Spend
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.steps import (
    Loss,
    Rows,
    made_up_rows,
    parts_of,
    refuse_mixed_rows,
    report,
    sampling_rate,
    trainable,
)

if TYPE_CHECKING:
    from tabsynth.privacy.training import PrivateSteps

CLOSE = 1e-3
"""Largest relative error of a row's gradient length on made-up rows, in 32 bits."""


def train(
    table: EncodedTable,
    n_rows: int,
    ledger: Ledger,
    noise: Noise,
    network: nn.Module,
    loss: Loss,
    run: PrivateSteps,
    update: Callable[[int], None],
    device: torch.device,
    monitor: Monitor,
) -> None:
    """Take steps whose gradients are private; all of them are debited first.

    Parameters
    ----------
    table : EncodedTable
        The rows.
    n_rows : int
        The public or noisy number of rows, which the rate of sampling follows from.
    ledger : Ledger
        What is left of it is spent.
    noise : Noise
    network, loss, run, update, device, monitor
        See `TrainingData.train`.

    Raises
    ------
    BudgetExceeded, PrivacyError
        If too little of the budget is left; if rows are not independent of each other in the
        network, or a layer is not known to Opacus and does not tell lengths itself.

    Notes
    -----
    Privacy: each step releases the sum of the rows' gradients, each cut to the length `run.clip`,
    with Gaussian noise; each row takes part with the same probability by itself. Rate, number of
    steps and divisor are public. Nothing else that is computed from rows leaves: no loss, no
    length, no number of rows of a step. A step without rows is noise alone and is taken too.

    References
    ----------
    Abadi et al., "Deep Learning with Differential Privacy", 2016, arXiv:1607.00133. Lee and Kifer,
    "Scaling up Differentially Private Deep Learning with Fast Per-Example Gradient Clipping", 2021,
    arXiv:2009.03106.
    """
    rate = sampling_rate(run.batch_size, n_rows)
    gradients = ClippedGradients(network, loss, run.clip)
    try:
        gradients.try_out(made_up_rows(table, device))
        sigma = ledger.noise_for(rate, run.steps)
        what = f"steps of DP-SGD, rows' gradients cut to length {run.clip:g}"
        ledger.debit(Spend(what, "sampled gaussian", sigma, run.steps, rate, 0.0, run.clip))
        codes, offsets = torch.from_numpy(table.codes), torch.from_numpy(table.offsets)
        rows = codes.to(device), offsets.to(device)
        for step in range(run.steps):
            chosen = np.flatnonzero(noise.mask(len(table), rate))
            summed = gradients.summed(parts_of(rows, chosen))
            blurred = (summed + sigma * run.clip * noise.gaussian(len(summed))) / run.batch_size
            gradients.put(blurred)
            update(step)
            report(monitor, step + 1, run.steps)
    finally:
        gradients.close()


class ClippedGradients:
    """Sums of the gradients of rows, each cut to a length.

    Parameters
    ----------
    network : Module
        Parameters lie in modules that Opacus knows, or that have a method
        ``squared_norms(inputs, gradient)`` for the squared length of each row's gradient; each is
        used once in a loss. Where all have a method ``weighted(inputs, gradient, weights)`` too,
        for the weighted sum of the rows' gradients, the network is gone back through once.
    loss : callable
        Takes codes, int32 (n_rows, n_blocks), and offsets, float32 (n_rows, n_offset_blocks), and
        returns one loss a row, float (n_rows,), computed through `network` from this row alone.
    clip : float
        Largest length of a row's gradient.

    Raises
    ------
    PrivacyError
        If a layer mixes rows or is not known.
    """

    def __init__(self, network: nn.Module, loss: Loss, clip: float) -> None:
        from opacus.grad_sample import GradSampleModuleFastGradientClipping
        from opacus.optimizers import DPOptimizerFastGradientClipping

        refuse_mixed_rows(network)
        self.network, self.loss, self.clip = network, loss, clip
        self.parameters = trainable(network)
        _tell_opacus(network, GradSampleModuleFastGradientClipping)
        self._modes = {module: module.training for module in network.modules()}
        network.train()
        layers = [module for module in network.modules() if _own(module)]
        self._once = all(hasattr(layer, "weighted") for layer in layers)
        self._hooked = (_listener() if self._once else GradSampleModuleFastGradientClipping)(
            network, loss_reduction="sum", strict=False, max_grad_norm=clip
        )
        self._heard: list[tuple[Any, list[torch.Tensor], torch.Tensor]] = []
        self._hooks = []
        if self._once:
            self._hooks = [layer.register_forward_hook(self._hear) for layer in layers]
        # It only sets gradients to zero: its own noise and steps are never used.
        self._holder = DPOptimizerFastGradientClipping(
            torch.optim.SGD(self.parameters, lr=0.0),
            noise_multiplier=0.0,
            max_grad_norm=clip,
            expected_batch_size=None,
            loss_reduction="sum",
        )

    def summed(self, parts: Iterable[Rows]) -> np.ndarray:
        """Return the sum of the rows' gradients, each cut, over parts of rows.

        Returns
        -------
        ndarray of float64, shape (n_weights,)
        """
        total = np.zeros(sum(parameter.numel() for parameter in self.parameters))
        for codes, offsets in parts:
            if len(codes):
                losses = self._losses(codes, offsets)
                total += self._weighted(losses) if self._once else self._summed(losses)
        return total

    def _weighted(self, losses: torch.Tensor) -> np.ndarray:
        """Return the sum of the cut gradients, from one way back."""
        told, sums = self._back(losses), {}
        kept = self._hooked.get_clipping_coef().detach()
        for layer, inputs, gradient in told:
            sums.update(layer.weighted(inputs, gradient, kept))
        return _flat([sums.get(parameter) for parameter in self.parameters], self.parameters)

    def _summed(self, losses: torch.Tensor) -> np.ndarray:
        """Return the sum of the cut gradients, from the two ways back of Opacus."""
        from opacus.utils.fast_gradient_clipping_utils import DPTensorFastGradientClipping

        with _quietly():
            DPTensorFastGradientClipping(self._hooked, self._holder, losses, "sum").backward()
        return _flat([parameter.grad for parameter in self.parameters], self.parameters)

    def _hear(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: Any) -> None:
        if torch.is_grad_enabled() and self._hooked.hooks_enabled:
            self._heard.append((layer, [some.detach() for some in inputs], output))

    def _back(self, losses: torch.Tensor) -> list[tuple[Any, list[torch.Tensor], torch.Tensor]]:
        """Go back from losses to what came out of each layer, and tell Opacus.

        Returns
        -------
        list
            Each layer, what went in, and the gradient with respect to what came out.
        """
        heard, self._heard = self._heard, []
        outputs = [output for *_, output in heard]
        gradients = torch.autograd.grad(
            losses.sum(), outputs, allow_unused=True, materialize_grads=True
        )
        told = []
        for (layer, inputs, _), gradient in zip(heard, gradients, strict=True):
            self._hooked.capture_backprops_hook(layer, (), (gradient,), "sum", True)
            told.append((layer, inputs, gradient))
        return told

    def put(self, gradient: np.ndarray) -> None:
        """Set the gradients of the parameters, in place where they have one."""
        begin = 0
        for parameter in self.parameters:
            end = begin + parameter.numel()
            values = torch.from_numpy(gradient[begin:end]).view(parameter.shape)
            values = values.to(parameter.dtype).to(parameter.device)
            if parameter.grad is None:
                parameter.grad = values
            else:
                parameter.grad.copy_(values)
            begin = end

    def lengths(self, rows: Rows) -> torch.Tensor:
        """Return the length of each row's gradient before it is cut; for tests and `try_out`."""
        return self._lengths(self._losses(*rows))

    def _lengths(self, losses: torch.Tensor) -> torch.Tensor:
        if self._once:
            self._back(losses)
        else:
            with _quietly():
                losses.sum().backward()  # type: ignore[no-untyped-call]
        norms: torch.Tensor = self._hooked.get_norm_sample()
        return norms.detach()

    def try_out(self, rows: Rows) -> None:
        """Compare lengths and sums of gradients with those of gradients that are built.

        Parameters
        ----------
        rows : tuple of tensor
            Made up, so that nothing is learnt from what is refused.

        Raises
        ------
        PrivacyError
            If they differ, or if the network keeps something of the rows.
        """
        kept = [(name, value.clone()) for name, value in self.network.named_buffers()]
        losses, built = self._losses(*rows), []
        self._hooked.disable_hooks()
        for loss in losses:
            with _quietly():
                parts = torch.autograd.grad(
                    loss, self.parameters, retain_graph=True, allow_unused=True
                )
            built.append(_flat(parts, self.parameters))
        self._hooked.enable_hooks()
        found, wanted = self._lengths(losses).double().cpu().numpy(), np.stack(built)
        lengths = np.linalg.norm(wanted, axis=1)
        summed = self.summed([rows])
        wanted = (wanted * np.minimum(1.0, self.clip / (lengths + 1e-6))[:, None]).sum(0)
        near = np.linalg.norm(summed - wanted) <= CLOSE * self.clip * len(lengths)
        if not (near and np.allclose(found, lengths, rtol=CLOSE, atol=CLOSE * self.clip)):
            raise PrivacyError(
                "The gradients of this network are not what its layers say they are, so it cannot "
                "be trained under a privacy budget."
            )
        for (name, before), after in zip(kept, self.network.buffers(), strict=True):
            if not torch.equal(before, after):
                raise PrivacyError(
                    f"The network keeps something of its rows in {name!r}, which a privacy budget "
                    "does not allow."
                )

    def close(self) -> None:
        """Leave nothing of the rows in the network."""
        self._hooked.remove_hooks()
        for hook in self._hooks:
            hook.remove()
        self._heard = []
        for module in self.network.modules():
            module.training = self._modes[module]
            for name in ("activations", "max_batch_len"):
                if hasattr(module, name):
                    delattr(module, name)
        for parameter in self.parameters:
            for name in ("_norm_sample", "_forward_counter", "grad_sample", "summed_grad"):
                if hasattr(parameter, name):
                    delattr(parameter, name)
        self._hooked.per_sample_gradient_norms = None

    def _losses(self, codes: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        self._heard = []
        losses = self.loss(codes, offsets)
        if losses.shape != (len(codes),):
            raise PrivacyError(
                f"A loss of {len(codes)} rows has shape {tuple(losses.shape)}: under a privacy "
                "budget every row must have a loss of its own."
            )
        for parameter in self.parameters:
            # What no loss comes through has no gradient.
            parameter._norm_sample = losses.new_zeros(len(codes))  # type: ignore[attr-defined]
        return losses


def _flat(
    gradients: Iterable[torch.Tensor | None], parameters: Iterable[nn.Parameter]
) -> np.ndarray:
    """Return gradients end to end, float64; 0 where there is none."""
    parts = [
        np.zeros(parameter.numel())
        if gradient is None
        else gradient.detach().reshape(-1).double().cpu().numpy()
        for gradient, parameter in zip(gradients, parameters, strict=True)
    ]
    return np.concatenate(parts)


def _own(module: nn.Module) -> bool:
    """Return whether parameters that are trained lie in a module itself."""
    return any(parameter.requires_grad for parameter in module.parameters(recurse=False))


@cache
def _listener() -> Any:
    """Return what Opacus cuts with, told of gradients instead of waiting for them."""
    from opacus.grad_sample import GradSampleModuleFastGradientClipping

    class Listener(GradSampleModuleFastGradientClipping):  # type: ignore[misc, unused-ignore]
        """Hears what goes into layers; what comes back is told it."""

        def add_hooks(self, **_: Any) -> None:
            """Listen to what goes in alone."""
            hooks = [
                module.register_forward_hook(self.capture_activations_hook)
                for module in self.iterate_submodules(self._module)
            ]
            self._module.autograd_grad_sample_hooks = hooks
            self.autograd_grad_sample_hooks = hooks
            self.enable_hooks()

    return Listener


@contextmanager
def _quietly() -> Iterator[None]:
    """Pass over what torch says of layers whose inputs need no gradient."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        yield


def _tell_opacus(network: nn.Module, hooks: Any) -> None:
    """Register layers that tell the lengths of gradients themselves.

    Raises
    ------
    PrivacyError
        If a layer is not known.
    """
    from opacus.grad_sample import register_norm_sampler

    for name, module in network.named_modules():
        if not _own(module):
            continue
        kind = type(module)
        if hasattr(module, "squared_norms") and not list(module.children()):
            register_norm_sampler(kind)(_lengths)
        elif kind not in hooks.GRAD_SAMPLERS and kind not in hooks.NORM_SAMPLERS:
            raise PrivacyError(
                f"Layer {name!r} ({kind.__name__}) does not tell how long the gradients of rows "
                "are, so it cannot be trained under a privacy budget."
            )


def _lengths(
    layer: Any, inputs: list[torch.Tensor], gradient: torch.Tensor
) -> dict[nn.Parameter, torch.Tensor]:
    """Return the length of each row's gradient, by parameter, as Opacus wants it."""
    squared = layer.squared_norms(inputs, gradient)
    return {parameter: values.clamp_min(0).sqrt() for parameter, values in squared.items()}


def composed_epsilon(
    history: Iterable[tuple[float, float, int]], delta: float, error: float
) -> float:
    """Return what (noise, rate, steps) cost together, from privacy loss distributions."""
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    accountant.history = list(history)
    return float(accountant.get_epsilon(delta=delta, eps_error=error))

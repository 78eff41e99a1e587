"""DP-SGD: gradients of rows that are cut to a length, summed up, and blurred.

Opacus finds the length of each row's gradient without building it, cuts, and sums up. Which rows
take part in a step, and the noise, are drawn here, from `Noise`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import PrivacyError
from tabsynth.monitor import Monitor, Progress
from tabsynth.privacy.accounting import Spend
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise

if TYPE_CHECKING:
    from tabsynth.privacy.training import PrivateSteps

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Rows = tuple[torch.Tensor, torch.Tensor]

MOST_ROWS = 2048
"""Rows whose gradients are summed up at a time."""
MADE_UP = 4
"""Made-up rows on which a network is tried before the first step."""
CLOSE = 1e-3
"""Largest relative error of a row's gradient length on made-up rows, in 32 bits."""
REPORTS = 100
"""How often, at most, a training tells of its progress."""


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
            summed = gradients.summed(_parts(rows, chosen))
            blurred = (summed + sigma * run.clip * noise.gaussian(len(summed))) / run.batch_size
            gradients.put(blurred)
            update(step)
            report(monitor, step + 1, run.steps)
    finally:
        gradients.close()


def train_exactly(
    table: EncodedTable,
    network: nn.Module,
    loss: Loss,
    run: PrivateSteps,
    update: Callable[[int], None],
    device: torch.device,
    monitor: Monitor,
) -> None:
    """Take the same steps without a budget: nothing is cut and nothing blurred."""
    rate, chance = sampling_rate(run.batch_size, len(table)), np.random.PCG64(0)
    levels = np.random.Generator(chance)
    rows = torch.from_numpy(table.codes).to(device), torch.from_numpy(table.offsets).to(device)
    parameters = trainable(network)
    for step in range(run.steps):
        chosen = np.flatnonzero(levels.random(len(table)) < rate)
        for parameter in parameters:
            parameter.grad = None if parameter.grad is None else parameter.grad.zero_()
        for some in _parts(rows, chosen):
            (loss(*some).sum() / run.batch_size).backward()  # type: ignore[no-untyped-call]
        update(step)
        report(monitor, step + 1, run.steps)


def sampling_rate(batch_size: int, n_rows: int) -> float:
    """Return the probability with which each row takes part in a step."""
    return min(1.0, batch_size / max(n_rows, 1))


def report(monitor: Monitor, done: int, steps: int) -> None:
    """Tell how many steps were taken, and nothing else."""
    if done % max(1, -(-steps // REPORTS)) == 0 or done == steps:
        monitor(Progress("training", done, steps))


def made_up_rows(table: EncodedTable, device: torch.device) -> Rows:
    """Return a few rows drawn evenly from what the layout allows, not from the table."""
    rng, layout = np.random.Generator(np.random.PCG64(0)), table.layout
    codes = rng.integers(0, layout.sizes, size=(MADE_UP, len(layout))).astype(np.int32)
    offsets = np.zeros((MADE_UP, len(layout.offset_blocks)), dtype=np.float32)
    return torch.from_numpy(codes).to(device), torch.from_numpy(offsets).to(device)


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that are trained."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _parts(rows: Rows, chosen: np.ndarray) -> Iterable[Rows]:
    """Return chosen rows, a part at a time."""
    for some in torch.split(torch.from_numpy(chosen), MOST_ROWS):
        here = some.to(rows[0].device)
        yield rows[0][here], rows[1][here]


class ClippedGradients:
    """Sums of the gradients of rows, each cut to a length.

    Parameters
    ----------
    network : Module
        Parameters lie in modules that Opacus knows, or that have a method
        ``squared_norms(inputs, gradient)`` for the squared length of each row's gradient; each is
        used once in a loss.
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
        self._hooked = GradSampleModuleFastGradientClipping(
            network, loss_reduction="sum", strict=False, max_grad_norm=clip
        )
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
        from opacus.utils.fast_gradient_clipping_utils import DPTensorFastGradientClipping

        total = np.zeros(sum(parameter.numel() for parameter in self.parameters))
        for codes, offsets in parts:
            if len(codes):
                losses = self._losses(codes, offsets)
                with _quietly():
                    DPTensorFastGradientClipping(
                        self._hooked, self._holder, losses, "sum"
                    ).backward()
                total += self._gradient()
        return total

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
        with _quietly():
            losses.sum().backward()  # type: ignore[no-untyped-call]
        norms: torch.Tensor = self._hooked.get_norm_sample()
        return norms.detach()

    def try_out(self, rows: Rows) -> None:
        """Compare the lengths of gradients with those of gradients that are built, on some rows.

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
            squared = [part.double().square().sum() for part in parts if part is not None]
            built.append(torch.stack(squared).sum().sqrt())
        self._hooked.enable_hooks()
        found, wanted = self._lengths(losses).double(), torch.stack(built)
        if not torch.allclose(found, wanted, rtol=CLOSE, atol=CLOSE * self.clip):
            raise PrivacyError(
                "The lengths of gradients of this network are not what its layers say they are, "
                "so it cannot be trained under a privacy budget."
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

    def _gradient(self) -> np.ndarray:
        parts = [
            np.zeros(parameter.numel())
            if parameter.grad is None
            else parameter.grad.detach().cpu().double().numpy().reshape(-1)
            for parameter in self.parameters
        ]
        return np.concatenate(parts)


@contextmanager
def _quietly() -> Iterator[None]:
    """Pass over what torch says of layers whose inputs need no gradient."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        yield


def refuse_mixed_rows(network: nn.Module) -> None:
    """Refuse layers that let rows touch each other, trained or not.

    Raises
    ------
    PrivacyError
    """
    mixing = nn.modules.batchnorm._BatchNorm
    tracking = nn.modules.instancenorm._InstanceNorm
    for name, module in network.named_modules():
        whole = isinstance(module, mixing) and not isinstance(module, tracking)
        if whole or (isinstance(module, tracking) and module.track_running_stats):
            raise PrivacyError(
                f"Layer {name!r} ({type(module).__name__}) computes with several rows at once, so "
                "the gradient of one row is not its own. Use LayerNorm, or none, under a privacy "
                "budget."
            )


def _tell_opacus(network: nn.Module, hooks: Any) -> None:
    """Register layers that tell the lengths of gradients themselves.

    Raises
    ------
    PrivacyError
        If a layer is not known.
    """
    from opacus.grad_sample import register_norm_sampler

    for name, module in network.named_modules():
        if not any(p.requires_grad for p in module.parameters(recurse=False)):
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

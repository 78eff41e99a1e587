"""TrainingData: the only thing that a model sees of the table it learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tabsynth.encoding.layout import Layout
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import PrivacyError
from tabsynth.monitor import Monitor, ignore
from tabsynth.privacy.accounting import Spend
from tabsynth.privacy.counting import Counts, Groups, Tally, counted, scores, with_parent
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise, deviation

if TYPE_CHECKING:
    import torch
    from torch import nn

    Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class PrivateSteps:
    """How a network is trained under a budget; all of it is public.

    Attributes
    ----------
    batch_size, steps : int
        Rows of a step on average, which divide sums of gradients, and the number of steps.
    clip : float
        Largest length of the gradient of one row.
    """

    batch_size: int
    steps: int
    clip: float = 1.0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.steps < 1 or not (math.isfinite(self.clip) and self.clip):
            raise PrivacyError("Private steps need a batch size, a number of steps and a clip.")


class TrainingData(Protocol):
    """What a model may ask of the table it learns.

    Models never receive rows, files or loaders in another way, so that the same model code can be
    handed an exact table or, under a privacy budget, one that answers with noise and refuses the
    rest. Everything but `table` and `codes` may be used under a budget.
    """

    @property
    def layout(self) -> Layout:
        """The blocks of the encoded table."""

    @property
    def n_rows(self) -> int:
        """Number of rows that the model may take as known; noisy or public under a budget."""

    @property
    def private(self) -> bool:
        """Whether there is a privacy budget."""

    @property
    def rho(self) -> float:
        """What `measure` and `choose` may still cost together; infinite without a budget."""

    def table(self) -> EncodedTable:
        """Return the rows themselves.

        Raises
        ------
        PrivacyError
            Under a privacy budget.
        """

    def known(self) -> list[Counts]:
        """Return the counts of the codes of each block by itself, or with the block it refines.

        One entry a block: of ``(block,)``, or of ``(parent, block)`` where it has a parent. Free of
        cost: under a budget they come from what was bought to find the codes, and blocks differ in
        how much noise they have.
        """

    def measure(
        self,
        sets: Sequence[tuple[int, ...]],
        rho: float = math.inf,
        groups: Groups | None = None,
    ) -> list[Counts]:
        """Return the counts of the code combinations of sets of blocks.

        Parameters
        ----------
        sets : sequence of tuple of int
            Indices of blocks.
        rho : float
            What all of them together may cost; has no effect without a budget.
        groups : mapping of int to ndarray of int, optional
            Of a block: the group that each of its codes is counted in; computed from what is public
            or was released.

        Raises
        ------
        BudgetExceeded
            If that is more than what is left.
        """

    def choose(
        self,
        estimates: Sequence[Counts],
        rho: float = math.inf,
        *,
        weights: Sequence[float] | None = None,
        penalties: Sequence[float] | None = None,
        groups: Groups | None = None,
    ) -> int:
        """Return which set of blocks is estimated worst, or nearly.

        The score of an estimate is ``weight * (sum of absolute errors of its cells - penalty)``.

        Parameters
        ----------
        estimates : sequence of Counts
            What the counts of each set are believed to be; `sigma` plays no part.
        rho : float
            What the choice may cost.
        weights, penalties : sequence of float, optional
            1 and 0 where left out; computed from what is public or was released.
        groups : mapping of int to ndarray of int, optional
            As for `measure`.
        """

    def train(
        self,
        network: nn.Module,
        loss: Loss,
        run: PrivateSteps,
        update: Callable[[int], None],
        device: torch.device,
        monitor: Monitor = ignore,
    ) -> None:
        """Take steps down the gradient of a loss of rows, without handing the rows out.

        Each row takes part in a step by chance. Under a budget, steps use up what is left of it.

        Parameters
        ----------
        network : Module
            Its layers are known to Opacus or tell how long rows' gradients are (`squared_norms`).
        loss : callable
            Takes codes (int32) and offsets (float32) of rows and returns one loss a row, (n_rows,),
            computed through `network`. It must keep nothing of them.
        run : PrivateSteps
        update : callable
            Told the number of each step once the gradients of the parameters are set: those of the
            sum of the losses, over the batch size. It moves the weights.
        device : device
        monitor : callable
            Told of steps alone.

        Raises
        ------
        BudgetExceeded, PrivacyError
            If too little is left, or if the network lets rows touch each other.
        """


class ExactTrainingData:
    """TrainingData without a privacy budget: answers exactly and opens the rows.

    Parameters
    ----------
    table : EncodedTable

    Notes
    -----
    Privacy: none. What a model learns from this carries no formal guarantee, and everything that
    is made from it has to say so.
    """

    private = False
    rho = math.inf

    def __init__(self, table: EncodedTable) -> None:
        self._table, self._tally = table, Tally(table)

    @property
    def layout(self) -> Layout:
        """The blocks of the encoded table."""
        return self._table.layout

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._table)

    def table(self) -> EncodedTable:
        """Return the rows themselves."""
        return self._table

    def known(self) -> list[Counts]:
        """Return the exact counts of the codes of each block."""
        return self.measure([with_parent(self.layout, block) for block in range(len(self.layout))])

    def measure(
        self,
        sets: Sequence[tuple[int, ...]],
        rho: float = math.inf,
        groups: Groups | None = None,
    ) -> list[Counts]:
        """Return exact counts."""
        return [
            Counts(tuple(s), counted(self._table, s, groups).astype(np.float64), 0.0) for s in sets
        ]

    def choose(
        self,
        estimates: Sequence[Counts],
        rho: float = math.inf,
        *,
        weights: Sequence[float] | None = None,
        penalties: Sequence[float] | None = None,
        groups: Groups | None = None,
    ) -> int:
        """Return which set of blocks is estimated worst."""
        return int(np.argmax(scores(self._tally, estimates, weights, penalties, groups)))

    def train(
        self,
        network: nn.Module,
        loss: Loss,
        run: PrivateSteps,
        update: Callable[[int], None],
        device: torch.device,
        monitor: Monitor = ignore,
    ) -> None:
        """Take exact steps; the rows of each are always the same."""
        from tabsynth.privacy.steps import train_exactly

        train_exactly(self._table, network, loss, run, update, device, monitor)


class PrivateTrainingData:
    """TrainingData under a privacy budget: answers with noise, and debits before it does.

    Parameters
    ----------
    table : EncodedTable
        Written in a coding that is public or was bought.
    n_rows : int
        A public or noisy number of rows.
    known : sequence of Counts
        What is known of each block already.
    ledger : Ledger
    noise : Noise

    Notes
    -----
    Privacy: the rows are opened here alone. Each row takes part in one cell of a table of counts,
    so that adding or removing it changes the counts by 1 (L2) and a sum of absolute errors by 1.
    """

    private = True

    def __init__(
        self,
        table: EncodedTable,
        n_rows: int,
        known: Sequence[Counts],
        ledger: Ledger,
        noise: Noise,
    ) -> None:
        self._table, self._n_rows, self._known = table, n_rows, list(known)
        self._tally = Tally(table)
        self._ledger, self._noise = ledger, noise

    @property
    def layout(self) -> Layout:
        """The blocks of the encoded table."""
        return self._table.layout

    @property
    def n_rows(self) -> int:
        """A public or noisy number of rows."""
        return self._n_rows

    @property
    def rho(self) -> float:
        """What `measure` and `choose` may still cost."""
        return self._ledger.left()

    def table(self) -> EncodedTable:
        """Refuse."""
        raise PrivacyError(
            "This model reads the rows themselves, which a privacy budget does not allow. Choose "
            "'marginal' or 'autoregressive', or leave epsilon out."
        )

    def known(self) -> list[Counts]:
        """Return the noisy counts that were bought to find the codes."""
        return self._known

    def measure(
        self,
        sets: Sequence[tuple[int, ...]],
        rho: float = math.inf,
        groups: Groups | None = None,
    ) -> list[Counts]:
        """Return counts with discrete Gaussian noise, `rho` shared evenly; debits first."""
        if not len(sets):
            return []
        share = _affordable(rho, self.rho) / len(sets)
        sigma = math.sqrt(1 / (2 * share))
        self._ledger.debit(*(Spend(self._words(s), "gaussian", sigma) for s in sets))
        return [
            Counts(
                tuple(s),
                self._noise.counts(counted(self._table, s, groups), sigma).astype(np.float64),
                deviation(sigma),
            )
            for s in sets
        ]

    def choose(
        self,
        estimates: Sequence[Counts],
        rho: float = math.inf,
        *,
        weights: Sequence[float] | None = None,
        penalties: Sequence[float] | None = None,
        groups: Groups | None = None,
    ) -> int:
        """Return which set of blocks is estimated badly: exponential mechanism; debits first."""
        epsilon = self._ledger.choice(_affordable(rho, self.rho))
        # Estimates are floats: a hair more than what one row changes allows for rounding.
        most = (1.0 if weights is None else max(map(abs, weights))) * (1 + 1e-9)
        self._ledger.debit(
            Spend("which columns depend on each other", "exponential", epsilon, sensitivity=most)
        )
        found = scores(self._tally, estimates, weights, penalties, groups)
        return self._noise.choose(found, epsilon, most)

    def train(
        self,
        network: nn.Module,
        loss: Loss,
        run: PrivateSteps,
        update: Callable[[int], None],
        device: torch.device,
        monitor: Monitor = ignore,
    ) -> None:
        """Take steps of DP-SGD that use up the budget; debits all of them first.

        A noisy number of rows decides nothing that is composed numerically: its steps are of all
        rows, which are Gaussian releases, for which composition holds however they follow from
        earlier ones.
        """
        from tabsynth.privacy import dpsgd

        if self._ledger.facts.get("rows") == "noisy":
            run = replace(run, batch_size=max(run.batch_size, self._n_rows))
        door = self._table, self._n_rows, self._ledger, self._noise
        dpsgd.train(*door, network, loss, run, update, device, monitor)

    def _words(self, blocks: Sequence[int]) -> str:
        names = dict.fromkeys(self.layout[block].owner for block in blocks)
        return f"counts of {' x '.join(map(repr, names))}"


def _affordable(rho: float, left: float) -> float:
    """Return `rho`, or all that is left where it is infinite."""
    if rho <= 0 or left <= 0:
        raise PrivacyError("Nothing of the privacy budget is left for this.")
    return left if math.isinf(rho) else rho

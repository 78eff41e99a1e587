"""Ending a training before its last step: rows held out, and an interruption from the keyboard."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

import torch

from tabsynth.models.neural.optimizer import Adam

CHECKS = 50
"""How often, at most, a training looks at the rows held out."""


class EarlyStopping:
    """Watches a loss on rows held out, and keeps the averaged weights that were best on them.

    Parameters
    ----------
    optimizer : Adam
    loss : callable
        The loss on the rows held out, of the weights as they are when it is called. The same
        weights must give the same loss.
    patience : int
        Looks without a better loss after which the training ends.

    Notes
    -----
    Privacy: which weights are kept depends on the rows held out. Under a privacy budget that would
    have to be paid for; nothing here does, so it needs rows that a budget closes.
    """

    def __init__(self, optimizer: Adam, loss: Callable[[], torch.Tensor], patience: int) -> None:
        self._optimizer, self._loss, self.patience = optimizer, loss, patience
        self.best = self.last = math.inf
        self.stale = 0
        self._weights = optimizer.weights.clone()

    @torch.no_grad()
    def look(self) -> None:
        """Compute the loss of the averaged weights, and keep them where they are the best."""
        with self._optimizer.averaged() as weights:
            self.last = float(self._loss())
            if self.last < self.best:
                self.best, self.stale = self.last, 0
                self._weights.copy_(weights)
            else:
                self.stale += 1

    @property
    def exhausted(self) -> bool:
        """Whether there is no patience left."""
        return self.stale >= self.patience

    def use_best(self) -> None:
        """Put the best averaged weights in place of the last ones."""
        if self.best < math.inf:
            self._optimizer.weights.copy_(self._weights)
        else:
            self._optimizer.use_average()

    def state(self) -> dict[str, torch.Tensor]:
        """Return the best weights, their loss, and how long ago it was."""
        figures = torch.tensor([self.best, self.last, self.stale], dtype=torch.float64)
        return {"weights": self._weights, "figures": figures}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` returned."""
        self._weights.copy_(state["weights"])
        self.best, self.last, stale = state["figures"].tolist()
        self.stale = int(stale)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C inside the block only be noted; give whether there was one.

    The second one raises KeyboardInterrupt, as the first one does outside. Nothing changes in a
    thread that is not the main one, or where the program handles the signal in its own way.
    """
    noted: list[int] = []
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)

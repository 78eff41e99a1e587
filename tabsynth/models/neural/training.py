"""The training loop: it counts, reports, keeps checkpoints, and ends when it must or may."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import torch

from tabsynth.models.base import HyperParameters, IterativeModel
from tabsynth.models.neural.checkpoint import Checkpoint, Kept
from tabsynth.models.neural.device import DEVICES, PRECISIONS
from tabsynth.models.neural.stopping import CHECKS, EarlyStopping, interruptible
from tabsynth.monitor import Monitor, Progress
from tabsynth.validation import check_choice, check_flag, check_integer, check_real

REPORTS = 100
"""How often, at most, a training tells of its progress."""

CHECKPOINT_SECONDS = 10.0
"""Least time from one checkpoint to the next."""
CHECKPOINT_SHARE = 0.02
"""Largest share of the time that is spent on writing checkpoints."""

INTERRUPTED, OUT_OF_TIME, NO_BETTER = "interrupted", "out of time", "no better"
"""Why a training ended before its last step."""

REASONS = {
    INTERRUPTED: "it was interrupted",
    OUT_OF_TIME: "the time limit was reached",
    NO_BETTER: "rows held out were described no better any more",
}

logger = logging.getLogger("tabsynth")

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Settings = TypeVar("Settings", bound=DataclassInstance)

Update = Callable[[int, float], Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class TrainingParameters(HyperParameters):
    """Hyper-parameters that say how any network is trained, not what it is.

    Attributes
    ----------
    epochs, steps : int or None
        Passes over the table, or steps, which come first where both are given; None chooses from
        the size of the table.
    batch_size : int or None
        Rows of a step, at most those of the table; None chooses from the size of the table.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and sample. Runs repeat byte for byte on the processor only.
    max_seconds : float or None
        Seconds after which training ends, at the step that would exceed them; the learning rate
        falls in time for it. Encoding before and what follows training come on top.
    precision : {"auto", "float32", "bfloat16"}
        Of the arithmetic inside layers, when training; auto is bfloat16 on CUDA, else float32.
    threads : int or None
        Most threads of the processor that are used; None leaves it to torch.
    compile : bool
        Whether torch compiles the layers first, which takes minutes and a compiler. Worth a try for
        long trainings on CUDA; on a processor it was no faster.
    """

    epochs: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    device: str = "auto"
    max_seconds: float | None = None
    precision: str = "auto"
    threads: int | None = 1
    compile: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "batch_size", "threads"):
            check_integer(name, getattr(self, name), 1, optional=True)
        check_choice("device", self.device, DEVICES)
        if self.max_seconds is not None:
            check_real("max_seconds", self.max_seconds, 1e-3)
        check_choice("precision", self.precision, PRECISIONS)
        check_flag("compile", self.compile)


class Training:
    """One training: a number of steps, and all that watches, keeps or ends it.

    Parameters
    ----------
    phase : str
        What is being done, for the reports.
    steps : int
        Number of steps.
    kept : mapping of str to Kept
        Everything that changes from step to step and that a further step depends on: networks,
        optimizers, generators, batches.
    parameters : TrainingParameters
    monitor : callable
        Told of the steps done and of the mean losses since the last report.
    checkpoint : Checkpoint, optional
        Where the state is written from time to time, and taken from where the file exists.
    early : EarlyStopping, optional

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Time they took, including those before a checkpoint.
    stopped : str or None
        Why it ended before its last step: one of `REASONS`.

    Notes
    -----
    Losses are added up on the device and fetched for reports only, so the host never waits for the
    device inside a step.
    """

    def __init__(
        self,
        phase: str,
        steps: int,
        kept: Mapping[str, Kept],
        parameters: TrainingParameters,
        monitor: Monitor,
        *,
        checkpoint: Checkpoint | None = None,
        early: EarlyStopping | None = None,
    ) -> None:
        self.phase, self.steps, self.parameters, self.monitor = phase, steps, parameters, monitor
        self.checkpoint, self.early = checkpoint, early
        self.step, self.seconds = 0, 0.0
        self.stopped: str | None = None
        self._sums = _Sums()
        self._kept: dict[str, Kept] = {**kept, "sums": self._sums}
        if early is not None:
            self._kept["early"] = early
        self._history: list[dict[str, float]] = []
        self._begun, self._before = time.monotonic(), 0.0
        self._every = max(1, math.ceil(steps / REPORTS))
        self._look_every = max(1, math.ceil(steps / CHECKS))

    def history(self) -> pd.DataFrame:
        """Return what was told: step, seconds, and the mean losses since the row before."""
        columns = list(dict.fromkeys(name for row in self._history for name in row))
        return pd.DataFrame(self._history, columns=columns or ["step", "seconds"])

    def train(self, model: IterativeModel, update: Update) -> None:
        """Run, and note history, steps and why it ended in the model."""
        self.run(update)
        model.loss_history_ = self.history()
        model.steps_, model.stopped_ = self.step, self.stopped

    def run(self, update: Update) -> None:
        """Call `update` for every step, until the last one or a reason to end before it.

        Parameters
        ----------
        update : callable
            Does step number i and returns its losses, on the device. It is told too where the
            schedule stands, in steps: the number itself, or more where a time limit leaves less
            than that.
        """
        self._resume()
        written, pause = time.monotonic(), CHECKPOINT_SECONDS
        first = self.step
        with interruptible() as interrupted:
            while self.step < self.steps:
                self.stopped = self._reason(first, interrupted())
                if self.stopped:
                    break
                self._sums.add(update(self.step, self._place()))
                self.step += 1
                self.seconds = time.monotonic() - self._begun
                if self.early and (self.step % self._look_every == 0 or self.step == self.steps):
                    self.early.look()
                if self.step % self._every == 0 or self.step == self.steps:
                    self._report()
                if self.checkpoint and time.monotonic() - written >= pause:
                    begun = time.monotonic()
                    self._write()
                    written = time.monotonic()
                    pause = max(CHECKPOINT_SECONDS, (written - begun) / CHECKPOINT_SHARE)
            if self.checkpoint:
                self._write()
        if self.stopped:
            self._tell()

    def _place(self) -> float:
        """Return where the schedule stands, by steps or by time, whichever is further."""
        limit = self.parameters.max_seconds
        if limit is None:
            return float(self.step)
        return max(float(self.step), min(self.seconds / limit, 1.0) * self.steps)

    def _reason(self, first: int, interrupted: bool) -> str | None:
        """Return why there must be no further step, None where there may be one."""
        done = self.step - first
        if interrupted and self.step:
            return INTERRUPTED
        if self.early is not None and self.early.exhausted:
            return NO_BETTER
        limit = self.parameters.max_seconds
        if limit is not None and self.step:
            since = time.monotonic() - self._begun
            pace = (since - self._before) / done if done else 0.0
            if since + pace > limit:
                return OUT_OF_TIME
        return None

    def _report(self) -> None:
        means = self._sums.take()
        if self.early is not None and self.early.last < math.inf:
            means["held_out"] = self.early.last
        self._history.append({"step": self.step, "seconds": round(self.seconds, 3), **means})
        self.monitor(Progress(self.phase, self.step, self.steps, means))

    def _tell(self) -> None:
        """Tell monitor and log that, where and why training ended early."""
        assert self.stopped is not None
        if self._sums.since:
            self._report()
        where = f"at step {self.step:,} of {self.steps:,}"
        why = REASONS[self.stopped]
        kept = "the best weights" if self.early else "the averaged weights"
        level = logging.INFO if self.stopped == NO_BETTER else logging.WARNING
        logger.log(
            level,
            "%s ended %s: %s. The model has %s of then.",
            self.phase.capitalize(),
            where,
            why,
            kept,
        )
        self.monitor(Progress(f"{self.phase}: ended {where}: {why}", self.step, self.steps))

    def _resume(self) -> None:
        """Take state, counts and history from the checkpoint, where there is one."""
        values: Mapping[str, Any] | None = None
        if self.checkpoint is not None:
            values = self.checkpoint.read(self._kept)
        if values is not None:
            self.step, self.seconds = int(values["step"]), float(values["seconds"])
            self._history = [dict(row) for row in values["history"]]
            logger.info("%s goes on after step %d.", self.phase.capitalize(), self.step)
        self._before = self.seconds
        self._begun = time.monotonic() - self.seconds

    def _write(self) -> None:
        assert self.checkpoint is not None
        values = {"step": self.step, "seconds": self.seconds, "history": self._history}
        self.checkpoint.write(values, self._kept)


class _Sums:
    """Losses added up on the device since the last report."""

    def __init__(self) -> None:
        self.since = 0
        self._sums: dict[str, torch.Tensor] = {}

    def add(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Add the losses of a step."""
        self.since += 1
        for name, value in losses.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def take(self) -> dict[str, float]:
        """Return the means, and begin anew."""
        means = {name: float(value) / self.since for name, value in self._sums.items()}
        self._sums, self.since = {}, 0
        return means

    def state(self) -> dict[str, torch.Tensor]:
        """Return the sums, and of how many steps they are."""
        return {"since": torch.tensor(self.since), **self._sums}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `state` returned."""
        self._sums = dict(state)
        self.since = int(self._sums.pop("since"))


def filled_in(own: TrainingParameters, usual: Settings) -> Settings:
    """Return `usual`, a dataclass, with what hyper-parameters of the same names say instead."""
    said = {item.name: getattr(own, item.name) for item in fields(usual)}
    return replace(usual, **{name: value for name, value in said.items() if value is not None})

"""Running: one fit after the other, here or in processes of their own, each with one thread."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

import numpy as np

from tabsynth.audit.base import Job
from tabsynth.errors import DataError, TabsynthError
from tabsynth.random import Streams
from tabsynth.synthesizer import Synthesizer

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_PATIENCE = 5.0
"""Seconds that a process that was told to end may take."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What came of one run.

    Attributes
    ----------
    place : int
        Which run it was.
    values : ndarray of float64
        What the probe kept.
    seconds : float
        Wall-clock seconds that it took.
    """

    place: int
    values: np.ndarray
    seconds: float


class RunError(Exception):
    """A run could not be done, for a reason that says so itself.

    Parameters
    ----------
    place : int
    error : TabsynthError
    """

    def __init__(self, place: int, error: TabsynthError) -> None:
        super().__init__(place, error)
        self.place, self.error = place, error


@contextmanager
def one_thread() -> Iterator[None]:
    """Let NumPy, scikit-learn and torch use one thread inside the block.

    So processes beside each other do not fight over cores, and results do not depend on how many
    there are.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    torch: Any = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    with threadpool_limits(limits=1):
        if torch:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


def perform(job: Job, place: int) -> Seen:
    """Do one run in this process.

    Raises
    ------
    RunError
        If rows cannot be learnt or sampled.
    """
    started = time.perf_counter()
    run = job.runs[place]
    try:
        from tabsynth.models import models

        models.get(job.model)  # which may import torch, before its threads are limited
        with one_thread():
            order = Streams(run.seed).numpy("order of rows").permutation(run.rows)
            table = job.pool.iloc[order].reset_index(drop=True)
            budget = job.budget
            synthesizer = Synthesizer(
                job.model,
                parameters=job.parameters,
                schema=job.schema,
                seed=run.seed,
                epsilon=None if budget is None else budget.epsilon,
                delta=None if budget is None else budget.delta,
            )
            values = np.asarray(job.probe(synthesizer.fit(table)), dtype=np.float64)
    except TabsynthError as error:
        raise RunError(place, error) from error
    return Seen(place, values, time.perf_counter() - started)


def perform_all(job: Job, places: Sequence[int], workers: int = 1) -> Generator[Seen, None, None]:
    """Do runs, in this process or in several others, and yield each as soon as it is done.

    Parameters
    ----------
    job : Job
    places : sequence of int
        Which of its runs.
    workers : int
        1 is this process.

    Raises
    ------
    RunError
        As `perform`.
    DataError
        If a process ended without an answer.

    Notes
    -----
    Processes are started afresh (spawned), so a script that uses them needs to be guarded by
    ``if __name__ == "__main__":``. They ignore an interrupt and are ended by this process, which
    gets it. Nothing is written to disk.
    """
    if workers == 1 or len(places) < 2:
        for place in places:
            yield perform(job, place)
        return
    context = get_context("spawn")
    left = list(reversed(places))
    busy: dict[Connection, SpawnProcess] = {}
    try:
        for _ in range(min(workers, len(places))):
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, job), daemon=True)
            with _interrupts_held():
                process.start()
            theirs.close()
            busy[mine] = process
            mine.send(left.pop())
        while busy:
            for answered in wait(list(busy)):
                assert isinstance(answered, Connection)
                try:
                    answer = answered.recv()
                    more = left.pop() if left else None
                    answered.send(more)
                except (EOFError, OSError):
                    raise DataError(_ended(busy[answered])) from None
                if more is None:
                    _end({answered: busy.pop(answered)}, kill=False)
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
    finally:
        _end(busy, kill=True)


@contextmanager
def _interrupts_held() -> Generator[None, None, None]:
    """Keep an interrupt waiting, also in a process that is started meanwhile.

    A new process needs a while until it can say itself that it ignores interrupts, and an
    interrupt of a terminal goes to it as well. It inherits that they are held back.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # started within, it would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, job: Job) -> None:
    """Do the runs that are asked for until there are no more, or nobody is there to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while (place := connection.recv()) is not None:
            try:
                answer: Any = perform(job, place)
            except RunError as error:
                answer = error
            except Exception as error:
                answer = RuntimeError(f"{type(error).__name__} in a process of its own")
                answer.add_note(traceback.format_exc())
            connection.send(answer)
    except (EOFError, OSError):
        return


def _end(processes: dict[Connection, SpawnProcess], *, kill: bool) -> None:
    """End processes, waiting for those that were told to end by themselves."""
    for connection, process in processes.items():
        connection.close()
        if kill:
            process.terminate()
    for process in processes.values():
        process.join(_PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _ended(process: SpawnProcess) -> str:
    """Return what to say of a process that ended without an answer."""
    process.join(_PATIENCE)
    return (
        f"A process that fits models ended without an answer (exit code {process.exitcode}). Is "
        "there enough memory for all of them? Take fewer workers. In a script of your own, put the "
        'call under if __name__ == "__main__":.'
    )

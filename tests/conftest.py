"""What every test may use, and what no test may leave behind."""

from __future__ import annotations

import os
import signal

# Before NumPy or torch start their threads: tests already run on several processes.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
import sklearn.ensemble  # noqa: F401
from hypothesis import settings

from tabsynth.random import Streams

ROOT = Path(__file__).resolve().parents[1]

# The same examples on every run, and no limit on time, which says nothing on a busy machine.
settings.register_profile("tabsynth", derandomize=True, deadline=None)
settings.load_profile("tabsynth")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real tables; the test is skipped where there is none."""
    named = os.environ.get("TABSYNTH_DATA")
    if named:
        if not Path(named).is_dir():
            pytest.fail(f"TABSYNTH_DATA is {named!r}, which is not a folder.")
        return Path(named)
    sibling = ROOT.parent / "shared" / "datasets"
    if not sibling.is_dir():
        pytest.skip("no real tables: TABSYNTH_DATA is not set and ../shared/datasets is missing")
    return sibling


@pytest.fixture
def streams() -> Streams:
    """Random streams of a fixed seed."""
    return Streams(7)


def _random_state() -> dict[str, Any]:
    """Return the state of every global random generator, in a form that == can compare.

    Where torch is not imported yet its state is absent.
    """
    kind, words, *rest = np.random.get_state()  # noqa: NPY002 - the state that must not change
    state = {"Python": random.getstate(), "NumPy": (kind, words.tobytes(), *rest)}
    if "torch" in sys.modules:
        import torch

        state["torch"] = torch.random.get_rng_state().numpy().tobytes()
    return state


def _torch_at_import() -> bytes:
    """Return the state that torch's global generator had when torch was just imported.

    Its seed differs from process to process. So in the test that imports torch first, numbers drawn
    are noticed and a new seed is not.
    """
    import torch

    return torch.Generator().manual_seed(torch.initial_seed()).get_state().numpy().tobytes()


def _visible(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if not name.startswith((".", "__pycache__"))}


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    """Fail a test that changes global random state or leaves files in the working directory."""
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)
    folder = Path.cwd()
    files, before = _visible(folder), _random_state()
    yield
    after = _random_state()
    if "torch" in after and "torch" not in before:
        before["torch"] = _torch_at_import()
    changed = [library for library in after if before[library] != after[library]]
    left = sorted(_visible(folder) - files)
    if changed:
        pytest.fail(
            f"the test changed the global random state of {', '.join(changed)}; "
            "take generators from tabsynth.random.Streams"
        )
    if left:
        pytest.fail(f"the test left {', '.join(left)} in the working directory; use tmp_path")


@pytest.fixture
def keyboard():
    """Handle Ctrl-C as Python does, also where the tests run in the background and ignore it."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)

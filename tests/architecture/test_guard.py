"""The guard in `tests/conftest.py` fails tests that leave a trace, and no others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import random
from pathlib import Path
import numpy as np
from hypothesis import given, strategies as st

def test_a_python(): random.random()
def test_b_numpy(): np.random.rand()
def test_c_torch_imported_and_used():
    import torch
    torch.rand(1)
def test_d_torch():
    import torch
    assert torch.get_num_threads() == 1
    torch.rand(1)
def test_e_file(): Path("left.csv").write_text("a")

def test_f_streams(streams): streams.numpy("a").random()
def test_g_own_torch_generator(streams):
    import torch
    torch.rand(1, generator=streams.torch("a"))
def test_h_file_in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("a")
@given(st.floats())
def test_i_hypothesis(x): pass
"""


def test_a_test_that_leaves_a_trace_fails_and_no_other_does(tmp_path):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_traces.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rE", "-q"]
    # The package is found with PYTHONPATH where it is not installed.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert re.findall(r"^ERROR .*::test_(.)_", done.stdout, re.MULTILINE) == list("abcde")
    assert "9 passed, 5 errors" in done.stdout
    assert done.stdout.count("global random state of torch") >= 2

"""A training from the command line: limits, checkpoints, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tabsynth import Synthesizer
from tabsynth.models.neural import training as engine

# Says when it trains, and trains for very long.
SLOW = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from tabsynth.models.neural.training import _Sums
add = _Sums.add
def slow(self, losses):
    add(self, losses)
    print("step", flush=True)
    time.sleep(0.1)
_Sums.add = slow
from tabsynth.cli.main import main
main()
"""
TVAE = ["--model", "tvae", "--set", "hidden=8", "--set", "steps=2000", "--seed", "7"]

pytestmark = pytest.mark.usefixtures("keyboard")


def test_a_real_ctrl_c_ends_a_training_early_and_writes_the_model(table, tmp_path):
    out = tmp_path / "kept.model"
    command = [sys.executable, "-c", SLOW, "fit", table, "-o", out, *TVAE]
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout.readline() == b"step\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    err = err.decode()
    assert process.returncode == 130
    assert "of 2,000: it was interrupted. The model has the averaged weights of then." in err
    assert f"Interrupted; these files had been written: {out}." in err
    model = Synthesizer.load(out)
    assert 1 <= model.model_.steps_ < 2_000
    assert model.model_.stopped_ == "interrupted"
    assert len(model.sample(5)) == 5


@pytest.fixture
def press(monkeypatch):
    """Press Ctrl-C as often as told after the third step."""

    def times(n):
        def add(self, losses):
            before(self, losses)
            taken.append(losses)
            if len(taken) == 3:
                for _ in range(n):
                    os.kill(os.getpid(), signal.SIGINT)

        before, taken = engine._Sums.add, []
        monkeypatch.setattr(engine._Sums, "add", add)

    return times


def test_the_second_ctrl_c_ends_the_program_and_writes_nothing(run, press, table, tmp_path):
    press(2)
    result = run("fit", table, "-o", tmp_path / "kept.model", *TVAE)
    assert result.code == 130
    assert "Interrupted; nothing was written." in result.err
    assert not (tmp_path / "kept.model").exists()


def test_deidentify_goes_on_with_what_was_learnt_and_still_says_interrupted(
    run, press, quick, table, tmp_path
):
    press(1)
    out = tmp_path / "made.csv"
    result = run("deidentify", table, "-o", out, "--no-report", *TVAE)
    assert result.code == 130
    assert "ended at step 3 of 2,000: it was interrupted" in result.err
    assert out.exists()


def test_a_time_limit_is_a_hyper_parameter_and_no_failure(run, table, tmp_path):
    out = tmp_path / "kept.model"
    result = run("fit", table, "-o", out, *TVAE, "--set", "max_seconds=0.2", "--json")
    assert result.code == 0
    assert "the time limit was reached" in result.err
    assert json.loads(result.out)["training"]["stopped"] == "out of time"
    assert "and stopped early: out of time" in run("model", "show", out).err


def test_with_a_checkpoint_the_same_call_goes_on_with_the_same_seed(run, press, table, tmp_path):
    options = ["--model", "tvae", "--set", "hidden=8", "--set", "steps=6"]
    file = tmp_path / "run.training"
    press(1)
    first = run("fit", table, "-o", tmp_path / "a", *options, "--checkpoint", file)
    assert first.code == 130
    again = run("fit", table, "-o", tmp_path / "b", *options, "--checkpoint", file, "--json")
    assert again.code == 0
    seed = json.loads(again.out)["seed"]
    assert json.loads(again.out)["training"] == {"steps": 6, "stopped": None}
    run("fit", table, "-o", tmp_path / "c", *options, "--seed", seed)
    resumed, whole = (Synthesizer.load(tmp_path / name).sample(20, seed=1) for name in "bc")
    assert resumed.equals(whole)


def test_a_checkpoint_is_no_output_and_needs_a_model_that_trains(run, table, tmp_path):
    same = tmp_path / "same"
    result = run("fit", table, "-o", same, "--checkpoint", same, *TVAE)
    assert result.code == 2
    assert "is an input and is never replaced" in result.err
    result = run("fit", table, "-o", same, "--model", "independent", "--checkpoint", tmp_path / "x")
    assert result.code == 2
    assert "'independent' is not trained in steps" in result.err
    result = run("fit", table, "-o", same, "--checkpoint", table, *TVAE)
    assert result.code == 3
    assert "no checkpoint" in result.err

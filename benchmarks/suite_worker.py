"""Run TabularARGN, in an environment of its own.

`suite.py` starts this file with the Python of an environment that has `mostlyai-engine` installed;
nothing of it is part of tabsynth, and nothing here imports tabsynth.

    PYTHON suite_worker.py TRAIN.parquet OUT.parquet --seed 0

Learns the rows of TRAIN with default settings, writes as many synthetic ones to OUT, and prints one
JSON object with what was measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from importlib.metadata import version

import pandas as pd


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that it started."""
    parts = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(r.ru_utime + r.ru_stime for r in map(resource.getrusage, parts))


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    import torch
    from mostlyai.engine import TabularARGN

    torch.set_num_threads(1)
    frame = pd.read_parquet(options.train)
    wall, cpu = time.perf_counter(), cpu_seconds()
    model = TabularARGN(random_state=options.seed, verbose=0)
    model.fit(frame)
    made = model.sample(n_samples=len(frame))
    found = {
        "cpu_s": round(cpu_seconds() - cpu, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "version": version("mostlyai-engine"),
    }
    made[list(frame.columns)].to_parquet(options.out)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

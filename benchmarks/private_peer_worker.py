"""Run MST or AIM of dpmm, in an environment of its own.

`private_tables.py --peer` starts this file with the Python of an environment that has `dpmm`
installed; nothing of it is part of tabsynth, and nothing here imports tabsynth.

    PYTHON private_peer_worker.py aim TRAIN.parquet OUT.parquet --epsilon 1 --seed 1

Categories and the bounds of numbers are read off TRAIN and given to it as public; it spends its
default of 0.1 for bins on top of epsilon. Prints one JSON object with what was measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings

import pandas as pd
from dpmm.pipelines import AIMPipeline, MSTPipeline


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that it started."""
    parts = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(r.ru_utime + r.ru_stime for r in map(resource.getrusage, parts))


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=("mst", "aim"))
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("--epsilon", type=float, required=True)
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    frame = pd.read_parquet(options.train)
    domain = {}
    for name, column in frame.items():
        if pd.api.types.is_numeric_dtype(column) and column.nunique() > 2:
            domain[name] = {"lower": column.min(), "upper": column.max()}
        else:
            frame[name] = column.astype(str).astype("category")
            domain[name] = {"categories": sorted(frame[name].unique())}
    wall, cpu = time.perf_counter(), cpu_seconds()
    pipeline = {"mst": MSTPipeline, "aim": AIMPipeline}[options.model](
        epsilon=options.epsilon, delta=options.delta, n_jobs=1
    )
    pipeline.fit(frame, domain=domain, random_state=options.seed)
    made = pipeline.generate(n_records=len(frame), random_state=options.seed)
    found = {
        "cpu_s": round(cpu_seconds() - cpu, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
    }
    for name, column in made.items():
        if str(column.dtype) == "category":
            made[name] = column.astype(str)
    made[list(frame.columns)].to_parquet(options.out)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

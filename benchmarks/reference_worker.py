"""Run the reference implementation of CTGAN and TVAE, in an environment of its own.

`reference_models.py` starts this file with the Python of an environment that has `ctgan` installed;
nothing of it is part of tabsynth, and nothing here imports tabsynth.

    PYTHON reference_worker.py run MODEL TRAIN.csv DISCRETE.json OUT.csv --epochs 300 --rows 1000
    PYTHON reference_worker.py mixtures TRAIN.csv DISCRETE.json OUT.json

Prints one JSON object with what was measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from ctgan import CTGAN, TVAE
from ctgan.data_transformer import DataTransformer


def cpu_seconds() -> float:
    """Return the processor time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def timed(name: str, work: Callable[[], Any], found: dict[str, Any]) -> Any:
    """Do `work` and note how long it took."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = work()
    found[f"{name}_seconds"] = time.perf_counter() - wall
    found[f"{name}_cpu_seconds"] = cpu_seconds() - cpu
    return result


def read(path: str, discrete: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the table and the names of its discrete columns, which are read as text."""
    with open(discrete) as file:
        names = json.load(file)
    frame = pd.read_csv(path, dtype=dict.fromkeys(names, str), keep_default_na=False)
    return frame, names


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fit, sample, and write what was sampled."""
    frame, names = read(options.train, options.discrete)
    kind = {"ctgan": CTGAN, "tvae": TVAE}[options.model]
    model = kind(epochs=options.epochs)
    model.set_random_state(options.seed)
    found: dict[str, Any] = {"model": options.model, "epochs": options.epochs}
    timed("fit", lambda: model.fit(frame, names), found)
    if options.rows:
        made = timed("sample", lambda: model.sample(options.rows), found)
        made.to_csv(options.out, index=False)
    return found


def mixtures(options: argparse.Namespace) -> dict[str, Any]:
    """Fit the mixtures of the numbers, code the table, and write the mixtures."""
    frame, names = read(options.train, options.discrete)
    numbers = frame.drop(columns=names)
    found: dict[str, Any] = {}
    transformer = DataTransformer()
    np.random.seed(options.seed)  # noqa: NPY002, TID251 - the mixtures draw from nothing else
    timed("fit", lambda: transformer.fit(numbers, []), found)
    timed("transform", lambda: transformer.transform(numbers), found)
    fitted = {}
    for name, column in zip(numbers, transformer._column_transform_info_list, strict=True):
        mixture, used = (
            column.transform._bgm_transformer,
            column.transform.valid_component_indicator,
        )
        fitted[name] = {
            "weights": (mixture.weights_[used] / mixture.weights_[used].sum()).tolist(),
            "means": mixture.means_[used, 0].tolist(),
            "deviations": np.sqrt(mixture.covariances_[used, 0, 0]).tolist(),
        }
    with open(options.out, "w") as file:
        json.dump(fitted, file)
    return found


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("run")
    one.add_argument("model", choices=("ctgan", "tvae"))
    two = verbs.add_parser("mixtures")
    for verb in (one, two):
        verb.add_argument("train")
        verb.add_argument("discrete")
        verb.add_argument("out")
    one.add_argument("--epochs", type=int, default=300)
    one.add_argument("--rows", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    print(json.dumps({"run": run, "mixtures": mixtures}[options.verb](options)), flush=True)


if __name__ == "__main__":
    main()

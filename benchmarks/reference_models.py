"""Compare `ctgan` and `tvae` with the reference implementation, in turn on one machine.

    python benchmarks/reference_models.py speed --reference ENVIRONMENT/bin/python
    python benchmarks/reference_models.py quality --reference ENVIRONMENT/bin/python --tables adult

ENVIRONMENT has `ctgan` 0.12.1 installed. The parts are `mixtures` (mode-specific normalisation),
`speed` (an epoch at the reference's own architecture), `sampling`, `imbalance` and `quality`; each
replaces its own rows of `benchmarks/results/reference_models.csv` and of the Markdown table.

Every table is cut in halves: with `i = numpy.random.default_rng(0).permutation(n)` and
`h = min(n // 2, 25000)` rows `i[:h]` train and rows `i[h:2h]` test; of adult the first 32,561 rows
are taken, numbers that identify are left out, rows without a target dropped. Both sides get the
same file. What is synthetic is judged against the test half: `c2st` (0.5 is best) is the AUC of
gradient-boosted trees that tell one from the other, cross-validated in three folds on at most
15,000 rows a side; `tstr` the AUC, or R2 of a number, of the same learner trained on synthetic
rows; `tvd_1way` the mean total variation over columns, numbers in 20 quantile bins of the test
half. Seconds are processor seconds unless they say otherwise. Runs that exist in `--folder` are
not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from reference_scores import fit_modes, judge, likelihoods, minority_f1

from tabsynth import Synthesizer, datasets

RESULTS = Path(__file__).parent / "results" / "reference_models"
WORKER = Path(__file__).parent / "reference_worker.py"
TABLES = ("adult", "credit_default", "online_shoppers", "magic_gamma", "beijing_pm25")
RARE = {"mammography": "1", "creditcard_fraud_small": "1"}
MODELS = ("tvae", "ctgan")
EPOCHS = 300
"""Of the reference: its default."""
SEEDS = 3
ALIKE = {
    "ctgan": {
        "hidden": 256, "noise": 128, "pac": 10, "embedding": 26, "batch_size": 500,
        "loss": "wgan-gp", "penalty_every": 1,
    },
    "tvae": {
        "hidden": 128, "latent": 128, "coding": "modes", "batch_size": 500, "components": 0,
    },
}  # fmt: skip
"""The reference's architecture and batch size, as far as it can be had: the first layer of our
critic makes 26 units of each of the ten rows of a pack, with the same weights for each, where the
reference makes 256 units of all ten; the reference draws latents from the prior."""


def halves(name: str, folder: Path) -> tuple[Path, Path, list[str]]:
    """Write the two halves of a table, once; return their files and the discrete columns."""
    train, test, columns = (folder / f"{name}.{part}" for part in ("train.csv", "test.csv", "json"))
    if not columns.exists():
        entry, source = datasets.describe(name), datasets.locate(name)
        if source is None:
            raise SystemExit(f"{name} is not here; set TABSYNTH_DATA.")
        frame = pd.read_csv(source, dtype=str, keep_default_na=False)
        frame = frame.drop(columns=list(entry.id_columns))
        if name == "adult":
            frame = frame.iloc[:32_561]
        frame = frame[~frame[entry.target].isin(entry.missing_values)]
        discrete = [column for column in frame if column not in entry.numeric_columns]
        order = np.random.default_rng(0).permutation(len(frame))
        half = min(len(frame) // 2, 25_000)
        frame.iloc[order[:half]].to_csv(train, index=False)
        frame.iloc[order[half : 2 * half]].to_csv(test, index=False)
        columns.write_text(json.dumps(discrete))
    return train, test, json.loads(columns.read_text())


def read(path: Path, discrete: list[str]) -> pd.DataFrame:
    """Return a table, discrete columns as text."""
    return pd.read_csv(path, dtype=dict.fromkeys(discrete, str), keep_default_na=False)


def cpu_seconds() -> float:
    """Return the processor time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ours(task: dict[str, Any]) -> dict[str, Any]:
    """Fit and sample in this process; started by `run_ours`."""
    frame = read(Path(task["train"]), task["discrete"])
    synthesizer = Synthesizer(task["model"], parameters=task["parameters"], seed=task["seed"])
    found: dict[str, Any] = {}
    wall, cpu = time.perf_counter(), cpu_seconds()
    synthesizer.fit(frame)
    found["fit_seconds"] = time.perf_counter() - wall
    found["fit_cpu_seconds"] = cpu_seconds() - cpu
    if task["rows"]:
        if task.get("warm"):
            synthesizer.sample(20_000)
        wall, cpu = time.perf_counter(), cpu_seconds()
        made = synthesizer.sample(task["rows"])
        found["sample_seconds"] = time.perf_counter() - wall
        found["sample_cpu_seconds"] = cpu_seconds() - cpu
        if task["out"]:
            made.to_csv(task["out"], index=False)
    return found


def run(command: list[str], threads: int) -> dict[str, Any]:
    """Run a program that prints one JSON object, and return it."""
    limits = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
    )
    done = subprocess.run(
        command, env={**os.environ, **limits}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class Bench:
    """The runs, kept in a folder so that none is done twice."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder: Path = options.folder
        self.reference: str = options.reference
        self.tables: list[str] = options.tables
        self.models: list[str] = options.models
        self.seeds: int = options.seeds
        self.folder.mkdir(parents=True, exist_ok=True)

    def once(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what `work` found the first time it was done under this name."""
        path = self.folder / f"{name}.json"
        if not path.exists() or not path.stat().st_size:
            path.write_text(json.dumps(work()))
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def run_ours(
        self,
        table: str,
        model: str,
        parameters: dict[str, Any],
        *,
        seed: int = 0,
        rows: int = 0,
        out: Path | None = None,
        threads: int = 1,
        warm: bool = False,
    ) -> dict[str, Any]:
        """Fit and sample with tabsynth, in a process of its own."""
        train, _, discrete = halves(table, self.folder)
        task = {
            "train": str(train), "discrete": discrete, "model": model, "parameters": parameters,
            "seed": seed, "rows": rows, "out": str(out) if out else "", "warm": warm,
        }  # fmt: skip
        return run([sys.executable, __file__, "_ours", "--task", json.dumps(task)], threads)

    def run_reference(
        self, table: str, model: str, epochs: int, out: Path, *, rows: int = 0, threads: int = 1
    ) -> dict[str, Any]:
        """Fit and sample with the reference, in its environment."""
        train, _, _ = halves(table, self.folder)
        command = [
            self.reference, str(WORKER), "--threads", str(threads), "run", model, str(train),
            str(self.folder / f"{table}.json"), str(out), "--epochs", str(epochs),
            "--rows", str(rows),
        ]  # fmt: skip
        return run(command, threads)

    def judged(self, name: str, made: Path, table: str) -> dict[str, float]:
        """Return the scores of a synthetic file, computed once."""
        _, test, discrete = halves(table, self.folder)
        target = datasets.describe(table).target
        return self.once(
            f"{name}.scores",
            lambda: judge(read(made, discrete), read(test, discrete), discrete, target),
        )

    def fitted(self, table: str, model: str, seed: int) -> tuple[Path, dict[str, Any]]:
        """Return the synthetic file of the defaults with a seed, and what it took."""
        train, _, discrete = halves(table, self.folder)
        name = f"{table}.ours_{model}.{seed}"
        out, size = self.folder / f"{name}.csv", len(read(train, discrete))
        spent = self.once(
            name, lambda: self.run_ours(table, model, {}, seed=seed, rows=size, out=out)
        )
        return out, spent

    def quality(self) -> list[dict[str, Any]]:
        """Judge the defaults of both sides; of ours the median of all seeds."""
        rows = []
        for table in self.tables:
            train, _, _ = halves(table, self.folder)
            real = self.judged(f"{table}.real", train, table)
            rows.append({"part": "quality", "table": table, "who": "real rows", **real})
            for model in self.models:
                label = {"part": "quality", "table": table, "model": model}
                total = self.quality_of_reference(label, rows)
                found = []
                for seed in range(self.seeds):
                    out, spent = self.fitted(table, model, seed)
                    scores = self.judged(f"{table}.ours_{model}.{seed}", out, table)
                    found.append({**scores, "cpu_seconds": spent["fit_cpu_seconds"]})
                median = middle(found)
                ratio = total / median["cpu_seconds"] if total else ""
                rows.append({
                    **label, "who": "tabsynth", "seeds": self.seeds, **median, "ratio": ratio
                })  # fmt: skip
        return rows

    def quality_of_reference(
        self, label: dict[str, Any], rows: list[dict[str, Any]]
    ) -> float | None:
        """Add the row of the reference, one seed, and return its seconds; None without it."""
        if not self.reference:
            return None
        table, model = label["table"], label["model"]
        train, _, discrete = halves(table, self.folder)
        name = f"{table}.ref_{model}"
        out, size = self.folder / f"{name}.csv", len(read(train, discrete))
        spent = self.once(name, lambda: self.run_reference(table, model, EPOCHS, out, rows=size))
        total: float = spent["fit_cpu_seconds"]
        scores = self.judged(name, out, table)
        rows.append({**label, "who": "reference", "seeds": 1, **scores, "cpu_seconds": total})
        return total

    def train(self, who: str, model: str, epochs: int, threads: int) -> dict[str, Any]:
        """Train a few epochs on adult, ours at the reference's architecture."""
        if who == "reference":
            out = self.folder / "none.csv"
            return self.run_reference("adult", model, epochs, out, threads=threads)
        given = {**ALIKE[model], "epochs": epochs}
        return self.run_ours("adult", model, given, threads=threads)

    def speed(self) -> list[dict[str, Any]]:
        """Time an epoch at the reference's architecture, in turn; the ratio is theirs to ours."""
        rows = []
        few, many = 1, 11
        for model in self.models:
            for threads in (1, 2):
                found: dict[str, list[float]] = {"reference": [], "tabsynth": []}
                for turn in range(self.seeds):
                    for who, seconds in found.items():
                        spent = []
                        for epochs in (few, many):
                            name = f"speed.{model}.{threads}.{turn}.{who}.{epochs}"
                            work = partial(self.train, who, model, epochs, threads)
                            spent.append(self.once(name, work)["fit_cpu_seconds"])
                        seconds.append((spent[1] - spent[0]) / (many - few))
                medians = {who: statistics.median(seconds) for who, seconds in found.items()}
                label = {"part": "speed", "table": "adult", "model": model, "threads": threads}
                for who, median in medians.items():
                    ratio = medians["reference"] / median
                    rows.append({**label, "who": who, "cpu_seconds": median, "ratio": ratio})
        return rows

    def mixtures(self) -> list[dict[str, Any]]:
        """Compare mode-specific normalisation: seconds to fit, and likelihood of unseen rows."""
        rows = []
        for table in self.tables:
            train, test_file, discrete = halves(table, self.folder)
            frame, test = read(train, discrete), read(test_file, discrete)
            out = self.folder / f"{table}.mixtures_reference.json"
            command = [
                self.reference, str(WORKER), "mixtures", str(train),
                str(self.folder / f"{table}.json"), str(out),
            ]  # fmt: skip
            theirs = [
                self.once(f"{table}.mixtures.{turn}", partial(run, command, 1))["fit_cpu_seconds"]
                for turn in range(SEEDS)
            ]
            found = []
            for _ in range(SEEDS):
                begin = cpu_seconds()
                modes = fit_modes(frame.drop(columns=discrete))
                found.append(cpu_seconds() - begin)
            likelihood = likelihoods(modes, json.loads(out.read_text()), test)
            medians = {"reference": statistics.median(theirs), "tabsynth": statistics.median(found)}
            for who, median in medians.items():
                rows.append({
                    "part": "mixtures", "table": table, "who": who, "cpu_seconds": median,
                    "ratio": medians["reference"] / median,
                    "nats_a_number": likelihood[who],
                    "columns_better": likelihood[f"{who}_better"],
                })  # fmt: skip
        return rows

    def sampling(self) -> list[dict[str, Any]]:
        """Time 400,000 rows of adult with two threads, decoded; rows of a wall-clock second."""
        rows = []
        for model in self.models:
            speeds = []
            for turn in range(SEEDS):
                work = partial(
                    self.run_ours, "adult", model, {"steps": 20}, rows=400_000, threads=2, warm=True
                )
                found = self.once(f"sampling.{model}.{turn}", work)
                speeds.append(400_000 / found["sample_seconds"])
            label = {"part": "sampling", "table": "adult", "model": model, "threads": 2}
            rows.append({**label, "who": "tabsynth", "rows_a_second": statistics.median(speeds)})
        return rows

    def imbalance(self) -> list[dict[str, Any]]:
        """Train on synthetic rows, test on real ones, for the F1 of a rare class."""
        rows = []
        for table, rare in RARE.items():
            train, test_file, discrete = halves(table, self.folder)
            target = datasets.describe(table).target
            frame, test = read(train, discrete), read(test_file, discrete)
            best = minority_f1(frame, test, discrete, target, rare)
            label = {"part": "imbalance", "table": table}
            rows.append({**label, "who": "real rows", "minority_f1": best})
            for model in self.models:
                scores = []
                for seed in range(self.seeds):
                    out, _ = self.fitted(table, model, seed)
                    made = read(out, discrete)[list(test.columns)]
                    scores.append(minority_f1(made, test, discrete, target, rare))
                score = statistics.median(scores)
                rows.append({**label, "model": model, "who": "tabsynth", "minority_f1": score})
        return rows


def middle(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each measure."""
    return {name: statistics.median(row[name] for row in found) for name in found[0]}


def key(row: dict[str, Any]) -> tuple[str, ...]:
    """Return what a row of the result table is about."""
    return tuple(str(row.get(name, "")) for name in ("part", "table", "model", "who", "threads"))


def write(rows: list[dict[str, Any]]) -> None:
    """Put rows in place of the ones that were about the same."""
    path, new = RESULTS.with_suffix(".csv"), {key(row) for row in rows}
    old: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="") as file:
            old = [row for row in csv.DictReader(file) if key(row) not in new]
    rows = [*old, *rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    rows = [{name: rounded(row.get(name, "")) for name in names} for row in rows]
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    RESULTS.with_suffix(".md").write_text("\n".join(lines) + "\n")


def rounded(value: object) -> object:
    """Return a number with as many digits as it deserves."""
    if not isinstance(value, float):
        return value
    return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")


PARTS = ("mixtures", "speed", "sampling", "imbalance", "quality")


def main() -> None:
    """Do the parts that the command line asks for and write their rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=(*PARTS, "_ours"), default=list(PARTS))
    parser.add_argument("--reference", default="", help="Python that has ctgan; none: ours alone")
    parser.add_argument("--folder", type=Path, default=Path("out/reference"))
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(ours(json.loads(options.task))))
        return
    bench = Bench(options)
    for part in options.parts:
        rows = getattr(bench, part)()
        write(rows)
        for row in rows:
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

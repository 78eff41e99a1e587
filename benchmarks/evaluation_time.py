"""Time `tabsynth evaluate`: the whole of it, the HTML report included, as a user runs it.

    python benchmarks/evaluation_time.py

Two cases: the halves of adult (24,421 rows each, 15 columns) with the target named, and a
generated table of 150 columns and 20,000 rows (100 numbers, 50 categories from ten factors).
Every run is a process of its own in which torch cannot be imported, on as many threads as the
machine has cores, and prints wall-clock and CPU seconds and the greatest memory of the process.
Writes `benchmarks/results/evaluation_time.csv` and a Markdown table beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from real_tables import RESULTS, write

from tabsynth import Synthesizer, datasets

BARS = {"adult halves": (90, 2.0), "150 columns": (300, None)}
"""Seconds on two cores and GiB that a case may take at most."""
WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "opacus"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from tabsynth.cli.main import main
main()
"""


def adult(folder: Path) -> list[str]:
    """Write the halves of adult and a synthetic table of the first one."""
    rows = datasets.load("adult")
    order = np.random.default_rng(0).permutation(len(rows))
    half = min(len(rows) // 2, 25_000)
    train, holdout = rows.iloc[order[:half]], rows.iloc[order[half : 2 * half]]
    # A model that has learnt a little: what an evaluation costs hardly depends on the model.
    made = Synthesizer("tvae", parameters={"steps": 300}, seed=0).fit(train).sample(half)
    return _written(folder, train, made, holdout, "--target", "income")


def wide(folder: Path) -> list[str]:
    """Write tables of 150 columns."""
    rng = np.random.default_rng(1)
    loads = rng.normal(size=(10, 150)) * (rng.random((10, 150)) < 0.3)

    def draw(scale: float) -> pd.DataFrame:
        factors = rng.normal(size=(20_000, 10)) * scale
        x = factors @ loads + rng.normal(size=(20_000, 150))
        numbers = {f"n{j}": np.round(x[:, j] * 10, j % 3) for j in range(100)}
        edges = [np.linspace(-2, 2, 1 + j % 12) for j in range(50)]
        kinds = {
            f"c{j}": pd.Series(np.searchsorted(edges[j], x[:, 100 + j])).map("level {}".format)
            for j in range(50)
        }
        return pd.DataFrame({**numbers, **kinds})

    return _written(folder, draw(1.0), draw(0.9), draw(1.0), "--target", "c49")


def _written(
    folder: Path, train: pd.DataFrame, made: pd.DataFrame, holdout: pd.DataFrame, *more: str
) -> list[str]:
    paths = {name: folder / f"{name}.csv" for name in ("train", "made", "holdout")}
    for name, frame in (("train", train), ("made", made), ("holdout", holdout)):
        frame.to_csv(paths[name], index=False)
    return [str(paths["train"]), str(paths["made"]), "--holdout", str(paths["holdout"]), *more]


def timed(case: str, arguments: list[str], folder: Path) -> dict[str, object]:
    """Run the command line in a process of its own and return what it took."""
    command = [sys.executable, "-c", WITHOUT_TORCH, "evaluate", *arguments]
    command += ["--report", str(folder / "report.html"), "--seed", "1", "--json", "-q", "--force"]
    out = folder / "out.json"
    started = time.perf_counter()
    with out.open("w") as file:
        process = subprocess.Popen(command, stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise SystemExit(f"{case}: exit code {code}")
    evaluation = json.loads(out.read_text())
    most_seconds, most_gib = BARS[case]
    peak = usage.ru_maxrss / 2**20
    return {
        "case": case,
        "cores": os.cpu_count(),
        "seconds": round(seconds, 1),
        "most_seconds": most_seconds,
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_gib": round(peak, 2),
        "most_gib": most_gib or "",
        "report_mb": round((folder / "report.html").stat().st_size / 1e6, 2),
        "scores": len(evaluation["scores"]),
        "without_value": sum(score["value"] is None for score in evaluation["scores"]),
        "verdict": evaluation["verdict"]["word"],
        "met": "yes" if seconds <= most_seconds and (not most_gib or peak <= most_gib) else "no",
    }


def main() -> None:
    """Run both cases and write the table."""
    rows = []
    for case, make in (("adult halves", adult), ("150 columns", wide)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            rows.append(timed(case, make(folder), folder))
            print(json.dumps(rows[-1]), flush=True)
            write(rows, RESULTS / "evaluation_time")


if __name__ == "__main__":
    main()

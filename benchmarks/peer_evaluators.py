"""Let other evaluators judge the control tables, each in an environment of its own.

    python benchmarks/peer_evaluators.py run --environments FOLDER
    python benchmarks/peer_evaluators.py run --tool tabsynth
    python benchmarks/peer_evaluators.py report

`run` writes the tables of `controls.py` to a temporary folder (`--files` keeps them), hands them
to the adapters in `peer_evaluators/` and appends what they find to
`benchmarks/results/peer_evaluators.csv`, a row for each figure. What is there already is not run
again, so a stopped run goes on where it was, and several runs can go on beside one another.
`report` writes `peer_evaluators.md`. README.md says how to make the environments; FOLDER/NAME is
that of the peer NAME, tabsynth runs in the environment of this script.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import controls
import peer_report

from tabsynth import datasets

TABLES = ("adult", "bank_marketing", "online_shoppers")
PEERS = ("sdmetrics", "mostlyai", "anonymeter", "synthcity")
NAMES = (
    "table", "control", "leaks", "n", "seed", "tool", "version", "figure", "value", "low", "high",
    "rule", "alarm", "note", "problem", "cpu_seconds", "seconds",
)  # fmt: skip
KEY = ("table", "control", "n", "seed", "tool")
ADAPTERS = Path(__file__).parent / "peer_evaluators"
ONE_THREAD = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip


class Adapter:
    """A process that answers jobs, started again after a job that ran out of time."""

    def __init__(self, tool: str, python: Path, limit: float) -> None:
        self.tool, self.python, self.limit = tool, python, limit
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.python), str(ADAPTERS / f"{self.tool}_adapter.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
        )

    def answer(self, job: dict[str, object]) -> Iterator[dict[str, object]]:
        """Yield the figures of a job; for steps that were not finished in time, the problem."""
        if self.process is None or self.process.poll() is not None:
            self.process = self.start()
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        steps: list[str] = ["all"]
        problem = "the adapter ended early"
        for line in self._lines(time.monotonic() + self.limit):
            if line is None:
                problem = f"stopped after {self.limit:g} s"
                break
            found = json.loads(line)
            if "done" in found:
                return
            if "steps" in found:
                steps = found["steps"]
                continue
            steps = [step for step in steps if step != found["step"]]
            yield found
        self.process.kill()
        self.process.wait()
        self.process = None
        for step in steps:
            yield {"name": step, "problem": problem}

    def _lines(self, deadline: float) -> Iterator[bytes | None]:
        """Yield lines as they come; None once the time is up."""
        pipe, rest = self.process.stdout, b""
        with selectors.DefaultSelector() as ready:
            ready.register(pipe, selectors.EVENT_READ)
            while True:
                if not ready.select(max(0.0, deadline - time.monotonic())):
                    yield None
                    return
                chunk = os.read(pipe.fileno(), 65536)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines


def size_of(table: str, n: int) -> int:
    """Return n, or what a table has enough rows for: one control takes four times as many."""
    return min(n, datasets.describe(table).rows // 4 // 500 * 500)


def job_of(files: Path, table: str, control: str, n: int, seed: int) -> dict[str, object]:
    """Write the tables of a control, unless they are there, and return the job for an adapter."""
    folder = files / f"{table}.{n}.{seed}.{control}"
    about = folder / "job.json"
    if not about.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made = controls.make(table, control, n, seed)
        for part, frame in made._asdict().items():
            frame.to_csv(folder / f"{part}.csv", index=False)
        numbers = controls.numbers_of(made.train)
        kinds = {name: "number" if name in numbers else "category" for name in made.train}
        target = datasets.describe(table).target
        new = folder / "job.new"
        new.write_text(
            json.dumps({"folder": str(folder), "columns": kinds, "target": target, "seed": seed})
        )
        new.replace(about)
    return json.loads(about.read_text())


def append(path: Path, rows: list[dict[str, object]]) -> None:
    """Add the rows of one job; other runs may do the same at the same time."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writer = csv.DictWriter(file, NAMES, lineterminator="\n")
        if not file.tell():
            writer.writeheader()
        writer.writerows(rows)


def is_known(path: Path, key: dict[str, object]) -> bool:
    """Return whether a job was done, by this run or by another one meanwhile."""
    wanted = tuple(str(value) for value in key.values())
    return any(tuple(row[name] for name in KEY) == wanted for row in peer_report.known(path))


def row_of(key: dict[str, object], found: dict[str, object]) -> dict[str, object]:
    """Return a row of the result table."""
    row = {**key, "leaks": "yes" if peer_report.CONTROLS[str(key["control"])].leaks else "no"}
    row["figure"] = found["name"]
    for name in ("version", "rule", "note", "problem"):
        row[name] = found.get(name, "")
    for name in ("value", "low", "high"):
        given = found.get(name)
        row[name] = "" if given is None else f"{given:.5g}"
    row["alarm"] = {True: "yes", False: "no", None: ""}[found.get("alarm")]
    for name in ("cpu_seconds", "seconds"):
        row[name] = f"{found.get(name, 0.0):.2f}"
    return row


def run(options: argparse.Namespace, files: Path) -> None:
    """Run what was not run yet: seed by seed, so that a stopped run has something of everything."""
    adapters = {}
    for tool in options.tool:
        python = Path(sys.executable)
        if tool in PEERS:
            python = options.environments / tool / "bin" / "python"
            if not python.exists():
                raise SystemExit(
                    f"There is no environment of {tool}: {python} is missing. "
                    "benchmarks/README.md says how to make it."
                )
        adapters[tool] = Adapter(tool, python, options.limit)
    for seed in options.seeds:
        for control in options.controls:
            for table in options.tables:
                n = size_of(table, options.n)
                for tool, adapter in adapters.items():
                    key = {"table": table, "control": control, "n": n, "seed": seed, "tool": tool}
                    if is_known(options.results, key):
                        continue
                    started = time.monotonic()
                    job = job_of(files, table, control, n, seed)
                    rows = [row_of(key, found) for found in adapter.answer(job)]
                    append(options.results, rows)
                    alarms = [row["figure"] for row in rows if row["alarm"] == "yes"]
                    failed = [row["figure"] for row in rows if row["problem"]]
                    told = f"{'; '.join(map(str, alarms))} {f'failed: {failed}' if failed else ''}"
                    waited = time.monotonic() - started
                    cpu = sum(float(row["cpu_seconds"]) for row in rows)
                    print(
                        f"{table:16} {control:16} {seed} {tool:11} {cpu:6.1f} of {waited:6.1f} s"
                        f"  {told}",
                        flush=True,
                    )


def main() -> None:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=peer_report.RUNS, help=argparse.SUPPRESS)
    verbs = parser.add_subparsers(dest="verb", required=True)
    to = verbs.add_parser("run", help="judge control tables that were not judged yet")
    to.add_argument("--environments", type=Path, default=Path("peers"), metavar="FOLDER")
    to.add_argument("--tool", nargs="+", choices=(*PEERS, "tabsynth"), default=list(PEERS))
    to.add_argument("--tables", nargs="+", default=list(TABLES))
    to.add_argument("--controls", nargs="+", default=list(peer_report.CONTROLS), metavar="NAME")
    to.add_argument("--n", type=int, default=5000, help="fewer where a table is smaller")
    to.add_argument("--seeds", nargs="+", type=int, default=[0])
    to.add_argument("--limit", type=float, default=120, help="seconds that one job may take")
    to.add_argument("--files", type=Path, help="folder to keep the control tables in")
    verbs.add_parser("report", help="write the result as Markdown")
    options = parser.parse_args()
    if options.verb == "report":
        peer_report.write(options.results)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(options, options.files or Path(folder))


if __name__ == "__main__":
    main()

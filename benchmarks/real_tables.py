"""Run `tabsynth deidentify` with default settings on real public tables, one process a table.

    python benchmarks/real_tables.py                      # every table of the list, default model
    python benchmarks/real_tables.py porto_taxi_trips --models independent tvae ctgan

Writes `benchmarks/results/real_tables.csv` and a Markdown table beside it. Tables are found as
`tabsynth.datasets` finds them; the source file itself is handed to the command line, so that
reading, inference and the report are part of what is measured. A run counts as passed where the
exit code is 0, the synthetic file has the rows, the names and the order of the source's columns
(free text, which is left out on purpose, aside), every value reads as the column's type, and the
report is there. Runs use one thread unless told otherwise, so that seconds mean something on a
machine that is not idle.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabsynth import datasets
from tabsynth.io import read_table
from tabsynth.schema.infer import check_schema, infer_schema, with_dtypes

TABLES = (
    "adult",
    "bank_marketing",
    "credit_default",
    "online_shoppers",
    "diabetes130",
    "compas_two_years",
    "beijing_pm25",
    "king_county_houses",
    "titanic3",
    "telco_churn",
    "nist_acs_ma2019",
    "sf_fire_calls_2020",
    "communities_crime",
    "airbnb_london_text",
    "porto_taxi_trips",
    "heart_cleveland",
    "student_por",
)
RESULTS = Path(__file__).parent / "results"
SCORES = ("tvd_1way", "tvd_2way", "c2st", "membership_auc", "membership_tpr", "exact_copies")


def run(name: str, model: str, folder: Path, threads: int) -> dict[str, object]:
    """Run one table in a process of its own and return the row of the result table."""
    entry = datasets.describe(name)
    source = datasets.locate(name)
    if source is None:
        return {"table": name, "model": model, "passed": "no data"}
    out = folder / f"{name}.{model}.csv"
    report = folder / f"{name}.{model}.json"
    html = folder / f"{name}.{model}.html"
    command = [
        sys.executable, "-m", "tabsynth", "deidentify", str(source), "-o", str(out),
        "--report", str(html), "--json-report", str(report),
        "--card", str(folder / f"{name}.{model}.md"),
        "--model", model, "--seed", "7", "--force", "-q",
    ]  # fmt: skip
    if entry.target:
        command += ["--target", entry.target]
    for marker in entry.missing_values:
        if marker:
            command += ["--missing", marker]
    started = time.perf_counter()
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    environment = {**os.environ, **limits} if threads else None
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    error = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    row: dict[str, object] = {
        "table": name,
        "model": model,
        "rows": entry.rows,
        "columns": entry.columns,
        "exit": code,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_gib": round(usage.ru_maxrss / 2**20, 2),
    }
    if code:
        print(error.strip()[-600:], file=sys.stderr)
        return {**row, "passed": "no"}
    real, made = read_table(source), read_table(out)
    evaluation = json.loads(report.read_text())
    scores = {score["name"]: score for score in evaluation["scores"]}
    row["model_used"] = evaluation["provenance"]["model"]
    for score in SCORES:
        row[score] = _rounded(scores.get(score, {}).get("value"))
        row[f"{score}_real"] = _rounded(scores.get(score, {}).get("reference"))
    for score in evaluation["scores"]:
        if score["name"] == "tstr":
            row["tstr"], row["tstr_real"] = _rounded(score["value"]), _rounded(score["reference"])
    markers = ("", *entry.missing_values)
    schema = infer_schema(real.frame, missing_values=tuple(dict.fromkeys(markers)))
    kept = [column.name for column in schema if column.name in made.frame.columns]
    left_out = [column.name for column in schema if column.type == "text"]
    right = (
        list(made.frame.columns) == kept
        and set(schema.names) - set(kept) <= set(left_out)
        and len(made.frame) == len(real.frame)
        and html.stat().st_size > 10_000
    )
    small = type(schema)(tuple(schema[name] for name in kept), missing_values=schema.missing_values)
    check_schema(with_dtypes(small, made.frame), made.frame)
    return {**row, "left_out": " ".join(left_out), "passed": "yes" if right else "no"}


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def main() -> None:
    """Run what the command line asks for and write the result table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=TABLES)
    parser.add_argument("--models", nargs="+", default=["auto"])
    parser.add_argument("--output", default="real_tables")
    parser.add_argument("--threads", type=int, default=1, help="threads a run may use; 0: all")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.tables:
            for model in options.models:
                row = run(name, model, Path(folder), options.threads)
                rows.append(row)
                print(json.dumps(row), flush=True)
                write(rows, RESULTS / options.output)


def write(rows: list[dict[str, object]], path: Path) -> None:
    """Write the result table as CSV and as Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    path.parent.mkdir(exist_ok=True)
    with path.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        lines.append("| " + " | ".join(str(row.get(name, "")) for name in names) + " |")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

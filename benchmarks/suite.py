"""`auto` beside TabularARGN on halves of twelve public tables, and alone on two large ones.

    python benchmarks/suite.py --folder FOLDER --reference ENVIRONMENT/bin/python
    python benchmarks/suite.py --folder FOLDER adult telco_churn --seeds 0 1 2
    python benchmarks/suite.py --folder FOLDER --large

ENVIRONMENT has `mostlyai-engine` 2.7.3 installed; without it, what FOLDER holds of its runs is
taken. Halves and judges are those of `tree_tables.py`: `c2st` (0.5 is best) and `tstr`. The target
is named to ours; TabularARGN has no such setting. `real` puts the training half in the place of
synthetic rows. Every fit has a process of its own and one thread; seconds are processor seconds of
fitting, coding and sampling, ours on a data frame as theirs. `--large` fits and samples whole
tables and judges nothing. Writes `benchmarks/results/suite` (`suite_large`), CSV and Markdown, with
the means over tables at the end of the latter.
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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from real_tables import RESULTS, write
from tree_tables import halves, two_sample, usefulness

from tabsynth import Synthesizer, datasets
from tabsynth.evaluation.frame import analyse
from tabsynth.schema.infer import check_schema, infer_schema, with_dtypes

TABLES = (
    *("adult", "bank_marketing", "credit_default", "online_shoppers", "magic_gamma"),
    *("beijing_pm25", "california_housing", "king_county_houses", "diabetes130"),
    *("nist_acs_ma2019", "covertype_kaggle", "telco_churn"),
)
LARGE = ("nist_temporal_acs", "acs_income_2018")
WORKER = Path(__file__).parent / "suite_worker.py"
LIMITS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def ours(train: str, out: str, target: str, seed: int) -> None:
    """Fit `auto` and sample, in this process; print what was measured."""
    frame = pd.read_parquet(train)
    wall, cpu = time.perf_counter(), time.process_time()
    synthesizer = Synthesizer("auto", target=target or None, seed=seed).fit(frame)
    made = synthesizer.sample(len(frame))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "cpu_s": round(time.process_time() - cpu, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
        "peak_gib": round(usage.ru_maxrss / 2**20, 2),
        "model": synthesizer.model_.name,
    }
    made.to_parquet(out)
    print(json.dumps(found), flush=True)


def started(command: Sequence[str], threads: bool = False) -> dict[str, object]:
    """Run a program that prints one JSON object last, and return it."""
    environment = {**os.environ, **({} if threads else LIMITS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(name: str, folder: Path, reference: str, seeds: list[int]) -> list[dict[str, object]]:
    """Return the rows of one table: real ones, theirs, and ours of each seed."""
    train, test, target = halves(name)
    source = folder / f"{name}.train.parquet"
    train.to_parquet(source)
    schema = infer_schema(train)

    def judged(made: pd.DataFrame) -> dict[str, object]:
        columns = tuple(column for column in schema if column.name in made.columns)
        kept = type(schema)(columns, missing_values=schema.missing_values)
        made = with_types(made, train)
        check_schema(with_dtypes(kept, made), made)
        tables = analyse({"train": train, "synthetic": made, "holdout": test}, schema)
        real, drawn = tables["holdout"], tables["synthetic"]
        return {
            "c2st": round(two_sample(drawn, real), 4),
            "tstr": round(usefulness(drawn, real, target), 4),
        }

    about = {"table": name, "rows": len(train), "columns": train.shape[1]}
    rows = [{**about, "what": "real", "seed": "", **judged(train)}]
    out, figures = folder / f"{name}.argn.parquet", folder / f"{name}.argn.json"
    if reference and not figures.exists():
        found = started([reference, str(WORKER), str(source), str(out)])
        figures.write_text(json.dumps(found))
    if figures.exists():
        found = json.loads(figures.read_text())
        known = {key: found[key] for key in ("cpu_s", "wall_s", "peak_gib")}
        # It writes this where a category is rare; a cell without a value is kinder to it.
        made = pd.read_parquet(out).replace("_RARE_", None)
        rows.append({**about, "what": "TabularARGN", "seed": 0, **judged(made), **known})
    for seed in seeds:
        mine = folder / f"{name}.auto.parquet"
        options = ["--own", str(source), str(mine), target, str(seed)]
        found = started([sys.executable, __file__, *options])
        made = pd.read_parquet(mine)
        rows.append({**about, "what": "auto", "seed": seed, **judged(made), **found})
    return rows


def with_types(made: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Return columns with the types that they have in the real table."""
    columns = {}
    for name in made.columns:
        column, dtype = made[name], like[name].dtype
        if pd.api.types.is_bool_dtype(dtype):
            column = column.astype(str).str.lower() == "true"
        elif pd.api.types.is_numeric_dtype(dtype):
            column = pd.to_numeric(column, errors="coerce").astype("float64")
            if column.isna().any():
                dtype = column.dtype
        columns[name] = column.astype(dtype)
    return pd.DataFrame(columns)


def summary(rows: list[dict[str, object]]) -> str:
    """Return the means over the tables that every side has, in words."""
    by: dict[str, dict[str, list[dict[str, object]]]] = {}
    for row in rows:
        by.setdefault(str(row["what"]), {}).setdefault(str(row["table"]), []).append(row)
    if not {"real", "TabularARGN", "auto"} <= set(by):
        return ""
    names = sorted(set.intersection(*(set(tables) for tables in by.values())))

    def middle(what: str, name: str, key: str) -> float:
        return statistics.median(float(str(row[key])) for row in by[what][name])

    lines = [f"Means over {len(names)} tables, of medians over seeds:", ""]
    told, lost = {}, {}
    for what in ("TabularARGN", "auto"):
        told[what] = np.mean([middle(what, name, "c2st") - 0.5 for name in names])
        lost[what] = np.mean(
            [middle("real", name, "tstr") - middle(what, name, "tstr") for name in names]
        )
        spent = sum(middle(what, name, "cpu_s") for name in names)
        lines.append(
            f"- {what}: C2ST - 0.5 {told[what]:.3f}, TSTR {lost[what]:.3f} below real rows, "
            f"{spent:.0f} CPU s in all"
        )
    ratios = [part["auto"] / part["TabularARGN"] for part in (told, lost)]
    lines.append(f"- ratio: C2ST - 0.5 {ratios[0]:.2f}, TSTR gap {ratios[1]:.2f}")
    return "\n".join(lines) + "\n"


def large(name: str, folder: Path) -> dict[str, object]:
    """Return how long `auto` takes on a whole table, with as many threads as it likes."""
    entry = datasets.describe(name)
    frame = datasets.load(name).drop(columns=list(entry.id_columns))
    source = folder / f"{name}.whole.parquet"
    frame.to_parquet(source)
    options = ["--own", str(source), str(folder / f"{name}.made.parquet"), entry.target or "", "0"]
    found = started([sys.executable, __file__, *options], threads=True)
    return {"table": name, "rows": len(frame), "columns": frame.shape[1], **found}


def main() -> None:
    """Run what the command line asks for and write the result table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--reference", default="")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--add", action="store_true", help="keep the rows of other tables")
    parser.add_argument("--own", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.own:
        train, out, target, seed = options.own
        ours(train, out, target, int(seed))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    path = RESULTS / ("suite_large" if options.large else "suite")
    if options.add:
        with path.with_suffix(".csv").open(encoding="utf-8") as file:
            kept = csv.DictReader(file)
            rows += [dict(row) for row in kept if row["table"] not in options.tables]
    for name in options.tables or (LARGE if options.large else TABLES):
        if options.large:
            rows.append(large(name, options.folder))
        else:
            rows += run(name, options.folder, options.reference, options.seeds)
        print(json.dumps(rows[-1]), flush=True)
        write(rows, path)
        if not options.large:
            with path.with_suffix(".md").open("a") as file:
                file.write("\n" + summary(rows))


if __name__ == "__main__":
    main()

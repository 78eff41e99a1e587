"""Train `ctgan` and `tvae` on small and odd tables, many seeds each, and look for the first NaN.

    python benchmarks/odd_tables.py                     # 20 seeds of every table and model
    python benchmarks/odd_tables.py --tables tails --seeds 3

A run has survived where every loss that training reports is finite and below `LARGEST` nats, all
weights that are kept are finite, every number of the synthetic table is finite (or missing, in
columns with missing cells) and inside the range of the real ones, and every category is a real one.
The first two seeds of a table train to the end, as a user would; the others take `STEPS` steps,
the first of which are where an adversary diverges, if it does.

Writes `benchmarks/results/odd_tables.csv` and a Markdown table beside it: for every table and model
how many runs survived, and the largest loss of any report.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tabsynth import Synthesizer
from tabsynth.random import Streams
from tabsynth.schema.infer import infer_schema

RESULTS = Path(__file__).parent / "results" / "odd_tables"
MODELS = ("ctgan", "tvae")
STEPS = 100
WHOLE = 2
"""Seeds that train to the end."""
LARGEST = 1e4
ROWS = 300


def one_row_a_category(rng: np.random.Generator) -> pd.DataFrame:
    """Return categories that no two rows share, beside a number and a flag."""
    names = [f"c{number}" for number in range(ROWS)]
    return pd.DataFrame({
        "name": pd.Categorical(names, categories=names),
        "x": rng.normal(size=ROWS),
        "flag": rng.choice(["yes", "no"], ROWS),
    })  # fmt: skip


def constant_but_one(rng: np.random.Generator) -> pd.DataFrame:
    """Return columns of one value each, except for one."""
    return pd.DataFrame({
        "zero": np.zeros(ROWS), "year": np.full(ROWS, 1994), "country": ["AT"] * ROWS,
        "x": rng.normal(size=ROWS), "unit": ["mg"] * ROWS,
    })  # fmt: skip


def many_categories(rng: np.random.Generator) -> pd.DataFrame:
    """Return 2,000 categories, most of them rare, and two columns that follow them."""
    size = 2_000
    code = (size * rng.random(10 * ROWS) ** 3).astype(int)
    names = [f"c{number}" for number in range(size)]
    return pd.DataFrame({
        "place": pd.Categorical([names[number] for number in code], categories=names),
        "kind": np.array(list("abcd"))[code % 4],
        "x": code + rng.normal(size=len(code)),
    })  # fmt: skip


def many_columns(rng: np.random.Generator) -> pd.DataFrame:
    """Return 100 numbers and 100 flags that hang on five causes."""
    causes = rng.normal(size=(ROWS, 5))
    numbers = causes @ rng.normal(size=(5, 200)) + rng.normal(size=(ROWS, 200))
    return pd.DataFrame({
        f"v{place}": numbers[:, place] if place < 100 else np.where(numbers[:, place] > 1, "y", "n")
        for place in range(200)
    })  # fmt: skip


def tails(rng: np.random.Generator) -> pd.DataFrame:
    """Return numbers that range over twelve orders of magnitude, of both signs."""
    size = 10.0 ** rng.uniform(-6, 6, ROWS)
    return pd.DataFrame({
        "wide": size, "signed": size * rng.choice([-1, 1], ROWS),
        "cauchy": np.clip(rng.standard_cauchy(ROWS) * 1e3, -1e9, 1e9),
        "kind": rng.choice(["a", "b", "c"], ROWS),
    })  # fmt: skip


def holes(rng: np.random.Generator) -> pd.DataFrame:
    """Return columns of every kind with four cells of ten missing."""
    frame = pd.DataFrame({
        "x": rng.normal(size=ROWS), "y": rng.exponential(100, ROWS).round(),
        "kind": rng.choice(["a", "b", "c"], ROWS), "flag": rng.choice(["yes", "no"], ROWS),
    })  # fmt: skip
    return frame.mask(rng.random(frame.shape) < 0.4)


TABLES: dict[str, Callable[[np.random.Generator], pd.DataFrame]] = {
    "one_row_a_category": one_row_a_category,
    "constant_but_one": constant_but_one,
    "many_categories": many_categories,
    "many_columns": many_columns,
    "tails": tails,
    "holes": holes,
}


def complaint(frame: pd.DataFrame, made: pd.DataFrame) -> str:
    """Return what is wrong with synthetic rows, or nothing."""
    for name in frame:
        real, ours = frame[name], made[name]
        if ours.isna().any() and not real.isna().any():
            return f"{name}: missing cells"
        ours = ours.dropna()
        if pd.api.types.is_numeric_dtype(real):
            if not np.isfinite(ours.to_numpy(np.float64)).all():
                return f"{name}: not finite"
            if len(ours) and (ours.min() < real.min() or ours.max() > real.max()):
                return f"{name}: out of range"
        elif not set(ours.astype(str)) <= set(real.dropna().astype(str)):
            return f"{name}: unknown category"
    return ""


def run(name: str, model: str, seed: int) -> tuple[str, float]:
    """Train and sample once; return what went wrong, or nothing, and the largest loss."""
    frame = TABLES[name](Streams(seed).numpy(name))
    steps = None if seed < WHOLE else STEPS
    # Without being told, inference takes a column of distinct names for a key, which is not learnt.
    known = {"name": "category"} if "name" in frame else {}
    schema = infer_schema(frame, overrides=known)
    synthesizer = Synthesizer(model, parameters={"steps": steps}, schema=schema, seed=seed)
    try:
        made = synthesizer.fit(frame).sample(500)
    except (ArithmeticError, RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}", float("nan")
    losses = synthesizer.model_.loss_history_.drop(columns=["step", "seconds"])
    # The penalty is not taken in every step; where it was not, there is none.
    if "penalty" in losses:
        every = synthesizer.model_.parameters.penalty_every
        taken = losses["penalty"].notna()
        losses["penalty"] = losses["penalty"].where(taken, 0.0 if taken[::every].all() else np.nan)
    largest = float(np.abs(losses.to_numpy(np.float64)).max())
    if not largest < LARGEST:
        return f"loss {largest}", largest
    for key, tensor in synthesizer.model_.state().tensors.items():
        if not np.isfinite(tensor).all():
            return f"{key}: not finite", largest
    return complaint(frame, made), largest


def main() -> None:
    """Run what the command line asks for and write the result table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    rows = []
    for name in options.tables:
        for model in options.models:
            begin = time.process_time()
            found = [run(name, model, seed) for seed in range(options.seeds)]
            wrong = [what for what, _ in found if what]
            rows.append({
                "table": name, "model": model, "seeds": options.seeds,
                "survived": options.seeds - len(wrong),
                "largest_loss": round(max(loss for _, loss in found), 2),
                "first_complaint": wrong[0] if wrong else "",
                "cpu_seconds": round(time.process_time() - begin),
            })  # fmt: skip
            print(rows[-1], file=sys.stderr, flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    RESULTS.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

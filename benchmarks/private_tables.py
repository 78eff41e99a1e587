"""Fit models under privacy budgets on halves of public tables, and judge what they make.

    python benchmarks/private_tables.py                                  # every table and budget
    python benchmarks/private_tables.py adult --models marginal tvae --epsilons 1 3 --seeds 1 2 3
    python benchmarks/private_tables.py adult --models mst aim --epsilons 1 --seeds 1 --add \
        --peer ENVIRONMENT/bin/python --folder FOLDER
    python benchmarks/private_tables.py --plot                           # only the figure

Halves as in `tree_tables.py`, but adult is the first 32,561 rows, of which a random half (16,280
rows, `numpy.random.default_rng(0)`) is learnt. Everything happens end to end inside the budget:
the number of rows, bounds, decimals, missing rates and counts are bought; types, categories and
the target are declared, bounds are not. delta is 1e-5. An epsilon of inf is a fit without a budget.
Where noise hides all values of a column a fit is refused, which is written down.

`mst` and `aim` are those of dpmm 0.1.9 in ENVIRONMENT: bounds and categories are public to them,
and they spend 0.1 more for bins. Their seconds are of one thread too. What they made is kept in
FOLDER.

C2ST and TSTR as in `tree_tables.py`. TVD: mean total variation distance to the test half over
columns, numbers in 20 quantile bins of it. Seconds are of one thread, for fit and sampling. Writes
`benchmarks/results/private_tables.csv`, a Markdown table of means, and a figure for the docs.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn.ensemble  # noqa: F401  (so that its threads are known to threadpoolctl)
from real_tables import RESULTS
from suite import started, with_types
from threadpoolctl import threadpool_limits
from tree_tables import halves, two_sample, usefulness

from tabsynth import Schema, Synthesizer, datasets
from tabsynth.errors import PrivacyError
from tabsynth.evaluation.frame import Table, analyse
from tabsynth.schema.infer import infer_schema

TABLES = ("adult", "bank_marketing", "credit_default", "nist_acs_ma2019", "magic_gamma")
MODELS = ("independent", "marginal", "autoregressive", "tvae")
PEERS = ("mst", "aim")
WORKER = Path(__file__).parent / "private_peer_worker.py"
EPSILONS = (0.1, 0.5, 1.0, 3.0, 10.0, math.inf)
DELTA = 1e-5
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "private_tables.svg"


def split(name: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the rows to learn from, the rows to judge on, and the target."""
    if name != "adult":
        return halves(name)
    entry = datasets.describe(name)
    frame = datasets.load(name).drop(columns=list(entry.id_columns)).iloc[:32_561]
    order = np.random.default_rng(0).permutation(32_561)
    parts = order[:16_280], order[16_280:]
    train, test = (frame.iloc[rows].reset_index(drop=True) for rows in parts)
    return train, test, entry.target


def declared(train: pd.DataFrame) -> Schema:
    """Return a schema as a person would declare it: types and categories, no bounds."""
    schema = infer_schema(train)
    columns = []
    for column in schema:
        parameters = {k: v for k, v in column.parameters.items() if k not in column.learned}
        if column.type == "category":
            labels = train[column.name].dropna().unique().tolist()
            parameters["categories"] = sorted(labels, key=str)
        columns.append(replace(column, parameters=parameters, learned=frozenset(), reason=""))
    return replace(schema, columns=tuple(columns))


def distance(made: Table, test: Table) -> float:
    """Return the mean total variation distance of columns."""
    found = []
    for place, feature in enumerate(test.features):
        ours, theirs = made.codes[:, place], test.codes[:, place]
        if not feature.is_nominal and (theirs >= 0).any():
            cuts = np.unique(np.quantile(theirs[theirs >= 0], np.linspace(0, 1, 21)[1:-1]))
            ours, theirs = (
                np.where(side < 0, -1, np.searchsorted(cuts, side, side="right"))
                for side in (ours, theirs)
            )
        size = max(ours.max(), theirs.max()) + 2
        shares = [np.bincount(side + 1, minlength=size) / len(side) for side in (ours, theirs)]
        found.append(0.5 * np.abs(shares[0] - shares[1]).sum())
    return float(np.mean(found))


def run(
    name: str, model: str, epsilon: float, seed: int, parameters: dict[str, Any]
) -> dict[str, object]:
    """Fit, draw and judge once."""
    train, test, target = split(name)
    schema = declared(train)
    budget: dict[str, Any] = {}
    if math.isfinite(epsilon):
        budget = {"epsilon": epsilon, "delta": DELTA}
    synthesizer = Synthesizer(
        model, parameters=parameters, schema=schema, target=target, seed=seed, **budget
    )
    clock = time.process_time()
    row: dict[str, object] = {
        "table": name,
        "rows": len(train),
        "columns": train.shape[1],
        "model": model,
        "epsilon": epsilon,
        "seed": seed,
    }
    try:
        made = synthesizer.fit(train).sample(len(train))
    except PrivacyError as error:
        nothing = dict.fromkeys(("c2st", "tstr", "tvd", "cpu_s"), math.nan)
        return {**row, **nothing, "spent": "", "refused": str(error).splitlines()[0]}
    seconds, ledger = time.process_time() - clock, synthesizer.ledger_
    spent = round(ledger.epsilon(), 4) if ledger else ""
    judged = scores(made, train, test, schema, target)
    return {**row, **judged, "cpu_s": round(seconds, 1), "spent": spent, "refused": ""}


def run_peer(
    name: str, model: str, epsilon: float, seed: int, peer: str, folder: Path
) -> dict[str, object]:
    """Let a peer fit and draw, unless it has, and judge it."""
    train, test, target = split(name)
    source, stem = folder / f"{name}.train.parquet", folder / f"{name}.{model}.{epsilon:g}.{seed}"
    made, figures = (Path(f"{stem}.{ending}") for ending in ("parquet", "json"))
    if not figures.exists():
        folder.mkdir(parents=True, exist_ok=True)
        train.to_parquet(source)
        budget = ["--epsilon", str(epsilon), "--delta", str(DELTA), "--seed", str(seed)]
        found = started([peer, str(WORKER), model, str(source), str(made), *budget])
        figures.write_text(json.dumps(found))
    frame = with_types(pd.read_parquet(made)[list(train.columns)], train)
    return {
        "table": name,
        "rows": len(train),
        "columns": train.shape[1],
        "model": model,
        "epsilon": epsilon,
        "seed": seed,
        **scores(frame, train, test, infer_schema(train), target),
        "cpu_s": json.loads(figures.read_text())["cpu_s"],
        "spent": round(epsilon + 0.1, 4),
        "refused": "",
    }


def scores(
    made: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame, schema: Schema, target: str
) -> dict[str, object]:
    """Return C2ST, TSTR and TVD."""
    tables = analyse({"train": train, "synthetic": made, "holdout": test}, schema)
    ours, theirs = tables["synthetic"], tables["holdout"]
    return {
        "c2st": round(two_sample(ours, theirs), 4),
        "tstr": round(usefulness(ours, theirs, target), 4),
        "tvd": round(distance(ours, theirs), 4),
    }


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """Write all runs as CSV and their means as Markdown."""
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    frame = pd.DataFrame(rows)
    keys = ["table", "model", "epsilon"]
    figures = ["c2st", "tstr", "tvd", "cpu_s"]
    means = frame.groupby(keys, sort=False)[figures].agg(["mean", "std"])
    counts = frame.groupby(keys, sort=False).size()
    lines = [
        "| table | model | epsilon | fits | C2ST | TSTR | TVD | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key, line in means.iterrows():
        assert isinstance(key, tuple)
        cells = [
            f"{line[(score, 'mean')]:.3f}"
            + ("" if math.isnan(line[(score, "std")]) else f" ± {line[(score, 'std')]:.3f}")
            for score in figures[:3]
        ]
        if math.isnan(line[("c2st", "mean")]):
            cells = ["refused: noise hides all values", "", ""]
        shown = [key[0], key[1], f"{key[2]:g}", str(counts[key]), *cells]
        seconds = line[("cpu_s", "mean")]
        lines.append(f"| {' | '.join(shown)} | {'' if math.isnan(seconds) else f'{seconds:.0f}'} |")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(path: Path) -> None:
    """Draw usefulness and likeness against epsilon."""
    import matplotlib.pyplot as plt

    frame = pd.read_csv(path.with_suffix(".csv"))
    tables = list(dict.fromkeys(frame["table"]))
    figure, axes = plt.subplots(2, len(tables), figsize=(3 * len(tables), 5.5), sharex=True)
    axes = np.asarray(axes).reshape(2, len(tables))
    places = {epsilon: place for place, epsilon in enumerate(sorted(set(frame["epsilon"])))}
    for column, table in enumerate(tables):
        for row, (score, title) in enumerate((("tstr", "TSTR"), ("c2st", "C2ST"))):
            at = axes[row, column]
            for model in (*MODELS, *PEERS):
                some = frame[(frame["table"] == table) & (frame["model"] == model)]
                if len(some):
                    found = some.groupby("epsilon")[score].agg(["mean", "std"])
                    x = [places[epsilon] for epsilon in found.index]
                    at.errorbar(
                        x, found["mean"], found["std"].fillna(0), marker="o", ms=3, label=model
                    )
            at.set_xticks(list(places.values()), [f"{e:g}" for e in places])
            if row == 0:
                at.set_title(table, fontsize=9)
            if column == 0:
                at.set_ylabel(title)
    axes[1, 0].set_xlabel("epsilon")
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Run what the command line asks for and write the result table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--epsilons", nargs="+", type=float, default=list(EPSILONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--set", nargs="*", default=[], help="hyper-parameters, NAME=VALUE")
    parser.add_argument("--add", action="store_true", help="keep what was measured before")
    parser.add_argument("--peer", default="", help="Python that has dpmm installed")
    parser.add_argument("--folder", type=Path, default=Path("peers"))
    parser.add_argument("--plot", action="store_true", help="only draw the figure")
    parser.add_argument("--output", default="private_tables")
    options = parser.parse_args()
    path = RESULTS / options.output
    if options.plot:
        draw(path)
        return
    given = {name: json.loads(value) for name, value in (pair.split("=") for pair in options.set)}
    rows: list[dict[str, Any]] = []
    if options.add:
        with path.with_suffix(".csv").open(encoding="utf-8") as file:
            rows = [{**row, **_numbers(row)} for row in csv.DictReader(file)]
    names = options.tables or TABLES
    with threadpool_limits(1):
        for name, model, epsilon, seed in product(
            names, options.models, options.epsilons, options.seeds
        ):
            if model in PEERS:
                peer = options.peer, options.folder
                rows.append(run_peer(name, model, epsilon, seed, *peer))
            else:
                rows.append(run(name, model, epsilon, seed, given))
            print(json.dumps(rows[-1]), flush=True)
            write(rows, path)


def _numbers(row: dict[str, str]) -> dict[str, float]:
    return {key: float(row[key]) for key in ("epsilon", "c2st", "tstr", "tvd", "cpu_s")}


if __name__ == "__main__":
    main()

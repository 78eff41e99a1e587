"""Control tables: synthetic tables made from real ones, of which it is known whether they leak.

    python benchmarks/controls.py list
    python benchmarks/controls.py write --table adult --n 5000 --seed 0 OUT

The second command writes the folders `OUT/<control>/` with the files train, holdout and synthetic
(CSV, or Parquet with `--format parquet`) and `OUT/controls.json`, which says of every control
whether it leaks and of every column whether it holds numbers or categories. In CSV files a missing
cell is empty; no category is called "".

From Python, `make(table, control, n, seed)` returns the three tables as data frames. The same
arguments give the same rows, and for one table, n and seed all controls without rows of their own
have the same training rows, holdout and fresh rows.

In a *negative* control the synthetic rows are drawn from the same source without a look at which
rows are training rows, so nothing leaks whatever the table looks like. In a *positive* control
training rows went into the synthetic ones in the way that the control is named after.

References: `kernel density` follows Aitchison and Aitken (1976), doi:10.1093/biomet/63.3.413, for
categories; SMOTE is that of Chawla et al. (2002), doi:10.1613/jair.953, in its form for mixed
types (SMOTE-NC).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tabsynth import datasets
from tabsynth.random import Streams

TABLES = ("adult", "bank_marketing", "credit_default", "diabetes130", "online_shoppers")
"""Tables of mixed types that are large enough; any other one of the catalogue can be named too."""
RARE = 4
"""A category that at most so many training rows have is rare."""


class Made(NamedTuple):
    """The three tables of a control."""

    train: pd.DataFrame
    holdout: pd.DataFrame
    synthetic: pd.DataFrame


@dataclass(frozen=True)
class Rows:
    """Rows of one source, split at random, and a generator for what is done to them."""

    train: pd.DataFrame
    holdout: pd.DataFrame
    fresh: pd.DataFrame
    rng: np.random.Generator
    seed: int

    @property
    def numbers(self) -> list[str]:
        """Return the names of the columns that hold numbers."""
        return numbers_of(self.train)


@dataclass(frozen=True)
class Control:
    """One way to make a synthetic table.

    Attributes
    ----------
    name : str
    leaks : bool
        Whether training rows went into the synthetic ones.
    about : str
        How it is made, in a sentence.
    synthesize : callable
        From the rows to the synthetic table.
    source : callable
        What is done to the source before it is split.
    sizes : tuple of float
        Training, unseen and fresh rows, in multiples of n.
    """

    name: str
    leaks: bool
    about: str
    synthesize: Callable[[Rows], pd.DataFrame]
    source: Callable[[pd.DataFrame, int, np.random.Generator], pd.DataFrame] = (
        lambda frame, n, rng: frame
    )
    sizes: tuple[float, float, float] = (1, 1, 1)


@cache
def read(table: str) -> pd.DataFrame:
    """Return a table of the catalogue without its keys, texts and dates.

    Numbers are int64, or float64 where there are fractions or missing cells; categories are texts
    (object), None where missing.
    """
    entry = datasets.describe(table)
    frame = datasets.load(table)
    left_out = {*entry.id_columns, *entry.datetime_columns, *entry.text_columns}
    columns = {}
    for name in frame:
        column = frame[name]
        if name in left_out:
            continue
        if name in entry.numeric_columns:
            column = pd.to_numeric(column)
            whole = column.notna().all() and bool((column % 1 == 0).all())
            columns[name] = column.astype("int64" if whole else "float64")
        else:
            columns[name] = column.astype("str").astype(object).where(column.notna(), None)
    return pd.DataFrame(columns)


def numbers_of(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns that hold numbers."""
    return [name for name in frame if pd.api.types.is_numeric_dtype(frame[name].dtype)]


def make(table: str, control: str, n: int = 5000, seed: int = 0) -> Made:
    """Return the tables of a control.

    Parameters
    ----------
    table : str
        A name of the catalogue.
    control : str
        A name of `CONTROLS`.
    n : int
        Training, unseen and synthetic rows, where the control does not say otherwise.
    seed : int
    """
    if control not in CONTROLS:
        raise SystemExit(f"There is no control {control!r}. Known: {', '.join(CONTROLS)}.")
    chosen, frame = CONTROLS[control], read(table)
    streams = Streams(seed).child("controls").child(table)
    sizes = [max(1, round(size * n)) for size in chosen.sizes]
    frame = chosen.source(frame, sum(sizes), streams.numpy(f"source of {control}"))
    if sum(sizes) > len(frame):
        raise SystemExit(
            f"The control {control!r} of n = {n:,} needs {sum(sizes):,} rows; {table!r} has "
            f"{len(frame):,}. Take a smaller n."
        )
    order = streams.numpy("split").permutation(len(frame))
    ends = np.cumsum(sizes)
    parts = [
        frame.iloc[order[end - size : end]].reset_index(drop=True)
        for size, end in zip(sizes, ends, strict=True)
    ]
    rows = Rows(*parts, streams.numpy(control), streams.integer(control) % 2**31)
    made = chosen.synthesize(rows)
    mixed = made.iloc[streams.numpy("order").permutation(len(made))].reset_index(drop=True)
    return Made(rows.train, rows.holdout, mixed)


# What is done to a source: all rows alike, before anything is known about training rows.


def in_categories(frame: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table with few categories in every column, so that many rows are equal."""
    columns = {}
    for name in frame:
        column = frame[name]
        if name in numbers_of(frame):
            column = pd.qcut(column.rank(method="average"), 3, labels=False, duplicates="drop")
            columns[name] = column.map(lambda x: None if pd.isna(x) else f"part {int(x)}")
        else:
            common = column.value_counts().index[:3]
            columns[name] = column.where(column.isin(common) | column.isna(), "other")
    return pd.DataFrame(columns)


def repeated(frame: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return n rows of which most stand several times, some often."""
    pool = frame.iloc[rng.permutation(len(frame))[: max(1, n // 3)]]
    weights = rng.pareto(1.5, len(pool)) + 0.2
    return pool.iloc[rng.choice(len(pool), n, p=weights / weights.sum())].reset_index(drop=True)


def with_gaps(frame: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table with 30% of all cells missing."""
    gaps = rng.random(frame.shape) < 0.3
    columns = {}
    for place, name in enumerate(frame):
        column = frame[name]
        if name in numbers_of(frame):
            columns[name] = column.astype("float64").mask(gaps[:, place])
        else:
            columns[name] = column.mask(gaps[:, place], None)
    return pd.DataFrame(columns)


# Ways to make synthetic rows.


def fresh(rows: Rows) -> pd.DataFrame:
    return rows.fresh


def independent(rows: Rows) -> pd.DataFrame:
    """Shuffle every column of rows that are neither training nor unseen rows."""
    return pd.DataFrame(
        {name: rows.rng.permutation(rows.fresh[name].array) for name in rows.fresh}
    ).astype(rows.fresh.dtypes)


def copies(rows: Rows, share: float) -> pd.DataFrame:
    chosen = rows.rng.permutation(len(rows.train))[: round(share * len(rows.fresh))]
    return among(rows.train.iloc[chosen], rows.fresh)


def noise(rows: Rows, size: float) -> pd.DataFrame:
    return noised(rows.train, rows, size)


def outliers(rows: Rows, size: float = 0.0) -> pd.DataFrame:
    """Plant the training rows that lie farthest from all others, 0.5% of the synthetic rows."""
    points = Points(rows.train).of(rows.train)
    lonely = np.argsort(-distances(points, points, 6)[0].mean(axis=1), kind="stable")
    chosen = rows.train.iloc[lonely[: round(0.005 * len(rows.fresh))]]
    return among(noised(chosen, rows, size) if size else chosen, rows.fresh)


def smote(rows: Rows) -> pd.DataFrame:
    """Lay rows between a training row and one of its five nearest; categories by majority."""
    n, rng = len(rows.fresh), rows.rng
    points = Points(rows.train).of(rows.train)
    near = distances(points, points, 6)[1][:, 1:]
    first = rng.integers(len(rows.train), size=n)
    second = near[first, rng.integers(near.shape[1], size=n)]
    share = rng.random(n)
    columns = {}
    for name in rows.train:
        cells = rows.train[name].to_numpy()
        if name in rows.numbers:
            one, other = cells[first].astype(float), cells[second].astype(float)
            between = np.where(np.isnan(other), one, one + share * (other - one))
            columns[name] = rounded(between, rows.train[name])
        else:
            codes, labels = pd.factorize(cells, use_na_sentinel=False)
            votes = np.stack([(codes[near[first]] == c).sum(axis=1) for c in range(len(labels))])
            columns[name] = pd.Series(labels[votes.argmax(axis=0)], dtype=object)
    return pd.DataFrame(columns)


def kernel(rows: Rows, width: float) -> pd.DataFrame:
    """Draw training rows with a Gaussian on each number, a share of Scott's rule wide."""
    d = rows.train.shape[1]
    size = width * len(rows.train) ** (-1 / (d + 4))
    drawn = rows.train.iloc[rows.rng.integers(len(rows.train), size=len(rows.fresh))]
    return noised(drawn.reset_index(drop=True), rows, size)


def overfitted(rows: Rows) -> pd.DataFrame:
    """Train a TVAE on few rows for very long, without anything that keeps it from learning them."""
    from tabsynth.synthesizer import Synthesizer

    parameters = {"beta": 0.01, "weight_decay": 0.0, "components": 100, "steps": 4000,
                  "batch_size": 250, "latent": 64, "learning_rate": 3e-3}  # fmt: skip
    model = Synthesizer("tvae", parameters=parameters, schema=schema_of(rows.train), seed=rows.seed)
    made = model.fit(rows.train).sample(len(rows.fresh), seed=rows.seed)
    return like(made[list(rows.train.columns)], rows.train)


def swapped(rows: Rows, share: float) -> pd.DataFrame:
    """Join the halves of different training rows; which columns make a half is drawn at random."""
    n = round(share * len(rows.fresh))
    names = list(rows.rng.permutation(np.array(list(rows.train), dtype=object)))
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    parts = []
    for half in halves:
        drawn = rows.rng.permutation(len(rows.train))[:n]
        parts.append(rows.train[half].iloc[drawn].reset_index(drop=True))
    return among(pd.concat(parts, axis=1)[list(rows.train)], rows.fresh)


def extremes(rows: Rows) -> pd.DataFrame:
    """Clip fresh numbers to the range of the training rows, and plant its two ends."""
    made = rows.fresh.copy()
    for name in rows.numbers:
        low, high = rows.train[name].min(), rows.train[name].max()
        ends = rows.rng.permutation(len(made))[:2]
        made[name] = made[name].clip(low, high)
        made.loc[ends[0], name], made.loc[ends[1], name] = low, high
    return made


def rare_categories(rows: Rows) -> pd.DataFrame:
    """Plant every category that at most four training rows have, in a fresh row each."""
    made = rows.fresh.copy()
    for name in made:
        if name not in rows.numbers:
            counts = rows.train[name].value_counts()
            rare = sorted(counts[counts <= RARE].index)
            made.loc[rows.rng.permutation(len(made))[: len(rare)], name] = rare
    return made


def filtered(rows: Rows, candidates: pd.DataFrame, n: int) -> pd.DataFrame:
    """Keep the n candidates that lie farthest from all training rows, as a similarity filter."""
    points = Points(rows.train)
    away = distances(points.of(candidates), points.of(rows.train), 1)[0][:, 0]
    return candidates.iloc[np.argsort(-away, kind="stable")[:n]].reset_index(drop=True)


def filtered_copies(rows: Rows) -> pd.DataFrame:
    """Draw four times too many from narrow kernels, and drop the three quarters nearest."""
    n = len(rows.fresh)
    more = pd.concat([rows.fresh] * 4, ignore_index=True)
    candidates = kernel(Rows(rows.train, rows.holdout, more, rows.rng, rows.seed), 0.3)
    return filtered(rows, candidates, n)


def filtered_fresh(rows: Rows) -> pd.DataFrame:
    """Drop the half of fresh rows that lies nearest to training rows."""
    return filtered(rows, rows.fresh, len(rows.fresh) // 2)


# What the ways above share.


def among(planted: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return rows, and so many others that there are as many as before."""
    return like(pd.concat([planted, others.iloc[len(planted) :]], ignore_index=True), others)


def noised(frame: pd.DataFrame, rows: Rows, size: float) -> pd.DataFrame:
    """Return rows with Gaussian noise of so many standard deviations on each number.

    Numbers keep the decimals of their column. Each category is drawn anew from its column with
    probability `size`.
    """
    columns = {}
    for name in frame:
        known, cells = rows.train[name], frame[name]
        if name in rows.numbers:
            step = size * float(known.std(ddof=0)) * rows.rng.normal(size=len(frame))
            columns[name] = rounded(cells.to_numpy(float) + step, known)
        else:
            drawn = known.iloc[rows.rng.integers(len(known), size=len(frame))].to_numpy()
            anew = rows.rng.random(len(frame)) < size
            columns[name] = pd.Series(np.where(anew, drawn, cells.to_numpy()), dtype=object)
    return pd.DataFrame(columns)


def rounded(values: np.ndarray, column: pd.Series) -> pd.Series:
    """Return numbers with the decimals and in the dtype of a column."""
    known = column.dropna().to_numpy(float)
    for decimals in range(7):
        if np.array_equal(known.round(decimals), known):
            values = values.round(decimals)
            break
    return pd.Series(values).astype(column.dtype)


def like(frame: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the dtypes of another one, missing texts as None."""
    columns = {}
    for name in frame:
        if name in numbers_of(other):
            columns[name] = frame[name].astype(other[name].dtype)
        else:
            columns[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return pd.DataFrame(columns)


class Points:
    """A space for rows of mixed types that owes nothing to the evaluator.

    Numbers by standard deviations, a different category is 1 away, missing is a category.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def of(self, frame: pd.DataFrame) -> np.ndarray:
        parts = []
        for name in frame:
            known, cells = self.frame[name], frame[name]
            if name in numbers_of(self.frame):
                spread = float(known.std(ddof=0)) or 1.0
                values = (cells.to_numpy(float) - float(known.mean())) / spread
                parts.append(np.nan_to_num(values)[:, None])
                if known.isna().any():
                    parts.append(cells.isna().to_numpy(float)[:, None])
            else:
                labels = pd.Index(known.dropna().unique())
                codes = labels.get_indexer(cells)
                parts.append(np.eye(len(labels) + 1)[codes] / 2**0.5)
        return np.concatenate(parts, axis=1).astype(np.float32)


def distances(queries: np.ndarray, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances to the k nearest points, nearest first, and which they are."""
    from sklearn.neighbors import NearestNeighbors

    k = min(k, len(points))
    found, places = (
        NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points).kneighbors(queries)
    )
    return found, places


def schema_of(frame: pd.DataFrame):
    """Return the schema of a table: numbers and categories, as the data frame says."""
    from tabsynth.schema import Column, Schema

    numbers = numbers_of(frame)
    kinds = {name: "number" if name in numbers else "category" for name in frame}
    return Schema(tuple(Column(name, kind) for name, kind in kinds.items()))


CONTROLS = {
    control.name: control
    for control in (
        Control("fresh", False, "Real rows that are neither training nor unseen rows.", fresh),
        Control(
            "independent",
            False,
            "Fresh real rows with every column shuffled by itself.",
            independent,
        ),
        Control(
            "categorical",
            False,
            "Fresh rows of a source with three or four categories in every column.",
            fresh,
            in_categories,
        ),
        Control(
            "duplicates",
            False,
            "Fresh rows of a source in which most rows stand several times.",
            fresh,
            repeated,
        ),
        Control(
            "five_to_one",
            False,
            "Fresh rows; five training rows for each unseen one.",
            fresh,
            sizes=(1, 0.2, 1),
        ),
        Control(
            "one_to_five",
            False,
            "Fresh rows; five unseen rows for each training row.",
            fresh,
            sizes=(0.2, 1, 1),
        ),
        Control(
            "missing",
            False,
            "Fresh rows of a source with 30% of its cells missing.",
            fresh,
            with_gaps,
        ),
        Control("full_copy", True, "All training rows.", partial(copies, share=1.0)),
        *(
            Control(
                f"noise_{name}",
                True,
                f"All training rows; on every number noise of {name}% of its standard deviation, "
                f"{name}% of the categories drawn anew.",
                partial(noise, size=float(name) / 100),
            )
            for name in ("0.1", "1", "10")
        ),
        *(
            Control(
                f"copies_{name}",
                True,
                f"Fresh rows, {name}% of them replaced by training rows.",
                partial(copies, share=float(name) / 100),
            )
            for name in ("5", "1", "0.5")
        ),
        Control(
            "outliers",
            True,
            "Fresh rows, 0.5% of them replaced by the training rows farthest from all others.",
            outliers,
        ),
        Control(
            "outliers_noisy",
            True,
            "The same with 1% of noise on the planted rows.",
            partial(outliers, size=0.01),
        ),
        Control(
            "smote",
            True,
            "Rows between a training row and one of its five nearest (SMOTE-NC).",
            smote,
        ),
        *(
            Control(
                f"kernel_{name}",
                True,
                f"Training rows with kernels of {name} times Scott's rule (kernel density).",
                partial(kernel, width=float(name)),
            )
            for name in ("0.3", "0.8")
        ),
        Control(
            "tvae_overfitted",
            True,
            "TVAE trained for 4,000 steps on a tenth of the rows without regularisation.",
            overfitted,
            sizes=(0.1, 1, 1),
        ),
        Control(
            "block_swaps",
            True,
            "Every row joined from the halves of two training rows.",
            partial(swapped, share=1.0),
        ),
        Control(
            "block_swaps_10",
            True,
            "Fresh rows, 10% of them replaced by rows joined from halves of two training rows.",
            partial(swapped, share=0.1),
        ),
        Control(
            "extremes",
            True,
            "Fresh rows clipped to the range of the training rows, both ends of it planted.",
            extremes,
        ),
        Control(
            "rare_categories",
            True,
            "Fresh rows, among them every category that at most four training rows have.",
            rare_categories,
        ),
        Control(
            "filtered_copies",
            True,
            "Narrow kernels around training rows; of four candidates the three nearest to training "
            "rows are dropped.",
            filtered_copies,
        ),
        Control(
            "filtered_fresh",
            True,
            "Fresh rows, of which the half nearest to training rows is dropped.",
            filtered_fresh,
            sizes=(1, 1, 2),
        ),
    )
}
"""Every control by name, negative ones first."""


def write(table: str, n: int, seed: int, out: Path, names: Iterable[str], kind: str) -> None:
    """Write the tables of some controls to a folder, and what they are."""
    out.mkdir(parents=True, exist_ok=True)
    known: dict[str, object] = {}
    for name in names:
        made = make(table, name, n, seed)
        with tempfile.TemporaryDirectory(dir=out) as folder:
            new = Path(folder) / name
            new.mkdir()
            for part, frame in made._asdict().items():
                path = new / f"{part}.{kind}"
                if kind == "csv":
                    frame.to_csv(path, index=False)
                else:
                    frame.to_parquet(path, index=False)
            if (out / name).exists():
                shutil.rmtree(out / name)
            new.rename(out / name)
        numbers = numbers_of(made.train)
        known[name] = {
            "leaks": CONTROLS[name].leaks,
            "about": CONTROLS[name].about,
            "rows": {part: len(frame) for part, frame in made._asdict().items()},
            "columns": {c: "number" if c in numbers else "category" for c in made.train},
        }
        print(f"{table} {name}: {known[name]['rows']}", file=sys.stderr, flush=True)
    facts = {
        "table": table,
        "n": n,
        "seed": seed,
        "target": datasets.describe(table).target,
        "controls": known,
    }
    new = out / "controls.json.new"
    new.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    new.replace(out / "controls.json")


def main() -> None:
    """List the controls or write their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="name every control and say how it is made")
    to = verbs.add_parser("write", help="write the tables of controls to a folder")
    to.add_argument("out", type=Path)
    to.add_argument("--table", default=TABLES[0])
    to.add_argument("--n", type=int, default=5000)
    to.add_argument("--seed", type=int, default=0)
    to.add_argument("--controls", nargs="+", default=list(CONTROLS), metavar="NAME")
    to.add_argument("--format", choices=("csv", "parquet"), default="csv")
    options = parser.parse_args()
    if options.verb == "list":
        for control in CONTROLS.values():
            print(f"{control.name:18} {'leaks' if control.leaks else 'clean'}  {control.about}")
        return
    write(options.table, options.n, options.seed, options.out, options.controls, options.format)


if __name__ == "__main__":
    main()

"""Judge models on halves of public tables: likeness, usefulness, and every attack, by table.

    python benchmarks/tree_tables.py                                # tree, copula and smote
    python benchmarks/tree_tables.py adult --models tree --seeds 1 2 --set penalty=4
    python benchmarks/tree_tables.py --wide --output wide_tables    # only whether, and how fast

Halves: rows without a target and columns of keys are dropped, the rest is shuffled
(`numpy.random.default_rng(0)`), a model learns the first half (at most 25,000 rows) and is judged
on the second. C2ST: area under the curve of 200 boosted trees that tell synthetic rows from test
rows, 3-fold, at most 15,000 rows of either kind; 0.5 is best. TSTR: the same learner, taught on
synthetic rows and judged on test rows, area under the curve or R2. Membership: the strongest of the
evaluator's attacks, share of training rows found at 1% false alarms, with its interval; chance is
0.01. Disclosure: the smallest p-value of all tests for disclosure after Holm, and the test.

Seconds are of one thread, without reading and coding the table (`codec_s`). Tables are found as
`tabsynth.datasets` finds them. Writes a CSV file and a Markdown table to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import sklearn.ensemble  # noqa: F401  (so that its threads are known to threadpoolctl)
from real_tables import RESULTS, write
from threadpoolctl import threadpool_limits

from tabsynth import datasets
from tabsynth.choice import with_target
from tabsynth.codec import TableCodec
from tabsynth.evaluation.base import measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.disclosure import attacked, scene_of, vulnerable_of
from tabsynth.evaluation.frame import Table, analyse
from tabsynth.evaluation.verdict import holm
from tabsynth.models import models
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.schema.infer import check_schema, infer_schema, with_dtypes

TABLES = ("adult", "online_shoppers", "credit_default", "beijing_pm25", "diabetes130")
WIDE = (
    *("communities_crime", "porto_taxi_trips", "airbnb_london_text", "nycflights_sample"),
    *("titanic3", "heart_cleveland"),
)
OTHERS = (
    *("exact_copies", "near_copies", "rare_values", "rare_combinations", "singling_out"),
    *("linkability", "inference"),
)
MOST_TRAIN = 25_000
MOST_COMPARED = 15_000


def halves(name: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the rows to learn from, the rows to judge on, and the target."""
    entry = datasets.describe(name)
    frame = datasets.load(name).drop(columns=list(entry.id_columns))
    frame = frame[frame[entry.target].notna()].reset_index(drop=True)
    order = np.random.default_rng(0).permutation(len(frame))
    half = min(len(frame) // 2, MOST_TRAIN)
    parts = order[:half], order[half : 2 * half]
    train, test = (frame.iloc[rows].reset_index(drop=True) for rows in parts)
    return train, test, entry.target


def inputs(table: Table, without: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Return a table as numbers, NaN where missing, and which columns are categories."""
    columns, nominal = [], []
    for place, feature in enumerate(table.features):
        if feature.name != without:
            codes = table.codes[:, place]
            values = codes if feature.is_nominal else feature.numbers[codes]
            values = np.where(codes < 0, np.nan, values)
            # Trees cannot bin a column without any value.
            columns.append(np.zeros(len(values)) if np.isnan(values).all() else values)
            nominal.append(feature.is_nominal and len(feature.levels) <= 250)
    return np.stack(columns, axis=1), np.array(nominal)


def learner(nominal: np.ndarray, number: bool = False) -> Any:
    """Return 200 boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if number else HistGradientBoostingClassifier
    return kind(max_iter=200, early_stopping=False, random_state=0, categorical_features=nominal)


def two_sample(made: Table, test: Table) -> float:
    """Return how well synthetic rows are told from test rows (area under the curve)."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    sides = [inputs(table)[0] for table in (made, test)]
    sides = [side[rng.permutation(len(side))[:MOST_COMPARED]] for side in sides]
    x, y = np.concatenate(sides), np.repeat([0, 1], [len(side) for side in sides])
    fold, found = rng.integers(0, 3, len(x)), []
    for part in range(3):
        learnt = learner(inputs(made)[1]).fit(x[fold != part], y[fold != part])
        likely = learnt.predict_proba(x[fold == part])[:, 1]
        found.append(roc_auc_score(y[fold == part], likely))
    return float(np.mean(found))


def usefulness(made: Table, test: Table, target: str) -> float:
    """Return how well the target of test rows is predicted by what synthetic rows teach."""
    from sklearn.metrics import r2_score, roc_auc_score

    place = [feature.name for feature in made.features].index(target)
    feature, known = made.features[place], made.codes[:, place] >= 0
    (x, nominal), (unseen, _) = inputs(made, target), inputs(test, target)
    ours, theirs = made.codes[known, place], test.codes[:, place]
    if not feature.is_nominal and len(feature.levels) > 10:
        learnt = learner(nominal, number=True).fit(x[known], feature.numbers[ours])
        return float(r2_score(feature.numbers[theirs], learnt.predict(unseen)))
    learnt = learner(nominal).fit(x[known], ours)
    likely = learnt.predict_proba(unseen)
    if len(learnt.classes_) == 2:
        return float(roc_auc_score(theirs == learnt.classes_[1], likely[:, 1]))
    return float(roc_auc_score(theirs, likely, multi_class="ovr", labels=learnt.classes_))


def disclosure(comparison: Comparison) -> dict[str, object]:
    """Return what all attacks found."""
    found = attacked(comparison.once(scene_of), comparison.once(vulnerable_of))
    findings = [o.finding(population) for population, some in found.items() for o in some]
    row: dict[str, object] = {}
    for population, some in found.items():
        best = max(some, key=lambda outcome: outcome.reach_interval.low)
        row[f"tpr_{population}"] = round(best.reach, 4)
        span = best.reach_interval
        row[f"tpr_{population}_interval"] = f"{span.low:.4f} to {span.high:.4f}"
        row[f"auc_{population}"] = round(max(outcome.area for outcome in some), 4)
    for name in OTHERS:
        for measure in measures.get(name).plan(comparison):
            for score in measure.measure(comparison):
                findings += score.findings
    first = holm(findings)[0]
    row["disclosure_p"] = f"{first.adjusted:.2g}"
    row["disclosure_test"] = first.attack if (first.adjusted or 0) <= 0.05 else ""
    return row


def run(name: str, model: str, seed: int, given: dict[str, Any], judged: bool) -> dict[str, object]:
    """Learn, draw and judge one table."""
    train, test, target = halves(name)
    kind, streams = models.get(model), Streams(seed)
    parameters = with_target(kind, dict(given), target, list(train.columns))
    fitted = kind(kind.parameters_type.from_dict(parameters, model))
    schema = infer_schema(train)
    clock = [time.process_time()]
    codec = TableCodec.fit(schema, [train], fitted.coding)
    encoded = codec.encode(train, streams.child("encode"))
    clock.append(time.process_time())
    fitted.fit(ExactTrainingData(encoded), streams.child("fit"))
    clock.append(time.process_time())
    drawn = fitted.sample(len(train), streams.child("sample"))
    clock.append(time.process_time())
    made = codec.decode(drawn, streams.child("decode"))
    kept = type(schema)(tuple(column for column in schema if column.name in made.columns))
    check_schema(with_dtypes(kept, made), made)
    seconds = np.diff(clock).round(2).tolist()
    row: dict[str, object] = {
        "table": name,
        "model": model,
        "seed": seed,
        "train_rows": len(train),
        "columns": len(made.columns),
        "codec_s": seconds[0],
        "fit_s": seconds[1],
        "sample_s": seconds[2],
        "model_mb": round(sum(t.nbytes for t in fitted.state().tensors.values()) / 1e6, 2),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    if not judged:
        return row
    frames = {"train": train, "synthetic": made, "holdout": test}
    tables = analyse(frames, schema)
    row["c2st"] = round(two_sample(tables["synthetic"], tables["holdout"]), 4)
    row["tstr"] = round(usefulness(tables["synthetic"], tables["holdout"], target), 4)
    comparison = Comparison.of(
        tables,
        targets=(target,),
        streams=Streams(seed).child("evaluate"),
        frames=frames,
        schema=schema,
    )
    return row | disclosure(comparison)


def main() -> None:
    """Run what the command line asks for and write the result table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--models", nargs="+", default=["tree", "copula", "smote"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--set", nargs="*", default=[], help="hyper-parameters, NAME=VALUE")
    parser.add_argument("--wide", action="store_true", help="odd tables, only whether they run")
    parser.add_argument("--output", default="tree_tables")
    options = parser.parse_args()
    given = {name: json.loads(value) for name, value in (pair.split("=") for pair in options.set)}
    rows: list[dict[str, object]] = []
    names = options.tables or (WIDE if options.wide else TABLES)
    with threadpool_limits(1):
        for name, model, seed in product(names, options.models, options.seeds):
            rows.append(run(name, model, seed, given, not options.wide))
            print(json.dumps(rows[-1]), flush=True)
            write(rows, RESULTS / options.output)


if __name__ == "__main__":
    main()

"""synthcity: its privacy metrics, and those of its sanity metrics that compare rows."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import synthcity.logger
from protocol import Figure, Job, serve
from synthcity.metrics import Metrics
from synthcity.plugins.core.dataloader import GenericDataLoader

warnings.simplefilter("ignore")
synthcity.logger.remove()
WORSE = {"minimize": "high", "maximize": "low"}
SANITY = ["common_rows_proportion", "nearest_syn_neighbor_distance", "close_values_probability"]
PRIVACY = [
    "delta-presence",
    "k-anonymization",
    "k-map",
    "distinct l-diversity",
    "identifiability_score",
]


def loaders(job: Job) -> list[GenericDataLoader]:
    """Return the tables without gaps, which synthcity does not take, and with known categories.

    A missing category is a category of its own, a missing number the median of the training rows.
    """
    found = []
    for frame in (job.train, job.holdout, job.synthetic):
        whole = frame.copy()
        for name in job.categories:
            whole[name] = whole[name].fillna("missing")
        for name in job.numbers:
            whole[name] = whole[name].fillna(job.train[name].median())
        found.append(
            GenericDataLoader(whole, target_column=job.target, sensitive_features=[job.target])
        )
    return found


def evaluate(metrics: dict[str, list[str]], *args: GenericDataLoader, **others) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        return Metrics.evaluate(
            *args, metrics=metrics, workspace=Path(folder), use_cache=False, **others
        )


def rows(job: Job) -> Iterator[Figure]:
    train, _, synthetic = loaders(job)
    yield from figures(evaluate({"sanity": SANITY}, train, synthetic))


def privacy(job: Job) -> Iterator[Figure]:
    train, _, synthetic = loaders(job)
    yield from figures(evaluate({"privacy": PRIVACY}, train, synthetic))


def domias(job: Job) -> Iterator[Figure]:
    train, holdout, synthetic = loaders(job)
    names = ["DomiasMIA_KDE", "DomiasMIA_prior"]
    yield from figures(
        evaluate({"privacy": names}, holdout, synthetic, X_train=train, X_ref_syn=synthetic)
    )


def figures(found: pd.DataFrame) -> Iterator[Figure]:
    """Return what Metrics.evaluate found; of k-anonymity and l-diversity the synthetic table's."""
    print(found.to_string())
    for name, row in found.iterrows():
        name = name.split(".", 1)[1]
        if name.endswith(".gt"):
            continue
        failed = "" if not row["errors"] else "synthcity counts an error"
        rule = WORSE[row["direction"]]
        yield Figure(name, None if failed else row["mean"], rule, problem=failed)


if __name__ == "__main__":
    serve("synthcity", {"rows": rows, "privacy": privacy, "DOMIAS": domias})

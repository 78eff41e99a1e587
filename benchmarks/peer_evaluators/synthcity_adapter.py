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
from synthcity.metrics.eval_privacy import DomiasMIAKDE
from synthcity.plugins.core.dataloader import GenericDataLoader

warnings.simplefilter("ignore")
synthcity.logger.remove()
WORSE = {"minimize": "high", "maximize": "low"}
NEAR = {
    "nearest_syn_neighbor_distance": "low",
    "close_values_probability": "high",
    "delta-presence": "high",
}
"""The side where leaks are, for figures whose `direction` is that of likeness to the real table."""
SANITY = ["common_rows_proportion", "nearest_syn_neighbor_distance", "close_values_probability"]
PRIVACY = [
    "delta-presence",
    "k-anonymization",
    "k-map",
    "distinct l-diversity",
    "identifiability_score",
]
DOMIAS = ["DomiasMIA_KDE", "DomiasMIA_prior"]
"""DomiasMIA_BNAF trains two normalizing flows for minutes and is left out."""


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
    yield from figures(evaluate({"sanity": SANITY}, train, synthetic), SANITY)


def privacy(job: Job) -> Iterator[Figure]:
    train, _, synthetic = loaders(job)
    yield from figures(evaluate({"privacy": PRIVACY}, train, synthetic), PRIVACY)


def domias(job: Job) -> Iterator[Figure]:
    """Run DOMIAS by default, which compares all training rows with ten unseen ones."""
    train, holdout, synthetic = loaders(job)
    found = evaluate({"privacy": DOMIAS}, holdout, synthetic, X_train=train, X_ref_syn=synthetic)
    yield from figures(found, DOMIAS)


def domias_half(job: Job) -> Iterator[Figure]:
    """Run DOMIAS with half of the unseen rows as reference and the other half as non-members."""
    parts = loaders(job)
    whole = pd.concat([part.dataframe() for part in parts])
    _, encoders = GenericDataLoader(whole, target_column=job.target).encode()
    train, holdout, synthetic = (part.encode(encoders)[0] for part in parts)
    with tempfile.TemporaryDirectory() as folder:
        metric = DomiasMIAKDE(workspace=Path(folder), use_cache=False)
        found = metric.evaluate(
            holdout, synthetic, train, synthetic, reference_size=len(holdout) // 2
        )
    yield Figure("DomiasMIA_KDE, half of the unseen rows, aucroc", found["aucroc"], "high")


def figures(found: pd.DataFrame, wanted: list[str]) -> Iterator[Figure]:
    """Return what Metrics.evaluate found; of k-anonymity and l-diversity the synthetic table's."""
    got = set()
    for key, row in found.iterrows():
        name = key.split(".", 1)[1]
        metric = name.rsplit(".", 1)[0]
        got.add(metric)
        if name.endswith(".gt"):
            continue
        failed = "synthcity counts an error" if row["errors"] else ""
        rule = NEAR.get(metric, WORSE[row["direction"]])
        yield Figure(name, None if failed else row["mean"], rule, problem=failed)
    for name in wanted:
        if name not in got:
            yield Figure(name, None, problem="raised an error, which synthcity leaves out")


if __name__ == "__main__":
    serve(
        "synthcity",
        {"rows": rows, "privacy": privacy, "DOMIAS": domias, "DOMIAS, half": domias_half},
    )

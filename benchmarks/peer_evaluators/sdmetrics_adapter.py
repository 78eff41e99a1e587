"""sdmetrics: privacy metrics by their defaults, and the fidelity scores that stand beside them.

Its distances to the closest record lay all pairs of rows side by side in pandas, and it looks for
matching rows with a query for each, so at most `SAMPLE` synthetic rows, drawn at random, are judged
against all training and unseen rows. `DisclosureProtectionEstimate` averages the same figure over
samples of 1,000 rows and is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pandas as pd
from protocol import Figure, Job, serve
from sdmetrics.reports.single_table import QualityReport
from sdmetrics.single_table import (
    DCRBaselineProtection,
    DCROverfittingProtection,
    DisclosureProtection,
    LogisticDetection,
    NewRowSynthesis,
)

warnings.simplefilter("ignore")
TABLE = "table"
SAMPLE = 1000
"""Most synthetic rows that are compared row by row."""


def metadata(job: Job) -> dict[str, object]:
    kinds = dict.fromkeys(job.numbers, "numerical") | dict.fromkeys(job.categories, "categorical")
    return {"columns": {name: {"sdtype": kinds[name]} for name in job.train}}


def some(job: Job) -> pd.DataFrame:
    """Return so many synthetic rows as are compared row by row."""
    return job.synthetic.sample(n=min(SAMPLE, len(job.synthetic)), random_state=job.seed)


def coded(job: Job) -> list[pd.DataFrame]:
    """Return the tables with whole numbers for categories, which are compared faster than texts."""
    frames = [job.train.copy(), job.holdout.copy(), some(job).reset_index(drop=True)]
    for name in job.categories:
        labels = pd.Index(pd.concat([frame[name] for frame in frames]).dropna().unique())
        for frame in frames:
            codes = pd.Series(labels.get_indexer(frame[name]), dtype="float64")
            frame[name] = codes.where(codes >= 0)
    return frames


def overfitting(job: Job) -> Iterator[Figure]:
    train, holdout, synthetic = coded(job)
    found = DCROverfittingProtection.compute(train, synthetic, holdout, metadata(job), TABLE)
    yield Figure("DCROverfittingProtection", found, "low")


def baseline(job: Job) -> Iterator[Figure]:
    train, _, synthetic = coded(job)
    found = DCRBaselineProtection.compute(train, synthetic, metadata(job), TABLE)
    yield Figure("DCRBaselineProtection", found, "low")


def disclosure(job: Job) -> Iterator[Figure]:
    """Guess the target of a training row from its categories."""
    known = [column for column in job.categories if column != job.target]
    found = DisclosureProtection.compute(job.train, job.synthetic, known, [job.target])
    yield Figure("DisclosureProtection", found, "low")


def new_rows(job: Job) -> Iterator[Figure]:
    found = NewRowSynthesis.compute(job.train, some(job), metadata(job))
    yield Figure("NewRowSynthesis", found, "low")


def detection(job: Job) -> Iterator[Figure]:
    yield Figure(
        "LogisticDetection", LogisticDetection.compute(job.train, job.synthetic, metadata(job))
    )


def quality(job: Job) -> Iterator[Figure]:
    report = QualityReport()
    report.generate(job.train, job.synthetic, metadata(job), verbose=False)
    for name, score in report.get_properties().itertuples(index=False):
        yield Figure(name, score)


if __name__ == "__main__":
    serve(
        "sdmetrics",
        {
            "DCROverfittingProtection": overfitting,
            "DCRBaselineProtection": baseline,
            "DisclosureProtection": disclosure,
            "NewRowSynthesis": new_rows,
            "LogisticDetection": detection,
            "QualityReport": quality,
        },
    )

"""sdmetrics: privacy metrics by their defaults, and the fidelity scores that stand beside them."""

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
    DisclosureProtectionEstimate,
    LogisticDetection,
    NewRowSynthesis,
)

warnings.simplefilter("ignore")
TABLE = "table"
SUBSAMPLE = 1000


def metadata(job: Job) -> dict[str, object]:
    kinds = dict.fromkeys(job.numbers, "numerical") | dict.fromkeys(job.categories, "categorical")
    return {"columns": {name: {"sdtype": kinds[name]} for name in job.train}}


def coded(job: Job) -> list[pd.DataFrame]:
    """Return the tables with whole numbers for categories, which are compared faster than texts."""
    frames = [frame.copy() for frame in (job.train, job.holdout, job.synthetic)]
    for name in job.categories:
        labels = pd.Index(pd.concat([frame[name] for frame in frames]).dropna().unique())
        for frame in frames:
            codes = pd.Series(labels.get_indexer(frame[name]), dtype="float64")
            frame[name] = codes.where(codes >= 0)
    return frames


def overfitting(job: Job) -> Iterator[Figure]:
    train, holdout, synthetic = coded(job)
    found = DCROverfittingProtection.compute_breakdown(
        train, synthetic, holdout, metadata(job), TABLE, num_rows_subsample=SUBSAMPLE
    )
    yield Figure("DCROverfittingProtection", found["score"], "low")


def baseline(job: Job) -> Iterator[Figure]:
    train, _, synthetic = coded(job)
    found = DCRBaselineProtection.compute_breakdown(
        train, synthetic, metadata(job), TABLE, num_rows_subsample=SUBSAMPLE
    )
    yield Figure("DCRBaselineProtection", found["score"], "low")


def disclosure(job: Job, metric: type, name: str) -> Iterator[Figure]:
    """Guess the target of a training row from its categories."""
    known = [column for column in job.categories if column != job.target]
    found = metric.compute_breakdown(job.train, job.synthetic, known, [job.target])
    yield Figure(name, found["score"], "low")


def new_rows(job: Job) -> Iterator[Figure]:
    size = min(SUBSAMPLE, len(job.synthetic))
    found = NewRowSynthesis.compute(
        job.train, job.synthetic, metadata(job), synthetic_sample_size=size
    )
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

    def timed(f):
        def g(job):
            return f(job)

        return g

    serve(
        "sdmetrics",
        {
            "DCROverfittingProtection": overfitting,
            "DCRBaselineProtection": baseline,
            "DisclosureProtectionEstimate": lambda job: disclosure(
                job, DisclosureProtectionEstimate, "DisclosureProtectionEstimate"
            ),
            "DisclosureProtection": lambda job: disclosure(
                job, DisclosureProtection, "DisclosureProtection"
            ),
            "NewRowSynthesis": new_rows,
            "LogisticDetection": detection,
            "QualityReport": quality,
        },
    )

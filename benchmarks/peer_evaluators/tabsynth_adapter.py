"""tabsynth: the disclosure verdict of `evaluate`."""

from __future__ import annotations

from collections.abc import Iterator

from protocol import Figure, Job, serve

from tabsynth.evaluation import evaluate
from tabsynth.schema import Column, Schema


def verdict(job: Job) -> Iterator[Figure]:
    kinds = dict.fromkeys(job.numbers, "number") | dict.fromkeys(job.categories, "category")
    found = evaluate(
        job.train,
        job.synthetic,
        holdout=job.holdout,
        schema=Schema(tuple(Column(name, kinds[name]) for name in job.train)),
        seed=job.seed,
        groups=("disclosure",),
    ).verdict
    p_values = [finding.adjusted for finding in found.findings if finding.adjusted is not None]
    yield Figure(
        "verdict",
        min(p_values, default=None),
        "alarm",
        found.word == "leak detected",
        note=found.word,
    )


if __name__ == "__main__":
    serve("pytabsynth", {"verdict": verdict})

"""mostlyai-qa: the metrics of its public report.

The sentence embeddings that it encodes texts with come with the package; nothing is fetched. Charts
and the HTML page, which take most of the time, are not drawn; the figures do not depend on them.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mostlyai import qa
from mostlyai.qa import _distances, _html_report, _similarity, reporting
from protocol import Figure, Job, serve

warnings.simplefilter("ignore")
Z = 1.6448536269514722
"""Upper 5% of the normal distribution: how "significantly larger" is read."""


def without_charts() -> None:
    """Replace the functions that draw by one that does nothing."""
    drawing = ("plot_store", "store_report")
    for module in (reporting, _distances, _similarity, _html_report):
        for name in vars(module).copy():
            if name.startswith(drawing):
                setattr(module, name, lambda *args, **others: None)


def report(job: Job) -> Iterator[Figure]:
    qa.set_random_state(job.seed)
    with tempfile.TemporaryDirectory() as folder:
        _, metrics = qa.report(
            syn_tgt_data=job.synthetic,
            trn_tgt_data=job.train,
            hol_tgt_data=job.holdout,
            report_path=Path(folder) / "report.html",
        )
    distances, accuracy, similarity = metrics.distances, metrics.accuracy, metrics.similarity
    # all tables are cut to the size of the smallest one
    n = min(len(job.train), len(job.holdout), len(job.synthetic))
    share = distances.dcr_share
    yield Figure("DCR share", share, "alarm", share > 0.5 + Z * np.sqrt(0.25 / n))
    yield Figure(
        "IMS training",
        distances.ims_training,
        "alarm",
        larger(distances.ims_training, distances.ims_holdout, n),
    )
    yield Figure("IMS holdout", distances.ims_holdout)
    yield Figure(
        "DCR training / holdout", ratio(distances.dcr_training, distances.dcr_holdout), "low"
    )
    yield Figure("NNDR ratio", ratio(distances.nndr_training, distances.nndr_holdout), "low")
    yield Figure("accuracy - maximum", accuracy.overall - accuracy.overall_max, "high")
    yield Figure(
        "cosine similarity - holdout's",
        similarity.cosine_similarity_training_synthetic
        - similarity.cosine_similarity_training_holdout,
        "high",
    )
    yield Figure("accuracy", accuracy.overall)
    yield Figure("discriminator AUC", similarity.discriminator_auc_training_synthetic)


def larger(first: float, second: float, n: int) -> bool:
    """Return whether a share of n rows is larger than another one, by a one-sided test at 5%."""
    both = (first + second) / 2
    return first - second > Z * np.sqrt(2 * both * (1 - both) / n)


def ratio(first: float, second: float) -> float | None:
    return first / second if second else None


if __name__ == "__main__":
    without_charts()
    serve("mostlyai-qa", {"report": report})

"""anonymeter: the risks of singling out, linkability and inference against the control table."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator
from protocol import Figure, Job, serve

warnings.simplefilter("ignore")
ATTACKS = 500
"""The default of all three evaluators."""


def attacks(job: Job) -> int:
    return min(ATTACKS, len(job.train), len(job.holdout))


def figure(name: str, evaluator, level: float = 0.95) -> Figure:
    """Return a risk. It alarms where its interval lies above zero; 95% is the default."""
    risk = evaluator.risk(confidence_level=level)
    return Figure(name, risk.value, "alarm", risk.ci[0] > 0, *risk.ci)


def singling_out(job: Job, mode: str) -> Iterator[Figure]:
    evaluator = SinglingOutEvaluator(
        ori=job.train, syn=job.synthetic, control=job.holdout, n_attacks=attacks(job), seed=job.seed
    )
    yield figure(f"singling out, {mode}", evaluator.evaluate(mode=mode))


def linkability(job: Job) -> Iterator[Figure]:
    """Give one attacker every second column and the other one the rest, numbers and categories."""
    names = [*job.numbers, *job.categories]
    evaluator = LinkabilityEvaluator(
        ori=job.train,
        syn=job.synthetic,
        control=job.holdout,
        n_attacks=attacks(job),
        aux_cols=(names[::2], names[1::2]),
    )
    yield figure("linkability", evaluator.evaluate(n_jobs=1))


def inference(job: Job) -> Iterator[Figure]:
    """Guess every column from all the others, as the package's example does.

    Of all columns the one whose risk is highest is told, twice: with its 95% interval, and with
    an interval so wide that all of them hold together in 95% of cases (Bonferroni).
    """
    runs = {}
    for secret in job.train.columns:
        evaluator = InferenceEvaluator(
            ori=job.train,
            syn=job.synthetic,
            control=job.holdout,
            aux_cols=[name for name in job.train if name != secret],
            secret=secret,
            regression=secret in job.numbers,
            n_attacks=attacks(job),
        )
        runs[secret] = evaluator.evaluate(n_jobs=1)
    yield figure("inference, target", runs[job.target])
    for name, level in (
        ("inference, any column", 0.95),
        ("inference, all columns together", 1 - 0.05 / len(runs)),
    ):
        yield max(
            (figure(name, run, level) for run in runs.values()), key=lambda f: (f.low, f.value)
        )


if __name__ == "__main__":
    serve(
        "anonymeter",
        {
            "singling out, univariate": lambda job: singling_out(job, "univariate"),
            "singling out, multivariate": lambda job: singling_out(job, "multivariate"),
            "linkability": linkability,
            "inference": inference,
        },
    )

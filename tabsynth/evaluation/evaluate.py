"""evaluate: every registered measure on real and synthetic rows, whoever made them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import get_args

import pandas as pd

from tabsynth.errors import ConfigError, DataError, SchemaError
from tabsynth.evaluation.attempt import attempt
from tabsynth.evaluation.base import Measure, measures
from tabsynth.evaluation.cells import MOST_PAIRS
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import Table, analyse, compared
from tabsynth.evaluation.overlap import unseen
from tabsynth.evaluation.profile import pairs, profiles
from tabsynth.evaluation.result import Evaluation, Group, Pairs, Score, Verdict
from tabsynth.evaluation.verdict import ALPHA, judge
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.random import Streams
from tabsynth.schema.frame import check_frame
from tabsynth.schema.schema import Schema
from tabsynth.validation import check_integer

NO_HOLDOUT = (
    "No holdout: without real rows that the model never saw, copying cannot be told from chance. "
    "Keep some rows back from training and pass them as holdout."
)
TABLES = {
    "train": "training table",
    "holdout": "holdout table",
    "synthetic": "synthetic table",
}


def evaluate(
    train: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    holdout: pd.DataFrame | None = None,
    target: str | Sequence[str] | None = None,
    schema: Schema | None = None,
    seed: int = 0,
    max_rows: int = 20_000,
    groups: Sequence[Group] | None = None,
    monitor: Monitor = ignore,
) -> Evaluation:
    """Judge a synthetic table against the real one.

    Parameters
    ----------
    train : DataFrame
        The rows that the synthetic ones were made from; typed columns or texts.
    synthetic : DataFrame
        Columns that are never compared (identifiers, personal data, free text) may be absent.
    holdout : DataFrame, optional
        Real rows from the same source that the model never saw. Without them nothing is said
        about disclosure, and likeness is measured against the training rows. Rows of the holdout
        that are training rows, beyond what chance explains, are taken out of it.
    target : str or sequence of str, optional
        Columns that people will want to predict; utility is measured for each.
    schema : Schema, optional
        Inferred from `train` where left out.
    seed : int
        The same seed and the same rows, in whatever order, give the same figures.
    max_rows : int
        Larger tables are sampled, and the evaluation says so. Exact copies are always looked for
        among all rows.
    groups : sequence of {"validity", "fidelity", "utility", "fairness", "disclosure"}, optional
        Scores to measure; all where left out. The verdict is about disclosure: without that group
        it is "inconclusive". Charts need "fidelity".
    monitor : callable
        Told of the progress.

    Returns
    -------
    Evaluation
        A measure that fails has a score without a value and with the reason. `verdict` says what
        all attacks found together. `privacy` is empty: it is for the caller, who knows how the
        table was made.

    Raises
    ------
    DataError
        If the real tables have no rows, or columns with the same name.
    SchemaError
        If columns differ between the tables or do not fit the schema: all problems at once.
    ConfigError
        If `target` is no column, or another argument has a value that is not allowed.

    Privacy
    -------
    Reads private rows and returns exact statistics of them. The result is confidential and not
    covered by any differential privacy of the synthetic table.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabsynth.schema import Column, Schema
    >>> train = pd.DataFrame({"age": [30, 40, 50, 60] * 10})
    >>> fresh = pd.DataFrame({"age": [30, 40, 50, 60] * 5})
    >>> synthetic = pd.DataFrame({"age": [30, 40] * 10})
    >>> schema = Schema((Column("age", "number"),))
    >>> evaluate(train, synthetic, holdout=fresh, schema=schema)["tvd_1way"].value
    0.5
    """
    check_integer("max_rows", max_rows, 1)
    streams = Streams(seed).child("evaluate")
    frames = {"train": train, "synthetic": synthetic}
    if holdout is not None:
        frames["holdout"] = holdout
    _check_frames(frames)
    targets = _targets(target, list(train.columns))
    wanted = _groups(groups)
    if schema is None:
        from tabsynth.schema.infer import infer_schema

        schema = infer_schema(train, target=targets[0] if targets else None)
    _check_names(frames, schema)
    monitor(Progress("reading the tables to compare", 0, 0))
    tables = analyse({TABLES[name]: frame for name, frame in frames.items()}, schema)
    rows = {name: len(frames[name]) if name in frames else 0 for name in TABLES}
    overlap = _without_overlap(tables, frames, streams)
    comparison = Comparison.of(
        {name: tables[TABLES[name]] for name in frames},
        targets=targets,
        streams=streams,
        max_rows=max_rows,
        frames=frames,
        schema=schema,
    )
    scores, failed = _measure(comparison, wanted, monitor)
    planting = "planting leaks to see how small ones would be found"
    monitor(Progress(planting, 0, 1))
    verdict, obstacle = attempt(lambda: judge(comparison, scores, failed))
    monitor(Progress(planting, 1, 1))
    verdict = verdict or Verdict("inconclusive", ALPHA, reasons=(f"No verdict. {obstacle}",))
    notices = [*overlap, *_notices(comparison)]
    facts: dict[str, object] = {"seed": streams.seed, "max_rows": max_rows}
    if groups is not None:
        facts["groups"] = list(wanted)
    drawn, matrix = None, None
    if "fidelity" in wanted:
        drawn, problem = attempt(lambda: profiles(comparison, schema, train))
        matrix, other = attempt(lambda: pairs(comparison, schema))
        notices += [f"Charts are missing. {text}" for text in (problem, other) if text]
    sampled = {"train": comparison.train, "synthetic": comparison.synthetic}
    if comparison.holdout is not None:
        sampled["holdout"] = comparison.holdout
    return Evaluation(
        scores=tuple(scores),
        columns=drawn or (),
        pairs=matrix or Pairs(),
        rows={**rows, **{f"{name}_measured": len(table) for name, table in sampled.items()}},
        provenance={"evaluation": facts},
        notices=tuple(notices),
        verdict=verdict,
    )


def _without_overlap(
    tables: dict[str, Table], frames: dict[str, pd.DataFrame], streams: Streams
) -> list[str]:
    """Take training rows out of the holdout, and the holdout away if nothing is left; say so."""
    if "holdout" not in frames:
        return []
    train, holdout = tables[TABLES["train"]], tables[TABLES["holdout"]]
    kept, notice = unseen(train, holdout, streams.numpy("overlap"))
    tables[TABLES["holdout"]] = holdout.take(kept)
    frames["holdout"] = frames["holdout"].loc[kept]
    if not kept.any():
        del frames["holdout"]
    return [notice] if notice else []


def _check_frames(frames: dict[str, pd.DataFrame]) -> None:
    """Raise DataError or SchemaError for tables that cannot be used at all, and say which."""
    for name, frame in frames.items():
        if isinstance(frame, pd.DataFrame) and not len(frame):
            if name == "synthetic" and frame.columns.is_unique:
                continue
            if name != "synthetic":
                remedy = " Leave it out if there is none." if name == "holdout" else ""
                raise DataError(f"The {TABLES[name]} has no rows.{remedy}")
        try:
            check_frame(frame)
        except SchemaError as error:
            raise SchemaError(
                [f"{TABLES[name].capitalize()}: {x}" for x in error.problems]
            ) from None
        except DataError as error:
            raise DataError(f"{TABLES[name].capitalize()}: {error}") from None


def _check_names(frames: dict[str, pd.DataFrame], schema: Schema) -> None:
    """Raise SchemaError if columns differ, other than by those that are never compared."""
    train = list(frames["train"].columns)
    problems = schema.check_names(train)
    needed = set(compared(schema)) if not problems else set(train)
    for name, frame in frames.items():
        if name == "train":
            continue
        absent = [column for column in train if column in needed and column not in frame.columns]
        extra = [column for column in frame.columns if column not in train]
        if absent:
            named = ", ".join(repr(column) for column in absent)
            problems.append(f"The {TABLES[name]} lacks columns of the training table: {named}.")
        if extra:
            named = ", ".join(repr(column) for column in extra)
            problems.append(
                f"The {TABLES[name]} has columns that the training table lacks: {named}. "
                "Drop them or rename them."
            )
    if problems:
        raise SchemaError(problems)


def _targets(target: str | Sequence[str] | None, names: list[str]) -> tuple[str, ...]:
    targets = () if target is None else (target,) if isinstance(target, str) else tuple(target)
    for name in targets:
        if name not in names:
            near = get_close_matches(str(name), names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"The target {name!r} is no column of the table.{hint}")
    return tuple(dict.fromkeys(targets))


def _groups(groups: Sequence[Group] | None) -> tuple[Group, ...]:
    known = get_args(Group)
    if groups is None:
        return known
    unknown = [group for group in groups if group not in known]
    if unknown or isinstance(groups, str) or not groups:
        named = ", ".join(map(repr, known))
        raise ConfigError(f"groups must be a sequence of some of {named}. Got {groups!r}.")
    return tuple(groups)


def _measure(
    comparison: Comparison, groups: Sequence[Group], monitor: Monitor
) -> tuple[list[Score], dict[str, str]]:
    """Return the scores of the registered measures, and why some could not be taken at all."""
    members = sorted(measures.items(), key=lambda item: (item[1].order, item[0]))
    planned = [
        measure
        for _, member in members
        for measure in member.plan(comparison)
        if any(figure.group in groups for figure in measure.figures)
    ]
    scores: list[Score] = []
    failed: dict[str, str] = {}
    for done, measure in enumerate(planned):
        title = measure.figures[0].title
        monitor(Progress(f"measuring: {title}", done, len(planned)))
        problem = _obstacle(measure, comparison)
        found: list[Score] | None = None
        if not problem:
            found, problem = attempt(partial(measure.measure, comparison))
        if found is None:
            found = [figure.absent(problem) for figure in measure.figures]
            failed.update({figure.name: problem for figure in measure.figures})
        scores += [_finite(score) for score in found]
    monitor(Progress("measuring", len(planned), len(planned)))
    return scores, failed


def _obstacle(measure: Measure, comparison: Comparison) -> str:
    """Return why a measure cannot be taken, empty where it can."""
    if not len(comparison.synthetic):
        return "The synthetic table has no rows."
    if not comparison.features:
        return (
            "No column can be compared: all hold identifiers, personal data or free text. "
            "Give at least one another type in the schema."
        )
    if measure.needs_holdout and comparison.holdout is None:
        return NO_HOLDOUT
    tables = {"train": comparison.train, "synthetic": comparison.synthetic}
    if comparison.holdout is not None:
        tables["holdout"] = comparison.holdout
    few = [
        f"the {TABLES[name]} has {len(table):,}"
        for name, table in tables.items()
        if len(table) < measure.minimum_rows
    ]
    if few:
        return f"Too few rows: {', '.join(few)}; {measure.minimum_rows} are needed."
    return ""


def _finite(score: Score) -> Score:
    """Return a score whose value is a number or None."""
    if score.value is None or math.isfinite(score.value):
        return score
    problem = " ".join(part for part in (score.problem, "The figure is not finite.") if part)
    return replace(score, value=None, interval=None, problem=problem)


def _notices(comparison: Comparison) -> list[str]:
    """Return what a reader must know about how it was measured."""
    notices = []
    if comparison.holdout is None:
        notices.append(
            "No holdout was given: likeness is measured against the training rows themselves, so "
            "a copy of them looks perfect, and nothing is said about disclosure."
        )
    for name, table in comparison.complete.items():
        used = min(len(table), len(getattr(comparison, name)))
        if used < len(table):
            notices.append(
                f"{used:,} of the {len(table):,} rows of the {TABLES[name]} were drawn at random "
                "to measure on (exact copies: all)."
            )
    n = comparison.n_equal
    if 0 < n < len(comparison.synthetic):
        notices.append(
            f"Likeness and utility are measured on {n:,} of the synthetic rows, as many as there "
            "are training rows, so that they can be compared."
        )
    n_pairs = len(comparison.features) * (len(comparison.features) - 1) // 2
    if n_pairs > MOST_PAIRS:
        notices.append(
            f"{MOST_PAIRS:,} of the {n_pairs:,} pairs of columns were drawn at random to measure."
        )
    return notices

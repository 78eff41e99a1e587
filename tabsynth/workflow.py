"""The one-call path that the command line and Python share: a table in, a table and report out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.artifact import versions
from tabsynth.codec import types_of
from tabsynth.errors import PrivacyError
from tabsynth.evaluation import evaluate
from tabsynth.evaluation.plausibility import Rejected, plausibility
from tabsynth.evaluation.result import Evaluation
from tabsynth.evaluation.stability import with_stability
from tabsynth.fair import Fair
from tabsynth.fitting import NO_CHECKPOINT, terms_of
from tabsynth.model_file import privacy_of, seed_of, training_of
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.plan import HOLDOUT_SHARE, Plan, make_plan
from tabsynth.privacy.noise import Noise
from tabsynth.random import Streams
from tabsynth.report import to_card, to_html
from tabsynth.schema import Schema
from tabsynth.selection import Rejection
from tabsynth.synthesizer import Synthesizer
from tabsynth.validation import check_integer


@dataclass(frozen=True)
class Deidentified:
    """A synthetic table with the evidence for it.

    Attributes
    ----------
    table : DataFrame
        The synthetic rows.
    evaluation : Evaluation
    synthesizer : Synthesizer
        Fitted; `save` keeps it.
    plan : Plan
    rejected : Rejected or None
        What was left out as least plausible. What `fair` reached is `synthesizer.fairness_`.
    """

    table: pd.DataFrame
    evaluation: Evaluation
    synthesizer: Synthesizer
    plan: Plan
    rejected: Rejected | None = None

    def report(self) -> str:
        """Return the report as one HTML page; confidential, as it shows statistics of real rows."""
        return to_html(self.evaluation)

    def card(self) -> str:
        """Return the card that goes with the synthetic table, as Markdown."""
        return to_card(self.evaluation)


def deidentify(
    table: pd.DataFrame,
    *,
    model: str = "auto",
    parameters: Mapping[str, Any] | None = None,
    schema: Schema | None = None,
    missing_values: Sequence[str] = ("",),
    target: str | Sequence[str] | None = None,
    rows: int | None = None,
    holdout: float = HOLDOUT_SHARE,
    repeats: int = 1,
    fair: Fair | None = None,
    reject: float = 0.0,
    seed: int | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    public_rows: int | None = None,
    accept_inferred_schema: bool = False,
    odometer: str | Path | None = None,
    debug_insecure_seed: int | None = None,
    checkpoint: str | Path | None = None,
    monitor: Monitor | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Deidentified:
    """Make a synthetic table from `table`, and judge it against rows the model never saw.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        Typed columns or texts.
    model : str
        Name of a model, or "auto".
    parameters : mapping, optional
        Hyper-parameters of the model.
    schema : Schema, optional
        Inferred where left out.
    missing_values : sequence of str
        Cell texts that mean "missing", where the schema is inferred.
    target : str or sequence of str, optional
        Columns that people will predict; utility is measured for them.
    rows : int, optional
        Rows to make; as many as `table` has where left out.
    holdout : float
        Share of the rows, in [0, 0.9], kept unseen for the evaluation.
    repeats : int
        How often the model is fitted, each time with another seed, to see how much the scores
        depend on it. The first table is the one that is kept; time grows in proportion.
    fair : Fair, optional
        Columns that a target of the rows made shall not depend on.
    reject : float
        Share of the rows drawn, in [0, 0.9], that is left out as least plausible; so many more are
        drawn that `rows` are left.
    seed : int, optional
        Makes the result reproducible; drawn and reported where left out.
    epsilon, delta, public_rows, accept_inferred_schema, odometer, debug_insecure_seed
        Of a privacy budget; see `Synthesizer`. `public_rows` is the number of rows of `table`.
        Then `schema` must be declared, and as many rows are made as the noisy number says.
    checkpoint : path, optional
        File for the state of the (first) training; see `Synthesizer.fit`.
    monitor : callable, optional
        Told of the progress.
    provenance : mapping, optional
        What the report shall say about the source, such as its name.

    Returns
    -------
    Deidentified

    Raises
    ------
    DataError
        If the table cannot be learnt from.
    SchemaError
        If the schema does not fit, with every problem.
    ConfigError
        If a parameter has a value that is not allowed.
    SampleError
        If the rows asked for cannot be made.
    PrivacyError
        If a privacy budget does not allow what is asked for; it says what would do.

    Notes
    -----
    Privacy: without epsilon no formal guarantee (see `Synthesizer`). With it, the guarantee covers
    the synthetic rows and the model; rows are kept unseen by a coin of their own each, so that one
    row more or less changes nothing for the others. It does not cover the evaluation, which holds
    exact statistics of real rows. `fair` looks at rows made alone. `reject` reads the training rows
    once more, exactly, and which rows come out depends on that; it never reads the holdout, and is
    refused under a budget.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabsynth import deidentify
    >>> table = pd.DataFrame({"x": [1, 2, 3, 4] * 10, "y": list("abab") * 10})
    >>> deidentify(table, model="independent", seed=7).table.shape
    (40, 2)
    """
    started = time.perf_counter()
    watch = monitor or ignore
    streams = Streams(seed_of(seed, checkpoint))
    check_integer("repeats", repeats, 1)
    terms = terms_of(
        epsilon, delta, public_rows, accept_inferred_schema, odometer, debug_insecure_seed
    )
    if terms is not None and repeats > 1:
        raise PrivacyError(
            f"{repeats} fits would cost {repeats} budgets. Leave repeats out, or fit without "
            "epsilon."
        )
    if terms is not None and checkpoint is not None:
        raise PrivacyError(NO_CHECKPOINT)
    plan = make_plan(
        table,
        model=model,
        schema=schema,
        missing_values=missing_values,
        rows=rows,
        target=target,
        holdout=holdout,
        fair=fair,
        reject=reject,
        terms=terms,
        parameters=parameters,
    )
    if terms is None:
        unseen = np.zeros(len(table), dtype=bool)
        unseen[streams.numpy("holdout").permutation(len(table))[: plan.n_holdout]] = True
    else:
        unseen = Noise(debug_insecure_seed).mask(len(table), holdout)
    train = table.iloc[~unseen].reset_index(drop=True)
    held = table.iloc[unseen].reset_index(drop=True) if unseen.any() else None

    # Under a budget a cell that does not fit is no error: not before the fit, and not after it.
    judging = plan.schema if terms is None else unlimited(plan.schema)

    def fit_and_judge(
        own: int, file: str | Path | None = None
    ) -> tuple[Synthesizer, pd.DataFrame, Evaluation, float]:
        synthesizer = Synthesizer(
            plan.choice.model,
            parameters=parameters,
            schema=schema if terms is not None else plan.schema,
            target=target,
            seed=own,
            epsilon=epsilon,
            delta=delta,
            public_rows=None if public_rows is None else round(public_rows * (1 - holdout)),
            accept_inferred_schema=accept_inferred_schema,
            odometer=odometer,
            debug_insecure_seed=debug_insecure_seed,
            monitor=monitor,
        ).fit(train, checkpoint=file)
        synthesizer.choice_ = plan.choice
        telling = 0.5

        def judge(rows: pd.DataFrame) -> np.ndarray:
            nonlocal telling
            watch(Progress("judging which rows are plausible", 0, 1))
            found = plausibility(train, rows, plan.schema, own)
            watch(Progress("judging which rows are plausible", 1, 1))
            telling = found.c2st
            return found.odds

        wish = Rejection(reject, judge) if reject else None
        count = plan.n_rows
        if terms is not None and rows is None:
            count = public_rows or round(synthesizer.n_rows_ / (1 - holdout))
        made = synthesizer.sample(count, fair=fair, reject=wish)
        judged = evaluate(
            train if terms is None else readable(train, judging),
            made,
            holdout=held if terms is None or held is None else readable(held, judging),
            target=target,
            schema=judging,
            seed=streams.seed,
            monitor=watch,
        )
        return synthesizer, made, judged, telling

    synthesizer, made, evaluation, telling = fit_and_judge(streams.seed, checkpoint)
    others = [fit_and_judge(streams.integer(f"repeat {number}"))[2] for number in range(1, repeats)]
    evaluation = with_stability([evaluation, *others])
    chosen, parity = synthesizer.model_, synthesizer.fairness_
    rejected = None
    if synthesizer.rejected_ is not None:
        rejected = Rejected(*synthesizer.rejected_, telling)
    evaluation = evaluation.with_context(
        privacy=privacy_of(synthesizer.ledger_),
        provenance={
            "model": chosen.name,
            "model_description": chosen.description,
            "model_reason": plan.choice.reason,
            "parameters": chosen.parameters.to_dict(),
            "seed": streams.seed,
            "training": training_of(chosen),
            **({} if parity is None else {"fair": parity.in_words()}),
            **({} if rejected is None else {"rejected": rejected.in_words()}),
            "seconds_fit": round(synthesizer.seconds_, 2),
            "seconds_total": round(time.perf_counter() - started, 2),
            "versions": versions(),
            **(provenance or {}),
        },
        notices=plan.notices,
    )
    return Deidentified(made, evaluation, synthesizer, plan, rejected)


def readable(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a table in which cells that do not fit the schema are missing.

    Under a budget they count as missing and are no error, which would tell about their rows.
    """
    types = types_of(schema)
    columns = {
        name: table[name].mask(types[name].read(table[name]).missing) if len(table) else table[name]
        for name in map(str, table.columns)
    }
    return pd.DataFrame(columns)


def unlimited(schema: Schema) -> Schema:
    """Return a schema without bounds, which real cells may lie beyond."""
    bounds = ("minimum", "maximum")
    for column in schema:
        kept = {name: value for name, value in column.parameters.items() if name not in bounds}
        schema = schema.with_column(replace(column, parameters=kept))
    return schema

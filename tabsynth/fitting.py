"""Fitting: from a table to a schema, a coding and a model, openly or under a privacy budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.choice import Choice, choose_model, with_target
from tabsynth.codec import TableCodec
from tabsynth.errors import ConfigError, PrivacyError
from tabsynth.models import Model, models
from tabsynth.models.base import IterativeModel
from tabsynth.monitor import Monitor
from tabsynth.noisy import noisy_codec, private_schema
from tabsynth.privacy.accounting import Spend
from tabsynth.privacy.budget import DELTA, PrivacyBudget
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.privacy.odometer import Odometer
from tabsynth.privacy.training import ExactTrainingData, PrivateTrainingData, TrainingData
from tabsynth.random import Streams
from tabsynth.schema import Schema
from tabsynth.schema.dtype import is_text
from tabsynth.schema.infer import check_schema, infer_schema, require_rows, with_dtypes

ROWS_SHARE = 0.01
"""Share of a budget that the number of rows costs, where it is not public."""

NO_CHECKPOINT = (
    "A checkpoint holds what has no noise yet, so there is none under a privacy budget. Leave the "
    "checkpoint out."
)
"""Why a checkpoint is refused."""


@dataclass(frozen=True)
class Terms:
    """On what terms rows may be learnt from under a privacy budget.

    Attributes
    ----------
    budget : PrivacyBudget
    public_rows : int or None
        The number of rows, where it is no secret; without it a noisy number is bought.
    accept_inferred_schema : bool
        Whether column types may be inferred from the rows, which voids the guarantee.
    odometer : path or None
        File that the cost of all fits on this table is kept in.
    debug_insecure_seed : int or None
        For tests alone: makes noise repeatable, which voids the guarantee.
    """

    budget: PrivacyBudget
    public_rows: int | None = None
    accept_inferred_schema: bool = False
    odometer: str | Path | None = None
    debug_insecure_seed: int | None = None

    def __post_init__(self) -> None:
        if self.public_rows is not None:
            whole = isinstance(self.public_rows, (int, np.integer))
            if isinstance(self.public_rows, bool) or not whole or self.public_rows < 1:
                raise PrivacyError(
                    f"public_rows must be a positive integer, the number of rows as it is known "
                    f"to everybody. Got {self.public_rows!r}."
                )
            self.budget.require_rows(self.public_rows)

    @property
    def flaws(self) -> list[str]:
        """What voids the guarantee, if anything."""
        found = []
        if self.accept_inferred_schema:
            found.append("the column types were inferred from the rows")
        if self.debug_insecure_seed is not None:
            found.append("the noise came from a seed that is known")
        return found

    def statement(self) -> str:
        """Return what will be guaranteed, in a sentence."""
        return Ledger(self.budget, flaws=self.flaws).statement()


def terms_of(
    epsilon: float | None,
    delta: float | None = None,
    public_rows: int | None = None,
    accept_inferred_schema: bool = False,
    odometer: str | Path | None = None,
    debug_insecure_seed: int | None = None,
) -> Terms | None:
    """Return the terms of a privacy budget; None where there is no epsilon.

    Raises
    ------
    PrivacyError
        If a value is not allowed.
    ConfigError
        If something is given that has no effect without epsilon.
    """
    if epsilon is not None:
        budget = PrivacyBudget(epsilon, DELTA if delta is None else delta)
        return Terms(budget, public_rows, accept_inferred_schema, odometer, debug_insecure_seed)
    idle = {
        "delta": delta is not None,
        "public_rows": public_rows is not None,
        "accept_inferred_schema": accept_inferred_schema,
        "odometer": odometer is not None,
        "debug_insecure_seed": debug_insecure_seed is not None,
    }
    for name, given in idle.items():
        if given:
            raise ConfigError(f"{name} has no effect without epsilon. Give both or neither.")
    return None


@dataclass(frozen=True, eq=False)
class Fitted:
    """What came of a fit.

    Attributes
    ----------
    schema : Schema
    codec : TableCodec
    model : Model
    choice : Choice
    n_rows : int
        Rows learnt from; a public or noisy number under a budget.
    ledger : Ledger or None
        None without a budget.
    """

    schema: Schema
    codec: TableCodec
    model: Model
    choice: Choice
    n_rows: int
    ledger: Ledger | None = None


@dataclass(frozen=True)
class Wish:
    """What shall be learnt, and by which model.

    Attributes
    ----------
    model : str
        Name of a registered model, or "auto".
    parameters : mapping or None
        Its hyper-parameters by name.
    schema : Schema or None
        Inferred where None.
    target : str or sequence of str or None
    conditional : bool
        Whether rows will be asked for that are given in part.
    """

    model: str = "auto"
    parameters: Mapping[str, Any] | None = None
    schema: Schema | None = None
    target: str | Sequence[str] | None = None
    conditional: bool = False

    def build(self, choice: Choice, names: Sequence[str]) -> Model:
        """Return the model that was chosen, not fitted.

        Raises
        ------
        ConfigError
            If there is no such model or hyper-parameter.
        """
        kind = models.get(choice.model)
        given = with_target(kind, dict(self.parameters or {}), self.target, list(names))
        return kind(kind.parameters_type.from_dict(given, choice.model))


def fit_openly(
    table: pd.DataFrame,
    wish: Wish,
    streams: Streams,
    monitor: Monitor,
    checkpoint: str | Path | None = None,
) -> Fitted:
    """Learn a table without a privacy budget.

    Raises
    ------
    DataError, SchemaError, ConfigError, ArtifactError
        See `Synthesizer.fit`.
    """
    require_rows(len(table))
    choice = choose_model(wish.model, len(table), conditional=wish.conditional)
    model = wish.build(choice, list(table.columns))
    if checkpoint is not None and not isinstance(model, IterativeModel):
        raise ConfigError(
            f"Model {choice.model!r} is not trained in steps, so it has no checkpoint. Leave "
            "the checkpoint out."
        )
    if wish.schema is None:
        schema = infer_schema(table)
    else:
        check_schema(wish.schema, table)
        schema = with_dtypes(wish.schema, table)
    codec = TableCodec.fit(schema, [table], model.coding, monitor)
    encoded = codec.encode(table, streams.child("encode"), monitor)
    _fit(model, ExactTrainingData(encoded), streams, monitor, checkpoint)
    return Fitted(schema, codec, model, choice, len(table))


def fit_privately(
    table: pd.DataFrame,
    wish: Wish,
    terms: Terms,
    streams: Streams,
    monitor: Monitor,
    checkpoint: str | Path | None = None,
) -> Fitted:
    """Learn a table under a privacy budget.

    Raises
    ------
    PrivacyError
        If the budget, the schema or the model do not allow it; with what to do.
    BudgetExceeded
        If releases would cost more than the budget.

    Notes
    -----
    Privacy: what comes of it is (epsilon, delta)-differentially private for adding or removing one
    row, if the ledger has no flaws. Rows are read here, by `noisy_codec` and behind
    `PrivateTrainingData`, and each release is debited before it is made. A number of rows that is
    no secret is taken as it was given; otherwise a count with discrete Gaussian noise (sensitivity
    1) takes its place everywhere.
    """
    if checkpoint is not None:
        raise PrivacyError(NO_CHECKPOINT)
    schema = declared_schema(wish.schema, table, terms)
    choice = choose_model(
        wish.model,
        terms.public_rows,
        conditional=wish.conditional,
        epsilon=terms.budget.epsilon,
    )
    model = wish.build(choice, schema.names)
    model.check_private()
    noise = Noise(terms.debug_insecure_seed)
    facts = {"rows": "noisy" if terms.public_rows is None else "public"}
    ledger = Ledger(terms.budget, flaws=terms.flaws, facts=facts, account="gaussian")
    with nullcontext() if terms.odometer is None else Odometer(terms.odometer).charged(ledger):
        rho = ledger.left()
        n_rows = terms.public_rows or noisy_rows(len(table), ROWS_SHARE * rho, ledger, noise)
        noisy = noisy_codec(
            schema,
            table,
            model.coding_for(terms.budget.epsilon),
            ledger,
            noise,
            streams.child("encode"),
            rho=model.columns_share * rho,
            n_rows=n_rows,
            monitor=monitor,
        )
        data = PrivateTrainingData(noisy.table, n_rows, noisy.known, ledger, noise)
        _fit(model, data, streams, monitor, None)
    return Fitted(schema, noisy.codec, model, choice, n_rows, ledger)


def noisy_rows(n_rows: int, rho: float, ledger: Ledger, noise: Noise) -> int:
    """Return a noisy number of rows, at least 1; debits first."""
    sigma = math.sqrt(1 / (2 * rho))
    ledger.debit(Spend("number of rows", "gaussian", sigma))
    found = max(1, int(noise.counts(np.array([n_rows]), sigma)[0]))
    ledger.budget.require_rows(found)
    return found


def declared_schema(
    schema: Schema | None,
    table: pd.DataFrame,
    terms: Terms,
    missing_values: tuple[str, ...] = ("",),
) -> Schema:
    """Return what may be known of the columns under a budget.

    Raises
    ------
    PrivacyError
        If there is no schema and none may be inferred.

    Notes
    -----
    Privacy: of a table whose schema is declared, the names of columns and their dtypes are seen,
    and no cell: whether one does not fit would tell about its row. What does not fit counts as
    missing later on.
    """
    if schema is not None:
        check_schema(schema, table, cells=False)
        return private_schema(_stored_as(schema, table), inferred=False)
    if not terms.accept_inferred_schema:
        raise PrivacyError(
            "A privacy budget needs a schema that was written down without looking at the rows: "
            "what the columns are, and as far as it is known their bounds and categories. Let "
            "tabsynth propose one, review it, and pass it on (schema=, or --schema). Or accept "
            "the inferred column types (accept_inferred_schema=True, or --accept-inferred-schema); "
            "the result is then not differentially private."
        )
    inferred = infer_schema(table, missing_values=missing_values)
    return private_schema(inferred, inferred=True)


def _stored_as(schema: Schema, table: pd.DataFrame) -> Schema:
    """Return the schema with each column stored as its dtype says.

    What kind of objects a column of Python objects holds is known from its cells alone; it is taken
    from the schema, or left open; `noisy_codec` then buys whether numbers and truth values are
    texts.

    Raises
    ------
    PrivacyError
        If it is left open in columns of times, which cannot be read then.
    """
    found = with_dtypes(schema, table.iloc[:0])
    for column in schema:
        spec = column.dtype
        if table[column.name].dtype != object:
            continue
        if isinstance(spec, Mapping) and "object" in spec:
            found = found.with_column(replace(found[column.name], dtype=spec))
        elif is_text(spec):
            found = found.with_column(replace(found[column.name], dtype={"object": "str"}))
        elif column.type in ("datetime", "duration"):
            raise PrivacyError(
                f"Column {column.name!r} is stored as Python objects, and of what kind would have "
                "to be read off the rows. Convert it to 'str' or a dtype of times first."
            )
    return found


def shares_of(terms: Terms, model: str) -> dict[str, float]:
    """Return what share of a budget each part takes, before anything is spent.

    Shares are of rho, in which Gaussian releases add up.
    """
    rows = 0.0 if terms.public_rows is not None else ROWS_SHARE
    columns = models.get(model).columns_share
    shares = {"number of rows": rows, "coding of columns": columns, "model": 1 - rows - columns}
    return {name: share for name, share in shares.items() if share > 0}


def _fit(
    model: Model,
    data: TrainingData,
    streams: Streams,
    monitor: Monitor,
    checkpoint: str | Path | None,
) -> None:
    if isinstance(model, IterativeModel):
        model.fit(data, streams.child("fit"), monitor, checkpoint=checkpoint)
    else:
        model.fit(data, streams.child("fit"), monitor)

"""Noisy: a table in a coding that was declared or paid for, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.codec import TableCodec, types_of, without_limits
from tabsynth.columns import ColumnType, Values
from tabsynth.columns._continuous import ContinuousType
from tabsynth.columns._nominal import NominalType
from tabsynth.columns._unlearnt import UnlearntType
from tabsynth.columns.category import Category
from tabsynth.constraints import Constraint, read_constraints
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import PrivacyError, SchemaError
from tabsynth.monitor import Monitor, Progress, ignore
from tabsynth.noisy.continuous import buy_numbers, purchases, scaled, voted, with_parameters
from tabsynth.noisy.declared import require_declared
from tabsynth.noisy.nominal import Bought, buy_labels
from tabsynth.privacy.counting import Counts, with_parent
from tabsynth.privacy.histogram import Buyer
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.random import Streams
from tabsynth.schema import Schema

DELTA_SHARE = 0.1
"""Part of the budget's delta that all thresholds together cost."""
WEIGHTS: Mapping[str, float] = {
    "kind": 0.25,
    "format": 0.25,
    "scale": 0.25,
    "bounds": 0.5,
    "counts": 1.0,
}
"""How much of the price each release gets, relative to the others."""


@dataclass(frozen=True, eq=False)
class Noisy:
    """A table in a coding that says nothing about its rows but what noise lets through.

    Attributes
    ----------
    codec : TableCodec
    table : EncodedTable
        The rows, in that coding; for `PrivateTrainingData`, and nobody else.
    known : list of Counts
        What was bought to find the codes: one a block, of ``(block,)`` or ``(parent, block)``.
    """

    codec: TableCodec
    table: EncodedTable
    known: list[Counts]


def noisy_codec(
    schema: Schema,
    table: pd.DataFrame,
    coding: Coding,
    ledger: Ledger,
    noise: Noise,
    streams: Streams,
    *,
    rho: float,
    n_rows: int,
    monitor: Monitor = ignore,
) -> Noisy:
    """Buy the coding of a table: what the schema declares is taken, the rest costs `rho`.

    Parameters
    ----------
    schema : Schema
        What `private_schema` returned, stored as `table` is.
    table : DataFrame
    coding : Coding
    ledger : Ledger
        Debited before each release.
    noise : Noise
    streams : Streams
        For codes that are drawn at random.
    rho : float
        The price of all releases together, in zero-concentrated differential privacy.
    n_rows : int
        Public, or bought before.
    monitor : callable

    Raises
    ------
    PrivacyError
        If a column has to be declared more closely; whether it has to is public, or found out with
        noise. Columns that bounds cannot be found for are named together.
    BudgetExceeded
        If `rho` is more than what is left.

    Notes
    -----
    Privacy: cells are read one by one, by rules that are public (`ColumnType.read`). Each release
    is a histogram that a row adds 1 to (L2 sensitivity 1), with discrete Gaussian noise; labels
    that were not declared are shown only above a threshold, whose delta is in the ledger. All else
    is computed from these releases.

    References
    ----------
    Bun and Steinke (2016), arXiv:1605.02065.
    """
    require_declared(schema)
    buyer = Buyer(ledger, noise)
    plan = _Plan(schema, rho, ledger.budget.delta * DELTA_SHARE)
    reading, problems = _Reading(plan, table, coding, n_rows, buyer), list[str]()
    bought: dict[str, Bought] = {}
    values = reading.values()
    for done, name in enumerate(plan.types):
        monitor(Progress("buying the coding", done, len(plan.types)))
        try:
            bought[name] = reading.buy(name, values[name])
        except PrivacyError as error:
            if type(error) is not PrivacyError:
                raise
            problems.append(str(error))
    monitor(Progress("buying the coding", len(plan.types), len(plan.types)))
    if problems:
        raise PrivacyError("\n".join(problems))
    shown = replace(schema, columns=tuple(bought[name].column for name in plan.types))
    codec = TableCodec(shown, {name: item.codec for name, item in bought.items()}, coding)
    rows = {name: item.values for name, item in bought.items()}
    known = [count for item in bought.values() for count in item.counts]
    return Noisy(
        codec,
        codec.encoded(rows, len(table), streams),
        [
            Counts(with_parent(codec.layout, block), counts, sigma)
            for block, (counts, sigma) in enumerate(known)
        ],
    )


class _Plan:
    """What each column is taken for, and what its releases may cost.

    Attributes
    ----------
    types : dict of str to ColumnType
    limits : dict of str to tuple
        Bounds of columns of numbers that are known.
    rules : list of Constraint
    """

    def __init__(self, schema: Schema, rho: float, delta: float) -> None:
        self.rules: list[Constraint] = read_constraints(schema)
        ruled = {rule.writes for rule in self.rules}
        self.types, self.limits = dict[str, ColumnType](), dict[str, Any]()
        self.wanted: dict[str, dict[str, float]] = {}
        for name, type_ in types_of(schema).items():
            if type_.column.get("nullable") is None and not _has_room(type_.column.dtype):
                type_ = with_parameters(type_, nullable=False)
            self.types[name] = type_
            self.wanted[name] = {"counts": WEIGHTS["counts"]}
            if isinstance(type_, ContinuousType):
                # What is learnt in the place of such a column is a distance, never below 0.
                self.limits[name] = (0, None) if name in ruled else type_.limits()
                kinds = zip(
                    ("format", "scale", "bounds"),
                    purchases(type_, self.limits[name]),
                    strict=True,
                )
                self.wanted[name] |= {kind: WEIGHTS[kind] for kind, wanted in kinds if wanted}
            elif not isinstance(type_, NominalType) or not _codes(type_):
                self.wanted[name] = {}
                if isinstance(type_, UnlearntType) and type_.column.get("nullable"):
                    self.wanted[name] = {"counts": WEIGHTS["counts"]}
            if type_.name in ("number", "boolean") and type_.column.dtype == {"object": "mixed"}:
                self.wanted[name]["kind"] = WEIGHTS["kind"]
        total = sum(weight for kinds in self.wanted.values() for weight in kinds.values())
        self.unit = rho / total if total else 0.0
        self.ruled = ruled
        unknown = [t for t in self.types.values() if isinstance(t, Category) and _unknown(t)]
        self.delta = delta / max(len(unknown), 1)

    def price(self, name: str, kind: str) -> float:
        """Return the rho of a release of a column."""
        return self.wanted[name][kind] * self.unit


class _Reading:
    """The rows, read cell by cell, and the purchase of each column."""

    def __init__(
        self, plan: _Plan, table: pd.DataFrame, coding: Coding, n_rows: int, buyer: Buyer
    ) -> None:
        self.plan, self.table, self.coding = plan, table, coding
        self.n_rows, self.buyer = n_rows, buyer

    def values(self) -> dict[str, Values]:
        """Return what is learnt of each column, read by formats that are public or bought."""
        values = {}
        for name, type_ in self.plan.types.items():
            if "kind" in self.plan.wanted[name]:
                rho = self.plan.price(name, "kind")
                type_ = _texts_or_not(type_, self.table[name], rho, self.buyer)
                self.plan.types[name] = type_
            if "format" in self.plan.wanted[name]:
                rho = self.plan.price(name, "format")
                assert isinstance(type_, ContinuousType)
                type_ = voted(type_, self.table[name], rho, self.buyer)
                self.plan.types[name] = type_
            values[name] = type_.read(self.table[name])
        return values | {rule.writes: _distances(rule, values) for rule in self.plan.rules}

    def buy(self, name: str, values: Values) -> Bought:
        """Buy the coding of one column."""
        plan, type_ = self.plan, self.plan.types[name]
        if isinstance(type_, ContinuousType):
            rho = plan.price(name, "scale") if "scale" in plan.wanted[name] else 0.0
            type_, scale = scaled(type_, self.table[name], values, rho, self.buyer)
            declared = type_.column
            if name in plan.ruled:
                type_ = without_limits(type_)
            prices = (
                plan.price(name, "bounds") if "bounds" in plan.wanted[name] else 0.0,
                plan.price(name, "counts"),
            )
            bought = buy_numbers(
                type_,
                scale,
                values,
                plan.limits[name],
                self.n_rows,
                self.coding,
                prices,
                self.buyer,
            )
            parameters = {**declared.parameters, **bought.column.parameters}
            return replace(bought, column=replace(bought.column, parameters=parameters))
        if isinstance(type_, NominalType):
            rho = plan.price(name, "counts")
            delta = plan.delta if isinstance(type_, Category) and _unknown(type_) else 0.0
            return buy_labels(type_, values, self.n_rows, self.coding, rho, delta, self.buyer)
        return self._unlearnt(name, type_, values)

    def _unlearnt(self, name: str, type_: ColumnType, values: Values) -> Bought:
        """Return a column that is left out or made anew, from what is declared alone."""
        nothing = type_.parse(self.table[name].iloc[:0])
        try:
            codec = type_.fit(type_.summarise(nothing), self.coding)
        except SchemaError as error:
            raise PrivacyError(str(error)) from None
        if not codec.blocks:
            return Bought(type_.column, codec, values, [])
        codes = codec.encode(values)[0][:, 0]
        exact = np.bincount(codes, minlength=codec.blocks[0].size)
        what = f"missing cells of column {name!r}"
        counts, sigma = self.buyer.counts(what, exact, self.plan.price(name, "counts"))
        return Bought(type_.column, codec, values, [(counts.astype(np.float64), sigma)])


def _distances(rule: Constraint, values: Mapping[str, Values]) -> Values:
    """Return what is learnt in the place of the column that an inequality writes, row by row.

    A row that holds only the upper value, or an upper value below the lower one, would need other
    rows: the first counts as missing, the second as a distance of 0.
    """
    alone = np.any([values[name].missing for name in rule.reads], axis=0)
    upper = values[rule.writes]
    upper = Values(upper.data, upper.missing | alone)
    gaps = rule.replace({**values, rule.writes: upper})
    return Values(np.maximum(gaps.data, 0), gaps.missing)


def _texts_or_not(type_: ColumnType, series: pd.Series, rho: float, buyer: Buyer) -> ColumnType:
    """Buy whether a column of Python objects holds texts: a vote in which each row is one."""
    text = np.array([isinstance(cell, str) for cell in series], dtype=bool)
    counts = np.array([np.sum(text), np.sum(~text & series.notna().to_numpy(dtype=bool))])
    noisy, _ = buyer.counts(f"kind of objects of column {type_.column.name!r}", counts, rho)
    if noisy[0] <= noisy[1]:
        return type_
    return type(type_)(replace(type_.column, dtype={"object": "str"}), type_.missing_values)


def _unknown(type_: Category) -> bool:
    return type_.categories() is None


def _codes(type_: ColumnType) -> bool:
    return type_.measure == "nominal"


def _has_room(spec: Any) -> bool:
    """Return whether a column that is stored so can have missing cells."""
    return not (
        isinstance(spec, str) and spec.startswith(("int", "uint", "bool")) and spec != "boolean"
    )

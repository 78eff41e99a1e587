"""Numbers, dates and durations under a budget: one noisy histogram, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tabsynth.columns import ColumnType, Values
from tabsynth.columns._continuous import ContinuousCodec, ContinuousType
from tabsynth.columns.datetime import FORMATS, Datetime
from tabsynth.columns.duration import NOTATIONS, Duration
from tabsynth.columns.number import MOST_PLACES, Number
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.distribution import Distribution
from tabsynth.errors import PrivacyError
from tabsynth.noisy.nominal import PRESENT, Bought
from tabsynth.privacy import histogram
from tabsynth.privacy.cells import Cells, declared, enough, most_voted, projected, whole_counts
from tabsynth.privacy.histogram import Buyer
from tabsynth.schema import Column
from tabsynth.schema.dtype import is_text

Type = TypeVar("Type", bound=ColumnType)

POINTS = 16
"""Numbers that a cell is spread over."""
HIDDEN = (
    "noise hides its values, so all cells are missing; declare minimum and maximum to keep them"
)
_FLOOR = 2.0
"""Standard deviations of noise that the rows of an interval of a coding must exceed."""
_SECOND = {"ns": 10**9, "us": 10**6, "ms": 10**3, "s": 1}
_SPANS = (86_400, 3_600, 60, 1)
"""Seconds of the spans that times may be whole multiples of; then thousandths of the last."""


@dataclass(frozen=True)
class Scale:
    """The whole numbers that a column's numbers are multiples of.

    Attributes
    ----------
    step : int
        Ticks, for dates and durations; 1 for numbers.
    decimals : int or None
        Decimal places of numbers; None where there are too many to count.
    """

    step: int = 1
    decimals: int | None = 0

    @property
    def whole(self) -> bool:
        """Whether there are such whole numbers."""
        return self.decimals is not None

    def index(self, data: np.ndarray) -> np.ndarray:
        """Return numbers or ticks on the scale, float64."""
        if self.decimals is None:
            return data.astype(np.float64)
        if data.dtype.kind == "i" and not self.decimals:
            index: np.ndarray = np.floor_divide(data, self.step).astype(np.float64)
        else:
            index = np.rint(data * 10.0**self.decimals)
        return index

    def number(self, index: np.ndarray) -> np.ndarray:
        """Return numbers or ticks at places of the scale: int64 where whole, else float64."""
        if self.decimals is None:
            return index
        if self.decimals:
            numbers: np.ndarray = index / 10.0**self.decimals
        else:
            numbers = np.clip(np.rint(index), -(2.0**62), 2.0**62).astype(np.int64) * self.step
        return numbers


def purchases(
    type_: ContinuousType, limits: tuple[float | None, float | None]
) -> tuple[bool, bool, bool]:
    """Return whether format, scale and bounds of a column have to be bought besides its cells.

    A format tells the scale too.
    """
    notation = _votes_on_notation(type_)
    return notation, _votes_on_scale(type_) and not notation, None in limits


def voted(type_: ContinuousType, series: pd.Series, rho: float, buyer: Buyer) -> ContinuousType:
    """Buy the notation of texts: a vote in which each row names the first one that it fits."""
    assert isinstance(type_, (Datetime, Duration))
    options = FORMATS if isinstance(type_, Datetime) else NOTATIONS
    votes = type_.votes(series)
    counts = np.bincount(votes[votes >= 0], minlength=len(options))
    noisy, _ = buyer.counts(f"format of column {type_.column.name!r}", counts, rho)
    return with_parameters(type_, format=options[most_voted(noisy)])


def scaled(
    type_: ContinuousType, series: pd.Series, values: Values, rho: float, buyer: Buyer
) -> tuple[ContinuousType, Scale]:
    """Return the type and the scale of a column; buy decimals or spans where they are not known."""
    name = type_.column.name
    if isinstance(type_, (Datetime, Duration)):
        second = _SECOND[type_.unit()]
        known = _span_of(type_.column)
        if known is not None:
            return type_, Scale(max(known * second, 1))
        steps = _steps(second)
        votes = np.full(len(values), len(steps) - 1)
        for place in range(len(steps) - 1, -1, -1):
            votes[values.data % steps[place] == 0] = place
        counts = np.bincount(votes[~values.missing], minlength=len(steps))
        noisy, sigma = buyer.counts(f"granularity of column {name!r}", counts, rho)
        return type_, Scale(steps[enough(noisy, sigma)])
    assert isinstance(type_, Number)
    if not _votes_on_scale(type_):
        return type_, Scale(1, _declared_decimals(type_))
    votes = type_.decimals_of(series, values)
    width = MOST_PLACES + 2
    counts = np.bincount(votes[votes >= 0], minlength=2 * width)
    noisy, sigma = buyer.counts(f"decimals of column {name!r}", counts, rho)
    comma = bool(noisy[width + 1 :].sum() > noisy[1:width].sum())
    shown = np.append(noisy[:1], noisy[width + 1 :] if comma else noisy[1:width])
    most = enough(shown, sigma)
    decimals = None if most > MOST_PLACES else most
    if is_text(type_.column.dtype) and decimals:
        fewest = decimals - enough(shown[: most + 1][::-1], sigma, 0.05)
        type_ = with_parameters(type_, places=[fewest, decimals])
        if comma:
            type_ = with_parameters(type_, decimal=",")
    return type_, Scale(1, decimals)


def buy_numbers(
    type_: ContinuousType,
    scale: Scale,
    values: Values,
    limits: tuple[float | None, float | None],
    n_rows: int,
    coding: Coding,
    rho: tuple[float, float],
    buyer: Buyer,
) -> Bought:
    """Buy bounds where they are not known, then the cells that a coding follows from.

    Parameters
    ----------
    type_ : ContinuousType
    scale : Scale
    values : Values
        Read cell by cell.
    limits : tuple of float or None
        Bounds that are known, in numbers or ticks.
    n_rows : int
        A public or noisy number of rows.
    coding : Coding
    rho : tuple of float
        The price of bounds and of cells.
    buyer : Buyer

    Raises
    ------
    PrivacyError
        If noise hides all numbers, so that no bounds can be found, and missing cells too. Where it
        shows that cells are missing and no numbers, all cells are.

    Notes
    -----
    Privacy: each row is in one cell. Bins, modes and ranks are computed from noisy cells alone, and
    so is whether cells can be missing: not where noise alone could be what was counted (`PRESENT`).
    """
    column = type_.column
    name, nullable = column.name, bool(column.get("nullable", True))
    low, high = (
        None if bound is None else float(scale.index(np.array([bound]))[0]) for bound in limits
    )
    index, gaps = scale.index(values.data), values.missing
    if not nullable and low is not None:
        index, gaps = np.where(gaps, low, index), np.zeros(len(gaps), dtype=bool)
    if low is not None and high is not None:
        before: Cells | None = declared(low, high, scale.whole)
    else:
        what = f"bounds of column {name!r}"
        before = histogram.bounds(what, index, gaps, scale.whole, (low, high), rho[0], buyer)
    bought_bounds = low is None or high is None
    hidden = before is not None and bought_bounds and not before.counts.any()
    if before is None or (hidden and not nullable):
        raise PrivacyError(
            f"Column {name!r}: noise hides all values, so that no bounds can be found. Declare "
            "minimum and maximum in the schema, or give a larger epsilon."
        )
    if hidden:
        # What noise lets one see is that cells are missing, so all of them are.
        gaps = np.ones(len(gaps), dtype=bool)
    if not nullable and low is None:
        index, gaps = np.where(gaps, before.low[0], index), np.zeros(len(gaps), dtype=bool)
    index = np.clip(index, before.low[0], before.high[-1])
    what = f"counts of column {name!r}"
    cells = histogram.cells(what, index, gaps, before, n_rows, rho[1], buyer)
    if nullable and cells.missing < PRESENT * cells.sigma:
        # Noise says that none is missing; rows that are get a number of the fullest cell.
        fullest = int(np.argmax(cells.counts))
        index = np.where(gaps, cells.low[fullest], index)
        nullable, gaps = False, np.zeros(len(gaps), dtype=bool)
    codec, numbers, raw, cell = _fitted(type_, scale, cells, n_rows, nullable, coding)
    data = scale.number(index)
    if len(numbers):
        data = np.clip(data, numbers[0], numbers[-1])
    bought = Values(np.where(gaps, data.dtype.type(0), data), gaps)
    counts = _block_counts(codec, numbers, raw, cell, cells, nullable)
    finished = _finished(type_, scale, nullable)
    if hidden:
        finished = replace(finished, reason=HIDDEN)
    return Bought(finished, codec, bought, counts)


def _fitted(
    type_: ContinuousType,
    scale: Scale,
    cells: Cells,
    n_rows: int,
    nullable: bool,
    coding: Coding,
) -> tuple[ContinuousCodec, np.ndarray, np.ndarray, np.ndarray]:
    """Return the codec that noisy cells give, the numbers they are spread over, and of which."""
    if nullable:
        counts, missing = cells.projected(n_rows)
    else:
        counts, missing = projected(cells.counts.astype(np.float64), n_rows), 0.0
    points, cell = cells.spread(POINTS)
    shares = 1.0 / np.bincount(cell, minlength=len(counts))[cell]
    whole = whole_counts(counts[cell] * shares)
    numbers = scale.number(points)
    held = whole > 0
    if not held.any():  # noise has it that all cells are missing
        held[0], whole[0] = True, 1
    decimals = scale.decimals if numbers.dtype.kind == "i" else None
    summary = Distribution(numbers[held], whole[held], round(missing), decimals, scale.step)
    floor = max(type_.column.get("minimum_count", 5), int(np.ceil(_FLOOR * cells.sigma)))
    fitting = with_parameters(type_, nullable=nullable, minimum_count=floor)
    if isinstance(type_, Number) and scale.decimals:
        fitting = with_parameters(fitting, decimals=scale.decimals)
    if (cells.high > cells.low).any():
        # Numbers that a cell is spread over are not values that rows share.
        coding = replace(coding, distinct=0)
    codec = fitting.fit(summary, coding)
    # Numbers below the first one that is held are not on the grid.
    return codec, np.clip(numbers, summary.values[0], summary.values[-1]), shares, cell


def _block_counts(
    codec: ContinuousCodec,
    numbers: np.ndarray,
    shares: np.ndarray,
    cell: np.ndarray,
    cells: Cells,
    nullable: bool,
) -> list[tuple[np.ndarray, float]]:
    """Return the noisy counts of each block, and the root mean square noise of their cells."""
    none = np.zeros(len(numbers), dtype=bool)
    codes, _ = codec.encode(Values(numbers, none))
    every = []
    for place, block in enumerate(codec.blocks):
        owners = [place] if block.parent is None else [block.parent, place]
        shape = tuple(codec.blocks[owner].size for owner in owners)
        where = np.ravel_multi_index(tuple(codes[:, owner] for owner in owners), shape)
        # How much of each cell of the histogram each code gets.
        pairs, inverse = np.unique(where * len(cells.low) + cell, return_inverse=True)
        part = np.bincount(inverse, weights=shares)
        code, own = np.divmod(pairs, len(cells.low))
        size = int(np.prod(shape))
        counts = np.bincount(code, weights=part * cells.counts[own], minlength=size)
        variance = np.bincount(code, weights=(part * cells.sigma) ** 2, minlength=size)
        if nullable:
            gap = codec.coder.n_codes
            gap = gap if block.parent is None else gap * block.size
            counts[gap], variance[gap] = cells.missing, cells.sigma**2
        filled = variance > 0
        noise = float(np.sqrt(variance[filled].mean())) if filled.any() else 0.0
        every.append((counts.reshape(shape), noise))
    return every


def _finished(type_: ContinuousType, scale: Scale, nullable: bool) -> Column:
    """Return the column with what was bought as learned parameters."""
    more: dict[str, Any] = {"nullable": nullable}
    if isinstance(type_, Number) and scale.decimals:
        more["decimals"] = scale.decimals
    elif isinstance(type_, Number) and scale.decimals == 0:
        more["integer"] = True
    return with_parameters(type_, **more).column


def with_parameters(type_: Type, **parameters: Any) -> Type:
    """Return the type with more parameters, marked as learned where they were not given."""
    column = type_.column
    given = set(column.parameters) - set(column.learned)
    new = replace(
        column,
        parameters={**column.parameters, **parameters},
        learned=column.learned | (set(parameters) - given),
    )
    return type(type_)(new, type_.missing_values)


def _votes_on_notation(type_: ColumnType) -> bool:
    undeclared = type_.column.get("format") is None and is_text(type_.column.dtype)
    return undeclared and isinstance(type_, (Datetime, Duration))


def _votes_on_scale(type_: ContinuousType) -> bool:
    if isinstance(type_, Number):
        return _declared_decimals(type_) is None
    return _span_of(type_.column) is None


def _declared_decimals(type_: Number) -> int | None:
    """Return the decimals that are declared, or follow from how numbers are stored."""
    column = type_.column
    spec = column.dtype.get("arrow") if isinstance(column.dtype, Mapping) else column.dtype
    if column.get("integer") or str(spec).lower().startswith(("int", "uint")):
        return 0
    decimals, places = column.get("decimals"), column.get("places")
    if decimals is None and places is not None:
        decimals = places[1]
    return None if decimals is None else int(decimals)


def _span_of(column: Column) -> int | None:
    """Return the seconds that the column's format tells times in, None without a format."""
    form = column.get("format")
    if form is None or not is_text(column.dtype):
        return None
    if column.type == "datetime":
        if "%f" in form:
            return 0
        if "%S" in form:
            return 1
        if "%M" in form:
            return 60
        return 3_600 if "%H" in form or "%I" in form else 86_400
    return {"H:M": 60, "H:M:S.f": 0}.get(form, 1)


def _steps(second: int) -> list[int]:
    """Return ticks of days, hours, minutes, seconds and their thousandths, as far as there are."""
    finer = [second // 1000**power for power in range(1, 4) if second >= 1000**power]
    return [span * second for span in _SPANS] + finer

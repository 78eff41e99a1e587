"""Formats: whether columns are stored and written as the real ones are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.columns.base import ColumnType, Profile, Values
from tabsynth.errors import SchemaError
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.result import Score
from tabsynth.evaluation.validity import UNSEEN, kind_of
from tabsynth.schema.dtype import describe

FEW = 0.001
"""Share of cells in another format that is overlooked."""
ENOUGH = 10
"""Distinct real numbers from which on their common step says something."""
TIMES = ("datetime", "duration")


@measures.register("formats")
class Formats(Measure):
    """Share of columns that are stored and written as the real ones are."""

    order = 73
    minimum_rows = 1
    figures = (
        Figure(
            "formats",
            "Columns in the format of the real ones",
            "validity",
            "higher",
            1.0,
            "Share of columns that are stored as the real ones are (data type) and written like "
            "them: as many decimals, multiples of the same step, dates and times in the same "
            "notation and as fine, codes of the same length and shape with their leading zeros.",
            UNSEEN,
        ),
    )

    @classmethod
    def plan(cls, comparison: Comparison) -> Sequence[Measure]:
        """Return the measure if there is a column whose format is kept."""
        return [cls()] if _checked(comparison, "synthetic") else []

    def measure(self, comparison: Comparison) -> list[Score]:
        """Return the share, and what is wrong in which column."""
        names = _checked(comparison, "synthetic")
        real = [name for name in ("train", "holdout") if name in comparison.frames]
        broken = {}
        for name in names:
            problem = difference(comparison, name, real, "synthetic")
            if problem:
                broken[name] = problem
        reference = None
        if "holdout" in real:
            held = _checked(comparison, "holdout")
            wrong = [bool(difference(comparison, name, ["train"], "holdout")) for name in held]
            reference = 1 - float(np.mean(wrong)) if wrong else None
        return [
            self.figures[0].score(
                1 - len(broken) / len(names),
                reference=reference,
                reference_text=UNSEEN if reference is not None else "",
                details={"columns": len(names), "broken": broken},
            )
        ]


def _checked(comparison: Comparison, table: str) -> list[str]:
    """Return the columns that keep their format in the synthetic table and are in `table`."""
    frames = comparison.frames
    if comparison.schema is None or "train" not in frames or table not in frames:
        return []
    return [
        column.name
        for column in comparison.schema
        if column.type != "text"
        and column.get("treatment", "regenerate") == "regenerate"
        and column.name in frames["train"]
        and column.name in frames[table]
    ]


def difference(comparison: Comparison, name: str, real: Sequence[str], table: str) -> str:
    """Return how the format of a column differs from that in real tables, empty where it does not.

    Parameters
    ----------
    comparison : Comparison
    name : str
        Of the column.
    real : sequence of str
        Names of the real tables that set the format.
    table : str
        Name of the table that is judged.

    Returns
    -------
    str
        A clause that shows no cell.
    """
    kind = kind_of(comparison, name)
    assert kind is not None
    models = [comparison.frames[some][name] for some in real if name in comparison.frames[some]]
    judged = comparison.frames[table][name]
    profile = Profile(name, judged, kind.missing_values)
    if not profile.n_present:
        return ""
    stored = [_storage(series) for series in models]
    if _storage(judged) not in stored:
        return f"stored as {_words(judged)}, not as {_words(models[0])}"
    profiles = [Profile(name, series, kind.missing_values) for series in models]
    profiles = [some for some in profiles if some.is_text == profile.is_text and some.n_present]
    if profile.is_text and profiles:
        problem = _notation(kind, profiles, profile)
        if problem:
            return problem
    return _coarseness(comparison, kind, real, table)


def _storage(series: pd.Series) -> tuple[str, ...]:
    """Return how a column is stored, without levels of categories and kinds of missing cells."""
    try:
        spec = describe(series)
    except SchemaError:
        return (str(series.dtype),)
    if isinstance(spec, str):
        return (spec,)
    if "category" in spec:
        return ("category", str(spec["category"]), str(spec["ordered"]))
    return tuple(str(part) for part in next(iter(spec.items())))


def _words(series: pd.Series) -> str:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        order = "ordered " if dtype.ordered else ""
        return f"{order}categories of {dtype.categories.dtype}"
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        return f"objects ({pd.api.types.infer_dtype(series, skipna=True)})"
    return str(dtype)


def _texts(profiles: Sequence[Profile]) -> pd.Series:
    """Return how often each text occurs in columns of texts; the texts are the index."""
    counts = pd.concat([profile.counts for profile in profiles])
    counts.index = counts.index.astype("str")
    summed: pd.Series = counts.groupby(level=0).sum()
    return summed


def _off(wrong: np.ndarray, counts: pd.Series) -> bool:
    """Return whether more than a few cells are wrong."""
    sizes = counts.to_numpy(dtype=np.float64)
    return float(sizes[wrong].sum()) > FEW * float(sizes.sum())


def _notation(kind: ColumnType, real: Sequence[Profile], other: Profile) -> str:
    """Return what is different in the way that a column of texts is written."""
    models, judged = _texts(real), _texts([other])
    if kind.name == "number":
        return _number_notation(models, judged)
    if kind.name in TIMES:
        if _off(_unlike_rendered(kind, models), models):
            return ""
        wrong = _off(_unlike_rendered(kind, judged), judged)
        return "dates or times in another notation" if wrong else ""
    return _shape(models, judged)


def _number_notation(models: pd.Series, judged: pd.Series) -> str:
    """Return what is different in the way that numbers are written."""
    marks: Mapping[str, str] = {
        "numbers with an exponent": r"\d[eE]",
        "numbers with leading zeros": r"^\s*[+-]?0\d",
        "numbers with a plus sign": r"^\s*\+",
        "numbers with spaces": r"^\s|\s$",
    }
    for words, pattern in marks.items():
        if models.index.str.contains(pattern).any():
            continue
        if _off(judged.index.str.contains(pattern), judged):
            return words
    known, found = _places(models), _places(judged)
    if _off(found > known.max(), judged):
        return "numbers with more decimals"
    if _off(found < known.min(), judged):
        return "numbers with fewer decimals"
    return ""


def _places(texts: pd.Series) -> np.ndarray:
    """Return how many decimals each text shows."""
    shown = pd.Series(texts.index).astype("str").str.extract(r"[.,](\d*)", expand=False)
    places: np.ndarray = shown.fillna("").str.len().to_numpy(dtype=np.int64)
    return places


def _unlike_rendered(kind: ColumnType, texts: pd.Series) -> np.ndarray:
    """Return which texts come back differently when they are read and written again."""
    as_text = type(kind)(replace(kind.column, dtype="str"), kind.missing_values)
    series = pd.Series(texts.index, dtype="str", name=kind.column.name)
    try:
        again = as_text.render(as_text.parse(series))
    except SchemaError:
        return np.ones(len(texts), dtype=bool)
    different: np.ndarray = (again != series).to_numpy(dtype=bool)
    return different


def _shape(models: pd.Series, judged: pd.Series) -> str:
    """Return what is different in the shape of codes, where all real ones share one."""
    if not models.index.str.contains(r"\d").all():
        return ""
    for words, shaped in (
        ("codes of another shape", _exact),
        ("codes of another shape", _loose),
        ("codes of another length", _length),
    ):
        known = np.unique(shaped(models))
        if len(known) == 1:
            return words if _off(shaped(judged) != known[0], judged) else ""
    return ""


def _exact(texts: pd.Series) -> np.ndarray:
    """Return texts with 9, a and A for digits, small and capital letters."""
    shapes = texts.index.str.replace(r"\d", "9", regex=True)
    shapes = shapes.str.replace(r"[a-z]", "a", regex=True).str.replace(r"[A-Z]", "A", regex=True)
    return shapes.to_numpy(dtype=object)


def _loose(texts: pd.Series) -> np.ndarray:
    """Return texts with x for digits and letters."""
    return texts.index.str.replace(r"[0-9A-Za-z]", "x", regex=True).to_numpy(dtype=object)


def _length(texts: pd.Series) -> np.ndarray:
    return texts.index.str.len().to_numpy(dtype=np.int64)


def _coarseness(comparison: Comparison, kind: ColumnType, real: Sequence[str], table: str) -> str:
    """Return what is finer than the real numbers: decimals, multiples, times of day."""
    place = comparison.place(kind.column.name)
    if place is None or comparison.features[place].is_nominal or not hasattr(kind, "grid"):
        return ""
    levels = comparison.features[place].levels
    counts = np.sum([comparison.complete[some].counts(place)[:-1] for some in real], axis=0)
    judged = comparison.complete[table].counts(place)[:-1]
    known = levels[counts > 0]
    if not len(known) or not judged.sum():
        return ""
    summary = kind.summarise(Values(known, np.zeros(len(known), dtype=bool)))
    grid: Any = kind.grid(summary)
    if not grid.is_lattice:
        return ""
    step = grid.step if len(known) >= ENOUGH else 1
    off = ~on_lattice(levels, grid.origin, step, grid.decimals)
    if judged[off].sum() <= FEW * judged.sum():
        return ""
    if kind.name in TIMES:
        return "times finer than the real ones"
    return "numbers with more decimals or between the multiples that the real ones are"


def on_lattice(levels: np.ndarray, origin: int, step: int, decimals: int) -> np.ndarray:
    """Return which numbers are ``(origin + step * k) / 10**decimals`` with a whole k.

    Parameters
    ----------
    levels : ndarray of int64, uint64 or float64, shape (n,)
    origin, step, decimals : int
        Step is at least 1.

    Examples
    --------
    >>> on_lattice(np.array([-5, 3, 10]), 5, 5, 0).tolist()
    [True, False, True]
    """
    exact = np.ones(len(levels), dtype=bool)
    if levels.dtype.kind == "f":
        whole = np.rint(levels * 10.0**decimals)
        exact = (whole / 10.0**decimals == levels) & (np.abs(whole) < 2**62)
        levels = np.where(exact, whole, 0).astype(np.int64)
    on: np.ndarray = exact & (levels % levels.dtype.type(step) == origin % step)
    return on

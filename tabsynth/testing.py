"""The public contracts of plug-ins: what column types, models and measures must hold to work here.

Authors of plug-ins call these in their tests, as ours do; each raises
AssertionError with a sentence that names what broke.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabsynth.columns import ColumnType, Profile
from tabsynth.encoding import Block, Coding, EncodedTable, Given, Layout
from tabsynth.evaluation.base import Measure
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.result import Score
from tabsynth.models import Model
from tabsynth.privacy.training import ExactTrainingData
from tabsynth.random import Streams
from tabsynth.schema import Column
from tabsynth.schema.dtype import describe
from tabsynth.schema.infer import infer_schema

CODINGS = (
    Coding("bins"),
    Coding("bins", size=8, sub_bins=4, distinct=0),
    Coding("modes", size=5),
    Coding("scalar"),
)


def check_column_type(
    kind: type[ColumnType],
    examples: Sequence[pd.Series],
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Check that a column type keeps its contract on example columns that it claims.

    Parameters
    ----------
    kind : type of ColumnType
    examples : sequence of Series
        At least ten rows each; values that the type is meant for.
    parameters : mapping, optional
        Parameters of the column; those of the claim where left out.

    Raises
    ------
    AssertionError
        If anything of the contract is broken.
    """
    for name in ("name", "description", "measure"):
        assert getattr(kind, name, ""), f"the column type has no {name}"
    for series in examples:
        claim = kind.claims(Profile("x", series, frozenset({""})))
        assert claim is not None, f"{kind.name} does not claim one of its examples"
        assert 0 < claim.confidence <= 1, "a confidence lies in (0, 1]"
        assert claim.reason, "a claim gives a reason"
        used = dict(claim.parameters if parameters is None else parameters)
        json.dumps(used, allow_nan=False)
        unknown = set(used) - set(kind.parameters)
        assert not unknown, f"parameters that the type does not list: {sorted(unknown)}"
        column = Column("x", kind.name, parameters=used, dtype=describe(series))
        for coding in CODINGS:
            _check_codec(kind(column), series, coding)


def _check_codec(type_: ColumnType, series: pd.Series, coding: Coding) -> None:
    values = type_.parse(series)
    assert len(values) == len(series), "parse keeps the number of rows"
    whole = type_.summarise(values)
    half = len(series) // 2
    parts = type_.merge(
        type_.summarise(type_.parse(series.iloc[:half])),
        type_.summarise(type_.parse(series.iloc[half:])),
    )
    codec = type_.fit(whole, coding)
    assert type_.fit(parts, coding).state() == codec.state(), (
        "the summary of two chunks gives another codec than the summary of the whole"
    )
    state = json.loads(json.dumps(codec.state(), allow_nan=False))
    again = type_.load(state)
    assert again.blocks == codec.blocks, "loading changes the blocks"
    codes, offsets = codec.encode(values)
    assert codes.dtype == np.int32, "codes are int32"
    assert offsets.dtype == np.float32, "offsets are float32"
    check_encoded(EncodedTable(codes, offsets, Layout(codec.blocks)))
    made = codec.decode(codes, offsets, np.random.Generator(np.random.PCG64(1)))
    same = again.decode(codes, offsets, np.random.Generator(np.random.PCG64(1)))
    column = type_.render(made)
    assert len(made) == len(series), "decode keeps the number of rows"
    assert column.dtype == series.dtype, f"dtype {series.dtype} came back as {column.dtype}"
    pd.testing.assert_series_equal(column, type_.render(same))
    parsed = type_.parse(column)
    assert (parsed.missing == made.missing).all(), "what is rendered parses to the same gaps"
    none = codec.decode(codes[:0], offsets[:0], np.random.Generator(np.random.PCG64(1)))
    assert type_.render(none).dtype == series.dtype, "an empty column keeps its dtype"


def check_encoded(table: EncodedTable) -> None:
    """Check that codes and offsets are what their layout says.

    Raises
    ------
    AssertionError
        If a code is out of range, or an offset is where none belongs.
    """
    layout = table.layout
    assert np.isfinite(table.offsets).all(), "offsets are finite"
    assert (np.abs(table.offsets) <= 1).all(), "offsets lie in [-1, 1]"
    for index, block in enumerate(layout):
        codes = table.codes[:, index]
        assert ((codes >= 0) & (codes < block.size)).all(), (
            f"codes of block {index} lie in [0, {block.size})"
        )
        if block.parent is not None:
            refined = np.array(layout[block.parent].refined)[table.codes[:, block.parent]]
            assert (codes[~refined] == 0).all(), "a child's code is 0 where nothing is refined"
    for column, index in enumerate(layout.offset_blocks):
        block = layout[int(index)]
        open_ = np.array(block.continuous)[table.codes[:, int(index)]]
        assert (table.offsets[~open_, column] == 0).all(), (
            f"offsets of block {index} are 0 where the code carries none"
        )


def toy_table(n_rows: int = 200, seed: int = 0) -> EncodedTable:
    """Return a small encoded table with every kind of block, for tests of models."""
    layout = Layout(
        (
            Block("category", 3),
            Block("modes", 4, continuous=(True, True, False, False), missing=3),
            Block("bins", 5, ordinal=True, missing=4, refined=(True, True, False, True, False)),
            Block("bins", 3, continuous=(True, True, True), ordinal=True, parent=2),
            Block("only", 1),
            Block("rank", 1, continuous=(True,)),
        )
    )
    rng = np.random.Generator(np.random.PCG64(seed))
    table = EncodedTable.empty(n_rows, layout)
    table.codes[:, 0] = rng.choice(3, n_rows, p=[0.6, 0.35, 0.05])
    table.codes[:, 1] = np.where(rng.random(n_rows) < 0.8, table.codes[:, 0], 3)
    table.codes[:, 2] = rng.integers(0, 5, n_rows)
    refined = np.array(layout[2].refined)[table.codes[:, 2]]
    table.codes[:, 3] = np.where(refined, rng.integers(0, 3, n_rows), 0)
    for column, index in enumerate(layout.offset_blocks):
        open_ = np.array(layout[int(index)].continuous)[table.codes[:, int(index)]]
        table.offsets[:, column] = np.where(open_, rng.uniform(-1, 1, n_rows), 0.0)
    return table


def check_model(
    kind: type[Model], parameters: Mapping[str, Any] | None = None, n_rows: int = 200
) -> None:
    """Check that a model keeps its contract on a small table with every kind of block.

    Parameters
    ----------
    kind : type of Model
    parameters : mapping, optional
        Hyper-parameters, such as few steps to keep the test short.
    n_rows : int

    Raises
    ------
    AssertionError
        If anything of the contract is broken.
    """
    assert kind.name, "the model has no name"
    assert kind.description, "the model has no description"
    hyper = kind.parameters_type.from_dict(dict(parameters or {}), kind.name)
    json.dumps(hyper.to_dict(), allow_nan=False)
    table = toy_table(n_rows)

    def fitted(seed: int) -> Model:
        return kind(hyper).fit(ExactTrainingData(table), Streams(seed))

    model = fitted(3)
    assert isinstance(model.coding, Coding), "coding tells how numbers are wanted"
    for rows in (0, 1, 57):
        made = model.sample(rows, Streams(5))
        assert len(made) == rows, f"asked for {rows} rows, got {len(made)}"
        assert made.layout == table.layout, "rows have the layout that was learnt"
        check_encoded(made)
    made = model.sample(57, Streams(5))
    same = fitted(3).sample(57, Streams(5))
    assert _equal(made, same), "the same seeds give other rows"
    assert not _equal(made, model.sample(57, Streams(6))), "another seed gives the same rows"
    state = model.state()
    values = json.loads(json.dumps(state.values, allow_nan=False))
    for name, tensor in state.tensors.items():
        assert isinstance(tensor, np.ndarray), f"tensor {name} is no NumPy array"
    again = kind.from_state(hyper, table.layout, type(state)(values, dict(state.tensors)))
    assert _equal(made, again.sample(57, Streams(5))), "a saved model makes other rows"
    for name, given in toy_requests(table).items():
        _check_completed(model, given, name)
    given = toy_requests(table)["rows given in different blocks"]
    first, loaded = (some.complete(given, Streams(5)).table for some in (model, again))
    assert _equal(first, loaded), "a saved model completes rows in another way"


def toy_requests(table: EncodedTable, n_rows: int = 20) -> dict[str, Given]:
    """Return what rows of `toy_table` may be asked to hold, by what it tries."""
    layout = table.layout
    same = table.take(np.zeros(n_rows, dtype=np.int64))
    some = table.take(np.arange(n_rows) % len(table))
    mixed = np.zeros((n_rows, len(layout)), dtype=bool)
    mixed[::2, 0] = mixed[1::4, 1] = mixed[:, 4] = True
    mixed[::3, 2:4] = True

    def blocks(*numbers: int) -> np.ndarray:
        return np.tile(np.isin(np.arange(len(layout)), numbers), (n_rows, 1))

    return {
        "one block": Given(same, blocks(0)),
        "two blocks": Given(same, blocks(0, 1)),
        "a number with its part and its place": Given(same, blocks(2, 3)),
        "a number that is only a place": Given(same, blocks(5)),
        "nothing": Given(same, blocks()),
        "rows given in different blocks": Given(some, mixed),
        "no rows": Given(same.take(np.zeros(0, dtype=np.int64)), blocks(0)[:0]),
    }


def _check_completed(model: Model, given: Given, name: str) -> None:
    done = model.complete(given, Streams(5))
    made, known = done.table, given.known
    assert len(made) == len(given), f"{name}: {len(given)} rows were given, {len(made)} made"
    check_encoded(made)
    moved = known[:, given.layout.offset_blocks]
    assert (made.codes == given.table.codes)[known].all(), f"{name}: a given code is not kept"
    assert (made.offsets == given.table.offsets)[moved].all(), f"{name}: a given offset is not kept"
    assert _equal(made, model.complete(given, Streams(5)).table), (
        f"{name}: the same seeds give other rows"
    )
    assert done.effort.rows == len(given), f"{name}: the effort tells how many rows were made"
    assert 0 < done.effort.lowest <= done.effort.acceptance <= 1, (
        f"{name}: the effort tells which share of the draws fits"
    )


def check_measure(kind: type[Measure], n_rows: int = 400) -> None:
    """Check that a measure keeps its contract on fresh rows, on copies and on shuffled columns.

    Parameters
    ----------
    kind : type of Measure
    n_rows : int
        Rows of each table.

    Raises
    ------
    AssertionError
        If anything of the contract is broken.
    """
    train, fresh, unseen = (_people(n_rows, seed) for seed in range(3))
    rng = np.random.Generator(np.random.PCG64(3))
    shuffled = train.apply(lambda column: rng.permutation(column.to_numpy()))
    schema = infer_schema(train)
    for synthetic in (fresh, train, shuffled.astype(train.dtypes)):
        frames = {"train": train, "synthetic": synthetic, "holdout": unseen}
        tables = analyse(frames, schema)
        comparison = Comparison.of(
            tables, targets=("sick",), streams=Streams(5), frames=frames, schema=schema
        )
        for measure in kind.plan(comparison):
            scores = measure.measure(comparison)
            assert [s.name for s in scores] == [f.name for f in measure.figures], (
                "a measure returns one score for each of its figures, in their order"
            )
            again = measure.measure(comparison)
            for score, same in zip(scores, again, strict=True):
                _check_score(score)
                assert score.value == same.value, f"{score.name} is not reproducible"


def _check_score(score: Score) -> None:
    json.dumps(score.to_dict(), allow_nan=False)
    assert score.title, f"{score.name} has no title"
    assert score.explanation.endswith("."), f"{score.name} is not explained in a sentence"
    assert score.value is not None or score.problem, f"{score.name} has neither value nor reason"
    if score.value is not None and score.interval is not None:
        low, high = score.interval.low, score.interval.high
        assert low <= score.value <= high, f"{score.name} lies outside its own interval"


def _people(n_rows: int, seed: int) -> pd.DataFrame:
    """Return a small table of mixed types with something to predict."""
    rng = np.random.Generator(np.random.PCG64(seed))
    age = rng.integers(20, 90, n_rows)
    pressure = np.round(100 + 0.5 * age + rng.normal(0, 10, n_rows), 1)
    return pd.DataFrame(
        {
            "age": age,
            "pressure": np.where(rng.random(n_rows) < 0.1, np.nan, pressure),
            "ward": rng.choice(["north", "south", "west"], n_rows, p=[0.6, 0.3, 0.1]),
            "seen": pd.to_datetime("2024-01-01")
            + pd.to_timedelta(rng.integers(0, 366, n_rows), "D"),
            "sick": np.where(age + rng.normal(0, 15, n_rows) > 55, "yes", "no"),
        }
    )


def _equal(first: EncodedTable, second: EncodedTable) -> bool:
    return np.array_equal(first.codes, second.codes) and np.array_equal(
        first.offsets, second.offsets
    )

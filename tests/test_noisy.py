"""Under a budget the coding of a table is declared or bought, and nothing else of it is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from tabsynth import Synthesizer, datasets
from tabsynth.codec import TableCodec
from tabsynth.columns import columns
from tabsynth.encoding.coding import Coding
from tabsynth.encoding.table import EncodedTable
from tabsynth.errors import DataError, PrivacyError
from tabsynth.fitting import noisy_rows
from tabsynth.noisy import noisy_codec, private_schema
from tabsynth.privacy import histogram
from tabsynth.privacy.accounting import zcdp_rho
from tabsynth.privacy.budget import PrivacyBudget
from tabsynth.privacy.counting import Counts, counted
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.noise import Noise
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema
from tabsynth.schema.infer import infer_schema, with_dtypes

CODINGS = {
    "bins": Coding("bins", size=32, sub_bins=16),
    "modes": Coding("modes", size=10),
    "scalar": Coding("scalar"),
}
RHO = 0.02
FREE = 1e7
"""A rho whose noise rounds to nothing, split as it may be."""


class Account(Ledger):
    """A ledger that writes everything down and refuses nothing."""

    def debit(self, *spends):
        """Write down."""
        self.spends += spends


class Recorder(Noise):
    """Noise that keeps what it is added to; given answers, it gives these instead.

    Where one label more is counted than before, it gets an answer that no threshold lets through.
    """

    def __init__(self, seed=0, answers=()):
        super().__init__(debug_insecure_seed=seed)
        self.asked, self.sigmas, self.answers, self.replay = [], [], [], list(answers)

    def counts(self, counts, sigma):
        """Keep the counts."""
        self.asked.append(np.array(counts))
        self.sigmas.append(sigma)
        if self.replay:
            answer = self.replay.pop(0)
            if len(answer) == len(counts) - 1:
                answer = np.concatenate([answer[:-1], [-(10**6)], answer[-1:]])
        else:
            answer = super().counts(counts, sigma)
        self.answers.append(answer)
        return answer


class Exact(Recorder):
    """A mutant: no noise."""

    def counts(self, counts, sigma):
        """Return what came in."""
        self.asked.append(np.array(counts))
        self.sigmas.append(sigma)
        self.answers.append(counts)
        return counts


def buy(frame, schema, noise=None, *, coding="bins", rho=RHO, seed=0, n_rows=None, delta=1e-6):
    """Return the coding that is bought, its ledger and its noise."""
    ledger = Account(PrivacyBudget(1.0, delta))
    noise = Recorder(seed) if noise is None else noise
    if n_rows is None:  # as a fit buys it
        price = 0.02 * rho
        n_rows, rho = noisy_rows(len(frame), price, ledger, noise), rho - price
    found = noisy_codec(
        schema, frame, CODINGS[coding], ledger, noise, Streams(1), rho=rho, n_rows=n_rows
    )
    return Coded(found.codec, found.table, found.known, n_rows), ledger, noise


class Coded(NamedTuple):
    """A coding that was bought, for a number of rows."""

    codec: TableCodec
    table: EncodedTable
    known: list[Counts]
    n_rows: int


def clinic(n=3000, seed=0):
    """Return a table of texts with a column of nearly every kind."""
    rng = np.random.default_rng(seed)
    days = np.datetime64("2021-03-01") + rng.integers(0, 400, n)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 95, n).astype(str),
            "cost": [f"{x:.2f}" for x in np.exp(rng.normal(5, 1, n))],
            "gain": np.where(rng.random(n) < 0.8, 0, rng.integers(1, 9000, n)).astype(str),
            "sex": rng.choice(["f", "m"], n),
            "ward": rng.choice(["north", "south", "east"], n, p=[0.5, 0.3, 0.2]),
            "well": rng.choice(["true", "false"], n),
            "day": np.datetime_as_string(days, unit="D"),
            "left": np.datetime_as_string(days + rng.integers(0, 20, n), unit="D"),
            "wait": [f"{m // 60:02d}:{m % 60:02d}" for m in rng.integers(0, 300, n)],
            "same": ["x"] * n,
            "key": [f"P-{i:05d}" for i in range(n)],
            "name": [f"Name {i}" for i in range(n)],
            "note": [f"some words about case {i}" for i in range(n)],
        },
        dtype="str",
    )
    frame.loc[rng.random(n) < 0.1, "cost"] = None
    return frame


def clinic_schema(**more):
    """Return what is declared of `clinic`."""
    kinds = {
        "age": ("number", {"minimum": 0, "maximum": 110, "integer": True}),
        "cost": ("number", {}),
        "gain": ("number", {}),
        "sex": ("category", {"categories": ["f", "m"], "nullable": False}),
        "ward": ("category", {}),
        "well": ("boolean", {}),
        "day": ("datetime", {}),
        "left": ("datetime", {"format": "%Y-%m-%d"}),
        "wait": ("duration", {}),
        "same": ("constant", {}),
        "key": ("identifier", {"format": "P-#####"}),
        "name": ("personal", {"kind": "full_name"}),
        "note": ("text", {}),
    }
    columns = tuple(
        Column(name, kind, parameters={**given, **more.get(name, {})}, dtype="str")
        for name, (kind, given) in kinds.items()
    )
    rules = ({"inequality": ["day", "<=", "left"]},)
    return private_schema(Schema(columns, constraints=rules), inferred=False)


ODD_ROWS = {
    "an ordinary row": {},
    "an outlier": {"cost": "987654321.0", "gain": "-5555555", "age": "4000"},
    "garbage": {"cost": "abc", "age": "1e", "well": "perhaps", "day": "soon", "wait": "long"},
    "seven decimals": {"cost": "1.2345678"},
    "no values": dict.fromkeys(["age", "sex", "ward", "well", "day", "wait", "same", "name"]),
    "a new label": {"ward": "zzz", "sex": "zzz", "same": "zzz"},
    "dates in the wrong order": {"day": "2021-12-01", "left": "2021-11-01"},
    "a late date without an early one": {"day": None},
    "infinity": {"cost": "inf", "gain": "-1e400"},
}


def with_row(frame, cells):
    """Return the table with a copy of its first row below, in which `cells` are changed."""
    row = frame.iloc[[0]].copy()
    for name, cell in cells.items():
        row[name] = pd.array([cell], dtype="str")
    return pd.concat([frame, row], ignore_index=True)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("cells", ODD_ROWS.values(), ids=list(ODD_ROWS))
def test_one_row_more_changes_what_noise_is_added_to_by_one_at_most(cells, coding):
    # Given the same answers so far, every further question is the same, and differs by one row.
    frame, schema = clinic(), clinic_schema()
    first, ledger, asked = buy(frame, schema, coding=coding)
    again = Recorder(answers=asked.answers)
    second, account, _ = buy(with_row(frame, cells), schema, again, coding=coding)
    assert len(asked.asked) == len(again.asked)
    for before, after in zip(asked.asked, again.asked, strict=True):
        if len(after) == len(before) + 1:
            before = np.concatenate([before[:-1], [0], before[-1:]])
        assert before.shape == after.shape
        assert np.linalg.norm((after - before).astype(float)) <= 1
    # What is made of the answers is the same for both tables.
    assert json.dumps(first.codec.state()) == json.dumps(second.codec.state())
    assert first.codec.schema == second.codec.schema
    assert ledger.to_dict() == account.to_dict()
    assert first.n_rows == second.n_rows
    for one, other in zip(first.known, second.known, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert (one.blocks, one.sigma) == (other.blocks, other.sigma)


def test_the_codes_of_a_row_depend_on_no_other_row():
    frame, schema = clinic(), clinic_schema()
    first, _, asked = buy(frame, schema)
    cells = {name: cell for row in ODD_ROWS.values() for name, cell in row.items() if cell}
    second, _, _ = buy(with_row(frame, cells), schema, Recorder(answers=asked.answers))
    np.testing.assert_array_equal(first.table.codes, second.table.codes[:-1])
    np.testing.assert_array_equal(first.table.offsets, second.table.offsets[:-1])


@pytest.mark.parametrize("n_rows", [None, 3000])
def test_the_ledger_holds_every_release_at_its_price(n_rows):
    _, ledger, noise = buy(clinic(), clinic_schema(), n_rows=n_rows)
    assert [spend.noise for spend in ledger.spends] == noise.sigmas
    assert {spend.mechanism for spend in ledger.spends} == {"gaussian"}
    assert {spend.sensitivity for spend in ledger.spends} == {1.0}
    assert sum(spend.rho for spend in ledger.spends) == pytest.approx(RHO)
    assert sum(spend.delta for spend in ledger.spends) == pytest.approx(0.1 * 1e-6)
    words = [spend.what for spend in ledger.spends]
    assert len(set(words)) == len(words)
    assert ("number of rows" in words) is (n_rows is None)
    assert {"bounds of column 'cost'", "counts of column 'sex'"} <= set(words)


def test_a_public_number_of_rows_is_taken_and_a_noisy_one_is_not_the_true_one():
    assert buy(clinic(), clinic_schema(), n_rows=2500)[0].n_rows == 2500
    seen = {buy(clinic(), clinic_schema(), seed=seed)[0].n_rows for seed in range(4)}
    assert len(seen) > 1
    assert all(abs(n - 3000) < 6 * (1 / (2 * 0.02 * RHO)) ** 0.5 for n in seen)


def noise_is_there(noise):
    """Return whether answers differ from what was asked as widely as they should."""
    buy(clinic(), clinic_schema(), noise)
    pairs = zip(noise.asked, noise.answers, noise.sigmas, strict=True)
    scaled = np.concatenate([(answer - asked) / sigma for asked, answer, sigma in pairs])
    # Over about a thousand cells: 1 within 15 %, far outside what chance does.
    return bool(abs(scaled.std() - 1) < 0.15)


def test_noise_is_added_to_everything_and_a_mutant_without_is_found():
    assert noise_is_there(Recorder(3))
    assert not noise_is_there(Exact(3))


def test_known_counts_are_off_by_their_noise():
    found, _, _ = buy(clinic(), clinic_schema(), rho=0.2, seed=5)
    for block, counts in enumerate(found.known):
        assert counts.values.shape == tuple(found.codec.layout.sizes[b] for b in counts.blocks)
        owner = found.codec.layout[block].owner
        if owner in ("sex", "well", "age") and len(counts.blocks) == 1:
            error = counts.values - counted(found.table, counts.blocks)
            # Six to forty cells; the root mean square of so few is within a factor of two.
            assert np.sqrt((error**2).mean()) < 2 * counts.sigma


SENTINELS = ("9.87654321", "987654321", "1.2345678", "zebra", "2345678")


def leaks(n_seeds=50):
    """Return in how many of the fits a sentinel can be seen."""
    frame, declared = clinic(1500), clinic_schema(day={"format": "%Y-%m-%d"})
    columns = tuple(column for column in declared if column.name not in ("name", "note"))
    frame, schema = frame[[column.name for column in columns]], replace(declared, columns=columns)
    rows = [
        {"cost": "987654321.0", "ward": "zebra"},
        {"cost": "1.2345678", "sex": "zebra"},
        {"same": "zebra", "gain": "987654321"},
    ]
    for cells in rows:
        frame = with_row(frame, cells)
    found = 0
    for seed in range(n_seeds):
        try:
            out, ledger, _ = buy(frame, schema, seed=seed)
        except PrivacyError as error:
            text = str(error)
        else:
            known = [counts.values.tolist() for counts in out.known]
            drawn = out.codec.decode(out.table, Streams(seed)).to_json()
            parts = (out.codec.state(), out.codec.schema.to_dict(), known, ledger.to_dict(), drawn)
            text = json.dumps(parts)
        found += any(sentinel in text for sentinel in SENTINELS)
    return found


def test_what_a_single_row_holds_is_never_seen():
    # The delta of all thresholds together is 1e-7 a fit.
    assert leaks() == 0


def test_a_mutant_without_a_threshold_is_found(monkeypatch):
    monkeypatch.setattr(histogram, "threshold", lambda sigma, delta: -(10**9))
    assert leaks(3) == 3


def test_a_single_missing_cell_or_a_constant_changes_no_code():
    frame = clinic()
    schema = clinic_schema()
    found, _, asked = buy(frame, schema)
    # Noisy counts decide whether there is a code for missing cells, and nothing else does.
    names = ("age", "ward", "day", "wait", "same")
    frame.loc[7, list(names)] = None
    again, _, _ = buy(frame, schema, Recorder(answers=asked.answers))
    assert again.codec.layout == found.codec.layout
    for name in (*names, "sex"):
        (first, *_) = found.codec.layout.owned_by(name)
        assert found.codec.layout[first].missing is None
    (same,) = found.codec.layout.owned_by("same")
    # The value and all others: a constant is a category like any other.
    assert found.codec.layout[same].size == 2


@pytest.mark.parametrize("coding", CODINGS)
def test_missing_cells_that_noise_alone_could_be_are_not_made(coding):
    # Of columns without missing cells one in 44 seems to have some: of 120 more than 9 do once in
    # a thousand times, where half of them would if counts were only cut off at 0.
    frame = pd.DataFrame({name: np.arange(3000) % 50 for name in "abc"}).astype("str")
    frame["d"] = np.array(list("pqr"))[np.arange(3000) % 3]
    limits = {"a": {"minimum": 0, "maximum": 49}, "b": {"integer": True}}
    kinds = dict.fromkeys("abc", "number") | {"d": "category"}
    schema = Schema(
        tuple(Column(n, kinds[n], parameters=limits.get(n, {}), dtype="str") for n in frame)
    )
    some = 0
    for seed in range(30):
        found, _, _ = buy(frame, schema, seed=seed, coding=coding, rho=0.01)
        for name in frame:
            (first, *_) = found.codec.layout.owned_by(name)
            some += found.codec.layout[first].missing is not None
    assert some <= 9


def test_missing_cells_are_as_many_as_there_are_within_the_noise():
    spent = buy(clinic()[["age"]], Schema((Column("age", "number", dtype="str"),)))[1]
    sigma = next(s.noise for s in spent.spends if s.what == "counts of column 'age'")
    for times, most in ((0, 0.4), (1, 1.1), (2, 1.1), (5, 0.5)):
        frame = clinic()[["age"]]
        n_gaps = round(times * sigma)
        frame.loc[: n_gaps - 1, "age"] = None
        off = []
        for seed in range(60):
            found, _, _ = buy(frame, Schema((Column("age", "number", dtype="str"),)), seed=seed)
            missing = found.codec.layout[0].missing
            if missing is None:
                assert not found.codec.decode(found.table, Streams(1))["age"].isna().any()
            off.append((0 if missing is None else found.known[0].values[missing]) - n_gaps)
        # The mean is off by up to 0.7 deviations of the noise; that of 60 runs has 0.13.
        assert abs(np.mean(off)) / sigma < most


def test_what_nobody_holds_gets_no_code_but_by_chance():
    frame = pd.DataFrame({"sex": ["f", "m"] * 2_000, "gap": [None, "a", "b", "?"] * 1_000})
    parameters = {"categories": ["f", "m"]}, {"categories": ["a", "b"]}
    schema = Schema(
        tuple(
            Column(name, "category", parameters=own, dtype="str")
            for name, own in zip(frame, parameters, strict=True)
        )
    )
    found, _, _ = buy(frame.astype("str"), schema)
    sizes = [block.size for block in found.codec.layout]
    # Two values of "sex", and no others or missing; of "gap" the others and missing as well.
    assert sizes == [2, 4]
    back = found.codec.decode(found.table, Streams(2))
    assert set(back["sex"]) == {"f", "m"}


@pytest.mark.parametrize("coding", CODINGS)
def test_without_noise_the_table_comes_back(coding):
    frame = clinic()
    found, _, _ = buy(frame, clinic_schema(), coding=coding, rho=FREE)
    back = found.codec.decode(found.table, Streams(2))
    assert list(back) == [name for name in frame if name != "note"]
    for name in ("sex", "ward", "well", "same"):
        assert (back[name] == frame[name]).all()
    for name in ("age", "cost", "gain"):
        ours, theirs = pd.to_numeric(back[name]), pd.to_numeric(frame[name])
        assert (ours.isna() == theirs.isna()).all()
        marks = np.linspace(0.02, 0.98, 25)
        spread = theirs.quantile(0.95) - theirs.quantile(0.05)
        error = np.abs(ours.quantile(marks) - theirs.quantile(marks)) / spread
        assert error.max() < 0.02
    for name in ("day", "left", "wait"):
        assert set(back[name]) <= {*frame[name]} or name == "wait"
        assert (back[name] == frame[name]).mean() > 0.9
    assert back["cost"].dropna().str.fullmatch(r"\d+\.\d\d").all()
    assert back["age"].str.fullmatch(r"\d+").all()
    assert back["key"].str.fullmatch(r"P-\d{5}").all()
    assert back["key"].is_unique
    assert (back["day"] <= back["left"]).all()


@pytest.mark.parametrize("coding", CODINGS)
def test_counts_that_are_known_without_noise_are_those_of_the_rows(coding):
    found, _, _ = buy(clinic(), clinic_schema(), coding=coding, rho=FREE)
    for counts in found.known:
        if coding == "bins" or found.codec.layout[counts.blocks[0]].owner in ("sex", "well"):
            exact = counted(found.table, counts.blocks)
            # Cells are taken to be even, which they are not quite.
            assert np.abs(counts.values - exact).sum() < 0.12 * 2 * len(found.table)
        assert counts.values.sum() == pytest.approx(len(found.table), abs=1)


def bounded_schema():
    """Return what is declared of `clinic`, bounds and formats included."""
    number = {"minimum": 0, "maximum": 9000, "decimals": 2}
    day = {"format": "%Y-%m-%d", "minimum": "2021-01-01", "maximum": "2023-01-01"}
    wait = {"format": "H:M", "minimum": "00:00", "maximum": "06:00"}
    schema = clinic_schema(cost=number, gain=number, day=day, left=day, wait=wait)
    return replace(schema, constraints=())


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_table_of_hardly_any_rows_gets_a_coding_where_bounds_are_declared(n, coding):
    for seed in range(5):
        found, _, _ = buy(clinic().iloc[:n], bounded_schema(), coding=coding, seed=seed)
        assert len(found.table) == n
        back = found.codec.decode(found.table, Streams(seed))
        assert len(back) == n


@pytest.mark.parametrize("coding", CODINGS)
def test_cells_may_be_missing_everywhere(coding):
    frame = clinic()
    frame[:] = None
    found, _, _ = buy(frame.astype("str"), bounded_schema(), coding=coding)
    back = found.codec.decode(found.table, Streams(2))
    missing = [n for n in back if n not in ("sex", "key", "name")]
    assert back[missing].isna().all(axis=None)
    assert (back["sex"] == "f").all()


def test_bounds_that_noise_hides_have_to_be_declared_and_the_error_shows_no_value():
    with pytest.raises(PrivacyError, match="minimum and maximum") as caught:
        buy(clinic(20), clinic_schema(), seed=1)
    assert "'cost'" in str(caught.value)
    assert "'gain'" in str(caught.value)


def test_a_column_of_which_noise_shows_only_that_it_is_empty_comes_out_empty():
    frame = clinic()
    frame["gain"] = np.where(np.arange(len(frame)) < 8, 77.0, np.nan)
    found, _, _ = buy(frame, clinic_schema(), seed=1)
    back = found.codec.decode(found.table, Streams(2))
    assert back["gain"].isna().all()
    assert "declare minimum and maximum" in found.codec.schema["gain"].reason
    assert not back["cost"].isna().all()
    kept, _, _ = buy(frame, clinic_schema(gain={"minimum": 0, "maximum": 99}), seed=1)
    assert not kept.codec.schema["gain"].reason


def test_declared_categories_are_all_there_is_whatever_the_rows_hold():
    frame = clinic()
    schema = clinic_schema(ward={"categories": ["north", "moon"]})
    found, _, _ = buy(frame, schema, rho=FREE)
    back = found.codec.decode(found.table, Streams(2))["ward"]
    assert set(back) == {"north", "__other__"}
    assert found.codec.codecs["ward"].labels == ("north", "moon")
    assert ((back == "north") == (frame["ward"] == "north")).all()


def test_labels_that_are_shown_are_in_the_order_of_their_noisy_counts():
    found, _, _ = buy(clinic(), clinic_schema())
    codec = found.codec.codecs["ward"]
    assert codec.labels == ("north", "south", "east")
    assert codec.other_label == "__other__"


def test_what_inference_read_off_is_dropped_from_a_schema_and_what_was_declared_is_kept():
    frame = clinic()
    frame["odd"] = pd.Categorical(["q"] * len(frame), categories=["q", "secret"])
    overrides = {"age": Column("age", "number", parameters={"minimum": 0, "maximum": 99})}
    schema = infer_schema(frame, overrides=overrides)
    kept = private_schema(schema, inferred=False)
    assert kept["age"].parameters == {"minimum": 0, "maximum": 99}
    assert all(not column.learned and not column.reason for column in kept)
    assert "nullable" not in kept["cost"].parameters
    assert kept["same"].type == "category"
    assert "secret" not in json.dumps(kept.to_dict())
    bare = private_schema(schema, inferred=True)
    assert all(set(column.parameters) <= {"kind"} for column in bare)
    assert bare.constraints == ()
    assert bare.primary_key is None


def typed(n=2000):
    """Return a table of other dtypes than text."""
    rng = np.random.default_rng(1)
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n), unit="min")
    return pd.DataFrame(
        {
            "whole": rng.integers(-50, 50, n),
            "real": rng.normal(0, 1e-3, n),
            "price": np.round(rng.gamma(2, 20, n), 2),
            "small": pd.array(rng.integers(0, 5, n), dtype="Int8"),
            "flag": rng.random(n) < 0.3,
            "level": pd.Categorical(rng.choice(["lo", "hi"], n), ["lo", "hi"], ordered=True),
            "when": times,
            "zoned": times.tz_localize("UTC").tz_convert("Europe/Vienna"),
            "span": pd.to_timedelta(rng.integers(0, 10**4, n), unit="s"),
            "mixed": pd.Series(rng.choice(np.array(["a", 1, True], dtype=object), n), dtype=object),
            "objects": pd.Series([*rng.integers(0, 9, n).tolist()], dtype=object),
            "arrow": pd.Series(rng.integers(0, 9, n), dtype="int64[pyarrow]"),
        }
    )


@pytest.mark.parametrize("coding", CODINGS)
def test_every_dtype_comes_back(coding):
    frame = typed()
    kinds = {
        **dict.fromkeys(("whole", "real", "price", "small", "objects", "arrow"), "number"),
        **{"flag": "boolean", "level": "category", "when": "datetime", "zoned": "datetime"},
        **{"span": "duration", "mixed": "category"},
    }
    schema = Schema(tuple(Column(name, kind) for name, kind in kinds.items()))
    schema = private_schema(with_dtypes(schema, frame), inferred=False)
    found, _, _ = buy(frame, schema, coding=coding, rho=FREE)
    back = found.codec.decode(found.table, Streams(2))
    same = [name for name in kinds if name != "level"]
    assert back[same].dtypes.to_dict() == frame[same].dtypes.to_dict()
    assert set(back["level"].dtype.categories) >= {"lo", "hi"}
    assert (back["level"].astype(str) == frame["level"].astype(str)).all()
    assert (back["mixed"].map(repr) == frame["mixed"].map(repr)).all()
    assert (back["flag"] == frame["flag"]).all()
    assert (back["small"] == frame["small"]).all()
    assert (back["price"].round(2) == back["price"]).all()
    assert (back["when"].dt.second == 0).all()
    error = np.abs(back["real"].quantile([0.1, 0.5, 0.9]) - frame["real"].quantile([0.1, 0.5, 0.9]))
    assert error.max() < 5e-5


ODD_CELLS = [
    *("1", "-2.50", "1,5", "1e5", "1e999", "-inf", "nan", " 7 ", "0x1F", "1_000", "abc", "", "?"),
    *("true", "F", "yes", "2021-03-01", "2021-02-30", "99999-01-01", "03/04/2021", "07:30"),
    *("7:5", "3 days 07:30:00", "9" * 40, "\u0661", "\U0001f600", "\x00", None),
]
OBJECTS = [
    *(True, False, 1, 0, -3.5, float("inf"), 2**70, -(2**70), b"x", [1], {"a": 1}, pd.NaT, pd.NA),
    *(pd.Timestamp("2021-01-01"), pd.Timestamp("2021-01-01", tz="UTC"), pd.Timedelta("1h")),
]


@pytest.mark.parametrize("kind", ["number", "datetime", "duration", "boolean", "category"])
@pytest.mark.parametrize("dtype", ["str", "object"])
def test_every_cell_is_read_without_an_error_and_as_if_it_were_alone(kind, dtype):
    cells = ODD_CELLS if dtype == "str" else [*ODD_CELLS, *OBJECTS]
    spec = "str" if dtype == "str" else {"object": "mixed"}
    type_ = columns.get(kind)(Column("x", kind, dtype=spec), frozenset({"", "?"}))

    def read(some):
        series = pd.Series(np.empty(len(some), dtype=object), name="x")
        series[:] = some
        values = type_.read(series.astype("str") if dtype == "str" else series)
        data = values.data if values.labels is None else np.array([*values.labels, 0], object)
        data = data if values.labels is None else data[values.data]
        return values.data.dtype, [
            None if m else x for x, m in zip(data, values.missing, strict=True)
        ]

    together, every = read(cells)
    for cell, found in zip(cells, every, strict=True):
        alone, (single,) = read([cell])
        assert alone == together
        assert repr(single) == repr(found)


def declared_objects(**more):
    """Return a table of Python objects and a schema that does not say what kind they are."""
    rng, n = np.random.default_rng(2), 2_000
    flags = rng.random(n) < 0.5
    cells = {
        "whole": [f"{x:05d}" for x in rng.integers(0, 500, n)],
        "real": [f"{x:.2f}" for x in rng.normal(50, 9, n)],
        "number": rng.integers(0, 500, n).tolist(),
        "flag": ["yes" if flag else "no" for flag in flags],
        "truth": flags.tolist(),
    }
    frame = pd.DataFrame({name: pd.Series(some, dtype=object) for name, some in cells.items()})
    types = {"whole": "number", "real": "number", "number": "number", "flag": "boolean"}
    columns = [
        Column(name, types.get(name, "boolean"), parameters={"nullable": False}, **more)
        for name in cells
    ]
    return frame, Schema(tuple(columns))


def test_texts_in_columns_of_objects_come_back_as_texts():
    frame, schema = declared_objects()
    fitted = Synthesizer("independent", schema=schema, epsilon=5.0, seed=1).fit(frame)
    made = fitted.sample(300)
    kinds = {name: {type(cell) for cell in made[name]} for name in made}
    assert kinds == {"whole": {str}, "real": {str}, "number": {int}, "flag": {str}, "truth": {bool}}
    assert made["real"].str.fullmatch(r"-?\d+\.\d\d").all()
    words = [spend.what for spend in fitted.ledger_.spends]
    assert [w for w in words if w.startswith("kind of objects")] == [
        f"kind of objects of column {name!r}" for name in frame
    ]


def test_a_schema_that_says_text_is_believed_of_objects_and_saves_the_price():
    frame, schema = declared_objects(dtype="str")
    frame, texts = frame[["whole", "flag"]], ("whole", "flag")
    schema = Schema(tuple(column for column in schema if column.name in texts))
    fitted = Synthesizer("independent", schema=schema, epsilon=5.0, seed=1).fit(frame)
    made = fitted.sample(300)
    assert {type(cell) for name in made for cell in made[name]} == {str}
    assert made.dtypes.tolist() == [object, object]
    assert not any("kind" in spend.what for spend in fitted.ledger_.spends)


def test_each_row_has_one_vote_on_the_kind_of_objects():
    frame, schema = declared_objects()
    frame, schema = frame[["whole"]], Schema((schema["whole"],))
    schema = with_dtypes(schema, frame.iloc[:0])
    asked = []
    for cells in ([], ["x"], [5], [None]):
        more = pd.DataFrame({"whole": pd.Series(cells, dtype=object)})
        recorder = buy(pd.concat([frame, more], ignore_index=True), schema)[2]
        asked.append(recorder.asked[1])
    assert [(votes - asked[0]).tolist() for votes in asked] == [[0, 0], [1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize("kind", ["phone", "national_id", "iban", "credit_card", "email", "url"])
def test_personal_data_is_made_up_from_what_is_declared_alone(kind):
    column = Column("p", "personal", parameters={"kind": kind, "nullable": True}, dtype="str")
    found, ledger, _ = buy(pd.DataFrame({"p": ["secret"] * 40}, dtype="str"), Schema((column,)))
    back = found.codec.decode(found.table, Streams(3))["p"]
    assert back.nunique() > 30
    assert "secret" not in json.dumps(found.codec.state())
    assert [s.what for s in ledger.spends] == ["number of rows", "missing cells of column 'p'"]


def test_categories_without_a_budget_are_all_that_is_released():
    series = pd.Series(["a"] * 9 + ["b"] * 9 + ["c"], name="x", dtype="str")
    column = Column("x", "category", parameters={"categories": ["c", "a"]}, dtype="str")
    kind = columns.get("category")(column)
    codec = kind.fit(kind.summarise(kind.parse(series)), Coding())
    assert codec.labels == ("c", "a")
    codes, offsets = codec.encode(kind.parse(series))
    back = kind.render(codec.decode(codes, offsets, np.random.default_rng(0)))
    assert back.tolist() == ["a"] * 9 + ["__other__"] * 9 + ["c"]


def test_operating_system_noise_and_a_real_ledger_pay_for_a_table():
    ledger = Ledger(PrivacyBudget(1.0))
    rho = 0.15 * zcdp_rho(1.0, 1e-6)
    limits = {"minimum": 0, "maximum": 9000}
    schema = bounded_schema()
    schema = schema.with_column(replace(schema["gain"], parameters=limits))
    noise = Noise()
    n_rows = noisy_rows(3000, 0.02 * rho, ledger, noise)
    found = noisy_codec(
        schema, clinic(), CODINGS["bins"], ledger, noise, Streams(1), rho=0.98 * rho, n_rows=n_rows
    )
    assert 0 < ledger.epsilon() < 0.5
    assert len(found.known) == len(found.codec.layout)


FIVE = ("adult", "credit_default", "online_shoppers", "beijing_pm25", "nist_acs_ma2019")
RARE = dict.fromkeys(("DVET", "DREM", "DPHY", "DEYE", "DEAR"), (0, 20))
"""Columns of the census extract with so few answers that noise hides their bounds."""


@pytest.mark.audit
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", FIVE)
def test_public_tables_come_back_up_to_the_noise_of_their_coding(name, coding):
    try:
        frame = datasets.load(name)
    except DataError:
        pytest.skip("the table is not on this machine")
    rng = np.random.default_rng(0)
    frame = frame.iloc[rng.permutation(len(frame))[:16_000]].reset_index(drop=True)
    schema = private_schema(infer_schema(frame), inferred=True)
    for column, (low, high) in RARE.items():
        if name.startswith("nist") and column in schema:
            limits = {"minimum": low, "maximum": high}
            schema = schema.with_column(replace(schema[column], parameters=limits))
    rho = 0.15 * zcdp_rho(1.0, 1e-6)
    found, _, noise = buy(frame, schema, coding=coding, rho=rho)
    back = found.codec.decode(found.table, Streams(2))
    far = []
    for column in back:
        if schema[column].type in ("identifier", "personal"):
            continue
        ours, theirs = (some[column].astype(object).map(str) for some in (back, frame))
        if schema[column].type == "number":
            both = [pd.to_numeric(some[column], errors="coerce") for some in (back, frame)]
            cuts = np.unique(both[1].quantile(np.linspace(0, 1, 11)[1:-1]))
            ours, theirs = (
                pd.Series(np.where(x.isna(), -1, np.searchsorted(cuts, x))) for x in both
            )
        shares = [some.value_counts(normalize=True) for some in (ours, theirs)]
        far.append(0.5 * shares[0].sub(shares[1], fill_value=0).abs().sum())
    # A code has to hold several times the noise of a count; what holds less is put elsewhere.
    assert np.mean(far) < 6 * max(noise.sigmas) / len(frame)
    assert np.mean(far) < 0.06

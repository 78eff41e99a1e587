"""What rows are given they hold exactly, whatever the column, the model and the constraints."""

import numpy as np
import pandas as pd
import pytest

from tabsynth import ConfigError, SampleError, Synthesizer, infer_schema
from tabsynth.constraints import Constraint
from tabsynth.constraints.inequality import Inequality
from tabsynth.models import Model

NEURAL = {
    "tvae": {"steps": 60, "hidden": 32},
    "ctgan": {"steps": 30, "hidden": 32},
    "autoregressive": {"steps": 30, "hidden": 16},
}
MODELS = ["independent", "tvae", "ctgan", "autoregressive"]


def patients(n_rows=600, seed=0):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["female", "male"], n_rows)
    admitted = pd.to_datetime("2022-01-01") + pd.to_timedelta(
        rng.integers(0, 900 * 24, n_rows), "h"
    )
    discharged = admitted + pd.to_timedelta(rng.gamma(2, 40, n_rows).round(), "h")
    note = pd.array(np.where(rng.random(n_rows) < 0.3, None, rng.integers(0, 6, n_rows)), "Int64")
    return pd.DataFrame(
        {
            "patient": [f"P-{number:06d}" for number in rng.permutation(10**6)[:n_rows]],
            "sex": sex,
            "age": rng.integers(18, 90, n_rows),
            "height": np.round(rng.normal(168, 7, n_rows) + 8 * (sex == "male"), 1),
            "grade": pd.Categorical(rng.choice([1, 2, 3], n_rows)),
            "smoker": rng.random(n_rows) < 0.3,
            "admitted": admitted,
            "discharged": discharged,
            "note": note,
            "clinic": "north",
            "remark": [f"words that are new in row {number} of many" for number in range(n_rows)],
        }
    )


@pytest.fixture(scope="module")
def table():
    return patients()


@pytest.fixture(scope="module")
def fitted(table):
    def fit(name):
        if name not in kept:
            kept[name] = Synthesizer(name, parameters=NEURAL.get(name), seed=7).fit(table)
        return kept[name]

    kept = {}
    return fit


DAY = pd.Timestamp("2023-03-01 09:00")
REQUESTS = {
    "a category": {"sex": "female"},
    "a category of numbers": {"grade": 2},
    "a truth value": {"smoker": True},
    "a number": {"age": 37},
    "a number with decimals": {"height": 171.3},
    "a missing cell": {"note": None},
    "a number that may be missing": {"note": 3},
    "a date": {"admitted": DAY},
    "the date that another one hangs on, and that one": {
        "admitted": DAY,
        "discharged": DAY + pd.Timedelta(hours=50),
    },
    "a date that hangs on another one": {"discharged": DAY},
    "several columns": {"sex": "male", "age": 41, "smoker": False},
    "a constant": {"clinic": "north"},
    "nothing": {},
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("given", REQUESTS.values(), ids=REQUESTS)
def test_every_row_holds_what_is_given(table, fitted, model, given):
    synth = fitted(model)
    made = synth.sample(40, given=given, seed=1)
    assert len(made) == 40
    assert list(made.columns) == [name for name in table.columns if name != "remark"]
    for name, value in given.items():
        assert (made[name].isna() if value is None else made[name] == value).all(), name
    pd.testing.assert_series_equal(made.dtypes, table.drop(columns="remark").dtypes)
    assert (made["discharged"] >= made["admitted"]).all()
    assert made["patient"].is_unique
    assert synth.effort_.rows == 40
    assert 0 < synth.effort_.lowest <= synth.effort_.acceptance <= 1
    pd.testing.assert_frame_equal(made, synth.sample(40, given=given, seed=1))


@pytest.mark.parametrize("model", MODELS)
def test_rows_of_a_frame_are_completed_in_their_order(fitted, model):
    wanted = patients(24, seed=1)[["age", "discharged", "sex", "note", "admitted"]]
    wanted.index = np.arange(24)[::-1] * 7
    rng = np.random.default_rng(2)
    wanted = wanted.astype({"age": "Int64"}).mask(rng.random(wanted.shape) < 0.5)
    made = fitted(model).sample(given=wanted, seed=1)
    assert made.index.equals(pd.RangeIndex(24))
    for name in wanted:
        asked = wanted[name].notna().to_numpy()
        assert asked.any()
        assert (made[name].to_numpy()[asked] == wanted[name].to_numpy()[asked]).all()
    assert made["note"].isna().any()  # a cell that is not given may be missing or not
    assert (made["discharged"] >= made["admitted"]).all()


def test_a_date_given_on_its_own_moves_the_one_that_it_hangs_on_little(table, fitted):
    made = fitted("independent").sample(500, given={"discharged": DAY}, seed=1)
    stay = (DAY - made["admitted"]).dt.total_seconds() / 3600
    real = (table["discharged"] - table["admitted"]).dt.total_seconds() / 3600
    assert stay.median() == pytest.approx(real.median(), rel=0.2)
    assert stay.quantile(0.9) == pytest.approx(real.quantile(0.9), rel=0.3)
    assert "by rejection" in fitted("independent").effort_.in_words()


def test_no_rows_are_an_empty_table_with_the_right_dtypes(table, fitted):
    for given in ({"sex": "male"}, {"discharged": DAY}):
        made = fitted("independent").sample(0, given=given)
        pd.testing.assert_series_equal(made.dtypes, table.drop(columns="remark").dtypes)
    empty = fitted("tvae").sample(given=pd.DataFrame({"sex": pd.Series([], dtype="str")}))
    assert len(empty) == 0


def test_a_loaded_model_completes_the_same_rows(fitted, tmp_path):
    for model in MODELS:
        fitted(model).save(tmp_path / model)
        again = Synthesizer.load(tmp_path / model)
        given = {"sex": "male", "height": 180.0}
        pd.testing.assert_frame_equal(
            again.sample(20, given=given, seed=3), fitted(model).sample(20, given=given, seed=3)
        )


def test_what_is_given_changes_nothing_where_nothing_is_given(fitted):
    synth = fitted("tvae")
    before = synth.sample(30, seed=4)
    synth.sample(30, given={"sex": "male"}, seed=4)
    pd.testing.assert_frame_equal(before, synth.sample(30, seed=4))
    assert synth.effort_ is None


def test_rows_follow_what_goes_with_the_value_given():
    """Ward a has 80% sick patients aged about 70, ward b 10% aged about 40."""
    rng = np.random.default_rng(3)
    n = 4_000
    a = rng.random(n) < 0.3
    table = pd.DataFrame(
        {
            "ward": np.where(a, "a", "b"),
            "sick": np.where(rng.random(n) < np.where(a, 0.8, 0.1), "yes", "no"),
            "age": np.where(a, rng.normal(70, 5, n), rng.normal(40, 5, n)).round().astype(int),
        }
    )
    synth = Synthesizer("tvae", parameters={"steps": 1000, "hidden": 64}, seed=7).fit(table)
    for ward, share, age in (("a", 0.8, 70), ("b", 0.1, 40)):
        made = synth.sample(2_000, given={"ward": ward}, seed=1)
        assert (made["sick"] == "yes").mean() == pytest.approx(share, abs=0.1)
        assert made["age"].mean() == pytest.approx(age, abs=4)
    # Given the age, the ward is all but certain: 0.3 without.
    made = synth.sample(1_000, given={"age": 72}, seed=1)
    assert (made["ward"] == "a").mean() > 0.8


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sexx": "male"}, "no column 'sexx'. Did you mean 'sex'"),
        ({"sex": "ZQX"}, "1 of 1 values is none that can be asked for.* one of the 2 values"),
        ({"age": 300}, "column 'age' .*within the range that was learnt"),
        ({"age": 37.5}, "column 'age' .*decimals or steps"),
        ({"age": None}, "column 'age' .*never missing"),
        ({"age": [1, 2]}, "a single value"),
        ({"height": "ZQX"}, "cannot be read as a number"),
        ({"grade": 7}, "column 'grade' .*one of the 3 values"),
        ({"patient": "P-000001"}, "column 'patient' .*never learnt. Put the values in after"),
        ({"remark": "words"}, "column 'remark' .*left out"),
        ({"clinic": "south"}, "column 'clinic' .*the one cell that every row has"),
        ({"discharged": None}, "column 'discharged' .*never missing"),
        (
            {"admitted": DAY, "discharged": DAY - pd.Timedelta(hours=1)},
            "'admitted' and 'discharged' break the constraint 'inequality'",
        ),
        (
            {"admitted": DAY, "discharged": DAY + pd.Timedelta(days=400)},
            "1 of 1 pairs are none that can be asked for",
        ),
    ],
)
def test_what_no_row_can_hold_is_refused_in_words_that_show_no_value(fitted, given, words):
    with pytest.raises(ConfigError, match=words) as caught:
        fitted("independent").sample(5, given=given)
    assert not any(mark in str(caught.value) for mark in ("ZQX", "300", "37.5", "2023", "south"))


def test_all_problems_are_told_at_once_and_how_many_rows_have_them(fitted):
    wanted = pd.DataFrame({"sex": ["male", "x", "y", None], "age": [20, 30, 999, 40]})
    with pytest.raises(ConfigError) as caught:
        fitted("independent").sample(given=wanted)
    assert "'sex' (category): 2 of 3 values are" in str(caught.value)
    assert "'age' (number): 1 of 4 values is" in str(caught.value)


def test_a_rare_value_is_refused_like_one_that_is_not_there():
    table = pd.DataFrame({"code": ["a"] * 60 + ["b"] * 60 + ["rare"] * 2, "x": range(122)})
    synth = Synthesizer("independent", seed=7).fit(table)
    said = []
    for value in ("rare", "never"):
        with pytest.raises(ConfigError) as caught:
            synth.sample(5, given={"code": value})
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_how_many_rows_must_be_clear(fitted):
    synth, wanted = fitted("independent"), pd.DataFrame({"sex": ["male"] * 3})
    assert len(synth.sample(given=wanted)) == len(synth.sample(3, given=wanted)) == 3
    with pytest.raises(ConfigError, match="rows given are 3"):
        synth.sample(4, given=wanted)
    with pytest.raises(ConfigError, match="how many rows"):
        synth.sample(given={"sex": "male"})
    with pytest.raises(ConfigError, match="max_tries must be an integer of at least 1"):
        synth.sample(4, given=wanted, max_tries=0)
    with pytest.raises(ConfigError, match="such as"):
        synth.sample(4, given=["sex"])


def test_values_that_come_together_too_rarely_are_refused_and_not_left_out(fitted, monkeypatch):
    synth = fitted("independent")
    monkeypatch.setattr(type(synth.model_), "complete", Model.complete)
    with pytest.raises(SampleError, match=r"of 400 rows could be made .*columns 'sex', 'age'"):
        synth.sample(400, given={"sex": "male", "age": 40}, max_tries=20)
    assert len(synth.sample(400, given={"sex": "male", "age": 40})) == 400
    assert synth.effort_.acceptance == pytest.approx(0.5 / 72, rel=0.5)


def test_what_it_took_is_logged(fitted, caplog):
    with caplog.at_level("INFO", logger="tabsynth"):
        fitted("ctgan").sample(10, given={"sex": "male"}, seed=1)
    assert "given sex: 10 rows by weighting from" in caplog.text


def test_a_text_table_is_given_texts_or_what_they_mean():
    table = patients()[["sex", "age", "height", "admitted"]]
    table["admitted"] = table["admitted"].dt.strftime("%d.%m.%Y")
    table["code"] = [f"{number % 7:03d}" for number in range(len(table))]
    synth = Synthesizer("independent", seed=7).fit(table.astype("str"))
    for given in (
        {"age": "37", "admitted": "01.03.2023", "code": "003", "height": "170.5"},
        {"age": 37, "code": "003", "height": 170.5},
    ):
        made = synth.sample(10, given=given, seed=1)
        for name, value in given.items():
            assert (made[name] == str(value)).all()
    with pytest.raises(ConfigError, match="code"):
        synth.sample(10, given={"code": "3"})


def test_an_empty_text_asks_for_a_missing_cell_where_that_is_what_it_means():
    table = pd.DataFrame({"a": ["x", "y", ""] * 40, "b": ["1", "2", "?"] * 40})
    schema = infer_schema(table, missing_values=("", "?"))
    synth = Synthesizer("independent", schema=schema, seed=7).fit(table)
    made = synth.sample(8, given={"a": "", "b": "?"})
    assert made["a"].isin(["", None]).all()
    assert not made["b"].isin(["1", "2"]).any()


def test_a_time_with_another_zone_is_the_same_moment():
    times = pd.date_range("2024-01-01", periods=80, freq="h", tz="Europe/Vienna")
    table = pd.DataFrame({"seen": times, "x": range(80)})
    synth = Synthesizer("independent", seed=7).fit(table)
    made = synth.sample(5, given={"seen": times[30].tz_convert("UTC")})
    assert (made["seen"] == times[30]).all()
    assert made["seen"].dtype == table["seen"].dtype


def test_what_a_constraint_cannot_work_back_from_is_refused(fitted, monkeypatch):
    monkeypatch.setattr(Inequality, "require", Constraint.require)
    with pytest.raises(ConfigError, match="only together with 'admitted'"):
        fitted("independent").sample(5, given={"discharged": DAY})

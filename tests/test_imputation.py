"""Missing cells are filled by the model, given the rest of the row; nothing else is touched."""

import numpy as np
import pandas as pd
import pytest

from tabsynth import ConfigError, DataError, SampleError, SchemaError, Synthesizer, infer_schema
from tabsynth.models import Model

MODELS = {
    "independent": {},
    "tree": {"rounds": 20},
    "autoregressive": {"steps": 40, "hidden": 16},
}
LEARNT = ["sex", "age", "height", "grade", "smoker", "ward", "admitted", "discharged", "note"]


def patients(n_rows=500, seed=0):
    rng = np.random.default_rng(seed)
    sex = rng.choice(["female", "male"], n_rows)
    admitted = pd.to_datetime("2022-01-01") + pd.to_timedelta(
        rng.integers(0, 900 * 24, n_rows), "h"
    )
    discharged = admitted + pd.to_timedelta(rng.gamma(2, 40, n_rows).round(), "h")
    copies = np.where(rng.random(n_rows) < 0.95, np.char.add("ward of the ", sex), "other ward")
    return pd.DataFrame(
        {
            "patient": [f"P-{number:06d}" for number in rng.permutation(10**6)[:n_rows]],
            "sex": sex,
            "age": pd.array(rng.integers(18, 90, n_rows), "Int64"),
            "height": np.round(rng.normal(168, 7, n_rows) + 8 * (sex == "male"), 1),
            "grade": pd.Categorical(rng.choice([1, 2, 3], n_rows)),
            "smoker": pd.array(rng.random(n_rows) < 0.3, "boolean"),
            "ward": copies,
            "admitted": admitted,
            "discharged": discharged,
            "note": pd.array(rng.integers(0, 6, n_rows), "Int64"),
            "clinic": "north",
            "remark": [f"words that are new in row {number} of many" for number in range(n_rows)],
        }
    )


def pierced(table, share=0.2, seed=3):
    rng = np.random.default_rng(seed)
    holes = table.copy()
    for name in LEARNT:
        holes[name] = holes[name].mask(rng.random(len(table)) < share)
    return holes


@pytest.fixture(scope="module")
def fitted():
    def fit(name):
        if name not in kept:
            table = patients()
            table["note"] = table["note"].mask(np.arange(len(table)) % 3 == 0)
            synth = Synthesizer(name, parameters=MODELS.get(name), seed=7)
            kept[name] = synth.fit(table)
        return kept[name]

    kept = {}
    return fit


@pytest.mark.parametrize("model", MODELS)
def test_what_is_there_stays_and_nothing_learnt_is_missing(fitted, model):
    holes = pierced(patients(150, seed=1))
    holes.index = np.arange(150)[::-1] * 7
    holes = holes[holes.columns[::-1]]
    before, synth = holes.copy(deep=True), fitted(model)
    filled = synth.impute(holes, seed=1)
    pd.testing.assert_frame_equal(holes, before)
    pd.testing.assert_series_equal(filled.dtypes, holes.dtypes)
    assert filled.index.equals(holes.index)
    assert filled.columns.equals(holes.columns)
    for name in holes:
        known = holes[name].notna()
        pd.testing.assert_series_equal(filled[name][known], holes[name][known], check_exact=True)
    assert not filled[LEARNT].isna().any(axis=None)
    assert (filled["discharged"] >= filled["admitted"]).all()
    assert (
        synth.imputation_.filled
        == holes[LEARNT].isna().sum()[::-1].loc[list(synth.imputation_.filled)].to_dict()
    )
    assert synth.imputation_.left == ("remark", "clinic", "patient")


@pytest.mark.parametrize("model", MODELS)
def test_seeds_repeat_it_and_draws_differ(fitted, model):
    holes, synth = pierced(patients(60, seed=1)), fitted(model)
    one, two = synth.impute(holes, draws=2, seed=1, max_tries=200)
    assert one.equals(synth.impute(holes, seed=1, max_tries=200))
    assert not one.equals(two)
    assert not one.equals(synth.impute(holes, seed=2, max_tries=200))
    assert not synth.impute(holes, max_tries=200).equals(synth.impute(holes, max_tries=200))


def copies(n_rows=800, seed=0):
    """Return a table in which y is x in 95% of the rows."""
    rng = np.random.default_rng(seed)
    x = rng.choice(["a", "b", "c", "d"], n_rows)
    y = np.where(rng.random(n_rows) < 0.95, x, rng.choice(["a", "b", "c", "d"], n_rows))
    return pd.DataFrame({"z": rng.normal(size=n_rows).round(2), "x": x, "y": y})


@pytest.mark.parametrize("model", ["tree", "autoregressive"])
def test_what_a_column_says_is_heeded(model):
    settings = {"tree": {"rounds": 20}, "autoregressive": {"steps": 250, "hidden": 16}}[model]
    synth = Synthesizer(model, parameters=settings, seed=7).fit(copies())
    table = copies(400, seed=1)
    holes = table.assign(y=None).astype({"y": "str"})
    assert (synth.impute(holes, seed=1)["y"] == table["y"]).mean() >= 0.85


def test_columns_that_do_not_hang_together_are_filled_by_their_shares(fitted):
    table = patients(300, seed=1)
    holes = table.assign(ward=None).astype({"ward": "str"})
    filled = fitted("independent").impute(holes, seed=1)
    assert (filled["ward"] == table["ward"]).mean() < 0.65


@pytest.mark.parametrize("model", MODELS)
def test_a_cell_that_was_never_learnt_is_kept_and_stops_nothing(fitted, model):
    holes = pierced(patients(40, seed=1))
    holes["sex"] = holes["sex"].fillna("male")
    holes.loc[0, ["sex", "age", "ward"]] = ["unheard of", 300, None]
    holes.loc[1, ["height", "note"]] = [171.123456, pd.NA]
    synth = fitted(model)
    filled = synth.impute(holes, seed=1)
    assert filled.loc[0, "sex"] == "unheard of"
    assert filled.loc[0, "age"] == 300
    assert filled.loc[1, "height"] == 171.123456
    assert synth.imputation_.unasked["sex"] == 1
    assert synth.imputation_.unasked["age"] == 1
    assert synth.imputation_.unasked["height"] == 1
    assert not filled[LEARNT].isna().any(axis=None)


def test_rows_that_are_too_rare_are_drawn_from_what_says_most(fitted, caplog):
    table = patients(200, seed=1)
    holes = table.assign(ward=None).astype({"ward": "str"})
    with caplog.at_level("INFO", logger="tabsynth"):
        filled = fitted("tree").impute(holes, seed=1, max_tries=200)
    assert fitted("tree").imputation_.relaxed == 200
    assert "200 rows are too rare to be asked for whole" in caplog.text
    assert "never learnt: patient, clinic, remark" in caplog.text
    assert (filled["ward"] == table["ward"]).mean() > 0.8


def test_other_models_are_asked_for_less_where_rows_are_too_rare(fitted, monkeypatch):
    synth, holes = fitted("independent"), pierced(patients(60, seed=1))
    monkeypatch.setattr(type(synth.model_), "complete", Model.complete)
    filled = synth.impute(holes, seed=1, max_tries=20)
    assert synth.imputation_.relaxed > 30
    assert not filled[LEARNT].isna().any(axis=None)
    assert (filled["discharged"] >= filled["admitted"]).all()
    for name in LEARNT:
        known = holes[name].notna()
        pd.testing.assert_series_equal(filled[name][known], holes[name][known], check_exact=True)


@pytest.mark.parametrize("model", ["independent", "tree"])
def test_dates_that_hang_on_each_other_keep_their_order(fitted, model):
    table = patients(120, seed=1)
    lone = table.assign(admitted=pd.NaT).astype({"admitted": table["admitted"].dtype})
    filled = fitted(model).impute(lone, seed=1)
    assert (filled["discharged"] == table["discharged"]).all()
    stay = (filled["discharged"] - filled["admitted"]).dt.total_seconds() / 3600
    assert (stay >= 0).all()
    assert stay.median() < 24 * 30  # near the date that is known, not anywhere before it


@pytest.mark.parametrize("model", ["independent", "tree"])
def test_what_could_only_break_a_constraint_is_an_error_and_not_filled_in(fitted, model):
    table = patients(20, seed=1)[["admitted", "discharged"]]
    table.loc[0] = [pd.NaT, pd.Timestamp("2015-01-01")]  # before all days that were learnt
    with pytest.raises(SampleError, match="1 cell of 'admitted' could not be filled"):
        fitted(model).impute(table, seed=1, max_tries=200)


def test_a_column_that_is_mostly_missing_is_filled_all_the_same():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.choice(["a", "b"], 2000)})
    for name in "uvw":
        table[name] = pd.Series(rng.choice(["c", "d"], 2000)).mask(rng.random(2000) < 0.9)
    for model in ("independent", "tree"):
        filled = Synthesizer(model, parameters=MODELS[model], seed=7).fit(table).impute(table)
        assert not filled.isna().any(axis=None)


def test_cells_that_the_model_always_leaves_out_are_an_error_and_not_left(fitted, monkeypatch):
    synth, holes = fitted("independent"), patients(40, seed=1)
    holes["note"] = holes["note"].mask(np.arange(40) < 3)
    complete = type(synth.model_).complete

    def without(self, given, *rest):
        done = complete(self, given, *rest)
        block = synth.codec_.places("note")[0][0]
        done.table.codes[:, block] = given.layout[int(block)].missing
        return done

    monkeypatch.setattr(type(synth.model_), "complete", without)
    with pytest.raises(SampleError, match="3 cells of 'note' could not be filled"):
        synth.impute(holes)


def test_columns_may_be_absent_and_a_table_without_gaps_is_given_back(fitted):
    table = patients(50, seed=1)
    synth = fitted("independent")
    pd.testing.assert_frame_equal(synth.impute(table), table)
    some = pierced(table)[["age", "discharged"]]
    assert not synth.impute(some).isna().any(axis=None)
    assert synth.impute(table.head(0)).empty


def test_texts_are_filled_in_the_way_they_are_written():
    table = patients(400)[["sex", "age", "height", "admitted"]]
    table["height"] = table["height"].map("{:.1f}".format).str.replace(".", ",")
    table["admitted"] = table["admitted"].dt.strftime("%d.%m.%Y")
    table = table.astype("str")
    table.loc[:20, "sex"] = "?"
    schema = infer_schema(table, missing_values=("", "?"))
    synth = Synthesizer("independent", schema=schema, seed=7).fit(table)
    holes = table.head(100).copy()
    holes.loc[::2, ["age", "height"]] = ""
    holes.loc[1::2, "admitted"] = ""
    filled = synth.impute(holes, seed=1)
    assert filled["sex"].isin(["female", "male"]).all()
    assert filled["age"].str.fullmatch(r"\d+").all()
    assert filled["height"].str.fullmatch(r"\d+,\d").all()
    assert filled["admitted"].str.fullmatch(r"\d\d\.\d\d\.\d{4}").all()
    assert (filled.dtypes == holes.dtypes).all()


def test_a_table_may_be_stored_in_another_way_than_the_one_learnt(fitted):
    table = patients(60, seed=1)[["age", "height", "smoker", "admitted"]]
    synth = fitted("independent")
    holes = pd.DataFrame(
        {
            "age": table["age"].astype("float64").mask(np.arange(60) < 9),
            "height": table["height"].astype("Float64").mask(np.arange(60) < 9),
            "smoker": table["smoker"].astype("object").mask(np.arange(60) < 9),
            "admitted": table["admitted"].astype("datetime64[ns]").mask(np.arange(60) < 9),
        }
    )
    filled = synth.impute(holes, seed=1)
    pd.testing.assert_series_equal(filled.dtypes, holes.dtypes)
    assert filled["age"].between(15, 95).all()
    assert filled["admitted"].dt.year.between(2021, 2025).all()
    written = pd.DataFrame(
        {
            "age": table["age"].astype("str"),
            "admitted": table["admitted"].dt.strftime("%Y-%m-%d %H:%M:%S"),
        }
    )
    written.iloc[:9] = None
    filled = synth.impute(written, seed=1)
    assert filled["age"].str.fullmatch(r"\d\d").all()
    years = pd.to_datetime(filled["admitted"], format="%Y-%m-%d %H:%M:%S").dt.year
    assert years.between(2021, 2025).all()


def test_categories_without_room_are_refused_in_words_that_show_none(fitted):
    holes = patients(40, seed=1)[["sex", "grade"]]
    holes["grade"] = pd.Categorical([1, None] * 20, [1])
    with pytest.raises(DataError, match=r"'grade' .*every category"):
        fitted("independent").impute(holes)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"agee": 1}, DataError, "'agee' is none that the model learnt. Did you mean 'age'"),
        ({"age": "ZQX"}, SchemaError, "'age' .*cannot be read as a number"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(fitted, change, error, words):
    with pytest.raises(error, match=words) as caught:
        fitted("independent").impute(patients(20).assign(**change))
    assert "ZQX" not in str(caught.value)


def test_what_cannot_be_asked_of_it_is_refused(fitted):
    table = patients(20)
    with pytest.raises(ConfigError, match="draws"):
        fitted("independent").impute(table, draws=0)
    with pytest.raises(ConfigError, match="max_tries"):
        fitted("independent").impute(table, max_tries=0)
    with pytest.raises(DataError, match="DataFrame"):
        fitted("independent").impute([1])
    with pytest.raises(SampleError, match="Call fit first"):
        Synthesizer().impute(table)


def test_too_rare_rows_are_named_and_the_others_are_made(fitted):
    from tabsynth.given import Request
    from tabsynth.models import TooRare
    from tabsynth.random import Streams

    synth = fitted("independent")
    some = patients(5, seed=1)[["sex", "age", "height", "grade"]]
    some.iloc[::2, 1:] = None
    wanted = some.assign(sex="male")
    given = Request.read(wanted, None, synth.codec_).encode(synth.codec_)
    with pytest.raises(TooRare) as caught:
        Model.complete(synth.model_, given, Streams(1), max_tries=1)
    assert caught.value.lost.tolist() == [False, True, False, True, False]
    block = synth.codec_.places("sex")[0][0]
    assert (caught.value.made.codes[[0, 2, 4], block] == given.table.codes[0, block]).all()

"""Real rows come first and stay as they are; synthetic ones follow."""

import numpy as np
import pandas as pd
import pytest

from tabsynth import ConfigError, DataError, SampleError, Synthesizer
from tabsynth.augmentation import MOST_VALUES, REAL_ROWS

MODELS = {
    "independent": {},
    "tree": {"rounds": 20},
    "autoregressive": {"steps": 30, "hidden": 16},
}


def people(n_rows=400, seed=0):
    rng = np.random.default_rng(seed)
    ward = rng.choice(["A", "B", "C"], n_rows, p=[0.7, 0.2, 0.1])
    return pd.DataFrame(
        {
            "number": np.arange(1, n_rows + 1),
            "key": pd.Categorical([f"K{place:05d}" for place in rng.permutation(n_rows)]),
            "ward": pd.Series(ward).mask(rng.random(n_rows) < 0.05),
            "smoker": rng.random(n_rows) < 0.2,
            "age": rng.integers(20, 80, n_rows),
            "grade": pd.Categorical(rng.choice([1, 2, 3], n_rows), ordered=True),
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, n_rows), "D"),
            "notes": [f"words that are new in row {number} of many" for number in range(n_rows)],
        }
    )


@pytest.fixture(scope="module")
def fitted():
    def fit(name):
        if name not in kept:
            kept[name] = Synthesizer(name, parameters=MODELS[name], seed=7).fit(people())
        return kept[name]

    kept = {}
    return fit


@pytest.mark.parametrize("model", MODELS)
def test_augment_keeps_real_rows_and_appends_others(fitted, model):
    table = people()
    more = fitted(model).augment(table, 100, mark="made", seed=1)
    assert len(more) == 500
    assert more["made"].tolist() == [False] * 400 + [True] * 100
    own = more.drop(columns="made")
    for name in own:  # but for the new keys that are levels of the column
        if name != "key":
            assert own[name].dtype == table[name].dtype, name
            pd.testing.assert_series_equal(own[name].head(400), table[name], check_exact=True)
    assert own["key"].head(400).astype("str").equals(table["key"].astype("str"))
    assert own["key"].is_unique
    assert own["number"].is_unique
    assert own["notes"][400:].isna().all()
    again = fitted(model).augment(table, 100, mark="made", seed=1)
    pd.testing.assert_frame_equal(more, again)
    assert not more.equals(fitted(model).augment(table, 100, mark="made", seed=2))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_rebalance_reaches_its_ratio_and_adds_no_more(fitted, model, ratio):
    table = people()
    counts = table["ward"].value_counts()
    more = fitted(model).rebalance(table, "ward", ratio=ratio, seed=1)
    goal = int(np.ceil(ratio * counts.max()))
    assert more["ward"].value_counts().to_dict() == {
        name: max(count, goal) for name, count in counts.items()
    }
    assert more["ward"].isna().sum() == table["ward"].isna().sum()
    pd.testing.assert_frame_equal(
        more.head(400).drop(columns="key"), table.drop(columns="key"), check_exact=True
    )
    assert more["number"].is_unique


def test_truth_values_and_categories_of_numbers_are_classes(fitted):
    for name in ("smoker", "grade"):
        more = fitted("independent").rebalance(people(), name, seed=1)
        counts = more[name].value_counts()
        assert (counts == counts.iloc[0]).all()
        assert more[name].dtype == people()[name].dtype


def test_a_part_of_the_columns_will_do_and_the_index_counts_on(fitted):
    table = people()[["ward", "age"]].set_index(np.arange(400) * 3)
    more = fitted("independent").augment(table, 7)
    assert list(more.columns) == ["ward", "age"]
    assert more.index.equals(pd.RangeIndex(407))


def test_a_table_that_is_balanced_gets_no_rows(fitted):
    table = people().drop_duplicates("ward").dropna(subset="ward")
    assert len(fitted("independent").rebalance(table, "ward")) == 3


def test_people_are_warned_that_the_rows_are_real(fitted, caplog):
    fitted("independent").augment(people(), 1)
    fitted("independent").rebalance(people(), "ward")
    warned = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage() for record in warned] == [REAL_ROWS] * 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"column": "wardd"}, "no column 'wardd'. Columns that can be balanced: ward, smoker"),
        ({"column": "age"}, "'age' .number. has no classes"),
        ({"column": "number"}, "'number' .identifier. has no classes"),
        ({"column": "ward", "ratio": 0}, "ratio must be a number above 0"),
        ({"column": "ward", "ratio": 1.1}, "ratio must be a number above 0"),
        ({"column": "ward", "ratio": True}, "ratio must be a number above 0"),
        ({"column": "ward", "mark": "age"}, "there is a column 'age' already"),
        ({"column": "ward", "mark": ""}, "mark must be the name"),
    ],
)
def test_what_cannot_be_balanced_is_refused(fitted, arguments, words):
    with pytest.raises(ConfigError, match=words):
        fitted("independent").rebalance(people(), **arguments)


def test_values_that_cannot_be_made_are_counted_and_not_shown(fitted):
    table = people()
    table.loc[:2, "ward"] = "ZQX"
    with pytest.raises(ConfigError, match="cannot make 1 of the 4 values") as caught:
        fitted("independent").rebalance(table, "ward")
    assert "ZQX" not in str(caught.value)
    assert len(fitted("independent").augment(table, 5)) == 405  # real rows may hold anything


def test_too_many_values_are_refused():
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat(np.arange(MOST_VALUES + 1), 12))
    table = pd.DataFrame({"code": [f"c{code}" for code in codes], "x": rng.random(len(codes))})
    synth = Synthesizer("independent", seed=7).fit(table)
    with pytest.raises(ConfigError, match="101 values; at most 100"):
        synth.rebalance(table, "code")


def test_what_is_asked_for_wrongly_is_refused(fitted):
    with pytest.raises(ConfigError, match="n_rows"):
        fitted("independent").augment(people(), -1)
    with pytest.raises(DataError, match="'wardd' is none that the model learnt"):
        fitted("independent").augment(people().rename(columns={"ward": "wardd"}), 1)
    with pytest.raises(SampleError, match="Call fit first"):
        Synthesizer().augment(people(), 1)
    with pytest.raises(SampleError, match="Call fit first"):
        Synthesizer().rebalance(people(), "ward")

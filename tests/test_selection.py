"""Rejecting: the least plausible rows are left out, and the rest is whole and honest."""

import numpy as np
import pandas as pd
import pytest

from tabsynth import ConfigError, Fair, Schema, Synthesizer, deidentify, infer_schema
from tabsynth.evaluation import plausibility as module
from tabsynth.evaluation.plausibility import plausibility
from tabsynth.evaluation.result import Evaluation
from tabsynth.models.independent import Independent
from tabsynth.plan import make_plan
from tabsynth.schema import Column
from tabsynth.selection import Rejection


def stays(n_rows=1_500):
    """Place and region always agree; a stay never ends before it begins."""
    rng = np.random.default_rng(1)
    place = rng.choice(["north", "south", "west"], n_rows)
    begun = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), "D")
    return pd.DataFrame(
        {
            "stay": np.arange(1, n_rows + 1),
            "place": place,
            "region": place,
            "age": rng.integers(18, 90, n_rows),
            "begun": begun,
            "ended": begun + pd.to_timedelta(rng.integers(0, 30, n_rows), "D"),
        }
    )


@pytest.fixture
def planted(monkeypatch):
    """Let the model make rows whose place and region agree, but for one in ten: north is south."""
    draw = Independent.sample

    def sample(self, n_rows, streams, monitor):
        table = draw(self, n_rows, streams, monitor)
        names = [block.owner for block in table.layout]
        place, region = names.index("place"), names.index("region")
        wrong = streams.numpy("planted").permutation(n_rows) < n_rows // 10
        table.codes[wrong, place] = 0
        table.codes[:, region] = table.codes[:, place]
        table.codes[wrong, region] = 1
        return table

    monkeypatch.setattr(Independent, "sample", sample)


@pytest.fixture
def unjudged(monkeypatch):
    """Leave the evaluation out, which has tests of its own, and judge with fewer trees."""
    monkeypatch.setattr("tabsynth.workflow.evaluate", lambda *rest, **options: Evaluation(()))
    monkeypatch.setattr(module, "ROUNDS", 20)


def make(table, **options):
    return deidentify(table, model="independent", schema=infer_schema(stays()), seed=7, **options)


def test_rows_planted_as_implausible_are_the_ones_left_out(planted, unjudged):
    plain, made = make(stays()), make(stays(), reject=0.1)
    assert (plain.table["place"] != plain.table["region"]).sum() == 150
    assert (made.table["place"] != made.table["region"]).sum() == 0
    assert len(made.table) == 1_500
    assert (made.rejected.rejected, made.rejected.drawn) == (167, 1_667)
    assert 0.5 < made.rejected.c2st_before < 0.65
    assert plain.rejected is None


def test_keys_and_constraints_are_whole_afterwards(planted, unjudged):
    assert infer_schema(stays()).constraints
    table = make(stays(), reject=0.3, rows=250).table
    assert table["stay"].tolist() == list(range(1, 251))
    assert (table["begun"] <= table["ended"]).all()
    pd.testing.assert_series_equal(table.dtypes, stays().dtypes)


def test_the_holdout_is_not_read(planted, unjudged, monkeypatch):
    table = stays()
    seen = []

    def spy(train, rows, schema, seed):
        seen.append(train)
        return plausibility(train, rows, schema, seed)

    monkeypatch.setattr("tabsynth.workflow.plausibility", spy)
    first = make(table, reject=0.2, holdout=0.5)
    (read,) = seen
    assert len(read) == first.plan.n_train == 750
    unseen = ~table["stay"].isin(read["stay"])
    # Other rows in the place of the unseen ones do not change a single cell.
    changed = table.copy()
    changed.loc[unseen, ["place", "age"]] = "south", 18
    again = make(changed, reject=0.2, holdout=0.5)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert first.rejected == again.rejected
    # Other rows in the place of those learnt do.
    changed = table.copy()
    changed.loc[~unseen, "age"] = 18
    assert not make(changed, reject=0.2, holdout=0.5).table.equals(first.table)


def test_no_row_is_judged_by_a_classifier_that_was_taught_on_it(monkeypatch):
    train = pd.DataFrame({"number": np.arange(0.0, 400)})
    made = pd.DataFrame({"number": np.arange(1000.0, 1200)})
    schema, judged = Schema((Column("number", "number"),)), []

    def spy(design, inputs, classes, tests, *rest):
        assert not set(inputs[:, 0]) & set(tests[:, 0])
        assert (classes == 0).sum() == (classes == 1).sum()
        judged.extend(tests[tests[:, 0] >= 1000, 0])
        return np.full((len(tests), 2), 0.5)

    monkeypatch.setattr(module, "classify", spy)
    found = plausibility(train, made, schema, 7)
    assert sorted(judged) == made["number"].tolist()
    assert found.c2st == 0.5


def test_fresh_rows_are_not_told_apart_and_shuffled_ones_are(monkeypatch):
    rng = np.random.default_rng(1)
    x = rng.normal(size=1_200)
    real = pd.DataFrame({"x": x, "y": x + rng.normal(0, 0.3, 1_200)})
    train, fresh = real[:600], real[600:].reset_index(drop=True)
    shuffled = fresh.assign(y=rng.permutation(fresh["y"]))
    schema = infer_schema(real)
    monkeypatch.setattr(module, "ROUNDS", 50)
    # The standard error of an area of 600 rows a side is 0.017.
    assert plausibility(train, fresh, schema, 7).c2st == pytest.approx(0.5, abs=0.06)
    found = plausibility(train, shuffled, schema, 7)
    assert found.c2st > 0.7
    far = (shuffled["x"] - shuffled["y"]).abs()
    assert found.odds[far > 1.5].mean() > 0.8 > 0.6 > found.odds[far < 0.3].mean()


def test_any_judge_can_be_asked_and_sees_no_keys():
    synthesizer = Synthesizer("independent", seed=7).fit(stays())

    def judge(rows):
        assert "stay" not in rows
        return rows["age"].to_numpy()

    made = synthesizer.sample(100, reject=Rejection(0.5, judge), seed=3)
    assert synthesizer.rejected_ == (100, 200)
    plain = synthesizer.sample(200, seed=3)
    assert sorted(made["age"]) == sorted(plain["age"])[:100]
    pd.testing.assert_frame_equal(
        made, synthesizer.sample(100, reject=Rejection(0.5, judge), seed=3)
    )
    assert len(synthesizer.sample(1, reject=Rejection(0.9, judge))) == 1
    assert synthesizer.sample(0, reject=Rejection(0.5, judge)).empty


def test_rows_can_be_plausible_and_fair():
    synthesizer = Synthesizer("independent", seed=7).fit(stays())
    young = Rejection(0.25, lambda rows: rows["age"])
    made = synthesizer.sample(300, fair=Fair("place", "region"), reject=young, seed=3)
    assert len(made) == 300
    assert synthesizer.fairness_.after < 0.02
    rejected, drawn = synthesizer.rejected_
    assert rejected == round(drawn / 4)
    assert made["age"].max() < 80


@pytest.mark.parametrize("answer", [[1.0], [[1.0]] * 20, [float("nan")] * 20])
def test_a_judge_must_return_a_number_for_each_row(answer):
    synthesizer = Synthesizer("independent", seed=7).fit(stays())
    with pytest.raises(ConfigError, match="a number for each of the 20 rows"):
        synthesizer.sample(10, reject=Rejection(0.5, lambda rows: np.array(answer)))


@pytest.mark.parametrize("share", [-0.1, 0.95, float("nan"), True])
def test_a_share_that_is_not_allowed_is_refused(share):
    with pytest.raises(ConfigError, match=r"reject must be a number from 0 to 0\.9"):
        make_plan(stays(), reject=share)


def test_the_plan_and_the_evaluation_say_that_training_rows_are_read_again(planted, unjudged):
    plan = make_plan(stays(), reject=0.2, fair=Fair("place", "age"))
    told = " ".join(plan.notices)
    assert "20%" in told
    assert "reads the training rows once more" in told
    assert "does not depend on 'place', on purpose" in told
    assert plan.to_dict()["reject"] == 0.2
    assert plan.to_dict()["fair"]["target"] == "age"
    result = make(stays(), reject=0.2, fair=Fair("place", "age"))
    assert result.rejected.in_words() == result.evaluation.provenance["rejected"]
    assert result.synthesizer.fairness_.in_words() == result.evaluation.provenance["fair"]
    assert "left out as least plausible" in result.card()

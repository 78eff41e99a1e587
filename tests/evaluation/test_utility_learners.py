from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tabsynth.evaluation.augmentation import Augmentation
from tabsynth.evaluation.learner import Design
from tabsynth.evaluation.predictor import LEARNERS
from tabsynth.evaluation.utility import TrainOnSynthetic
from tabsynth.schema import Column, Schema

SCHEMA = Schema(
    (
        Column("a", "number"),
        Column("b", "number"),
        Column("town", "category"),
        Column("sick", "category"),
        Column("stage", "category"),
        Column("cost", "number"),
    )
)


def patients(rng, n):
    """Whether sick depends on a sign of two numbers, stage on one, cost on one and the town."""
    a, b = rng.normal(size=(2, n))
    town = rng.choice(["north", "south", "west"], n)
    cost = 2 * a + 3 * (town == "south") + 0.3 * rng.normal(size=n)
    stage = np.array(["i", "ii", "iii"])[np.digitize(a + 0.3 * rng.normal(size=n), [-0.5, 0.5])]
    sick = np.where(a * b + 0.1 * rng.normal(size=n) > 0, "yes", "no")
    frame = pd.DataFrame({"a": a, "b": b, "town": town, "sick": sick, "stage": stage, "cost": cost})
    frame.loc[rng.random(n) < 0.05, "a"] = np.nan
    return frame


@pytest.fixture(autouse=True, scope="module")
def _few_trees():
    """A smaller forest, which is enough for tables of this size, so that tests are quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tabsynth.evaluation.predictor.TREES", 15)
        yield


@pytest.fixture(scope="module")
def trio():
    """Training rows, fresh rows and a holdout."""
    rng = np.random.Generator(np.random.PCG64(2))
    return [patients(rng, 800) for _ in range(3)]


@pytest.fixture(scope="module")
def fresh(trio, comparison):
    """Fresh real rows as synthetic ones."""
    return comparison(*trio, SCHEMA, ("sick", "stage", "cost"))


def scores_of(compared, target):
    return {
        measure.learner: measure.measure(compared)[0]
        for measure in TrainOnSynthetic.plan(compared)
        if measure.target == target
    }


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("sick", ["tstr", "tstr_logistic", "tstr_forest"]),
        ("stage", ["tstr:stage", "tstr_logistic:stage", "tstr_forest:stage"]),
        ("cost", ["tstr:cost", "tstr_ridge:cost", "tstr_forest:cost"]),
    ],
)
def test_three_learners_of_fresh_rows_do_as_well_as_of_real_ones(fresh, target, names):
    scores = scores_of(fresh, target)
    assert [score.name for score in scores.values()] == names
    for score in scores.values():
        # Nominal level 0.95 over both samples; the seed is fixed.
        assert score.details["difference_low"] <= 0 <= score.details["difference_high"]
        assert score.value - score.reference == score.details["difference_to_real"]
        assert score.interval.low <= score.value <= score.interval.high
    least = {"sick": 0.9, "stage": 0.9, "cost": 0.85}[target]
    for learner, score in scores.items():
        if (target, learner) != ("sick", "linear"):
            assert score.value > least


def test_a_line_cannot_learn_what_trees_can(fresh):
    scores = scores_of(fresh, "sick")
    assert scores["linear"].value == pytest.approx(0.5, abs=0.1)
    assert scores["forest"].value > 0.9


def test_a_copy_of_the_real_rows_teaches_the_same(trio, comparison):
    train, _, holdout = trio
    for score in scores_of(comparison(train, train, holdout, SCHEMA, ("sick",)), "sick").values():
        assert score.value == pytest.approx(score.reference, abs=0.015)
        assert score.details["difference_low"] <= 0 <= score.details["difference_high"]


def test_a_shuffled_target_teaches_nothing_and_the_difference_shows_it(trio, comparison):
    train, made, holdout = trio
    rng = np.random.Generator(np.random.PCG64(5))
    made = made.assign(sick=rng.permutation(made["sick"]), cost=rng.permutation(made["cost"]))
    compared = comparison(train, made, holdout, SCHEMA, ("sick", "cost"))
    for learner, score in scores_of(compared, "sick").items():
        assert score.value == pytest.approx(0.5, abs=0.08)
        assert (score.details["difference_high"] < 0) is (learner != "linear")
    for score in scores_of(compared, "cost").values():
        assert score.value < 0.1
        assert score.details["difference_high"] < 0


def test_a_rare_class_has_its_own_figures(comparison):
    rng = np.random.Generator(np.random.PCG64(8))
    schema = Schema((Column("x", "number"), Column("fraud", "category")))

    def rows():
        x = rng.normal(size=1000)
        return pd.DataFrame(
            {"x": x, "fraud": np.where(x + rng.normal(size=1000) / 3 > 2, "y", "n")}
        )

    compared = comparison(rows(), rows(), rows(), schema, ("fraud",))
    for score in scores_of(compared, "fraud").values():
        details = score.details
        assert 0.01 < details["minority_share"] < 0.05
        assert details["minority_average_precision"] > 0.5
        assert 0.4 < details["minority_f1"] < 1
        assert details["minority_f1_real"] == pytest.approx(details["minority_f1"], abs=0.3)


def test_a_class_or_target_that_cannot_be_learnt_is_named(trio, comparison):
    train, made, holdout = trio
    one = scores_of(comparison(train, made.assign(sick="no"), holdout, SCHEMA, ("sick",)), "sick")
    assert all(score.value == 0.5 for score in one.values())
    assert all("same value in all synthetic rows" in score.problem for score in one.values())
    two = made[made["stage"] != "iii"]
    lacks = scores_of(comparison(train, two, holdout, SCHEMA, ("stage",)), "stage")
    assert all("1 of the 3 values" in score.problem for score in lacks.values())


def test_a_target_that_only_a_few_synthetic_rows_have_still_has_a_score(trio, comparison):
    train, made, holdout = trio
    made = made.assign(cost=[*made["cost"][:30], *[np.nan] * 770])
    for score in scores_of(comparison(train, made, holdout, SCHEMA, ("cost",)), "cost").values():
        assert score.value is not None
        assert score.details["rows_learnt_from"] == 30


def test_rows_in_another_order_give_the_same_figures(trio, comparison, fresh):
    again = comparison(
        *(frame.sample(frac=1, random_state=1) for frame in trio), SCHEMA, ("sick", "stage", "cost")
    )
    for target in ("sick", "cost"):
        for first, second in zip(
            scores_of(fresh, target).values(), scores_of(again, target).values(), strict=True
        ):
            assert first == second


def test_what_categories_are_called_changes_little(trio, comparison, fresh):
    renamed = [
        frame.assign(town=frame["town"].map({"north": "z", "south": "m", "west": "a"}))
        for frame in trio
    ]
    again = scores_of(comparison(*renamed, SCHEMA, ("cost",)), "cost")
    for learner, score in scores_of(fresh, "cost").items():
        assert again[learner].value == pytest.approx(score.value, abs=0.01)


def test_nothing_is_learnt_twice(trio, comparison, monkeypatch):
    from tabsynth.evaluation import predictor

    trained = []
    original = predictor.boost

    def counted(*arguments, **more):
        trained.append(len(arguments[1]))
        return original(*arguments, **more)

    monkeypatch.setattr(predictor, "boost", counted)
    compared = comparison(*trio, SCHEMA, ("sick",))
    TrainOnSynthetic("sick").measure(compared)
    # Synthetic, real and independent rows, and two parts of both tables.
    assert sorted(trained) == [400] * 4 + [800] * 3
    Augmentation("sick").measure(compared)
    assert trained[7:] == [1200] * 3
    TrainOnSynthetic("sick").measure(compared)
    assert len(trained) == 10


def test_large_tables_are_capped_and_the_details_say_so(trio, comparison, monkeypatch):
    monkeypatch.setattr("tabsynth.evaluation.predictor.MOST_ROWS_OF_FOREST", 300)
    compared = comparison(*trio, SCHEMA, ("sick",))
    scores = scores_of(compared, "sick")
    assert scores["forest"].details["rows_learnt_from"] == 300
    assert scores["boosted"].details["rows_learnt_from"] == 800


def test_numbers_of_any_size_can_be_learnt_and_predicted(comparison):
    rng = np.random.Generator(np.random.PCG64(1))
    schema = Schema((Column("x", "number"), Column("y", "number")))

    def rows():
        x = rng.normal(size=300)
        return pd.DataFrame({"x": x * 1e300, "y": (x + 0.1 * rng.normal(size=300)) * 1e300})

    for score in scores_of(comparison(rows(), rows(), rows(), schema, ("y",)), "y").values():
        assert score.value > 0.8


@pytest.mark.parametrize("learner", LEARNERS.values(), ids=lambda learner: learner.name)
def test_gaps_and_values_never_learnt_are_predicted_somehow(learner):
    design = Design((0, 1), (np.arange(5.0), np.arange(5.0)), (True, False))
    rng = np.random.Generator(np.random.PCG64(0))
    inputs = np.stack([rng.integers(0, 3, 200), rng.normal(size=200)], axis=1)
    answers = (inputs[:, 0] == 1).astype(np.int64)
    predict, n_rows = learner.train(design, inputs, answers, 3, 0)
    assert n_rows == 200
    asked = np.array([[1.0, 0.0], [2.0, 0.0], [4.0, 1e308], [np.nan, np.nan]])
    predicted = predict(asked)
    assert predicted.shape == (4, 3)
    assert np.isfinite(predicted).all()
    assert predicted.sum(axis=1) == pytest.approx(1)
    assert (predicted[:, 2] == 0).all()
    assert predicted[0, 1] > 0.8 > 0.2 > predicted[1, 1]


def test_a_wide_table_of_many_categories_keeps_the_line_within_its_columns(monkeypatch):
    from tabsynth.evaluation import predictor

    monkeypatch.setattr(predictor, "MOST_COLUMNS", 100)
    rng = np.random.Generator(np.random.PCG64(0))
    inputs = rng.integers(0, 25, (300, 40)).astype(float)
    encode = predictor._indicators([True] * 40, inputs)
    assert encode(inputs).shape == (300, 80)


def test_boosted_trees_of_many_rare_classes_do_not_run_wild(data_dir, comparison):
    table = pd.read_csv(data_dir / "nsl_kdd_train20.csv.gz", nrows=12_000)
    names = ["src_bytes", "dst_bytes", "count", "srv_count", "serror_rate", "same_srv_rate"]
    table = table[[*names, "service", "flag", "label"]]
    schema = Schema(
        (
            *(Column(name, "number") for name in names),
            *(Column(name, "category") for name in ("service", "flag", "label")),
        )
    )
    compared = comparison(table[:6000], table[:6000], table[6000:], schema, ("label",))
    score = TrainOnSynthetic("label").measure(compared)[0]
    # Without a penalty on the leaves of rare classes this is no better than guessing.
    assert score.value > 0.85


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("column", ["b", "town"])
def test_a_column_that_is_empty_in_synthetic_rows_alone_is_no_failure(trio, comparison, column):
    train, synthetic, holdout = trio
    emptied = comparison(train, synthetic.assign(**{column: np.nan}), holdout, SCHEMA, ("cost",))
    for score in scores_of(emptied, "cost").values():
        # What cost owes to the other columns is still learnt.
        assert score.value > 0.3

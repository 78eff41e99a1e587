from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tabsynth.errors import DataError
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.fairness import Fairness, Gap, Rates, difference, widest
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.groups import protected
from tabsynth.evaluation.result import Interval
from tabsynth.evaluation.skill import resample
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

SCHEMA = Schema(
    (
        Column("skill", "number"),
        Column("age", "number", role="quasi"),
        Column("zip", "number", role="quasi"),
        Column("race", "category", role="sensitive"),
        Column("sex", "category", role="quasi"),
        Column("town", "category", role="quasi"),
        Column("desk", "category"),
        Column("hired", "category", role="sensitive"),
    )
)


def people(rng, n):
    """Who is hired depends on skill alone, which all groups have alike."""
    skill = rng.normal(size=n)
    return pd.DataFrame(
        {
            "skill": skill,
            "age": rng.integers(18, 90, n),
            "zip": rng.integers(10000, 99999, n),
            "race": rng.choice(list("abc"), n, p=[0.6, 0.38, 0.02]),
            "sex": rng.choice(["f", "m"], n),
            "town": rng.choice([f"t{k}" for k in range(12)], n),
            "desk": rng.choice(["x", "y"], n),
            "hired": np.where(skill + 0.3 * rng.normal(size=n) > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def trio():
    """Training rows, fresh rows and a holdout."""
    rng = np.random.Generator(np.random.PCG64(6))
    return [people(rng, 1000) for _ in range(3)]


def compare(train, made, holdout=None, targets=("hired",), schema=SCHEMA):
    frames = {"train": train, "synthetic": made}
    if holdout is not None:
        frames["holdout"] = holdout
    return Comparison.of(
        analyse(frames, schema), targets=targets, streams=Streams(7), frames=frames, schema=schema
    )


def scores_of(compared):
    """Return the scores by name."""
    found = {}
    for measure in Fairness.plan(compared):
        found |= {score.name: score for score in measure.measure(compared)}
    return found


def turned_round(frame, group):
    """Return the table with the labels of one group exchanged."""
    other = frame["hired"].map({"yes": "no", "no": "yes"})
    return frame.assign(hired=frame["hired"].where(frame["sex"] != group, other))


def test_fresh_rows_treat_groups_as_real_ones_do(trio):
    scores = scores_of(compare(*trio))
    assert list(scores) == [
        "demographic_parity:hired:age",
        "equalised_odds:hired:age",
        "demographic_parity:hired:race",
        "equalised_odds:hired:race",
        "demographic_parity:hired:sex",
        "equalised_odds:hired:sex",
    ]
    for score in scores.values():
        assert score.group == "fairness"
        assert (score.better, score.best, score.baseline) == ("lower", 0.0, None)
        assert score.value < 0.15
        assert score.interval.low <= score.value <= score.interval.high
        assert score.details["difference_low"] <= 0 <= score.details["difference_high"]
        assert "Neither is a judgement of the decision itself." in score.explanation
        json.dumps(score.to_dict(), allow_nan=False)


def test_labels_of_one_group_turned_round_show_up_for_that_column_alone(trio):
    train, made, holdout = trio
    scores = scores_of(compare(train, turned_round(made, "f"), holdout))
    odds, parity = scores["equalised_odds:hired:sex"], scores["demographic_parity:hired:sex"]
    # Women who should be hired are not, and those who should not are.
    assert odds.value > 0.6
    assert odds.interval.low > odds.reference
    assert odds.details["difference_low"] > 0
    assert odds.details["rates"].keys() == {"f", "m"}
    # As many women are hired as men, only the wrong ones: parity does not see that.
    assert parity.value < 0.2
    assert scores["equalised_odds:hired:race"].details["difference_low"] < 0.1


def test_a_group_that_is_never_hired_shows_up_in_both(trio):
    train, made, holdout = trio
    made = made.assign(hired=made["hired"].where(made["sex"] == "m", "no"))
    scores = scores_of(compare(train, made, holdout))
    for name in ("demographic_parity:hired:sex", "equalised_odds:hired:sex"):
        score = scores[name]
        assert score.details["difference_low"] > 0.2
        assert score.details["lowest_group"] == "f"
        assert score.details["highest_group"] == "m"
        assert score.details["value_predicted"] == "yes"
    assert scores["demographic_parity:hired:sex"].details["rates"]["f"] == 0.0


def test_what_real_rows_already_do_is_the_reference(trio):
    rigged = [frame.assign(hired=frame["hired"].where(frame["sex"] == "m", "no")) for frame in trio]
    parity = scores_of(compare(*rigged))["demographic_parity:hired:sex"]
    assert parity.value > 0.3
    assert parity.reference == pytest.approx(parity.value, abs=0.1)
    assert parity.details["difference_low"] <= 0 <= parity.details["difference_high"]


def test_protected_columns_with_few_large_groups_come_first(trio):
    columns, n_more = protected(compare(*trio), "hired")
    # town has more than ten groups; zip is a number that is no age; the target is left out.
    assert [groups.column for groups in columns] == ["age", "race", "sex"]
    assert n_more == 1
    groups = {one.column: one for one in columns}
    assert groups["age"].labels == ("lower half", "upper half")
    # 2% of 1,000 rows are fewer than a group needs.
    assert groups["race"].labels == ("a", "b")
    assert groups["race"].n_left_out == (groups["race"].codes < 0).sum() > 0
    sizes = np.bincount(groups["age"].codes)
    assert abs(sizes[0] - sizes[1]) < 100


def test_rows_without_a_group_are_left_out(trio):
    holdout = trio[2].assign(sex=[None] * 300 + list(trio[2]["sex"][300:]))
    score = scores_of(compare(trio[0], trio[1], holdout))["demographic_parity:hired:sex"]
    assert score.details["rows_in_no_group"] == 300
    assert score.details["rows_tested_on"] == 700


def test_a_number_with_many_ties_is_cut_where_halves_are_most_even(trio):
    frames = [frame.assign(age=np.repeat([20, 30, 40], [100, 550, 350])) for frame in trio]
    columns, _ = protected(compare(*frames), "hired")
    age = next(groups for groups in columns if groups.column == "age")
    assert np.bincount(age.codes).tolist() == [650, 350]


def test_without_protected_columns_the_reason_says_what_to_do(trio):
    plain = Schema(tuple(Column(column.name, column.type) for column in SCHEMA))
    compared = compare(*trio, schema=plain)
    measure = Fairness.plan(compared)[0]
    names = [figure.name for figure in measure.figures]
    assert names == ["demographic_parity:hired", "equalised_odds:hired"]
    with pytest.raises(DataError, match="one of these roles in the schema"):
        measure.measure(compared)


def test_numbers_and_columns_never_compared_have_no_decisions(trio):
    assert Fairness.plan(compare(*trio, targets=("skill",))) == []
    schema = SCHEMA.with_column(Column("desk", "text"))
    assert Fairness.plan(compare(*trio, targets=("desk",), schema=schema)) == []


def test_a_group_of_one_class_has_no_rate_of_errors(trio):
    holdout = trio[2].assign(hired=trio[2]["hired"].where(trio[2]["sex"] == "m", "no"))
    scores = scores_of(compare(trio[0], trio[1], holdout))
    assert scores["demographic_parity:hired:sex"].value is not None
    odds = scores["equalised_odds:hired:sex"]
    # Nobody of one group is hired, so only false alarms can be compared.
    assert odds.details["rate"] == "false positive rate"
    rng = np.random.Generator(np.random.PCG64(0))
    none = people(rng, 1000).assign(sex=lambda frame: np.where(frame["hired"] == "yes", "m", "f"))
    absent = scores_of(compare(trio[0], trio[1], none))["equalised_odds:hired:sex"]
    assert absent.value is None
    assert "Fewer than two groups" in absent.problem


def test_every_class_of_several_is_looked_at(trio):
    def graded(frame, unfair):
        grade = np.array(["low", "mid", "top"])[np.digitize(frame["skill"], [-0.5, 0.8])]
        if unfair:
            grade = np.where((frame["sex"] == "f") & (grade == "top"), "mid", grade)
        return frame.assign(hired=grade)

    frames = [graded(frame, place == 1) for place, frame in enumerate(trio)]
    scores = scores_of(compare(*frames))
    odds = scores["equalised_odds:hired:sex"]
    assert odds.value > 0.8
    assert odds.details["value_predicted"] == "top"
    assert odds.details["rate"] == "true positive rate"
    assert odds.details["lowest_group"] == "f"
    assert odds.reference < 0.3


def test_a_model_that_always_says_the_same_has_no_gap_and_says_why(trio):
    train, made, holdout = trio
    constant = scores_of(compare(train, made.assign(hired="no"), holdout))
    score = constant["demographic_parity:hired:sex"]
    assert score.value == 0.0
    assert "same value in all synthetic rows" in score.problem


def test_without_a_holdout_there_is_no_reference_and_it_is_said(trio):
    score = scores_of(compare(trio[0], trio[1]))["demographic_parity:hired:sex"]
    assert score.reference is None
    assert "training rows" in score.problem
    assert "difference_to_real" not in score.details


def test_rows_in_another_order_give_the_same_figures(trio):
    again = [frame.sample(frac=1, random_state=3) for frame in trio]
    assert scores_of(compare(*trio)) == scores_of(compare(*again))


def rates_of(rng, n, shares):
    """Return groups, and an event of the given rates in them."""
    codes = rng.integers(0, len(shares), n)
    return codes, [Rates("predictions", 1, np.ones(n, bool), rng.random(n) < shares[codes])]


def test_intervals_of_the_greatest_gap_cover_the_truth_at_least_as_often_as_they_say(streams):
    rng = streams.numpy("gaps")
    for shares in (np.array([0.5, 0.3]), np.array([0.2, 0.2, 0.2, 0.2])):
        truth = shares.max() - shares.min()
        hits = 0
        for _ in range(200):
            codes, rates = rates_of(rng, 400, shares)
            gap = widest(rates, [rates, rates], codes, resample(400, rng), 50)
            assert gap.interval.low <= gap.value <= gap.interval.high
            hits += gap.interval.low <= truth <= gap.interval.high
        # 200 simulations at 0.95 have a standard error of 0.015.
        assert hits / 200 >= 0.92


def test_models_that_differ_make_the_interval_wider(streams):
    rng = streams.numpy("wider")
    codes, rates = rates_of(rng, 400, np.array([0.5, 0.3]))
    _, other = rates_of(rng, 400, np.array([0.1, 0.9]))
    draws = resample(400, rng)
    same = widest(rates, [rates, rates, rates], codes, draws, 50).interval
    apart = widest(rates, [rates, other, rates], codes, draws, 50).interval
    assert apart.high - apart.low > same.high - same.low


def test_a_rate_of_zero_in_every_group_has_an_interval_all_the_same(streams):
    codes = np.repeat([0, 1], 60)
    never = [Rates("predictions", 1, np.ones(120, bool), np.zeros(120, bool))]
    gap = widest(never, [never, never], codes, resample(120, streams.numpy("a")), 50)
    assert gap.value == 0.0
    assert 0.02 < gap.interval.high < 0.1


def test_the_difference_of_two_gaps_is_as_uncertain_as_both():
    def gap(value, half):
        interval = Interval(value - half, value + half)
        return Gap(value, interval, Rates("a", 1, np.ones(1, bool), np.ones(1, bool)), (0, 1), {})

    assert difference(gap(0.5, 0.03), gap(0.2, 0.04)) == pytest.approx((0.3, 0.25, 0.35))

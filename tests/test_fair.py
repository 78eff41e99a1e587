"""Fair: a target that does not depend on groups of people, in rows that are the model's own."""

import logging
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from tabsynth import ConfigError, Fair, SampleError, Schema, Synthesizer
from tabsynth.fair import apportion, gap, quotas
from tabsynth.schema import Column
from tabsynth.selection import MOST_DRAWS

ONE_ROW = 0.02
"""One row more or less in the smaller group of 800 rows, which has about 240."""


def people(n_rows=2_000):
    """Income is high for 60% of the men and for 10% of the women, pay follows it."""
    rng = np.random.default_rng(1)
    sex = rng.choice(["f", "m"], n_rows, p=[0.3, 0.7])
    high = rng.random(n_rows) < np.where(sex == "m", 0.6, 0.1)
    return pd.DataFrame(
        {
            "id": np.arange(1, n_rows + 1),
            "sex": sex,
            "old": rng.random(n_rows) < 0.5,
            "income": np.where(high, "high", "low"),
            "pay": np.round(np.where(high, 50, 20) + rng.normal(0, 3, n_rows), 2),
            "job": np.where(high, rng.choice(["a", "b"], n_rows), rng.choice(["b", "c"], n_rows)),
        }
    )


@pytest.fixture(scope="module")
def fitted():
    return Synthesizer("tree", seed=7).fit(people())


def rates(made, protected="sex", target="income", value="high"):
    return made[target].eq(value).groupby(made[protected]).mean()


def test_a_large_gap_falls_to_what_whole_rows_allow(fitted):
    plain, made = fitted.sample(800, seed=3), fitted.sample(800, fair=Fair("sex", "income"), seed=3)
    assert np.ptp(rates(plain)) > 0.3
    assert np.ptp(rates(made)) < ONE_ROW
    found = fitted.fairness_
    assert (found.measure, found.groups, found.rows) == ("difference of rates", 2, 800)
    assert found.before > 0.3
    assert found.after == pytest.approx(np.ptp(rates(made)))
    assert len(made) == 800
    pd.testing.assert_series_equal(made.dtypes, plain.dtypes)


def test_margins_stay_and_what_depends_on_the_target_still_does(fitted):
    plain = fitted.sample(4_000, seed=4)
    made = fitted.sample(800, fair=Fair("sex", "income"), seed=3)
    # Three standard errors of a share of 800 rows, and of one of 4,000, are below 0.06.
    for name in ("sex", "income", "old", "job"):
        shares = [some[name].value_counts(normalize=True) for some in (plain, made)]
        assert (shares[0] - shares[1]).abs().max() < 0.06, name
    pay = made.groupby("income")["pay"].mean()
    assert pay["high"] - pay["low"] > 20


def test_no_row_is_kept_more_often_than_it_was_drawn(fitted, monkeypatch):
    drawn, learnt = [], fitted.codec_.learnt

    def spy(table, *rest):
        values = learnt(table, *rest)
        drawn.append(fitted.codec_.rendered(values, len(table)))
        return values

    monkeypatch.setattr(fitted.codec_, "learnt", spy)
    made = fitted.sample(800, fair=Fair("sex", "income"), seed=3)
    columns = list(drawn[-1])
    here, there = (
        Counter(some[columns].itertuples(index=False, name=None)) for some in (made, drawn[-1])
    )
    assert here <= there
    assert len(drawn[-1]) == fitted.fairness_.draws


def test_groups_are_combinations_of_columns_and_numbers_are_cut_in_parts(fitted):
    wish = Fair(("sex", "old"), "pay", bins=4)
    made = fitted.sample(1_000, fair=wish, seed=3)
    found = fitted.fairness_
    assert (found.measure, found.groups) == ("total variation", 4)
    assert found.before > 0.2 > 0.03 > found.after
    means = made.groupby("sex")["pay"].mean()
    plain = fitted.sample(1_000, seed=3).groupby("sex")["pay"].mean()
    assert abs(means["m"] - means["f"]) < 2 < abs(plain["m"] - plain["f"])


def test_a_number_can_be_protected_and_missing_cells_are_a_value_of_their_own():
    table = people().drop(columns="id")
    known = np.random.default_rng(2).random(len(table)) < np.where(table["sex"] == "f", 0.5, 0.9)
    table["income"] = table["income"].where(known)
    synthesizer = Synthesizer("tree", seed=7).fit(table)
    made = synthesizer.sample(600, fair=Fair("sex", "income"), seed=3)
    gone = made["income"].isna().groupby(made["sex"]).mean()
    assert gone.max() > 0.1
    assert np.ptp(gone) < ONE_ROW
    made = synthesizer.sample(600, fair=Fair("pay", "sex", bins=2), seed=3)
    halves = made["sex"].eq("m").groupby(made["pay"] > made["pay"].median()).mean()
    assert np.ptp(halves) < 0.03


def test_the_same_seed_gives_the_same_rows(fitted):
    wish = Fair("sex", "income")
    first, second, other = (fitted.sample(300, fair=wish, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(other)


def test_rows_can_be_given_in_part(fitted):
    made = fitted.sample(400, fair=Fair("sex", "income"), given={"old": True}, seed=3)
    assert made["old"].all()
    assert np.ptp(rates(made)) < 2 * ONE_ROW
    with pytest.raises(ConfigError, match="Each row given is made"):
        fitted.sample(given=pd.DataFrame({"old": [True]}), fair=Fair("sex", "income"))


def test_keys_are_made_for_the_rows_that_are_kept(fitted):
    made = fitted.sample(300, fair=Fair("sex", "income"), seed=3)
    assert made["id"].tolist() == list(range(1, 301))
    table = people(100).assign(id=np.random.default_rng(1).permutation(100).astype("int8"))
    schema = Schema((Column("id", "identifier"), *(Column(n, "category") for n in ("sex", "job"))))
    few = Synthesizer("tree", schema=schema, seed=7).fit(table[["id", "sex", "job"]])
    made = few.sample(120, fair=Fair("sex", "job"), seed=3)  # there are but 128 such keys
    assert few.fairness_.draws > 128
    assert made["id"].is_unique


def test_what_a_plain_sample_makes_and_tells_is_not_changed(fitted):
    fitted.sample(100, fair=Fair("sex", "income"), seed=3)
    fitted.sample(10, seed=3)
    assert fitted.fairness_ is None
    assert fitted.sample(0, fair=Fair("sex", "income")).empty


def test_a_group_that_never_has_a_value_is_an_error_that_says_how_much_is_missing():
    table = people().drop(columns="id")
    table["income"] = np.where(table["sex"] == "f", "low", table["income"])
    synthesizer = Synthesizer("tree", seed=7).fit(table)
    with pytest.raises(SampleError) as caught:
        synthesizer.sample(1_100, fair=Fair("sex", "income"), seed=3)
    told = str(caught.value)
    assert "1 of 2 groups of 'sex'" in told
    assert f"{MOST_DRAWS * 1_100:,} were drawn" in told
    before, best = map(float, re.search(r"is (\S+) and could be brought to (\S+)", told).groups())
    assert 0 < best < before
    assert "high" not in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protected": "sx", "target": "income"}, "Did you mean 'sex'"),
        ({"protected": "sex", "target": "id"}, r"'id' \(identifier\) is not learnt"),
    ],
)
def test_columns_that_cannot_be_balanced_are_refused(fitted, options, words):
    with pytest.raises(ConfigError, match=words):
        fitted.sample(10, fair=Fair(**options))


@pytest.mark.parametrize(
    ("protected", "target", "words"),
    [((), "a", "at least one"), (("a", "a"), "b", "once"), ("a", "a", "not among them")],
)
def test_a_wish_that_makes_no_sense_is_refused(protected, target, words):
    with pytest.raises(ConfigError, match=words):
        Fair(protected, target)


def test_the_gap_is_logged(fitted, caplog):
    with caplog.at_level(logging.INFO, "tabsynth"):
        fitted.sample(200, fair=Fair("sex", "income"), seed=3)
    assert fitted.fairness_.in_words() in caplog.text


def test_quotas_keep_both_margins_and_are_off_by_less_than_a_row():
    rng = np.random.default_rng(1)
    for _ in range(50):
        drawn = 1 + rng.poisson(rng.gamma(1, 30, (rng.integers(1, 9), rng.integers(1, 7))))
        n_rows = int(rng.integers(1, 2_000))
        found = quotas(n_rows, drawn)
        groups, classes = apportion(n_rows, drawn.sum(axis=1)), apportion(n_rows, drawn.sum(axis=0))
        assert found.sum() == n_rows
        assert (found.sum(axis=1) == groups).all()
        fits = found <= drawn  # elsewhere another class may take a place that was rounded up
        if fits.all():
            assert np.abs(found - np.outer(groups, classes) / n_rows).max() < 1 + 1e-9
        assert np.abs(found.sum(axis=0) - classes).max() <= len(drawn)


def test_a_gap_between_several_values_is_the_greatest_total_variation():
    counts = np.array([[10, 10, 20], [20, 10, 10], [0, 0, 1]])
    everyone = np.array([True, True, False])
    overall = counts.sum(axis=0) / counts.sum()
    expected = max(0.5 * np.abs(row / row.sum() - overall).sum() for row in counts[:2])
    assert gap(counts, everyone) == pytest.approx(expected)
    assert gap(counts, np.array([True, False, False])) == 0

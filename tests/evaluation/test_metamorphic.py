"""What must not change the disclosure part of an evaluation, and what must change it one way."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest

from tabsynth.evaluation import evaluate
from tabsynth.schema import Column, Schema

NAMES = {"age": "z", "income": "a", "town": "m", "smokes": "b", "seen": "y", "ill": "c"}
TOWNS = dict(zip("abcdefgh", ["Ulm", "Bonn", "Kiel", "Gera", "Zons", "Aalen", "Hof", "Jena"],
                 strict=True))  # fmt: skip


@pytest.fixture(scope="module")
def people(sample):
    """Training rows, fresh rows and a holdout."""
    return tuple(sample(800, name) for name in ("train", "made", "holdout"))


@pytest.fixture(scope="module")
def judge(mixed):
    """A function that evaluates tables for disclosure alone."""

    def judged(train, synthetic, holdout, schema=mixed):
        return evaluate(train, synthetic, holdout=holdout, schema=schema, groups=("disclosure",))

    return judged


def leaky(people, copies):
    train, fresh, _ = people
    return pd.concat([train.iloc[:copies], fresh.iloc[copies:]], ignore_index=True)


@pytest.fixture(scope="module")
def before(judge, people):
    return judge(people[0], leaky(people, 120), people[2])


def rescaled(frame):
    """Return the table with numbers in other units."""
    return frame.assign(income=frame["income"] * 7.3 + 11, age=frame["age"] * 2)


def renamed(frame):
    """Return the table with other names of columns, and so in another order of them."""
    return frame.rename(columns=NAMES)[sorted(NAMES.values())]


def recoded(frame):
    """Return the table with other names of categories."""
    return frame.assign(town=frame["town"].map(TOWNS), ill=frame["ill"].map({"ill": 1, "well": 0}))


def turned(frame):
    """Return the table with rows in another order and with another index."""
    return frame.iloc[::-1].set_axis(range(5, 5 + len(frame)))


@pytest.fixture(scope="module")
def renamed_schema(mixed):
    return Schema(tuple(Column(NAMES[c.name], c.type, parameters=c.parameters) for c in mixed))


CHANGES = {"scale": rescaled, "names": renamed, "categories": recoded, "order": turned}


@pytest.mark.parametrize("change", CHANGES)
def test_what_means_the_same_gives_the_same_beyond_the_interval(
    judge, people, before, change, mixed, renamed_schema
):
    tables = map(CHANGES[change], (people[0], leaky(people, 120), people[2]))
    after = judge(*tables, schema=renamed_schema if change == "names" else mixed)
    assert after.verdict.word == before.verdict.word == "leak detected"
    assert after.verdict.findings[0].attack == before.verdict.findings[0].attack
    for one, other in zip(before.scores, after.scores, strict=True):
        assert one.name == other.name
        assert other.interval is not None, one.name
        assert one.interval.low <= other.value <= one.interval.high, one.name
        assert other.interval.low <= one.value <= other.interval.high, one.name
    if change == "order":
        assert after.to_json() == before.to_json()


def test_more_copies_never_lower_the_risk(judge, people):
    found = [judge(people[0], leaky(people, k), people[2]) for k in (0, 40, 80, 200, 400, 800)]
    words = [evaluation.verdict.word for evaluation in found]
    assert words == ["no leak detected at this power", *["leak detected"] * 5]
    least = [evaluation.verdict.findings[0].adjusted for evaluation in found]
    assert all(later <= before for before, later in pairwise(least))
    for score in found[0].scores:
        values = [evaluation[score.name].value for evaluation in found]
        interval = found[0][score.name].interval
        # Fresh rows that lay near a training row by chance give way to copies.
        slack = (interval.high - interval.low) / 4
        assert all(later > before - slack for before, later in pairwise(values)), score.name
        assert values[-1] > values[0] + slack, score.name


def test_training_rows_and_holdout_swapped_mirror_the_result(judge, people):
    train, _, holdout = people
    made = leaky(people, 400)
    there, back = judge(train, made, holdout), judge(holdout, made, train)
    assert there.verdict.word == "leak detected"
    assert back.verdict.word == "inconclusive"
    assert "swapped" in " ".join(back.verdict.reasons)
    least = [evaluation.verdict.findings[0].adjusted for evaluation in (there, back)]
    assert least[0] < 1e-6
    assert least[1] > 0.05
    for score in there.scores:
        if score.name.startswith("membership"):
            continue
        # What was met of training rows is now met of unseen ones, and the other way round.
        mirrored = back[score.name]
        assert score.value > score.reference, score.name
        assert mirrored.value <= mirrored.reference, score.name
    areas = [evaluation["membership_auc"].details["attacks"] for evaluation in (there, back)]
    nearest = [found["nearest synthetic row"]["auc"] for found in areas]
    assert nearest[1] == pytest.approx(1 - nearest[0], abs=0.002)

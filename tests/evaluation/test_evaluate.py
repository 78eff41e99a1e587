from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from tabsynth.errors import ConfigError, DataError, SchemaError
from tabsynth.evaluation import Evaluation, evaluate
from tabsynth.evaluation.base import Figure, Measure, measures
from tabsynth.evaluation.comparison import Comparison
from tabsynth.evaluation.frame import analyse
from tabsynth.evaluation.result import Score
from tabsynth.random import Streams
from tabsynth.schema import Column, Schema

CORE = ("tvd_1way", "tvd_2way", "c2st", "tstr", "exact_copies", "membership_auc", "membership_tpr")
"""Scores that every table has."""
NO_BASELINE = {
    "demographic_parity:ill:smokes",
    "equalised_odds:ill:smokes",
    "singling_out",
    "linkability",
    "inference",
    "formats",
}
"""Scores of which independent columns say nothing."""
NEED_UNSEEN = {"dcr_share", "augmentation:ill", "importance:ill"}
"""Scores other than of disclosure that have no value without a holdout."""


@pytest.fixture(scope="module")
def mixed(mixed):
    """People, some of whom belong to a group."""
    columns = (replace(c, role="quasi") if c.name == "smokes" else c for c in mixed.columns)
    return Schema(tuple(columns))


@pytest.fixture(scope="module")
def planned(tables, mixed):
    """The scores of every registered measure that fits the tables, in their order."""
    frames = dict(zip(("train", "synthetic", "holdout"), tables, strict=True))
    known = analyse(frames, mixed)
    comparison = Comparison.of(
        known, targets=("ill",), streams=Streams(0), frames=frames, schema=mixed
    )
    kinds = sorted(measures.items(), key=lambda item: (item[1].order, item[0]))
    plans = [measure for _, kind in kinds for measure in kind.plan(comparison)]
    return [figure.name for measure in plans for figure in measure.figures]


@pytest.fixture(scope="module")
def tables(sample):
    return tuple(sample(400, name) for name in ("train", "made", "holdout"))


@pytest.fixture(scope="module")
def judged(tables, mixed):
    train, made, holdout = tables
    return evaluate(train, made, holdout=holdout, target="ill", schema=mixed)


def test_every_score_has_value_direction_reference_and_baseline(judged, planned):
    assert [score.name for score in judged.scores] == planned
    assert set(CORE) <= set(planned)
    for score in judged.scores:
        assert score.value is not None, score.name
        assert score.reference is not None, score.name
        assert (score.baseline is None) == (score.name in NO_BASELINE), score.name
        assert score.reference_text
        assert score.explanation.endswith(".")
        exact = score.group in ("fidelity", "validity") and not score.name.startswith("c2st")
        assert (score.interval is None) == exact, score.name
    assert judged.rows["train"] == judged.rows["train_measured"] == 400
    assert judged.privacy == {}


def test_an_evaluation_survives_json(judged):
    again = Evaluation.from_dict(json.loads(judged.to_json()))
    assert again.to_json() == judged.to_json()
    assert again["c2st"].interval == judged["c2st"].interval
    assert again.columns == judged.columns
    assert again.pairs == judged.pairs


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(judged, tables, mixed):
    train, made, holdout = tables
    arguments = {"holdout": holdout, "target": "ill", "schema": mixed}
    assert evaluate(train, made, **arguments).to_json() == judged.to_json()
    other = evaluate(train, made, **arguments, seed=1)
    assert other["tvd_1way"] == judged["tvd_1way"]
    assert other["c2st"].value != judged["c2st"].value


def test_the_order_of_rows_and_columns_changes_nothing(judged, tables, mixed):
    train, made, holdout = (
        frame.sample(frac=1, random_state=3)[sorted(frame.columns)] for frame in tables
    )
    again = evaluate(train, made, holdout=holdout, target="ill", schema=mixed)
    assert again.to_json() == judged.to_json()


def test_tables_of_texts_get_the_figures_of_typed_ones(judged, tables, mixed, text):
    train, made, holdout = (text(frame) for frame in tables)
    again = evaluate(train, made, holdout=holdout, target="ill", schema=mixed)
    assert again.scores == judged.scores
    assert again.pairs == judged.pairs


def test_a_schema_is_inferred_where_none_is_given(tables, judged):
    train, made, holdout = tables
    found = evaluate(train, made, holdout=holdout, target="ill")
    # Which columns are of groups of people is a matter of roles, which are inferred too.
    known, guessed = ([s for s in e.scores if s.group != "fairness"] for e in (judged, found))
    assert guessed == known
    assert found.group("fairness")


def test_without_a_holdout_nothing_is_said_about_disclosure(tables, mixed):
    train, made, _ = tables
    found = evaluate(train, made, target="ill", schema=mixed)
    for score in found.scores:
        assert score.reference is None
        if score.group == "disclosure" or score.name in NEED_UNSEEN:
            assert score.value is None
            assert score.problem.startswith("No holdout")
        else:
            assert score.value is not None, score.name
    assert found.verdict.word == "inconclusive"
    assert "No holdout was given" in found.notices[0]
    assert found.rows["holdout"] == 0


def test_a_synthetic_table_without_rows_has_problems_and_no_figures(tables, mixed, planned):
    train, made, holdout = tables
    found = evaluate(train, made.iloc[:0], holdout=holdout, target="ill", schema=mixed)
    assert {score.name for score in found.scores} >= set(CORE)
    assert {score.name.partition(":")[0] for score in found.scores} == {
        name.partition(":")[0] for name in planned
    }
    assert {score.value for score in found.scores} == {None}
    assert {score.problem for score in found.scores} == {"The synthetic table has no rows."}
    assert [profile.name for profile in found.columns] == mixed.names


def test_too_few_rows_are_a_problem_that_says_how_many_are_needed(tables, mixed):
    train, made, holdout = tables
    found = evaluate(train, made.iloc[:15], holdout=holdout, schema=mixed)
    assert found["c2st"].problem == "Too few rows: the synthetic table has 15; 20 are needed."
    assert found["exact_copies"].value == 0


def test_large_tables_are_sampled_and_copies_looked_for_among_all_rows(tables, mixed):
    train, _, holdout = tables
    found = evaluate(train, train, holdout=holdout, schema=mixed, max_rows=100)
    assert found.rows["train"] == 400
    assert found.rows["train_measured"] == found.rows["holdout_measured"] == 100
    assert any("100 of the 400 rows of the training table" in text for text in found.notices)
    assert found["exact_copies"].value == 1
    assert found["exact_copies"].details["rows"] == 400


def test_columns_that_are_never_compared_may_be_absent(tables, mixed):
    train, made, holdout = tables
    schema = Schema((*mixed.columns, Column("note", "text")))
    real = [frame.assign(note="a b c") for frame in (train, holdout)]
    found = evaluate(real[0], made, holdout=real[1], schema=schema)
    assert found["tvd_1way"].value is not None
    assert found.columns[-1].measure == "none"


def test_nothing_but_identifiers_is_a_problem(tables):
    frame = pd.DataFrame({"id": [f"k{k}" for k in range(50)]})
    found = evaluate(frame, frame, holdout=frame, schema=Schema((Column("id", "identifier"),)))
    assert all("No column can be compared" in score.problem for score in found.scores)
    assert found.pairs.columns == ()


def test_a_table_of_one_column_has_no_pairs(tables):
    train, made, holdout = (frame[["income"]] for frame in tables)
    found = evaluate(train, made, holdout=holdout, schema=Schema((Column("income", "number"),)))
    assert "no pairs" in found["tvd_2way"].problem
    assert found["c2st"].value is not None


def test_constant_columns_are_no_obstacle(tables, mixed):
    train, made, holdout = (frame.assign(same=1, gone=None) for frame in tables)
    schema = Schema((*mixed.columns, Column("same", "number"), Column("gone", "category")))
    found = evaluate(train, made, holdout=holdout, schema=schema)
    without = {score.name: score.problem for score in found.scores if score.value is None}
    assert without == {}


def test_holdout_rows_that_are_training_rows_are_noticed(tables, mixed):
    train, made, holdout = tables
    mixed_up = pd.concat([holdout.iloc[:200], train.iloc[:200]])
    found = evaluate(train, made, holdout=mixed_up, schema=mixed, max_rows=30)
    assert any("of the holdout rows equal a training row" in text for text in found.notices)
    clean = evaluate(train, made, holdout=holdout, schema=mixed, max_rows=30)
    assert not any("of the holdout rows equal" in text for text in clean.notices)


def test_a_measure_that_fails_leaves_the_others_and_shows_no_cell(
    judged, tables, mixed, monkeypatch, caplog
):
    class Broken(Measure):
        order = 1
        figures = (Figure("broken", "Broken", "validity", "lower", 0.0, "Breaks."),)

        def measure(self, comparison):
            raise ValueError("secret cell")

    measures.names()  # so that all members are known before one is added
    monkeypatch.setitem(measures._members, "broken", Broken)
    train, made, holdout = tables
    with caplog.at_level(logging.DEBUG, "tabsynth"):
        found = evaluate(train, made, holdout=holdout, target="ill", schema=mixed)
    assert found["broken"].value is None
    assert "ValueError" in found["broken"].problem
    assert "measure" in found["broken"].problem
    assert "secret" not in found.to_json() + caplog.text
    assert "ValueError" in caplog.text
    assert found.scores[1:] == judged.scores


def test_a_figure_that_is_not_finite_is_none(tables, mixed, monkeypatch):
    class Endless(Measure):
        figures = (Figure("endless", "Endless", "validity", "lower", 0.0, "Never ends."),)

        def measure(self, comparison) -> list[Score]:
            return [self.figures[0].score(float("inf"))]

    measures.names()
    monkeypatch.setitem(measures._members, "endless", Endless)
    train, made, holdout = tables
    score = evaluate(train, made, holdout=holdout, schema=mixed, max_rows=30)["endless"]
    assert (score.value, score.problem) == (None, "The figure is not finite.")


def test_progress_is_told_of_every_measure(tables, mixed):
    train, made, holdout = tables
    seen = []
    evaluate(train, made, holdout=holdout, schema=mixed, monitor=seen.append, max_rows=30)
    assert seen[0].phase == "reading the tables to compare"
    assert any("C2ST" in progress.phase for progress in seen)
    assert seen[-1].done == seen[-1].total > 0


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda t: {"train": t.iloc[:0]}, DataError, "training table has no rows"),
        (lambda t: {"holdout": t.iloc[:0]}, DataError, "holdout table has no rows"),
        (lambda t: {"synthetic": t.drop(columns="town")}, SchemaError, "lacks columns"),
        (lambda t: {"holdout": t.drop(columns="town")}, SchemaError, "lacks columns"),
        (lambda t: {"synthetic": t.assign(more=1)}, SchemaError, "that the training table lacks"),
        (lambda t: {"train": t.drop(columns="town")}, SchemaError, "not in the table"),
        (lambda t: {"synthetic": t.rename(columns={"town": "ill"})}, DataError, "more than once"),
        (lambda t: {"synthetic": t["town"]}, DataError, "Synthetic table.*must be"),
        (lambda t: {"synthetic": t.assign(income="x")}, SchemaError, "In the synthetic table"),
        (lambda t: {"target": "il"}, ConfigError, "Did you mean 'ill'"),
        (lambda t: {"max_rows": 0}, ConfigError, "max_rows"),
        (lambda t: {"seed": -1}, ConfigError, "seed"),
    ],
)
def test_input_that_cannot_be_judged_is_an_error(tables, mixed, change, error, words):
    train, made, holdout = tables
    arguments = {"train": train, "synthetic": made, "holdout": holdout, "schema": mixed}
    arguments |= change(arguments["train"])
    with pytest.raises(error, match=words):
        evaluate(**arguments)


def test_evaluating_needs_no_torch():
    code = """
import json
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
import pandas as pd
from tabsynth.evaluation import evaluate
frames = [pd.DataFrame({"x": [*range(k, k + 20)] * 3, "y": list("ab") * 30}) for k in range(3)]
found = evaluate(frames[0], frames[1], holdout=frames[2], target="y")
print(json.dumps({score.name: (score.value, score.problem) for score in found.scores}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.stderr
    found = json.loads(done.stdout)
    assert [name for name in CORE if found[name][0] is None] == []
    assert [name for name, (_, problem) in found.items() if "ModuleNotFound" in problem] == []

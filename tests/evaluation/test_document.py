"""The JSON form of an evaluation: a contract with a schema, and a reader that checks it."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tabsynth.errors import DataError
from tabsynth.evaluation.document import evaluation_schema, read_evaluation
from tabsynth.evaluation.evaluate import evaluate
from tabsynth.evaluation.result import (
    VERSION,
    Evaluation,
    Finding,
    Interval,
    Joint,
    Pairs,
    Score,
    Verdict,
)
from tabsynth.evaluation.result import ColumnProfile as Column

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"

FULL = Evaluation(
    scores=(
        Score(
            *("auc", "AUC", "disclosure", 0.5, "half", 0.5, "How."),
            interval=Interval(0.4, 0.6),
            details={"roc": {"fpr": [0.1], "tpr": [0.2]}, "best": None},
            findings=(Finding("near", "membership", 2, 0.5),),
        ),
        Score("tvd", "TVD", "fidelity", None, "lower", 0.0, "How.", problem="Too few rows."),
    ),
    columns=(Column("a", "number", "plain", "learnt", "continuous", "int64", ("1",), (0.0, 1.0)),),
    pairs=Pairs(
        ("a", "b"),
        ((0.0, 0.1), (0.1, 0.0)),
        (Joint("a", "b", ("x",), ("y",), ((1.0,),), ((1.0,),), 0.1),),
    ),
    rows={"train": 10},
    privacy={"mechanism": "none", "spends": []},
    provenance={"seed": 7, "versions": {"python": "3"}},
    notices=("A note.",),
    verdict=Verdict("inconclusive", 0.05, (Finding("near", "membership", 2, None),), None, ("R.",)),
)


@pytest.fixture(scope="module")
def real(sample, mixed):
    """An evaluation as it comes out."""
    return evaluate(
        sample(120, "a"), sample(120, "b"), holdout=sample(90, "c"), target="ill", schema=mixed
    )


def test_the_committed_schema_is_current():
    path = REFERENCE / "make_schema.py"
    spec = importlib.util.spec_from_file_location("make_schema", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    message = "run: python docs/reference/make_schema.py"
    assert module.FILE.read_text("utf-8") == module.schema_text(), message


def test_the_schema_names_the_version_and_every_field():
    schema = evaluation_schema()
    assert schema["properties"]["tabsynth_evaluation"]["const"] == VERSION
    names = {field.name for field in fields(Evaluation)}
    assert set(schema["required"]) == {"tabsynth_evaluation", *names} == set(schema["properties"])
    assert set(FULL.to_dict()) == set(schema["properties"])


@pytest.mark.parametrize("what", ["full", "real", "empty"])
def test_what_was_written_is_read_back(what, request):
    known = {"full": FULL, "empty": Evaluation(scores=())}.get(what)
    known = known or request.getfixturevalue("real")
    text = known.to_json()
    again = read_evaluation(text)
    assert again.to_json() == text
    assert again == Evaluation.from_dict(json.loads(text))


def test_other_keys_at_the_top_and_other_encodings_are_read(real):
    document = {"schema_version": 1, "command": "evaluate", **real.to_dict()}
    text = json.dumps(document, ensure_ascii=False)
    assert read_evaluation(text).to_json() == real.to_json()
    for encoding in ("utf-8-sig", "utf-16"):
        assert read_evaluation(text.encode(encoding)).to_json() == real.to_json()


def test_documents_from_before_joint_distributions_are_read():
    state = FULL.to_dict()
    del state["pairs"]["worst"]
    for again in (read_evaluation(json.dumps(state)), Evaluation.from_dict(state)):
        assert again == replace(FULL, pairs=replace(FULL.pairs, worst=()))


def damaged(path, value):
    state = FULL.to_dict()
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(state)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON document"),
        (b"\xff\xfe\x00", "no JSON document"),
        ("[" * 100_000, "no JSON document"),
        ("[]", "no evaluation written by tabsynth"),
        ('{"rows": {}}', "no evaluation written by tabsynth"),
        ('{"tabsynth_evaluation": 99}', "format 99"),
        (damaged(("scores", 0, "value"), "SECRET"), "scores.0.value"),
        (damaged(("scores", 0, "group"), "SECRET"), "scores.0.group"),
        (damaged(("columns", 0, "cells"), "SECRET"), "columns.0.cells"),
        (damaged(("pairs", "tvd"), [["SECRET"]]), "pairs.tvd.0.0"),
        (damaged(("rows", "train"), "SECRET"), "rows.train"),
        (damaged(("verdict", "word"), "SECRET"), "verdict.word"),
        ('{"tabsynth_evaluation": 1}', "Field required"),
    ],
)
def test_a_damaged_document_is_refused_with_its_place_and_without_its_contents(text, words):
    with pytest.raises(DataError) as caught:
        read_evaluation(text)
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_many_problems_are_not_all_listed():
    state = FULL.to_dict()
    state["scores"] = [{} for _ in range(3)]
    with pytest.raises(DataError, match="and 16 more"):
        read_evaluation(json.dumps(state))

"""The card that travels with the synthetic table."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from tabsynth.evaluation.result import Evaluation, Interval
from tabsynth.report import to_card, to_card_dict, to_card_json
from tabsynth.report.markdown import markdown


def cells(line):
    """Return the cells of a row of a Markdown table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def tables(card):
    """Return the tables of a card, each a list of rows."""
    blocks = re.findall(r"(?:^\|.*\n)+", card, re.M)
    return [[cells(line) for line in block.splitlines()] for block in blocks]


def test_the_card_has_every_section_in_order(evaluation):
    card = to_card(evaluation)
    assert re.findall(r"^#+ (.*)$", card, re.M) == [
        "Synthetic data card: hospital\\_admissions.csv",
        "Purpose and limits",
        "Source",
        "Generator",
        "Schema and transformations",
        "Privacy",
        "Evaluation",
        "Known limits",
    ]


def test_the_card_says_that_the_data_is_synthetic(evaluation):
    assert "**This data is synthetic.**" in to_card(evaluation)
    assert "**This data is synthetic.**" in to_card(Evaluation(scores=()))


def test_the_card_says_how_the_table_was_made(evaluation):
    card = to_card(evaluation)
    for words in (
        "- Rows: 10,000 synthetic, 8,000 training, 2,000 held out",
        "- Columns: 16",
        "- Model: tvae",
        "- tabsynth: 0.1.0",
        "- Seed: 7",
        "epochs 300",
        "No differential privacy was used",
        "- **Disclosure:** No leak detected at this power.",
        "holds free text and was dropped",
    ):
        assert words in card, words


def test_the_card_lists_every_column_and_every_score(evaluation):
    schema, figures = tables(to_card(evaluation))
    assert [row[0] for row in schema[2:]] == [f"`{c.name}`" for c in evaluation.columns]
    assert [row[0] for row in figures[2:]] == [score.title for score in evaluation.scores]
    assert figures[2][1:5] == ["0.641", "95% interval 0.622 to 0.660", "0.503", "0.934"]
    for table in (schema, figures):
        assert len({len(row) for row in table}) == 1


def test_the_card_shows_no_statistic_of_real_rows(evaluation):
    # What differs between two evaluations only in the distributions must not show in the card.
    hidden = replace(
        evaluation,
        columns=tuple(
            replace(
                column,
                cells=tuple(f"secret {i}" for i, _ in enumerate(column.cells)),
                edges=tuple(edge + 1e6 for edge in column.edges),
                real=column.real[::-1],
                synthetic=column.synthetic[::-1],
                tvd=0.987,
                reference=0.876,
            )
            for column in evaluation.columns
        ),
        pairs=replace(evaluation.pairs, tvd=tuple(row[::-1] for row in evaluation.pairs.tvd)),
        scores=tuple(
            replace(score, details={"worst": "secret"}, explanation="other")
            for score in evaluation.scores
        ),
        provenance={**evaluation.provenance, "source_sha256": "0" * 64, "path": "secret.csv"},
    )
    assert to_card(hidden) == to_card(evaluation)
    assert to_card_json(hidden) == to_card_json(evaluation)
    categories = {
        cell
        for column in evaluation.columns
        if column.measure == "nominal"
        for cell in column.cells
        if len(cell) > 3
    }
    assert [cell for cell in categories if cell in to_card(evaluation)] == []
    assert evaluation.provenance["source_sha256"] not in to_card(evaluation)


def test_markup_in_names_is_shown_and_not_obeyed(evaluation, make_column):
    names = (
        "a|b",
        "<script>alert(1)</script>",
        "`code`",
        "two\nlines",
        "[x](http://y)",
        " ",
        "*b*",
    )
    card = to_card(replace(evaluation, columns=tuple(make_column(name) for name in names)))
    schema = tables(card)[0]
    assert len(schema) == 2 + len(names)
    assert {len(row) for row in schema} == {5}
    assert schema[2][0] == "a\\|b"
    assert schema[3][0] == "`<script>alert(1)</script>`"
    assert schema[5][0] == "`two lines`"
    titled = to_card(replace(evaluation, provenance={"table": "<b>x</b>\n# y"}))
    assert titled.splitlines()[0] == "# Synthetic data card: \\<b\\>x\\</b\\> \\# y"


def test_the_card_of_nothing_says_so():
    card = to_card(Evaluation(scores=()))
    for words in (
        "- Rows: not recorded",
        "- Model: not recorded",
        "- Seed: not recorded",
        "No column was described.",
        "Nothing was recorded about differential privacy",
        "- **Fidelity:** Not measured.",
        "Disclosure could not be judged. No attack was run.",
    ):
        assert words in card, words


def test_a_leak_is_among_the_known_limits(evaluation):
    leak = replace(evaluation["membership_auc"], value=0.8, interval=Interval(0.79, 0.81))
    card = to_card(replace(evaluation, scores=(leak,)))
    assert "- A leak was detected" in card
    assert "- **Disclosure:** Leak detected." in card


def test_a_budget_and_its_ledger_are_on_the_card(evaluation):
    privacy = {
        "mechanism": "DP-SGD",
        "statement": "This fit satisfies (ε=1.00, δ=1e-6)-differential privacy.",
        "epsilon": 1.0,
        "ledger": [{"what": "training", "epsilon": 1.0}],
    }
    card = to_card(replace(evaluation, privacy=privacy))
    assert "differential privacy." in card
    assert "- Epsilon: 1" in card
    assert "| training | 1 |" in card


def test_the_card_promises_nothing(evaluation):
    promise = re.compile(r"\b(safe\w*|anonym\w*|complian\w*|certified)\b", re.I)
    assert promise.findall(to_card(evaluation)) == []


def test_the_same_evaluation_gives_the_same_card(evaluation):
    again = Evaluation.from_dict(evaluation.to_dict())
    assert to_card(evaluation) == to_card(again)
    assert to_card(evaluation).endswith("\n")
    assert not to_card(evaluation).endswith("\n\n")


def test_the_card_as_data_says_what_the_card_in_words_says(evaluation):
    private = {
        "mechanism": "MST",
        "epsilon": 0.75,
        "statement": "Private.",
        "spends": [{"what": "pairs", "mechanism": "Gaussian", "epsilon": 0.75}],
    }
    for known in (evaluation, replace(evaluation, privacy=private)):
        words, card = to_card(known), to_card_dict(known)
        texts = [card["purpose"], card["table"], card["date"], card["generator"]["model"]]
        texts += [card["privacy"]["statement"], *card["limits"]]
        texts += [column["name"] for column in card["columns"]]
        texts += [column["transformation"] for column in card["columns"]]
        texts += [score["title"] for score in card["evaluation"]["scores"]]
        texts += card["evaluation"]["verdicts"].values()
        for text in texts:
            assert text in words or markdown(text) in words, text
        assert card["tabsynth_card"] == 1
        assert card["synthetic"] is True
        assert card["source"] == {
            "rows": {"synthetic": 10000, "train": 8000, "holdout": 2000},
            "columns": 16,
        }
        assert card["generator"]["seed"] == 7
        assert json.loads(to_card_json(known)) == card
    assert card["privacy"]["spends"] == private["spends"]


def test_the_card_as_data_holds_just_what_is_known_of_a_score(evaluation):
    c2st = to_card_dict(evaluation)["evaluation"]["scores"][0]
    assert c2st == {
        "name": "c2st",
        "title": "Two-sample test",
        "group": "fidelity",
        "value": 0.641,
        "interval": {"low": 0.622, "high": 0.66, "level": 0.95},
        "reference": 0.503,
        "baseline": 0.934,
        "better": "half",
        "best": 0.5,
        "problem": "",
    }


def test_a_card_as_data_can_be_made_of_nothing():
    card = to_card_dict(Evaluation(scores=()))
    assert card["columns"] == card["evaluation"]["scores"] == []
    assert card["generator"]["model"] is None
    assert "Nothing was recorded" in card["privacy"]["statement"]
    unknown = Evaluation(scores=(), privacy={"epsilon": float("nan")})
    assert json.loads(to_card_json(unknown))["privacy"]["epsilon"] is None

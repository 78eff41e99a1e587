"""The report as a page."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cached_property
from html.parser import HTMLParser

import pytest

from tabsynth.evaluation.document import read_evaluation
from tabsynth.evaluation.result import (
    ColumnProfile,
    Evaluation,
    Finding,
    Interval,
    Pairs,
    Verdict,
)
from tabsynth.report import to_html
from tabsynth.report.clauses import CLAUSES, CONTEXT, GOVERNANCE

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}
SELF_CLOSED = {"path", "use", "image", "rect", "circle"}
MOST_BYTES = 2_000_000

ODD_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} {% raw %}",
    "😀 émoji 🏥",
    "日本語の列名がとても長い場合",
    "x" * 300,
    "$x^2$ & a_b % #",
    "\x00\u202egnp.exe",
    "line\nbreak",
    "lone \ud800 surrogate",
    " ",
    "",
)


class Page(HTMLParser):
    """A page as a list of tags, with what is open checked on the way."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.open = []
        self.words = []
        self.title_of = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in SELF_CLOSED | VOID, tag
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @cached_property
    def text(self):
        return " ".join("".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def check(text):
    """Assert what holds for every report and return the page."""
    page = Page(text)
    ids = Counter(attributes["id"] for _, attributes in page.tags if attributes.get("id"))
    assert [name for name, n in ids.items() if n > 1] == []
    tables = {attributes.get("id") for attributes in page.all("table")}

    # Nothing runs and nothing is loaded.
    assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & {
        tag for tag, _ in page.tags
    }
    for _, attributes in page.tags:
        assert [name for name in attributes if name.startswith("on")] == []
        for name in ("href", "src", "xlink:href", "action"):
            target = attributes.get(name) or "#"
            assert target.startswith(("#", "data:image/png;base64,")), target
            if target.startswith("#") and len(target) > 1:
                assert target[1:] in ids, target
    for target in re.findall(r"url\(([^)]*)\)", text):
        assert target.startswith("#")
        assert target[1:] in ids
    assert "@import" not in text
    assert not re.search(r"(src|href)\s*=\s*[\"']?\s*(https?:)?//", text)

    # Every chart has a name and a table.
    charts = page.all("svg")
    for chart in charts:
        assert chart["role"] == "img"
        assert chart["aria-labelledby"] in ids
    assert len(re.findall(r"<svg[^>]*><title id=\"[^\"]+\">[^<]+</title>", text)) == len(charts)
    figures = page.all("figure")
    assert len(figures) == len(charts)
    for figure in figures:
        assert figure["aria-details"] in tables

    # Every header cell says what it heads.
    assert [cell for cell in page.all("th") if "scope" not in cell] == []
    assert page.all("html") == [{"lang": "en"}]
    assert "Confidential: contains statistics of real rows" in page.text
    promise = re.compile(r"\b(safe\w*|anonym\w*|complian\w*|certified)\b", re.I)
    assert promise.findall(page.text) == []
    assert len(text.encode()) < MOST_BYTES
    return page


def test_the_report_is_well_formed_and_stands_alone(evaluation):
    text = to_html(evaluation)
    page = check(text)
    assert "http" not in text.replace("http-equiv", "")
    assert len(page.all("svg")) == 7 + 12 + 1 + 10 + 1
    assert [a["id"] for a in page.all("section")] == [
        "in-short",
        "context",
        "columns",
        "fidelity",
        "utility",
        "disclosure",
        "privacy",
        "governance",
        "provenance",
        "notices",
    ]


def test_the_report_forbids_the_browser_to_load_or_run_anything(evaluation):
    policy = [meta for meta in Page(to_html(evaluation)).all("meta") if "http-equiv" in meta]
    assert policy[0]["http-equiv"] == "Content-Security-Policy"
    assert policy[0]["content"].startswith("default-src 'none';")


def test_the_report_says_what_there_is_to_say(evaluation):
    text = check(to_html(evaluation)).text
    for words in (
        "hospital_admissions.csv",
        "2026-03-02",
        "Rows: 10,000 synthetic, 8,000 training, 2,000 held out",
        "16 columns",
        "Nearer to fresh real rows than to independent columns",
        "No leak detected at this power",
        "95% interval 0.489 to 0.525",
        "The nearer to 0.5 the better.",
        "Lower is better; 0 is the best possible.",
        "regenerated, never learnt",
        "not compared",
        "The worst ten pairs",
        "Missing: 12.0% of real and 12.0% of synthetic rows.",
        "Intervals of unequal width, drawn equally wide.",
        "No differential privacy was used",
        "singling out a person",
        "Versions · torch",
        "2.13.0",
        "Column 'remarks' holds free text and was dropped.",
    ):
        assert words in text, words


def test_sections_name_their_clauses_and_what_is_left_to_fill_in(evaluation):
    tested = Verdict("inconclusive", 0.05, (Finding("near", "membership", 2, 0.5, 0.5),))
    text = check(to_html(replace(evaluation, verdict=tested))).text
    for clause in CLAUSES.values():
        assert f"ISO/IEC 27559:2022, {clause}" in text, clause
    for question in (*CONTEXT, *GOVERNANCE):
        assert question in text
    for heading in ("Singling out", "Linkability", "Inference", "Membership", "Copying"):
        assert f">{heading}</h3>" in to_html(evaluation)
    assert "no statement of conformity" in text
    assert "They do not hold the model, the seed or this report." in text
    assert "<dt>Regenerated, never learnt</dt><dd>2 columns</dd>" in to_html(evaluation)


def test_what_is_said_of_attackers_fits_the_attacks_that_were_run(evaluation):
    assert "the 5% of rows that are least like any other" not in to_html(evaluation)
    vulnerable = replace(evaluation["membership_tpr"], name="membership_vulnerable_tpr")
    more = replace(evaluation, scores=(*evaluation.scores, vulnerable))
    assert "the 5% of rows that are least like any other" in to_html(more)
    assert "What an attacker is taken to know" not in to_html(Evaluation(scores=()))


def test_every_score_is_explained_with_its_reference_and_baseline(evaluation):
    text = check(to_html(evaluation)).text
    for score in evaluation.scores:
        assert score.title in text
        assert score.explanation in text
    assert "Fresh real rows: As many training rows against the same unseen rows." in text
    assert "Interval: Clopper-Pearson." in text


def test_the_same_evaluation_gives_the_same_bytes(evaluation):
    again = Evaluation.from_dict(evaluation.to_dict())
    assert to_html(evaluation) == to_html(evaluation) == to_html(again)
    assert to_html(read_evaluation(evaluation.to_json())) == to_html(evaluation)


def test_another_process_gives_the_same_bytes_without_pyplot(evaluation, tmp_path):
    path = tmp_path / "evaluation.json"
    path.write_text(evaluation.to_json(), encoding="utf-8")
    code = (
        "import hashlib, json, sys; from tabsynth.evaluation.result import Evaluation;"
        "from tabsynth.report import to_html;"
        "state = json.load(open(sys.argv[1], encoding='utf-8'));"
        "text = to_html(Evaluation.from_dict(state));"
        "assert 'matplotlib.pyplot' not in sys.modules;"
        "sys.stdout.buffer.write(text.encode())"
    )
    command = [sys.executable, "-c", code, str(path)]
    made = subprocess.run(command, capture_output=True, check=True).stdout
    assert made == to_html(evaluation).encode()


def test_a_report_on_150_columns_is_complete_and_small(wide_evaluation):
    page = check(to_html(wide_evaluation))
    assert len(page.all("svg")) == 7 + 150 + 1 + 10 + 1
    assert "The 24 columns that differ most" in page.text
    assert "The other 126 columns, small" in page.text
    for column in wide_evaluation.columns:
        assert column.name in page.text


def test_long_names_and_many_long_categories_keep_the_report_small(make_column):
    columns = tuple(
        make_column(f"{i} " + "name " * 24, [f"{i} {j} " + "category " * 30 for j in range(120)])
        for i in range(150)
    )
    names = tuple(column.name for column in columns)
    pairs = Pairs(names, tuple(tuple(0.1 for _ in names) for _ in names))
    page = check(to_html(Evaluation(scores=(), columns=columns, pairs=pairs)))
    assert "those with the least difference are left out" in page.text


def test_names_and_categories_are_shown_and_never_obeyed(evaluation, make_column):
    odd = replace(
        evaluation,
        columns=tuple(make_column(name, ODD_NAMES) for name in ODD_NAMES),
        pairs=Pairs(ODD_NAMES, tuple(tuple(0.1 for _ in ODD_NAMES) for _ in ODD_NAMES)),
        provenance={name: name for name in ODD_NAMES} | {"table": ODD_NAMES[0]},
        notices=ODD_NAMES,
    )
    text = to_html(odd)
    page = check(text)
    assert text.encode()
    for name in ODD_NAMES[:7]:
        assert " ".join(name.split()) in page.text
    assert "<script" not in text
    assert "\u202e" not in text
    assert "(blank)" in page.text


def test_texts_of_scores_are_escaped(evaluation):
    mark = "<script>alert(1)</script>"
    scores = tuple(
        replace(
            score,
            title=mark,
            explanation=mark,
            problem=mark,
            reference_text=mark,
            interval=Interval(0.1, 0.9, 0.95, mark),
            details={mark: mark},
        )
        for score in evaluation.scores
    )
    text = to_html(replace(evaluation, scores=scores, privacy={"statement": mark, mark: mark}))
    check(text)
    assert "<script" not in text


def test_nothing_at_all_is_still_a_report():
    page = check(to_html(Evaluation(scores=())))
    assert page.all("svg") == []
    for words in (
        "Unnamed table",
        "Rows: not recorded · 0 columns",
        "Not measured",
        "Inconclusive",
        "No attack was run.",
        "No column was described.",
        "Nothing was recorded about differential privacy.",
        "Nothing was recorded about how the table was made.",
    ):
        assert words in page.text, words


def test_one_column_is_a_report(evaluation):
    one = replace(evaluation, columns=evaluation.columns[3:4], pairs=Pairs(("age",), ((0.0,),)))
    page = check(to_html(one))
    assert "· 1 column ·" in page.text
    assert "Pairs of columns" not in page.text.replace("Distance of pairs of columns", "")


def test_two_columns_have_one_pair(evaluation):
    two = replace(
        evaluation,
        columns=evaluation.columns[3:5],
        pairs=Pairs(("age", "sex"), ((0.0, 0.2), (0.2, 0.0))),
    )
    assert "The worst ten pairs" not in check(to_html(two)).text


def test_without_a_holdout_the_finding_is_inconclusive(evaluation):
    scores = tuple(
        replace(score, value=None, interval=None, reference=None, problem="no rows were held out")
        for score in evaluation.scores
    )
    rows = {"train": 100, "synthetic": 100, "holdout": 0}
    page = check(to_html(replace(evaluation, scores=scores, rows=rows)))
    assert "no holdout" in page.text
    assert "Inconclusive. No real rows were held out" in page.text
    assert page.text.count("No value. no rows were held out") == len(scores)


def test_a_score_without_a_value_shows_its_problem_and_no_chart(evaluation):
    broken = replace(evaluation.scores[0], value=None, problem="Too few rows: 12 of 40.")
    page = check(to_html(replace(evaluation, scores=(broken, *evaluation.scores[1:]))))
    assert "No value. Too few rows: 12 of 40." in page.text
    assert len(page.all("svg")) == 6 + 12 + 1 + 10 + 1


def test_a_weakness_of_a_score_is_shown_beside_its_value(evaluation):
    weak = replace(evaluation.scores[0], problem="Only 60 rows were left.")
    assert "Only 60 rows were left." in check(to_html(replace(evaluation, scores=(weak,)))).text


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_figures_that_are_absent_everywhere_are_still_a_report(evaluation, nothing):
    scores = tuple(
        replace(
            score,
            value=nothing,
            reference=nothing,
            baseline=nothing,
            interval=None if nothing is None else Interval(nothing, nothing),
        )
        for score in evaluation.scores
    )
    columns = tuple(
        replace(
            column,
            tvd=nothing,
            reference=nothing,
            real=tuple(nothing for _ in column.real),
            synthetic=tuple(nothing for _ in column.synthetic),
        )
        for column in evaluation.columns
    )
    pairs = Pairs(("a", "b"), ((nothing, nothing), (nothing, nothing)))
    page = check(to_html(replace(evaluation, scores=scores, columns=columns, pairs=pairs)))
    assert "It could not be computed." in page.text
    assert "nan" not in page.text.split()


def test_columns_without_cells_are_listed_and_not_drawn():
    column = ColumnProfile("bare", "category", "plain", "learnt", "nominal", tvd=0.25)
    page = check(to_html(Evaluation(scores=(), columns=(column,))))
    assert page.all("svg") == []
    assert "bare" in page.text
    assert "0.250" in page.text


def test_a_leak_is_marked_without_relying_on_colour(evaluation):
    leak = replace(evaluation["membership_auc"], value=0.8, interval=Interval(0.79, 0.81))
    page = check(to_html(replace(evaluation, scores=(leak,))))
    assert page.text.count("Leak detected") == 2
    assert [a for a in page.all("article") if "grave" in a.get("class", "")]


def test_a_ledger_becomes_a_table(evaluation):
    ledger = [
        {"what": "marginals", "mechanism": "Gaussian", "epsilon": 0.2},
        {"what": "training", "mechanism": "DP-SGD", "epsilon": 0.8, "steps": 1200},
    ]
    for form in (ledger, {"entries": ledger}):
        privacy = {"mechanism": "DP-SGD", "epsilon": 1.0, "statement": "S.", "ledger": form}
        page = check(to_html(replace(evaluation, privacy=privacy)))
        assert "Ledger" in page.text
        assert "Steps" in page.text
        assert "1200" in page.text
        assert "DP-SGD, ε = 1" in page.text


@pytest.mark.parametrize("ledger", [[], {}, "text", None, [1, 2], {"spent": 0.5}])
def test_a_ledger_of_another_form_is_no_table_and_no_error(evaluation, ledger):
    privacy = {**evaluation.privacy, "ledger": ledger}
    assert "Ledger" not in check(to_html(replace(evaluation, privacy=privacy))).text


def test_validity_has_a_section_where_it_was_measured(evaluation):
    valid = replace(evaluation.scores[1], name="ranges", group="validity", title="Within range")
    page = check(to_html(replace(evaluation, scores=(*evaluation.scores, valid))))
    assert "validity" in [a["id"] for a in page.all("section")]
    assert 'href="#validity"' in to_html(replace(evaluation, scores=(valid,)))


def test_attacks_that_were_run_are_not_listed_as_missing(evaluation):
    more = replace(evaluation["membership_auc"], name="singling_out_rate")
    text = check(to_html(replace(evaluation, scores=(*evaluation.scores, more)))).text
    assert "singling out a person" not in text
    assert "linking two tables" in text


def test_the_page_follows_the_light_and_the_dark_scheme_and_prints(evaluation):
    text = to_html(evaluation)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    defined = set(re.findall(r"(--\w+):", style))
    used = set(re.findall(r"var\((--\w+)\)", text))
    assert used <= defined
    # No chart has a colour of its own that could vanish against one of the two schemes.
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.S))
    assert re.findall(r"(?:fill|stroke):\s*#", drawn) == []


def test_importing_the_room_imports_neither_jinja_nor_matplotlib():
    code = "import sys, tabsynth.report; print({'jinja2', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""The documentation says what the program does: names, links, code and outputs are checked."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import textwrap
import zipfile
from pathlib import Path

import pytest
import typer

from tabsynth import Schema, Synthesizer, datasets, evaluate
from tabsynth.artifact import DOCUMENTS, MANIFEST, TENSORS
from tabsynth.choice import FEW_ROWS
from tabsynth.cli.main import app, run
from tabsynth.columns import columns
from tabsynth.columns.personal import KINDS
from tabsynth.evaluation.base import measures
from tabsynth.models import models
from tabsynth.schema import ROLES
from tabsynth.schema.infer import COMMON_PARAMETERS, check_schema

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
HOW_TO = [page for page in PAGES if page.startswith("how-to/")]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def text_of(page):
    return (DOCS / page).read_text("utf-8")


def prose_of(page):
    """Return a page without its blocks of code."""
    return FENCE.sub("", text_of(page))


def blocks_of(page, language):
    """Return the blocks of code in a language: line of the first line, and text."""
    text = text_of(page)
    return [
        (text.count("\n", 0, found.start(2)) + 1, found[2])
        for found in FENCE.finditer(text)
        if found[1] == language
    ]


def anchors_of(text):
    """Return the anchors that headings get on the usual hosts."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def section_of(page, title):
    """Return the text below a heading, up to the next heading of that level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text_of(page), re.MULTILINE)
    assert found, f"{page} has no section {title!r}"
    below = text_of(page)[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", FENCE.sub(_blank, below), re.MULTILINE)
    return below[: end.start()] if end else below


def _blank(found):
    return re.sub(r"[^\n]", " ", found[0])


def terms_of(text):
    """Return what the first cells of the rows of tables name in code."""
    return {term for row in re.findall(r"^\| ([^|]+) \|", text, re.M) for term in _codes(row)}


def _codes(text):
    return re.findall(r"`([^`]+)`", text)


def test_the_index_leads_to_every_page():
    linked = {target.partition("#")[0] for target in LINK.findall(text_of("README.md"))}
    assert set(PAGES) - {"README.md"} == linked


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors_inside_the_repository_resolve(page):
    broken = []
    for target in LINK.findall(prose_of(page)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        place = ((DOCS / page).parent / path).resolve() if path else DOCS / page
        known = place.is_relative_to(ROOT) and place.exists()
        if not known or (anchor and anchor not in anchors_of(place.read_text("utf-8"))):
            broken.append(target)
    assert broken == []


def test_an_anchor_is_made_as_the_usual_hosts_make_it():
    text = "# A b-c, `d_e` (f)!\n```\n# no heading\n```\n## 1. Get it\n"
    assert anchors_of(text) == {"a-b-c-d_e-f", "1-get-it"}


@pytest.mark.parametrize("name", columns.names())
def test_every_column_type_is_documented_with_just_its_parameters(name):
    section = section_of("how-to/schema.md", name)
    assert terms_of(section) == set(columns.get(name).parameters)


def test_parameters_of_every_column_type_roles_and_kinds_are_documented():
    assert terms_of(section_of("how-to/schema.md", "Missing cells")) == set(COMMON_PARAMETERS)
    assert terms_of(section_of("how-to/schema.md", "Roles")) == set(ROLES)
    assert set(KINDS) <= set(_codes(section_of("how-to/schema.md", "personal")))


def test_every_model_is_documented_and_so_is_how_one_is_chosen():
    page = "explanation/models.md"
    assert terms_of(text_of(page)) == set(models.names())
    for name in models.names():
        section_of(page, name)
    rule = section_of(page, "How `auto` chooses")
    assert f"fewer than {FEW_ROWS}" in rule
    for n_rows in (FEW_ROWS - 1, FEW_ROWS):
        assert f"`{Synthesizer().choose(n_rows).model}`" in rule


def make_cli():
    """Return the module that writes the reference of the command line."""
    spec = importlib.util.spec_from_file_location("make_cli", DOCS / "reference" / "make_cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_the_command_line_is_current():
    current = make_cli().reference()
    assert text_of("reference/cli.md") == current, "run: python docs/reference/make_cli.py"


def test_every_exit_code_that_the_program_names_is_documented():
    told = typer.main.get_command(app).help.partition("Exit codes:")[2]
    codes = {int(code) for code in re.findall(r"\d+", told)}
    assert {0, 1, 2, 3, 4, 5, 130} <= codes
    assert codes <= set(make_cli().EXIT_CODES)


def test_every_environment_variable_that_is_read_is_documented():
    pattern = re.compile(r"environ(?:\.get\(|\[)[\"'](\w+)")
    sources = (path.read_text("utf-8") for path in (ROOT / "tabsynth").rglob("*.py"))
    read = {name for source in sources for name in pattern.findall(source)}
    assert read
    assert read <= set(make_cli().VARIABLES)


def verbs():
    """Return the options of every verb by its path."""
    found = {}

    def walk(command, path):
        options = {name for parameter in command.params for name in parameter.opts}
        found[path] = options | {"-h", "--help"}
        for name, below in getattr(command, "commands", {}).items():
            walk(below, (*path, name))

    walk(typer.main.get_command(app), ())
    return found


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_shown_exist_with_their_options(page):
    known = verbs()
    text = "\n".join(block for _, block in blocks_of(page, "console")).replace("\\\n", " ")
    for line in re.findall(r"^\$ tabsynth (.*)$", text, re.MULTILINE):
        words = shlex.split(line, comments=True)
        path = ()
        while words and (*path, words[0]) in known:
            path = (*path, words.pop(0))
        options = {word for word in words if re.match(r"--?[a-z]", word)}
        if "[OPTIONS]" not in words:
            assert path, line
        assert options <= known[path], line


def people(n_rows, start):
    table = datasets.hospital_admissions(n_rows, seed=start)
    return table[["sex", "smoker", "length_of_stay_days", "readmitted"]]


VARIES = ("augmentation",)
"""Scores whose best value depends on the table."""


def test_every_score_is_documented_with_its_direction_and_best_value():
    train, unseen = people(80, 1), people(80, 2)
    found = evaluate(
        train, people(80, 3), holdout=unseen, target=["readmitted", "length_of_stay_days"]
    )
    rows = re.findall(r"^\| (\[?`.*)\|$", text_of("reference/scores.md"), re.MULTILINE)
    table = {name: row.split(" | ") for row in rows for name in _codes(row.split(" | ")[0])}
    assert "tstr:length_of_stay_days" in [score.name for score in found.scores]
    for score in found.scores:
        head, *rest = score.name.split(":")
        cells = table[":".join([head, *("<target>", "<column>")[: len(rest)]])]
        assert [cells[1], cells[3]] == [score.group, score.better]
        assert head in VARIES if cells[4] == "varies" else float(cells[4]) == score.best
        if score.value is not None:
            assert (cells[5] != "–") == (score.interval is not None), score.name
        section_of("reference/scores.md", score.name.partition(":")[0])


def test_scores_that_need_a_holdout_are_said_to():
    for _, kind in measures.items():
        figures = getattr(kind, "figures", ()) or kind().figures
        for figure in [figure.name.partition(":")[0] for figure in figures]:
            row = re.search(rf"^\| \[`{figure}`\].*$", text_of("reference/scores.md"), re.M)
            assert row[0].endswith("| yes |") == kind.needs_holdout, figure


def test_every_member_of_a_model_file_and_every_key_of_its_manifest_is_documented(tmp_path):
    place = tmp_path / "a.model"
    Synthesizer("independent", seed=7).fit(people(40, 1)).save(place)
    with zipfile.ZipFile(place) as archive:
        members = archive.namelist()
        manifest = json.loads(archive.read(MANIFEST))
    assert {MANIFEST, TENSORS, *(f"{name}.json" for name in DOCUMENTS)} == set(members)
    assert terms_of(text_of("reference/model-file.md")) == {*members, *manifest}


@pytest.fixture
def registries():
    """Take out again what a plug-in registers."""
    # All are asked for first: a model's module registers it only when it is first imported.
    kept = [(registry, dict(registry.items())) for registry in (columns, models)]
    yield
    for registry, members in kept:
        registry._members.clear()
        registry._members.update(members)


@pytest.mark.parametrize("page", HOW_TO)
def test_python_code_of_the_how_to_pages_runs(page, registries, tmp_path, monkeypatch):
    columns.names()  # so that all built-in types are there before those of the page
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    blocks = blocks_of(page, "python")
    assert blocks
    for line, block in blocks:
        code = compile("\n" * (line - 1) + block, str(DOCS / page), "exec", dont_inherit=True)
        exec(code, namespace)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in HOW_TO])
def test_python_code_of_other_pages_is_python(page):
    for line, block in blocks_of(page, "python"):
        compile("\n" * (line - 1) + block, page, "exec")


def test_the_schema_that_is_shown_loads_and_fits_the_demo_table():
    shown = [block for _, block in blocks_of("how-to/schema.md", "yaml")]
    schema = Schema.from_yaml(shown[0])
    table = datasets.load("hospital_admissions", text=True)[schema.names]
    check_schema(schema, table)
    for column in schema:
        columns.get(column.type)(column).treatment()
    made = Synthesizer("independent", schema=schema, seed=7).fit(table.head(500)).sample(50)
    assert "postcode" not in made
    assert (made["notes"] == "").all() or made["notes"].isna().all()


def test_the_tutorial_shows_what_inspect_prints(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert run(["datasets", "write", "hospital_admissions", "-o", "admissions.csv"]) == 0
    assert run(["inspect", "admissions.csv", "-o", "schema.yaml"]) == 0
    printed = [" ".join(line.split()) for line in capfd.readouterr().err.splitlines()]
    shown = [block for _, block in blocks_of("tutorial.md", "console")]
    written = next(block for block in shown if block.startswith("$ tabsynth datasets write"))
    inspected = next(block for block in shown if block.startswith("$ tabsynth inspect"))
    lines = [line for block in (written, inspected) for line in block.splitlines()]
    for line in lines:
        if line.startswith("$") or line == "…" or not line:
            continue
        assert " ".join(line.split()) in printed

    edit = next(block for _, block in blocks_of("tutorial.md", "yaml"))
    changed = Path("schema.yaml").read_text("utf-8")
    for line in textwrap.dedent(edit).splitlines():
        name = line.partition(":")[0]
        changed = re.sub(rf"(?m)^  {name}: .*$", f"  {line}", changed)
    answers = [block for block in shown if block.startswith("$ tabsynth schema validate")]
    wrong = ("treatmnet", "treatment")
    for answer, text in zip(answers, (changed, changed.replace(*wrong)), strict=True):
        Path("schema.yaml").write_text(text, "utf-8")
        run(["schema", "validate", "schema.yaml", "admissions.csv"])
        assert capfd.readouterr().err.strip() == answer.splitlines()[1]

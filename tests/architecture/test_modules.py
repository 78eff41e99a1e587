"""What every module looks like, and what the repository never says."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}

# Written so that no pattern matches its own line.
FORBIDDEN = {
    "an absolute path of somebody's machine": r"(?<![\w.~-])/(?:[w]ork|[r]oot)/"
    r"|/(?:[h]ome|[U]sers)/\w+/",
    "the host of a package registry": r"pypi\.org|files\.pythonhosted|download\.pytorch",
}


def test_every_module_says_in_a_docstring_what_it_is(modules):
    assert [str(module.path) for module in modules if not ast.get_docstring(module.tree)] == []


def test_no_module_is_longer_than_its_limit(modules):
    lengths = {str(module.path): len(module.text.splitlines()) for module in modules}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_module_has_a_name_that_says_nothing(modules):
    nameless = [str(module.path) for module in modules if EMPTY_NAMES & set(module.name.split("."))]
    assert nameless == []


def text_files():
    """Return the text files that are tracked by git, or would be after `git add`."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git checkout, so no list of tracked files")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in sorted(set(listed.decode().split("\0")) - {""}):
        path = ROOT / name
        if path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                yield name, content.decode("utf-8", errors="replace")


def test_no_text_file_names_a_machine_or_a_registry():
    guilty = [
        f"{name}:{number}: {what}"
        for name, text in text_files()
        for what, pattern in FORBIDDEN.items()
        if re.search(pattern, text)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert guilty == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/".join(["see ", "work", "main"]), True),
        ("/".join(["", "home", "ada", "table.csv"]), True),
        (".".join(["https://pypi", "org"]) + "/simple", True),
        ("frame/work/flow", False),
        ("~/.cache/tabsynth", False),
        ("/usr/bin/env bash", False),
    ],
)
def test_the_forbidden_patterns_find_what_they_should(text, found):
    assert any(re.search(pattern, text) for pattern in FORBIDDEN.values()) is found

"""The package read as source, for tests about its architecture."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tabsynth"


@dataclass(frozen=True)
class Import:
    """One imported name, as an absolute dotted path.

    `always` is true where importing the module imports the name too: at the top level, and not
    under `if TYPE_CHECKING`.
    """

    name: str
    bound_as: str
    line: int
    always: bool


def walk(node: ast.AST, always: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node below `node`, and whether it runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        runs = always and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, runs
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part, then in ((child.body, False), (child.orelse, runs)):
                for statement in part:
                    yield statement, then
                    yield from walk(statement, then)
        else:
            yield from walk(child, runs)


class Module:
    """A module of the package, parsed.

    Parameters
    ----------
    path : Path
        Relative to the folder of the package, such as `schema/infer.py`.
    text : str
        Its source.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.tree = ast.parse(text)
        parts = path.with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.room = self.name.split(".")[0]

    def where(self, line: int) -> str:
        """Return the place of `line`, for a message."""
        return f"tabsynth/{self.path.as_posix()}:{line}"

    @cached_property
    def imports(self) -> list[Import]:
        """Every import of the module, wherever it stands."""
        found = []
        for node, always in walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.split(".")[0]
                    found.append(Import(alias.name, bound, node.lineno, always))
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                for alias in node.names:
                    bound = alias.asname or alias.name
                    found.append(Import(f"{base}.{alias.name}", bound, node.lineno, always))
        return found

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        here = ["tabsynth", *self.name.split(".")] if self.name else ["tabsynth"]
        up = node.level - 1 if self.is_package else node.level
        return ".".join([*here[: len(here) - up], *([node.module] if node.module else [])])

    @cached_property
    def uses(self) -> list[tuple[str, int]]:
        """Every name or attribute that resolves to something imported or built in, with lines."""
        aliases = {}
        for item in self.imports:
            whole = item.name.split(".")[0] == item.bound_as
            aliases[item.bound_as] = item.bound_as if whole else item.name
        found = []
        for node in ast.walk(self.tree):
            parts: list[str] = []
            at: ast.AST = node
            while isinstance(at, ast.Attribute):
                parts.insert(0, at.attr)
                at = at.value
            if isinstance(at, ast.Name):
                found.append((".".join([aliases.get(at.id, at.id), *parts]), node.lineno))
        return found


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """Every module of the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return [Module(path.relative_to(PACKAGE), path.read_text("utf-8")) for path in paths]


@pytest.fixture(scope="session")
def parse() -> Callable[[str, str], Module]:
    """A function that parses (path below the package, source), to test the checks themselves."""
    return lambda path, text: Module(Path(path), text)

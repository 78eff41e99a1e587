"""Who may import whom: the one-way directions of the house.

A room is a module or folder directly below `tabsynth`. Every import counts: at the top of a module,
inside a function, and for type checking. Change the table only together with
`docs/explanation/architecture.md`.
"""

from __future__ import annotations

import pytest

LEAVES = {"errors", "random", "registry", "monitor", "validation"}

# What private rows look like from inside a model or a column type: types only, no mechanism.
PROTOCOLS = {"privacy.training", "privacy.counting"}

# The key is a room, or one module of it that has its own rule. The values are rooms, or single
# modules where only those may be imported. A room may always import itself.
ALLOWED: dict[str, set[str]] = {
    # leaves
    "errors": set(),
    "random": {"errors"},
    "registry": {"errors"},
    "monitor": {"errors"},
    "validation": {"errors"},
    "config": {"errors", "registry"},
    # from a file to a table that is understood
    "schema": {"errors"},
    "schema.infer": {"columns", "constraints", *LEAVES},
    "io": {"errors", "registry", "schema"},
    "admissions": {"errors", "random"},
    "datasets": {"admissions", "errors", "random", "io", "schema"},
    # from a table to a model: codec -> columns -> {schema, encoding}; models -> encoding
    "encoding": {*LEAVES},
    "columns": {"schema.schema", "schema.dtype", "schema.labels", "encoding", *LEAVES},
    "constraints": {"columns", "schema.schema", *LEAVES},
    "codec": {"columns", "constraints", "encoding", "schema", *LEAVES},
    "fair": {"columns", "schema.schema", *LEAVES},
    "selection": {"codec", "encoding", "fair", "schema", *LEAVES},
    "stored": {"columns", "schema.dtype", *LEAVES},
    "given": {"codec", "columns", "constraints", "encoding", "stored", *LEAVES},
    "privacy": {"encoding", *LEAVES},
    "models": {"encoding", "io.atomic", *PROTOCOLS, *LEAVES},
    # judging: report -> evaluation, which knows nothing of models
    "evaluation": {"columns", "schema", *LEAVES},
    "report": {"evaluation", "errors"},
    # putting it together: cli -> workflow -> synthesizer
    "artifact": {"io", *LEAVES},
    "choice": {"models", *LEAVES},
    "completion": {"codec", "columns", "constraints", "encoding", "given", "models", *LEAVES},
    "candidates": {"codec", "encoding", "models", *LEAVES},
    "relaxation": {
        *("candidates", "codec", "completion", "constraints", "encoding", "given", "models"),
        *LEAVES,
    },
    "imputation": {
        *("codec", "columns", "constraints", "encoding", "given", "models", "relaxation"),
        *("stored", *LEAVES),
    },
    "augmentation": {"codec", "columns", "stored", *LEAVES},
    "uses": {"augmentation", "codec", "imputation", "models", *LEAVES},
    # under a budget: the coding of a table is bought, not read off
    "noisy": {"codec", "columns", "constraints", "encoding", "privacy", "schema", *LEAVES},
    "fitting": {"choice", "codec", "models", "noisy", "privacy", "schema", *LEAVES},
    "model_file": {
        *("artifact", "choice", "codec", "encoding", "fitting", "models", "privacy", "schema"),
        *LEAVES,
    },
    "synthesizer": {
        *("artifact", "choice", "codec", "completion", "encoding", "given", "models", "privacy"),
        *("fair", "fitting", "model_file", "selection", "schema", "uses", *LEAVES),
    },
    "audit": {
        *("artifact", "synthesizer", "evaluation", "privacy.audit", "privacy.budget", "models"),
        *("constraints", "schema", "io", *LEAVES),
    },
    "plan": {"choice", "codec", "fair", "fitting", "schema", "selection", *LEAVES},
    "workflow": {
        "plan",
        "artifact",
        "fitting",
        "model_file",
        "privacy",
        "choice",
        "codec",
        "fair",
        "selection",
        "synthesizer",
        "evaluation",
        "report",
        "schema",
        *LEAVES,
    },
    "cli": {
        *("workflow", "synthesizer", "artifact", "codec", "models", "privacy", "columns", "fair"),
        *("fitting", "model_file", "plan"),
        *("schema", "io"),
        *("evaluation", "audit", "report", "datasets", "benchmark", "config", *LEAVES),
    },
    "__main__": {"cli"},
    # beside it
    "testing": {"schema", "columns", "encoding", "privacy", "models", "evaluation", *LEAVES},
    "benchmark": {
        *("workflow", "synthesizer", "models", "privacy", "schema", "io", "evaluation", "report"),
        *("datasets", "config", *LEAVES),
    },
}

# Only the private optimiser may touch the library.
OPACUS_ONLY_IN = {"privacy.dpsgd"}

# Slow to import, so imported where they are used; a model may import torch at its top.
TORCH = {"privacy.dpsgd", "privacy.steps"}
HEAVY = {"torch", "opacus", "sklearn", "scipy", "matplotlib", "faker"}


def covers(allowed, target):
    """Return whether `target` is one of `allowed`, or inside one."""
    return any(target == name or target.startswith(f"{name}.") for name in allowed)


def target_of(name, known):
    """Return the longest beginning of an imported path that is a module, without `tabsynth.`."""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in known:
        parts.pop()
    return ".".join(parts)


def wrong_directions(module, known):
    """Return a sentence for every import of `module` that the table does not allow."""
    if not module.name:
        return []  # tabsynth/__init__.py gathers public names from everywhere
    if module.room not in ALLOWED:
        return [f"{module.where(1)}: room {module.room!r} is not in the table"]
    allowed = ALLOWED.get(module.name, ALLOWED[module.room])
    found = []
    for item in module.imports:
        if item.name.split(".")[0] != "tabsynth":
            continue
        target = target_of(item.name, known)
        if module.room == "cli" and item.name in ("tabsynth", "tabsynth.__version__"):
            continue  # the version, to print it
        if target.split(".")[0] != module.room and not covers(allowed, target):
            imported = f"tabsynth.{target}".rstrip(".")
            found.append(f"{module.where(item.line)}: {module.name} must not import {imported}")
    return found


def test_imports_run_one_way_only(modules):
    known = {module.name for module in modules}
    assert [problem for module in modules for problem in wrong_directions(module, known)] == []


def test_every_name_in_the_table_is_a_room_or_a_module_of_one():
    named = {*ALLOWED, *(name for names in ALLOWED.values() for name in names)}
    assert {name.split(".")[0] for name in named} <= set(ALLOWED)


def test_the_table_of_rooms_has_no_way_round_in_a_circle():
    # Single modules are let in where their room is not, so only whole rooms are followed.
    below = {room: {name for name in names if "." not in name} for room, names in ALLOWED.items()}
    del below["schema.infer"]  # reached through `schema` by name only; it asks the column types
    reached = {room: set(names) for room, names in below.items()}
    for _ in below:
        for names in reached.values():
            names |= {further for name in names for further in reached[name]}
    assert [room for room, names in reached.items() if room in names] == []


def test_only_the_private_optimiser_imports_opacus(modules):
    guilty = [
        module.where(item.line)
        for module in modules
        for item in module.imports
        if item.name.split(".")[0] == "opacus" and module.name not in OPACUS_ONLY_IN
    ]
    assert guilty == []


def test_heavy_libraries_are_imported_where_they_are_used(modules):
    guilty = [
        f"{module.where(item.line)}: {item.name}"
        for module in modules
        for item in module.imports
        if item.always and item.name.split(".")[0] in HEAVY
        if not (module.name in TORCH or module.room == "models")
        or item.name.split(".")[0] != "torch"
    ]
    assert guilty == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("evaluation/fidelity.py", "from tabsynth.models import tvae"),
        ("evaluation/fidelity.py", "def f():\n    import tabsynth.synthesizer"),
        ("evaluation/fidelity.py", "if TYPE_CHECKING:\n    from ..synthesizer import Synthesizer"),
        ("models/tvae.py", "from tabsynth.privacy.dpsgd import Optimizer"),
        ("models/tvae.py", "from tabsynth.privacy import dpsgd"),
        ("models/tvae.py", "from ..privacy import Ledger"),
        ("models/tvae.py", "from tabsynth import Synthesizer"),
        ("columns/number.py", "from tabsynth.schema import infer"),
        ("schema/schema.py", "from tabsynth.columns import number"),
        ("schema/__init__.py", "from ..columns import number"),
        ("io/csv.py", "from tabsynth.random import Streams"),
        ("report/html.py", "import tabsynth.schema.schema as schema"),
        ("errors.py", "import tabsynth.registry"),
        ("attic/old.py", "import json"),
    ],
)
def test_an_import_against_the_direction_is_found(parse, path, source):
    known = {"privacy", "privacy.dpsgd", "columns", "columns.number", "schema", "schema.infer"}
    known |= {"schema.schema", "models", "models.tvae", "synthesizer", "random", "registry"}
    assert len(wrong_directions(parse(path, source), known)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/tvae.py", "from tabsynth.privacy import training"),
        ("models/tvae.py", "from tabsynth.privacy.training import TrainingData"),
        ("models/tvae.py", "from . import base"),
        ("schema/infer.py", "from tabsynth.columns.number import Number"),
        ("columns/number.py", "from ..schema.schema import Column"),
        ("report/__init__.py", "from .html import write\nfrom ..evaluation import result"),
        ("__init__.py", "def __getattr__(name):\n    from tabsynth.synthesizer import Synthesizer"),
    ],
)
def test_an_import_along_the_direction_is_allowed(parse, path, source):
    known = {"privacy", "privacy.training", "columns.number", "schema.schema", "models.base"}
    known |= {"report.html", "evaluation.result", "synthesizer", "models", "evaluation", "report"}
    assert wrong_directions(parse(path, source), known) == []

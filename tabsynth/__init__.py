"""Synthetic tables that keep what a real table is good for, with the evidence for privacy.

>>> from tabsynth import Synthesizer, deidentify, evaluate
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tabsynth.errors import (
    ArtifactError,
    BudgetExceeded,
    ConfigError,
    DataError,
    PrivacyError,
    SampleError,
    SchemaError,
    TabsynthError,
)

if TYPE_CHECKING:
    from tabsynth import audit, datasets
    from tabsynth.evaluation import evaluate
    from tabsynth.evaluation.result import Evaluation
    from tabsynth.fair import Fair
    from tabsynth.schema.infer import infer_schema
    from tabsynth.schema.schema import Schema
    from tabsynth.synthesizer import Synthesizer
    from tabsynth.workflow import deidentify

__version__ = "0.1.0"

_LAZY = {
    "Evaluation": "tabsynth.evaluation.result",
    "Fair": "tabsynth.fair",
    "Schema": "tabsynth.schema.schema",
    "Synthesizer": "tabsynth.synthesizer",
    "deidentify": "tabsynth.workflow",
    "evaluate": "tabsynth.evaluation",
    "infer_schema": "tabsynth.schema.infer",
}

__all__ = [
    "ArtifactError",
    "BudgetExceeded",
    "ConfigError",
    "DataError",
    "Evaluation",
    "Fair",
    "PrivacyError",
    "SampleError",
    "Schema",
    "SchemaError",
    "Synthesizer",
    "TabsynthError",
    "__version__",
    "audit",
    "datasets",
    "deidentify",
    "evaluate",
    "infer_schema",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in ("audit", "datasets"):
        return import_module(f"tabsynth.{name}")
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'tabsynth' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

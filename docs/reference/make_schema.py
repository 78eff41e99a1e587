"""Writes evaluation.schema.json, the JSON Schema of saved evaluations, from the classes themselves.

Run ``python docs/reference/make_schema.py`` from the root of the repository after a change of
`tabsynth/evaluation/result.py`; a test fails while the file is not current. A change that old
documents do not fit needs a new `VERSION` there.
"""

from __future__ import annotations

import json
from pathlib import Path

from tabsynth.evaluation.document import evaluation_schema

FILE = Path(__file__).resolve().parent / "evaluation.schema.json"


def schema_text() -> str:
    """Return what the file holds."""
    return json.dumps(evaluation_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")

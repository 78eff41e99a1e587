"""Document: the JSON form of an evaluation as a contract, its JSON Schema and its reader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from tabsynth.errors import DataError
from tabsynth.evaluation.result import VERSION, Evaluation

if TYPE_CHECKING:
    from pydantic import TypeAdapter

KEY = "tabsynth_evaluation"
"""The key that marks an evaluation; its value is the version of the form."""
WANTED = (
    "Give what 'tabsynth evaluate --json' printed, or the report.json of 'tabsynth deidentify'."
)
MOST_PROBLEMS = 5
"""Problems of a document that a message lists."""


@cache
def _adapter() -> TypeAdapter[Evaluation]:
    from pydantic import TypeAdapter

    return TypeAdapter(Evaluation)


def evaluation_schema() -> dict[str, Any]:
    """Return the JSON Schema of the JSON form of an evaluation.

    Returns
    -------
    dict
        JSON Schema of draft 2020-12. Keys that it does not name are allowed: documents that the
        command line prints have a few more at the top.

    Examples
    --------
    >>> evaluation_schema()["properties"]["tabsynth_evaluation"]
    {'const': 1, 'description': 'Version of this form.'}
    """
    schema = _adapter().json_schema()
    marked = {KEY: {"const": VERSION, "description": "Version of this form."}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"Evaluation of a synthetic table by tabsynth, form {VERSION}",
        "properties": {**marked, **schema["properties"]},
        "required": [KEY, *schema["properties"]],
    }


def read_evaluation(text: str | bytes) -> Evaluation:
    """Return the evaluation that a JSON text holds, after checking all of it.

    Parameters
    ----------
    text : str or bytes
        As `Evaluation.to_json` writes it, or a document of the command line with the same keys.

    Raises
    ------
    DataError
        If it is no JSON, no evaluation, of another version, or damaged. The message names places,
        never contents.

    Examples
    --------
    >>> read_evaluation(Evaluation(scores=(), notices=("A note.",)).to_json()).notices
    ('A note.',)
    """
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"This is no JSON document. {WANTED}") from None
    return rebuild(state)


def rebuild(state: Any) -> Evaluation:
    """Return the evaluation that a JSON document holds; see `read_evaluation`."""
    from pydantic import ValidationError

    if not isinstance(state, Mapping) or KEY not in state:
        raise DataError(f"This is no evaluation written by tabsynth. {WANTED}")
    if state[KEY] != VERSION:
        raise DataError(
            f"This evaluation is of format {state[KEY]!r}; this version of tabsynth reads format "
            f"{VERSION}. Evaluate the tables again."
        )
    try:
        # As text, because the strict reader takes the lists of JSON for tuples there alone.
        return _adapter().validate_json(json.dumps(state), strict=True)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_context=False)
        ]
    more = len(problems) - MOST_PROBLEMS
    shown = "; ".join(problems[:MOST_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
    raise DataError(f"This evaluation is damaged: {shown}. Evaluate the tables again.")

"""The options that several verbs share, and what their texts mean."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabsynth.errors import ConfigError

if TYPE_CHECKING:
    from tabsynth.evaluation.result import Evaluation, Score

_INPUT, _MODEL, _OUTPUT, _JUDGE = "Input", "Model", "Output", "Evaluation"

Table = Annotated[
    str,
    typer.Argument(
        metavar="IN",
        help="Table to read: .csv, .tsv, .jsonl (each also .gz) or .parquet; '-' is standard input.",
        show_default=False,
    ),
]
SchemaFile = Annotated[
    str | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="Schema that says what each column is, as 'tabsynth inspect -o' writes it.",
        rich_help_panel=_INPUT,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        "--missing",
        metavar="TEXT",
        help="Cell text that means missing, besides the empty cell. Repeat for more.",
        rich_help_panel=_INPUT,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="Character between the cells of a CSV file; found out by default.",
        rich_help_panel=_INPUT,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding of a text file, such as cp1252; UTF-8 by default.",
        rich_help_panel=_INPUT,
    ),
]
InputFormat = Annotated[
    str | None,
    typer.Option(
        "--input-format",
        "--format",
        metavar="FORMAT",
        help="csv, jsonl or parquet, where the suffix does not say it.",
        rich_help_panel=_INPUT,
    ),
]
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="Column that people will predict; utility is measured for it. Repeat for more.",
        rich_help_panel=_JUDGE,
    ),
]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-under",
        metavar="SCORE=VALUE",
        help="Exit with 5 where a score is worse than this, such as c2st=0.7. Repeat for more.",
        rich_help_panel=_JUDGE,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Model to learn with; 'tabsynth models' lists them, 'auto' chooses by the size.",
        rich_help_panel=_MODEL,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Hyper-parameter of the model, such as epochs=50. Repeat for more.",
        rich_help_panel=_MODEL,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="Makes the result reproducible; drawn, printed and stored by default.",
        rich_help_panel=_MODEL,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace existing files.", rich_help_panel=_OUTPUT)
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document on standard output.", rich_help_panel=_OUTPUT
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=_OUTPUT)
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print more, and the traceback of an unexpected error (it may show cells).",
        rich_help_panel=_OUTPUT,
    ),
]


@dataclass(frozen=True)
class Gate:
    """A value that a score must not fall behind.

    Attributes
    ----------
    name : str
        Of the score.
    threshold : float
    """

    name: str
    threshold: float

    def failure(self, score: Score) -> str | None:
        """Return why `score` fails, or None where it passes.

        A score without a value fails: nothing is known in its favour.
        """
        if score.value is None:
            why = score.problem.rstrip(".") or "it has no value"
            return f"{self.name} could not be computed: {why}."
        value, limit = score.value, self.threshold
        if score.better == "lower":
            passed, wanted = value <= limit, f"at most {limit:g}"
        elif score.better == "higher":
            passed, wanted = value >= limit, f"at least {limit:g}"
        else:
            span = abs(limit - 0.5)
            passed = abs(value - 0.5) <= span + 1e-12
            wanted = f"between {0.5 - span:g} and {0.5 + span:g}"
        return None if passed else f"{self.name} is {value:.4g}; {wanted} was asked for."


def read_gates(texts: Sequence[str] | None) -> list[Gate]:
    """Return what --fail-under says.

    Raises
    ------
    ConfigError
        If a text is not NAME=VALUE with a number.

    Examples
    --------
    >>> read_gates(["c2st=0.7"])
    [Gate(name='c2st', threshold=0.7)]
    """
    gates = []
    for text in texts or ():
        name, mark, value = text.partition("=")
        try:
            threshold = float(value)
        except ValueError:
            threshold = math.nan
        if not mark or not name.strip() or not math.isfinite(threshold):
            raise ConfigError(
                f"--fail-under takes SCORE=VALUE with a number, such as c2st=0.7. Got {text!r}."
            )
        gates.append(Gate(name.strip(), threshold))
    return gates


def check_gates(gates: Sequence[Gate], evaluation: Evaluation) -> list[str]:
    """Return a sentence for every gate that fails.

    Raises
    ------
    ConfigError
        If there is no score of that name; the message lists the known ones.
    """
    scores = {score.name: score for score in evaluation.scores}
    for gate in gates:
        if gate.name not in scores:
            raise unknown_score(gate.name, list(scores))
    return [failure for gate in gates if (failure := gate.failure(scores[gate.name]))]


def unknown_score(name: str, known: Sequence[str]) -> ConfigError:
    """Return the error for a score that does not exist."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"There is no score called {name!r}.{hint} Known: {', '.join(known)}.")


@dataclass(frozen=True)
class RowCount:
    """How many rows to make: a number, or a multiple of the rows that are there.

    Attributes
    ----------
    value : float
    relative : bool
        Whether `value` is a multiple.
    """

    value: float
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> RowCount:
        """Read "500" or "2x".

        Raises
        ------
        ConfigError
            If it is neither, or negative.
        """
        relative = text.strip().lower().endswith("x")
        number = text.strip()[:-1] if relative else text.strip()
        try:
            value = float(number) if relative else int(number.replace("_", ""))
        except ValueError:
            value = -1
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(
                "--rows takes 0 or a positive integer, or a multiple of the rows of the input such "
                f"as 2x. Got {text!r}."
            )
        return cls(value, relative)

    def of(self, n_rows: int) -> int:
        """Return the number of rows where the input has `n_rows`."""
        return round(self.value * n_rows) if self.relative else int(self.value)


def read_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Return what --set says; values are JSON where they can be, else text.

    Raises
    ------
    ConfigError
        If a text is not NAME=VALUE, or a name is given twice.

    Examples
    --------
    >>> read_settings(["epochs=50", "coding=bins"])
    {'epochs': 50, 'coding': 'bins'}
    """
    settings: dict[str, Any] = {}
    for text in texts or ():
        name, mark, value = text.partition("=")
        name = name.strip()
        if not mark or not name:
            raise ConfigError(f"--set takes NAME=VALUE, such as epochs=50. Got {text!r}.")
        if name in settings:
            raise ConfigError(f"--set gives {name!r} twice. Give it once.")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def check_model(name: str) -> None:
    """Raise ConfigError where no model has that name; imports no model that is there."""
    from tabsynth.models import models

    if name != "auto" and name not in models.names():
        models.get(name)


def check_settings(model: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of `model` in the types that it wants.

    Raises
    ------
    ConfigError
        If there is no such hyper-parameter, or its value is of the wrong type or not allowed.
    """
    if not settings:
        return {}
    from typing import get_type_hints

    from pydantic import TypeAdapter, ValidationError

    from tabsynth.models import models

    kind = models.get(model).parameters_type
    hints = get_type_hints(kind)
    checked = {}
    for name, value in settings.items():
        if name not in hints:
            kind.from_dict({name: value}, model)
        try:
            checked[name] = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise ConfigError(
                f"--set {name}: {why}. Model {model!r} takes {_written(hints[name])}; got {value!r}."
            ) from None
    kind.from_dict(checked, model)
    return checked


def _written(hint: Any) -> str:
    return getattr(hint, "__name__", None) if isinstance(hint, type) else str(hint)

"""tabsynth models: which models there are, and their hyper-parameters."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import TYPE_CHECKING, Any

import typer

from tabsynth.cli import options
from tabsynth.cli.terminal import Terminal, print_json

if TYPE_CHECKING:
    from tabsynth.models import Model

_ENTRY = re.compile(r"^(\w+(?:, \w+)*) : .*\n((?:    .*\n?)+)", re.MULTILINE)


def models(context: typer.Context, as_json: options.AsJson = False) -> None:
    """List the models and their hyper-parameters.

    tabsynth models
    tabsynth deidentify patients.csv --model tvae --set epochs=50
    """
    terminal = Terminal.of(context, quiet=as_json)
    from tabsynth.models import models as registry

    listed = [_describe(name, kind) for name, kind in registry.items()]
    for model in listed:
        terminal.say(model["name"], style="bold")
        terminal.say(f"  {model['description']}")
        terminal.say(f"  Rows given in part are made {model['completes']}.")
        terminal.facts(
            {
                f"  --set {name}={one['default']}": one["meaning"]
                for name, one in model["parameters"].items()
            }
        )
        terminal.say("")
    terminal.say("Without --model, 'auto' chooses by the number of rows and says why in the plan.")
    if as_json:
        print_json({"schema_version": 1, "command": "models", "models": listed})


def _describe(name: str, kind: type[Model]) -> dict[str, Any]:
    """Return what a model is, and its hyper-parameters with their meaning and default."""
    defaults = kind.parameters_type()
    meanings = _meanings(kind.parameters_type)
    own = inspect.get_annotations(kind.parameters_type)
    return {
        "name": name,
        "description": kind.description,
        "completes": kind.completes,
        "parameters": {
            field.name: {
                "type": str(field.type),
                "default": getattr(defaults, field.name),
                "meaning": meanings.get(field.name, ""),
            }
            for field in sorted(dataclasses.fields(defaults), key=lambda one: one.name not in own)
        },
    }


def _meanings(kind: type[Any]) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say about each of its attributes."""
    return {
        name: " ".join(text.split())
        for base in reversed(kind.__mro__)
        for names, text in _ENTRY.findall(inspect.cleandoc(base.__doc__ or ""))
        for name in names.split(", ")
    }

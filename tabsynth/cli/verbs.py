"""How a function becomes a verb whose help is its docstring."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import typer

USAGE = 2
"""Exit code of wrong usage."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, whatever was written."""

Verb = TypeVar("Verb", bound=Callable[..., None])


def verb(app: typer.Typer, name: str | None = None) -> Callable[[Verb], Verb]:
    """Return a decorator that adds a function to `app`, with its docstring as the help."""

    def decorate(function: Verb) -> Verb:
        app.command(name, help=help_text(function.__doc__ or ""))(function)
        return function

    return decorate


def was_interrupted(training: Mapping[str, Any] | None) -> bool:
    """Return whether Ctrl-C ended the training of a model, of which a verb made the best."""
    return training is not None and training["stopped"] == "interrupted"


def help_text(docstring: str) -> str:
    r"""Return a docstring as help: a paragraph of calls is examples and keeps its lines.

    Examples
    --------
    >>> help_text("Do it.\n\n    tabsynth do it\n")
    'Do it.\n\n\x08\nExamples:\n  tabsynth do it'
    """
    parts = []
    for part in inspect.cleandoc(docstring).split("\n\n"):
        if part.lstrip().startswith("tabsynth "):
            lines = [f"  {line.strip()}" for line in part.splitlines()]
            part = "\n".join(["\b", "Examples:", *lines])
        parts.append(part)
    return "\n\n".join(parts)


def group(help: str) -> typer.Typer:
    """Return an empty group of verbs, which shows its help where no verb is given."""
    app = typer.Typer()

    @app.callback(invoke_without_command=True, help=help)
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print(context.get_help())
            raise typer.Exit(USAGE)

    return app

"""The program `tabsynth`: its verbs, and how an error becomes an exit code and one message."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated

import typer

from tabsynth.cli.audit import audit
from tabsynth.cli.augment import augment
from tabsynth.cli.datasets import app as datasets_app
from tabsynth.cli.deidentify import deidentify
from tabsynth.cli.evaluate import evaluate
from tabsynth.cli.fit import fit
from tabsynth.cli.impute import impute
from tabsynth.cli.inspect import inspect
from tabsynth.cli.model import app as model_app
from tabsynth.cli.models import models
from tabsynth.cli.preview import plan
from tabsynth.cli.privacy import app as odometer_app
from tabsynth.cli.rebalance import rebalance
from tabsynth.cli.report import report
from tabsynth.cli.sample import sample
from tabsynth.cli.schema import app as schema_app
from tabsynth.cli.terminal import Terminal
from tabsynth.cli.verbs import INTERRUPTED, USAGE, help_text, verb
from tabsynth.errors import ConfigError, PrivacyError, TabsynthError

UNEXPECTED, DATA, PRIVACY = 1, 3, 4
CLOSED_PIPE = 141

# Typer 0.29 carries its own copy of click, older ones use click itself.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
_ClickError: type[Exception] = _UsageError.__mro__[1]

app = typer.Typer(
    name="tabsynth",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from tabsynth import __version__

        print(f"tabsynth {__version__}")
        raise typer.Exit()


def _program(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Synthetic tables that keep what a real table is good for, with the evidence for privacy.

        tabsynth deidentify patients.csv          a synthetic table, a report and a card
        tabsynth inspect patients.csv             what each column is taken for, and why
        tabsynth evaluate real.csv synthetic.csv  judge a synthetic table from any tool

    Nothing leaves this machine. Exit codes: 0 done, 1 unexpected error, 2 wrong usage,
    3 data or schema problem, 4 refused for privacy, 5 a score failed its gate, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(USAGE)


app.callback(invoke_without_command=True, help=help_text(_program.__doc__ or ""))(_program)
_MAKING = (deidentify, inspect, plan, fit, sample, impute, rebalance, augment)
_JUDGING = (evaluate, report, audit, models)
for _verb in (*_MAKING, *_JUDGING):
    verb(app)(_verb)
app.add_typer(datasets_app, name="datasets")
app.add_typer(model_app, name="model")
app.add_typer(schema_app, name="schema")
app.add_typer(odometer_app, name="odometer")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        In place of those of the process.

    Raises
    ------
    SystemExit
        Always, with the exit code.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code; every error becomes a message."""
    terminal = Terminal()
    with _quiet_libraries(terminal):
        try:
            command = typer.main.get_command(app)
            code = command.main(
                args=list(arguments), prog_name="tabsynth", standalone_mode=False, obj=terminal
            )
        except BaseException as error:
            return _report(error, terminal)
    if code == INTERRUPTED:
        return _report(KeyboardInterrupt(), terminal)
    return code if isinstance(code, int) else 0


def _report(error: BaseException, terminal: Terminal) -> int:
    """Say what went wrong and return the exit code."""
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        terminal.insist(f"Interrupted; {_written(terminal)}.", style="bold red")
        return INTERRUPTED
    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        error = error.__context__  # Typer has its own idea of it
    if isinstance(error, BrokenPipeError):
        # The reader of the standard output has seen enough; do not complain at exit either.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    if isinstance(error, _ClickError):
        message = " ".join(str(getattr(error, "format_message", error.__str__)()).split())
        context = getattr(error, "ctx", None)
        hint = f"Run '{context.command_path} --help' to see what is allowed." if context else ""
        return _say(terminal, USAGE, message, hint)
    if isinstance(error, TabsynthError):
        return _say(terminal, _code(error), str(error))
    if isinstance(error, Exception):
        return _unexpected(error, terminal)
    raise error


def _code(error: TabsynthError) -> int:
    if isinstance(error, ConfigError):
        return USAGE
    return PRIVACY if isinstance(error, PrivacyError) else DATA


def _say(terminal: Terminal, code: int, message: str, hint: str = "") -> int:
    lines = message.splitlines() or [""]
    if len(lines) > 1:
        lines = [f"{len(lines)} problems:", *(f"  - {line}" for line in lines)]
    terminal.insist(f"Error: {lines[0]}", style="bold red")
    terminal.insist(*lines[1:], *([hint] if hint else []))
    return code


def _unexpected(error: Exception, terminal: Terminal) -> int:
    """Say where and what; the error's own words may hold cells, so they need to be asked for."""
    kind = type(error).__name__
    if isinstance(error, MemoryError):
        kind = "out of memory"
    terminal.insist(f"Error: unexpected error while {terminal.phase}: {kind}", style="bold red")
    if terminal.verbose:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    else:
        written = _written(terminal)
        terminal.insist(
            f"{written[0].upper()}{written[1:]}. Run again with -v for the traceback; it may show "
            "cells of the table, so look through it before you pass it on."
        )
    return UNEXPECTED


def _written(terminal: Terminal) -> str:
    """Return what had been written when the program was stopped."""
    if terminal.kept:
        return terminal.kept
    if not terminal.written:
        return "nothing was written"
    return f"these files had been written: {', '.join(terminal.written)}"


@contextmanager
def _quiet_libraries(terminal: Terminal) -> Iterator[None]:
    """Keep warnings of libraries to those who ask for them, and show the log of tabsynth."""
    logger = logging.getLogger("tabsynth")
    handler = _LogLines(terminal)
    logger.addHandler(handler)
    propagate, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
        logger.setLevel(level)


class _LogLines(logging.Handler):
    """Shows warnings, and with -v everything, on the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self.terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        if self.terminal.verbose or record.levelno >= logging.WARNING:
            self.terminal.say(record.getMessage(), style="dim")


if __name__ == "__main__":
    main()

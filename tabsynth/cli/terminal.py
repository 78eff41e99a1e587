"""Terminal: what a person sees, all of it on the standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import (
    Progress as Bars,
)
from rich.table import Table
from rich.text import Text

from tabsynth.errors import DataError
from tabsynth.monitor import Progress

_UNWRAPPED = 10_000


class Terminal:
    """Messages, tables and progress bars on the standard error.

    Nothing but errors is shown when `quiet`; progress is shown only on a terminal; colours follow
    `NO_COLOR`. Column names and paths are shown as they are, never read as markup.

    Parameters
    ----------
    quiet, verbose : bool
        What the options -q and -v say.

    Attributes
    ----------
    phase : str
        What is being done, in words, for the message about an error that nobody foresaw.
    written : tuple of str
        Files that are in their places, for the message about an interrupt.
    kept : str
        What there is in their place, in words, where work is kept in other ways.
    """

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.phase = "starting"
        self.written: tuple[str, ...] = ()
        self.kept = ""
        self.live = sys.stderr.isatty()
        self.console = Console(
            stderr=True,
            markup=False,
            emoji=False,
            highlight=False,
            width=None if self.live else _UNWRAPPED,
        )
        self._bars: Bars | None = None
        self._task: TaskID | None = None

    @classmethod
    def of(cls, context: typer.Context, quiet: bool = False, verbose: bool = False) -> Terminal:
        """Return the terminal of a command, told what its options say."""
        terminal = context.find_object(cls) or cls()
        context.obj = terminal
        terminal.quiet, terminal.verbose = quiet, verbose
        return terminal

    def say(self, *lines: str, style: str = "") -> None:
        """Print lines, unless quiet; on a terminal long ones are wrapped between words."""
        if not self.quiet:
            self.insist(*lines, style=style)

    def insist(self, *lines: str, style: str = "") -> None:
        """Print lines even when quiet."""
        for line in lines:
            self.console.print(Text(printable(line), style=style))

    def facts(self, facts: Mapping[str, str]) -> None:
        """Print names and what they are, one a line, unless quiet."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, style="bold")
        grid.add_column(overflow="fold")
        for name, fact in facts.items():
            grid.add_row(name, printable(fact))
        self._print(grid)

    def table(
        self, titles: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()
    ) -> None:
        """Print a table, unless quiet.

        Parameters
        ----------
        titles : sequence of str
        rows : sequence of sequence of str
            As many cells as there are titles.
        numbers : sequence of int
            Which columns hold numbers and are set flush right.
        """
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            header_style="bold",
            show_edge=False,
        )
        for place, title in enumerate(titles):
            table.add_column(
                title, overflow="fold", justify="right" if place in numbers else "left"
            )
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self._print(table)

    def _print(self, table: Table) -> None:
        if self.quiet:
            return
        if self.live:
            self.console.print(table)
            return
        with self.console.capture() as captured:
            self.console.print(table)
        for line in captured.get().splitlines():
            self.console.file.write(line.rstrip() + "\n")

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show the phases that begin inside the block; they stay on the screen after it."""
        if not self.live or self.quiet:
            yield
            return
        bars = Bars(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            _Now(),
            console=self.console,
        )
        with bars:
            self._bars, self._task = bars, None
            try:
                yield
                self._finish()
            finally:
                self._bars = self._task = None

    def begin(self, phase: str) -> None:
        """Begin a phase whose length is not known."""
        self.monitor(Progress(phase, 0, 0))

    def monitor(self, progress: Progress) -> None:
        """Take note of progress: a `tabsynth.monitor.Monitor`."""
        phase, _, detail = progress.phase.partition(": ")
        if phase != self.phase.partition(": ")[0]:
            self._finish()
        self.phase = progress.phase
        if self._bars is None:
            return
        total = progress.total or None
        if self._task is None:
            name = printable(phase[:1].upper() + phase[1:])
            self._task = self._bars.add_task(name, total=total, detail="")
        self._bars.update(
            self._task, completed=progress.done, total=total, detail=printable(detail)
        )

    def _finish(self) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, total=1, completed=1, detail="")
        self._task = None


class _Now(ProgressColumn):
    """What of a phase is being done, or how long it will still take."""

    def render(self, task: Task) -> Text:
        """Return the end of the line of an unfinished phase."""
        left = task.time_remaining
        if task.finished:
            return Text("")
        if task.fields["detail"] or left is None:
            return Text(task.fields["detail"], style="dim")
        return Text(f"about {round(left) // 60}:{round(left) % 60:02} left", style="dim")


def printable(text: str) -> str:
    r"""Return `text` with characters that would steer a terminal written out.

    Examples
    --------
    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_text(text: str) -> None:
    """Print a text on the standard output as it is, in UTF-8.

    Raises
    ------
    DataError
        If the operating system refuses, for instance because a disk is full.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"Cannot write to the standard output: {error.strerror}.") from None


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on the standard output, in UTF-8."""
    print_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

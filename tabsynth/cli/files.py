"""Files in and out: what is read, and outputs that appear together or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tabsynth.errors import ConfigError, DataError, SchemaError, TabsynthError

if TYPE_CHECKING:
    from tabsynth.cli.terminal import Terminal
    from tabsynth.io import TableFile
    from tabsynth.schema import Schema

Writer = Callable[[str], None]
"""Writes one output to the path that it is given."""

STANDARD = "-"


def check_inputs(*paths: str | None) -> None:
    """Raise DataError where there is no such file, with all that are missing."""
    missing = [path for path in paths if path not in (None, STANDARD) and not os.path.exists(path)]
    if missing:
        raise DataError(
            "\n".join(f"{path}: there is no such file. Check the path." for path in missing)
        )


def check_standard_input(format: str | None, *paths: str | None) -> None:
    """Raise ConfigError where standard input cannot be read as is asked for."""
    asked = sum(path == STANDARD for path in paths)
    if asked > 1:
        raise ConfigError("Standard input ('-') can be read once only. Name files for the others.")
    if asked and format is None:
        raise ConfigError(
            "Standard input ('-') has no suffix. Say --input-format csv, jsonl or parquet."
        )


def check_missing(missing: Sequence[str] | None, schema: str | None) -> None:
    """Raise ConfigError where a schema says already what means missing."""
    if missing and schema is not None:
        raise ConfigError(
            "--missing and --schema both say what means missing. Put the texts into missing_values "
            f"of {schema}."
        )


def read(
    terminal: Terminal,
    path: str,
    format: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> TableFile:
    """Read a table, and tell the terminal."""
    terminal.begin(f"reading {shown(path)}")
    from tabsynth.io import read_table

    return read_table(path, format=format, delimiter=delimiter, encoding=encoding)


def read_schema(path: str) -> Schema:
    """Read a schema file.

    Raises
    ------
    SchemaError
        If it is no schema, with every problem; each names the file.
    """
    from tabsynth.schema import Schema

    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no text"
        raise SchemaError(f"Schema {path} cannot be read: {why}.") from None
    try:
        return Schema.from_yaml(text)
    except SchemaError as error:
        raise SchemaError([f"{path}: {problem}" for problem in error.problems]) from None


def shown(path: str) -> str:
    """Return how a path is called in a message about what is being done."""
    return "standard input" if path == STANDARD else os.path.basename(path)


def stem(path: str) -> tuple[str, str]:
    """Split a path before its suffix, where `.gz` belongs to the suffix.

    Examples
    --------
    >>> stem("data/patients.v2.csv.gz")
    ('data/patients.v2', '.csv.gz')
    """
    packed = path[-3:] if path.lower().endswith(".gz") else ""
    root, suffix = os.path.splitext(path.removesuffix(packed) if packed else path)
    return root, suffix + packed


class Outputs:
    """The files that a command shall write: checked first, written together at the end.

    Parameters
    ----------
    files : mapping of str to str or None
        Kind of output ("table", "report") to its path; None is no output.
    force : bool
        Whether existing files may be replaced.
    inputs : sequence of str or None
        Files that must never be replaced.
    """

    def __init__(
        self,
        files: Mapping[str, str | None],
        force: bool = False,
        inputs: Sequence[str | None] = (),
    ) -> None:
        self.files = {kind: path for kind, path in files.items() if path is not None}
        self.force = force
        self.inputs = [path for path in inputs if path not in (None, STANDARD)]

    @property
    def on_disk(self) -> dict[str, str]:
        """The outputs that are files."""
        return {kind: path for kind, path in self.files.items() if path != STANDARD}

    def check(self) -> None:
        """Check that everything can be written, without writing anything.

        Raises
        ------
        ConfigError
            If two outputs are the same file, one is an input, or files exist and `force` is false.
        DataError
            If a folder does not exist or is not writable; every such problem.
        """
        from tabsynth.io import check_output

        places: dict[str, str] = {}
        for kind, path in self.files.items():
            if path == STANDARD and kind != "table":
                raise ConfigError(f"The {kind} cannot go to standard output. Name a file.")
            place = os.path.realpath(path)
            if place in places:
                raise ConfigError(
                    f"{path} is named for the {places[place]} and for the {kind}. Give each a file "
                    "of its own."
                )
            places[place] = kind
        for path in self.inputs:
            if os.path.realpath(path) in places:
                raise ConfigError(f"{path} is an input and is never replaced. Name another output.")
        existing = [path for path in self.on_disk.values() if os.path.isfile(path)]
        if existing and not self.force:
            verb = "exists" if len(existing) == 1 else "exist"
            raise ConfigError(
                f"{', '.join(existing)} {verb} already; nothing was done. Give --force to replace, "
                "or choose another output."
            )
        problems = []
        for path in self.on_disk.values():
            try:
                check_output(path, force=self.force)
            except DataError as error:
                problems.append(str(error))
        if problems:
            raise DataError("\n".join(dict.fromkeys(problems)))

    def write(self, writers: Mapping[str, Writer], terminal: Terminal) -> None:
        """Write every output, each by its writer; on an error none of the files is there.

        Files are written beside their places first. Then comes the standard output, and then the
        files are put into their places.

        Raises
        ------
        TabsynthError
            If one cannot be written; the message names its path.
        """
        from tabsynth.io import atomic_path

        with ExitStack() as stack:
            for kind, path in self.on_disk.items():
                temporary = str(stack.enter_context(atomic_path(path, self.force)))
                try:
                    writers[kind](temporary)
                except TabsynthError as error:
                    raise type(error)(str(error).replace(temporary, path)) from error
            for kind, path in self.files.items():
                if path == STANDARD:
                    writers[kind](STANDARD)
        terminal.written = tuple(self.on_disk.values())


def text_writer(text: str) -> Writer:
    """Return what writes a text as UTF-8."""

    def write(path: str) -> None:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)

    return write

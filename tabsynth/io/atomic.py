"""Files that are there whole or not at all: written beside their place and renamed onto it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tabsynth.errors import DataError

StrPath = str | os.PathLike[str]


def check_output(path: StrPath, force: bool = False) -> None:
    """Check that a file could be written to `path`, without writing anything.

    For use before long work whose result goes to `path`. "-" (standard output) always passes.

    Parameters
    ----------
    path : str or path
        The file to be written.
    force : bool
        Whether an existing file may be replaced.

    Raises
    ------
    DataError
        If the folder does not exist or is not writable, if `path` is a folder or a device, or
        if it exists and `force` is false.
    """
    if os.fspath(path) == "-":
        return
    try:
        _check(path, Path(os.path.realpath(path)), force)
    except OSError as error:
        raise _refusal(path, error) from None


def _check(path: StrPath, target: Path, force: bool) -> None:
    name, folder = os.fspath(path), target.parent
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(
            f"Cannot write {name}: its folder {problem}. Create the folder or choose another path."
        )
    if target.is_dir():
        raise DataError(f"Cannot write {name}: it is a folder. Name a file inside it.")
    if target.exists():
        if not target.is_file():
            raise DataError(
                f"Cannot write {name}: it is no regular file. Name a file, or '-' for the "
                "standard output."
            )
        if not force:
            raise DataError(
                f"{name} exists already and was left as it is. Choose another path, or replace it "
                "with force=True (on the command line: --force)."
            )
    if not os.access(folder, os.W_OK):
        raise DataError(
            f"Cannot write {name}: its folder is not writable. Choose another folder or change its "
            "permissions."
        )


def _refusal(path: StrPath, error: OSError) -> DataError:
    """Return the error to raise for a failure of the operating system while writing."""
    return DataError(
        f"Cannot write {os.fspath(path)}: {reason(error)}. Nothing was written there; free some "
        "space, change the permissions or choose another path, and try again."
    )


def reason(error: OSError) -> str:
    """Return what the operating system says, without the path (which may be a temporary one)."""
    return os.strerror(error.errno) if error.errno else "the file could not be written"


@contextmanager
def atomic_path(path: StrPath, force: bool = False) -> Iterator[Path]:
    """Give a temporary file that becomes `path` when the block ends well.

    The temporary file lies in the folder of `path`, ends in the same suffix and exists already,
    empty. When the block ends it is flushed to the disk and renamed onto `path` in one step; when
    the block fails it is removed, and what was at `path` before stays untouched.

    Parameters
    ----------
    path : str or path
        Where the file shall be in the end. A symbolic link is followed.
    force : bool
        Whether an existing file may be replaced; its permissions are kept.

    Yields
    ------
    Path
        The temporary file to write to.

    Raises
    ------
    DataError
        As `check_output` does; and where the operating system refuses to write (disk full, quota,
        permissions).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder, "note.txt")) as temporary:
    ...         _ = temporary.write_text("whole or not at all")
    ...     Path(folder, "note.txt").read_text()
    'whole or not at all'
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(4)}.part.{target.name}")
    try:
        _check(path, target, force)
        # Created here and not by tempfile, so that the umask decides on its permissions.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise _refusal(path, error) from None
    try:
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        _check(path, target, force)  # another process may have been faster
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and _concerns(error, temporary):
            raise _refusal(path, error) from error
        raise
    _flush_folder(target.parent)


def _concerns(error: OSError, temporary: Path) -> bool:
    """Return whether an error is about the file being written (and not one that was read)."""
    return error.filename is None or os.fspath(error.filename) == os.fspath(temporary)


def _flush_folder(folder: Path) -> None:
    """Make the new name last through a crash, where the system can (not on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Give the standard output for bytes, flushed when the block ends.

    Raises
    ------
    DataError
        If the operating system refuses to write. A pipe that was closed by its reader stays a
        `BrokenPipeError`.
    """
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        raise DataError(f"Cannot write to the standard output: {reason(error)}.") from error

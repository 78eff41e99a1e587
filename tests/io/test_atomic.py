import errno
import os
import resource
import stat

import pytest

from tabsynth.errors import DataError
from tabsynth.io import atomic, atomic_path, check_output


def test_the_file_is_there_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "t.csv"
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".csv")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["t.csv"]


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), OSError(errno.ENOSPC, "x")]
)
def test_a_failure_leaves_the_previous_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "t.csv"
    path.write_text("old")
    expected = DataError if isinstance(error, OSError) else type(error)

    def fail():
        with atomic_path(path, force=True) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(expected):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["t.csv"]


def test_a_full_disk_is_named_with_the_path(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError) as caught, atomic_path(path, force=True) as temporary:
        temporary.write_text("new")
    assert f"Cannot write {path}: No space left on device" in str(caught.value)
    assert ".part." not in str(caught.value)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["t.csv"]


def test_a_limit_of_the_operating_system_is_an_error(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with (
            pytest.raises(DataError, match="File too large"),
            atomic_path(tmp_path / "t.csv") as temporary,
        ):
            temporary.write_bytes(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_an_error_about_another_file_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "t.csv"):
        (tmp_path / "other.csv").read_text()
    assert os.listdir(tmp_path) == []


def test_an_existing_file_is_replaced_only_with_force(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("old")
    for attempt in (lambda: check_output(path), lambda: atomic_path(path).__enter__()):
        with pytest.raises(DataError, match=r"exists already.*--force"):
            attempt()
    assert path.read_text() == "old"
    check_output(path, force=True)
    with atomic_path(path, force=True) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "t.csv"

    def lose():
        with atomic_path(path) as temporary:
            temporary.write_text("new")
            path.write_text("of another process")

    with pytest.raises(DataError, match="exists already"):
        lose()
    assert path.read_text() == "of another process"
    assert os.listdir(tmp_path) == ["t.csv"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("missing/t.csv", "its folder does not exist"),
        ("file/t.csv", "its folder is not a folder"),
        ("folder", "it is a folder"),
        ("pipe", "it is no regular file"),
        ("n" * 300 + ".csv", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_an_error(tmp_path, place, message):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(DataError, match=message), atomic_path(tmp_path / place, force=True):
        pytest.fail("the block must not be entered")
    with pytest.raises(DataError, match=message):
        check_output(tmp_path / place, force=True)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_device_is_never_replaced():
    with pytest.raises(DataError, match="no regular file"), atomic_path("/dev/null", force=True):
        pytest.fail("the block must not be entered")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_folder_without_permission_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root passes real permissions
    with pytest.raises(DataError, match="folder is not writable"):
        check_output(tmp_path / "t.csv")
    monkeypatch.undo()

    def refuse(*arguments):
        raise PermissionError(errno.EACCES, "Permission denied", arguments[0])

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataError, match="Permission denied"), atomic_path(tmp_path / "t.csv"):
        pytest.fail("the block must not be entered")


def test_permissions_follow_the_previous_file_or_the_umask(tmp_path):
    path = tmp_path / "t.csv"
    before = os.umask(0o027)
    try:
        with atomic_path(path) as temporary:
            temporary.write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    with atomic_path(path, force=True) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "t.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_path(link, force=True) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_folder_that_cannot_be_flushed_does_no_harm(tmp_path, monkeypatch):
    real = os.fsync

    def files_only(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(handle)

    monkeypatch.setattr(atomic.os, "fsync", files_only)
    with atomic_path(tmp_path / "t.csv") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "t.csv").read_text() == "x"


def test_standard_output_is_always_a_fine_place():
    check_output("-")

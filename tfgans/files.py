"""Files that are whole or not there: written to a temporary name, synced and renamed."""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY_PREFIX = ".tmp-"
# Tells this process from a dead one of the same id, which containers have often.
_RUN = secrets.token_hex(4)


def path(value: str | os.PathLike[str]) -> Path:
    """Returns a path, with `~` expanded to the home folder."""
    return Path(value).expanduser()


def temporary_sibling(path: Path) -> Path:
    """Returns a new hidden name beside `path` that nothing else uses; `path`'s ending is kept."""
    # Nobody can guess the name and put a link there.
    token = secrets.token_hex(8)
    return path.with_name(f"{_own_prefix()}{os.getpid()}-{_RUN}-{token}-{path.name}")


@contextlib.contextmanager
def atomic_write(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path; when the block ends without error, the file there becomes `target`.

    A reader sees the old file or the new file, never a part. After an error nothing is left.

    Args:
        target: The file to write or replace, `~` expanded. Its folder is made if it is missing.

    Raises:
        OSError: If it cannot be written; the error names the file.
    """
    target = path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_sibling(target)
    try:
        with names_errors(target):
            yield temporary
            move_into_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def names_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Adds `path` to an OSError that names no file, as those of a full disk do not."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def check_room(folder: Path, size: int) -> None:
    """Raises an OSError that names `folder` if a new file of `size` bytes does not fit in it.

    For writers that do not bear a full disk: HDF5 ends the process with a segmentation fault.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    temporary = temporary_sibling(folder / "room")
    try:
        with names_errors(folder), temporary.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        # Others are of file systems that cannot reserve.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
    finally:
        temporary.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Renames a finished file to `path`, its content and its name forced to the disk."""
    sync(temporary)
    os.replace(temporary, path)
    sync(path.parent)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Raises ValueError if no folder can be made at `folder`: a file is there or above."""
    folder = path(folder)
    lowest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not lowest.is_dir():
        raise ValueError(f"{folder} must be a folder, or new. Received: {lowest} is a file")


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Writes a UTF-8 text file atomically."""
    with atomic_write(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Forces a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Lets one process at a time be in the block, of those that lock the same folder.

    Raises:
        ValueError: If another one is in it, and `wait` is False.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"Another process has {folder} open. Wait for it, or choose another folder"
            ) from error
        yield
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path, *, exclusive: tuple[str, ...] = ()) -> None:
    """Removes what killed processes of this machine left in `folder`.

    What another living process, or another machine, may still be writing stays.

    Args:
        folder: Where to look, not below.
        exclusive: Endings of the names that only this process may write, by a lock. Of those it
            goes whoever left it: a container that is started again is another machine by name.
    """
    for path in folder.glob(f"{_TEMPORARY_PREFIX}*"):
        if _is_left_over(path.name) or (path.name.endswith(exclusive) and not _is_ours(path.name)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _is_left_over(name: str) -> bool:
    owner, _, rest = name.removeprefix(_own_prefix()).partition("-")
    # What does not begin with our prefix begins with no digit either.
    return owner.isdigit() and not _is_alive(int(owner), run=rest.split("-", 1)[0])


def _is_ours(name: str) -> bool:
    return name.startswith(f"{_own_prefix()}{os.getpid()}-{_RUN}-")


def _own_prefix() -> str:
    return f"{_TEMPORARY_PREFIX}{socket.gethostname()}."


def _is_alive(pid: int, *, run: str) -> bool:
    if pid == os.getpid():
        return run == _RUN
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

"""Writes files atomically: to a temporary name, synced and renamed."""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY_PREFIX = ".tmp-"
# Distinguishes this process from a dead process of the same id, which is frequent in containers.
_RUN = secrets.token_hex(4)


def path(value: str | os.PathLike[str]) -> Path:
    """Returns a path, with `~` expanded to the home folder."""
    return Path(value).expanduser()


def temporary_sibling(path: Path) -> Path:
    """Returns an unused hidden path in the folder of `path`, with the suffix of `path`."""
    # A random name, so that nobody can guess it and put a link there.
    token = secrets.token_hex(8)
    return path.with_name(f"{temporary_prefix()}{os.getpid()}-{_RUN}-{token}-{path.name}")


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
        with add_path_to_errors(target):
            yield temporary
            move_into_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def add_path_to_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Names `path` in an OSError without a file name (a full disk), or with that of a temporary."""
    try:
        yield
    except OSError as error:
        name = "" if error.filename is None else Path(str(error.filename)).name
        names_another = bool(name) and not name.startswith(_TEMPORARY_PREFIX)
        if error.errno is None or names_another:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def check_disk_space(folder: Path, size: int) -> None:
    """Raises an OSError that names `folder` if it has no space for a new file of `size` bytes.

    For writers that do not handle a full disk: HDF5 ends the process with a segmentation fault.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    temporary = temporary_sibling(folder / "space")
    try:
        with add_path_to_errors(folder), temporary.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        # File systems that cannot reserve space raise other errors.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
    finally:
        temporary.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Renames a finished file to `path`, and forces its content and name to the disk."""
    sync(temporary)
    os.replace(temporary, path)
    sync(path.parent)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Raises an error unless files can be written in `folder`, which may be new; leaves nothing.

    Raises:
        ValueError: If a file is there or above.
        OSError: If the lowest folder of it that exists cannot be written.
    """
    folder = path(folder)
    lowest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not lowest.is_dir():
        raise ValueError(f"{folder} must be a folder, or new. Received: {lowest} is a file")
    try:
        with tempfile.TemporaryFile(dir=lowest):
            pass
    except OSError as error:
        raise OSError(
            f"{folder} cannot be written: {error.strerror} in {lowest}. Choose another place"
        ) from error


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Writes a UTF-8 text file atomically."""
    with atomic_write(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, which is read in parts."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """Returns the SHA-256 of all files in a folder, of their relative paths and contents."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Forces a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems do not sync folders. The file itself is on the disk by then.
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def without_locks(folder: Path, error: OSError) -> str:
    """Returns what to say where the file system of a folder has no locks."""
    return (
        f"{folder} cannot be locked against other processes. Mount its file system with locks, or "
        f"choose another folder. Received: {error}"
    )


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Locks a folder: of all processes that call this, only one at a time runs its block.

    Raises:
        ValueError: If another process holds the lock, and `wait` is False.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"Another process has {folder} open. Wait for it, or choose another folder"
            ) from error
        except OSError as error:
            raise OSError(without_locks(folder, error)) from error
        yield
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path, *, exclusive: tuple[str, ...] = ()) -> None:
    """Removes the temporary files that killed processes of this machine left in `folder`.

    Keeps files that another living process, or another machine, may still be writing. Another
    process may remove the same files.

    Args:
        folder: The folder to search, without subfolders.
        exclusive: Suffixes of files that only this process may write, by a lock. They are removed
            whichever machine left them: a restarted container has another host name.
    """
    for path in folder.glob(f"{_TEMPORARY_PREFIX}*"):
        if _is_left_over(path.name) or (path.name.endswith(exclusive) and not _is_ours(path.name)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_left_over(name: str) -> bool:
    owner, _, rest = name.removeprefix(temporary_prefix()).partition("-")
    # A name without the prefix of this host does not begin with a digit either.
    return owner.isdigit() and not _is_alive(int(owner), run=rest.split("-", 1)[0])


def _is_ours(name: str) -> bool:
    return name.startswith(f"{temporary_prefix()}{os.getpid()}-{_RUN}-")


def temporary_prefix() -> str:
    """Returns how names of temporary files of this machine begin; a process ID follows."""
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

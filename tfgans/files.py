"""Files that are whole or not there: written to a temporary name, synced and renamed."""

import contextlib
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY_PREFIX = ".tmp-"
# Tells this process from a dead one of the same id, which containers have often.
_RUN = secrets.token_hex(4)


def temporary_sibling(path: Path) -> Path:
    """Returns a new hidden name beside `path` that nothing else uses; `path`'s ending is kept."""
    # Nobody can guess the name and put a link there.
    token = secrets.token_hex(8)
    return path.with_name(f"{_own_prefix()}{os.getpid()}-{_RUN}-{token}-{path.name}")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path; when the block ends well, what it wrote there becomes `path`.

    A reader sees the old file or the new one, never a part. When the block fails, nothing is left.

    Args:
        path: The file to write or replace. Its folder is made if it is missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_sibling(path)
    try:
        yield temporary
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Renames a finished file to `path`, its content and its name forced to the disk."""
    sync(temporary)
    os.replace(temporary, path)
    sync(path.parent)


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raises ValueError if no folder can be made at `path`, for a file is there or above."""
    path = Path(path)
    lowest = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not lowest.is_dir():
        raise ValueError(f"{path} must be a folder, or new. Received: {lowest} is a file")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a UTF-8 text file atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Forces a file, or a folder's list of names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path) -> None:
    """Removes what killed processes of this machine left in `folder`.

    What another living process, or another machine, may still be writing stays.
    """
    prefix = _own_prefix()
    for path in folder.glob(f"{prefix}*"):
        owner, _, rest = path.name.removeprefix(prefix).partition("-")
        if owner.isdigit() and not _is_alive(int(owner), run=rest.split("-", 1)[0]):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


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

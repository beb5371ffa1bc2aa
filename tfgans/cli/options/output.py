"""Checks where a command writes, before it works for hours."""

import os
from pathlib import Path


def check_file(flag: str, path: str | os.PathLike[str]) -> None:
    """Raises an error with the flag unless a file can be written at `path`; nothing is left there.

    Args:
        flag: Name of the flag that holds the path.
        path: The file; it and its folder may be missing.

    Raises:
        ValueError: If a folder is at the path, or a file is above it.
        OSError: If the lowest folder of it that exists cannot be written.
    """
    if Path(path).is_dir():
        raise ValueError(f"--{flag} must be a file. Received: {path}, which is a folder")
    _check(flag, path, Path(path).parent)


def check_folder(flag: str, path: str | os.PathLike[str]) -> None:
    """Raises an error with the flag unless files can be written in a folder; see `check_file`."""
    _check(flag, path, Path(path))


def _check(flag: str, path: str | os.PathLike[str], folder: Path) -> None:
    from tfgans import files

    try:
        files.check_folder(folder)
    except (ValueError, OSError) as error:
        raise type(error)(f"--{flag}={path}: {error}") from error

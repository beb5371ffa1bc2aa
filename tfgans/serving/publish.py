"""Versions of a served model: each appears whole, none is overwritten, old ones go."""

import shutil
from pathlib import Path

from tfgans import files


def publish(temporary: Path, folder: Path, *, keep: int | None = None) -> Path:
    """Moves a finished SavedModel to the next integer version below `folder`; returns its folder.

    Args:
        temporary: The finished SavedModel, beside the versions.
        folder: The folder of versions.
        keep: Int of at least 1, how many of the newest versions stay. Default: all.
    """
    _sync_tree(temporary)
    while True:
        version = folder / str(max(versions(folder), default=0) + 1)
        try:
            # Renaming onto a folder that is not empty fails, so a version that another process
            # published in the meantime is never overwritten.
            temporary.rename(version)
        except OSError:
            if not version.exists():
                raise
            continue
        files.sync(folder)
        if keep is not None:
            _remove_old(folder, keep)
        return version


def versions(folder: Path) -> list[int]:
    """Returns the versions below `folder`, ascending. A server reads the same names."""
    names = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    # As TF Serving does: ASCII digits, and nothing else.
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def _remove_old(folder: Path, keep: int) -> None:
    for version in versions(folder)[:-keep]:
        # Out of sight at once, so that no reader finds half of it.
        hidden = files.temporary_sibling(folder / str(version))
        (folder / str(version)).rename(hidden)
        shutil.rmtree(hidden)


def _sync_tree(folder: Path) -> None:
    for entry in [folder, *folder.rglob("*")]:
        # The server often runs as another user.
        entry.chmod(0o755 if entry.is_dir() else 0o644)
        files.sync(entry)

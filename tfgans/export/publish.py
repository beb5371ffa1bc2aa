"""Versions of a served model: each appears whole, none is overwritten, old ones go."""

import shutil
from pathlib import Path

from tfgans import files

_LAST_VERSION = 2**63 - 1


def publish(temporary: Path, folder: Path, *, keep: int | None = None) -> Path:
    """Moves a finished SavedModel to the next integer version below `folder`; returns its folder.

    Processes that publish in the same folder do so one after the other.

    Args:
        temporary: The finished SavedModel, beside the versions.
        folder: The folder of versions.
        keep: Int of at least 1, how many of the newest versions stay. Default: all.

    Raises:
        ValueError: If the number of the last version is the largest there is.
    """
    _sync_tree(temporary)
    with files.locked(folder):
        # Whatever has a number counts, a file too: nothing is overwritten.
        taken = [int(one.name) for one in folder.iterdir() if _is_number(one.name)]
        number = max(taken, default=0) + 1
        if number > _LAST_VERSION:
            raise ValueError(f"{folder} has no version left above {max(taken)}: remove that one")
        version = folder / str(number)
        temporary.rename(version)
        files.sync(folder)
        for old in versions(folder)[:-keep] if keep is not None else []:
            # Out of sight at once, so that no reader finds half of it.
            hidden = files.temporary_sibling(folder / str(old))
            (folder / str(old)).rename(hidden)
            if hidden.is_symlink():
                hidden.unlink()  # What it leads to is not ours.
            else:
                shutil.rmtree(hidden)
        return version


def versions(folder: Path) -> list[int]:
    """Returns the versions below `folder`, ascending: folders with a plain number as name."""
    names = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    return sorted(int(name) for name in names if _is_number(name) and str(int(name)) == name)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _sync_tree(folder: Path) -> None:
    for entry in [folder, *folder.rglob("*")]:
        # The server often runs as another user.
        entry.chmod(0o755 if entry.is_dir() else 0o644)
        files.sync(entry)

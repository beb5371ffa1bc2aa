"""Publishes versions of a served model: each appears complete and is never overwritten."""

import shutil
from pathlib import Path

from tfgans import files

_LAST_VERSION = 2**63 - 1


def publish(temporary: Path, folder: Path, *, keep: int | None = None) -> Path:
    """Moves a complete SavedModel to the next integer version below `folder`.

    Processes that publish in the same folder wait for each other.

    Args:
        temporary: The complete SavedModel, beside the versions.
        folder: The folder of versions.
        keep: Int of at least 1, the number of newest versions to keep. Numbered folders without a
            SavedModel are no versions: they stay, and do not count. Default: None, all.

    Returns:
        The folder of the version.

    Raises:
        ValueError: If the last version has the largest possible number.
    """
    _sync_tree(temporary)
    with files.locked(folder):
        # Files with a number as name count too, so that nothing is overwritten.
        taken = [int(entry.name) for entry in folder.iterdir() if _is_number(entry.name)]
        number = max(taken, default=0) + 1
        if number > _LAST_VERSION:
            raise ValueError(
                f"{folder} has no version left above {max(taken)}. Remove that version"
            )
        version = folder / str(number)
        temporary.rename(version)
        files.sync(folder)
        for old in saved_models(folder)[:-keep] if keep is not None else []:
            # Rename first: a reader must never see part of a version.
            hidden = files.temporary_sibling(old)
            old.rename(hidden)
            if hidden.is_symlink():
                hidden.unlink()  # Keep the target of the link.
            else:
                shutil.rmtree(hidden)
        return version


def version_folders(folder: Path) -> dict[int, Path]:
    """Returns the folders below `folder` whose names are integers, by version, ascending.

    As in TensorFlow Serving, a name may begin with zeros. Of `1` and `001`, `1` counts.
    """
    named = {
        int(entry.name): entry
        for entry in sorted(folder.iterdir(), key=lambda entry: -len(entry.name))
        if _is_number(entry.name) and int(entry.name) <= _LAST_VERSION and entry.is_dir()
    }
    return dict(sorted(named.items()))


def saved_models(folder: Path) -> list[Path]:
    """Returns those of `version_folders` that hold a SavedModel, in ascending order."""
    return [path for path in version_folders(folder).values() if is_saved_model(path)]


def is_saved_model(folder: Path) -> bool:
    """Returns whether a folder holds a SavedModel."""
    return (folder / "saved_model.pb").is_file()


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _sync_tree(folder: Path) -> None:
    for entry in [folder, *folder.rglob("*")]:
        # Servers often run as another user.
        entry.chmod(0o755 if entry.is_dir() else 0o644)
        files.sync(entry)

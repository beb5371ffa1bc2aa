"""The memory and disk space that images may take."""

import os
import shutil
from pathlib import Path

import psutil

# Loading takes twice what it keeps, and training needs memory too.
_PART_OF_MEMORY = 4
_PART_OF_DISK = 0.9

# Controller, folder, limit, usage, and the part of the usage that can be reclaimed.
_CGROUPS = (
    ("", "", "memory.max", "memory.current", "inactive_file"),
    (
        "memory",
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def available_memory() -> int:
    """Returns the bytes that this process may still take, of the machine and its container."""
    return min([psutil.virtual_memory().available, *left_in_cgroups(Path("/"))])


def fits_in_memory(num_bytes: int) -> bool:
    """Returns whether the bytes take at most a quarter of the available memory."""
    return num_bytes <= available_memory() // _PART_OF_MEMORY


def fits_on_disk(path: Path, num_bytes: int) -> bool:
    """Returns whether a file may grow to this size; what it takes already counts as free."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    taken = path.stat().st_blocks * 512 if path.exists() else 0
    return num_bytes - taken <= _PART_OF_DISK * shutil.disk_usage(folder).free


def left_in_cgroups(root: Path) -> list[int]:
    """Returns the bytes left to this process by each control group above it, version 1 or 2.

    psutil reports the memory of the machine, not of the container.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []  # Not Linux.
    left = []
    for controllers, path in (line.split(":", 2)[1:] for line in lines):
        for controller, folder, *names in _CGROUPS:
            if controller not in controllers.split(","):
                continue
            top = root / "sys/fs/cgroup" / folder
            lowest = top / path.strip("/")
            groups = [lowest, *lowest.parents]
            for group in groups[: groups.index(top) + 1]:
                left.extend(_left_in(group, *names))
    return left


def _left_in(group: Path, limit: str, usage: str, reclaimable: str) -> list[int]:
    try:
        most = (group / limit).read_text().strip()
        used = int((group / usage).read_text())
        counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except OSError:
        return []  # A container sees only a part of the tree; the root has no limit.
    if most == "max":
        return []
    return [max(0, int(most) - used + int(counts.get(reclaimable, 0)))]


def cache_directory(cache_dir: str | os.PathLike[str] | None) -> Path:
    """Returns the folder of cached images: the argument, the environment's, or the default."""
    chosen = cache_dir or os.environ.get("TFGANS_CACHE_DIR") or "~/.cache/tfgans/folders"
    return Path(chosen).expanduser()

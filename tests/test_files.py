"""A file is whole or not there, and killed writers leave nothing for long."""

import os
import subprocess
import sys

import pytest

from tfgans import files


def test_write_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "note.txt"
    files.write_text(path, "one")
    files.write_text(path, "two")
    assert path.read_text() == "two"
    assert os.listdir(path.parent) == ["note.txt"]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "note.txt"
    files.write_text(path, "old")

    def fail_half_way():
        with files.atomic_write(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        fail_half_way()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["note.txt"]


def test_temporaries_of_the_dead_go_and_of_the_living_stay(tmp_path):
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    prefix = files.temporary_prefix()
    names = {
        "dead": f"{prefix}{int(dead.stdout)}-x",
        "living": f"{prefix}{os.getppid()}-x",
        "elsewhere": ".tmp-another-host.1-x",
        "before us": f"{prefix}{os.getpid()}-00000000-0-x",
        "ours": files.temporary_sibling(tmp_path / "x").name,
    }
    for name in names.values():
        (tmp_path / name).write_text("")
    (tmp_path / f"{prefix}{int(dead.stdout)}-folder").mkdir()
    files.remove_temporaries(tmp_path)
    assert set(os.listdir(tmp_path)) == {names[key] for key in ("living", "elsewhere", "ours")}

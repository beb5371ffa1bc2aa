"""Full disks and folders that may not be written: a line, and nothing lost."""

import contextlib
import os
import resource
import shutil
import subprocess

import pytest
import tiny
from commands import run
from faults import small_runs

SMALL = (
    "--dataset=digits --model=wgan_gp --network=mlp --width=8 --depth=1 --latent_dim=4 "
    "--batch_size=16 --discriminator_steps=1 --steps=60 --steps_per_epoch=20 --backup_every=20 "
    "--grid_every=40 --run_dir={path}"
)


@contextlib.contextmanager
def file_size(limit):
    """Files of this process may not become larger, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def mounted(folder, *options):
    """A new file system, for users who may mount one."""
    folder.mkdir()
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"may not mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: Python may still hold a file that waits for the collection of garbage.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_no_room_for_any_file_in_turn_and_then_there_is(tmp_path):
    undisturbed, path, met = tmp_path / "undisturbed", tmp_path / "run", []
    small_runs.train(undisturbed)
    for limit in (100, 3_000, 60_000):
        with pytest.raises(OSError, match=str(path)) as caught, file_size(limit):
            small_runs.train(path)
        met.append(str(caught.value))
        assert not list(path.rglob(".tmp-*"))
    assert "run.json" in met[0]
    assert len(set(met)) > 1
    small_runs.train(path)
    tiny.assert_same_state(small_runs.final(path), small_runs.final(undisturbed))
    assert small_runs.names(path) == small_runs.names(undisturbed)


def test_folder_that_may_not_be_written(tmp_path):
    path, gan = tmp_path / "disk", small_runs.model()
    with mounted(path, "-t", "tmpfs", "-o", "ro", "tmpfs"):
        for run_dir in (path, path / "new" / "run"):
            with pytest.raises(OSError, match=r"cannot be written.*Read-only file system"):
                small_runs.train(run_dir, gan=gan)


@pytest.mark.slow
@pytest.mark.parametrize("room", [2_000, 40_000, 300_000])
def test_full_disk(tmp_path, room):
    """What the user sees is a line; with room again the same command ends with the same bits."""
    disk, undisturbed = tmp_path / "disk", tmp_path / "undisturbed"
    assert run("train", SMALL, path=undisturbed).returncode == 0
    with mounted(disk, "-t", "tmpfs", "-o", "size=40m", "tmpfs"):
        free = shutil.disk_usage(disk).free
        with (disk / "filled").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - room)
        done = run("train", SMALL, path=disk / "run")
        assert done.returncode == 1, done.stderr
        (line,) = (line for line in done.stderr.splitlines() if not line.startswith("step "))
        assert line.startswith("tfgans train: error: ")
        assert str(disk) in line
        assert not list(disk.rglob(".tmp-*"))
        (disk / "filled").unlink()
        assert run("train", SMALL, path=disk / "run").returncode == 0
        tiny.assert_same_state(small_runs.final(disk / "run"), small_runs.final(undisturbed))
        assert small_runs.names(disk / "run") == small_runs.names(undisturbed)

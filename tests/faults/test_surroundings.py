"""Full disks, folders that may not be written, clocks that go back: one line, and nothing lost."""

import contextlib
import os
import random
import resource
import shutil
import subprocess
import time

import pytest
import tensorflow as tf
import tiny
from commands import command
from faults import small_runs

from tfgans import files, training

SMALL = (
    "--dataset=digits --model=wgan_gp --network=mlp --width=8 --depth=1 --latent_dim=4 "
    "--batch_size=16 --discriminator_steps=1 --steps=120 --epoch_steps=20 --backup_every=20 "
    "--grid_every=40 --run_dir={path}"
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    small_runs.train(path)
    return path


@pytest.fixture(scope="module")
def undisturbed_command(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "command"
    subprocess.run(command("train.py", SMALL, path=path), check=True)
    return path


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
    """A file system of its own, for those who may mount one."""
    folder.mkdir()
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"may not mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def assert_no_temporaries(path):
    assert not list(path.rglob(".tmp-*"))


@pytest.mark.slow
def test_no_room_for_any_file_in_turn_and_then_there_is(undisturbed, tmp_path):
    path = tmp_path / "run"
    met = []
    for limit in (100, 4_000, 30_000):
        with pytest.raises(OSError, match=str(path)) as caught, file_size(limit):
            small_runs.train(path)
        met.append(str(caught.value))
        assert_no_temporaries(path)
    for name, message in zip(("run.json", "step-00000000.png"), met, strict=False):
        assert name in message
    assert any("backup" in message for message in met), met
    small_runs.train(path)
    tiny.assert_same_state(small_runs.final(path), small_runs.final(undisturbed))
    assert small_runs.names(path) == small_runs.names(undisturbed)


def test_no_room_for_the_model_leaves_the_old_one(tmp_path):
    (tmp_path / "final.keras").write_bytes(b"old")
    gan = small_runs.model()

    def save():
        with files.atomic_write(tmp_path / "final.keras") as temporary:
            gan.save(temporary)

    with pytest.raises(OSError, match=r"final\.keras"), file_size(1000):
        save()
    assert (tmp_path / "final.keras").read_bytes() == b"old"
    assert_no_temporaries(tmp_path)


def test_tensorboards_errors_of_the_disk_are_os_errors_and_others_are_not(tmp_path):
    run = training.RunDirectory(tmp_path / "run")

    def fail(message):
        with run.open({}, resume=True):
            raise tf.errors.ResourceExhaustedError(None, None, message)

    with pytest.raises(OSError, match="tensorboard cannot be written"):
        fail(f"{run.tensorboard}/events.out; No space left on device")
    with pytest.raises(tf.errors.ResourceExhaustedError):
        fail("OOM when allocating tensor")


def test_clock_that_goes_back(undisturbed, tmp_path, monkeypatch):
    """By an hour at some call, and files are as old as it pleases."""
    import tqdm.std

    path, calls, started = shutil.copytree(undisturbed, tmp_path / "run"), [0], time.time
    max((path / "backups").iterdir()).unlink()
    (path / "final.keras").unlink()

    def now():
        calls[0] += 1
        return started() - (3600 if calls[0] > 5 else 0)

    rng = random.Random(0)
    for one in path.rglob("*"):
        os.utime(one, (rng.randrange(10**9), rng.randrange(10**9)))
    monkeypatch.setattr(time, "time", now)
    monkeypatch.setattr(tqdm.std, "time", now)
    gan = small_runs.train(path)
    assert calls[0] > 6
    assert gan.step == small_runs.STEPS
    tiny.assert_same_state(small_runs.final(path), small_runs.final(undisturbed))


def test_folder_that_may_not_be_written(tmp_path):
    path = tmp_path / "disk"
    with mounted(path, "-t", "tmpfs", "-o", "ro", "tmpfs"):
        for run_dir in (path, path / "new" / "run"):
            with pytest.raises(OSError, match=r"cannot be written.*Read-only file system"):
                small_runs.train(run_dir)


@pytest.mark.slow
def test_run_that_became_read_only(tmp_path):
    path = tmp_path / "disk"
    with mounted(path, "-t", "tmpfs", "tmpfs"):
        small_runs.train(path, steps=2)
        before = small_runs.names(path)
        subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
        done = subprocess.run(command("train.py", SMALL, path=path), capture_output=True, text=True)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert small_runs.names(path) == before


@pytest.mark.slow
@pytest.mark.parametrize("room", [2_000, 20_000, 40_000, 300_000])
def test_full_disk(tmp_path, undisturbed_command, room):
    """What the user sees is one line; with room again the same command ends with the same bits."""
    disk, undisturbed = tmp_path / "disk", undisturbed_command
    arguments = command("train.py", SMALL, path=disk / "run")
    with mounted(disk, "-t", "tmpfs", "-o", "size=40m", "tmpfs"):
        free = shutil.disk_usage(disk).free
        with (disk / "filled").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - room)
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
        assert done.returncode == 1, done.stderr
        (line,) = (one for one in done.stderr.splitlines() if one and "/120 [" not in one)
        assert line.startswith("train.py: error: ")
        assert str(disk) in line
        assert_no_temporaries(disk)
        (disk / "filled").unlink()
        again = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
        assert again.returncode == 0, again.stderr
        tiny.assert_same_state(small_runs.final(disk / "run"), small_runs.final(undisturbed))
        assert small_runs.names(disk / "run") == small_runs.names(undisturbed)

"""Killed at any moment and given again, a command ends as if it had not been disturbed."""

import random
import re
import subprocess
import time

import keras
import pytest
import tiny
from commands import command
from faults import small_runs

EPOCH, STEPS = 20, 200
SMALL = (
    "--dataset=digits --network=mlp --width=8 --depth=1 --latent_dim=4 --batch_size=16 "
    f"--discriminator_steps=2 --steps_per_epoch={EPOCH} --backup_every=8 --grid_every=24 "
    f"--model=wgan_gp --steps={STEPS} --run_dir={{path}} "
)
CASES = {
    "augmented": "--evaluate_every=40 --metrics=frechet_distance --model=non_saturating "
    "--penalty=r1 --augmentation=ada --augmentation_kimg=2 --augmentation_penalty=raw "
    "--lecam_weight=0.1 --lecam_start=30 --consistency=icr --show_augmented --held_out=test",
    "mixture": "--num_generators=3 --num_discriminators=3 --ema=0.9 --instance_noise=0.5 "
    "--noise_decay_steps=150",
    # The penalty overflows half precision, so that the loss scale moves.
    "float16": "--dtype_policy=mixed_float16 --penalty_weight=1000 --steps_per_execution=4",
}
# Files whose appearance is waited for before a kill: a backup, and files that are being written.
BACKUP, IN_BACKUP, IN_PICTURE = "backups/step-*", "backups/.tmp-*", "grids/.tmp-*"
IN_LOG, IN_BEST, IN_FINAL = ".tmp-*-log.csv", ".tmp-*-best.keras", ".tmp-*-final.keras"
ORDER = [BACKUP, IN_BACKUP, IN_PICTURE, BACKUP, IN_LOG, IN_BACKUP, BACKUP, IN_BEST, IN_FINAL]


def kill(arguments, run_dir, pattern, delay):
    """Kills a command `delay` seconds after a new file of the pattern; returns its stderr.

    A file that appears for a moment only may be missed: then the command ends by itself.
    """
    before, deadline = set(run_dir.glob(pattern)), time.monotonic() + 300
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not set(run_dir.glob(pattern)) - before:
            assert time.monotonic() < deadline
            time.sleep(0.0005)
        time.sleep(delay)
        process.kill()
        errors = process.communicate()[1]
    assert process.returncode in (0, -9), errors
    return process.returncode == -9, errors


def finish(arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stderr


def assert_same_run(path, undisturbed, said):
    """Fails unless all that is left of both runs is the same."""
    tiny.assert_same_state(small_runs.final(path), small_runs.final(undisturbed))
    assert small_runs.names(path) == small_runs.names(undisturbed)
    for file in (*undisturbed.glob("grids/*"), *undisturbed.glob("*.csv")):
        if file.name not in ("log.csv", "time.csv"):
            assert (path / file.relative_to(undisturbed)).read_bytes() == file.read_bytes(), file
    if (undisturbed / "best.keras").exists():
        best = (keras.saving.load_model(run / "best.keras") for run in (path, undisturbed))
        tiny.assert_same_state(*best)
    # The row of an epoch that was continued is a mean over the steps after that.
    resumed = (re.search(r"Continuing .* at step (\d+) of", errors) for errors in said)
    cut = {int(match[1]) // EPOCH for match in resumed if match and int(match[1]) % EPOCH}
    rows, expected = ((run / "log.csv").read_text().splitlines() for run in (path, undisturbed))
    assert len(rows) == len(expected)
    for epoch, (row, other) in enumerate(zip(rows[1:], expected[1:], strict=True)):
        assert row == other or epoch in cut
        assert row.split(",")[0] == str(epoch)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_again_and_again(case, tmp_path):
    undisturbed, path = tmp_path / "undisturbed", tmp_path / "killed"
    finish(command("train", SMALL + CASES[case], path=undisturbed))
    arguments = command("train", SMALL + CASES[case], path=path)
    rng = random.Random(case)
    kills = [kill(arguments, path, pattern, rng.uniform(0, 0.02)) for pattern in ORDER]
    assert sum(killed for killed, _ in kills) > len(ORDER) // 2
    if case == "augmented":
        # Neither is a backup that was cut after it was written.
        newest = max((path / "backups").glob("step-*"))
        newest.write_bytes(newest.read_bytes()[:1000])
    said = [*(errors for _, errors in kills), finish(arguments)]
    for damaged in (path / "backups").glob("damaged-*"):
        assert "warning: The backup" in said[-1]
        damaged.unlink()
    assert_same_run(path, undisturbed, said)
    if case == "float16":
        assert small_runs.final(path).discriminator_optimizer.dynamic_scale != 2.0**15


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0, 0.2, 2])
def test_killed_export(tmp_path, delay):
    path, out = tmp_path / "run", tmp_path / "exported"
    small_runs.train(path)
    verify = "--noverify" if delay < 1 else ""
    arguments = command("export", f"--run_dir={{path}} --out={{out}} {verify}", path=path, out=out)
    (out / "1").mkdir(parents=True)
    (out / "1" / "saved_model.pb").write_bytes(b"served")
    kill(arguments, out, ".tmp-*", delay)
    finish(arguments)
    names = sorted(version.name for version in out.iterdir())
    # Killed between its appearance and the end, a version is there, whole, and the next one too.
    assert names in (["1", "2"], ["1", "2", "3"])
    assert (out / "1" / "saved_model.pb").read_bytes() == b"served"
    trees = [
        sorted(file.relative_to(out / name) for file in (out / name).rglob("*"))
        for name in names[1:]
    ]
    assert all(tree == trees[0] for tree in trees)
    assert (out / "2" / "saved_model.pb").exists()

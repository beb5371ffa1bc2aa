"""Killed at random moments and given again, a command ends as if it had not been disturbed."""

import subprocess

import keras
import pytest
import tiny
from commands import command
from faults import killing, small_runs
from faults.killing import BACKUP, BEST, FINAL, LOG, PICTURE

EPOCH, STEPS = 20, 400
SMALL = (
    "--dataset=digits --network=mlp --width=8 --depth=1 --latent_dim=4 --batch_size=16 "
    f"--discriminator_steps=2 --epoch_steps={EPOCH} --backup_every=8 --grid_every=24 "
)
PLAIN = "--model=wgan_gp --evaluate_every=40 --metrics=frechet_distance"
MIXTURE = (
    "--model=wgan_gp --num_generators=4 --num_discriminators=4 --ema=0.9 --instance_noise=0.5 "
    "--noise_decay_steps=300"
)
# The penalty overflows half precision, so that the loss scale moves.
FLOAT16 = "--model=wgan_gp --dtype_policy=mixed_float16 --penalty_weight=1000"
USUAL = [None] * 8 + [BACKUP] * 6 + [PICTURE] * 2 + [LOG] + [FINAL] * 2
FEW = [None, None, BACKUP, PICTURE, FINAL]
CASES = {
    "plain": (PLAIN, [*USUAL, BEST]),
    "mixture": (MIXTURE, [*USUAL, None]),
    "float16": (FLOAT16, [*USUAL, None]),
    "executions": (f"{FLOAT16} --steps_per_execution=4", FEW),
    "jit": (f"{PLAIN} --jit_compile", FEW),
}


def assert_same_run(path, undisturbed, said):
    """Fails unless all that is left of both runs is the same."""
    tiny.assert_same_state(small_runs.final(path), small_runs.final(undisturbed))
    assert small_runs.names(path) == small_runs.names(undisturbed)
    for one in (*undisturbed.glob("grids/*"), *undisturbed.glob("*.csv")):
        if one.name != "log.csv":
            assert (path / one.relative_to(undisturbed)).read_bytes() == one.read_bytes(), one
    if (undisturbed / "best.keras").exists():
        best = (keras.saving.load_model(one / "best.keras") for one in (path, undisturbed))
        tiny.assert_same_state(*best)
    # The row of an epoch that was gone on with is a mean over the steps after that.
    cut = {step // EPOCH for step in killing.resumed_at(said) if step % EPOCH}
    rows, expected = ((one / "log.csv").read_text().splitlines() for one in (path, undisturbed))
    assert len(rows) == len(expected)
    for epoch, (row, other) in enumerate(zip(rows[1:], expected[1:], strict=True)):
        assert row == other or epoch in cut
        assert row.split(",")[0] == str(epoch)


def assert_scale_moved(gan):
    assert gan.discriminator_optimizer.dynamic_scale != 2.0**15


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_again_and_again(case, tmp_path):
    flags, kinds = CASES[case]
    flags = f"{SMALL} {flags} --steps={STEPS} --run_dir={{path}}"
    undisturbed, path = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run(command("train.py", flags, path=undisturbed), check=True)
    moments = killing.moments(STEPS, kinds, seed=len(flags))
    said = killing.survive(command("train.py", flags, path=path), path, moments)
    assert_same_run(path, undisturbed, said)
    if "float16" in flags:
        assert_scale_moved(small_runs.final(path))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A mixture in float16, which no one kills: folder and flags."""
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    few = "--num_generators=2 --discriminator_steps=1 --steps=60 --ema=0.9 --run_dir={path}"
    flags = f"{SMALL} {FLOAT16} {few}"
    subprocess.run(command("train.py", flags, path=path), check=True)
    return path, flags


def test_killed_inside_a_backup_and_outside_and_then_a_backup_is_cut(undisturbed, tmp_path):
    other, flags = undisturbed
    path = tmp_path / "run"
    arguments = command("train.py", flags, path=path)
    inside, outside = killing.Moment(8, BACKUP, 0.005), killing.Moment(24, None, 0.02)
    said = killing.survive(arguments, path, [inside, outside], finish=False)
    newest = max((path / "backups").glob("step-*"))
    newest.write_bytes(newest.read_bytes()[:1000])
    said += killing.survive(arguments, path, [])
    assert "warning: The backup" in said[-1]
    for left in (path / "backups").glob("damaged-*"):
        left.unlink()
    assert_same_run(path, other, said)
    assert_scale_moved(small_runs.final(path))


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0, 0.05, 0.2, 1, 2, 4])
def test_killed_export(undisturbed, tmp_path, delay):
    path, _ = undisturbed
    out = tmp_path / "exported"
    verify = "--noverify" if delay < 1 else ""
    arguments = command(
        "export.py", f"--run_dir={{path}} --out={{out}} {verify}", path=path, out=out
    )
    (out / "1").mkdir(parents=True)
    (out / "1" / "saved_model.pb").write_bytes(b"served")
    killing.survive(arguments, out, [killing.Moment(0, ".tmp-*", delay)])
    names = sorted(one.name for one in out.iterdir())
    # Killed between its appearance and the end, a version is there, whole, and the next one too.
    assert names in (["1", "2"], ["1", "2", "3"])
    assert (out / "1" / "saved_model.pb").read_bytes() == b"served"
    trees = [
        sorted(one.relative_to(out / name) for one in (out / name).rglob("*")) for name in names[1:]
    ]
    assert all(tree == trees[0] for tree in trees)
    assert (out / "2" / "saved_model.pb").exists()

"""Killed at random moments and given again, a run ends with the bits of an undisturbed one."""

import subprocess

import keras
import pytest
import tiny
from commands import command
from faults import killing
from faults.killing import BACKUP, BEST, FINAL, LOG, PICTURE

EPOCH = 20
SMALL = (
    "--dataset=digits --network=mlp --width=8 --depth=1 --latent_dim=4 --batch_size=16 "
    f"--discriminator_steps=2 --epoch_steps={EPOCH} --backup_every=8 --grid_every=24 "
)
PLAIN = "--model=wgan_gp --evaluate_every=40 --metrics=frechet_distance"
MIXTURE = (
    "--model=wgan_gp --num_generators=4 --num_discriminators=4 --ema=0.9 --instance_noise=0.5 "
    "--noise_decay_steps=300"
)
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


def final(path):
    return keras.saving.load_model(path / "final.keras")


def names(path):
    """All files of a run, but for the checksums of backups and what TensorBoard calls its own."""
    found = (str(one.relative_to(path)) for one in path.rglob("*"))
    plain = (name for name in found if not name.startswith("tensorboard/"))
    return sorted(name.split("-")[1] if name.startswith("backups/") else name for name in plain)


def assert_same_run(path, undisturbed, said):
    """Fails unless all that is left of both runs is the same."""
    tiny.assert_same_state(final(path), final(undisturbed))
    assert names(path) == names(undisturbed)
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


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_again_and_again(case, tmp_path):
    flags, kinds = CASES[case]
    flags = f"{SMALL} {flags} --steps=400 --run_dir={{path}}"
    undisturbed, path = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run(command("train.py", flags, path=undisturbed), check=True)
    moments = killing.moments(400, kinds, seed=len(flags))
    said = killing.survive(command("train.py", flags, path=path), path, moments)
    assert_same_run(path, undisturbed, said)
    if "float16" in flags:
        assert final(path).discriminator_optimizer.dynamic_scale != 2.0**15

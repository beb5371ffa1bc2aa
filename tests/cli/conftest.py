"""A finished run of the commands for all tests of this folder, and what makes others short."""

import functools

import commands
import pytest

import tfgans

SMALL = "--dataset=digits --model=non_saturating --network=mlp --width=8 --depth=1 --latent_dim=4"
SMALL += " --generator_normalization=none --batch_size=16 --doctor_every=0"
RUN = f"{SMALL} --steps=60 --steps_per_epoch=20 --backup_every=10 --grid_every=30"
RUN += " --num_generators=2 --evaluate_every=20 --metrics=frechet_distance --doctor_every=30"
RUN += " --adapt_every=20"


@pytest.fixture(scope="package")
def finished(tmp_path_factory):
    """The folder of a run of a mixture that ended undisturbed."""
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    done = commands.run("train", f"{RUN} --run_dir={{path}}", path=path)
    assert done.returncode == 0, done.stderr
    assert "step 60/60, discriminator_loss" in done.stderr
    assert done.stdout == f"{path}: 60 steps, model in {path}/final.keras\n"
    return path


@pytest.fixture
def eager(monkeypatch):
    """The models of commands take their few steps without a trace, which takes longer."""
    compiled = functools.partialmethod(tfgans.GAN.compile, run_eagerly=True)
    monkeypatch.setattr(tfgans.GAN, "compile", compiled)

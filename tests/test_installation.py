"""The wheel, installed into an empty folder, works outside the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = """
import tfgans

source = tfgans.data.load("digits")
generator = tfgans.networks.dcgan_generator(source.image_shape, latent_dim=64, width=4)
discriminator = tfgans.networks.dcgan_discriminator(source.image_shape, width=4)
gan = tfgans.WGANGP(generator, discriminator, ema=0.999, seed=0)
gan.compile()
gan.fit(source.batches(16), epochs=1, steps_per_epoch=2, verbose=0)

images = gan.sample(16, seed=1)
gan.save("digits.keras")
gan.export("exported/digits")
print(tfgans.__file__, images.shape)
"""
LOADED = """
import tfgans, keras
print(keras.saving.load_model("digits.keras").step)
"""


def run(*arguments, cwd, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built from a copy of the tracked files."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked_files():
        if name.startswith(("tfgans/", "bin/", "setup.", "pyproject", "README", "LICENSE")):
            copy = folder / "source" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", folder]
    run("-m", "pip", "wheel", *options, folder / "source", cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder with the installed wheel alone."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-compile", "--quiet", "--target", folder]
    run("-m", "pip", "install", *options, wheel, cwd=folder)
    return folder


@pytest.mark.slow
def test_wheel_holds_all_files_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name for name in tracked_files() if name.startswith("tfgans/")} <= names
    for ending in ("py.typed", "__init__.pyi", "labs/recipes/cifar10_sngan.flags"):
        assert f"tfgans/{ending}" in names
    assert any(name.startswith("tfgans/serving/server/explorer/") for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


@pytest.mark.slow
def test_library_works_outside_the_repository(installed, tmp_path):
    text = run("-c", EXAMPLE, cwd=tmp_path, PYTHONPATH=str(installed))
    assert text.split(maxsplit=1) == [f"{installed}/tfgans/__init__.py", "(16, 8, 8, 1)\n"]
    assert (tmp_path / "exported" / "digits" / "1" / "saved_model.pb").exists()
    assert run("-c", LOADED, cwd=tmp_path, PYTHONPATH=str(installed)) == "2\n"


@pytest.mark.slow
def test_commands_work_outside_the_repository(installed, tmp_path):
    text = run("-m", "tfgans", "--help", cwd=tmp_path, PYTHONPATH=str(installed))
    for command in ("train", "sample", "evaluate", "export", "serve"):
        assert command in text
    training = ["train", "--dataset=digits", "--network=mlp", "--width=8", "--steps=2"]
    run("-m", "tfgans", *training, "--run_dir=run", cwd=tmp_path, PYTHONPATH=str(installed))
    assert (tmp_path / "run" / "final.keras").exists()

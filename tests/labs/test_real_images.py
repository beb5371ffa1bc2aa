"""The recipes for real images: each trains, on made-up images of the right size."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfgans import labs
from tfgans.labs import real_images

TRAIN = Path(__file__).parents[2] / "bin" / "train.py"
RECIPES = sorted(real_images.RECIPES.glob("*.flags"))
SIZES = {"cifar10": 32, "celeb_a": 64, "color_mnist": 28, "stacked_mnist": 28}
SHORT = (
    "--steps=2 --steps_per_epoch=1 --backup_every=2 --grid_every=2 --doctor_every=0 --nodownload"
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Folders of 12 made-up color images, by size."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for size in set(SIZES.values()):
        (folder / str(size)).mkdir()
        for index in range(12):
            pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / str(size) / f"{index}.png")
    return folder


def flags_of(path):
    return dict(re.findall(r"^--(\w+)=(.*)$", path.read_text(), flags=re.MULTILINE))


def train(path, images, run_dir, *more):
    flags = flags_of(path)
    count = max(int(flags.get(f"num_{name}s", 1)) for name in ("generator", "discriminator"))
    folder = f"--dataset=folder:{images / str(SIZES[flags['dataset']])}"
    width = [] if flags["model"] == "dcd" else ["--width=8"]
    changed = [folder, f"--batch_size={2 * count}", *width, *SHORT.split(), *more]
    command = [sys.executable, TRAIN, f"--flagfile={path}", *changed, f"--run_dir={run_dir}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_claim_has_recipes_and_every_recipe_a_claim(tmp_path):
    recipes = set()
    for claim in real_images.LAB.claims:
        recipes |= set(re.findall(r"\w+", claim.measure.partition("Recipe: ")[2])) - {"after"}
    assert recipes == {path.stem for path in RECIPES}
    # A lab without cells has a report.
    outcome = labs.run(real_images.LAB, tmp_path, seeds=2)
    assert (outcome.num_runs, outcome.num_failed) == (0, 0)
    assert {verdict.word for verdict in outcome.verdicts} == {"not testable here"}
    text = (tmp_path / "report.md").read_text()
    assert text.count("not testable here") == len(real_images.LAB.claims)
    assert "No runs" in text


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_every_recipe_trains(path, images, tmp_path):
    pretrained = []
    if flags_of(path)["model"] == "dcd":
        train(real_images.RECIPES / "cifar10_sngan.flags", images, tmp_path / "first")
        pretrained = [f"--pretrained={tmp_path / 'first'}"]
    train(path, images, tmp_path / "run", *pretrained)

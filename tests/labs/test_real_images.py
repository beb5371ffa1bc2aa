"""The recipes for real images: each trains, on made-up images of the right size."""

import re

import numpy as np
import pytest
from commands import run
from PIL import Image

from tfgans import labs
from tfgans.labs import real_images

RECIPES = sorted(real_images.RECIPES.glob("*.flags"))
NAMES = [path.stem for path in RECIPES]
SIZES = {"cifar10": 32, "celeb_a": 64, "color_mnist": 28, "stacked_mnist": 28}
# Small and soon over; the data are a folder, which there is nothing to download for.
SMALL = "--steps=2 --epoch_steps=1 --backup_every=2 --grid_every=2 --doctor_every=0 --nodownload"


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Folders of 12 made-up colour images, by size."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for size in set(SIZES.values()):
        folder.joinpath(str(size)).mkdir()
        for index in range(12):
            pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / str(size) / f"{index}.png")
    return folder


def flags_of(path):
    return dict(re.findall(r"^--(\w+)=(.*)$", path.read_text(), flags=re.MULTILINE))


def train(path, images, run_dir, *more):
    given = flags_of(path)
    networks = max(int(given.get(f"num_{one}s", 1)) for one in ("generator", "discriminator"))
    size = SIZES[given["dataset"]]
    width = "" if given["model"] == "dcd" else "--width=8"
    text = (
        f"--flagfile={{path}} --dataset=folder:{{images}} --batch_size={2 * networks} {width} "
        f"{SMALL} --run_dir={{run_dir}} {' '.join(more)}"
    )
    return run("train.py", text, path=path, images=images / str(size), run_dir=run_dir)


def test_every_claim_has_recipes_and_every_recipe_a_claim():
    told = set()
    for claim in real_images.LAB.claims:
        assert claim.effect is None
        told |= set(re.findall(r"\w+", claim.measure.partition("Recipe: ")[2])) - {"after"}
    assert told == set(NAMES)


def test_recipes_are_shipped():
    text = (real_images.RECIPES.parents[2] / "setup.py").read_text()
    assert '"labs/recipes/*.flags"' in text


def test_a_lab_without_cells_has_a_report(tmp_path):
    outcome = labs.run(real_images.LAB, tmp_path, seeds=2)
    assert (outcome.num_runs, outcome.num_failed) == (0, 0)
    assert {one.word for one in outcome.verdicts} == {"not testable here"}
    text = (tmp_path / "report.md").read_text()
    assert text.count("not testable here") == len(real_images.LAB.claims)
    assert "No runs" in text


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=NAMES)
def test_every_recipe_trains(path, images, tmp_path):
    more = []
    if flags_of(path)["model"] == "dcd":
        first = real_images.RECIPES / "cifar10_sngan.flags"
        assert train(first, images, tmp_path / "first").returncode == 0
        more = [f"--pretrained={tmp_path / 'first'}"]
    found = train(path, images, tmp_path / "run", *more)
    assert found.returncode == 0, found.stderr

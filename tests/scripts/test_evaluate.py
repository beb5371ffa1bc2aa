"""bin/evaluate.py on a run, on SavedModels of ours and of others, on folders and on arrays."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
import tiny
from commands import run, run_alone
from PIL import Image

import tfgans

NAME = "frechet_distance[digits_classifier]"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run on the digits, its export, and samples as files."""
    root = tmp_path_factory.mktemp("made")
    source = tfgans.data.load("digits")
    gan = tiny.gan()
    evaluator = tfgans.evaluation.Evaluator(source, metrics=["frechet_distance"])
    tfgans.training.train(
        gan,
        source,
        run_dir=root / "run",
        steps=4,
        batch_size=16,
        epoch_steps=2,
        settings={"dataset": "digits", "split": "train", "image_size": None, "seed": 0},
        evaluator=evaluator,
    )
    gan.export(root / "export", verify=False)
    conditional = tfgans.GAN(
        tiny.conditional_generator(),
        tiny.conditional_discriminator(),
        objective=tfgans.objectives.NonSaturating(),
        num_classes=10,
    )
    conditional.export(root / "conditional", verify=False)
    real = tiny.digits(300)
    np.save(root / "a.npy", real)
    np.savez(root / "a.npz", images=((real + 1) * 127.5).astype(np.uint8))
    (root / "images").mkdir()
    for index, image in enumerate(real[:40, ..., 0]):
        pixels = Image.fromarray(((image + 1) * 127.5).astype(np.uint8))
        pixels.resize((16, 16)).save(root / "images" / f"{index}.png")
    return root


def test_run_gives_a_table_a_record_and_a_page(made):
    done = run_alone("evaluate.py", "--run_dir={made}/run", made=made)
    assert done.returncode == 0, done.stderr
    folder = made / "run" / "evaluation"
    record = tfgans.evaluation.Record.load(folder / "evaluation.json").to_dict()
    assert record["real"]["source"] == "digits"
    assert record["real"]["split"] == "train"
    assert record["fake"]["model"] == "WGANGP"
    assert record["fake"]["step"] == 4
    for name, one in record["metrics"].items():
        assert re.search(rf"^{re.escape(name)} +{one['value']:.4g} ", done.stdout, re.MULTILINE)
    assert "2874/2874" in done.stderr
    with Image.open(folder / "neighbours.png") as picture:
        assert picture.size[1] > 400
    best = run(
        "evaluate.py", "--run_dir={made}/run --best --metrics=near_copies --out={made}/b", made=made
    )
    assert best.returncode == 0, best.stderr
    kept = tfgans.training.load_final(made / "run", best=True).step
    assert tfgans.evaluation.Record.load(made / "b" / "evaluation.json").fake["step"] == kept


@pytest.mark.parametrize(
    ("what", "model"),
    [
        ("--saved_model={made}/export/1", "SavedModel 1"),
        ("--saved_model={made}/conditional/1", "SavedModel 1"),
        ("--samples={made}/images", "array"),
        ("--samples={made}/a.npy", "array"),
        ("--samples={made}/a.npz", "array"),
    ],
)
def test_other_samples(made, what, model, tmp_path):
    flags = " --metrics=frechet_distance --num_samples=300 --out={out}"
    done = run("evaluate.py", what + flags, made=made, out=tmp_path / "out")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert record["fake"]["model"] == model
    if "images" in what:
        assert record["fake"]["path"] == str(made / "images")
        assert record["fake"]["samples_resizing"] == "centre crop, then bicubic, to (8, 8)"
    if model == "array":
        # Real digits are near real digits; 16x16 pixels are made 8x8 again.
        assert record["metrics"][NAME]["value"] < 40


def test_saved_model_of_another_library(tmp_path):
    class Theirs(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], name="z")])
        def __call__(self, z):
            pixels = tf.cast(tf.reshape(z[:, :1] > 0, [-1, 1, 1, 1]), tf.float32)
            return {"out": 255.0 * tf.tile(pixels, [1, 8, 8, 1])}

    module = Theirs()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.__call__)
    generator = tfgans.export.SavedGenerator(tmp_path / "m", value_range=(0, 255))
    images = generator.sample(100, seed=1)
    assert images.shape == (100, 8, 8, 1)
    assert set(np.unique(images)) == {-1, 1}
    np.testing.assert_array_equal(generator.sample(100, seed=1), images)
    assert not np.array_equal(generator.sample(100, seed=2), images)
    with pytest.raises(ValueError, match="signature 'sample'"):
        tfgans.export.SavedGenerator(tmp_path / "m", signature="sample")
    with pytest.raises(ValueError, match="take labels"):
        tfgans.export.SavedGenerator(tmp_path / "m", num_classes=3)
    first = generator.describe()["checksum"]
    with (tmp_path / "m" / "assets.txt").open("w") as file:
        file.write("changed")
    assert generator.describe()["checksum"] != first

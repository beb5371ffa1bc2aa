"""An export is loaded by TensorFlow alone and gives what the live model gives."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from tensorflow.python.saved_model import loader_impl

import tfgans
from tfgans import serving


@pytest.fixture(scope="module")
def trained():
    keras.config.set_dtype_policy("float32")
    gan = tiny.gan(ema=0.9)
    gan.fit(tiny.digits(), batch_size=16, steps_per_epoch=2, verbose=0)
    return gan


def test_versions_count_up_and_are_never_overwritten(trained, tmp_path):
    folder = tmp_path / "digits"
    assert [trained.export(folder).name for _ in range(3)] == ["1", "2", "3"]
    (folder / "7").mkdir()
    (folder / "notes").mkdir()
    assert trained.export(folder) == folder / "8"
    assert sorted(os.listdir(folder)) == ["1", "2", "3", "7", "8", "notes"]


def test_server_of_another_user_may_read_it(trained, tmp_path):
    version = trained.export(tmp_path / "digits")
    for path in [version, *version.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


SCRIPT = """
import sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
latents = tf.constant(np.load(sys.argv[2]))
images = model.signatures["serving_default"](latents=latents)["images"]
drawn = model.signatures["sample"](seed=tf.constant([5, -3, 5], tf.int64))["images"]
np.savez(sys.argv[3], images=images, drawn=drawn)
print("tfgans" in sys.modules)
"""


def test_another_process_without_the_package_gives_the_same(trained, tmp_path):
    version = trained.export(tmp_path / "digits")
    latents = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    np.save(tmp_path / "latents.npy", latents)
    arguments = [str(version), str(tmp_path / "latents.npy"), str(tmp_path / "out.npz")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"]
    out = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(out["images"], trained(latents), atol=1e-6)
    for row, seed in zip(out["drawn"], [5, -3, 5], strict=True):
        np.testing.assert_allclose(row, trained.sample(1, seed=seed)[0], atol=1e-6)


def test_signatures_are_named_and_typed(trained, tmp_path):
    model = tf.saved_model.load(str(trained.export(tmp_path / "digits")))
    assert set(model.signatures) == {"serving_default", "sample"}
    for name, argument, dtype, shape in [
        ("serving_default", "latents", tf.float32, [None, 4]),
        ("sample", "seed", tf.int64, [None]),
    ]:
        signature = model.signatures[name]
        (spec,) = signature.structured_input_signature[1].values()
        assert (spec.name, spec.dtype, spec.shape.as_list()) == (argument, dtype, shape)
        assert signature.structured_outputs["images"].dtype == tf.float32


def test_graph_is_stateless_and_needs_no_xla(trained, tmp_path):
    version = trained.export(tmp_path / "digits")
    saved = loader_impl.parse_saved_model(str(version))
    functions = saved.meta_graphs[0].graph_def.library.function
    assert not [f.signature.name for f in functions if "_XlaMustCompile" in f.attr]
    ops = {node.op for function in functions for node in function.node_def}
    assert not ops & {"RandomStandardNormal", "RandomUniform", "RngReadAndSkip"}


def test_file_in_the_way(trained, tmp_path):
    (tmp_path / "digits").write_text("")
    with pytest.raises(ValueError, match="Received the file"):
        trained.export(tmp_path / "digits")


def test_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(Exception):  # noqa: B017 (whatever Keras raises)
        serving.export_generator(object(), tmp_path / "digits", latent_shape=(4,))
    assert os.listdir(tmp_path / "digits") == []


def test_mixed_precision_export_speaks_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    gan = tiny.gan()
    model = tf.saved_model.load(str(gan.export(tmp_path / "digits")))
    images = model.signatures["sample"](seed=tf.constant([1], tf.int64))["images"]
    assert images.dtype == tf.float32
    np.testing.assert_allclose(images[0], gan.sample(1, seed=1)[0], atol=2e-3)


@pytest.fixture(scope="module")
def live():
    keras.config.set_dtype_policy("float32")
    gan = tfgans.NonSaturatingGAN(*tiny.mixtures(3, 2), ema=0.9)
    gan.compile()
    gan.fit(tiny.digits(), batch_size=16, steps_per_epoch=1, verbose=0)
    gan.ema_generator.set_probabilities([0.5, 0.3, 0.2])
    return gan


@pytest.fixture(scope="module")
def signatures(live, tmp_path_factory):
    loaded = tf.saved_model.load(str(live.export(tmp_path_factory.mktemp("exported") / "mixture")))
    # The signatures do not keep what they are of alive.
    return {"model": loaded, **loaded.signatures}


class TestMixture:
    """What the export of a mixture has besides, and that it routes as the live model does."""

    def test_sample_is_that_of_the_live_model(self, live, signatures):
        seeds = np.array([5, -3, 5, *range(20)])
        made = signatures["sample"](seed=tf.constant(seeds, tf.int64))
        for row, seed in enumerate(seeds):
            assert made["components"][row] == live.sample_components(1, seed=int(seed))[0]
            expected = live.sample(1, seed=int(seed))[0]
            np.testing.assert_allclose(made["images"][row], expected, atol=1e-5)
        assert set(made["components"].numpy()) == {0, 1, 2}

    def test_component_pins(self, live, signatures):
        latents = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")
        chosen = [2, 0, 1, 1]
        made = signatures["component"](
            latents=tf.constant(latents), components=tf.constant(chosen, tf.int32)
        )["images"]
        for row, index in enumerate(chosen):
            expected = live.ema_generator.components[index](latents)[row]
            np.testing.assert_allclose(made[row], expected, atol=1e-5)

    def test_unknown_component_is_an_error(self, signatures):
        with pytest.raises(tf.errors.InvalidArgumentError, match="from 0 to 2"):
            signatures["component"](latents=tf.zeros([1, 4]), components=tf.constant([3], tf.int32))

    def test_latents_alone_are_routed_as_in_the_live_model(self, live, signatures):
        latents = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")
        made = signatures["serving_default"](latents=tf.constant(latents))["images"]
        np.testing.assert_allclose(made, live(latents), atol=1e-5)
        halves = [
            signatures["serving_default"](latents=tf.constant(half))["images"]
            for half in (latents[:5], latents[5:])
        ]
        np.testing.assert_allclose(np.concatenate(halves), made, atol=1e-5)

    def test_mixture_weights(self, signatures):
        weights = signatures["mixture_weights"]()["weights"]
        np.testing.assert_allclose(weights, [0.5, 0.3, 0.2], atol=1e-6)

"""An export is checked before anyone sees it, and appears whole, as the next version."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import served
import tensorflow as tf
import tiny

from tfgans import export, files
from tfgans.export import publish, self_check
from tfgans.export.graph_checks import check_graph
from tfgans.export.model_card import checksums
from tfgans.export.warmup import read_warmup


@pytest.fixture(scope="module")
def trained(exported):
    return exported("plain").live


@pytest.fixture(scope="module")
def version(trained, tmp_path_factory):
    """An export that has run in a process of its own."""
    folder = tmp_path_factory.mktemp("exported") / "digits"
    return trained.export(folder, card={"note": "for the tests"})


def test_a_new_process_gives_the_same(version):
    # The export of the fixture was compared before it was published.
    assert version.name == "1"


def test_another_version_gives_the_same(version, exported):
    seeds = tf.range(6, dtype=tf.int64)
    here, there = (
        tf.saved_model.load(str(one)).signatures["sample"](seed=seeds)["images"]
        for one in (version, exported("plain").version)
    )
    np.testing.assert_array_equal(here, there)


def test_warm_up_has_every_signature_at_several_sizes(version):
    calls = read_warmup(version)
    model = tf.saved_model.load(str(version))
    sizes = {}
    for call in calls:
        inputs = {name: tf.constant(value) for name, value in call.inputs.items()}
        outputs = model.signatures[call.signature](**inputs)
        rows = {len(value) for value in outputs.values()}
        sizes.setdefault(call.signature, set()).update(rows)
    assert sizes == {
        name: {1, 4, 16} for name in model.signatures.keys() - {"generate", "mixture_weights"}
    }


def test_model_card(version):
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert card["note"] == "for the tests"
    assert card["model"] == {
        "class": "WGANGP",
        "step": 2,
        "averaged": True,
        "parameters": card["model"]["parameters"],
        "latent_shape": [4],
        "image_shape": [8, 8, 1],
        "num_classes": None,
        "num_components": 1,
    }
    assert card["model"]["parameters"] > 100
    assert card["signatures"]["sample"] == {"seed": "int64 [batch]"}
    assert card["versions"]["tensorflow"] == tf.__version__
    assert card["checksums"] == checksums(version)
    assert "variables/variables.index" in card["checksums"]


def test_server_of_another_user_may_read_it(version):
    for path in [version, *version.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


def test_mixed_precision_export_speaks_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    gan = tiny.gan()
    model = tf.saved_model.load(str(gan.export(tmp_path / "digits")))
    images = model.signatures["sample"](seed=tf.constant([1], tf.int64))["images"]
    assert images.dtype == tf.float32
    np.testing.assert_allclose(images[0], gan.sample(1, seed=1)[0], atol=2e-3)


def test_file_in_the_way(trained, tmp_path):
    (tmp_path / "digits").write_text("")
    with pytest.raises(ValueError, match="existing file"):
        trained.export(tmp_path / "digits")
    for options, message in [
        ({"keep": 0}, "keep"),
        ({"card": {"a": float("nan")}}, "JSON"),
        ({"card": {"a": object()}}, "JSON"),
    ]:
        with pytest.raises(ValueError, match=message):
            trained.export(tmp_path / "new", **options)
    with pytest.raises(ValueError, match="without"):
        trained.export(tmp_path / "new[1]")
    with pytest.raises(ValueError, match="num_classes"):
        export.export_generator(trained.generator, tmp_path / "new", num_classes=10)
    assert os.listdir(tmp_path) == ["digits"]


def generator_of(outputs):
    """A generator whose last layer is `outputs`."""
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), outputs])


class Drawing(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


class Counting(keras.layers.Layer):
    def build(self, shape):
        self.count = self.add_weight(shape=(), trainable=False)

    def call(self, inputs):
        self.count.assign_add(1.0)
        return inputs * self.count


class Compiled(keras.layers.Layer):
    def call(self, inputs):
        return tf.function(tf.tanh, jit_compile=True)(inputs)


class Scattering(keras.layers.Layer):
    def build(self, shape):
        self.count = tf.Variable([0.0])

    def call(self, inputs):
        return inputs + self.count.scatter_add(tf.IndexedSlices([1.0], [0]))


class Timed(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.cast(tf.timestamp(), tf.float32)


class Reading(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.cast(tf.strings.length(tf.io.read_file(__file__)), tf.float32)


UNSERVABLE = {
    "random": (Drawing, "RandomStandardNormal"),
    "assigning": (Counting, "AssignVariableOp"),
    "scattering": (Scattering, "ResourceScatterAdd"),
    "clock": (Timed, "Timestamp"),
    "XLA": (Compiled, "compiled by XLA"),
    "file": (Reading, "no path of this machine"),
}


@pytest.mark.parametrize("case", UNSERVABLE)
def test_generators_that_cannot_be_served(case, tmp_path):
    layer, message = UNSERVABLE[case]
    with pytest.raises(ValueError, match=message):
        export.export_generator(generator_of(layer()), tmp_path / "x")
    assert os.listdir(tmp_path / "x") == []


def test_unusual_generators_can_be_served(tmp_path):
    """Tables, several axes of latents, four channels, layers of other types."""
    inputs = keras.Input((2, 2, 3))
    levels = keras.layers.Rescaling(3.0)(keras.layers.Flatten()(inputs))
    table = keras.layers.IntegerLookup(vocabulary=[0, 1, 2], output_mode="count")
    counts = table(keras.layers.Lambda(lambda x: tf.cast(x, tf.int64), dtype="int64")(levels))
    x = keras.layers.Dense(8 * 8 * 4, "tanh")(keras.layers.Concatenate()([levels, counts]))
    generator = keras.Model(inputs, keras.layers.Reshape((8, 8, 4))(x))
    assert self_check.tolerance_of(generator) == 1e-4
    version = export.export_generator(generator, tmp_path / "x", verify=False)
    model = tf.saved_model.load(str(version))
    made = model.signatures["sample_png"](seed=tf.constant([1, 2], tf.int64))["image_bytes"]
    assert tf.io.decode_png(made[0]).shape == (8, 8, 3)


def test_other_dtypes_cannot_be_served(tmp_path):
    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float64)])
        def double(self, x):
            return {"y": 2 * x}

    module = Module()
    tf.saved_model.save(module, tmp_path / "x", signatures={"double": module.double})
    with pytest.raises(ValueError, match="its output 'y' is float64"):
        check_graph(tmp_path / "x")


class TestSelfCheck:
    """What another process computes decides whether there is a new version."""

    @pytest.fixture
    def replayed(self, monkeypatch):
        """The answers of another process, which a test may change."""
        answers = {}
        monkeypatch.setattr(self_check, "_replayed", lambda *_: answers)
        return answers

    def test_another_image_is_not_published(self, replayed, tmp_path):
        live = served.make("points")
        function = tf.function(lambda seed: {"images": tf.cast(seed, tf.float32)})
        signature = {"sample": (function, [tf.TensorSpec([None], tf.int64, "seed")])}
        call = self_check.Call("sample", {"seed": np.arange(3)})
        replayed["0/sample/images"] = np.arange(3, dtype=np.float32)
        self_check.check_export(tmp_path, signature, [call], tolerance=1e-4)
        replayed["0/sample/images"][1] += 1e-3
        with pytest.raises(ValueError, match=r"sample/images of the live.*differ by 0\.001"):
            self_check.check_export(tmp_path, signature, [call], tolerance=1e-4)
        with pytest.raises(KeyError):
            live.export(tmp_path / "digits")
        assert os.listdir(tmp_path / "digits") == []

    def test_rows_that_depend_on_others_are_not_published(self, replayed, tmp_path):
        function = tf.function(lambda t: {"x": t - tf.reduce_mean(t)})
        signature = {"default": (function, [tf.TensorSpec([None], tf.float32, "t")])}
        calls = [self_check.Call("default", {"t": np.float32([1, 2, 3][:n])}) for n in (1, 3)]
        replayed |= {"0/default/x": np.float32([0]), "1/default/x": np.float32([-1, 0, 1])}
        with pytest.raises(ValueError, match=r"default/x of rows alone.*differ by 1"):
            self_check.check_export(tmp_path, signature, calls, tolerance=1e-4)

    @pytest.mark.parametrize(
        ("expected", "received", "problem"),
        [
            (np.zeros(3, np.float32), np.zeros(2, np.float32), r"\(2,\) instead of"),
            (np.zeros(3, np.float32), np.zeros(3), "float64"),
            (np.array([1, 2]), np.array([1, 3]), "they differ"),
            (np.array([np.nan], np.float32), np.array([np.nan], np.float32), "NaN"),
            (np.zeros(1, np.float32), np.array([np.nan], np.float32), "differ by nan"),
            (np.full(1, 100.0, np.float32), np.full(1, 100.1, np.float32), "differ by 0.001"),
        ],
    )
    def test_differences(self, expected, received, problem):
        assert self_check._difference(expected, expected, 1e-4) is None or problem == "NaN"
        assert re.search(problem, self_check._difference(expected, received, 1e-4))

    def test_process_that_fails_is_told(self, tmp_path):
        (tmp_path / "saved_model.pb").write_bytes(b"no proto")
        with pytest.raises(
            ValueError, match=r"cannot run it, and ended with the status 1: .*Error"
        ):
            self_check.check_export(tmp_path, {}, [], tolerance=1e-4)

    def test_larger_batches_begin_with_smaller_ones(self):
        specs = [tf.TensorSpec([None, 3], tf.float32, "latents")]
        specs += [tf.TensorSpec([None], tf.int64, name) for name in ("seed_a", "seed_b", "index")]
        signatures = {"x": (None, specs)}
        one, four, sixteen = self_check.example_calls(
            signatures, num_components=3, num_classes=None
        )
        for name, value in sixteen.inputs.items():
            np.testing.assert_array_equal(value[:4], four.inputs[name])
            np.testing.assert_array_equal(value[:1], one.inputs[name])
        assert (sixteen.inputs["seed_a"] != sixteen.inputs["seed_b"]).all()


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
import served
from tfgans.export import export

def wait(*_, **__):
    print("written", flush=True)
    time.sleep(600)

export.check_export = wait
served.make("points").export(sys.argv[1])
"""


def test_killed_export_leaves_no_version(tmp_path):
    folder = tmp_path / "points"
    export = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(served.ROOT / "tests")],
        stdout=subprocess.PIPE,
        text=True,
    )
    with export:
        assert export.stdout.readline() == "written\n"
        export.send_signal(signal.SIGKILL)
    (left,) = os.listdir(folder)
    assert left.startswith(".tmp-")
    assert publish.versions(folder) == []
    assert served.make("points").export(folder, verify=False).name == "1"
    assert os.listdir(folder) == ["1"]


class TestPublish:
    """Versions, of a SavedModel that is copied and not made anew."""

    def publish(self, version, folder, **options):
        temporary = files.temporary_sibling(folder / "version")
        shutil.copytree(version, temporary)
        return publish.publish(temporary, folder, **options)

    def test_versions_count_up_and_are_never_overwritten(self, version, tmp_path):
        assert [self.publish(version, tmp_path).name for _ in range(3)] == ["1", "2", "3"]
        for name in ("7", "008", "notes", "²"):
            (tmp_path / name).mkdir()
        (tmp_path / "9").write_text("no folder")
        assert self.publish(version, tmp_path) == tmp_path / "10"
        assert publish.versions(tmp_path) == [1, 2, 3, 7, 10]
        (tmp_path / str(2**63 - 1)).mkdir()
        with pytest.raises(ValueError, match="no version left"):
            self.publish(version, tmp_path)

    def test_keep(self, version, tmp_path):
        for _ in range(4):
            self.publish(version, tmp_path, keep=2)
        assert sorted(os.listdir(tmp_path)) == ["3", "4"]

    def test_two_that_publish_at_once(self, version, tmp_path):
        script = PUBLISHER.format(version=str(version), folder=str(tmp_path))
        publishers = [
            subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        made = [one.communicate()[0].split() for one in publishers]
        assert [one.returncode for one in publishers] == [0, 0]
        assert sorted(map(int, made[0] + made[1])) == list(range(1, 81))
        assert sorted(os.listdir(tmp_path)) == ["79", "80"]

    def test_a_reader_never_sees_half_a_model(self, version, tmp_path):
        self.publish(version, tmp_path)
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with reader:
            assert reader.stdout.readline() == "reading\n"
            for _ in range(200):
                self.publish(version, tmp_path)
                time.sleep(0.02)
            loaded = json.loads(reader.communicate("stop\n")[0])
        assert reader.returncode == 0
        # It had several versions, and the same samples from each.
        assert len(loaded["versions"]) >= 5
        assert loaded["different"] == 0


PUBLISHER = """
import pathlib, shutil, sys
for name in ("tensorflow", "keras"):  # which publishing does not need
    sys.modules[name] = None
from tfgans import files
from tfgans.export import publish
folder = pathlib.Path({folder!r})
for _ in range(40):
    temporary = files.temporary_sibling(folder / "version")
    shutil.copytree({version!r}, temporary)
    print(publish.publish(temporary, folder, keep=2).name)
"""
READER = """
import json, pathlib, select, sys
import numpy as np
import tensorflow as tf

folder, versions, first, different = pathlib.Path(sys.argv[1]), [], None, 0
while not select.select([sys.stdin], [], [], 0)[0]:
    newest = max(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    if versions and versions[-1] == newest:
        continue
    model = tf.saved_model.load(str(folder / str(newest)))
    images = model.signatures["sample"](seed=tf.constant([7], tf.int64))["images"].numpy()
    if first is None:
        first = images
        print("reading", flush=True)
    different += not np.array_equal(images, first)
    versions.append(newest)
print(json.dumps({"versions": versions, "different": different}))
"""

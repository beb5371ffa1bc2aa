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

from tfgans import serving
from tfgans.serving import publish, self_check
from tfgans.serving.graph_checks import check_graph
from tfgans.serving.model_card import checksums
from tfgans.serving.warmup import read_warmup


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
    with pytest.raises(ValueError, match="Received the file"):
        trained.export(tmp_path / "digits")
    with pytest.raises(ValueError, match="keep"):
        trained.export(tmp_path / "new", keep=0)
    assert not (tmp_path / "new").exists()


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


class Reading(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.cast(tf.strings.length(tf.io.read_file("/tmp/offset")), tf.float32)


UNSERVABLE = {
    "draws at random": Drawing(),
    "changes a variable": Counting(),
    "compiled by XLA": Compiled(),
    "the path '/tmp/offset'": Reading(),
}


@pytest.mark.parametrize("message", UNSERVABLE)
def test_graphs_that_cannot_be_served(message, tmp_path):
    with pytest.raises(ValueError, match=message):
        serving.export_generator(
            generator_of(UNSERVABLE[message]), tmp_path / "x", latent_shape=(4,)
        )
    assert os.listdir(tmp_path / "x") == []


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
        """The real process, whose answers a test may change on the way back."""
        change, replay = {}, self_check._replayed

        def changed(folder, calls):
            found = replay(folder, calls)
            return {
                name: change.get(name.split("/", 1)[1], np.copy)(value)
                for name, value in found.items()
            }

        monkeypatch.setattr(self_check, "_replayed", changed)
        return change

    def test_another_image_is_not_published(self, trained, replayed, tmp_path):
        replayed["sample/images"] = lambda images: images + 1e-3
        with pytest.raises(ValueError, match=r"'sample'.*differ by 0\.001"):
            trained.export(tmp_path / "digits")
        assert os.listdir(tmp_path / "digits") == []

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
        with pytest.raises(ValueError, match=r"cannot run it: .*saved_model"):
            self_check.check_export(tmp_path, {}, [], compute_dtype="float32")


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
import served
from tfgans.serving import export

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
        temporary = folder / ".tmp-copy"
        shutil.copytree(version, temporary)
        return publish.publish(temporary, folder, **options)

    def test_versions_count_up_and_are_never_overwritten(self, version, tmp_path):
        assert [self.publish(version, tmp_path).name for _ in range(3)] == ["1", "2", "3"]
        for name in ("7", "notes", "²"):
            (tmp_path / name).mkdir()
        (tmp_path / "9").write_text("no folder")
        assert self.publish(version, tmp_path) == tmp_path / "8"
        assert publish.versions(tmp_path) == [1, 2, 3, 7, 8]

    def test_keep(self, version, tmp_path):
        for _ in range(4):
            self.publish(version, tmp_path, keep=2)
        assert sorted(os.listdir(tmp_path)) == ["3", "4"]

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

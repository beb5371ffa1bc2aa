"""An export is checked before it is visible, and appears whole, as the next version."""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import commands
import keras
import numpy as np
import pytest
import served
import tensorflow as tf
import tiny
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

import tfgans
from tfgans import export, files, networks, pictures
from tfgans.export import publish, saved_model, self_check, warmup
from tfgans.export.graph_checks import check_graph
from tfgans.export.model_card import card_text, checksums, read_card, version_folder, write_card
from tfgans.export.signatures import Signature
from tfgans.export.warmup import read_warmup
from tfgans.refinement import Langevin

CARD = {
    "note": "for the tests",
    "folder": ["/home/me/cats", "folder:/home/me/cats", "https://a/b"],
    "limits": ["Cats only."],
    "evaluated": {"class_names": ["/m/0k4j", "dog"], "shape": [8, 8]},
}


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """A model with named classes, compared in a new process."""
    folder, names = tmp_path_factory.mktemp("exported") / "digits", np.array(served.CLASS_NAMES)
    return served.export("conditional").live.export(folder, class_names=names, card=CARD)


@pytest.mark.slow
def test_a_verified_version_gives_the_same_as_another(version):
    assert version.name == "1"
    signature = tf.saved_model.load(str(version)).signatures["sample"]
    seeds = np.arange(6)
    labels = np.int32([-1, 0, 1, 2, 9, 9])
    images = signature(seed=tf.constant(seeds), labels=tf.constant(labels))["images"]
    expected = served.export("conditional")("sample", seed=seeds, labels=labels)["images"]
    np.testing.assert_array_equal(images, expected)
    assert self_check.repeat_check(version) == len(served.export("conditional").loaded.signatures)
    # A server of another user may read it.
    for path in [version, *version.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


@pytest.mark.slow
def test_warm_up_has_every_signature_at_several_sizes(version):
    other, sizes = served.export("conditional"), {}
    for call in read_warmup(version):
        rows = {len(value) for value in other(call.signature, **call.inputs).values()}
        sizes.setdefault(call.signature, set()).update(rows)
    assert sizes == {name: {1, 4, 16} for name in other.loaded.signatures.keys() - {"generate"}}


def test_model_card(version):
    card = json.loads((version / "assets.extra" / "model_card.json").read_text())
    assert (card["name"], card["note"]) == ("digits", "for the tests")
    assert card["folder"] == ["cats", "folder:cats", "https://a/b"]  # No path of this machine.
    assert card["evaluated"] == CARD["evaluated"]
    assert card["class_names"] == [*served.CLASS_NAMES, "6", "7", "8", "9"]
    assert card["model"].pop("parameters") > 100
    assert card["model"] == {
        "class": "NonSaturatingGAN",
        "step": 0,
        "averaged": False,
        "latent_shape": [4],
        "image_shape": [8, 8, 1],
        "num_classes": 10,
        "num_components": 1,
    }
    assert card["signatures"]["sample"] == {"seed": "int64 [batch]", "labels": "int32 [batch]"}
    assert card["versions"]["tensorflow"] == tf.__version__
    assert card["checksums"] == checksums(version)
    assert {"variables/variables.index", "assets.extra/samples.png"} <= card["checksums"].keys()
    text = (version / "assets.extra" / "model_card.md").read_text()
    assert text == card_text(read_card(version))
    with pytest.raises(ValueError, match=r"earlier version .* created, name, signatures, versions"):
        card_text({"checksums": {}})
    for part in ("- Cats only.", "Not evaluated", "Not stated: ask", "- image_shape: 8 x 8 x 1"):
        assert part in text
    with Image.open(version / "assets.extra" / "samples.png") as picture:
        seeds, labels = np.arange(64), np.full(64, -1, np.int32)
        expected = pictures.image_grid(
            served.export("conditional")("sample", seed=seeds, labels=labels)["images"]
        )
        assert np.abs(np.asarray(picture).astype(int) - expected[..., 0]).max() <= 1


def test_texts_of_a_card_are_not_paths(tmp_path):
    entries = {
        "license": "/see LICENSE in repo/x",
        "limits": ["~5 % of samples mix black/white"],
        "class_names": ["/m/0k4j", "dog"],
        "notes": ["/ or /", "~5 % black/white", "see /a/b", "a: /or b", "../cats"],
        "paths": ["/home/me/my cats", "~/cats", "~me/cats/", "hdf5:/data/cats.h5", "npz:~/x.npz"],
    }
    write_card(tmp_path, {}, entries, name="x", samples=np.zeros([4, 2]))
    card = read_card(tmp_path)
    kept = ("license", "limits", "class_names", "notes")
    assert {key: card[key] for key in kept} == {key: entries[key] for key in kept}
    assert card["paths"] == ["my cats", "cats", "cats", "hdf5:cats.h5", "npz:x.npz"]
    for text in ("/see LICENSE in repo/x", "- ~5 % of samples mix black/white", "/m/0k4j, dog."):
        assert text in card_text(card)


def in_this_process(monkeypatch, function):
    """Exports are replayed by a function of the calls' inputs, which returns the outputs by key."""

    def replay(command, **_):
        np.savez(command[-1], **function(dict(np.load(command[-2]))))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", replay)


def test_an_export_is_checked_again(version, monkeypatch):
    """Here by another version of the same model, in the place of a new process."""
    export = served.export("conditional")

    def replay(inputs, offset=0.0):
        calls, results = {}, {}
        for name, value in inputs.items():
            call, _, argument = name.rpartition("/")
            calls.setdefault(call, {})[argument] = value
        for call, arguments in calls.items():
            for output, array in export(call.partition("/")[2], **arguments).items():
                results[f"{call}/{output}"] = array.astype("S") if array.dtype == object else array
        (images,) = (name for name in results if name.endswith("/sample/images"))
        results[images] = results[images] + np.float32(offset)
        return results

    in_this_process(monkeypatch, replay)
    done = commands.run("verify", "{at}", at=version.parent)
    num_calls = len(export.loaded.signatures)
    assert f"{version}: {num_calls} calls return the recorded results" in done.stdout, done.stderr
    in_this_process(monkeypatch, functools.partial(replay, offset=0.01))
    with pytest.raises(ValueError, match=r"another sample/images than .* differ by 0\.01"):
        self_check.repeat_check(version)


@pytest.mark.slow
def test_mixed_precision_exports_compute_float32_outputs(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    gan = tiny.gan()
    model = tf.saved_model.load(str(gan.export(tmp_path / "digits")))
    images = model.signatures["sample"](seed=tf.constant([1], tf.int64))["images"]
    assert images.dtype == tf.float32
    np.testing.assert_allclose(images[0], gan.sample(1, seed=1)[0], atol=2e-3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("file", {}, "existing file"),
        ("new", {"keep": 0}, "keep"),
        ("new", {"card": {"a": float("nan")}}, "JSON"),
        ("new", {"card": {"a": object()}}, "JSON"),
        (
            "new",
            {"card": {"created": "today", "name": "x"}},
            "every card has. Received: created, n",
        ),
        (
            "new",
            {"card": {"evaluation": {"fid": 12.3}}},
            r"`Record.to_dict\(\)`. Received: KeyErro",
        ),
        ("new", {"card": {"model": "a text"}}, "as `tfgans export` writes them"),
        ("new", {"card": {"limits": "not for faces"}}, "'limits' of `card` must be a list of str"),
        ("new[1]", {}, "without"),
        ("new", {"path": ""}, "Received: an empty path"),
        ("new.keras", {}, r"A SavedModel is a folder.*new\.keras.*Leave the ending out"),
        ("new", {"class_names": ["cat"]}, "this generator has no classes"),
        ("new", {"card": ["x"]}, r"`card` must be a dictionary .* Received: \['x'\]"),
        ("new", {"verify": "no"}, "`verify` must be True or False. Received: 'no'"),
        ("new", {"verbose": "no"}, "`verbose` must be True or False"),
        ("new", {"generator": "x"}, r"`generator` must be a keras\.models\.Model, .*: 'x'"),
    ],
)
def test_invalid_arguments(name, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=message):
        export.export_generator(
            **{"generator": tiny.generator(), "path": tmp_path / name, **options}
        )
    assert os.listdir(tmp_path) == ["file"]


def test_invalid_arguments_of_the_method(tmp_path):
    live = served.export("plain").live
    for options in ({"card": ["x"]}, {"verify": "no"}, {"verbose": "no"}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
            live.export(tmp_path / "new", **options)
    assert os.listdir(tmp_path) == []


def pixel_generator():
    """Makes pixels of 0 to 255."""
    inputs = keras.Input((2,))
    pixels = keras.layers.Lambda(lambda x: tf.cast(100.0 * tf.nn.sigmoid(x), tf.uint8))
    return keras.Model(inputs, pixels(inputs))


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (export.export_generator, "x"),
        (functools.partial(export.export_exchange, format="onnx"), "x.onnx"),
    ],
    ids=["saved_model", "onnx"],
)
@pytest.mark.parametrize(
    ("make", "num_classes", "message"),
    [
        (pixel_generator, None, r"return floats.* outputs of uint8\. Remove the cast"),
        (tiny.generator, 10, "num_classes=10"),
        (tiny.conditional_generator, None, "num_classes=None"),
        (tiny.conditional_generator, 19, r"fails for the classes 0 and 18\. .*num_classes=19\. "),
        (tiny.gan, None, "the whole GAN, a WGANGP. Call its `export`, or pass its `generator`"),
    ],
)
def test_generators_that_are_refused(make, num_classes, message, write, name, tmp_path):
    generator = make()
    with pytest.raises(ValueError, match=message):
        write(generator, tmp_path / name, num_classes=num_classes)
    assert os.listdir(tmp_path) == []


def test_a_model_that_refines_warns(tmp_path):
    dcd = tfgans.DCD(tiny.generator(), tiny.discriminator(), langevin=Langevin(steps=2))
    with pytest.warns(UserWarning, match=r"those of `sample\(refine=False\)`"):
        version = dcd.export(tmp_path, verify=False)
    sample = tf.saved_model.load(str(version)).signatures["sample"]
    images = sample(seed=tf.constant([1], tf.int64))["images"]
    np.testing.assert_allclose(images, dcd.sample(1, seed=1, refine=False), atol=1e-5)


def test_a_version_is_no_folder_of_versions(small):
    with pytest.raises(ValueError, match=f"SavedModel itself. Pass its parent .* {small.parent},"):
        export.export_generator(tiny.generator(), small)


@pytest.mark.parametrize("keep", [None, 2])
def test_numbered_folders_of_data_are_refused(keep, tmp_path):
    """Exports of a folder of classes as versions would remove the classes with `keep`."""
    for label in range(10):
        (tmp_path / str(label)).mkdir()
        (tmp_path / str(label) / "image.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"must be versions of a model.*'0', '1', .*'9'"):
        export.export_generator(tiny.generator(), tmp_path, keep=keep)
    assert len(list(tmp_path.glob("*/image.png"))) == len(os.listdir(tmp_path)) == 10


def test_the_version_is_printed(tmp_path, capsys):
    live = served.export("points").live
    live.export(tmp_path, verify=False)
    assert capsys.readouterr().out == ""
    version = live.export(tmp_path, verbose=True, verify=False)
    text, _, names = capsys.readouterr().out.strip().partition(" with the signatures ")
    assert text == f"Saved {version}"
    assert set(names.split(", ")) == set(read_card(version)["signatures"])


@pytest.mark.parametrize(
    ("shape", "has_picture"), [((6,), True), ((4, 6), False), ((2, 2, 2, 1), False)]
)
def test_examples_that_are_no_images_have_no_picture(shape, has_picture, tmp_path):
    generator = networks.mlp_generator(shape, latent_dim=2, width=4, depth=1)
    version = export.export_generator(generator, tmp_path / "model", verify=False)
    assert (version / "assets.extra" / "samples.png").exists() == has_picture
    assert ("![" in card_text(read_card(version))) == has_picture


@pytest.mark.parametrize(
    "build",
    [
        functools.partial(networks.dcgan_generator, width=4),
        functools.partial(networks.resnet_generator, width=4),
        # Keras compiles groups, and inputs whose channels it does not know, with XLA.
        functools.partial(networks.r3gan_generator, width=34, group_width=4, num_blocks=1),
    ],
    ids=lambda build: build.func.__name__,
)
def test_generators_of_the_library_can_be_served(build, tmp_path):
    export.export_generator(build((8, 8, 1), latent_dim=2), tmp_path / "model", verify=False)


def refused(message):
    """Expects an error with the message; None if there is to be none."""
    return contextlib.nullcontext() if message is None else pytest.raises(ValueError, match=message)


def saved(function, folder, **variables):
    """Saves a function of x, float32 [batch], and of variables."""
    module = tf.Module()
    module.variables_by_name = {name: tf.Variable(value) for name, value in variables.items()}
    specs = [tf.TensorSpec([None], tf.float32, "x")]
    module.function = tf.function(
        lambda x: {"y": function(x, **module.variables_by_name)}, input_signature=specs
    )
    tf.saved_model.save(module, str(folder), signatures={"default": module.function})


COMPILED = tf.function(tf.tanh, jit_compile=True)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, count: x + tf.random.normal(tf.shape(x)), "RandomStandardNormal"),
        (lambda x, count: x * count.assign_add([1.0]), "AssignAddVariableOp"),
        (
            lambda x, count: x + count.scatter_add(tf.IndexedSlices([1.0], [0])),
            "ResourceScatterAdd",
        ),
        (lambda x, count: x + tf.cast(tf.timestamp(), tf.float32), "Timestamp"),
        (lambda x, count: COMPILED(x), "compiled by XLA"),
        (lambda x, count: __file__ + tf.as_string(x), "no path of this machine"),
        (
            lambda x, count: f"file://{tempfile.gettempdir()}/b" + tf.as_string(x),
            "no path of this machine",
        ),
        (lambda x, count: f"a{tempfile.gettempdir()}/b" + tf.as_string(x), None),
        (
            lambda x, count: tf.io.read_file("/data/a.txt") + tf.as_string(x),
            "no files but its own.*ReadFile",
        ),
        (lambda x, count: tf.py_function(np.sin, [x], tf.float32), "EagerPyFunc.*calls Python"),
        (
            lambda x, count: tf.numpy_function(np.sin, [x], tf.float32, stateful=False),
            "PyFuncStateless.*calls Python",
        ),
        (lambda x, count: tf.cast(x, tf.float64), "its output 'y' is float64"),
        (lambda x, count: x * count, None),
    ],
)
def test_graphs_that_cannot_be_served(function, message, tmp_path):
    saved(function, tmp_path, count=[0.0])
    with refused(message):
        check_graph(tmp_path)


def test_a_failed_export_leaves_nothing(tmp_path):
    dead = f"{files.temporary_prefix()}999999999-1-x"
    (tmp_path / dead).mkdir()  # What a killed export leaves.
    draw = keras.layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x)))
    generator = keras.Sequential([keras.Input((2,)), draw])
    with pytest.raises(ValueError, match="a pure function of the inputs"):
        export.export_generator(generator, tmp_path)
    assert os.listdir(tmp_path) == []


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
    seed = tf.constant([1, 2], tf.int64)
    made = model.signatures["sample_png"](seed=seed)["image_bytes"]
    images = model.signatures["sample"](seed=seed)["images"]
    assert images.shape == (2, 8, 8, 4)
    np.testing.assert_array_equal(tf.io.decode_png(made[0]), pictures.to_uint8(images[0].numpy()))


@pytest.mark.parametrize(
    ("live", "exported", "message"),
    [
        (lambda x: x, lambda x: x + 1e-3, r"default/y of the live.*differ by 0\.001"),
        (lambda x: x, lambda x: x + 1e-5, None),
        (lambda x: 100 * x, lambda x: 100 * x + 9e-3, None),
        (lambda x: x, lambda x: x * np.nan, "differ by nan"),
        (lambda x: x * np.nan, lambda x: x * np.nan, "live generator gives NaN"),
        (lambda x: x, lambda x: x[1:], r"\(0,\) instead of"),
        (lambda x: x, lambda x: tf.cast(x, tf.int32), "int32"),
        (lambda x: tf.cast(x, tf.int32), lambda x: tf.cast(x + 1, tf.int32), "they differ"),
        (lambda x: x - tf.reduce_mean(x), None, r"default/y of rows alone.*differ by 0\.5"),
        (lambda x: x + tf.cumsum(tf.ones_like(x)), None, "default/y of rows in another order"),
    ],
)
def test_self_check(live, exported, message, tmp_path, monkeypatch):
    """The live function, and that of the export."""

    def replay(inputs):
        values = {name: (exported or live)(value) for name, value in inputs.items()}
        return {name.replace("/x", "/y"): np.asarray(value) for name, value in values.items()}

    in_this_process(monkeypatch, replay)
    function = tf.function(lambda x: {"y": live(x)}, autograph=False)
    signatures = {"default": Signature(function, [tf.TensorSpec([None], tf.float32, "x")])}
    calls = [self_check.Call("default", {"x": np.float32([1, 2][:rows])}) for rows in (1, 2)]
    with refused(message):
        self_check.check_export(tmp_path, signatures, calls, tolerance=1e-4)


def test_a_process_that_fails_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(
        ValueError, match=r"cannot run the export, and ended with the status 1: no message"
    ):
        self_check.check_export(tmp_path, {}, [], tolerance=1e-4)


def test_larger_example_batches_begin_with_smaller_batches():
    specs = [tf.TensorSpec([None, 3], tf.float32, "latents")]
    specs += [tf.TensorSpec([None], tf.int64, name) for name in ("seed_a", "seed_b", "index")]
    first, second, third = self_check.example_calls(
        {"x": Signature(lambda *inputs: {}, specs)}, num_components=3, num_classes=None
    )
    for name, value in third.inputs.items():
        np.testing.assert_array_equal(value[:4], second.inputs[name])
        np.testing.assert_array_equal(value[:1], first.inputs[name])
    assert (third.inputs["seed_a"] != third.inputs["seed_b"]).all()


def test_example_calls_have_drawn_classes_and_the_last():
    labels = tf.TensorSpec([None], tf.int32, "labels")
    signatures = {
        "seeded": [tf.TensorSpec([None], tf.int64, "seed"), labels],
        "ends": [tf.TensorSpec([None], tf.int64, "seed_a"), labels],
        "fixed": [tf.TensorSpec([None, 3], tf.float32, "latents"), labels],
    }
    calls = self_check.example_calls(
        {name: Signature(lambda *inputs: {}, specs) for name, specs in signatures.items()},
        num_components=1,
        num_classes=1000,
    )
    received = {}
    for call in calls:
        received.setdefault(call.signature, []).append(call.inputs["labels"].tolist())
    drawn = [[0], [0, 999, -1, 1], [0, 999, -1, *range(1, 14)]]
    fixed = [[0], [0, 999, 1, 2], [0, 999, *range(1, 15)]]
    assert received == {"seeded": drawn, "ends": drawn, "fixed": fixed}


def test_every_component_is_compared(tmp_path, monkeypatch):
    """Also those of a mixture with more components than a warm-up request has rows."""
    compared = []
    monkeypatch.setattr(
        saved_model, "check_export", lambda folder, signatures, calls, **_: compared.extend(calls)
    )
    generator = tiny.constants(np.linspace(-1, 1, 18))
    version = export.export_generator(generator, tmp_path / "x")
    calls = [call.inputs["components"] for call in compared if call.signature == "component"]
    assert [len(components) for components in calls] == [1, 4, 16, 18]
    assert set(calls[-1]) == set(range(18))
    rows = {len(value) for call in read_warmup(version) for value in call.inputs.values()}
    assert rows == {1, 4, 16}


def test_warm_up_of_other_requests_is_left_out(tmp_path):
    """Servers of other libraries classify too; those records are no calls of signatures."""
    calls = [self_check.Call("default", {"x": np.float32([1, 2])})]
    warmup.write_warmup(tmp_path, calls)
    (path,) = (tmp_path / "assets.extra").iterdir()
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    other = prediction_log_pb2.PredictionLog()
    other.classify_log.request.model_spec.signature_name = "serving_default"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in (other.SerializeToString(), *records):
            writer.write(record)
    (call,) = read_warmup(tmp_path)
    assert call.signature == "default"
    np.testing.assert_array_equal(call.inputs["x"], [1, 2])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    saved(tf.square, folder)
    return folder


def published(small, folder, **options):
    """Publishes a copy."""
    temporary = files.temporary_sibling(folder / "version")
    shutil.copytree(small, temporary)
    return publish.publish(temporary, folder, **options)


def test_versions_count_up_and_are_never_overwritten(small, tmp_path):
    assert [published(small, tmp_path).name for _ in range(3)] == ["1", "2", "3"]
    for name in ("7", "008", "notes", "²"):
        (tmp_path / name).mkdir()
    (tmp_path / "9").write_text("no folder")
    assert published(small, tmp_path, keep=2) == tmp_path / "10"
    # Folders that are no SavedModels stay.
    assert list(publish.version_folders(tmp_path)) == [3, 7, 8, 10]
    assert [path.name for path in publish.saved_models(tmp_path)] == ["3", "10"]
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(ValueError, match="no version left"):
        published(small, tmp_path)
    assert version_folder(tmp_path) == tmp_path / "10"


def publish_many(small, folder, count, keep):
    return [int(published(small, folder, keep=keep).name) for _ in range(count)]


def test_two_that_publish_at_once(small, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        made = [pool.submit(publish_many, small, tmp_path, 20, 2) for _ in range(2)]
        assert sorted(made[0].result() + made[1].result()) == list(range(1, 41))
    assert sorted(os.listdir(tmp_path)) == ["39", "40"]


def test_an_old_version_is_hidden_before_it_is_removed(small, tmp_path, monkeypatch):
    """Else a server could find a version without some of its files."""
    removed, remove = [], shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: (removed.append(path), remove(path)))
    for _ in range(3):
        published(small, tmp_path, keep=1)
    assert len(removed) == 2
    assert all(path.name.startswith(".tmp-") for path in removed)


def test_a_reader_never_sees_part_of_a_model(small, tmp_path):
    published(small, tmp_path)
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(publish_many, small, tmp_path, 40, None)
        while not made.done():
            newest = max(publish.version_folders(tmp_path))
            assert tf.saved_model.load(str(tmp_path / str(newest))).signatures["default"]
            seen.add(newest)
        assert made.result() == list(range(2, 42))
    assert seen

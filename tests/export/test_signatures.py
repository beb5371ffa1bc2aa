"""An export gives, signature by signature, what the live model gives, and each row by itself."""

import io

import keras
import numpy as np
import pytest
import served
import tensorflow as tf
from PIL import Image

from tfgans import pictures
from tfgans.export.signatures import GeneratorSignatures
from tfgans.sampling import Sampler

SEEDS = np.array([5, -3, 5, 2**62, *range(12)], np.int64)
LATENTS = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
# Inputs and outputs of each signature, as in docs/serve.md.
TABLE = {
    "serving_default": (["latents"], ["images"]),
    "sample": (["seed"], ["components", "images"]),
    "sample_at": (["index", "seed"], ["components", "images"]),
    "sample_png": (["seed"], ["image_bytes"]),
    "latents": (["index", "seed"], ["latents"]),
    "component": (["components", "latents"], ["images"]),
    "interpolate": (["seed_a", "seed_b", "t"], ["components", "images"]),
    "sample_truncated": (["index", "seed", "truncation"], ["components", "images", "latents"]),
    "mixture_weights": (["probe"], ["weights"]),
    "generate": (["num", "seed"], ["components", "images"]),
    "class_names": (["probe"], ["names"]),
}
# Signatures that a kind of export is without.
ABSENT = {"points": {"sample_png", "class_names"}, "mixture": {"class_names"}, "conditional": set()}
# Return the classes of their rows.
LABELED = ("sample", "sample_at", "sample_truncated", "generate")
DTYPES = {
    **dict.fromkeys(["latents", "t", "images", "probe", "truncation", "weights"], tf.float32),
    **dict.fromkeys(["seed", "seed_a", "seed_b", "index"], tf.int64),
    **dict.fromkeys(["components", "labels", "num"], tf.int32),
    **dict.fromkeys(["image_bytes", "names"], tf.string),
}


@pytest.fixture(scope="module", params=["points", "mixture", "conditional"])
def export(request):
    return served.export(request.param)


of_images = pytest.mark.parametrize("export", ["mixture", "conditional"], indirect=True)


def test_names_types_and_shapes(export):
    assert set(export.loaded.signatures) == set(TABLE) - ABSENT[export.kind]
    labels = {"mixture_weights": [], "latents": [], "class_names": []}
    for name, signature in export.loaded.signatures.items():
        inputs, outputs = TABLE[name]
        if export.kind == "conditional":
            inputs = sorted(inputs + labels.get(name, ["labels"]))
            outputs = sorted(outputs + ["labels"] * (name in LABELED))
        specs = signature.structured_input_signature[1]
        assert sorted(specs) == inputs
        assert sorted(signature.structured_outputs) == outputs
        for key, spec in [*specs.items(), *signature.structured_outputs.items()]:
            assert spec.dtype == DTYPES[key], key
            if name != "generate":
                assert spec.shape[0] is None, key


@of_images
def test_sample_is_that_of_the_live_model_alone_and_in_a_batch(export):
    labels = np.arange(len(SEEDS)) % 10
    made = export("sample", seed=SEEDS, **export.labels(labels))
    for row, seed in enumerate(SEEDS):
        options = {"labels": int(labels[row])} if export.kind == "conditional" else {}
        expected = export.live.sample(1, seed=int(seed), **options)[0]
        np.testing.assert_allclose(made["images"][row], expected, atol=1e-5)
        assert made["components"][row] == export.live.sample_components(1, seed=int(seed))[0]
        alone = export("sample", seed=SEEDS[[row]], **export.labels(labels[row : row + 1]))
        np.testing.assert_allclose(made["images"][row], alone["images"][0], atol=1e-6)
    assert set(made["components"]) == set(range(served.NUM_COMPONENTS[export.kind]))


def test_sample_at_and_generate_are_rows_of_a_sample(export):
    expected, components = export.live.sample(9, seed=3), export.live.sample_components(9, 3)
    index = np.array([8, 0, 4])
    generated = export("generate", num=9, seed=np.int64(3), **export.labels([-1]))
    rows = export("sample_at", seed=np.full(3, 3), index=index, **export.labels([-1] * 3))
    np.testing.assert_allclose(generated["images"], expected, atol=1e-5)
    np.testing.assert_allclose(rows["images"], expected[index], atol=1e-5)
    np.testing.assert_array_equal(generated["components"], components)
    np.testing.assert_array_equal(rows["components"], components[index])
    if export.kind == "conditional":
        drawn = export.live.sample_labels(9, seed=3)
        np.testing.assert_array_equal(generated["labels"], drawn)
        np.testing.assert_array_equal(rows["labels"], drawn[index])
        labels = np.int32([-1, 3, 0])
        each = export("generate", num=3, seed=np.int64(3), labels=labels)["labels"]
        np.testing.assert_array_equal(each, [drawn[0], 3, 0])


@of_images
def test_png_and_latents_lead_to_the_same_samples(export):
    inputs = {"seed": SEEDS, **export.labels([3] * len(SEEDS))}
    made = export("sample", **inputs)
    latents = export("latents", seed=SEEDS, index=np.zeros_like(SEEDS))["latents"]
    pinned = {"latents": latents, "components": made["components"]}
    images = export("component", **pinned, **export.labels([3] * len(SEEDS)))["images"]
    np.testing.assert_allclose(images, made["images"], atol=1e-6)
    for image, file in zip(
        made["images"], export("sample_png", **inputs)["image_bytes"], strict=True
    ):
        with Image.open(io.BytesIO(file)) as picture:
            assert picture.format == "PNG"
            np.testing.assert_array_equal(np.asarray(picture), pictures.to_uint8(image)[..., 0])


def test_weights_and_components_of_a_mixture():
    mixture = served.export("mixture")
    chosen = np.array([2, 0, 1, 1, 0, 2, 2], np.int32)
    pinned = mixture("component", latents=LATENTS, components=chosen)["images"]
    for row, index in enumerate(chosen):
        expected = mixture.live.ema_generator.components[index](LATENTS)[row]
        np.testing.assert_allclose(pinned[row], expected, atol=1e-5)
    routed = mixture("serving_default", latents=LATENTS)["images"]
    np.testing.assert_allclose(routed, mixture.live(LATENTS), atol=1e-5)
    first = mixture("serving_default", latents=LATENTS[:3])["images"]
    np.testing.assert_allclose(first, routed[:3], atol=1e-5)
    probe = np.float32([0, np.nan])  # Its values do not count.
    weights = mixture("mixture_weights", probe=probe)["weights"]
    np.testing.assert_allclose(weights, [[0.5, 0.3, 0.2]] * 2, atol=1e-6)
    alone = served.export("points")("mixture_weights", probe=probe)["weights"]
    assert alone.tolist() == [[1.0]] * 2


def test_truncated_samples(export):
    seeds, index = np.full(5, 3), np.arange(5)
    limits = np.float32([0.3, 1.0, 2.0, 50.0, 50.0])
    inputs = {"seed": seeds, "index": index, **export.labels([-1] * 5)}
    made = export("sample_truncated", truncation=limits, **inputs)
    assert (np.abs(made["latents"]) <= limits[:, np.newaxis]).all()
    plain = export("sample_at", **inputs)
    np.testing.assert_allclose(made["images"][3:], plain["images"][3:], atol=1e-5)
    np.testing.assert_array_equal(made["components"], plain["components"])
    live = export.live.sample(5, seed=3, truncation=0.3)
    inputs["truncation"] = np.full(5, 0.3, np.float32)
    np.testing.assert_allclose(export("sample_truncated", **inputs)["images"], live, atol=1e-5)


def test_interpolate_begins_and_ends_with_samples(export):
    a, b = SEEDS[:6], SEEDS[6:12]
    classes = export.labels([3] * 6)
    for t, seeds in ((0.0, a), (1.0, b)):
        made = export("interpolate", seed_a=a, seed_b=b, t=np.full(6, t, np.float32), **classes)
        expected = export("sample", seed=seeds, **classes)
        np.testing.assert_allclose(made["images"], expected["images"], atol=1e-5)
        np.testing.assert_array_equal(made["components"], expected["components"])


@pytest.mark.parametrize("angle", [0.0, np.pi / 2, np.pi - 1e-2, np.pi])
def test_interpolate_follows_the_great_arc(angle):
    """The generator is the identity, and even and odd seeds draw vectors at the angle."""
    inputs = keras.Input((2,))
    identity = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    end = [2 * np.cos(angle), 2 * np.sin(angle)]
    draws = iter([[[2.0, 0.0]] * 3, [end] * 3])
    draw = lambda _: tf.constant(next(draws), tf.float32)  # noqa: E731
    sampler = Sampler(identity, num_classes=None, draw_latents=draw)
    interpolate = GeneratorSignatures(sampler).build()["interpolate"].function
    t = np.array([0.25, 0.5, 0.75], np.float32)
    tf.config.run_functions_eagerly(True)
    try:
        seeds = tf.zeros([3], tf.int64)
        images = interpolate(seeds, seeds, tf.constant(t))["images"]
    finally:
        tf.config.run_functions_eagerly(False)
    # At an angle of pi there is no arc, but a straight line.
    arc = [2 * np.cos(t * angle), 2 * np.sin(t * angle)]
    line = [2 - 4 * t, 0 * t]
    np.testing.assert_allclose(images, np.stack(line if angle == np.pi else arc, 1), atol=2e-4)


def test_interpolate_draws_the_class_from_the_first_seed():
    conditional = served.export("conditional")
    ends = {"seed_a": np.array([5]), "seed_b": np.array([6]), "t": np.float32([0.9])}
    drawn = conditional("interpolate", **ends, labels=np.int32([-1]))["images"]
    label = conditional.live.sample_labels(1, seed=5).astype(np.int32)
    fixed = conditional("interpolate", **ends, labels=label)["images"]
    np.testing.assert_allclose(drawn, fixed, atol=1e-6)


ENDS = {"seed_a": SEEDS[:1], "seed_b": SEEDS[:1]}


@pytest.mark.parametrize(
    ("kind", "signature", "inputs", "message"),
    [
        ("mixture", "component", {"latents": LATENTS[:1], "components": [3]}, "from 0 to 2"),
        ("mixture", "component", {"latents": LATENTS[:1], "components": [-1]}, "from 0 to 2"),
        ("mixture", "serving_default", {"latents": LATENTS[:1] * np.nan}, "must be finite"),
        ("mixture", "interpolate", {**ENDS, "t": np.float32([np.inf])}, "`t` must be from 0 to 1"),
        ("mixture", "interpolate", {**ENDS, "t": np.float32([-0.01])}, "`t` must be from 0 to 1"),
        (
            *("mixture", "sample_truncated"),
            {"seed": SEEDS[:1], "index": SEEDS[:1], "truncation": np.float32([0])},
            "above 0",
        ),
        ("mixture", "generate", {"num": 0, "seed": np.int64(1)}, "from 1 to 1024"),
        ("mixture", "generate", {"num": 1025, "seed": np.int64(1)}, "from 1 to 1024"),
        (
            *("conditional", "generate"),
            {"num": 3, "seed": np.int64(1), "labels": np.int32([1, 2])},
            "one class, or a class for each row",
        ),
        ("conditional", "sample", {"seed": SEEDS[:1], "labels": [10]}, "from 0 to 9, or -1"),
        ("conditional", "sample", {"seed": SEEDS[:1], "labels": [-2]}, "from 0 to 9, or -1"),
        ("conditional", "serving_default", {"latents": LATENTS[:1], "labels": [-1]}, "0 to 9"),
    ],
)
def test_invalid_inputs(kind, signature, inputs, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.export(kind)(signature, **inputs)

"""An export gives, signature by signature, what the live model gives; each row by itself."""

import io

import numpy as np
import pytest
import served
import tensorflow as tf
from PIL import Image

from tfgans import pictures, serving
from tfgans.export.signatures import GeneratorSignatures

SEEDS = np.array([5, -3, 5, 2**62, *range(12)], np.int64)
LATENTS = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
# Inputs and outputs of each signature, as exported/README.md has them.
TABLE = {
    "serving_default": (["latents"], ["images"]),
    "sample": (["seed"], ["components", "images"]),
    "sample_at": (["index", "seed"], ["components", "images"]),
    "sample_png": (["seed"], ["image_bytes"]),
    "latents": (["index", "seed"], ["latents"]),
    "component": (["components", "latents"], ["images"]),
    "interpolate": (["seed_a", "seed_b", "t"], ["components", "images"]),
    "mixture_weights": ([], ["weights"]),
    "generate": (["num", "seed"], ["components", "images"]),
}
DTYPES = {
    **dict.fromkeys(["latents", "t", "images", "weights"], tf.float32),
    **dict.fromkeys(["seed", "seed_a", "seed_b", "index"], tf.int64),
    **dict.fromkeys(["components", "labels", "label", "num"], tf.int32),
    "image_bytes": tf.string,
}


class Export:
    """A live model beside its export."""

    def __init__(self, kind, made):
        self.kind, self.live = kind, made.live
        # The signatures do not keep what they are of alive.
        self.loaded = tf.saved_model.load(str(made.version))

    def __call__(self, signature, **inputs):
        function = self.loaded.signatures[signature]
        given = {name: tf.constant(value) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in function(**given).items()}


@pytest.fixture(scope="module", params=["plain", "mixture", "conditional"])
def export(request, exported):
    return Export(request.param, exported(request.param))


@pytest.fixture(scope="module")
def mixture(exported):
    return Export("mixture", exported("mixture"))


@pytest.fixture(scope="module")
def conditional(exported):
    return Export("conditional", exported("conditional"))


def test_names_types_and_shapes(export):
    assert set(export.loaded.signatures) == set(TABLE)
    classes = {"generate": ["label"], "mixture_weights": [], "latents": []}
    for name, signature in export.loaded.signatures.items():
        inputs, outputs = TABLE[name]
        if export.kind == "conditional":
            inputs = sorted(inputs + classes.get(name, ["labels"]))
            outputs = outputs + ["labels"] * (name in ("sample", "sample_at", "generate"))
        specs = signature.structured_input_signature[1]
        assert sorted(specs) == inputs
        assert sorted(signature.structured_outputs) == outputs
        for key, spec in [*specs.items(), *signature.structured_outputs.items()]:
            assert spec.dtype == DTYPES[key], key
            if name not in ("generate", "mixture_weights"):
                assert spec.shape[0] is None, key


def test_readme_has_the_table():
    readme = (served.ROOT / "exported" / "README.md").read_text()
    for name, (inputs, outputs) in TABLE.items():
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| `{name}`")]
        assert all(f"`{one}`" in row for one in [*inputs, *outputs]), name


def test_sample_is_that_of_the_live_model(export):
    labels = np.arange(len(SEEDS)) % 10
    made = export("sample", seed=SEEDS, **served.labels(export.kind, labels))
    for row, seed in enumerate(SEEDS):
        options = {"labels": int(labels[row])} if export.kind == "conditional" else {}
        expected = export.live.sample(1, seed=int(seed), **options)[0]
        np.testing.assert_allclose(made["images"][row], expected, atol=1e-5)
        assert made["components"][row] == export.live.sample_components(1, seed=int(seed))[0]
    assert set(made["components"]) == set(range(served.num_components(export.kind)))


def test_sample_at_and_generate_are_a_sample_of_many(export):
    expected = export.live.sample(9, seed=3)
    generated = export("generate", num=9, seed=np.int64(3), **_drawn(export, "label", -1))
    np.testing.assert_allclose(generated["images"], expected, atol=1e-5)
    index = np.array([8, 0, 4])
    rows = export(
        "sample_at", seed=np.full(3, 3), index=index, **_drawn(export, "labels", [-1] * 3)
    )
    np.testing.assert_allclose(rows["images"], expected[index], atol=1e-5)
    np.testing.assert_array_equal(rows["components"], export.live.sample_components(9, 3)[index])
    np.testing.assert_array_equal(generated["components"][index], rows["components"])
    if export.kind == "conditional":
        drawn = export.live.sample_labels(9, seed=3)
        np.testing.assert_array_equal(generated["labels"], drawn)
        np.testing.assert_array_equal(rows["labels"], drawn[index])


def _drawn(export, name, value):
    return served.labels(export.kind, value, name)


def test_rows_do_not_depend_on_each_other(export):
    alone = [export("sample", seed=SEEDS[[row]], **_classes(export, 1)) for row in range(4)]
    together = export("sample", seed=SEEDS, **_classes(export, len(SEEDS)))
    for row, one in enumerate(alone):
        np.testing.assert_allclose(together["images"][row], one["images"][0], atol=1e-6)
        assert together["components"][row] == one["components"][0]


def _classes(export, rows):
    return served.labels(export.kind, [3] * rows)


def test_xla_gives_the_same(export):
    function = tf.function(export.loaded.signatures["sample"], jit_compile=True)
    inputs = {"seed": SEEDS, **_classes(export, len(SEEDS))}
    compiled = function(**{name: tf.constant(value) for name, value in inputs.items()})
    expected = export("sample", **inputs)
    np.testing.assert_allclose(compiled["images"], expected["images"], atol=1e-6)
    np.testing.assert_array_equal(compiled["components"], expected["components"])


def test_png_is_what_pictures_show(export):
    images = export("sample", seed=SEEDS, **_classes(export, len(SEEDS)))["images"]
    files = export("sample_png", seed=SEEDS, **_classes(export, len(SEEDS)))["image_bytes"]
    for image, file in zip(images, files, strict=True):
        with Image.open(io.BytesIO(file)) as picture:
            assert picture.format == "PNG"
            np.testing.assert_array_equal(np.asarray(picture), pictures.to_uint8(image)[..., 0])


def test_latents_lead_to_the_sample(export):
    latents = export("latents", seed=SEEDS, index=np.zeros_like(SEEDS))["latents"]
    made = export("sample", seed=SEEDS, **_classes(export, len(SEEDS)))
    images = export(
        "component",
        latents=latents,
        components=made["components"],
        **_classes(export, len(SEEDS)),
    )["images"]
    np.testing.assert_allclose(images, made["images"], atol=1e-6)


def test_component_pins(mixture):
    chosen = np.array([2, 0, 1, 1, 0, 2, 2], np.int32)
    made = mixture("component", latents=LATENTS, components=chosen)["images"]
    for row, index in enumerate(chosen):
        expected = mixture.live.ema_generator.components[index](LATENTS)[row]
        np.testing.assert_allclose(made[row], expected, atol=1e-5)


def test_latents_alone_are_routed_as_in_the_live_model(mixture):
    made = mixture("serving_default", latents=LATENTS)["images"]
    np.testing.assert_allclose(made, mixture.live(LATENTS), atol=1e-5)
    halves = [mixture("serving_default", latents=half) for half in (LATENTS[:3], LATENTS[3:])]
    np.testing.assert_allclose(np.concatenate([one["images"] for one in halves]), made, atol=1e-5)


def test_mixture_weights(export):
    weights = export("mixture_weights")["weights"]
    expected = [0.5, 0.3, 0.2] if export.kind == "mixture" else [1.0]
    np.testing.assert_allclose(weights, expected, atol=1e-6)


class TestInterpolate:
    """Between two seeds along the sphere."""

    def test_ends_are_samples(self, export):
        a, b = SEEDS[:6], SEEDS[6:12]
        for t, seeds in ((0.0, a), (1.0, b)):
            times = np.full(6, t, np.float32)
            made = export("interpolate", seed_a=a, seed_b=b, t=times, **_classes(export, 6))
            expected = export("sample", seed=seeds, **_classes(export, 6))
            np.testing.assert_allclose(made["images"], expected["images"], atol=1e-5)
            np.testing.assert_array_equal(made["components"], expected["components"])

    def test_arc(self):
        # In the plane, between two vectors of length 2 at a right angle: the closed form.
        start, end = np.array([[2.0, 0.0]] * 3), np.array([[0.0, 2.0]] * 3)
        t = np.array([0.25, 0.5, 0.75])
        arc = serving.signatures._slerp(*(tf.constant(one, tf.float32) for one in (start, end, t)))
        expected = 2 * np.stack([np.cos(t * np.pi / 2), np.sin(t * np.pi / 2)], axis=1)
        np.testing.assert_allclose(arc, expected, atol=1e-6)

    def test_the_same_and_the_opposite_point(self):
        point = tf.constant([[1.0, 2.0]])
        half = tf.constant([0.5])
        np.testing.assert_allclose(serving.signatures._slerp(point, point, half), point)
        straight = serving.signatures._slerp(point, -point, half)
        np.testing.assert_allclose(straight, [[0.0, 0.0]], atol=1e-6)

    def test_almost_opposite_points(self):
        # On the unit circle, at pi - 1e-2: the closed form at a quarter of the way.
        angle = np.pi - 1e-2
        ends = [[1.0, 0.0]], [[np.cos(angle), np.sin(angle)]]
        made = serving.signatures._slerp(*(tf.constant(one, tf.float32) for one in (*ends, [0.25])))
        expected = [[np.cos(angle / 4), np.sin(angle / 4)]]
        np.testing.assert_allclose(made, expected, atol=1e-4)

    def test_class_is_drawn_from_the_first_seed(self, conditional):
        label = conditional.live.sample_labels(1, seed=5)
        ends = {"seed_a": np.array([5]), "seed_b": np.array([6]), "t": np.float32([0.9])}
        drawn = conditional("interpolate", **ends, labels=np.int32([-1]))["images"]
        given = conditional("interpolate", **ends, labels=label.astype(np.int32))["images"]
        np.testing.assert_allclose(drawn, given, atol=1e-6)


REFUSED = {
    "component": ("component", {"latents": LATENTS[:1], "components": [3]}, "from 0 to 2"),
    "negative component": ("component", {"latents": LATENTS[:1], "components": [-1]}, "0 to 2"),
    "NaN": ("serving_default", {"latents": LATENTS[:1] * np.nan}, "`latents` must be finite"),
    "infinite t": (
        "interpolate",
        {"seed_a": SEEDS[:1], "seed_b": SEEDS[:1], "t": np.float32([np.inf])},
        "`t` must be from 0 to 1",
    ),
    "t before the start": (
        "interpolate",
        {"seed_a": SEEDS[:1], "seed_b": SEEDS[:1], "t": np.float32([-0.01])},
        "`t` must be from 0 to 1",
    ),
    "none": ("generate", {"num": 0, "seed": np.int64(1)}, "from 1 to 1024"),
    "too many": ("generate", {"num": 1025, "seed": np.int64(1)}, "from 1 to 1024"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_inputs(mixture, case):
    signature, inputs, message = REFUSED[case]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        mixture(signature, **inputs)


def test_refused_classes(conditional):
    for signature, label, message in [
        ("sample", 10, "classes from 0 to 9, or -1"),
        ("sample", -2, "classes from 0 to 9, or -1"),
        ("serving_default", -1, "classes from 0 to 9"),
    ]:
        first = {"seed": SEEDS[:1]} if signature == "sample" else {"latents": LATENTS[:1]}
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            conditional(signature, **first, labels=np.int32([label]))


def test_points_have_no_png():
    points = served.make("points")
    signatures = GeneratorSignatures(points.sampler).build()
    assert set(signatures) == set(TABLE) - {"sample_png"}

"""What every augmentation holds: a table of them, each of which passes all tests."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import augmentation, random

KEY = random.key(3, 1)
ADA, DIFF = augmentation.AdaptiveAugment, augmentation.DiffAugment


def ada(transforms, p=0.8):
    return ADA(transforms, target=None, initial_p=p, penalty_at="raw")


# Each does something to each of the images of the tests.
TABLE = {
    **{name: DIFF(name) for name in ("color", "translation", "cutout", "flip")},
    "DiffAugment": DIFF("cutout,color,translation", strength=0.7, fill=-1.0),
    **{f"ada {name}": ada(name) for name in ("blit", "geom", "color", "noise", "cutout")},
    "AdaptiveAugment": ada("blit,geom,color,noise,cutout"),
}
table = pytest.mark.parametrize("augment", TABLE.values(), ids=TABLE)
square = pytest.mark.parametrize("shape", [(8, 8, 3), (7, 10, 1)], ids=str)


def images(num=6, shape=(8, 8, 3), seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, (num, *shape)), tf.float32)


@table
@square
def test_the_key_decides_and_each_image_has_its_draw(augment, shape):
    equal = tf.repeat(images(1, shape), 20, axis=0)
    first, again, other = (augment(equal, key).numpy() for key in (KEY, KEY, random.key(4)))
    assert first.dtype == np.float32
    assert first.shape == equal.shape
    np.testing.assert_array_equal(first, again)
    # A flip, say, has two results.
    assert len(np.unique(first, axis=0)) > 1
    assert np.abs(first - other).max() > 0.01
    # The rows of a part of the batch, or of a replica, are those of the whole.
    with random.micro_batch(1, 2):
        part = augment(equal[10:], KEY)
        np.testing.assert_allclose(part, first[10:], atol=1e-5)


@pytest.mark.parametrize("augment", [DIFF("color"), ada("color")], ids=["diffaugment", "ada"])
def test_color_leaves_the_alpha_as_it_is(augment):
    rgba = images(shape=(8, 8, 4))
    changed = augment(rgba, KEY).numpy()
    np.testing.assert_array_equal(changed[..., 3], rgba[..., 3])
    np.testing.assert_allclose(changed[..., :3], augment(rgba[..., :3], KEY), atol=1e-6)


@table
def test_identity_at_strength_0(augment):
    options = {"strength": 0.0} if isinstance(augment, DIFF) else {"initial_p": 0.0}
    nothing = dataclasses.replace(augment, **options)
    for shape in [(8, 8, 3), (7, 10, 1), (1, 5, 1)]:
        np.testing.assert_array_equal(nothing(images(50, shape), KEY), images(50, shape))


@table
@square
def test_gradient_is_the_adjoint(augment, shape):
    """Given its draws T is affine: T(x) = A x + b, so <g, A x> = <A^T g, x>."""
    x, g = images(shape=shape), images(shape=shape, seed=1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = augment(x, KEY)
    adjoint = tape.gradient(y, x, output_gradients=g)
    linear = y - augment(tf.zeros_like(x), KEY)
    expected = np.sum(g * linear, axis=(1, 2, 3))
    np.testing.assert_allclose(np.sum(adjoint * x, axis=(1, 2, 3)), expected, rtol=1e-4, atol=1e-4)


@table
def test_twice_differentiable_as_finite_differences(augment):
    """R1 of D(T(x)), D(y) = sum_i w_i tanh(y_i): its derivative along a direction."""
    x, w, direction = images(), images(seed=1), images(seed=2)

    def r1(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logit = tf.reduce_sum(w * tf.tanh(augment(x, KEY)))
        return tf.reduce_sum(tape.gradient(logit, x) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = r1(x)
    slope = np.sum(tape.gradient(value, x) * direction)
    step = 1e-2
    difference = (r1(x + step * direction) - r1(x - step * direction)) / (2 * step)
    assert slope == pytest.approx(float(difference), rel=5e-3)


# They hold the others, but for a flip.
@pytest.mark.parametrize("name", ["DiffAugment", "AdaptiveAugment", "flip"])
@pytest.mark.slow
def test_same_eagerly_in_a_graph_and_under_xla(name):
    keras.config.set_dtype_policy("mixed_float16")  # Draws and arithmetic stay in float32.
    signature = [tf.TensorSpec([None, 8, 8, 3]), tf.TensorSpec([2], tf.int64)]
    augment = TABLE[name]
    expected = augment(images(), KEY)
    for options in ({"input_signature": signature}, {"jit_compile": True}):
        graph = tf.function(augment, **options)
        np.testing.assert_allclose(graph(images(), KEY), expected, atol=1e-5)
    assert augment(tf.cast(images(), tf.float16), KEY).dtype == tf.float32


@table
def test_refuses_what_are_no_images(augment):
    with pytest.raises(ValueError, match=r"images \[height.*Received: examples of shape \(2,\)"):
        augment(tf.zeros([5, 2]), KEY)
    with pytest.raises(ValueError, match=r"floats in \[-1, 1\]. Received: uint8"):
        augment(np.zeros([5, 8, 8, 3], np.uint8), KEY)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DIFF("colour"), "`policy` must name some of 'color', .* Received: 'colour'"),
        (lambda: DIFF("color, cutout"), "`policy` must name"),
        (lambda: DIFF("flip,flip"), "each at most once"),
        (lambda: DIFF(None), "Received: None"),
        (lambda: DIFF(strength=1.5), r"`strength` must be in \[0, 1\]. Received: 1.5"),
        (lambda: DIFF(fill=np.inf), "`fill` must be a finite number. Received: inf"),
        (lambda: DIFF(penalty_at="fake"), "`penalty_at` must be one of 'augmented', 'raw'"),
        (lambda: ADA("bgd"), "`transforms` must name some of 'bg', 'bgc', 'blit'.*'bgd'"),
        (lambda: ADA("blit,blit"), "each group at most once"),
        (lambda: ADA(target=1.0), r"`target` must be in \(-1, 1\).*Received: 1.0"),
        (lambda: ADA(p_max=1.1), r"`p_max` must be in \[0, 1\]. Received: 1.1"),
        (lambda: ADA(initial_p=0.9), r"`initial_p` must be in \[0, 0.8\]. Received: 0.9"),
        (lambda: ADA(color_multiplier=-1), "`color_multiplier` must be a finite number of at l"),
        (lambda: ADA(kimg=0), "`kimg` must be above 0"),
        (lambda: ADA(every=0), "`every` must be an integer of at least 1"),
        (lambda: ada("bgc")(tf.zeros([2, 8, 8, 2]), KEY), "images of 1, 3 or 4 channels.*'bg'"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()

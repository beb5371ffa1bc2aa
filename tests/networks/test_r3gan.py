"""R3GAN's networks: the published counts, initial weights, order of operations and resampling."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import penalties
from tfgans.networks import r3gan_discriminator, r3gan_generator, resampling
from tfgans.networks.r3gan import GroupedConv2D

SHAPE = (8, 12, 2)
SMALL = {"width": 8, "num_blocks": 1}
BUILDERS = [r3gan_generator, r3gan_discriminator]
by_builder = pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)


def _images(shape=SHAPE, num=3):
    return tf.random.stateless_uniform((num, *shape), [0, 1], -1.0, 1.0)


def _latents(num=3, dim=4):
    return tf.random.stateless_normal((num, dim), [0, 2])


def _trained(model):
    """The network with weights that are all different from zero."""
    rng = np.random.default_rng(0)
    model.set_weights([w + rng.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("preset", "side", "num_classes", "counts"),
    [
        ("cifar10", 32, None, (20_732_160, 20_683_776)),
        pytest.param("cifar10", 32, 10, (20_781_952, 21_280_512), marks=SLOW),
        pytest.param("ffhq64", 64, None, (22_429_824, 22_381_440), marks=SLOW),
        pytest.param("ffhq256", 256, None, (23_057_952, 23_009_568), marks=SLOW),
        pytest.param("imagenet32", 32, 1000, (82_914_304, 86_548_992), marks=SLOW),
        pytest.param("imagenet64", 64, 1000, (103_570_432, 107_205_120), marks=SLOW),
    ],
)
def test_parameters_of_the_published_networks(preset, side, num_classes, counts):
    for builder, count in zip(BUILDERS, counts, strict=True):
        model = builder((side, side, 3), preset=preset, num_classes=num_classes)
        assert model.count_params() == count
        if preset != "cifar10" or num_classes:
            continue
        # Initial weights have the spread of Fixup: 2 blocks in each of 4 stages.
        gain = math.sqrt(2 / 1.04) * 8**-0.25
        block = "stage_2_block_1_conv_"
        for name, fan_in in ((f"{block}1", 768), (f"{block}2", 9 * 16)):
            kernel = model.get_layer(name).kernel.numpy()
            assert kernel.std() * math.sqrt(fan_in) == pytest.approx(gain, rel=0.02)
            assert np.abs(kernel).max() > 4 * kernel.std()  # Not truncated.
        assert not model.get_layer(f"{block}3").kernel.numpy().any()


@pytest.mark.parametrize(
    ("shape", "options", "widths", "smallest"),
    [
        ((8, 8, 1), {}, [64, 64], (4, 4)),
        ((28, 28, 1), {"width": 16}, [16, 16, 16], (7, 7)),
        ((48, 32, 4), {"width": 16}, [16, 16, 16, 8], (6, 4)),
        ((128, 64, 3), {"width": 16}, [16, 16, 16, 8, 4], (8, 4)),
        ((28, 28, 1), {"width": (16, 8, 4)}, [16, 8, 4], (7, 7)),
        ((16, 16, 1), {"width": 6, "depth": 1, "group_width": 4}, [6, 6], (8, 8)),
        ((10, 250, 1), {"width": 8}, [2, 1], (5, 125)),
    ],
)
def test_stages(shape, options, widths, smallest):
    generator = r3gan_generator(shape, latent_dim=4, num_blocks=1, **options)
    discriminator = r3gan_discriminator(shape, num_blocks=1, **options)
    assert generator.get_layer("project_map").kernel.shape == (*smallest, widths[0])
    assert discriminator.get_layer("features_map").kernel.shape == (*smallest, widths[0], 1)
    for model in (generator, discriminator):
        stages = [model.get_layer(f"stage_{i}_block_1") for i in range(1, len(widths) + 1)]
        assert [stage.output.shape[-1] for stage in stages] == widths
        grouped = [model.get_layer(f"{stage.name}_conv_2") for stage in stages]
        size = options.get("group_width", 16)
        assert [layer.groups for layer in grouped] == [max(1, 2 * w // size) for w in widths]
    images = generator(_latents(2))
    assert images.shape == (2, *shape)
    assert discriminator(images).shape == (2, 1)


@by_builder
def test_is_linear_at_the_start(builder):
    model = builder(SHAPE, seed=0, **SMALL)
    a, b = (tf.random.stateless_normal((3, *model.input_shape[1:]), [0, i]) for i in (1, 2))
    zero, of_a, of_b, extrapolated = (
        model(x, training=True).numpy() for x in (0 * a, a, b, 2 * a - b)
    )
    assert not zero.any()
    np.testing.assert_allclose(extrapolated, 2 * of_a - of_b, atol=2e-5)
    block = keras.Model(model.input, model.get_layer("stage_1_block_1").output)
    before = keras.Model(model.input, model.get_layer("stage_1_block_1").input[0])
    np.testing.assert_array_equal(block(a), before(a))
    biases = [weight for weight in model.weights if weight.path.endswith("bias")]
    assert [tuple(bias.shape) for bias in biases] == [(16,)] * 4  # Two in each of two blocks.


def test_only_the_last_convolutions_move_in_the_first_step_of_a_penalized_game():
    """As the gradient of the logit is the same at all images, R1 has one value."""
    model = r3gan_discriminator(SHAPE, seed=0, **SMALL)

    @tf.function(autograph=False)
    def gradients():
        with tf.GradientTape() as tape:
            r1 = penalties.R1Penalty()(model, _images(), _images())
            loss = tf.reduce_sum(tf.sin(model(_images()))) + tf.reduce_sum(r1)
        return r1, tape.gradient(loss, model.trainable_variables)

    r1, values = gradients()
    np.testing.assert_allclose(r1, np.full(3, r1[0]), rtol=1e-5)
    for variable, gradient in zip(model.trainable_variables, values, strict=True):
        still = "_conv_1/" in variable.path or "_conv_2/" in variable.path
        assert gradient is None or bool(np.any(gradient)) != still, variable.path
        assert np.isfinite(0 if gradient is None else gradient).all()


@pytest.mark.parametrize(
    "jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["graph", "xla"]
)
def test_second_derivative_of_grouped_convolutions_and_resampling(jit_compile):
    """The gradient of R1 against differences of R1; the networks themselves have kinks."""
    model = keras.Sequential(
        [
            keras.Input((4, 6, 4)),
            resampling.SmoothUpsampling2D(),
            GroupedConv2D(8, 3, groups=4, activation="tanh"),
            resampling.SmoothDownsampling2D(),
            GroupedConv2D(4, 3, groups=2, activation="tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(1, use_bias=False),
        ]
    )
    model = _trained(model)
    images = _images((4, 6, 4))
    variables = model.trainable_variables
    rng = np.random.default_rng(1)
    direction = [rng.normal(size=v.shape).astype("float32") for v in variables]

    @tf.function(autograph=False, jit_compile=jit_compile)
    def value_and_gradients():
        with tf.GradientTape() as tape:
            r1 = tf.reduce_mean(penalties.R1Penalty()(model, images, images))
        return r1, tape.gradient(r1, variables)

    gradients = value_and_gradients()[1]
    slope = sum(np.sum(g * d) for g, d in zip(gradients, direction, strict=True))
    ends, step, start = [], 1e-2, model.get_weights()
    for sign in (1, -1):
        model.set_weights([v + sign * step * d for v, d in zip(start, direction, strict=True)])
        ends.append(float(value_and_gradients()[0]))
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.02)


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (8, 4), (32, 32)])
def test_grouped_convolution_is_that_of_keras(channels, groups):
    options = {"filters": 2 * groups, "kernel_size": 3, "groups": groups}
    layer, reference = (cls(**options) for cls in (GroupedConv2D, keras.layers.Conv2D))
    images = _images((5, 5, channels))
    expected = reference(images)
    layer.build(images.shape)
    layer.set_weights(reference.get_weights())
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)


def _down(x):
    """[1, 3, 3, 1] / 8 on each axis with zeros outside, each second value."""
    for axis in (1, 2):
        padded = np.pad(x, [(0, 0)] * axis + [(1, 2)] + [(0, 0)] * (3 - axis))
        taps = [np.moveaxis(padded, axis, 0)[i : i + x.shape[axis] : 2] for i in range(4)]
        x = np.moveaxis((taps[0] + 3 * taps[1] + 3 * taps[2] + taps[3]) / 8, 0, axis)
    return x


def test_resampling():
    up, down = resampling.SmoothUpsampling2D(), resampling.SmoothDownsampling2D()
    large = _images((8, 12, 3)).numpy()
    np.testing.assert_allclose(down(large), _down(large), atol=1e-6)
    # The adjoint: <up(x), y> = 4 <x, down(y)>.
    small = _images((4, 6, 3)).numpy()
    assert np.sum(up(small) * large) == pytest.approx(4 * np.sum(small * down(large)), rel=1e-4)
    ones = np.ones((1, 8, 8, 1), "float32")
    for layer, edge, corner in ((up, 0.75, 0.5625), (down, 0.875, 0.765625)):
        values = layer(ones)[0, ..., 0].numpy()
        np.testing.assert_allclose(values[1:-1, 1:-1], 1)
        np.testing.assert_allclose(values[0, 1:-1], edge)
        np.testing.assert_allclose(values[0, 0], corner)
        assert layer(keras.Input((8, 8, 1))).shape == (None, *values.shape, 1)
    bilinear = tf.image.resize(small, (8, 12))
    np.testing.assert_allclose(up(small)[:, 1:-1, 1:-1], bilinear[:, 1:-1, 1:-1], atol=1e-6)


def _weight(model, name):
    return model.get_layer(name).kernel.value


def _convolve(model, x, name):
    return tf.nn.conv2d(x, _weight(model, name), 1, "SAME")


def _run(model, x, stage):
    """A stage of one block, by hand."""
    names = [f"{stage}_block_1_conv_{index}" for index in (1, 2, 3)]
    first, second = (model.get_layer(name) for name in names[:2])
    y = tf.nn.leaky_relu(_convolve(model, x, names[0]) + first.bias.value, 0.2)
    parts = [tf.split(tensor, second.groups, -1) for tensor in (y, second.kernel.value)]
    y = tf.concat([tf.nn.conv2d(*part, 1, "SAME") for part in zip(*parts, strict=True)], -1)
    return x + _convolve(model, tf.nn.leaky_relu(y + second.bias.value, 0.2), names[2])


def test_the_published_order_of_operations():
    options = {"width": (8, 16), "num_blocks": 1, "num_classes": 3, "seed": 0}
    labels = tf.constant([2, 0, 1])
    generator = _trained(r3gan_generator(SHAPE, latent_dim=4, **options))
    rows = tf.gather(_weight(generator, "class_embedding"), labels)
    assert rows.shape == (3, 64)
    scales = tf.concat([_latents(), rows], 1) @ _weight(generator, "project")
    x = scales[:, None, None] * _weight(generator, "project_map")
    x = _convolve(generator, _run(generator, x, "stage_1"), "stage_2_width")
    x = _run(generator, resampling.SmoothUpsampling2D()(x), "stage_2")
    images = _convolve(generator, x, "output")
    inputs = [_latents(), labels]
    np.testing.assert_allclose(generator(inputs, training=True), images, atol=1e-5)
    np.testing.assert_allclose(generator(inputs), np.clip(images, -1, 1), atol=1e-5)

    discriminator = _trained(r3gan_discriminator(SHAPE, **options))
    x = _run(discriminator, _convolve(discriminator, _images(), "input"), "stage_2")
    x = _convolve(discriminator, _down(x.numpy()), "stage_2_width")
    x = _run(discriminator, x, "stage_1")
    h = tf.reduce_sum(x * _weight(discriminator, "features_map")[..., 0], (1, 2))
    h = h @ _weight(discriminator, "class_features")
    expected = tf.reduce_sum(h * tf.gather(_weight(discriminator, "class_embedding"), labels), 1)
    logits = discriminator([_images(), labels])
    np.testing.assert_allclose(logits[:, 0], expected, atol=1e-4)
    discriminator.get_layer("class_embedding").kernel.assign(np.zeros((3, 8)))
    assert not np.any(discriminator([_images(), labels]))


def test_initial_weights_outside_of_blocks():
    options = {"width": 256, "num_blocks": 1, "num_classes": 400, "seed": 0}
    generator = r3gan_generator((8, 8, 3), latent_dim=64, **options)
    discriminator = r3gan_discriminator((8, 8, 3), **options)
    for model, name, std in [
        (generator, "class_embedding", 1 / 20),
        (generator, "project", 1 / math.sqrt(128)),
        (generator, "project_map", 1),
        (generator, "output", 1 / 16),
        (discriminator, "input", 1 / math.sqrt(3)),
        (discriminator, "features_map", 1 / 4),
        (discriminator, "class_features", 1 / 16),
        (discriminator, "class_embedding", 1 / (20 * 16)),
    ]:
        # 768 draws at least: the standard error is 2.6 %.
        assert model.get_layer(name).kernel.numpy().std() == pytest.approx(std, rel=0.1), name


@by_builder
def test_weights_are_a_pure_function_of_the_seed(builder):
    models = [builder(SHAPE, num_classes=3, seed=seed, **SMALL) for seed in (3, 3, 4)]
    first, again, other = ([w for w in m.get_weights() if w.any()] for m in models)
    assert all(map(np.array_equal, first, again))
    assert not any(map(np.array_equal, first, other))

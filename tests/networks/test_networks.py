"""Contracts that every builder keeps: shapes, ranges, dtypes, seeds, saving, independence."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans.networks import (
    dcgan_discriminator,
    dcgan_generator,
    mlp_discriminator,
    mlp_generator,
    r3gan_discriminator,
    r3gan_generator,
    resnet_discriminator,
    resnet_generator,
)
from tfgans.networks.blocks import NORMALIZATIONS, leaky_relu
from tfgans.networks.resnet import relu_of_sum

IMAGE_SHAPES = [(8, 8, 1), (28, 28, 1), (33, 57, 2), (9, 128, 4)]
SMALL = {
    mlp_generator: {"latent_dim": 3, "width": 5, "depth": 2},
    mlp_discriminator: {"width": 5, "depth": 2},
    dcgan_generator: {"latent_dim": 3, "width": 2},
    dcgan_discriminator: {"width": 2},
    resnet_generator: {"latent_dim": 3, "width": 2},
    resnet_discriminator: {"width": 2},
}
SHAPE, EVEN_SHAPE = (9, 12, 2), (8, 12, 2)
GENERATORS = [mlp_generator, dcgan_generator, resnet_generator]

by_builder = pytest.mark.parametrize("builder", SMALL, ids=lambda builder: builder.__name__)


def _small(builder, image_shape=None, **arguments):
    even = builder in (resnet_generator, resnet_discriminator)
    shape = image_shape or (EVEN_SHAPE if even else SHAPE)
    return builder(shape, **SMALL[builder], **arguments)


def _inputs(model, batch=4, seed=0):
    return tf.random.stateless_uniform((batch, *model.input_shape[1:]), [seed, 1], -1.0, 1.0)


@pytest.mark.parametrize(
    ("image_shape", "normalization"), [*zip(IMAGE_SHAPES, NORMALIZATIONS, strict=True)]
)
def test_dcgan_fits_the_image_shape(image_shape, normalization):
    generator = _small(dcgan_generator, image_shape, normalization=normalization)
    discriminator = _small(dcgan_discriminator, image_shape, normalization=normalization)
    images = generator(_inputs(generator))
    logits = discriminator(images)
    assert images.shape == (4, *image_shape) == (4, *generator.output_shape[1:])
    assert logits.shape == (4, 1)
    assert images.dtype == logits.dtype == tf.float32
    assert float(tf.reduce_max(tf.abs(images))) <= 1
    assert np.all(np.isfinite(logits))


@pytest.mark.parametrize(
    ("data_shape", "output_activation", "bounded"),
    [
        ((2,), "auto", False),
        ((2, 3), "auto", False),
        ((8, 8, 1), "auto", True),
        ((2,), "tanh", True),
        ((8, 8, 1), "linear", False),
    ],
)
def test_mlp_fits_the_data_shape(data_shape, output_activation, bounded):
    generator = _small(mlp_generator, data_shape, output_activation=output_activation)
    examples = generator(_inputs(generator))
    logits = _small(mlp_discriminator, data_shape)(examples)
    assert (examples.shape, logits.shape) == ((4, *data_shape), (4, 1))
    assert examples.dtype == logits.dtype == tf.float32
    largest = float(tf.reduce_max(tf.abs(generator(100 * _inputs(generator)))))
    assert (largest <= 1) == bounded


@pytest.mark.parametrize(("side", "depth"), [(8, 2), (16, 2), (17, 3), (64, 4), (128, 5)])
def test_default_depth_and_widths(side, depth):
    generator = dcgan_generator((side, 2 * side if side < 65 else 128, 1), width=2)
    discriminator = dcgan_discriminator((side, side, 1), width=2)
    assert len([x for x in generator.layers if "Transpose" in type(x).__name__]) == depth
    widths = [x.filters for x in discriminator.layers if isinstance(x, keras.layers.Conv2D)]
    assert widths == [2 * 2**stage for stage in range(depth)]
    stages = [x.filters for x in generator.layers if "Transpose" in type(x).__name__]
    assert stages == [*reversed(widths[:-1]), 1]
    assert generator.get_layer("project_map").output.shape[-1] == widths[-1]


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        # Kernels and biases of the four layers of three hidden ones.
        (lambda: mlp_generator((2,)), 64 * 128 + 2 * 128**2 + 128 * 2 + 3 * 128 + 2),
        (lambda: mlp_discriminator((2,)), 2 * 128 + 2 * 128**2 + 128 + 3 * 128 + 1),
        # And a gain and an offset at each of three normalizations; batch statistics cancel biases.
        (lambda: mlp_generator((2,), width=8, normalization="layer"), 682 + 2 * 3 * 8),
        (lambda: mlp_generator((2,), width=8, normalization="batch"), 682 + 3 * 8),
        # 128 latents -> 2 x 2 x 128 -> 4 x 4 x 64 -> 8 x 8 x 1 by kernels of 4 x 4.
        (
            lambda: dcgan_generator((8, 8, 1)),
            128 * 2 * 2 * 128 + 2 * 128 + 4 * 4 * 128 * 64 + 2 * 64 + 4 * 4 * 64 + 1,
        ),
        # 8 x 8 x 1 -> 4 x 4 x 64 -> 2 x 2 x 128 -> 1 by kernels of 5 x 5.
        (
            lambda: dcgan_discriminator((8, 8, 1)),
            5 * 5 * 64 + 64 + 5 * 5 * 64 * 128 + 128 + 2 * 2 * 128 + 1,
        ),
        # The first convolution is not normalized.
        (
            lambda: dcgan_discriminator((8, 8, 1), width=2, normalization="batch"),
            5 * 5 * 2 + 2 + 5 * 5 * 2 * 4 + 2 * 4 + 2 * 2 * 4 + 1,
        ),
    ],
)
def test_parameters_counted_by_hand(model, parameters):
    assert sum(int(np.prod(weight.shape)) for weight in model().trainable_weights) == parameters


@pytest.mark.parametrize("builder", [mlp_generator, mlp_discriminator])
def test_activation_of_the_hidden_layers(builder):
    """Of a first layer at 1 and -1: with the default, relu or leaky relu."""
    names = {"relu": 0.0, "leaky_relu": -0.2, "tanh": np.tanh(-1)}
    default = "relu" if builder is mlp_generator else "leaky_relu"
    for options, name in ({}, default), *(({"activation": name}, name) for name in names):
        model = _small(builder, (1,), **options)
        hidden = keras.Model(model.inputs, model.get_layer("hidden_2").input)
        *kernels, bias = hidden.layers[-2].get_weights()
        hidden.layers[-2].set_weights([*[0 * kernel for kernel in kernels], 0 * bias - 1])
        np.testing.assert_allclose(hidden(_inputs(hidden)), names[name], rtol=1e-6)


def test_explicit_depth():
    shallow = dcgan_generator((8, 8, 1), width=2, depth=1)
    deep = dcgan_generator((8, 8, 1), width=2, depth=3)
    assert shallow.get_layer("project_map").output.shape == (None, 4, 4, 2)
    assert deep.get_layer("project_map").output.shape == (None, 1, 1, 8)
    assert dcgan_discriminator((8, 8, 1), width=2, depth=3).output_shape == (None, 1)


# All that draws: kernels and the gains of batch normalization, and the singular vectors.
@pytest.mark.parametrize(
    ("builder", "normalization"),
    [*((builder, "batch") for builder in SMALL), (mlp_discriminator, "spectral")],
)
def test_weights_are_a_pure_function_of_the_seed(builder, normalization):
    first = _small(builder, normalization=normalization, seed=3).get_weights()
    keras.utils.set_random_seed(99)
    again = _small(builder, normalization=normalization, seed=3).get_weights()
    other = _small(builder, normalization=normalization, seed=4).get_weights()
    for weight, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(weight, same)
    kernels = [(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1]
    assert all(np.all(a != b) for a, b in kernels)


def test_layers_and_builders_of_one_seed_differ():
    # Equal shapes throughout, so that equal seeds would give equal kernels.
    generator = mlp_generator((4,), latent_dim=4, width=4, depth=3, seed=0)
    discriminator = mlp_discriminator((4,), width=4, depth=3, seed=0)
    kernels = [weight for weight in generator.get_weights() if weight.ndim > 1]
    kernels += [weight for weight in discriminator.get_weights() if weight.ndim > 1][:3]
    for index, kernel in enumerate(kernels):
        assert all(np.all(kernel != other) for other in kernels[:index])


@by_builder
def test_no_seed_means_the_global_seed(builder):
    keras.utils.set_random_seed(5)
    first, second = _small(builder).get_weights(), _small(builder).get_weights()
    keras.utils.set_random_seed(5)
    again = _small(builder).get_weights()
    np.testing.assert_array_equal(first[0], again[0])
    assert np.any(first[0] != second[0])


def test_initial_weights_have_the_papers_spread():
    generator = dcgan_generator((32, 32, 3), seed=0)
    kernel = generator.get_layer("upsample_1").kernel.numpy()
    # 524288 draws: the standard error of the deviation is 2e-5.
    assert kernel.std() == pytest.approx(0.02, abs=1e-4)
    gain = generator.get_layer("project_norm").gamma.numpy()
    assert gain.mean() == pytest.approx(1.0, abs=0.01)
    assert gain.std() == pytest.approx(0.02, abs=0.005)
    hidden = mlp_generator((2,), width=256, seed=0).get_layer("hidden_2").kernel.numpy()
    assert hidden.std() == pytest.approx(np.sqrt(2 / 256), rel=0.02)


@pytest.mark.parametrize(
    ("builder", "normalization"),
    [(builder, "layer" if builder in GENERATORS else "spectral") for builder in SMALL],
)
def test_examples_do_not_see_each_other(builder, normalization):
    model = _small(builder, normalization=normalization, seed=0)
    weights, inputs = model.get_weights(), _inputs(model)
    together = model(inputs, training=True)
    for index in (0, 3):
        # Power iteration moves in training: each example starts where the batch did.
        model.set_weights(weights)
        alone = model(inputs[index : index + 1], training=True)
        # Processors differ in the rounding of a single row; batches that mix differ by far more.
        np.testing.assert_allclose(alone[0], together[index], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(leaky_relu, keras.layers.LeakyReLU(0.2)), (relu_of_sum, tf.nn.relu)],
)
def test_an_activation_is_that_of_the_library_and_its_gradient_too(ours, theirs):
    features = tf.constant([-3.0, -1e-9, 0.0, 1e-9, 2.0])
    outputs = []
    for function in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(features)
            values = function(features)
        outputs.append((values.numpy(), tape.gradient(values, features).numpy()))
    np.testing.assert_array_equal(outputs[0], outputs[1])


# -- Refusals ----------------------------------------------------------------------------------

ALL, IMAGES, MLPS = [*SMALL], [*SMALL][2:], [mlp_generator, mlp_discriminator]
RESNETS, R3GANS = [resnet_generator, resnet_discriminator], [r3gan_generator, r3gan_discriminator]
SQUARE = (8, 8, 1)


@pytest.mark.parametrize(
    ("builders", "shape", "options", "message"),
    [
        (ALL, SQUARE, {"depth": 0}, "`depth` must be an integer of at least 1"),
        (ALL, SQUARE, {"width": 0}, "`width` must be an integer of at least 1. Received: 0"),
        (ALL, SQUARE, {"normalization": "Batch"}, "one of 'none', 'batch', 'layer'.*'Batch'"),
        (ALL, SQUARE, {"seed": -1}, "`seed` must be an integer of at least 0"),
        (ALL, SQUARE, {"num_classes": 1}, "`num_classes` must be an integer of at least 2"),
        (
            IMAGES,
            (7, 8, 1),
            {},
            r"8 to 128 pixels.*\(7, 8, 1\).*in another size",
        ),
        (IMAGES, (8, 129, 1), {}, "8 to 128 pixels a side"),
        (IMAGES, (8, 8, 5), {}, "1 to 4 channels"),
        (IMAGES, (8, 8), {}, "`image_shape` must be a tuple of 3 positive integers"),
        (IMAGES, 8, {}, "`image_shape` must be a tuple of 3 positive integers"),
        (IMAGES, SQUARE, {"depth": 4}, "at most 3 for a smaller side of 8 pixels.*Received: 4"),
        (MLPS, (2, 0), {}, "`data_shape` must be a tuple of positive integers"),
        (MLPS, (2,), {"activation": "swish"}, "must be one of 'relu', 'leaky_relu', 'tanh'"),
        (RESNETS, (33, 32, 1), {}, r"= 2: each of the 1 .*Received: \(33, 32, 1\)"),
        (RESNETS, (32, 36, 3), {"depth": 3}, r"= 8: .* of the 3 .*depth=3\. .*\(32, 32\), or"),
        (RESNETS, (100, 128, 1), {"depth": 4}, r"= 16: .*\(96, 128\), or take a smaller depth"),
        (RESNETS, (28, 28, 1), {"depth": 4}, r"say to \(32, 32\)"),
        (GENERATORS, SQUARE, {"latent_dim": 0}, "`latent_dim` must be an integer of at least 1"),
        ([mlp_generator], (2,), {"output_activation": "sigmoid"}, "one of 'auto', 'linear'"),
        (R3GANS, (6, 8, 1), {}, "8 to 256 pixels"),
        (R3GANS, (8, 258, 1), {}, "8 to 256 pixels"),
        (R3GANS, (33, 32, 1), {}, r"multiples of 2\*\*depth = 2"),
        (R3GANS, (28, 28, 3), {"preset": "cifar10"}, "32x32 pixels.*pass `width` instead"),
        (R3GANS, (32, 32, 3), {"preset": "cifar"}, "must be one of 'cifar10', 'ffhq64'"),
        (R3GANS, SQUARE, {"width": 0}, "`width` must be an integer of at least 1"),
        (R3GANS, SQUARE, {"width": (8, 8, 8)}, "or 2 integers, one for each stage"),
        (R3GANS, SQUARE, {"group_width": 12}, "divide .* 128 .* of width 64. Received: 12. Take 4"),
        (R3GANS, SQUARE, {"num_blocks": 0}, "`num_blocks` must be an integer of at least 1"),
    ],
)
def test_refuses(builders, shape, options, message):
    for builder in builders:
        with pytest.raises(ValueError, match=message):
            builder(shape, **options)


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"channels last\. Received: .*'channels_first'"):
            tfgans.networks.dcgan_discriminator((32, 32, 3), width=4)
        with pytest.raises(ValueError, match="channels last"):
            tfgans.layers.SelfAttention().build((None, 8, 8, 16))
    finally:
        keras.config.set_image_data_format("channels_last")

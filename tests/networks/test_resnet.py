"""The residual pair: the papers' tables, parameters counted by hand, a second forward pass."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.networks import dcgan_discriminator, resnet_discriminator, resnet_generator
from tfgans.networks.head import GlobalSumPooling2D

# Sides of the maps and channels in units of the width, from the latent's map or the image on.
TABLES = {
    (8, 8, 1): ([(4, 1), (8, 1)], [(4, 1)] * 3),
    (48, 48, 3): (
        [(6, 8), (12, 4), (24, 2), (48, 1)],
        [(24, 1), (12, 2), (6, 4), (3, 8), (3, 16)],
    ),
    (128, 128, 3): (
        [(4, 16), (8, 16), (16, 8), (32, 4), (64, 2), (128, 1)],
        [(64, 1), (32, 2), (16, 4), (8, 8), (4, 16), (4, 16)],
    ),
}


def _maps(model):
    """(side, channels) of the projected latent and of every block's output."""
    blocks = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)]
    if "project_map" in [layer.name for layer in model.layers]:
        blocks.insert(0, model.get_layer("project_map"))
    return [layer.output.shape[2:] for layer in blocks]


def _latents(size):
    return tf.random.stateless_normal((2, size), [0, 1])


@pytest.mark.parametrize("image_shape", TABLES)
def test_maps_are_those_of_the_papers(image_shape):
    generator = resnet_generator(image_shape, latent_dim=3, width=2)
    discriminator = resnet_discriminator(image_shape, width=2)
    for model, table in zip((generator, discriminator), TABLES[image_shape], strict=True):
        assert _maps(model) == [(side, 2 * channels) for side, channels in table]
    assert generator.output_shape == (None, *image_shape)
    if image_shape[0] < 64:
        images = generator(_latents(3))
        logits = discriminator(images)
        assert logits.shape == (2, 1)
        assert images.dtype == logits.dtype == tf.float32
        assert float(tf.reduce_max(tf.abs(images))) <= 1
        assert np.all(np.isfinite(logits))


@pytest.mark.parametrize(
    ("image_shape", "depths"),
    [
        ((16, 16, 1), (2, 1)),
        ((10, 14, 1), (1, 1)),
        ((24, 32, 1), (2, 2)),
        ((96, 96, 1), (4, 5)),
        ((34, 128, 1), (1, 1)),
    ],
)
def test_default_depth(image_shape, depths):
    generator = resnet_generator(image_shape, latent_dim=2, width=1)
    discriminator = resnet_discriminator(image_shape, width=1)
    pools = [layer for layer in discriminator.layers if layer.name.endswith("shortcut_pool")]
    assert (len(_maps(generator)) - 1, len(pools)) == depths
    assert generator.output_shape == (None, *image_shape)


def test_explicit_depth():
    generator = resnet_generator((8, 16, 1), width=2, depth=3)
    assert generator.get_layer("project_map").output.shape == (None, 1, 2, 2)
    discriminator = resnet_discriminator((32, 32, 1), width=2, depth=3)
    assert _maps(discriminator) == [(16, 2), (8, 2), (4, 2), (4, 2), (4, 2)]
    # A side that the default depth would halve once.
    assert _maps(resnet_generator((34, 34, 1), latent_dim=1, depth=1, width=3)) == [
        (17, 6),
        (34, 3),
    ]


def _weights(inner, outer, size=3):
    """Of a convolution with a bias."""
    return size * size * inner * outer + outer


def test_parameters_of_the_cifar_generator():
    # Those of Gulrajani et al. for CIFAR-10, without the biases that batch normalization cancels,
    # a bias in each of the three blocks.
    width, parameters = 128, 1204483 - 3 * 128
    block = 2 * _weights(width, width) + _weights(width, width, 1) + 4 * width
    by_hand = 129 * 16 * width + 3 * block + 2 * width + _weights(width, 3) - 3 * width
    assert by_hand == parameters
    generator = resnet_generator((32, 32, 3), width=width)
    assert sum(int(np.prod(x.shape)) for x in generator.trainable_weights) == parameters
    default = resnet_generator((32, 32, 3), normalization="layer")
    assert default.count_params() == parameters + 3 * width


def test_default_width_of_larger_images():
    assert _maps(resnet_generator((34, 34, 1), latent_dim=1)) == [(17, 128), (34, 64)]
    assert _maps(resnet_discriminator((34, 34, 1))) == [(17, 64), (17, 128)]


def _convolution(model, name):
    layer = model.get_layer(name)
    return lambda x: tf.nn.conv2d(x, layer.kernel.value, 1, "SAME") + layer.bias.value


def _double(x):
    return tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)


def _halve(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def _with_biases(model):
    model.set_weights(
        [w + np.random.default_rng(0).normal(size=w.shape) / 10 for w in model.get_weights()]
    )
    return model


def test_generator_is_the_published_order_of_operations():
    model = _with_biases(
        resnet_generator((16, 16, 3), latent_dim=3, width=4, normalization="none", seed=0)
    )
    latents = _latents(3)
    x = tf.reshape(model.get_layer("project")(latents), (2, 4, 4, 4))
    for block in ("block_1", "block_2"):
        y = _convolution(model, f"{block}_conv_1")(_double(tf.nn.relu(x)))
        y = _convolution(model, f"{block}_conv_2")(tf.nn.relu(y))
        x = y + _convolution(model, f"{block}_shortcut")(_double(x))
    images = tf.tanh(_convolution(model, "output")(tf.nn.relu(x)))
    np.testing.assert_allclose(model(latents), images, atol=1e-5)


@pytest.mark.parametrize(("side", "last"), [(32, ("block_3", "block_4")), (34, ("block_2",))])
def test_discriminator_is_the_published_order_of_operations(side, last):
    model = _with_biases(resnet_discriminator((side, side, 3), width=4, seed=0))
    images = tf.random.stateless_uniform((2, side, side, 3), [0, 1], -1.0, 1.0)
    y = _convolution(model, "block_1_conv_2")(
        tf.nn.relu(_convolution(model, "block_1_conv_1")(images))
    )
    x = _halve(y) + _convolution(model, "block_1_shortcut")(_halve(images))
    for block in ("block_2", *last) if side == 32 else last:
        y = _convolution(model, f"{block}_conv_1")(tf.nn.relu(x))
        y = _convolution(model, f"{block}_conv_2")(tf.nn.relu(y))
        if block not in last:
            x = _halve(y) + _halve(_convolution(model, f"{block}_shortcut")(x))
        else:  # Channels double in the larger network.
            x = y + (x if side == 32 else _convolution(model, f"{block}_shortcut")(x))
    logit = model.get_layer("logits")
    expected = tf.reduce_sum(tf.nn.relu(x), (1, 2)) @ logit.kernel.value + logit.bias.value
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-4)


def test_initial_weights_have_the_papers_spread():
    generator = resnet_generator((8, 8, 3), seed=0)
    variances = {
        "block_1_conv_1": 4 / (9 * 256),
        "block_1_shortcut": 2 / 256,
        "project": 2 / (128 + 2048),
        "output": 2 / (9 * 131),
    }
    for name, variance in variances.items():
        kernel = generator.get_layer(name).kernel.numpy()
        # 3456 draws at least, and a uniform draw's variance has 0.9 / sqrt(n) of relative error.
        assert kernel.var() == pytest.approx(variance, rel=0.05)
        assert np.abs(kernel).max() <= np.sqrt(3 * variance)
    assert generator.get_layer("block_1_input_norm").gamma.numpy().std() < 0.03


@pytest.mark.parametrize("build_critic", [resnet_discriminator, dcgan_discriminator])
def test_training_graph_gives_tensorflow_nothing_to_complain_of(build_critic, capfd):
    # Without `relu_of_sum` and `leaky_relu` "remapper failed" is on stderr here, see there.
    generator = resnet_generator((16, 16, 1), latent_dim=3, width=2, normalization="none")
    critic = build_critic((16, 16, 1), width=2)

    @tf.function(autograph=False)
    def step(latents):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(critic(generator(latents, training=True), training=True))
        return tape.gradient(loss, generator.trainable_weights + critic.trainable_weights)

    for gradient in step(_latents(3)):
        assert np.all(np.isfinite(gradient))
    assert "failed" not in capfd.readouterr().err


def test_sum_over_a_map_holds_what_float16_does_not():
    keras.config.set_dtype_policy("mixed_float16")
    features = resnet_discriminator((32, 32, 1), width=2).get_layer("features")
    assert isinstance(features, GlobalSumPooling2D)
    sums = features(tf.fill((1, 8, 8, 2), tf.constant(2000, tf.float16)))
    np.testing.assert_array_equal(sums, [[128000.0, 128000.0]])

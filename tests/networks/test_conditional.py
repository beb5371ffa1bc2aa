"""Networks that are told labels: what the label does, by hand, and that such models go anywhere."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import networks
from tfgans.layers import ConditionalAffine, SpectralNormalization
from tfgans.networks.blocks import NORMALIZATIONS

SHAPE = (8, 8, 2)
SMALL = {
    "mlp_generator": {"latent_dim": 3, "width": 5, "depth": 2},
    "mlp_discriminator": {"width": 5, "depth": 2},
    "dcgan_generator": {"latent_dim": 3, "width": 2},
    "dcgan_discriminator": {"width": 2},
    "resnet_generator": {"latent_dim": 3, "width": 2},
    "resnet_discriminator": {"width": 2},
}
GENERATORS = [name for name in SMALL if name.endswith("generator")]
DISCRIMINATORS = [name for name in SMALL if name.endswith("discriminator")]
LABELS = np.array([2, 0, 1, 2], "int32")

by_name = pytest.mark.parametrize("name", SMALL)
by_generator = pytest.mark.parametrize("name", GENERATORS)
by_discriminator = pytest.mark.parametrize("name", DISCRIMINATORS)
# Each network with a normalization, and each normalization with a network.
PAIRS = [*zip(SMALL, [*NORMALIZATIONS, *NORMALIZATIONS], strict=False)]
PAIRS += [("resnet_discriminator", "spectral"), ("resnet_generator", "layer")]
by_pair = pytest.mark.parametrize(("name", "normalization"), PAIRS)


def _make(name, *, shape=SHAPE, num_classes=3, **options):
    return getattr(networks, name)(shape, num_classes=num_classes, **SMALL[name], **options)


@functools.cache
def _trained(name, normalization):
    """A network whose weights are larger and whose classes differ; do not change it."""
    model, rng = _make(name, normalization=normalization, seed=0), np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return model


@pytest.fixture(scope="module", autouse=True)
def _let_go():
    """What is kept makes the garbage collection before each later test slower."""
    yield
    _trained.cache_clear()


def _inputs(model):
    shape = (len(LABELS), *model.inputs[0].shape[1:])
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def _affines(model):
    return [layer for layer in model.layers if isinstance(layer, ConditionalAffine)]


@by_pair
def test_label_changes_the_output_and_of_its_own_example_alone(name, normalization):
    model = _trained(name, normalization)
    inputs = _inputs(model)
    alone = [model([inputs, np.full(len(LABELS), label)]).numpy() for label in range(3)]
    for label in range(3):
        difference = np.abs(alone[label] - alone[label - 1]).reshape(len(LABELS), -1)
        assert np.all(difference.max(axis=1) > 1e-3)
    mixed = model([inputs, LABELS])
    expected = [alone[label][row] for row, label in enumerate(LABELS)]
    np.testing.assert_allclose(mixed, expected, rtol=1e-4, atol=1e-5)


@by_generator
@pytest.mark.parametrize("normalization", ["batch", "spectral"])
def test_labels_reach_every_hidden_layer_of_a_generator(name, normalization):
    model = _trained(name, normalization)
    hidden = [layer.name for layer in model.layers if layer.name.endswith("_relu")]
    assert len(hidden) > 1
    assert [layer.name.replace("_norm_affine", "_relu") for layer in _affines(model)] == hidden
    # The shared gain and offset are gone.
    kinds = (keras.layers.BatchNormalization, keras.layers.GroupNormalization)
    for layer in model.layers:
        assert not isinstance(layer, kinds) or not layer.trainable_weights


@by_discriminator
@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_discriminator_normalizes_as_without_labels(name, normalization):
    conditional = _trained(name, normalization)
    plain = _make(name, num_classes=None, normalization=normalization, seed=0)
    extra = {"labels", "one_hot", "class_embedding", "projection", "conditional_logits"}
    names = [layer.name for layer in conditional.layers if layer.name not in extra]
    assert names == [layer.name for layer in plain.layers]


@by_name
def test_kernels_of_a_seed_are_those_without_labels(name):
    conditional, plain = (_make(name, num_classes=n, seed=3) for n in (3, None))
    weights = {weight.path: weight.numpy() for weight in conditional.weights}
    kernels = [weight for weight in plain.weights if weight.path.endswith("kernel")]
    assert kernels
    for kernel in kernels:
        np.testing.assert_array_equal(weights[kernel.path], kernel)


@by_discriminator
@pytest.mark.parametrize("normalization", ["none", "spectral"])
def test_logit_is_a_projection(name, normalization):
    model = _trained(name, normalization)
    inputs = _inputs(model)
    features = keras.Model(model.inputs, model.get_layer("logits").input)([inputs, LABELS]).numpy()
    logit, embedding = model.get_layer("logits"), model.get_layer("class_embedding")
    scales = [1.0, 1.0]
    if normalization == "spectral":
        scales = [np.linalg.norm(x.layer.kernel @ x.vector_u[:, None]) for x in (logit, embedding)]
        logit, embedding = logit.layer, embedding.layer
    vectors = embedding.kernel.numpy()[LABELS] / scales[1]
    expected = features @ logit.kernel.numpy() / scales[0] + logit.bias.numpy()
    expected = expected + (vectors * features).sum(axis=1, keepdims=True)
    assert vectors.shape == features.shape
    outputs = model([inputs, LABELS])
    assert outputs.dtype == tf.float32
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)


@by_name
def test_spectral_normalization_covers_every_kernel(name):
    model = _trained(name, "spectral")
    bare = [layer.name for layer in model.layers if hasattr(layer, "kernel")]
    assert bare == (["output"] if name in GENERATORS else [])
    wrapped = [x.name for x in model.layers if isinstance(x, SpectralNormalization)]
    matrices = [w.path for w in model.trainable_weights if "kernel" in w.path.split("/")[-1]]
    assert len(wrapped) == len(matrices) - len(bare)
    assert ("class_embedding" in wrapped) == (name in DISCRIMINATORS)


@by_name
def test_gradients_are_dense_finite_and_of_the_classes_in_the_batch(name):
    model = _make(name)
    inputs, labels = _inputs(model), np.array([0, 1, 1, 0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(model([inputs, labels], training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    tables = 0
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert isinstance(gradient, tf.Tensor)
        assert np.all(np.isfinite(gradient))
        if variable.path.split("/")[0].endswith(("_affine", "class_embedding")):
            tables += 1
            assert np.any(gradient[:2] != 0)
            assert not np.any(gradient[2])
    assert tables == (2 * len(_affines(model)) or 1)

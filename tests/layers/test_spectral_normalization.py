"""SpectralNormalization: what it divides by, what it leaves alone, and where it works."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tfgans.layers import SpectralNormalization


@keras.saving.register_keras_serializable(package="tfgans_tests")
class Quadratic(keras.layers.Layer):
    """A layer with a kernel of which it is not linear, a loss and a state."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.units))
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        self.calls = self.add_weight(
            name="calls", shape=(), initializer="zeros", trainable=False, autocast=False
        )

    def call(self, inputs):
        self.calls.assign_add(1.0)
        outputs = keras.ops.matmul(inputs, self.kernel + keras.ops.square(self.kernel))
        outputs = keras.ops.tanh(outputs + self.bias)
        self.add_loss(keras.ops.sum(outputs))
        return outputs

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


L = keras.layers
# By kind: a layer, made in float64, and the shape of its inputs.
LAYERS = {
    "dense": (lambda: L.Dense(6), (3, 5)),
    "dense_of_rank_3": (lambda: L.Dense(6), (3, 2, 5)),
    "einsum_dense": (
        lambda: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="e", activation="tanh"),
        (3, 4, 5),
    ),
    "einsum_dense_with_ellipsis": (
        lambda: L.EinsumDense("...x,xy->...y", 6, bias_axes="y"),
        (3, 4, 5),
    ),
    "conv": (lambda: L.Conv2D(6, 3, strides=2), (3, 7, 8, 4)),
    "conv_transpose": (lambda: L.Conv2DTranspose(4, 3, strides=2), (3, 4, 5, 6)),
    "conv_1d_causal": (lambda: L.Conv1D(6, 3, padding="causal"), (3, 7, 4)),
    "conv_1d_transpose": (lambda: L.Conv1DTranspose(4, 3, strides=2), (3, 4, 6)),
    "conv_3d": (lambda: L.Conv3D(6, 2), (2, 3, 3, 3, 4)),
    "conv_3d_transpose": (lambda: L.Conv3DTranspose(4, 2), (2, 2, 2, 2, 6)),
    "depthwise_conv": (lambda: L.DepthwiseConv2D(3, depth_multiplier=2), (3, 7, 8, 4)),
    "depthwise_conv_1d": (lambda: L.DepthwiseConv1D(3), (3, 7, 4)),
    "quadratic": (lambda: Quadratic(6), (3, 5)),
}


def _built(kind, **options):
    make, shape = LAYERS[kind]
    keras.config.set_dtype_policy("float64")
    inputs = tf.constant(np.random.default_rng(0).normal(size=shape))
    layer = SpectralNormalization(make(), **options)
    layer.build(shape)
    layer.layer.bias.assign(np.linspace(-1.0, 1.0, layer.layer.bias.shape[0]))
    return layer, inputs


def _numpy_norm(layer):
    """The largest singular value of the kernel as [-1, output_channels], by numpy alone."""
    kernel = layer.layer.kernel.numpy()
    name = type(layer.layer).__name__
    if name.endswith("Transpose"):
        kernel = np.swapaxes(kernel, -2, -1)
    if name.startswith("Depthwise") or (name == "EinsumDense" and kernel.ndim == 3):
        kernel = kernel.reshape(*kernel.shape[:-2], -1)
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


@pytest.mark.parametrize("kind", LAYERS)
def test_divides_by_the_largest_singular_value_and_leaves_the_weights(kind):
    layer, inputs = _built(kind, power_iterations=60)
    before = [weight.numpy() for weight in layer.trainable_weights]
    vector_u = layer.vector_u.numpy()
    layer(inputs, training=True)
    for weight, value in zip(layer.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    assert np.any(layer.vector_u.numpy() != vector_u)
    outputs = layer(inputs)
    # The bias is not scaled, and the activation comes last.
    layer.layer.kernel.assign(layer.layer.kernel / _numpy_norm(layer))
    np.testing.assert_allclose(outputs, layer.layer(inputs), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["dense", "einsum_dense", "conv_transpose", "quadratic"])
def test_gradient_equals_finite_differences_at_fixed_singular_vector(kind):
    layer, inputs = _built(kind)
    kernel = layer.layer.kernel
    # Of any length: the kernel's scale must not follow it.
    layer.vector_u.assign(np.random.default_rng(2).normal(size=layer.vector_u.shape))
    weights = tf.constant(np.random.default_rng(3).normal(size=layer(inputs).shape))

    def value():
        return tf.reduce_sum(layer(inputs) * weights)

    with tf.GradientTape() as tape:
        total = value()
    gradient = tape.gradient(total, kernel.value).numpy().ravel()
    start, step = kernel.numpy(), 1e-6
    for index in np.random.default_rng(4).choice(start.size, 8, replace=False):
        change = np.zeros(start.size)
        change[index] = step
        change = change.reshape(start.shape)
        kernel.assign(start + change)
        above = value()
        kernel.assign(start - change)
        below = value()
        assert float(above - below) / (2 * step) == pytest.approx(
            gradient[index], rel=1e-5, abs=1e-7
        )


def test_estimate_is_usable_before_the_first_training_call():
    layer = SpectralNormalization(L.Dense(300))
    effective = layer(np.eye(300, dtype="float32")).numpy()
    norm = np.linalg.svd(effective, compute_uv=False)[0]
    # The estimate ||W u||, |u| = 1, is at most the norm; 30 iterations leave it a little low.
    assert 1 - 1e-5 <= norm < 1.03


def test_only_training_calls_of_a_trainable_layer_move_the_singular_vector():
    layer, inputs = _built("conv")
    np.testing.assert_array_equal(layer(inputs, training=True), layer(inputs))
    before = layer.vector_u.numpy()
    layer(inputs)
    layer.trainable = False
    layer(inputs, training=True)
    np.testing.assert_array_equal(layer.vector_u.numpy(), before)


def test_zero_kernel_is_the_zero_map_and_recovers():
    layer = SpectralNormalization(L.Dense(4, kernel_initializer="zeros"))
    inputs = tf.ones((2, 3))
    np.testing.assert_array_equal(layer(inputs, training=True), np.zeros((2, 4)))
    layer.layer.kernel.assign(np.random.default_rng(0).normal(size=(3, 4)))
    for _ in range(20):
        layer(inputs, training=True)
    expected = inputs.numpy() @ layer.layer.kernel.numpy() / _numpy_norm(layer)
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-5, atol=1e-6)


def _penalized(model, inputs):
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            logits = model(inputs, training=True)
        norms = tf.sqrt(1e-12 + tf.reduce_sum(inner.gradient(logits, inputs) ** 2, [1, 2, 3]))
        loss = tf.reduce_mean((norms - 1) ** 2) + tf.reduce_mean(logits)
    return loss, outer.gradient(loss, model.trainable_variables)


def _small_model():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            SpectralNormalization(L.Conv2D(3, 3, activation="tanh")),
            L.Flatten(),
            SpectralNormalization(L.Dense(1)),
        ]
    )


@pytest.mark.slow
def test_gradient_penalty_is_the_same_eagerly_and_compiled():
    model, inputs = _small_model(), tf.random.stateless_normal((4, 6, 6, 2), [0, 0])
    start = model.get_weights()
    loss, gradients = _penalized(model, inputs)
    moved = model.get_weights()
    assert any(np.any(weight != old) for weight, old in zip(moved, start, strict=True))
    model.set_weights(start)
    other_loss, other_gradients = tf.function(_penalized, autograph=False, jit_compile=True)(
        model, inputs
    )
    np.testing.assert_allclose(other_loss, loss, rtol=1e-4)
    for gradient, other in zip(gradients, other_gradients, strict=True):
        np.testing.assert_allclose(other, gradient, atol=1e-5)
    for weight, other in zip(moved, model.get_weights(), strict=True):
        np.testing.assert_allclose(other, weight, atol=1e-5)


def test_replicas_of_a_mirrored_strategy_agree():
    strategy = tiny.replicas(2)
    with strategy.scope():
        layer = SpectralNormalization(L.Dense(4))
        layer.build((None, 3))
        layer.vector_u.assign([0.5, 0.5, 0.5, 0.5])

    @tf.function(autograph=False)
    def step():
        strategy.run(lambda: layer(tf.ones((2, 3)), training=True))

    step()
    first, second = strategy.experimental_local_results(layer.vector_u.value)
    np.testing.assert_array_equal(first.numpy(), second.numpy())
    assert np.any(first.numpy() != 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SpectralNormalization(L.ReLU()), "must have one kernel.*Received: <Re"),
        (lambda: SpectralNormalization("dense"), "must have one kernel.*Received: 'dense'"),
        (
            lambda: SpectralNormalization(L.SeparableConv2D(2, 3)).build((1, 6, 6, 2)),
            "must have one kernel.*Received: <SeparableConv2D",
        ),
        (
            lambda: SpectralNormalization(L.Dense(1), power_iterations=0),
            "`power_iterations` must be an integer of at least 1",
        ),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_refuses_a_kernel_that_is_no_weight():
    wrapped = L.Dense(4)
    layer = SpectralNormalization(wrapped)
    layer.build((None, 4))
    wrapped.enable_lora(2)
    with pytest.raises(ValueError, match=r"must be a weight.*LoRA"):
        layer(tf.ones((2, 4)))


# -- Other layers, dtypes and masks ------------------------------------------------------------


@pytest.mark.parametrize("mask_zero", [False, True])
def test_embeddings_are_divided_by_their_largest_singular_value(mask_zero):
    wrapped = L.Embedding(7, 4, mask_zero=mask_zero, dtype="float64")
    layer = SpectralNormalization(wrapped, power_iterations=60)
    inputs = tf.constant([[1, 2, 0], [6, 0, 0]])
    layer.build(inputs.shape)
    before = wrapped.embeddings.numpy()
    layer(inputs, training=True)
    np.testing.assert_array_equal(wrapped.embeddings, before)
    expected = before / np.linalg.svd(before, compute_uv=False)[0]
    np.testing.assert_allclose(layer(inputs), expected[inputs], rtol=1e-6)
    received = layer.compute_mask(inputs, None)
    if mask_zero:
        np.testing.assert_array_equal(received, inputs != 0)
    else:
        assert received is None


def test_losses_state_and_outer_values_of_any_wrapped_layer_are_kept():
    layer = SpectralNormalization(Quadratic(2, activity_regularizer=keras.regularizers.L2(0.5)))
    outputs = layer(tf.ones((1, 3)))
    assert float(layer.layer.calls) == 1
    expected = [float(tf.reduce_sum(outputs)), 0.5 * float(tf.reduce_sum(outputs**2))]
    np.testing.assert_allclose(layer.losses, expected, rtol=1e-6)
    trainable = [np.ones((3, 2)), np.array([5.0, 6.0])]
    others = [variable.value for variable in layer.non_trainable_variables]
    outputs, _ = layer.stateless_call(trainable, others, tf.zeros((1, 3)))
    np.testing.assert_allclose(outputs, np.tanh([[5.0, 6.0]]), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "dtype", "compute", "estimate"),
    [
        (L.Dense, None, "float16", "float32"),
        (L.Dense, "float64", "float64", "float64"),
        (L.Dense, "mixed_bfloat16", "bfloat16", "float32"),
        (Quadratic, keras.DTypePolicy("mixed_float16"), "float16", "float32"),
    ],
)
def test_dtype_is_that_of_the_output_and_the_estimate_is_never_of_half_precision(
    kind, dtype, compute, estimate
):
    layer = SpectralNormalization(kind(4, dtype="mixed_float16"), power_iterations=50, dtype=dtype)
    symbolic, outputs = layer(keras.Input((300,))), layer(tf.ones((2, 300)), training=True)
    assert symbolic.dtype == outputs.dtype == layer.compute_dtype == compute
    assert layer.vector_u.dtype == layer.estimate_dtype == estimate
    assert layer.layer.dtype_policy.name == "mixed_float16"
    norm = np.linalg.norm(layer.layer.kernel.numpy() @ layer.vector_u.numpy())
    # Sums of 300 terms in float32: 300 roundings of 6e-8 at most.
    assert norm == pytest.approx(_numpy_norm(layer), rel=2e-5)
    again = SpectralNormalization.from_config(layer.get_config())
    assert again.dtype_policy.name == layer.dtype_policy.name
    assert again.layer.dtype_policy.name == "mixed_float16"
    assert again.power_iterations == 50


def test_small_kernels_do_not_overflow_in_float16():
    """A kernel of 1e-6 has a norm of some 1e-5: inputs of 1 divided by it are above 65504."""
    kernel = keras.initializers.RandomNormal(stddev=1e-6, seed=0)
    layer = SpectralNormalization(L.Dense(64, kernel_initializer=kernel, dtype="mixed_float16"))
    outputs = layer(np.ones((2, 64), "float16")).numpy()
    expected = np.ones((2, 64)) @ (layer.layer.kernel.numpy() / _numpy_norm(layer))
    np.testing.assert_allclose(outputs, expected, atol=0.02)


def test_stands_in_time_distributed():
    layer = SpectralNormalization(L.Conv2D(2, 3))
    model = keras.Sequential([keras.Input((3, 5, 5, 1)), L.TimeDistributed(layer)])
    assert model.output_shape == (None, 3, 3, 3, 2)
    examples = np.random.default_rng(0).normal(size=(2, 3, 5, 5, 1)).astype("float32")
    np.testing.assert_allclose(model(examples)[:, 1], layer(examples[:, 1]), rtol=1e-5, atol=1e-6)

"""SpectralNormalization: what it divides by, what it leaves alone, and where it works."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers import SpectralNormalization

LAYERS = {
    "dense": (lambda: keras.layers.Dense(6, dtype="float64"), (3, 5)),
    "conv": (lambda: keras.layers.Conv2D(6, 3, strides=2, dtype="float64"), (3, 7, 8, 4)),
    "conv_transpose": (
        lambda: keras.layers.Conv2DTranspose(4, 3, strides=2, dtype="float64"),
        (3, 4, 5, 6),
    ),
}


def _built(kind):
    make, shape = LAYERS[kind]
    inputs = tf.constant(np.random.default_rng(0).normal(size=shape))
    layer = SpectralNormalization(make())
    layer.build(shape)
    layer.layer.bias.assign(np.linspace(-1.0, 1.0, layer.layer.bias.shape[0]))
    return layer, inputs


def _numpy_norm(layer):
    """The largest singular value of the kernel as [-1, output_channels], by numpy alone."""
    kernel = layer.layer.kernel.numpy()
    if isinstance(layer.layer, keras.layers.Conv2DTranspose):
        kernel = np.moveaxis(kernel, 2, 3)
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def _train(layer, inputs, calls=200):
    call = tf.function(lambda: layer(inputs, training=True))
    for _ in range(calls):
        call()


def _converged(kind):
    layer, inputs = _built(kind)
    _train(layer, inputs)
    return layer, inputs


@pytest.mark.parametrize("kind", LAYERS)
def test_output_is_that_of_the_kernel_divided_by_its_largest_singular_value(kind):
    layer, inputs = _converged(kind)
    outputs = layer(inputs)
    layer.layer.kernel.assign(layer.layer.kernel / _numpy_norm(layer))
    np.testing.assert_allclose(outputs, layer.layer(inputs), rtol=1e-6, atol=1e-8)


def test_effective_dense_kernel_has_spectral_norm_one():
    layer, _ = _converged("dense")
    effective = (layer(np.eye(5)) - layer(np.zeros((5, 5)))).numpy()
    assert np.linalg.svd(effective, compute_uv=False)[0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("units", [8, 300])
def test_estimate_is_usable_before_the_first_training_call(units):
    layer = SpectralNormalization(keras.layers.Dense(units))
    effective = layer(np.eye(300, dtype="float32")).numpy()
    norm = np.linalg.svd(effective, compute_uv=False)[0]
    # The estimate ||W u||, |u| = 1, is at most the norm; 30 iterations leave it a little low.
    assert 1 - 1e-5 <= norm < 1.03


def test_estimate_follows_a_kernel_that_changes():
    layer, inputs = _converged("conv")
    kernel = layer.layer.kernel
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    _train(layer, inputs)
    effective = layer(inputs) - layer.layer.bias
    expected = (layer.layer(inputs) - layer.layer.bias) / _numpy_norm(layer)
    np.testing.assert_allclose(effective, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", LAYERS)
def test_forward_passes_leave_kernel_and_bias_bit_for_bit(kind):
    layer, inputs = _built(kind)
    before = [weight.numpy() for weight in layer.trainable_weights]
    vector_u = layer.vector_u.numpy()
    layer(inputs, training=True)
    layer(inputs)
    for weight, value in zip(layer.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    assert np.any(layer.vector_u.numpy() != vector_u)


def test_inference_and_a_frozen_layer_leave_the_singular_vector():
    layer, inputs = _built("dense")
    before = layer.vector_u.numpy()
    layer(inputs)
    layer(inputs, training=False)
    layer.trainable = False
    layer(inputs, training=True)
    np.testing.assert_array_equal(layer.vector_u.numpy(), before)


def test_inference_repeats_the_last_training_call():
    layer, inputs = _built("conv")
    np.testing.assert_array_equal(layer(inputs, training=True), layer(inputs))


def test_bias_is_not_scaled_and_the_activation_comes_last():
    layer = SpectralNormalization(keras.layers.Dense(4, activation="relu", bias_initializer="ones"))
    np.testing.assert_array_equal(layer(np.zeros((1, 3), "float32")), np.ones((1, 4)))
    outputs = layer(np.random.default_rng(0).normal(size=(50, 3)).astype("float32")).numpy()
    assert outputs.min() == 0


def test_zero_kernel_is_the_zero_map_and_recovers():
    layer = SpectralNormalization(keras.layers.Dense(4, kernel_initializer="zeros"))
    inputs = tf.ones((2, 3))
    np.testing.assert_array_equal(layer(inputs, training=True), np.zeros((2, 4)))
    layer.layer.kernel.assign(np.random.default_rng(0).normal(size=(3, 4)))
    _train(layer, inputs)
    expected = inputs.numpy() @ layer.layer.kernel.numpy() / _numpy_norm(layer)
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradient_equals_finite_differences_at_fixed_singular_vector(kind):
    layer, inputs = _built(kind)
    kernel = layer.layer.kernel
    layer.vector_u.assign(np.random.default_rng(2).normal(size=layer.vector_u.shape))
    weights = tf.constant(np.random.default_rng(3).normal(size=layer(inputs).shape))

    def value():
        return tf.reduce_sum(layer(inputs) * weights)

    with tf.GradientTape() as tape:
        total = value()
    gradient = tape.gradient(total, kernel.value).numpy().ravel()
    start, step = kernel.numpy(), 1e-6
    for index in np.random.default_rng(4).choice(start.size, 12, replace=False):
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


def test_scaling_the_kernel_changes_nothing():
    # So the gradient is orthogonal to the kernel: section 2.2 of the paper.
    layer, inputs = _converged("dense")
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.sin(layer(inputs)))
    gradient = tape.gradient(total, layer.layer.kernel.value)
    assert float(tf.reduce_sum(gradient * layer.layer.kernel)) == pytest.approx(0, abs=1e-12)
    outputs = layer(inputs)
    layer.layer.kernel.assign(layer.layer.kernel * 7.0)
    np.testing.assert_allclose(layer(inputs), outputs, rtol=1e-12)


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
            SpectralNormalization(keras.layers.Conv2D(3, 3, activation="tanh")),
            SpectralNormalization(keras.layers.Conv2DTranspose(2, 3, activation="tanh")),
            keras.layers.Flatten(),
            SpectralNormalization(keras.layers.Dense(1)),
        ]
    )


def test_gradient_penalty_is_the_same_eagerly_and_compiled():
    model, inputs = _small_model(), tf.random.stateless_normal((4, 6, 6, 2), [0, 0])
    start = model.get_weights()
    loss, gradients = _penalized(model, inputs)
    moved = model.get_weights()
    assert any(np.any(weight != old) for weight, old in zip(moved, start, strict=True))
    for jit_compile in (False, True):
        model.set_weights(start)
        compiled = tf.function(_penalized, jit_compile=jit_compile)
        other_loss, other_gradients = compiled(model, inputs)
        np.testing.assert_allclose(other_loss, loss, rtol=1e-4)
        for gradient, other in zip(gradients, other_gradients, strict=True):
            np.testing.assert_allclose(other, gradient, atol=1e-5)
        for weight, other in zip(moved, model.get_weights(), strict=True):
            np.testing.assert_allclose(other, weight, atol=1e-5)


# Keras's own `save`, of any layer, under NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_save_and_load_in_safe_mode_keep_outputs_and_state(tmp_path):
    model, inputs = _small_model(), tf.random.stateless_normal((4, 6, 6, 2), [0, 0])
    for _ in range(3):
        model(inputs, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    np.testing.assert_array_equal(loaded(inputs, training=True), model(inputs, training=True))
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(inputs), model(inputs), atol=1e-6)


def test_replicas_of_a_mirrored_strategy_agree():
    devices = tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        pytest.skip("needs two logical devices, which tests/conftest.py makes")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices[:2]])
    with strategy.scope():
        layer = SpectralNormalization(keras.layers.Dense(4))
        layer.build((None, 3))
        layer.vector_u.assign([0.5, 0.5, 0.5, 0.5])

    @tf.function
    def step():
        strategy.run(lambda: layer(tf.ones((2, 3)), training=True))

    step()
    first, second = strategy.experimental_local_results(layer.vector_u.value)
    np.testing.assert_array_equal(first.numpy(), second.numpy())
    assert np.any(first.numpy() != 0.5)


def test_config_round_trip():
    layer = SpectralNormalization(
        keras.layers.Conv2D(3, 2, activation="relu"), power_iterations=2, name="a", trainable=False
    )
    config = layer.get_config()
    again = SpectralNormalization.from_config(layer.get_config())
    assert again.get_config() == config
    assert (again.power_iterations, again.name, again.trainable) == (2, "a", False)


def test_more_iterations_a_call_converge_in_fewer_calls():
    once = SpectralNormalization(keras.layers.Dense(6))
    thrice = SpectralNormalization(keras.layers.Dense(6), power_iterations=3)
    inputs, start = tf.ones((1, 5)), np.linspace(1, 2, 6)
    for layer in (once, thrice):
        layer.build((1, 5))
        layer.layer.kernel.assign(np.random.default_rng(0).normal(size=(5, 6)))
        layer.vector_u.assign(start)
    thrice(inputs, training=True)
    for _ in range(3):
        once(inputs, training=True)
    np.testing.assert_allclose(once.vector_u, thrice.vector_u, atol=1e-6)


def test_estimate_stays_float32_under_mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    layer = SpectralNormalization(keras.layers.Dense(4))
    inputs = np.random.default_rng(0).normal(size=(8, 300)).astype("float32")
    symbolic = layer(keras.Input((300,)))
    outputs = layer(inputs, training=True)
    assert symbolic.dtype == outputs.dtype == "float16"
    assert layer.vector_u.dtype == layer.layer.kernel.dtype == "float32"
    _train(layer, inputs)
    kernel = layer.layer.kernel
    # 1e-6 of float32 rounding, far below the 1e-3 of float16.
    norm = np.linalg.norm(kernel.numpy() @ layer.vector_u.numpy())
    assert norm == pytest.approx(_numpy_norm(layer), rel=1e-6)
    expected = inputs @ kernel.numpy() / _numpy_norm(layer)
    np.testing.assert_allclose(layer(inputs), expected, atol=0.02)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.ReLU(), "`layer` must be a Dense, Conv2D or Conv2DTranspose"),
        (keras.layers.DepthwiseConv2D(3), "`layer` must be a Dense.*Received: <DepthwiseConv2D"),
        ("dense", "`layer` must be a Dense.*Received: 'dense'"),
    ],
)
def test_refuses_other_layers(layer, message):
    with pytest.raises(ValueError, match=message):
        SpectralNormalization(layer)


@pytest.mark.parametrize("iterations", [0, -1, 1.5, True])
def test_refuses_bad_power_iterations(iterations):
    with pytest.raises(ValueError, match="`power_iterations` must be an integer of at least 1"):
        SpectralNormalization(keras.layers.Dense(1), power_iterations=iterations)


def test_length_of_u_does_not_matter():
    """A moving average of u is shorter than 1; the kernel's scale must not follow it."""
    layer = SpectralNormalization(keras.layers.Dense(3))
    inputs = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    outputs = layer(inputs)
    layer.vector_u.assign(layer.vector_u * 0.5)
    np.testing.assert_allclose(layer(inputs), outputs, rtol=1e-5)

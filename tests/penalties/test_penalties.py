"""One contract table for penalties, and closed forms from methods.md 10.2."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import penalties, stateless

ROWS = [penalties.GradientPenalty()]
table = pytest.mark.parametrize("penalty", ROWS, ids=lambda penalty: type(penalty).__name__)
KEY = stateless.key(3)


def linear(weights):
    """A critic w.x as a plain callable."""
    weights = tf.convert_to_tensor(weights, tf.float32)

    def critic(x, training):
        return tf.reshape(x, [tf.shape(x)[0], -1]) @ tf.reshape(weights, [-1, 1])

    return critic


def pairs(shape, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(tf.constant(rng.normal(size=shape), tf.float32) for _ in range(2))


def test_every_public_penalty_has_a_row():
    public = {getattr(penalties, name) for name in penalties.__all__} - {penalties.Penalty}
    assert {type(penalty) for penalty in ROWS} == public


@table
def test_linear_critic(penalty):
    """Any points: (||w|| - target)^2, one value an example."""
    real, fake = pairs((5, 3))
    values = penalty(linear([1.0, 2.0, 2.0]), real, fake, key=KEY)
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, np.full(5, (3 - penalty.target) ** 2), rtol=1e-6)


@table
def test_gradient_of_a_linear_critic(penalty):
    weights = tf.constant([1.0, 2.0, 2.0])
    real, fake = pairs((5, 3))
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = tf.reduce_mean(penalty(linear(weights), real, fake, key=KEY))
    np.testing.assert_allclose(
        tape.gradient(value, weights), 2 * (3 - penalty.target) * weights / 3, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("epsilon", "value"), [(1e-4, 0.9801), (1e-10, 0.99998), (1e-12, 0.999998)]
)
def test_zero_critic_has_a_finite_gradient(epsilon, value):
    weights = tf.zeros([3])
    real, fake = pairs((5, 3))
    penalty = penalties.GradientPenalty(epsilon=epsilon)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        values = penalty(linear(weights), real, fake, key=KEY)
    np.testing.assert_allclose(values, value, rtol=1e-6)
    assert np.isfinite(tape.gradient(values, weights)).all()


def test_points_lie_between_real_and_fake():
    """D = |x|^2 / 2, real = 0, fake = (2, 0): the mean penalty is E (2a - 1)^2 = 1/3."""
    num = 100_000
    real, fake = tf.zeros([num, 2]), tf.tile([[2.0, 0.0]], [num, 1])
    values = penalties.GradientPenalty()(
        lambda x, training: tf.reduce_sum(x**2, axis=1, keepdims=True) / 2, real, fake, key=KEY
    )
    # The standard error of the mean of (2a - 1)^2 is 0.298 / sqrt(n) = 9.4e-4.
    assert np.mean(values) == pytest.approx(1 / 3, abs=4e-3)


def test_one_alpha_an_example():
    real, fake = pairs((6, 4, 4, 3))
    points = penalties.GradientPenalty().points(real, fake, KEY)
    alpha = ((points - real) / (fake - real)).numpy().reshape(6, -1)
    np.testing.assert_allclose(alpha, alpha[:, :1] * np.ones((1, 48)), atol=2e-4)
    assert len(np.unique(alpha[:, 0].round(4))) == 6
    assert alpha.min() >= -1e-4
    assert alpha.max() <= 1 + 1e-4


def small_critic():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)]
    )
    return model


@table
def test_each_example_by_itself(penalty):
    critic, (real, fake) = small_critic(), pairs((4, 3))
    points = penalty.points(real, fake, KEY)

    def at(points):
        return penalties.penalty.squared_gradient_norm(critic, points)

    together = at(points)
    alone = tf.concat([at(points[i : i + 1]) for i in range(4)], axis=0)
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@table
def test_second_order_gradient_by_finite_differences(penalty):
    critic, (real, fake) = small_critic(), pairs((16, 3))
    kernel = critic.layers[0].kernel

    def value():
        return tf.reduce_mean(penalty(critic, real, fake, key=KEY))

    with tf.GradientTape() as tape:
        loss = value()
    gradient = tape.gradient(loss, kernel.value).numpy()
    start, step = kernel.numpy(), 1e-2
    for index in [(0, 0), (1, 3), (2, 7)]:
        values = []
        for sign in (1, -1):
            moved = start.copy()
            moved[index] += sign * step
            kernel.assign(moved)
            values.append(float(value()))
        # Central differences in float32: rounding 1e-7 / 1e-2, truncation step^2.
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(gradient[index], abs=2e-3)
        kernel.assign(start)


@table
def test_key_decides_the_points(penalty):
    critic, (real, fake) = small_critic(), pairs((16, 3))
    first, again = (penalty(critic, real, fake, key=KEY) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = penalty(critic, real, fake, key=stateless.key(4))
    fresh, fresher = (penalty(critic, real, fake) for _ in range(2))
    assert not np.allclose(first, other)
    assert not np.allclose(fresh, fresher)


@table
def test_half_precision_critic_gives_float32(penalty):
    keras.config.set_dtype_policy("mixed_float16")
    critic, (real, fake) = small_critic(), pairs((16, 3))
    values = penalty(critic, tf.cast(real, tf.float16), fake, key=KEY)
    assert values.dtype == tf.float32
    assert np.isfinite(values).all()


@table
def test_immutable_and_serializable(penalty):
    changed = dataclasses.replace(penalty, weight=3.0, target=0.5)
    config = keras.saving.serialize_keras_object(changed)
    assert keras.saving.deserialize_keras_object(config) == changed
    with pytest.raises(dataclasses.FrozenInstanceError):
        penalty.weight = 1.0


@table
def test_batch_normalization_is_refused(penalty):
    inner = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(name="bn")])
    critic = keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"'bn' is a BatchNormalization. Use LayerNormalization"):
        penalty(critic, *pairs((4, 3)))


@table
def test_several_logits_are_refused(penalty):
    with pytest.raises(ValueError, match=r"one logit an example.*Received: .*shape \(4, 2\)"):
        penalty(lambda x, training: x[:, :2], *pairs((4, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1}, "`weight` must be a finite number of at least 0. Received: -1"),
        ({"weight": float("nan")}, "`weight` must be"),
        ({"target": -0.5}, "`target` must be"),
        ({"epsilon": 0}, "`epsilon` must be above 0"),
    ],
)
def test_bad_numbers(options, message):
    with pytest.raises(ValueError, match=message):
        penalties.GradientPenalty(**options)

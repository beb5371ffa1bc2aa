"""One contract table for objectives: a new game is one row."""

import dataclasses
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import objectives

LOG_2 = np.log(2.0)


@dataclasses.dataclass(frozen=True)
class Row:
    """An objective and its closed forms: losses at zero logits, and slopes at a fake logit."""

    objective: objectives.Objective
    at_zero: tuple[float, float, float]  # discriminator on real, on fake; generator
    generator_slope: object  # d generator loss / d fake logit, as a function of the logit


def _sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


ROWS = [
    Row(objectives.Minimax(), (LOG_2, LOG_2, -LOG_2), lambda logit: -_sigmoid(logit)),
    Row(objectives.NonSaturating(), (LOG_2, LOG_2, LOG_2), lambda logit: _sigmoid(logit) - 1),
    Row(objectives.Wasserstein(), (0.0, 0.0, 0.0), lambda logit: -1.0),
]
table = pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row.objective).__name__)


def test_every_public_objective_has_a_row():
    public = {getattr(objectives, name) for name in objectives.__all__} - {objectives.Objective}
    assert {type(row.objective) for row in ROWS} == public


@table
@pytest.mark.parametrize("width", [1, 3])
def test_values_at_zero_shapes_and_dtypes(row, width):
    for dtype in (tf.float16, tf.float32, tf.float64):
        zero = tf.zeros([5, width], dtype)
        terms = (
            *row.objective.discriminator_loss(zero, zero),
            row.objective.generator_loss(zero, zero),
        )
        for term, expected in zip(terms, row.at_zero, strict=True):
            assert term.dtype == dtype
            assert term.shape == (5, width)
            np.testing.assert_allclose(term, expected, atol=1e-3 if dtype == tf.float16 else 1e-6)


@table
def test_generator_slope(row):
    logits = tf.constant([[-10.0], [-5.0], [0.0], [0.3], [7.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = row.objective.generator_loss(None, logits)
    expected = row.generator_slope(logits.numpy().astype(np.float64))
    np.testing.assert_allclose(
        tape.gradient(loss, logits), np.broadcast_to(expected, (5, 1)), rtol=1e-5, atol=1e-9
    )


@table
def test_real_comes_first(row):
    """The discriminator gains from high real and low fake logits, the generator from high fake."""
    low, high = tf.constant([[-2.0]]), tf.constant([[2.0]])
    right = sum(row.objective.discriminator_loss(high, low))
    wrong = sum(row.objective.discriminator_loss(low, high))
    assert right < wrong
    assert row.objective.generator_loss(low, high) < row.objective.generator_loss(high, low)


@table
@pytest.mark.parametrize(("dtype", "size"), [(tf.float32, 1e4), (tf.float16, 50.0)])
def test_finite_at_extreme_logits(row, dtype, size):
    logits = tf.constant([[-size], [size]], dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        terms = [
            *row.objective.discriminator_loss(logits, logits),
            row.objective.generator_loss(logits, logits),
        ]
    for term in terms:
        assert np.isfinite(term).all()
        assert np.isfinite(tape.gradient(term, logits)).all()


@table
def test_immutable_and_serializable(row):
    config = keras.saving.serialize_keras_object(row.objective)
    assert keras.saving.deserialize_keras_object(config) == row.objective
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.objective.anything = 1


def _integrate(values, density):
    return np.trapezoid(values * density, dx=1e-3)


GRID = np.arange(-20, 30, 1e-3)


def _normal(mean):
    return np.exp(-((GRID - mean) ** 2) / 2) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize(
    ("mean", "loss"), [(0.5, 1.3256718), (1, 1.1634514), (2, 0.7126327), (5, 0.0344092)]
)
def test_optimal_discriminator_between_gaussians(mean, loss):
    """methods.md 10.1.4: N(0, 1) is real, N(m, 1) fake; the optimal logit is m^2 / 2 - m x."""
    logits = tf.constant(mean**2 / 2 - mean * GRID)
    on_real, on_fake = objectives.NonSaturating().discriminator_loss(logits, logits)
    total = _integrate(on_real.numpy(), _normal(0)) + _integrate(on_fake.numpy(), _normal(mean))
    assert total == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(
    ("theta", "non_saturating", "minimax"),
    [(0.5, 0.2647, 0.2353), (1, 0.6020271, 0.3979729), (2, 1.5504, 0.4496), (8, 7.9996, 0.000393)],
)
def test_vanishing_gradient_at_the_optimal_discriminator(theta, non_saturating, minimax):
    """Theorem 2.5 (methods.md 10.1.5): d loss / d theta for g(z) = z + theta, D fixed."""
    logits = tf.constant(theta**2 / 2 - theta * GRID)
    measured = []
    for objective in (objectives.NonSaturating(), objectives.Minimax()):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = objective.generator_loss(None, logits)
        # Chain rule through the logit, whose slope in x is -theta.
        slope = tape.gradient(loss, logits).numpy() * -theta
        measured.append(_integrate(slope, _normal(theta)))
    np.testing.assert_allclose(measured, [non_saturating, minimax], rtol=5e-4)
    # The two gradients are KL - 2 JS and 2 JS: together the gradient of the KL, which is theta.
    assert sum(measured) == pytest.approx(theta, rel=1e-6)


@pytest.fixture(scope="module")
def tfgan_losses():
    """TF-GAN's losses: its package cannot be imported on this TensorFlow, its leaf module can."""
    import importlib.util

    root = importlib.util.find_spec("tensorflow_gan").submodule_search_locations[0]
    for folder in ("", "/python", "/python/losses"):
        package = types.ModuleType(f"tensorflow_gan{folder.replace('/', '.')}")
        package.__path__ = [root + folder]
        sys.modules[package.__name__] = package
    from tensorflow_gan.python.losses import losses_impl

    yield losses_impl
    for name in [name for name in sys.modules if name.startswith("tensorflow_gan")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("objective", "name", "options"),
    [
        (objectives.NonSaturating(), "modified", {"label_smoothing": 0.0}),
        (objectives.Wasserstein(), "wasserstein", {}),
    ],
)
def test_agrees_with_tf_gan(tfgan_losses, objective, name, options):
    rng = np.random.default_rng(0)
    real, fake = (tf.constant(rng.normal(0, 3, (64, 1)), tf.float32) for _ in range(2))
    none = tf.compat.v1.losses.Reduction.SUM_OVER_BATCH_SIZE
    discriminator = getattr(tfgan_losses, f"{name}_discriminator_loss")
    generator = getattr(tfgan_losses, f"{name}_generator_loss")
    theirs = discriminator(real, fake, reduction=none, **options)
    on_real, on_fake = objective.discriminator_loss(real, fake)
    ours = tf.reduce_mean(on_real) + tf.reduce_mean(on_fake)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    np.testing.assert_allclose(
        tf.reduce_mean(objective.generator_loss(real, fake)),
        generator(fake, reduction=none, **options),
        rtol=1e-6,
    )

"""Langevin dynamics: closed forms of its moments, each mode by hand, and what decides its noise."""

import dataclasses
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy import assert_mean

from tfgans import random
from tfgans.refinement import Langevin, langevin

KEY = random.key(3, 1)
WEIGHTS = np.array([0.5, -3.0, 2.0], np.float32)


def gaussian(points):
    """The log density of N(0, I), up to a constant."""
    return -0.5 * tf.reduce_sum(points**2, axis=1)


def linear(points):
    return tf.linalg.matvec(points, WEIGHTS)


def flat(points):
    return 0 * tf.reduce_sum(points, axis=list(range(1, len(points.shape))))


def starts(rows=4, *, seed=0, scale=1.0):
    return tf.constant(scale * np.random.default_rng(seed).normal(size=(rows, 3)), tf.float32)


def noise_of_step(index, shape, key=KEY):
    return random.normal(shape, random.fold(key, index))


# With a step of 0.3: the log density, options, and the end from the start and the noise.
STEPS = {
    "drift": (linear, {"noise_scale": 0.0}, lambda x, n: x + 0.15 * WEIGHTS),
    "sqrt_step": (linear, {}, lambda x, n: x + 0.15 * WEIGHTS + np.sqrt(0.3) * 0.2 * n),
    # The noise comes before the gradient, and ignores the step size.
    "fixed": (gaussian, {"noise_mode": "fixed"}, lambda x, n: 0.7 * (x + 0.2 * n)),
    "gradient_norm": (
        gaussian,
        {"noise_mode": "gradient_norm"},
        lambda x, n: 0.7 * x + np.linalg.norm(x, axis=1)[:, None] * np.sqrt(0.3) * 0.2 * n,
    ),
    # The clip is on the gradient of the network, and not on the prior.
    "clip": (
        linear,
        {"noise_scale": 0.0, "gradient_clip": 2.0, "prior": True, "temperature": 2.0},
        lambda x, n: x + 0.15 * (np.clip(2 * WEIGHTS, -2, 2) - x),
    ),
}


@pytest.mark.parametrize(("density", "options", "expected"), STEPS.values(), ids=STEPS)
def test_a_step_by_hand(density, options, expected):
    start, options = starts(scale=3.0), {"noise_scale": 0.2, **options}
    moved = langevin(start, density, steps=1, step_size=0.3, key=KEY, **options)
    expected = expected(start.numpy(), noise_of_step(0, [4, 3]).numpy())
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_a_prior_and_the_log_ratio_give_the_density_of_the_data():
    """DDLS with G(z) = z: data of N(w, I) have log p / q = w.z - |w|^2 / 2."""
    steps, size = 12, 0.8
    ends = langevin(tf.zeros([20_000, 3]), linear, steps=steps, step_size=size, key=KEY, prior=True)
    # A step keeps 1 - size / 2 of what is left to w, and the variance goes to 1 / (1 - size / 4).
    left = (1 - size / 2) ** steps
    for draws, weight in zip(ends.numpy().T, WEIGHTS, strict=True):
        assert_mean(draws, (1 - left) * weight)
        assert_mean((draws - (1 - left) * weight) ** 2, (1 - left**2) / (1 - size / 4))


def test_pixel_step_without_noise():
    start = starts(scale=0.5)
    settings = Langevin.for_images(steps=1, step_size=0.7, noise_scale=0.0)
    expected = np.clip(start + 0.7 * np.clip(WEIGHTS, -1, 1), -1, 1)
    np.testing.assert_allclose(settings.run(start, linear, key=KEY), expected, atol=1e-6)


def test_norm_is_over_all_axes_of_an_image():
    start = tf.ones([2, 2, 3, 1])
    total = lambda images: tf.reduce_sum(images, [1, 2, 3])[:, tf.newaxis]  # noqa: E731
    moved = langevin(
        start, total, steps=1, step_size=1.0, noise_scale=1.0, key=KEY, noise_mode="gradient_norm"
    )
    expected = 2 + np.sqrt(6) * noise_of_step(0, [2, 2, 3, 1])
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_clamp_holds_at_each_step():
    start, options = tf.zeros([1, 3]), {"step_size": 1.0, "noise_scale": 0.0, "key": KEY}
    peak = lambda x: -2 * tf.reduce_sum((x - 0.5) ** 2, axis=1)  # noqa: E731
    # Unclamped it would jump 0 -> 1 -> 0; clamped at 0.6 it comes back to 0.4.
    moved = langevin(start, peak, steps=2, clamp=(-1.0, 0.6), **options)
    np.testing.assert_allclose(moved, np.full([1, 3], 0.4), atol=1e-6)


@pytest.mark.parametrize("steps", [1, 4, 7, 10])
def test_annealing(steps):
    """As in the authors' langevin_z.py and langevin.py."""
    start, options = tf.zeros([4, 3]), {"steps": steps, "step_size": 0.4, "noise_scale": 0.2}
    # Tenths lower the step size and the noise.
    ends = langevin(start, linear, key=KEY, annealing="tenths", **options)
    factors = [0.1 ** (t // (steps / 5)) for t in range(steps)]
    noise = sum(
        np.sqrt(0.4 * factor) * 0.2 * factor * noise_of_step(t, [4, 3])
        for t, factor in enumerate(factors)
    )
    np.testing.assert_allclose(ends, noise + sum(factors) * 0.2 * WEIGHTS, atol=1e-5)
    # Thirds lower the noise alone.
    ends = langevin(start, linear, key=KEY, annealing="thirds", noise_mode="fixed", **options)
    parts = [t / steps for t in range(steps)]
    factors = [1.0 if part < 1 / 3 else 0.7 if part < 2 / 3 else 0.4 for part in parts]
    noise = sum(0.2 * factor * noise_of_step(t, [4, 3]) for t, factor in enumerate(factors))
    np.testing.assert_allclose(ends, noise + steps * 0.4 * WEIGHTS, atol=1e-5)


def network():
    layers = [keras.Input([3]), keras.layers.Dense(16, "tanh"), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def row_keys(rows=4):
    return tf.stack([random.key(5, row) for row in range(rows)])


OPTIONS = {"steps": 5, "step_size": 0.3, "noise_scale": 0.5}


ANY_BATCH = [tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([2], tf.int64)]


@pytest.mark.parametrize(
    ("mode", "keys", "compiled"),
    [
        pytest.param("sqrt_step", row_keys(), {"jit_compile": True}, marks=pytest.mark.slow),
        ("gradient_norm", KEY, {"input_signature": ANY_BATCH}),
    ],
    ids=["XLA", "graph"],
)
def test_same_numbers_eagerly_in_a_graph_and_under_xla(mode, keys, compiled):
    start, model = starts(), network()
    run = lambda x, key: langevin(x, model, key=key, noise_mode=mode, **OPTIONS)  # noqa: E731
    eager = run(start, keys)
    np.testing.assert_array_equal(run(start, keys), eager)
    graph = tf.function(run, autograph=False, **compiled)
    np.testing.assert_allclose(graph(start, keys), eager, atol=1e-5)


def test_noise_of_a_row_is_that_of_its_key_and_the_step():
    keys, options = row_keys(), {"steps": 2, "step_size": 1.0, "noise_mode": "fixed"}
    first, second = (random.normal_rows(random.fold_rows(keys, step), [3]) for step in range(2))
    ends = langevin(tf.zeros([4, 3]), flat, key=keys, **options)
    np.testing.assert_allclose(ends, first + second, atol=1e-6)


def test_long_loops_are_not_unrolled():
    start, model = starts(), network()

    def size(steps):
        @tf.function(autograph=False)
        def run():
            return langevin(start, model, steps=steps, step_size=0.1, key=KEY)

        return len(run.get_concrete_function().graph.as_graph_def().SerializeToString())

    assert size(1000) == pytest.approx(size(2), rel=0.01)


@pytest.mark.parametrize("steps", [0, 3])
def test_result_carries_no_gradient(steps):
    start, model = starts(), network()

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch(start)
            ends = langevin(start, model, steps=steps, step_size=0.1, key=KEY)
            total = tf.reduce_sum(ends**2)
        return tape.gradient(total, [start, *model.trainable_variables])

    assert all(gradient is None for gradient in run())
    if steps == 0:
        ends = langevin(start, model, steps=0, step_size=0.1, key=KEY)
        np.testing.assert_array_equal(ends, start)


def test_arithmetic_is_float32_around_a_half_precision_network():
    keras.config.set_dtype_policy("mixed_float16")
    model = network()
    assert model(starts()).dtype == tf.float16
    start = tf.cast(starts(), tf.float16)
    ends = langevin(start, model, steps=3, step_size=1e-3, noise_scale=0.0, key=KEY)
    assert ends.dtype == tf.float32
    # Steps of this size are lost in float16, which has 11 bits.
    moved = np.abs(ends.numpy() - start.numpy().astype(np.float32))
    assert 0 < moved.max() < 4e-3
    assert np.any(ends.numpy() != ends.numpy().astype(np.float16))


def test_defaults_are_those_of_the_authors():
    latent, image = Langevin(), Langevin.for_images()
    assert dataclasses.astuple(latent)[:5] == ("latent", 20, 1.0, 0.005, None)
    assert (latent.gradient_clip, latent.clamp, latent.prior) == (None, None, False)
    assert (latent.temperature, latent.annealing) == (1.0, "none")
    assert latent.chosen_noise_mode == "sqrt_step"
    assert (image.space, image.gradient_clip, image.clamp) == ("data", 1.0, (-1.0, 1.0))
    assert image.chosen_noise_mode == "fixed"
    assert (image.steps, image.step_size, image.noise_scale) == (20, 1.0, 0.005)
    assert Langevin(space="data", noise_mode="sqrt_step").chosen_noise_mode == "sqrt_step"


SETTINGS = {
    "latent": Langevin(
        steps=3, step_size=0.2, noise_scale=0.7, prior=True, temperature=2.0, annealing="tenths"
    ),
    "images": Langevin.for_images(steps=4, noise_scale=0.3),
    "toy": Langevin(space="data", steps=3, step_size=0.2, noise_mode="gradient_norm"),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_run_is_the_function_with_the_settings(settings):
    start, model = starts(), network()
    options = dataclasses.asdict(settings) | {"noise_mode": settings.chosen_noise_mode}
    del options["space"]
    expected = langevin(start, model, key=KEY, **options)
    np.testing.assert_array_equal(settings.run(start, model, key=KEY), expected)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"steps": -1}, "`steps` must be an integer of at least 0. Received: -1"),
        ({"steps": 2.0}, "`steps` must be an integer of at least 0. Received: 2.0"),
        ({"step_size": 0}, "`step_size` must be above 0. Received: 0"),
        ({"step_size": float("nan")}, "`step_size` must be a finite number"),
        ({"noise_scale": -1.0}, "`noise_scale` must be a finite number of at least 0"),
        ({"noise_mode": "big"}, "`noise_mode` must be one of 'sqrt_step', 'fixed', 'gradient_no"),
        ({"gradient_clip": 0.0}, "`gradient_clip` must be above 0"),
        ({"clamp": (1.0, 1.0)}, r"`clamp` must be \(low, high\) with low below high"),
        ({"clamp": (0.0, float("nan"))}, "with low below high"),
        ({"clamp": (1.0,)}, r"`clamp` must be None or a pair \(low, high\). Received: \(1.0,\)"),
        ({"clamp": ("a", "b")}, "`clamp` must be None or a pair"),
        ({"prior": 1}, "`prior` must be True or False. Received: 1"),
        ({"temperature": 0.0}, "`temperature` must be above 0"),
        ({"annealing": "halves"}, "`annealing` must be one of 'none', 'thirds', 'tenths'"),
    ],
)
def test_function_and_settings_refuse(bad, message):
    options = {"steps": 1, "step_size": 0.1, **bad}
    if bad.keys() <= inspect.signature(langevin).parameters.keys():
        with pytest.raises(ValueError, match=message):
            langevin(starts(), flat, key=KEY, **options)
    with pytest.raises(ValueError, match=message):
        Langevin(**bad)


DENSITY = "`log_density` must return one number per example"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Langevin(space="pixel"), "`space` must be one of 'latent', 'data'"),
        (
            lambda: Langevin(space="data", prior=True),
            "`prior` is the standard normal density of latents",
        ),
        *(
            (lambda key=key: step(key=key), r"`key` must be an int64\[2\] key")
            for key in (KEY[:1], KEY[0], row_keys(3), tf.zeros([4, 3], tf.int64))
        ),
        *(
            (lambda density=density: step(density), DENSITY)
            for density in (
                lambda x: x,
                lambda x: tf.reduce_sum(x),
                lambda x: tf.reduce_sum(x)[tf.newaxis],
                lambda x: gaussian(x)[:, tf.newaxis, tf.newaxis],
            )
        ),
        (lambda: step(lambda x: tf.zeros([4])), "`log_density` must depend on its input"),
        (lambda: step(start=tf.constant(1.0)), r"`start` must have shape \[batch, ...\]"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def step(log_density=flat, *, start=None, key=KEY):
    start = starts() if start is None else start
    return langevin(start, log_density, steps=1, step_size=0.1, key=key)

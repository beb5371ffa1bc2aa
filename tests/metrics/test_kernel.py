"""The kernel distance against scikit-learn, TF-GAN and its own definition."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_gan
from sklearn.metrics.pairwise import polynomial_kernel

from tfgans.metrics import MeanKernelDistance, kernel, kernel_distance

RNG = np.random.default_rng(0)
REAL, FAKE = RNG.normal(size=(200, 6)), RNG.normal(size=(150, 6)) * 1.3 + 0.2


def by_definition(real, fake, **options):
    within = [polynomial_kernel(one, **options) for one in (real, fake)]
    means = [(one.sum() - np.trace(one)) / (len(one) * (len(one) - 1)) for one in within]
    return sum(means) - 2 * polynomial_kernel(real, fake, **options).mean()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {"degree": 3, "coef0": 1}),
        ({"degree": 2, "gamma": 0.5, "coefficient": 0.0}, {"degree": 2, "gamma": 0.5, "coef0": 0}),
    ],
)
def test_agrees_with_scikit_learn(ours, theirs):
    expected = by_definition(REAL, FAKE, **theirs)
    assert kernel_distance(REAL, FAKE, **ours).value == pytest.approx(expected, rel=1e-10)


def test_agrees_with_tf_gan():
    with tf_gan.leaf("eval.classifier_metrics") as theirs:
        function = theirs.kernel_classifier_distance_from_activations
        same = REAL[:150]
        value = function(tf.constant(same), tf.constant(FAKE), max_block_size=1000).numpy()
    assert kernel_distance(same, FAKE).value == pytest.approx(value, rel=1e-6)


def test_does_not_depend_on_blocks_or_order(monkeypatch):
    whole = kernel_distance(REAL, FAKE)
    monkeypatch.setattr(kernel, "_ROWS", 7)
    np.testing.assert_allclose(kernel_distance(REAL[::-1], FAKE), whole, rtol=1e-9)
    np.testing.assert_allclose(kernel_distance(FAKE, REAL), whole, rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_unbiased_where_the_distributions_are_equal(scale):
    """Over 50 pairs of samples the mean is within 4 of its standard errors of 0."""
    draws = [RNG.normal(size=(2, 40, 4)) * scale for _ in range(50)]
    values = np.array([kernel_distance(*pair).value for pair in draws])
    assert np.isfinite(values).all()
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(50)
    assert values.min() < 0


def test_the_error_is_the_spread_over_samples():
    """Apart distributions, 60 samples: the spread of a spread is 1 / sqrt(2 * 60), so 40 % is 4."""
    found = [
        kernel_distance(RNG.normal(size=(150, 4)), RNG.normal(size=(150, 4)) + 1) for _ in range(60)
    ]
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.4)


def test_estimators_agree_within_their_errors():
    real, fake = RNG.normal(size=(2000, 4)), RNG.normal(size=(2000, 4)) + 0.5
    full = kernel_distance(real, fake)
    for how in ("blocks", "subsets"):
        one = kernel_distance(real, fake, estimator=how, subset_size=100, num_subsets=50)
        error = np.hypot(full.standard_error, one.standard_error)
        assert abs(one.value - full.value) < 4 * error
    again = kernel_distance(real, fake, estimator="subsets", subset_size=100, num_subsets=50)
    assert again == one
    single = kernel_distance(real, fake, estimator="blocks", subset_size=2000)
    assert single == full


def test_one_point_sets_and_low_precision():
    ones = np.ones([5, 3])
    assert kernel_distance(ones, ones) == (0, 0)
    low = REAL.astype(np.float32), FAKE.astype(np.float16)
    expected = kernel_distance(*(one.astype(np.float64) for one in low))
    assert kernel_distance(*low) == expected


def test_streaming_metric_is_the_mean_of_blocks(tmp_path):
    metric = MeanKernelDistance()
    update = tf.function(metric.update_state)
    for start in range(0, 150, 50):
        update(tf.constant(REAL[start : start + 50]), tf.constant(FAKE[start : start + 50]))
    expected = kernel_distance(REAL[:150], FAKE, estimator="blocks", subset_size=50)
    assert float(metric.result()) == pytest.approx(expected.value, rel=1e-10)
    metric.reset_state()
    assert float(metric.result()) == 0
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.get_config() == metric.get_config()


def test_streaming_metric_refuses_a_batch_without_pairs():
    metric = MeanKernelDistance()
    metric.update_state(REAL[:50], FAKE[:50])
    before = float(metric.result())
    with pytest.raises(ValueError, match=r"`fake` must have at least 2 examples.*\(1, 6\)"):
        metric.update_state(REAL[:50], FAKE[:1])
    spec = tf.TensorSpec([None, 6], tf.float64)
    update = tf.function(metric.update_state, input_signature=[spec, spec])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`real` must have at least 2"):
        update(tf.constant(REAL[:1]), tf.constant(FAKE[:50]))
    assert float(metric.result()) == before
    update(tf.constant(REAL[:50]), tf.constant(FAKE[:50]))
    assert float(metric.result()) == pytest.approx(before, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "half"}, "'full', 'blocks', 'subsets'"),
        ({"estimator": "blocks"}, "at least 1000"),
        ({"degree": 0}, "degree"),
        ({"gamma": 0}, "gamma"),
        ({"coefficient": -1}, "coefficient"),
        ({"subset_size": 1}, "subset_size"),
        ({"num_subsets": 1}, "num_subsets"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance(REAL, FAKE, **options)


def test_too_few():
    with pytest.raises(ValueError, match="at least 2"):
        kernel_distance(REAL[:1], FAKE)


def test_numbers_too_large_to_square_are_refused():
    with pytest.raises(ValueError, match="at most 1e\\+50"):
        kernel_distance(np.full([5, 2], 1e100), np.zeros([5, 2]))

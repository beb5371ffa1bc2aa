"""TF-GAN as an oracle of metrics, each of which agrees with SciPy or scikit-learn as well."""

import numpy as np
import pytest
import tensorflow as tf
import tf_gan

from tfgans import metrics


@pytest.mark.slow
def test_metrics_agree():
    real, fake = np.random.default_rng(0).normal(size=[2, 150, 6]) * [[[1.0]], [[1.3]]]
    pair, logits = (tf.constant(real), tf.constant(fake)), tf.constant(2 * real)
    with tf_gan.leaf("eval.classifier_metrics") as theirs:
        frechet = theirs.frechet_classifier_distance_from_activations(*pair)
        kernel, of_blocks = (
            theirs.kernel_classifier_distance_from_activations(*pair, max_block_size=size)
            for size in (1000, 50)
        )
        score = theirs.classifier_score_from_logits(logits)
    assert metrics.frechet_distance(real, fake) == pytest.approx(float(frechet), rel=1e-6)
    assert metrics.kernel_distance(real, fake).value == pytest.approx(float(kernel), rel=1e-6)
    ours = metrics.kernel_distance(real, fake, estimator="blocks", subset_size=50)
    assert ours.value == pytest.approx(float(of_blocks), rel=1e-6)
    ours = metrics.inception_score(tf.nn.softmax(logits), splits=1)
    assert ours.mean == pytest.approx(float(score), rel=1e-6)

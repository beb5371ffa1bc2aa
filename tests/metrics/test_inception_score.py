"""The Inception score: closed forms, TF-GAN, and rows that are no probabilities."""

import numpy as np
import pytest
import tensorflow as tf
import tf_gan
from scipy import special

from tfgans.metrics import inception_score


def probabilities(num=200, classes=7, *, sharpness=2.0):
    logits = np.random.default_rng(0).normal(size=(num, classes)) * sharpness
    return special.softmax(logits, axis=1), logits


def test_closed_forms():
    assert inception_score(np.tile(probabilities(1)[0], [20, 1])) == pytest.approx((1, 0))
    # Sure of each, all classes alike: as many as classes, and no NaN of 0 log 0.
    assert inception_score(np.tile(np.eye(5), [20, 1])) == pytest.approx((5, 0))


def test_agrees_with_tf_gan():
    rows, logits = probabilities()
    with tf_gan.leaf("eval.classifier_metrics") as theirs:
        expected = theirs.classifier_score_from_logits(tf.constant(logits)).numpy()
    assert inception_score(rows, splits=1).mean == pytest.approx(expected, rel=1e-6)


def test_splits_are_consecutive_parts():
    rows, _ = probabilities(101)
    parts = [inception_score(part, splits=1).mean for part in np.array_split(rows, 4)]
    found = inception_score(rows, splits=4)
    assert found == pytest.approx((np.mean(parts), np.std(parts)))
    assert inception_score(rows[::-1], splits=1).mean == pytest.approx(
        inception_score(rows, splits=1).mean
    )


def test_float16_passes():
    rows, _ = probabilities(classes=1000)
    low = inception_score(rows.astype(np.float16), splits=2)
    # Rows are rounded to 11 bits and divided by their sums.
    assert low.mean == pytest.approx(inception_score(rows, splits=2).mean, rel=2e-3)


@pytest.mark.parametrize(
    ("rows", "splits", "message"),
    [
        (np.full([20, 3], 0.4), 10, "row 0 sums to 1.2.*softmax"),
        (np.tile([1.5, -0.5], [20, 1]), 10, "its least is -0.5"),
        (np.full([20, 3], np.nan), 10, "finite"),
        (np.full([5, 2], 0.5), 10, "at least 10 examples"),
        (np.full([20, 2], 0.5), 0, "splits"),
        (np.full(20, 0.5), 10, "shape"),
    ],
)
def test_bad_input(rows, splits, message):
    with pytest.raises(ValueError, match=message):
        inception_score(rows, splits=splits)

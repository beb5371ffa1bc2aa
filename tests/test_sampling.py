"""The one way from (seed, index) to a latent, a class, a component and an example."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tfgans import random, sampling
from tfgans.random import Role


def some_keys(num):
    return np.stack([np.full(num, 7), np.arange(num)], axis=1)


SHARES = [0.0, 0.34, 0.13, 0.0, 0.48, 0.05, 0.0]
# Shares, and the classes of the lowest and of the highest uniform number.
ENDS = [
    (SHARES, [1, 5]),
    ([0.5, 0.5], [0, 1]),
    ([1.0], [0, 0]),
    ([0.0, 1.0, 0.0], [1, 1]),
    # In float32 the edge before the last class rounds to 1, and in float64 the last edge of ten
    # tenths is below it.
    ([0.5, 0.5 - 1e-9, 1e-9], [0, 2]),
    ([1e-9, 1 - 1e-9], [0, 1]),
    ([0.1] * 10 + [0.0], [0, 9]),
    (np.append(np.full(999, 1 / 999), 0.0), [0, 998]),
]


class TestClasses:
    def test_come_as_often_as_they_should(self):
        num = 20_000
        draw = tf.function(lambda keys: sampling.draw_classes(keys, 7, SHARES), autograph=False)
        counts = np.bincount(draw(some_keys(num)), minlength=7)
        expected = np.array(SHARES) * num
        assert (counts[[0, 3, 6]] == 0).all()
        likely = expected > 0
        assert stats.chisquare(counts[likely], expected[likely]).pvalue > 1e-3

    def test_are_int32_and_depend_on_their_key_alone(self):
        rows = sampling.draw_classes(some_keys(50), 7, SHARES)
        assert rows.dtype == tf.int32
        np.testing.assert_array_equal(sampling.draw_labels(50, 7, SHARES), rows)
        np.testing.assert_array_equal(
            sampling.draw_classes(some_keys(50)[20:], 7, SHARES), rows[20:]
        )

    @pytest.mark.parametrize("jit", [False, True])
    def test_the_first_and_the_last_draw(self, monkeypatch, jit):
        uniforms = tf.constant([0.0, 1 - 2**-24])
        monkeypatch.setattr(random, "uniform_rows", lambda *_: uniforms)

        @tf.function(autograph=False, jit_compile=jit)
        def draw():
            return [sampling.draw_classes(some_keys(2), len(shares), shares) for shares, _ in ENDS]

        for drawn, (shares, expected) in zip(draw(), ENDS, strict=True):
            assert drawn.numpy().tolist() == expected, shares

    def test_without_probabilities_as_ever(self):
        uniforms = random.uniform_rows(
            random.fold_rows(some_keys(100), Role.SAMPLE_CLASS), []
        ).numpy()
        np.testing.assert_array_equal(
            sampling.draw_classes(some_keys(100), 6), (uniforms * 6).astype(int)
        )

    @pytest.mark.parametrize(
        "shares", [[1.0], [0.5, 0.6], [1.5, -0.5], [np.nan, 1.0], [[0.5, 0.5]], [0.0, 0.0]]
    )
    def test_bad_probabilities(self, shares):
        with pytest.raises(ValueError, match=r"`probabilities` must (be probabilities|have shape)"):
            sampling.draw_classes(some_keys(2), 2, shares)

    @pytest.mark.parametrize("shares", [None, [0.5, 0.6], [[0.5, 0.5]], ["half", "half"]])
    def test_bad_shares(self, shares):
        with pytest.raises(ValueError, match="`shares` must"):
            sampling.draw_labels(2, 0, shares)


@pytest.mark.parametrize("limit", [0.05, 0.5, 1.0, 2.0, 6.0])
def test_truncated_latents_have_the_truncated_normal_distribution(limit):
    """Its quantiles are those of scipy, and far limits change nothing."""
    latents = np.linspace(-5.5, 5.5, 223).astype(np.float32)[:, np.newaxis]
    made = sampling.truncate(tf.constant(latents), tf.fill([len(latents)], limit)).numpy()
    expected = stats.truncnorm.ppf(stats.norm.cdf(latents.astype(float)), -limit, limit)
    np.testing.assert_allclose(made, expected, rtol=2e-4, atol=1e-5)
    far = sampling.truncate(tf.constant(latents), tf.fill([len(latents)], 40.0))
    np.testing.assert_allclose(far, latents, rtol=1e-4, atol=1e-5)

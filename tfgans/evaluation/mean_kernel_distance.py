"""The kernel distance as a metric of Keras."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgans")
class MeanKernelDistance(keras.metrics.Metric):
    """The mean over batches of the kernel distance within a batch, for `fit` and `evaluate`.

    It is `tfgans.metrics.kernel_distance(estimator="blocks")` with the batches as blocks: unbiased
    at any batch size, and noisier for smaller batches. The Frechet distance has no such metric,
    since it is not a mean over batches: use `tfgans.metrics.FeatureStatistics` or
    `tfgans.callbacks.Evaluation`.

    Args:
        name: String, optional.
        dtype: As for all Keras metrics; the result is always float64.

    Raises:
        ValueError: If a batch holds a single example, which has no pairs (in a graph that does not
            know the size, tf.errors.InvalidArgumentError), or of features that are not rows. Drop
            the remainder of the data; flatten images.

    Example:

    >>> metric = tfgans.evaluation.MeanKernelDistance()
    >>> metric.update_state([[0.0], [0.0]], [[1.0], [1.0]])
    >>> float(metric.result())
    7.0

    Reference: Binkowski et al. 2018, "Demystifying MMD GANs", section 4.

    Checked against: `tfgans.metrics.kernel_distance`.
    """

    def __init__(self, name: str = "kernel_distance", dtype: Any = "float64") -> None:
        super().__init__(name=name, dtype=dtype)
        self._total = self.add_variable((), "zeros", name="total", dtype="float64")
        self._count = self.add_variable((), "zeros", name="count", dtype="float64")

    def update_state(self, real: Any, fake: Any) -> None:
        """Adds a batch: real and generated features [num, dim], at least two of each."""
        real, fake = _with_pairs("real", real), _with_pairs("fake", fake)
        gamma = 1.0 / tf.cast(tf.shape(real)[1], tf.float64)

        def among(rows: tf.Tensor) -> tf.Tensor:
            count = tf.cast(tf.shape(rows)[0], tf.float64)
            kernel = (gamma * tf.matmul(rows, rows, transpose_b=True) + 1.0) ** 3
            off_diagonal = tf.reduce_sum(kernel) - tf.linalg.trace(kernel)
            return off_diagonal / (count * (count - 1.0))

        between = (gamma * tf.matmul(real, fake, transpose_b=True) + 1.0) ** 3
        distance = among(real) + among(fake) - 2.0 * tf.reduce_mean(between)
        # The checks come first: a batch that fails them is not counted.
        with tf.control_dependencies([distance]):
            self._total.assign_add(distance)
            self._count.assign_add(1.0)

    def result(self) -> Any:
        """Returns the mean of the batches; 0 before the first."""
        return tf.math.divide_no_nan(
            tf.convert_to_tensor(self._total.value), tf.convert_to_tensor(self._count.value)
        )


def _with_pairs(name: str, rows: Any) -> tf.Tensor:
    """Returns float64 rows [num, dim], or raises ValueError if they are not, or fewer than two."""
    message = (
        f"`{name}` must have at least 2 examples in each batch: pairs are averaged. Drop the "
        "remainder of the data"
    )
    rows = tf.cast(rows, tf.float64)
    if rows.shape.rank not in (2, None):
        raise ValueError(
            f"`{name}` must be features [num, dim]. Received shape: {rows.shape}. Flatten images "
            "first"
        )
    if rows.shape.rank and rows.shape[0] is not None and rows.shape[0] < 2:
        raise ValueError(f"{message}. Received shape: {rows.shape}")
    with tf.control_dependencies(
        [tf.debugging.assert_greater_equal(tf.shape(rows)[0], 2, message)]
    ):
        return tf.identity(rows)

"""The running means behind the logs of a GAN."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf


class LogMeans(keras.metrics.Metric):
    """Means over examples, by name, in a single variable that an update moves in one operation.

    A batch enters as sums over its examples and their number (`sums`), so that a smaller batch
    counts less, and micro-batches add up.

    Args:
        names: Strings, in the order of the logs.
        name: String.
    """

    def __init__(self, names: Sequence[str], name: str = "log_means") -> None:
        super().__init__(name=name, dtype="float32")
        self.names = tuple(names)
        self.totals = self.add_variable((2, len(self.names)), "zeros", name="totals")

    def sums(self, values: Mapping[str, tf.Tensor], num_examples: int | tf.Tensor) -> tf.Tensor:
        """Returns float32 [2, names]: sums over examples, and the number of examples of each.

        Args:
            values: Scalars by name, each the mean over the examples of a batch; a missing name
                counts no examples.
            num_examples: Int or scalar tensor, the examples of the batch.

        Raises:
            ValueError: If there is a name that is not logged.
        """
        unknown = values.keys() - set(self.names)
        if unknown:
            raise ValueError(
                f"The logs of this model are {', '.join(self.names)}. Received: "
                f"{', '.join(sorted(unknown))}. Add a `keras.metrics.Mean` in `__init__` and call "
                "its `update_state` instead"
            )
        row = tf.stack(
            [tf.cast(values[name], tf.float32) if name in values else 0.0 for name in self.names]
        )
        known = tf.constant([float(name in values) for name in self.names])
        return tf.stack([row, known]) * tf.cast(num_examples, tf.float32)

    def update_state(self, sums: tf.Tensor) -> None:
        """Adds the result of `sums`."""
        self.totals.assign_add(sums)

    def mean_of(self, name: str, sums: tf.Tensor) -> tf.Tensor:
        """Returns the mean of an entry of `sums`; 0 if it has no examples."""
        index = self.names.index(name)
        return tf.math.divide_no_nan(sums[0, index], sums[1, index])

    def number_of(self, name: str, sums: tf.Tensor) -> tf.Tensor:
        """Returns the number of examples in an entry of `sums`, or of `totals`."""
        return sums[1, self.names.index(name)]

    def result(self) -> dict[str, tf.Tensor]:
        """Returns the means by name; 0 of no examples."""
        totals = tf.convert_to_tensor(self.totals)
        means = tf.unstack(tf.math.divide_no_nan(totals[0], totals[1]))
        return dict(zip(self.names, means, strict=True))

"""Sources whose examples are read from storage when a batch needs them."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from tfgans.data import python_calls
from tfgans.data.indexed import IndexedSource, normalize

NUM_THREADS = min(32, os.cpu_count() or 1)


class StoredSource(IndexedSource):
    """A source that reads its examples in Python. Subclasses write `raw`.

    An example that cannot be read is a `ReadError`, a `ValueError`, from `fit`; code that iterates
    over `batches` finds it in the message of TensorFlow's `InvalidArgumentError`.

    The arguments are those of `IndexedSource`.
    """

    # Each batch is read in as many threads as there are cores.
    _parallel = 2
    _dtype = tf.uint8  # Of `raw`.

    def rows(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the examples at integer `indices`, any shape: float32, images in [-1, 1]."""
        flat = tf.reshape(indices, [-1])
        if tf.executing_eagerly():
            examples = tf.constant(self.raw(flat.numpy()))
        else:
            examples = self._read(flat)
        examples.set_shape([flat.shape[0], *self.data_shape])
        shape = tf.concat([tf.shape(indices), self.data_shape], axis=0)
        shaped = tf.reshape(examples, shape)
        return normalize(tf.ensure_shape(shaped, [*indices.shape, *self.data_shape]))

    def _read(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the examples at integer `indices` `[k]` as they are held, in a graph."""
        return python_calls.call(self.raw, indices, self._dtype)


@functools.cache
def threads() -> ThreadPoolExecutor:
    """Returns the threads that read examples, shared by all sources of the process."""
    return ThreadPoolExecutor(NUM_THREADS, "tfgans-read")

"""Flags that say on which devices and machines a run trains."""

import tensorflow as tf
from absl import flags

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "strategy",
    "default",
    tfgans.runs.STRATEGIES,
    "one device, those of this machine or of all in TF_CONFIG; --batch_size is of all together",
)
flags.DEFINE_integer(
    "num_replicas", None, "of mirrored; default: all GPUs; without one the CPU is divided", 1
)


def strategy() -> tf.distribute.Strategy:
    """Returns the strategy that the flags name. Call it before TensorFlow runs anything."""
    return tfgans.runs.make_strategy(FLAGS.strategy, num_replicas=FLAGS.num_replicas)

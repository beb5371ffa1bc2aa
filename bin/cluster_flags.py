"""Flags that say on which devices and machines a run trains."""

from collections.abc import Iterator
from contextlib import contextmanager

from absl import flags

import tfgans
from tfgans.training.cluster import Cluster

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "strategy",
    "default",
    tfgans.training.STRATEGIES,
    "one device, those of this machine or of all in TF_CONFIG; --batch_size is of all together",
)
flags.DEFINE_integer(
    "num_replicas", None, "of mirrored; default: all GPUs; without one the CPU is divided", 1
)


@contextmanager
def scope() -> Iterator[None]:
    """Opens the scope of the strategy that the flags name, before TensorFlow runs anything."""
    strategy = tfgans.training.make_strategy(FLAGS.strategy, num_replicas=FLAGS.num_replicas)
    with Cluster(strategy).naming_the_lost(), strategy.scope():
        yield

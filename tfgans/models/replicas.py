"""What is different where several replicas of a model train on parts of one global batch."""

import warnings
from typing import Any

import keras
import tensorflow as tf


def count() -> int:
    """Returns how many replicas the strategy in scope has."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """Returns how many processes a strategy trains with."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    resolver = strategy.cluster_resolver
    workers = resolver.cluster_spec().as_dict() if resolver is not None else {}
    return max(1, sum(len(workers.get(kind, ())) for kind in ("chief", "worker")))


def total(value: tf.Tensor) -> tf.Tensor:
    """Returns the sum of what all replicas hold; called by all of them, outside of branches."""
    if count() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def fit_for_replicas(network: Any) -> None:
    """Has batch statistics be those of the global batch, where there are several replicas.

    Without `synchronized` each replica would normalize by its own examples, and the moving
    statistics would drift apart unseen.
    """
    if count() == 1:
        return
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
        if isinstance(getattr(layer, "seed_generator", None), keras.random.SeedGenerator):
            warnings.warn(
                f"{layer.name!r} draws the same numbers on every replica: its random state is "
                "not keyed by example. Leave it out, or train on one device",
                stacklevel=4,
            )

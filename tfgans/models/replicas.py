"""What is different where several replicas of a model train on parts of one global batch."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgans.layers import SpectralNormalization


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


def repeat(times: int, update: Callable[[Any], None]) -> None:
    """Calls `update(index)` for the indices from 0 to `times - 1`, one after the other.

    In a graph of one device that is a loop: `update` is traced once, with a tensor for its index.
    Under a strategy, whose optimizers must not be called in a loop, each call is traced.
    """
    if times == 1 or tf.executing_eagerly() or tf.distribute.has_strategy():
        for index in range(times):
            update(index)
        return

    def body(index: tf.Tensor) -> tf.Tensor:
        update(index)
        return index + 1

    how: Any = {"parallel_iterations": 1, "maximum_iterations": times}
    tf.while_loop(lambda index: index < times, body, [tf.constant(0)], **how)


def check_execution(networks: Sequence[Any], *, jit_compile: bool, accumulate_steps: int) -> None:
    """Raises ValueError where TensorFlow cannot run a step so on several replicas."""
    if count() == 1:
        return
    if jit_compile:
        raise ValueError(
            "XLA does not compile a step of several replicas. Received: jit_compile=True under a "
            f"strategy of {count()}. Leave it out"
        )
    if any(getattr(one, "routing", None) == "categorical" for one in networks):
        raise ValueError(
            "routing='categorical' runs on one device. Received: a strategy of several replicas. "
            "Use routing='slices'"
        )
    kinds = (keras.layers.BatchNormalization, SpectralNormalization)
    layers = [layer for one in networks for layer in one._flatten_layers()]
    talking = next((layer for layer in layers if isinstance(layer, kinds)), None)
    if accumulate_steps > 1 and talking is not None:
        raise ValueError(
            "A layer whose replicas speak to each other cannot do so in parts of a batch. "
            f"Received: accumulate_steps={accumulate_steps} under a strategy of {count()}, and "
            f"{talking.name!r}, a {type(talking).__name__}. Use layer normalization, more "
            "replicas, or no parts"
        )


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

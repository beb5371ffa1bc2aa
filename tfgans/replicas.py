"""What is different where several replicas of a model train on parts of one global batch."""

import warnings
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfgans import compat
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


def repeat(times: int, update: Callable[[int | tf.Tensor], None]) -> None:
    """Calls `update(index)` for the indices from 0 to `times - 1`, in this order.

    In a graph of one device that is a loop: `update` is traced once, with a tensor for its index.
    Under a strategy, whose optimizers must not be called in a loop, each call is traced.
    """
    if times == 1 or tf.executing_eagerly() or tf.distribute.has_strategy():
        for index in range(times):
            update(index)
        return

    def body(index: tf.Tensor) -> tuple[tf.Tensor]:
        update(index)
        return (index + 1,)

    tf.while_loop(
        lambda index: index < times,
        body,
        (tf.constant(0),),
        parallel_iterations=1,
        maximum_iterations=times,
    )


def check_execution(
    networks: Sequence[keras.Model], *, jit_compile: bool, accumulate_steps: int
) -> None:
    """Raises ValueError where TensorFlow cannot run a step so on several replicas."""
    if count() == 1:
        return
    if jit_compile:
        raise ValueError(
            "XLA does not compile a step of several replicas. Received: jit_compile=True under a "
            f"strategy of {count()}. Leave it out"
        )
    if any(getattr(network, "routing", None) == "categorical" for network in networks):
        raise ValueError(
            "routing='categorical' runs on one device. Received: a strategy of several replicas. "
            "Use routing='slices'"
        )
    synchronized = (keras.layers.BatchNormalization, SpectralNormalization)
    layers = [layer for network in networks for layer in compat.all_layers(network)]
    layer = next((layer for layer in layers if isinstance(layer, synchronized)), None)
    if accumulate_steps > 1 and layer is not None:
        raise ValueError(
            "A layer whose replicas synchronize cannot do so in parts of a batch. "
            f"Received: accumulate_steps={accumulate_steps} under a strategy of {count()}, and "
            f"{layer.name!r}, a {type(layer).__name__}. Use layer normalization, more "
            "replicas, or no parts"
        )


def synchronize_batch_statistics(network: keras.Model) -> None:
    """Makes batch statistics those of the global batch, where there are several replicas.

    Without `synchronized` each replica would normalize by its examples alone, and the moving
    statistics would drift apart unseen.
    """
    if count() == 1:
        return
    for layer in compat.all_layers(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
        if isinstance(getattr(layer, "seed_generator", None), keras.random.SeedGenerator):
            warnings.warn(
                f"{layer.name!r} draws the same numbers on every replica: its random state is "
                "not keyed by example. Leave it out, or train on one device",
                stacklevel=4,
            )

"""Support for replicas of a model that train on shares of a global batch."""

import warnings
from collections.abc import Callable

import keras
import tensorflow as tf

from tfgans import compat


def count() -> int:
    """Returns the number of replicas of the strategy in scope."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def num_workers(strategy: tf.distribute.Strategy | None) -> int:
    """Returns the number of processes that a strategy trains with."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    resolver = strategy.cluster_resolver
    workers = resolver.cluster_spec().as_dict() if resolver is not None else {}
    return max(1, sum(len(workers.get(kind, ())) for kind in ("chief", "worker")))


def made_in_scope(variable: keras.Variable) -> bool:
    """Returns whether a variable is of the strategy in scope, if that has variables of its kind."""
    strategy = tf.distribute.get_strategy()
    if not tf.distribute.has_strategy() or isinstance(strategy, tf.distribute.OneDeviceStrategy):
        return True
    return bool(strategy.extended.variable_created_in_scope(variable.value))


def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """Returns the sum over replicas; all replicas must call it, outside of branches."""
    if count() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def repeat(times: int, update: Callable[[int | tf.Tensor], None]) -> None:
    """Calls `update(index)` for the indices from 0 to `times - 1`, in this order.

    In a graph on a single device that is a loop: `update` is traced once, with a tensor for its
    index. Under a strategy, whose optimizers must not be called in a loop, each call is traced.
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


def warn_of_random_layers(network: keras.Model, *, stacklevel: int) -> None:
    """Warns of Dropout and other random layers if there are several replicas."""
    if count() == 1:
        return
    for layer in compat.all_layers(network):
        if isinstance(getattr(layer, "seed_generator", None), keras.random.SeedGenerator):
            warnings.warn(
                f"{layer.name!r} draws the same numbers on every replica: its random state is "
                "not keyed by example. Leave it out, or train on a single device",
                stacklevel=stacklevel + 1,
            )


def first_row(num_rows: int | tf.Tensor) -> tf.Tensor:
    """Returns where the rows of this replica begin in the global batch: an int32 scalar.

    Args:
        num_rows: Int or scalar tensor, the rows of this replica. Called by all replicas.
    """
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    sizes = tf.one_hot(replica, count(), on_value=num_rows, off_value=0, dtype=tf.int32)
    return tf.cumsum(sum_over_replicas(sizes), exclusive=True)[replica]

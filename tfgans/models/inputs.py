"""From what a user hands to `fit` to the batches that a train step takes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, data, replicas
from tfgans.models.first_batch import check_first_batch, check_values
from tfgans.models.labels import (
    cast_checked,
    checked_labels,
    refuse_labels,
    require_labels,
)


def training_dataset(
    x: Any,
    y: Any,
    *,
    batch_size: int | None,
    discriminator_steps: int,
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
    seed: int,
    start_step: int,
    steps_per_epoch: int | None,
    steps_per_execution: int,
    check_batch: Callable[[int], bool],
    strategy: tf.distribute.Strategy,
) -> tuple[Any, int | None]:
    """Returns the dataset of one training step an element, and its steps an epoch.

    An element is float [batch, discriminator_steps, ...]: fresh real examples for each update of
    the discriminator; of a conditional model a pair with int32 [batch, discriminator_steps]. The
    batch is axis 0, so that `tf.distribute` shares it out by examples.

    Args:
        x: A source or an array of examples, or a `tf.data.Dataset` of batches.
        y: The labels of an array for a conditional model; else None.
        batch_size: Examples in one update, not of a dataset. Default: 32, as in Keras.
        discriminator_steps: Updates of the discriminator in one training step.
        data_shape: What the discriminator takes, without the batch axis.
        num_classes: Of a conditional model; else None.
        seed: Of the order of an array's examples.
        start_step: Training steps already done: a source or an array goes on where they stopped.
        steps_per_epoch: As given to `fit`.
        steps_per_execution: As given to `compile`. Keras runs whole executions: an epoch that is
            no multiple of it would run over its end.
        check_batch: Raises ValueError if an update cannot have so many examples; returns whether
            all updates must have as many.
        strategy: The model's. Each of several workers loads its own rows of a source.

    Returns:
        The `tf.data.Dataset`, or `tf.distribute.DistributedDataset` of several workers, and its
        steps in an epoch (None: until it ends).

    Raises:
        ValueError: If there are no examples, they do not fit, or the first batch is not finite; if
            labels are missing, or given where none are taken, or are no classes.
    """
    _check_steps(steps_per_epoch, steps_per_execution)
    load: Callable[..., tf.data.Dataset] | None = None
    if isinstance(x, tf.data.Dataset):
        _refuse_beside_dataset(y, batch_size)
        dataset, num_batches = x, int(x.cardinality())
    else:
        size = checks.positive_int("batch_size", 32 if batch_size is None else batch_size)
        source = _as_source(x, y, num_classes, seed)
        first = start_step * discriminator_steps
        load = partial(source.batches, size, start_step=first, labels=num_classes is not None)
        dataset, num_batches = load(), tf.data.INFINITE_CARDINALITY
        if source.num_examples is not None:
            num_batches = source.num_examples // size
    if steps_per_epoch is None and num_batches == tf.data.INFINITE_CARDINALITY:
        raise ValueError("An endless supply of data needs `steps_per_epoch`. Received: None")
    rows = check_first_batch(dataset, data_shape, num_classes)
    same_size, steps = check_batch(rows), steps_per_epoch
    if steps is None and num_batches > 0:
        # One pass over the data, as near as whole executions come to it.
        executions = num_batches // (discriminator_steps * steps_per_execution)
        steps = max(1, executions) * steps_per_execution
    if load is not None and replicas.num_workers(strategy) > 1:
        make = partial(_of_one_worker, load, rows, discriminator_steps, num_classes)
        return strategy.distribute_datasets_from_function(make), steps
    dataset = _with_checked_labels(dataset, num_classes)
    if num_batches > 0:
        # What a pass leaves over, too little for a step, comes first in the next one.
        dataset = dataset.repeat()
    if same_size and tf.nest.flatten(dataset.element_spec)[0].shape[0] is None:
        dataset = dataset.rebatch(rows, drop_remainder=True)
    return _group(dataset, discriminator_steps, batch_size=rows), steps


def _of_one_worker(
    load: Callable[..., tf.data.Dataset],
    rows: int,
    discriminator_steps: int,
    num_classes: int | None,
    context: tf.distribute.InputContext,
) -> tf.data.Dataset:
    """Returns the steps of one worker: its own rows of each global batch, a replica an element."""
    workers = context.num_input_pipelines
    dataset = _with_checked_labels(load(part=(context.input_pipeline_id, workers)), num_classes)
    dataset = _group(dataset, discriminator_steps, batch_size=rows // workers)
    of_replica = rows // context.num_replicas_in_sync
    return dataset if of_replica == rows // workers else dataset.rebatch(of_replica)


def batches_of_step(
    step: Any, discriminator_steps: int, data_rank: int, num_classes: int | None
) -> Callable[[Any], tuple[tf.Tensor, tf.Tensor | None]]:
    """Returns a function of the index of a discriminator's update to its examples and labels.

    Args:
        step: What `fit` hands to a train step: [batch, discriminator_steps, ...], or a pair of
            that and labels [batch, discriminator_steps]. With one discriminator step also a plain
            batch, as `train_on_batch` gives it.
        discriminator_steps: Int.
        data_rank: Rank of one example.
        num_classes: Of a conditional model; else None.

    Raises:
        ValueError: If a plain batch comes where several are needed, or labels come along where
            none are taken, or are missing.
    """
    examples, labels = unpack_batch(step, num_classes)
    rank = len(examples.shape) - 1
    if rank == data_rank and discriminator_steps == 1:
        return lambda _: (examples, labels)
    if rank != data_rank + 1 or examples.shape[1] != discriminator_steps:
        raise ValueError(
            "A training step takes real examples of shape [batch, discriminator_steps, ...] = "
            f"[batch, {discriminator_steps}, ...]. Received: {tuple(examples.shape)}. "
            "`fit` makes them from plain batches"
        )
    return lambda index: (examples[:, index], None if labels is None else labels[:, index])


def unpack_batch(batch: Any, num_classes: int | None) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns the examples and the labels in what Keras hands to a step.

    Raises:
        ValueError: If there are sample weights, or labels against `num_classes`.
    """
    examples, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    if weights is not None:
        raise ValueError("Sample weights are not taken. Received: `sample_weight`")
    if num_classes is None:
        refuse_labels(labels)
        return examples, None
    require_labels(labels, num_classes)
    return examples, tf.cast(labels, tf.int32)


def evaluation_data(
    x: Any,
    y: Any = None,
    *,
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
    steps: int | None,
) -> tuple[Any, Any]:
    """Returns `x` and `y` as `keras.Model.evaluate` takes them: arrays checked, datasets as such.

    Raises:
        ValueError: If labels are missing, given where none are taken, or no classes; if the data
            do not fit the discriminator, are not finite in the first batch, or have no end and
            `steps` is not given.
    """
    if isinstance(x, tf.data.Dataset):
        _refuse_beside_dataset(y, None)
        if steps is None and x.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "To evaluate on an endless dataset, say how much of it: `steps` "
                "(`validation_steps` in `fit`). Received: None"
            )
        check_first_batch(x, data_shape, num_classes)
        return _with_checked_labels(x, num_classes), None
    if isinstance(x, tuple | list) and len(x) > 1:
        x, y = x[0], x[1]
    examples, labels = _checked_arrays(x[0] if isinstance(x, tuple | list) else x, y, num_classes)
    source = data.from_array(examples)
    rows = source.rows(tf.range(source.num_examples))
    check_values(rows.numpy(), data_shape)
    return rows, labels


def as_array(x: Any) -> np.ndarray:
    """Returns `x` as a NumPy array, or raises ValueError if it is no array."""
    if isinstance(x, np.ndarray | tf.Tensor):
        return np.asarray(x)
    hint = " Pass `source.batches(batch_size)`" if hasattr(x, "batches") else ""
    raise ValueError(
        "Data must be an array [num_examples, ...], a `tf.data.Dataset` of batches or, to train on,"
        f" a `tfgans.data.Source`. Received: {type(x).__name__}.{hint}"
    )


def _check_steps(steps_per_epoch: int | None, steps_per_execution: int) -> None:
    if steps_per_epoch is None:
        return
    checks.positive_int("steps_per_epoch", steps_per_epoch)
    if steps_per_epoch % steps_per_execution:
        raise ValueError(
            "`steps_per_epoch` must be a multiple of `steps_per_execution` = "
            f"{steps_per_execution}. Received: {steps_per_epoch}"
        )


def _as_source(x: Any, y: Any, num_classes: int | None, seed: int) -> data.Source:
    if isinstance(x, data.Source):
        if y is not None:
            raise ValueError(
                f"`y` is for arrays: a `Source` holds its labels. Received: y={type(y).__name__}. "
                "Remove it"
            )
        return x
    examples, labels = _checked_arrays(x, y, num_classes)
    return data.from_array(examples, labels=labels, seed=seed)


def _checked_arrays(
    x: Any, y: Any, num_classes: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns examples and their labels; None for the labels of a model that takes none."""
    examples = as_array(x)
    if num_classes is None:
        refuse_labels(y)
        return examples, None
    require_labels(y, num_classes)
    return examples, checked_labels(np.atleast_1d(y), len(examples), num_classes)


def _with_checked_labels(dataset: tf.data.Dataset, num_classes: int | None) -> tf.data.Dataset:
    """Returns the dataset, which ends in an error where a label is no class."""
    if num_classes is None:
        return dataset
    return dataset.map(lambda batch, labels: (batch, cast_checked(labels, num_classes)))


def _refuse_beside_dataset(y: Any, batch_size: int | None) -> None:
    given = {"batch_size": batch_size, "y": y}
    for name, value in given.items():
        if value is not None:
            what = "comes in batches" if name == "batch_size" else "holds its labels, in pairs"
            raise ValueError(
                f"`{name}` is for arrays: a `tf.data.Dataset` {what}. "
                f"Received: {name}={value if name == 'batch_size' else type(value).__name__}. "
                "Remove it"
            )


def _group(
    dataset: tf.data.Dataset, discriminator_steps: int, *, batch_size: int
) -> tf.data.Dataset:
    """Returns elements [batch, discriminator_steps, ...], labels alike."""

    def split(rows: tf.Tensor) -> tf.Tensor:
        if discriminator_steps == 1:
            return rows[:, tf.newaxis]
        steps = tf.reshape(rows, [discriminator_steps, batch_size, *rows.shape[1:].as_list()])
        return tf.transpose(steps, [1, 0, *range(2, len(steps.shape))])

    def split_all(*parts: tf.Tensor) -> Any:
        return tuple(map(split, parts)) if len(parts) > 1 else split(parts[0])

    if discriminator_steps == 1:
        return dataset.map(split_all)
    # Cut anew, since the last batch of a pass may be smaller than the others.
    rows = dataset.rebatch(batch_size * discriminator_steps, drop_remainder=True)
    return rows.map(split_all).prefetch(tf.data.AUTOTUNE)

"""From what a user hands to `fit` to the batches that a train step takes."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, data


def training_dataset(
    x: Any,
    *,
    batch_size: int | None,
    discriminator_steps: int,
    data_shape: tuple[int | None, ...],
    seed: int,
    start_step: int,
    steps_per_epoch: int | None,
    steps_per_execution: int,
    check_batch: Callable[[int], bool],
) -> tuple[tf.data.Dataset, int | None]:
    """Returns the dataset of one training step an element, and its steps an epoch.

    An element is float [batch, discriminator_steps, ...]: fresh real examples for each update of
    the discriminator. The batch is axis 0, so that `tf.distribute` shares it out by examples.

    Args:
        x: An array of examples, or a `tf.data.Dataset` of batches.
        batch_size: Examples in one update; for arrays only. Default: 32, as in Keras.
        discriminator_steps: Updates of the discriminator in one training step.
        data_shape: What the discriminator takes, without the batch axis.
        seed: Of the order of an array's examples.
        start_step: Training steps already done: an array goes on where they stopped.
        steps_per_epoch: As given to `fit`.
        steps_per_execution: As given to `compile`. Keras runs whole executions: an epoch that is
            no multiple of it would run over its end.
        check_batch: Raises ValueError if an update cannot have so many examples; returns whether
            all updates must have as many.

    Returns:
        The dataset, and its steps in an epoch (None: until it ends).

    Raises:
        ValueError: If there are no examples, they do not fit, or the first batch is not finite.
    """
    if steps_per_epoch is not None:
        checks.positive_int("steps_per_epoch", steps_per_epoch)
        if steps_per_epoch % steps_per_execution:
            raise ValueError(
                "`steps_per_epoch` must be a multiple of `steps_per_execution` = "
                f"{steps_per_execution}. Received: {steps_per_epoch}"
            )
    if isinstance(x, tf.data.Dataset):
        if batch_size is not None:
            raise ValueError(
                "`batch_size` is for arrays: a `tf.data.Dataset` comes in batches. "
                f"Received: batch_size={batch_size}. Remove it"
            )
        dataset, num_batches = x, int(x.cardinality())
        if steps_per_epoch is None and num_batches == tf.data.INFINITE_CARDINALITY:
            raise ValueError("An endless dataset needs `steps_per_epoch`. Received: None")
    else:
        array = as_array(x)
        batch_size = checks.positive_int("batch_size", 32 if batch_size is None else batch_size)
        source = data.from_array(array, seed=seed)
        dataset = source.batches(batch_size, start_step=start_step * discriminator_steps)
        num_batches = len(array) // batch_size
    first = check_first_batch(dataset, data_shape)
    if check_batch(len(first)) and dataset.element_spec.shape[0] is None:
        # What a pass leaves over comes first in the next one.
        dataset = dataset.repeat() if num_batches > 0 else dataset
        dataset = dataset.rebatch(len(first), drop_remainder=True)
    steps = steps_per_epoch
    if num_batches > 0:
        # What a pass leaves over, too little for a step, comes first in the next one.
        dataset = dataset.repeat()
        if steps is None:
            # One pass over the data, as near as whole executions come to it.
            executions = num_batches // (discriminator_steps * steps_per_execution)
            steps = max(1, executions) * steps_per_execution
    return _group(dataset, discriminator_steps, batch_size=len(first)), steps


def split_step(data: tf.Tensor, discriminator_steps: int, data_rank: int) -> list[tf.Tensor]:
    """Returns one batch for each update of the discriminator.

    Args:
        data: What `fit` hands to a train step: [batch, discriminator_steps, ...]. With one
            discriminator step also a plain batch, as `train_on_batch` gives it.
        discriminator_steps: Int.
        data_rank: Rank of one example.

    Raises:
        ValueError: If a plain batch comes where several are needed, or labels come along.
    """
    examples = unpack_examples(data)
    rank = len(examples.shape) - 1
    if rank == data_rank and discriminator_steps == 1:
        return [examples]
    if rank != data_rank + 1 or examples.shape[1] != discriminator_steps:
        raise ValueError(
            "A training step takes real examples of shape [batch, discriminator_steps, ...] = "
            f"[batch, {discriminator_steps}, ...]. Received: {tuple(examples.shape)}. "
            "`fit` makes them from plain batches"
        )
    return [examples[:, index] for index in range(discriminator_steps)]


def unpack_examples(data: Any) -> tf.Tensor:
    """Returns the examples in what Keras hands to a step, or raises ValueError on labels."""
    examples, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    refuse_labels(labels)
    if weights is not None:
        raise ValueError("Sample weights are not taken. Received: `sample_weight`")
    return examples


def refuse_labels(labels: Any) -> None:
    """Raises ValueError if there are labels: these models are not conditional."""
    if labels is not None:
        raise ValueError(
            "This model is not conditional: labels are not taken. "
            f"Received labels: {type(labels).__name__}. Pass the examples alone"
        )


def evaluation_data(x: Any, *, data_shape: tuple[int | None, ...], steps: int | None) -> Any:
    """Returns `x` as `keras.Model.evaluate` takes it: arrays as floats, datasets as they are.

    Raises:
        ValueError: If it holds labels, does not fit the discriminator, is not finite in its first
            batch, or has no end and `steps` is not given.
    """
    if isinstance(x, tf.data.Dataset):
        if steps is None and x.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "To evaluate on an endless dataset, say how much of it: `steps` "
                "(`validation_steps` in `fit`). Received: None"
            )
        check_first_batch(x, data_shape)
        return x
    if isinstance(x, tuple | list) and len(x) > 1:
        refuse_labels(x[1])
    source = data.from_array(as_array(x[0] if isinstance(x, tuple | list) else x))
    examples = source.rows(tf.range(source.num_examples))
    _check_values(examples.numpy(), data_shape)
    return examples


def as_array(x: Any) -> np.ndarray:
    """Returns `x` as a NumPy array, or raises ValueError if it is no array."""
    if isinstance(x, np.ndarray | tf.Tensor):
        return np.asarray(x)
    hint = " Pass `source.batches(batch_size)`" if hasattr(x, "batches") else ""
    raise ValueError(
        "Training data must be an array [num_examples, ...] or a `tf.data.Dataset` of batches. "
        f"Received: {type(x).__name__}.{hint}"
    )


def check_first_batch(dataset: tf.data.Dataset, data_shape: tuple[int | None, ...]) -> np.ndarray:
    """Returns the first batch of a dataset of examples, or raises ValueError if it is unfit."""
    spec = dataset.element_spec
    if not isinstance(spec, tf.TensorSpec):
        raise ValueError(
            "Each element of the dataset must be one batch of examples; labels are not taken. "
            f"Received elements: {spec}. Drop what is not an example with `dataset.map(...)`"
        )
    if not spec.dtype.is_floating:
        raise ValueError(
            f"Examples must be floats, images in [-1, 1]. Received: {spec.dtype.name}. "
            "For 8-bit images, use `tf.cast(x, tf.float32) / 127.5 - 1`"
        )
    if not tf.TensorShape([None, *data_shape]).is_compatible_with(spec.shape):
        raise ValueError(
            f"Batches must have the discriminator's input shape {(None, *data_shape)}. "
            f"Received: {tuple(spec.shape)}"
        )
    first = next(iter(dataset.take(1).as_numpy_iterator()), None)
    if first is None or not len(first):
        raise ValueError("The dataset is empty: expected at least one batch. Received: none")
    _check_values(first, data_shape)
    return first


def _check_values(batch: np.ndarray, data_shape: tuple[int | None, ...]) -> None:
    if not tf.TensorShape([None, *data_shape]).is_compatible_with(batch.shape):
        raise ValueError(
            f"Batches must have the discriminator's input shape {(None, *data_shape)}. "
            f"Received: {batch.shape}"
        )
    bad = int(np.sum(~np.isfinite(batch)))
    if bad:
        raise ValueError(
            f"The data must be finite. Received: {bad} NaN or infinite values in the first batch"
        )
    low, high = float(batch.min()), float(batch.max())
    if len(data_shape) == 3 and (low < -1.001 or high > 1.001):
        raise ValueError(
            "Images must lie in [-1, 1]. "
            f"Received: [{low:.4g}, {high:.4g}] in the first batch. Rescale them: `x / 127.5 - 1`"
        )
    if len(data_shape) == 3 and low >= 0:
        warnings.warn(
            "Images are expected in [-1, 1], black at -1; the first batch lies in "
            f"[{low:.4g}, {high:.4g}]. If they were scaled to [0, 1], use `2 * x - 1`",
            stacklevel=5,
        )


def _group(
    dataset: tf.data.Dataset, discriminator_steps: int, *, batch_size: int
) -> tf.data.Dataset:
    """Returns elements [batch, discriminator_steps, ...]."""
    if discriminator_steps == 1:
        return dataset.map(lambda batch: batch[:, tf.newaxis])

    def split(rows: tf.Tensor) -> tf.Tensor:
        steps = tf.reshape(rows, [discriminator_steps, batch_size, *rows.shape[1:].as_list()])
        return tf.transpose(steps, [1, 0, *range(2, len(steps.shape))])

    # Cut anew, since the last batch of a pass may be smaller than the others.
    rows = dataset.rebatch(batch_size * discriminator_steps, drop_remainder=True)
    return rows.map(split).prefetch(tf.data.AUTOTUNE)

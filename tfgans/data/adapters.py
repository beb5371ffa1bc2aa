"""From the data passed to `fit` and `evaluate` to the batches of train and test steps."""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfgans import checks, replicas
from tfgans.data.array_inputs import array_source, is_array_like
from tfgans.data.batches import Batch, group_updates, split_element
from tfgans.data.example_checks import check_shape
from tfgans.data.first_batch import (
    BatchSpec,
    check_batch_values,
    check_first_batch,
    standardize,
)
from tfgans.data.indexed import IndexedSource
from tfgans.data.label_checks import check_presence
from tfgans.data.python_batches import NumpyBatch, from_generator, from_py_dataset
from tfgans.data.source import Source, dataset_options, int_of_iterator
from tfgans.data.tables import ArrayLike

# What `fit`, `evaluate` and `validation_data` take.
Data: TypeAlias = ArrayLike | Source | tf.data.Dataset | keras.utils.PyDataset | Iterator
_DEFAULT_BATCH_SIZE = 32  # As in Keras.


class _Batches(NamedTuple):
    """Plain batches, float32 and labels in int32, and what is known of them.

    Attributes:
        dataset: A single pass, or endless.
        num_rows: Int, of the first batch.
        num_batches: Int of a pass, or `tf.data.INFINITE_CARDINALITY` or `UNKNOWN_CARDINALITY`.
        is_repeatable: Bool, whether the dataset is a single pass that can be read again.
        load: Callable (part) -> a worker's part of the batches of a source; None for other data.
    """

    dataset: tf.data.Dataset
    num_rows: int
    num_batches: int
    is_repeatable: bool = False
    load: Callable[[tuple[int, int]], tf.data.Dataset] | None = None


def training_data(
    x: Data,
    y: ArrayLike | None = None,
    *,
    batch_size: int | None = None,
    shuffle: bool = True,
    discriminator_steps: int = 1,
    data_shape: tuple[int | None, ...],
    num_classes: int | None = None,
    seed: int = 0,
    start_step: Callable[[], int] = lambda: 0,
    epochs: int = 1,
    steps_per_epoch: int | None = None,
    steps_per_execution: int = 1,
    check_batch: Callable[[int], None] | None = None,
    needs_equal_batches: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> tuple[tf.data.Dataset | tf.distribute.DistributedDataset, int | None]:
    """Returns the dataset of training steps, and the number of steps in an epoch.

    An element is float32 [batch, discriminator_steps, *data_shape]: fresh real examples for each
    update of the discriminator; for a conditional model a pair of it and int32 [batch,
    discriminator_steps]. uint8 is scaled to [-1, 1], whatever the container.

    The data of a training step, and the position after an interruption:

    - Arrays and sources: batch t is a function of the seed and t, with t = step *
      discriminator_steps at the first update of a step. An array is shuffled anew in each pass,
      or kept in order with `shuffle=False`; batches join one pass to the next, so no row is left
      out. Training resumes exactly.
    - `keras.utils.PyDataset`: the same with its batches. `shuffle` decides whether the batches of a
      finite one come in a new order in each pass. Training resumes exactly if all batches are of
      one size.
    - `tf.data.Dataset` of known length: repeated; batches that are left over at the end of a pass,
      too few for a step, begin the next pass. If the step count has changed since this call (a
      callback such as `keras.callbacks.BackupAndRestore` restored it), the batches of the restored
      steps are skipped, as far as they lie in an unfinished pass. `shuffle` has no effect.
    - `tf.data.Dataset` of unknown length: an epoch is one pass, in which a remainder too small for
      a step is dropped; with `steps_per_epoch` it is repeated as above. A dataset of unknown or
      infinite length starts again from the beginning in each call of `fit`.
    - A Python generator: never repeated and never rewound.

    Args:
        x: Array-like of examples [num_examples, *data_shape] (see `array_inputs.to_examples`), a
            `tfgans.data.Source`, a `tf.data.Dataset` of batches, a `keras.utils.PyDataset` or a
            Python generator of batches. Of a conditional model, datasets and generators
            yield pairs (examples, labels).
        y: Int labels [num_examples] of an array for a conditional model; else None.
        batch_size: Int, examples in one update, for arrays and sources only. Default: 32.
        shuffle: Bool, see above. Default: True.
        discriminator_steps: Int of at least 1, batches in one training step.
        data_shape: Shape of one example, as the discriminator takes it.
        num_classes: Int of a conditional model, else None.
        seed: Int, of the order of arrays and PyDatasets.
        start_step: Callable -> int of at least 0, the training steps done so far. Called when an
            iterator over the result is asked for its first element: after `on_train_begin` of all
            callbacks.
        epochs: Int of at least 1, the number of epochs to train.
        steps_per_epoch: Int, or None for one pass over the data.
        steps_per_execution: Int, of the model. Keras runs whole executions only.
        check_batch: Callable that raises ValueError if a batch of so many rows, its argument,
            cannot be used. Default: None, all can.
        needs_equal_batches: Whether all batches are cut to as many rows as the first has. Default:
            False.
        strategy: The model's `tf.distribute.Strategy`, or None. Each of several workers reads its
            rows of a source or an array only.

    Returns:
        The dataset, to pass to `keras.Model.fit` with `shuffle=False`, and `steps_per_epoch`: None
        for unknown length (wrap `keras.Model.fit` in `expect_end_of_data` then).

    Raises:
        ValueError: If the data do not fit the model, are too few for one step, not finite or out
            of range in the first batch; labels are missing or not taken; or endless data come
            without `steps_per_epoch`.

    Example:

    >>> dataset, steps = training_data(
    ...     np.zeros([100, 2], "float32"), batch_size=10, discriminator_steps=5, data_shape=(2,)
    ... )
    >>> dataset.element_spec.shape, steps
    (TensorShape([10, 5, 2]), 2)
    """
    _check_steps(steps_per_epoch, steps_per_execution)
    checks.boolean("shuffle", shuffle)
    step_at_start = start_step()
    spec = BatchSpec(data_shape, num_classes)

    def first_batch_index() -> int:
        return start_step() * discriminator_steps

    if is_array_like(x) or isinstance(x, Source):
        source = _to_source(x, y, spec, shuffle=shuffle, seed=seed)
        batches = _of_source(source, batch_size, first_batch_index, spec)
    else:
        _refuse_array_arguments(x, y, batch_size)
        if isinstance(x, tf.data.Dataset):
            batches = _of_dataset(x, spec)
        elif isinstance(x, keras.utils.PyDataset):
            made = from_py_dataset(
                x, spec, first_batch_index=first_batch_index, shuffle=shuffle, seed=seed
            )
            batches = _of_python(*made, spec, num_batches=x.num_batches)
        else:
            generator = _as_iterator(x, epochs, steps_per_epoch)
            batches = _of_python(*from_generator(generator, spec, step=start_step), spec)
    if check_batch is not None:
        check_batch(batches.num_rows)
    steps = _steps_of_epoch(
        batches.num_batches, discriminator_steps, steps_per_epoch, steps_per_execution
    )
    if strategy is not None and batches.load is not None and replicas.num_workers(strategy) > 1:
        make = partial(_steps_of_worker, batches.load, batches.num_rows, discriminator_steps)
        return strategy.distribute_datasets_from_function(make), steps
    dataset = batches.dataset
    if batches.is_repeatable and steps is not None:
        dataset = dataset.repeat()
        if batches.num_batches > 0 and replicas.num_workers(strategy) == 1:
            start = step_at_start * discriminator_steps
            dataset = _skip(dataset, lambda: (first_batch_index() - start) % batches.num_batches)
    elif batches.num_batches == tf.data.UNKNOWN_CARDINALITY:
        _require_one_step(dataset, batches.num_rows, discriminator_steps)
    if needs_equal_batches and tf.nest.flatten(dataset.element_spec)[0].shape[0] is None:
        dataset = dataset.rebatch(batches.num_rows, drop_remainder=True)
    grouped = group_updates(dataset, discriminator_steps, batch_size=batches.num_rows)
    return grouped, steps


def evaluation_data(
    x: Data,
    y: ArrayLike | None = None,
    *,
    batch_size: int | None = None,
    data_shape: tuple[int | None, ...],
    num_classes: int | None = None,
    steps: int | None = None,
) -> tf.data.Dataset:
    """Returns the dataset of plain batches that `keras.Model.evaluate` takes.

    An array or a finite source yields each example once, in order, in batches of `batch_size`, the
    last of which may be smaller. A source that draws its examples yields whole batches, in order.
    Datasets and `keras.utils.PyDataset`s keep their batches and their order. The batches of a
    generator are kept in memory, so that all evaluations in a `fit` use the same examples.

    Args:
        x: As for `training_data`; or `(x, y)`, as `validation_data` is passed to `fit`.
        y: As for `training_data`.
        batch_size: Int, for arrays and sources; other data keep their batches. Default: 32, or,
            with `steps`, the size that splits the whole array into `steps` batches, as in Keras.
        data_shape: As for `training_data`.
        num_classes: As for `training_data`.
        steps: Int, the batches that will be evaluated; required for endless data. Default: all.

    Returns:
        A `tf.data.Dataset` of float32 [batch, *data_shape]; for a conditional model of pairs with
        int32 [batch]. Pass `steps` on to `keras.Model.evaluate`.

    Raises:
        ValueError: As `training_data`; or if the data are endless and `steps` is None.
    """
    if steps is not None:
        checks.positive_int("steps", steps)
    spec = BatchSpec(data_shape, num_classes)
    x, y = _split_pair(x, y, data_shape)
    if is_array_like(x) or isinstance(x, Source):
        source = _to_source(x, y, spec, shuffle=False, seed=0)
        _check_end(source.num_examples is None, steps)
        dataset = _in_order(source, batch_size, num_classes, steps)
        check_first_batch(dataset, spec)
        return standardize(dataset, spec)
    _refuse_array_arguments(x, y, batch_size=None)
    if isinstance(x, tf.data.Dataset):
        _check_end(x.cardinality() == tf.data.INFINITE_CARDINALITY, steps)
        return _of_dataset(x, spec).dataset
    if isinstance(x, keras.utils.PyDataset):
        _check_end(x.num_batches is None, steps)
        return _of_python(*from_py_dataset(x, spec, shuffle=False, seed=0), spec).dataset
    generator = _as_iterator(x, 1, steps)
    dataset = _of_python(*from_generator(generator, spec, step=lambda: 0), spec).dataset
    return dataset if steps is None else dataset.take(steps)


@contextlib.contextmanager
def expect_end_of_data(steps: int | None) -> Iterator[None]:
    """Silences Keras's warning that the data have run out, if `steps` is None.

    Data of unknown length, without `steps_per_epoch` or `steps`, end every epoch by running out.

    Args:
        steps: Int, the steps of an epoch or an evaluation; None if the data decide.
    """
    if steps is not None:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data", UserWarning)
        yield


def _check_steps(steps_per_epoch: int | None, steps_per_execution: int) -> None:
    if steps_per_epoch is None:
        return
    checks.positive_int("steps_per_epoch", steps_per_epoch)
    if steps_per_epoch % steps_per_execution:
        raise ValueError(
            "`steps_per_epoch` must be a multiple of `steps_per_execution` = "
            f"{steps_per_execution}. Received: {steps_per_epoch}"
        )


def _check_end(is_endless: bool, steps: int | None) -> None:
    if is_endless and steps is None:
        raise ValueError(
            "Endless data can be evaluated for a number of batches only: pass `steps` "
            "(`validation_steps` in `fit`), or a `dataset.take(num_batches)`. Received: None"
        )


def _as_iterator(x: Data, epochs: int, steps_per_epoch: int | None) -> Iterator:
    """Returns `x` if it is an iterator whose batches are enough for so many epochs."""
    if not isinstance(x, Iterator):
        raise ValueError(
            "Data must be an array [num_examples, ...], a `tfgans.data.Source`, a "
            "`tf.data.Dataset` of batches, a `keras.utils.PyDataset` or a Python generator of "
            f"batches. Received: {type(x).__name__}"
        )
    if epochs > 1 and steps_per_epoch is None:
        raise ValueError(
            "A generator cannot be repeated: for several epochs it must yield `steps_per_epoch` * "
            f"`discriminator_steps` batches for each. Received: epochs={epochs}, "
            "steps_per_epoch=None. Pass `steps_per_epoch`"
        )
    return x


def _refuse_array_arguments(x: Data, y: ArrayLike | None, batch_size: int | None) -> None:
    """Raises ValueError if there are labels or a batch size beside data that come in batches."""
    kind = type(x).__name__ if not isinstance(x, tf.data.Dataset) else "`tf.data.Dataset`"
    if batch_size is not None:
        raise ValueError(
            f"`batch_size` is for arrays and sources: a {kind} comes in batches. Received: "
            f"batch_size={batch_size}. Remove it"
        )
    if y is not None:
        raise ValueError(
            f"`y` is for arrays: a {kind} holds its labels, in pairs (examples, labels). "
            f"Received: y of type {type(y).__name__}. Remove it"
        )


def _split_pair(
    x: Data, y: ArrayLike | None, data_shape: tuple[int | None, ...]
) -> tuple[Data, ArrayLike | None]:
    """Returns the examples and labels of `(x, y)`, but of no list or tuple of examples."""
    if y is not None or not isinstance(x, tuple | list) or len(x) < 2:
        return x, y
    # An array of scalars, where an example is a vector of a single number.
    scalars = data_shape == (1,) and is_array_like(x[0]) and np.shape(x[0]) not in ((), (1,))
    is_example = np.isscalar(x[0]) or (is_array_like(x[0]) and np.ndim(x[0]) == len(data_shape))
    if is_example and not scalars:
        return x, y  # A list of examples.
    return split_element(x)


def _to_source(
    x: ArrayLike | Source,
    y: ArrayLike | None,
    spec: BatchSpec,
    *,
    shuffle: bool,
    seed: int,
) -> Source:
    if not isinstance(x, Source):
        return array_source(
            x,
            y,
            data_shape=spec.data_shape,
            num_classes=spec.num_classes,
            shuffle=shuffle,
            seed=seed,
        )
    if y is not None:
        raise ValueError(
            "`y` is for arrays: a `Source` holds its labels. Received: y of type "
            f"{type(y).__name__}. Remove it"
        )
    check_shape(tf.TensorShape([None, *x.data_shape]), spec.data_shape)
    return x


def _of_source(
    source: Source, batch_size: int | None, first_batch_index: Callable[[], int], spec: BatchSpec
) -> _Batches:
    size = _DEFAULT_BATCH_SIZE if batch_size is None else batch_size

    def load(part: tuple[int, int]) -> tf.data.Dataset:
        has_labels = spec.num_classes is not None
        return source.batches(size, start_step=first_batch_index, labels=has_labels, part=part)

    # A single worker takes all: to share them out, a strategy would copy the examples in memory.
    whole = load((0, 1))
    num_rows = check_first_batch(whole, spec)
    num_batches = tf.data.INFINITE_CARDINALITY
    if source.num_examples is not None:
        num_batches = source.num_examples // size
    return _Batches(
        standardize(whole, spec),
        num_rows,
        num_batches,
        load=lambda part: standardize(load(part), spec),
    )


def _of_dataset(dataset: tf.data.Dataset, spec: BatchSpec) -> _Batches:
    num_rows = check_first_batch(dataset, spec)
    batches = standardize(dataset, spec)
    return _Batches(batches, num_rows, int(dataset.cardinality()), is_repeatable=True)


def _of_python(
    dataset: tf.data.Dataset, first: NumpyBatch, spec: BatchSpec, *, num_batches: int | None = None
) -> _Batches:
    num_rows = check_batch_values(first, spec)
    if num_batches is None:
        num_batches = int(dataset.cardinality())
    return _Batches(standardize(dataset, spec), num_rows, num_batches)


def _in_order(
    source: Source, batch_size: int | None, num_classes: int | None, steps: int | None
) -> tf.data.Dataset:
    """Returns each example of a finite source once, or the first batches of an endless one."""
    num_examples, has_labels = source.num_examples, num_classes is not None
    if batch_size is None:
        batch_size = _DEFAULT_BATCH_SIZE
        if steps is not None and num_examples is not None:
            batch_size = math.ceil(num_examples / steps)
    size = checks.positive_int("batch_size", batch_size)
    if not isinstance(source, IndexedSource):
        batches = source.batches(size, labels=has_labels)
        return batches if num_examples is None else batches.take(num_examples // size)
    if has_labels:
        check_presence(source.labels, num_classes)

    @tf.autograph.experimental.do_not_convert
    def read(indices: tf.Tensor) -> Batch:
        examples = source.rows(indices)
        return (examples, tf.gather(source.labels, indices)) if has_labels else examples

    indices = tf.data.Dataset.range(source.num_examples).batch(size)
    return indices.map(read).with_options(dataset_options()).prefetch(tf.data.AUTOTUNE)


def _steps_of_epoch(
    num_batches: int,
    discriminator_steps: int,
    steps_per_epoch: int | None,
    steps_per_execution: int,
) -> int | None:
    """Returns the training steps of an epoch, or None if the length of the data decides."""
    if steps_per_epoch is not None:
        return steps_per_epoch
    if num_batches == tf.data.INFINITE_CARDINALITY:
        raise ValueError("Endless data need `steps_per_epoch`. Received: None")
    if num_batches == tf.data.UNKNOWN_CARDINALITY:
        return None
    # A pass over the data, rounded down to whole executions.
    executions = num_batches // (discriminator_steps * steps_per_execution)
    return max(1, executions) * steps_per_execution


def _require_one_step(dataset: tf.data.Dataset, num_rows: int, discriminator_steps: int) -> None:
    """Raises ValueError if data of unknown length end before the first step is complete."""
    needed, received = num_rows * discriminator_steps, 0
    for batch in dataset.take(discriminator_steps):
        received += int(tf.shape(tf.nest.flatten(batch)[0])[0])
    if received < needed:
        raise ValueError(
            f"One training step takes {discriminator_steps} batches (`discriminator_steps`) of "
            f"{num_rows} examples = {needed}. Received: a dataset of {received} examples in all. "
            "Use smaller batches or more data, or pass `steps_per_epoch` to repeat a dataset"
        )


def _skip(dataset: tf.data.Dataset, count: Callable[[], int]) -> tf.data.Dataset:
    """Returns an endless dataset without its first `count()` elements, called for each iterator."""
    # Not `flat_map(dataset.skip)`, which would lose the options of the dataset.
    repeated = int_of_iterator(count).flat_map(
        lambda num: tf.data.Dataset.from_tensors(num).repeat()
    )
    numbered = tf.data.Dataset.zip((repeated, dataset.enumerate()))
    kept = numbered.filter(lambda num, element: element[0] >= num).map(
        lambda _, element: element[1]
    )
    return kept.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def _steps_of_worker(
    load: Callable[[tuple[int, int]], tf.data.Dataset],
    num_rows: int,
    discriminator_steps: int,
    context: tf.distribute.InputContext,
) -> tf.data.Dataset:
    """Returns the steps of a worker, its rows of each global batch, an element for each replica."""
    num_workers = context.num_input_pipelines
    batches = load((context.input_pipeline_id, num_workers))
    steps = group_updates(batches, discriminator_steps, batch_size=num_rows // num_workers)
    rows_of_replica = num_rows // context.num_replicas_in_sync
    return steps if rows_of_replica == num_rows // num_workers else steps.rebatch(rows_of_replica)

"""Batches made by Python, as `tf.data`: generators and `keras.utils.PyDataset`s."""

import concurrent.futures
import copy
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfgans.data.batches import split_element
from tfgans.data.example_checks import check_dtype
from tfgans.data.first_batch import BatchSpec
from tfgans.data.label_checks import check_labels, check_presence
from tfgans.data.tables import to_array, to_numbers

Element: TypeAlias = np.ndarray | tf.Tensor | Sequence
NumpyBatch: TypeAlias = np.ndarray | tuple[np.ndarray, np.ndarray]


class RecordedGenerator:
    """Reads a Python generator, whose batches can be read once only, without losing any.

    Keras and `tf.data` open iterators to look at the first batch, and throw them away. As long as
    `step()` stays the same, each new iterator therefore begins with the same batches. Once `step()`
    has changed, training consumes the batches: a new iterator goes on where the newest stopped.

    Args:
        generator: Iterator over batches.
        step: Callable -> int, the training steps done so far.
    """

    def __init__(self, generator: Iterator[Element], step: Callable[[], int]) -> None:
        self._start = itertools.tee(_RepeatedError(generator), 1)[0]
        self._step, self._first_step = step, step()
        self._lock = threading.Lock()
        self._newest = 0  # Number of the newest iterator.

    def __call__(self) -> Iterator[Element]:
        """Returns a new iterator; all older iterators end."""
        with self._lock:
            self._newest += 1
            number, batches = self._newest, copy.copy(self._start)
        while True:
            with self._lock:
                if number != self._newest:
                    return
                if self._step() != self._first_step:
                    self._start = batches
                try:
                    batch = next(batches)
                except StopIteration:
                    return
            yield batch


class _RepeatedError(Iterator[Element]):
    """An iterator that raises its error again: a generator would say that it has ended."""

    def __init__(self, iterator: Iterator[Element]) -> None:
        self._iterator = iterator
        self._error: Exception | None = None

    def __next__(self) -> Element:
        if self._error is not None:
            raise self._error
        try:
            return next(self._iterator)
        except Exception as error:
            self._error = error
            raise


def from_generator(
    generator: Iterator[Element], spec: BatchSpec, *, step: Callable[[], int]
) -> tuple[tf.data.Dataset, NumpyBatch]:
    """Returns the dataset, of unknown length, of what a generator yields, and its first batch.

    See `RecordedGenerator`.

    Raises:
        ValueError: If the generator yields nothing, or its first batch does not fit.
    """
    recorded = RecordedGenerator(generator, step)
    first = next(recorded(), None)
    if first is None:
        raise ValueError("The generator must yield at least one batch. Received: none")
    sample = _to_numpy(first, spec)
    return _dataset(recorded, sample, spec), sample


def from_py_dataset(
    dataset: keras.utils.PyDataset,
    spec: BatchSpec,
    *,
    first_batch_index: Callable[[], int] | None = None,
    shuffle: bool,
    seed: int,
) -> tuple[tf.data.Dataset, NumpyBatch]:
    """Returns the dataset of the batches of a `keras.utils.PyDataset`, and a first batch to check.

    Args:
        dataset: Of `x`, `(x,)` or `(x, y)`. Its `workers` and `use_multiprocessing` are honored.
            `on_epoch_begin` and `on_epoch_end` are called around each pass over it.
        spec: What the model takes.
        first_batch_index: Callable -> int, the number of the first batch in the endless row of
            passes, called for each new iterator. Default: None, a single pass.
        shuffle: Bool, whether each pass over a finite dataset has the batches in a new order.
        seed: Int, of that order, a function of the seed and the number of the pass.

    Raises:
        ValueError: If it is empty or its first batch does not fit.
    """
    num_batches = dataset.num_batches
    if num_batches == 0:
        raise ValueError("The `PyDataset` must hold at least one batch. Received: length 0")

    def batches() -> Iterator[Element]:
        first = 0 if first_batch_index is None else first_batch_index()
        if num_batches is None:
            yield from _pass(dataset, itertools.count(first))
            return
        while True:
            number, offset = divmod(first, num_batches)
            order = np.arange(num_batches)
            if shuffle:
                key = np.random.SeedSequence([seed % 2**64, number])
                order = np.random.default_rng(key).permutation(num_batches)
            yield from _pass(dataset, order[offset:].tolist())
            if first_batch_index is None:
                return
            first = (number + 1) * num_batches

    sample = _to_numpy(dataset[0], spec)
    made = _dataset(batches, sample, spec)
    length = num_batches if first_batch_index is None else None
    cardinality = tf.data.INFINITE_CARDINALITY if length is None else length
    return made.apply(tf.data.experimental.assert_cardinality(cardinality)), sample


def _pass(dataset: keras.utils.PyDataset, indices: Iterable[int]) -> Iterator[Element]:
    dataset.on_epoch_begin()
    if dataset.workers > 1 or (dataset.workers > 0 and dataset.use_multiprocessing):
        yield from _read_in_parallel(dataset, iter(indices))
    else:
        yield from map(dataset.__getitem__, indices)
    dataset.on_epoch_end()


# In a process of the pool: the dataset that it reads.
_datasets: list[keras.utils.PyDataset] = []


def _set_dataset(dataset: keras.utils.PyDataset) -> None:
    _datasets[:] = [dataset]


def _read_in_process(index: int) -> Element:
    return _datasets[0][index]


def _read_in_parallel(dataset: keras.utils.PyDataset, indices: Iterator[int]) -> Iterator[Element]:
    """Yields the batches in order, up to `max_queue_size` of them made at a time."""
    pool: concurrent.futures.Executor
    read: Callable[[int], Element]
    if dataset.use_multiprocessing:
        pool = concurrent.futures.ProcessPoolExecutor(
            dataset.workers, initializer=_set_dataset, initargs=(dataset,)
        )
        read = _read_in_process
    else:
        pool, read = concurrent.futures.ThreadPoolExecutor(dataset.workers), dataset.__getitem__
    with pool:
        while chunk := list(itertools.islice(indices, max(1, dataset.max_queue_size))):
            yield from pool.map(read, chunk)


def _to_numpy(element: Element, spec: BatchSpec) -> NumpyBatch:
    """Returns a batch as arrays: uint8 or float32 examples, with int32 labels."""
    examples, labels = split_element(element)
    examples = to_numbers(examples)
    check_dtype(tf.as_dtype(examples.dtype), spec.data_shape)
    if examples.dtype != np.uint8:
        with np.errstate(over="ignore"):  # Infinite values of the first batch are reported.
            examples = examples.astype(np.float32, copy=False)
    check_presence(labels, spec.num_classes)
    if labels is None:
        return examples
    classes = np.atleast_1d(to_array(labels, "`labels`"))
    return examples, check_labels(classes, len(examples), spec.num_classes)


def _dataset(
    batches: Callable[[], Iterator[Element]], first: NumpyBatch, spec: BatchSpec
) -> tf.data.Dataset:
    """Returns the dataset of the batches, all of the type of the first."""
    first_examples, _ = split_element(first)
    dtype, rank = first_examples.dtype, first_examples.ndim
    shape = [None, *spec.data_shape] if rank > 1 else [None]
    examples = tf.TensorSpec(shape, tf.as_dtype(dtype))

    def as_arrays() -> Iterator[NumpyBatch]:
        for element in batches():
            batch = _to_numpy(element, spec)
            received, _ = split_element(batch)
            if received.dtype != dtype or not examples.shape.is_compatible_with(received.shape):
                raise ValueError(
                    f"All batches must be {dtype} of shape {tuple(examples.shape)}, as the first. "
                    f"Received: {received.dtype} of shape {received.shape}"
                )
            yield batch

    is_conditional = spec.num_classes is not None
    signature = (examples, tf.TensorSpec([None], tf.int32)) if is_conditional else examples
    return tf.data.Dataset.from_generator(as_arrays, output_signature=signature)

"""Batches made by Python, as `tf.data`: generators and `keras.utils.PyDataset`s."""

import concurrent.futures
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfgans.data.batches import split_element
from tfgans.data.example_checks import check_dtype
from tfgans.data.label_checks import refuse_labels, require_labels

Element: TypeAlias = np.ndarray | tf.Tensor | Sequence
NumpyBatch: TypeAlias = np.ndarray | tuple[np.ndarray, np.ndarray]


class RecordedGenerator:
    """Reads a Python generator, whose batches can be read once only, without losing any.

    Keras and `tf.data` open iterators to look at the first batch, and throw them away. Batches are
    therefore recorded as long as `step()` stays the same: each new iterator begins with them. Once
    `step()` has changed, training consumes the batches, and they are recorded no longer.

    Args:
        generator: Iterator over batches.
        step: Callable -> int, the training steps done so far.
    """

    def __init__(self, generator: Iterator[Element], step: Callable[[], int]) -> None:
        self._generator = generator
        self._step = step
        self._lock = threading.Lock()
        self._recorded: list[Element] = []
        self._step_of_record: int | None = step()
        self._newest = 0  # Number of the newest iterator; the others get no more batches.
        self._error: Exception | None = None

    def __call__(self) -> Iterator[Element]:
        """Returns a new iterator; all older iterators end."""
        with self._lock:
            self._newest += 1
            number = self._newest
        position = 0
        while True:
            with self._lock:
                if number != self._newest:
                    return
                try:
                    batch = self._next(position)
                except StopIteration:
                    return
            position += 1
            yield batch

    def _next(self, position: int) -> Element:
        if self._step_of_record is not None and self._step() != self._step_of_record:
            self._step_of_record, self._recorded = None, self._recorded[position:]
        if self._step_of_record is not None:
            if position == len(self._recorded):
                self._recorded.append(self._read())
            return self._recorded[position]
        # What was read ahead of training comes first.
        return self._recorded.pop(0) if self._recorded else self._read()

    def _read(self) -> Element:
        # A generator that has raised an error says to the next iterator that it has ended.
        if self._error is not None:
            raise self._error
        try:
            return next(self._generator)
        except StopIteration:
            raise
        except Exception as error:
            self._error = error
            raise


def from_generator(
    generator: Iterator[Element],
    *,
    step: Callable[[], int],
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
) -> tuple[tf.data.Dataset, NumpyBatch]:
    """Returns the dataset, of unknown length, of what a generator yields, and its first batch.

    Args:
        generator: Iterator over `x`, `(x,)` or `(x, y)`.
        step: Callable -> int. While it returns the same number, iterators over the dataset begin
            with the same batches. Then each goes on where the one before stopped.
        data_shape: Shape of one example.
        num_classes: Int of a conditional model, else None.

    Raises:
        ValueError: If the generator yields nothing, or its first batch does not fit.
    """
    recorded = RecordedGenerator(generator, step)
    first = next(recorded(), None)
    if first is None:
        raise ValueError("The generator must yield at least one batch. Received: none")
    sample = _to_numpy(first, data_shape, num_classes)
    return _dataset(recorded, sample, data_shape, num_classes), sample


def from_py_dataset(
    dataset: keras.utils.PyDataset,
    *,
    first_batch_index: Callable[[], int] | None,
    shuffle: bool,
    seed: int,
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
) -> tuple[tf.data.Dataset, NumpyBatch]:
    """Returns the dataset of the batches of a `keras.utils.PyDataset`, and a first batch to check.

    Args:
        dataset: Of `x`, `(x,)` or `(x, y)`. Its `workers` and `use_multiprocessing` are honored.
            `on_epoch_begin` and `on_epoch_end` are called around each pass over it.
        first_batch_index: Callable -> int, the number of the first batch in the endless row of
            passes, called for each new iterator. None: a single pass.
        shuffle: Bool, whether each pass over a finite dataset has the batches in a new order.
        seed: Int, of that order, a function of the seed and the number of the pass.
        data_shape: Shape of one example.
        num_classes: Int of a conditional model, else None.

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

    sample = _to_numpy(dataset[0], data_shape, num_classes)
    made = _dataset(batches, sample, data_shape, num_classes)
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
    """Yields the batches in order, at most `max_queue_size` of them made ahead."""
    pool: concurrent.futures.Executor
    read: Callable[[int], Element]
    if dataset.use_multiprocessing:
        pool = concurrent.futures.ProcessPoolExecutor(
            dataset.workers, initializer=_set_dataset, initargs=(dataset,)
        )
        read = _read_in_process
    else:
        pool, read = concurrent.futures.ThreadPoolExecutor(dataset.workers), dataset.__getitem__
    try:
        waiting = deque(
            pool.submit(read, index)
            for index in itertools.islice(indices, max(1, dataset.max_queue_size))
        )
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(pool.submit(read, index) for index in itertools.islice(indices, 1))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)


def _to_numpy(
    element: Element, data_shape: tuple[int | None, ...], num_classes: int | None
) -> NumpyBatch:
    """Returns a batch as arrays: uint8 or float32 examples, with int64 labels."""
    examples, labels = split_element(element)
    examples = np.asarray(examples)
    check_dtype(tf.as_dtype(examples.dtype), data_shape)
    if examples.dtype != np.uint8:
        with np.errstate(over="ignore"):  # Infinite values of the first batch are reported.
            examples = examples.astype(np.float32, copy=False)
    if num_classes is None:
        refuse_labels(labels)
        return examples
    require_labels(labels, num_classes)
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer) or labels.size != len(examples):
        raise ValueError(
            f"Labels must be integers, one for each of the {len(examples)} examples of a batch. "
            f"Received: {labels.dtype} of shape {labels.shape}"
        )
    return examples, labels.reshape(-1).astype(np.int64)


def _dataset(
    batches: Callable[[], Iterator[Element]],
    first: NumpyBatch,
    data_shape: tuple[int | None, ...],
    num_classes: int | None,
) -> tf.data.Dataset:
    """Returns the dataset of the batches, all of the type of the first."""
    first_examples = first[0] if isinstance(first, tuple) else first
    dtype, rank = first_examples.dtype, first_examples.ndim
    examples = tf.TensorSpec([None, *data_shape] if rank > 1 else [None], tf.as_dtype(dtype))
    labels = tf.TensorSpec([None], tf.int64)

    def as_arrays() -> Iterator[NumpyBatch]:
        for element in batches():
            batch = _to_numpy(element, data_shape, num_classes)
            received = batch[0] if isinstance(batch, tuple) else batch
            if received.dtype != dtype or not examples.shape.is_compatible_with(received.shape):
                raise ValueError(
                    f"All batches must be {dtype} of shape {tuple(examples.shape)}, as the first. "
                    f"Received: {received.dtype} of shape {received.shape}"
                )
            yield batch

    signature = examples if num_classes is None else (examples, labels)
    return tf.data.Dataset.from_generator(as_arrays, output_signature=signature)

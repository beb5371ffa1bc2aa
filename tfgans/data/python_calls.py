"""Calls Python inside `tf.data`: readable errors, and a clean exit of the process."""

import atexit
import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

_QUIET = 0.1  # Seconds.


class ReadError(ValueError):
    """An example could not be read when its batch was made. The message is one line.

    Args:
        message: What is wrong and what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Makes what `tf.data` reports of a `ReadError` that error again, without the traces."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        match = re.search(rf"{ReadError.__name__}: (.*)", error.message)
        if match is None:
            raise
        raise ReadError(match[1]) from None


class _Calls:
    """The calls in progress, and whether Python is about to end.

    A thread of `tf.data` that waits for Python while Python ends waits for ever, and a thread that
    destroys its iterator waits for it. So at exit new calls are turned away, until the threads have
    filled their buffers with that and rest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active, self._last, self._ending = 0, -_QUIET, False

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        with self._lock:
            self._active += 1
        try:
            if self._ending:
                raise ReadError("Python is about to end")
            yield
        finally:
            with self._lock:
                self._active, self._last = self._active - 1, time.monotonic()

    def end(self) -> None:
        self._ending = True
        while self._active or time.monotonic() - self._last < _QUIET:
            time.sleep(_QUIET / 10)


_calls = _Calls()
atexit.register(_calls.end)


def call(
    function: Callable[[np.ndarray], np.ndarray], argument: tf.Tensor, dtype: np.dtype
) -> tf.Tensor:
    """Returns the tensor that a function makes of an array, in graphs of `tf.data` too."""

    def guarded(array: np.ndarray) -> Any:
        with _calls.active():
            return function(array)

    return tf.numpy_function(guarded, [argument], dtype)

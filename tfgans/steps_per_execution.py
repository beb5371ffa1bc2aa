"""Training steps per call of TensorFlow: `steps_per_execution="auto"`.

A call costs about a millisecond of Python, which is most of the time of a small network's step. So
several steps run in a call, but no more than take a tenth of a second, and never beyond a step that
a callback waits for.
"""

from collections.abc import Callable, Iterator, Sequence

import keras
import tensorflow as tf

from tfgans import checks, compat
from tfgans.types import Inputs, Logs

# The time that the calls approach: long beside the cost of a call, short for someone who waits.
_SECONDS = 0.1
_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class StepsPerExecutionTuner:
    """Chooses the number of steps of each call.

    The first call takes a step. The number doubles while a call takes less than half of the time
    that is aimed at, and is halved when it takes twice as long. The steps are the same whatever the
    numbers: randomness and data are functions of the step.

    `fit` makes a tuner. Keras's iterator over the data calls `choose` before each call of the train
    function, which takes `count` steps and calls `record`.

    Args:
        intervals: Ints of at least 1. No call goes beyond a multiple of any of them.

    Attributes:
        count: Int, the steps of the present call.
    """

    def __init__(self, intervals: Sequence[int]) -> None:
        self._intervals = tuple(intervals)
        self._size = 1
        self._calls = 0
        self.count = 1

    def choose(self, step: int, left: int | None) -> int:
        """Returns the number of steps of the next call.

        Args:
            step: Int, the training steps done.
            left: Int, the steps until the end of the epoch; None if the data decide.
        """
        bounds = [every - step % every for every in self._intervals]
        self.count = min([self._size, *bounds, *([] if left is None else [left])])
        return self.count

    def record(self, seconds: float) -> None:
        """Adapts the number of steps to the duration of a call."""
        self._calls += 1
        if self._calls == 1:
            return  # TensorFlow traced the step.
        if seconds < _SECONDS / 2 and self.count == self._size:
            self._size *= 2
        elif seconds > 2 * _SECONDS:
            self._size = max(1, self.count // 2)


def intervals(
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.CallbackList | None,
) -> list[int]:
    """Returns the intervals, in steps, at which callbacks must see a step.

    A callback with an attribute `every_steps` (all of `tfgans.callbacks` have it) must see its
    multiples; if it is None, any step will do. Any other callback with batch-level hooks must see
    every step, unless it belongs to Keras and acts at the end of epochs.

    Raises:
        ValueError: If an `every_steps` is neither None nor an int of at least 1.
    """
    listed = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks) or [])
    waits = [_every_steps(callback) for callback in listed]
    return sorted({every for every in waits if every is not None})


def make_multi_step_function(
    train_step: Callable[[Inputs], Logs], *, jit_compile: bool
) -> Callable[[Iterator[Inputs], int], Logs]:
    """Returns a function of an iterator and a number of steps, which it takes in a single call.

    Fewer, if the data end; if there are none left it raises StopIteration. It returns the logs of
    the last step. It is traced once for all numbers.

    Args:
        train_step: Function of the data of a step to the logs.
        jit_compile: Bool, whether XLA compiles the step.
    """
    step = tf.function(
        train_step, autograph=False, reduce_retracing=True, jit_compile=jit_compile or None
    )

    @tf.function(autograph=False, reduce_retracing=True)
    def run(iterator: tf.data.Iterator, count: tf.Tensor) -> tuple[tf.Tensor, Logs]:
        first = iterator.get_next_as_optional()
        outputs = step.get_concrete_function(iterator.element_spec).structured_outputs
        nothing = tf.nest.map_structure(lambda log: tf.zeros(log.shape, log.dtype), outputs)

        def body(
            done: tf.Tensor, logs: Logs, data: tf.experimental.Optional
        ) -> tuple[tf.Tensor, Logs, tf.experimental.Optional]:
            del logs
            logs = step(data.get_value())
            done += 1
            # Data that no step takes must stay in the iterator.
            return done, logs, tf.cond(done < count, iterator.get_next_as_optional, lambda: data)

        done, logs, _ = tf.while_loop(
            lambda done, _, data: (done < count) & data.has_value(),
            body,
            (tf.constant(0), nothing, first),
            parallel_iterations=1,
        )
        return done, logs

    def take_steps(iterator: Iterator[Inputs], count: int) -> Logs:
        if not isinstance(iterator, tf.data.Iterator):  # That of `train_on_batch`.
            return step(next(iterator))
        done, logs = run(iterator, tf.constant(count))
        if int(done) == 0:
            raise StopIteration
        return logs

    return take_steps


def _every_steps(callback: keras.callbacks.Callback) -> int | None:
    if hasattr(callback, "every_steps"):
        every, name = callback.every_steps, f"{type(callback).__name__}.every_steps"
        return None if every is None else checks.positive_int(name, every)
    return 1 if _has_batch_hook(callback) and not _acts_on_epochs(callback) else None


def _has_batch_hook(callback: keras.callbacks.Callback) -> bool:
    return any(
        getattr(method := getattr(callback, name), "__func__", method)
        is not getattr(keras.callbacks.Callback, name)
        for name in _HOOKS
    )


def _acts_on_epochs(callback: keras.callbacks.Callback) -> bool:
    """Returns whether a callback of Keras with hooks of batches leaves them idle."""
    kind = type(callback)
    if kind is keras.callbacks.ProgbarLogger:
        return True  # It shows the step that it is told.
    if kind in (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore):
        return callback.save_freq == "epoch"
    if kind is keras.callbacks.TensorBoard:
        return (
            callback.update_freq == "epoch"
            and not callback.write_steps_per_second
            and not compat.profiles_batches(callback)
        )
    return False

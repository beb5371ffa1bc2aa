"""Divides a run into calls of `fit`."""

from collections.abc import Iterator
from typing import NamedTuple

# Epochs in a call of `fit` of a run without a last step.
_MANY_EPOCHS = 1000


class Segment(NamedTuple):
    """One call of `fit`."""

    initial_epoch: int
    epochs: int
    steps_per_epoch: int


def segments(done: int, steps: int | None, steps_per_epoch: int) -> Iterator[Segment]:
    """Yields the calls of `fit` that lead from step `done` to `steps`; with None they are endless.

    A run that stopped within an epoch finishes it first; then come the whole epochs, then the rest.
    So epochs end at the same steps as without the stop. The log's row of the epoch with the stop is
    a mean over its steps after the stop only.
    """
    while steps is None or done < steps:
        epoch, begun = divmod(done, steps_per_epoch)
        left = _MANY_EPOCHS * steps_per_epoch if steps is None else steps - done
        if begun or left < steps_per_epoch:
            count, epochs = min(steps_per_epoch - begun, left), 1
        else:
            count, epochs = steps_per_epoch, left // steps_per_epoch
        yield Segment(initial_epoch=epoch, epochs=epoch + epochs, steps_per_epoch=count)
        done += count * epochs

"""Divides a run into calls of `fit`."""

from collections.abc import Iterator
from typing import NamedTuple


class Segment(NamedTuple):
    """One call of `fit`."""

    initial_epoch: int
    epochs: int
    steps_per_epoch: int


def segments(done: int, steps: int, epoch_steps: int) -> Iterator[Segment]:
    """Yields the calls of `fit` that lead from step `done` to `steps`.

    A run that stopped within an epoch finishes it first; then come the whole epochs, then the rest.
    So epochs end at the same steps as without the stop. The log's row of the epoch with the stop is
    a mean over its steps after the stop only.
    """
    while done < steps:
        epoch, begun = divmod(done, epoch_steps)
        whole = (steps - done) // epoch_steps
        if begun or not whole:
            count, epochs = min(epoch_steps - begun, steps - done), 1
        else:
            count, epochs = epoch_steps, whole
        yield Segment(initial_epoch=epoch, epochs=epoch + epochs, steps_per_epoch=count)
        done += count * epochs

"""Notices that a callback of the user has stopped the training."""

from collections.abc import Callable

from tfgans.callbacks.callback import Callback, Logs


class EarlyEnd(Callback):
    """Notices a stop by a callback listed before it, so that callbacks after it end with the run.

    Args:
        stops: Function that returns whether the run itself stops the training, say at a time limit
            or after a signal.
        when_reached: Called once with the epoch and the logs, when another callback has stopped it.

    Attributes:
        reached: Whether another callback has stopped the training.
    """

    def __init__(
        self, stops: Callable[[], bool], *, when_reached: Callable[[int, Logs], None]
    ) -> None:
        super().__init__()
        self._stops, self._when_reached = stops, when_reached
        self.reached = False

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Looks whether the training has been stopped."""
        if self.model.stop_training and not self.reached and not self._stops():
            self.reached = True
            self._when_reached(epoch, logs)

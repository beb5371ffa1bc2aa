"""When a callback that acts every N training steps is due."""

from tfgans import checks


class Every:
    """Tells whether a multiple of `steps` has been passed since the last call.

    Callbacks see only the last of `steps_per_execution` steps, so they cannot wait for an exact
    multiple; and they count by `model.step`, which a resumed run carries on.

    Args:
        steps: Int of at least 1.
    """

    def __init__(self, steps: int) -> None:
        self.steps = checks.positive_int("every_steps", steps)
        self._passed = 0

    def begin(self, step: int) -> None:
        """Starts counting at `step`."""
        self._passed = step // self.steps

    def due(self, step: int) -> bool:
        """Returns whether a multiple has been passed, once for each."""
        before, self._passed = self._passed, step // self.steps
        return self._passed > before

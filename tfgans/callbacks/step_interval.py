"""Decides when a callback that acts every N training steps is due."""

from tfgans import checks


class StepInterval:
    """Tells whether a multiple of `steps` has passed since the last call.

    Callbacks see only the last of `steps_per_execution` steps, so they cannot wait for an exact
    multiple. They count by `model.step`, which continues in a resumed run.

    Args:
        steps: Int of at least 1.
    """

    def __init__(self, steps: int) -> None:
        self.steps = checks.positive_int("every_steps", steps)
        self._passed = 0

    def begin(self, step: int) -> None:
        """Starts to count at `step`."""
        self._passed = step // self.steps

    def due(self, step: int) -> bool:
        """Returns whether a multiple has passed since the last call or `begin`."""
        before, self._passed = self._passed, step // self.steps
        return self._passed > before

"""Waits for something that another process or thread does."""

import time


def wait_for(condition, *, process=None, seconds=120):
    """Waits until `condition()` is true; fails after `seconds`, or if the process has ended."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, "the process has ended"
        assert time.monotonic() < deadline, f"still waiting after {seconds} seconds"
        time.sleep(0.01)

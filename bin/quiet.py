"""Imported first by every script: starts TensorFlow without its first lines on stderr.

They say that oneDNN is on and that no GPU was found, and they ignore TF_CPP_MIN_LOG_LEVEL.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def _hold_back_stderr() -> Iterator[None]:
    """Keeps what is written to stderr to itself, unless the block fails."""
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with _hold_back_stderr():
    import tensorflow as tf

    tf.config.list_physical_devices()

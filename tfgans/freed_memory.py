"""Keeps the memory that training frees in the process, to be used again."""

import ctypes
import os
import platform

# Of glibc's `mallopt`, by the numbers of malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER_TRIM = 2**31 - 1


def keep_freed_memory() -> bool:
    """Makes the process keep large blocks of memory that it frees, and use them again.

    Each training step allocates the same large tensors. By default glibc, the C library of most
    Linux systems, returns them to the system when they are freed, which maps and clears them again
    for the next step. That was half of the time of a step of a DCGAN on a virtual machine with
    2 cores. The process grows by a few percent, and keeps the memory of its largest step. All
    threads then allocate from one arena, since the arenas of other threads return memory in any
    case, and no block, however large, gets a separate mapping.

    The commands that train call it. In a program of your own call it once, before the first
    operation of TensorFlow. The numbers that are computed do not change.

    Returns:
        Whether it was done: False with another C library, or if the environment has settings of
        its own for the allocator (`MALLOC_ARENA_MAX`, `MALLOC_TRIM_THRESHOLD_`,
        `MALLOC_MMAP_THRESHOLD_`, `MALLOC_MMAP_MAX_`, `GLIBC_TUNABLES`).

    Reference: `man 3 mallopt`.

    Example:

    ```python
    tfgans.training.keep_freed_memory()
    gan.fit(source, batch_size=64, epochs=5, steps_per_epoch=100)
    ```
    """
    chosen = (
        *("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_"),
        *("MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES"),
    )
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in chosen):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_ARENA_MAX: 1, _TRIM_THRESHOLD: _NEVER_TRIM, _MMAP_MAX: 0}
    taken = [mallopt(name, value) for name, value in settings.items()]
    return all(taken)

"""Reads files in threads."""

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tfgans.data import unreadable

T = TypeVar("T")
# Files that are read at a time: what is read and not yet taken needs memory.
_CHUNK = 256
_NUM_THREADS = min(32, os.cpu_count() or 1)


def in_threads(
    read: Callable[[int], T], places: Iterable[int]
) -> Iterator[tuple[int, T | Exception]]:
    """Yields what `read` returns of each place, in order, or why it cannot be read."""

    def attempt(place: int) -> T | Exception:
        try:
            return read(place)
        except unreadable.ERRORS as error:
            return error

    def attempt_all(some: list[int]) -> list[T | Exception]:
        return [attempt(place) for place in some]

    remaining = iter(places)
    while chunk := list(itertools.islice(remaining, _CHUNK)):
        # A task a thread: each costs as much as a tenth of a small image.
        size = -(-len(chunk) // _NUM_THREADS)
        parts = [chunk[start : start + size] for start in range(0, len(chunk), size)]
        for part, results in zip(parts, _threads().map(attempt_all, parts), strict=True):
            yield from zip(part, results, strict=True)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Returns the threads that are shared by all sources of the process."""
    return ThreadPoolExecutor(_NUM_THREADS, "tfgans-read")

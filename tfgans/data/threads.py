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


def in_threads(
    read: Callable[[int], T], places: Iterable[int]
) -> Iterator[tuple[int, T | Exception]]:
    """Yields what `read` returns of each place, in order, or why it cannot be read."""

    def attempt(place: int) -> T | Exception:
        try:
            return read(place)
        except unreadable.ERRORS as error:
            return error

    remaining = iter(places)
    while chunk := list(itertools.islice(remaining, _CHUNK)):
        yield from zip(chunk, _threads().map(attempt, chunk), strict=True)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Returns the threads that are shared by all sources of the process."""
    return ThreadPoolExecutor(min(32, os.cpu_count() or 1), "tfgans-read")

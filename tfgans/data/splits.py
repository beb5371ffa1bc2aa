"""Parts of a split, such as `train[:90%]`."""

import re
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfgans.data import draws, paths
from tfgans.data.arrays import ArraySource
from tfgans.data.indexed import IndexedSource
from tfgans.random import Role

_PATTERN = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?")


class Split(NamedTuple):
    """A split, or a part of it.

    Attributes:
        name: Name of the split.
        start: Start of the part, such as `"10%"`, `"5000"` or `"-100"`, or None: that of the split.
        stop: End of the part, in the same form, or None: that of the split.
        is_part: Whether it is a part.
    """

    name: str
    start: str | None
    stop: str | None
    is_part: bool

    def indices(self, num_examples: int) -> np.ndarray:
        """Returns the sorted indices of the part: int64 `[k]`.

        The part is a slice of a permutation that depends on `num_examples` alone: parts that do
        not overlap have no example in common, whatever the seed of the training.

        Raises:
            ValueError: If the part is empty, or reaches beyond the split.
        """
        if not self.is_part:
            return np.arange(num_examples)
        bounds = [_position(text, num_examples) for text in (self.start, self.stop)]
        if any(abs(bound or 0) > num_examples for bound in bounds):
            raise ValueError(
                f"A part must lie in its split. Received: {self} of {num_examples} examples. End "
                "it at 100 %, or leave the end open, as in 'train[90%:]'"
            )
        key = draws.key(0, Role.DATA_SPLIT)
        permutation = np.argsort(draws.uniform([num_examples], key).numpy(), kind="stable")
        part = permutation[slice(*bounds)]
        if not len(part):
            raise ValueError(
                f"A part of a split must hold an example. Received: {self} of {num_examples}"
            )
        return np.sort(part)

    def may_overlap(self, other: "Split") -> bool:
        """Returns whether two parts of the same data may share examples.

        Returns True if that depends on the number of examples, as for a bound in percent and
        another that is a count. Names such as `val` and `validation` are the same split.
        """
        names = {paths.split_of(part.name) or part.name for part in (self, other)}
        pairs = ((self, other), (other, self))
        meets = any(
            part.stop is not None and part.stop == following.start for part, following in pairs
        )
        if len(names) > 1 or meets:
            return False
        if (self.start, self.stop) == (None, None) or (other.start, other.stop) == (None, None):
            return True
        bounds = [text for part in (self, other) for text in (part.start, part.stop) if text]
        in_percent = {text.endswith("%") for text in bounds}
        from_end = {text.startswith("-") for text in bounds}
        if len(in_percent) > 1 or (False in in_percent and len(from_end) > 1):
            return True
        # Of counts no part ends beyond this number.
        num_examples = 100 if True in in_percent else 2**62
        first, second = (
            range(num_examples)[_position(part.start, 100) : _position(part.stop, 100)]
            for part in (self, other)
        )
        return max(first.start, second.start) < min(first.stop, second.stop)

    def __str__(self) -> str:
        part = f"[{self.start or ''}:{self.stop or ''}]" if self.is_part else ""
        return f"{self.name}{part}"


def parse_split(split: str) -> Split:
    """Returns the split that `"train"` or `"train[:90%]"` says, as in tensorflow-datasets.

    Raises:
        ValueError: If it is neither.
    """
    match = _PATTERN.fullmatch(split) if isinstance(split, str) else None
    if match is None:
        raise ValueError(
            "`split` must be a name such as 'train', or a part such as 'train[:90%]' or "
            f"'train[5000:]'. Received: {split!r}"
        )
    return Split(match["name"], match["start"], match["stop"], match[2] is not None)


def subset(source: IndexedSource, indices: np.ndarray) -> IndexedSource:
    """Returns the source of some examples of another, with its classes, flips and seed."""
    if not isinstance(source, ArraySource):
        return StoredSubset(source, indices)
    return ArraySource(
        source.array[indices],
        labels=None if source.labels is None else source.labels[indices],
        class_names=source.class_names,
        flip=source.flip,
        seed=source.seed,
        name=source.name,
    )


class StoredSubset(IndexedSource):
    """Some examples of a source, read through it.

    Args:
        source: The source.
        indices: Int array `[k]` of examples of the source.
    """

    def __init__(self, source: IndexedSource, indices: np.ndarray) -> None:
        self._source, self._chosen = source, np.asarray(indices, np.int64)
        self.dtype = source.dtype
        super().__init__(
            name=source.name,
            data_shape=source.data_shape,
            num_examples=len(indices),
            labels=None if source.labels is None else source.labels[indices],
            class_names=source.class_names,
            flip=source.flip,
            seed=source.seed,
        )

    def raw(self, indices: np.ndarray) -> np.ndarray:
        """Returns the examples at integer `indices` `[k]` as they are held: uint8 or float32."""
        return self._source.raw(self._chosen[indices])

    def rows(self, indices: tf.Tensor) -> tf.Tensor:
        """Returns the examples at integer `indices`, any shape: float32, images in [-1, 1]."""
        return self._source.rows(tf.gather(self._chosen, indices))


def _position(text: str | None, num_examples: int) -> int | None:
    if text is None:
        return None
    if text.endswith("%"):
        percent = int(text[:-1])
        # -10 % is the same place as 90 %, however it is rounded.
        percent += 100 if -100 <= percent < 0 else 0
        return round(percent * num_examples / 100)
    return int(text)

"""Checks arguments. Each error states the expected and the received value."""

import math
import numbers
import reprlib
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

_SUM_TOLERANCE = 1e-4
# Larger arrays are shown by shape and dtype.
_FEW_NUMBERS = 8
_LONGEST = 400


def short(value: Any) -> str:
    """Returns `repr(value)` on a single line of at most 400 characters, for errors and reprs.

    Args:
        value: Any object. An array or tensor of more than 8 numbers becomes its shape and dtype,
            "array of shape (1000, 28, 28), float32", also within a list or dict. A long list is
            cut after its first elements.
    """
    text = _short.repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


class _Short(reprlib.Repr):
    """See `short`."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 12
        self.maxstring = self.maxother = _LONGEST

    def repr1(self, x: Any, level: int) -> str:
        shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
        # The sizes of a symbolic tensor may be None; such a tensor prints no numbers.
        if isinstance(shape, Iterable) and dtype is not None and not isinstance(x, type):
            sizes = tuple(shape)
            known = all(isinstance(size, numbers.Integral) for size in sizes)
            if known and math.prod(sizes) > _FEW_NUMBERS:
                return f"array of shape {sizes}, {getattr(dtype, 'name', dtype)}"
        text = super().repr1(x, level)
        return " ".join(text.split()) if "\n" in text else text


_short = _Short()


def install_command(extra: str) -> str:
    """Returns the command that installs an extra of this package, for errors.

    Args:
        extra: One of `extras_require` in `setup.py`.
    """
    # The distribution `tfgans` is another project.
    return f"pip install 'tfgans-keras[{extra}]'"


def positive_int(name: str, value: Any) -> int:
    """Returns `value` as an int of at least 1, or raises ValueError."""
    return int_at_least(name, value, 1)


def int_at_least(name: str, value: Any, minimum: int) -> int:
    """Returns `value` as an int of at least `minimum`, or raises ValueError."""
    if not _is_integer(value) or int(value) < minimum:
        raise ValueError(
            f"`{name}` must be an integer of at least {minimum}. Received: {short(value)}"
        )
    return int(value)


def integer(name: str, value: Any) -> int:
    """Returns `value` as an int in the int64 range, or raises ValueError."""
    if not _is_integer(value):
        raise ValueError(f"`{name}` must be an integer. Received: {short(value)}")
    if not -(2**63) <= int(value) < 2**63:
        raise ValueError(f"`{name}` must fit in 64 bits. Received: {short(value)}")
    return int(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return number and math.isfinite(value)


def finite(name: str, value: Any) -> float:
    """Returns `value` as a finite float, or raises ValueError."""
    if not _is_finite(value):
        raise ValueError(f"`{name}` must be a finite number. Received: {short(value)}")
    return float(value)


def non_negative(name: str, value: Any) -> float:
    """Returns `value` as a finite float of at least 0, or raises ValueError."""
    if not _is_finite(value) or value < 0:
        raise ValueError(
            f"`{name}` must be a finite number of at least 0. Received: {short(value)}"
        )
    return float(value)


def positive(name: str, value: Any) -> float:
    """Returns `value` as a finite float above 0, or raises ValueError."""
    if not _is_finite(value):
        raise ValueError(f"`{name}` must be a finite number above 0. Received: {short(value)}")
    if value <= 0:
        raise ValueError(f"`{name}` must be above 0. Received: {short(value)}")
    return float(value)


def boolean(name: str, value: Any) -> bool:
    """Returns `value` if it is True or False, or raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` must be True or False. Received: {short(value)}")
    return value


def choice(name: str, value: Any, options: Collection[str]) -> str:
    """Returns `value` if it is among `options`, or raises a ValueError that lists them."""
    if not isinstance(value, str) or value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"`{name}` must be one of {listed}. Received: {short(value)}")
    return value


def file_name(name: str, value: Any) -> str:
    """Returns `value` if it is a file name without folders, or raises ValueError."""
    plain = isinstance(value, str) and value.isprintable() and not set(value) & set("/\\")
    if not plain or not value or value.startswith("."):
        raise ValueError(
            f"`{name}` must be the name of a file, without folders and not hidden. Received: "
            f"{short(value)}"
        )
    return value


def instance(name: str, value: Any, kind: type, example: str) -> None:
    """Raises ValueError unless `value` is a `kind`; the error shows the code `example`."""
    if not isinstance(value, kind):
        # Keras's public modules have the names of those in `keras.src`.
        module = kind.__module__.rpartition(".")[0].replace("keras.src.", "keras.")
        expected = f"{module}.{kind.__name__}".removeprefix(".")  # Built-in types have no module.
        raise ValueError(
            f"`{name}` must be a {expected}, say `{example}`. Received: {short(value)}"
        )


def probabilities(name: str, value: ArrayLike, size: int) -> np.ndarray:
    """Returns `value` as float64 [size] with sum 1, or raises ValueError."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be numbers. Received: {short(value)}") from error
    if array.shape != (size,):
        raise ValueError(f"`{name}` must have shape ({size},). Received: shape {array.shape}")
    # NaN fails these comparisons.
    if not (array >= 0).all() or not abs(array.sum() - 1) <= _SUM_TOLERANCE:
        raise ValueError(
            f"`{name}` must be probabilities: at least 0, with sum 1 (within {_SUM_TOLERANCE:g}). "
            f"Received a sum of {array.sum():g}. Divide weights by their sum"
        )
    return array / array.sum()


def shape(name: str, value: Iterable[int], *, rank: int | None = None) -> tuple[int, ...]:
    """Returns `value` as a tuple of positive ints, of length `rank` if not None, or raises."""
    sizes: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) else ()
    expected = "positive integers" if rank is None else f"{rank} positive integers"
    wrong_rank = len(sizes) != rank if rank is not None else not sizes
    if wrong_rank or any(not _is_integer(size) or size < 1 for size in sizes):
        raise ValueError(f"`{name}` must be a tuple of {expected}. Received: {short(value)}")
    return tuple(int(size) for size in sizes)

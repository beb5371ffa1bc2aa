"""The classes of a conditional model's samples, drawn with the class frequencies of the data."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgans.data import Source

BY_SHARES = "shares of the data"
UNIFORM = "uniform"
# Decimals of a share in records.
_DIGITS = 6


def is_conditional(origin: Any) -> bool:
    """Returns whether samples of requested classes can be drawn from `origin`.

    Args:
        origin: A `tfgans.GAN` or another object with `sample`. It is conditional if `takes_labels`
            is True, or if it has no such attribute and `num_classes` is not None. Arrays and
            sources are not.
    """
    if isinstance(origin, Source):
        return False
    if hasattr(origin, "takes_labels"):
        return bool(origin.takes_labels)
    return hasattr(origin, "sample") and getattr(origin, "num_classes", None) is not None


def shares_for(origin: Any, source: Source) -> np.ndarray | None:
    """Returns float64 [num_classes], the probability of each class for a conditional `origin`.

    None if the origin draws classes itself: it is not conditional, or the source has no classes.

    Raises:
        ValueError: If the source has examples of classes that the origin does not know.
    """
    if not is_conditional(origin) or source.class_shares is None:
        return None
    shares = source.class_shares
    most, known = int(np.flatnonzero(shares)[-1]) + 1, getattr(origin, "num_classes", None)
    if known is not None and most > known:
        raise ValueError(
            f"The model must know the classes of {source.name!r}, 0 to {most - 1}. Received: a "
            f"model with num_classes={known}. Evaluate it against data of its classes"
        )
    return shares


def describe(
    origin: Any, shares: np.ndarray | None, class_names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Returns the rule by which classes are drawn, as JSON values.

    Args:
        origin: The origin of the samples.
        shares: The result of `shares_for`.
        class_names: The names of the classes of the data. Default: None, left out.

    Returns:
        Dict with "classes" (None if there are no classes) and, with shares, "class_shares" and the
        "class_names" if there are any.
    """
    if shares is not None:
        listed = [round(float(share), _DIGITS) for share in shares]
        named = {} if class_names is None else {"class_names": list(class_names)}
        return {"classes": BY_SHARES, "class_shares": listed, **named}
    return {"classes": UNIFORM if is_conditional(origin) else None}

"""The classes that an evaluation asks a conditional model for: as often as the data have them."""

from typing import Any

import numpy as np

from tfgans.data import Source

BY_SHARES = "shares of the data"
UNIFORM = "uniform"
# Digits of a share that records keep.
_DIGITS = 6


def is_conditional(origin: Any) -> bool:
    """Returns whether samples of `origin` are of classes that can be asked for.

    Args:
        origin: A `tfgans.GAN`, or anything else with `sample`. It is conditional if it says so with
            `takes_labels`, or has `num_classes` that is not None; an array is not.
    """
    if hasattr(origin, "takes_labels"):
        return bool(origin.takes_labels)
    return hasattr(origin, "sample") and getattr(origin, "num_classes", None) is not None


def shares_for(origin: Any, source: Source) -> np.ndarray | None:
    """Returns how likely each class is drawn for a conditional `origin`: float64 [num_classes].

    None where the origin draws by itself: it is not conditional, or the source has no classes.

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


def describe(origin: Any, shares: np.ndarray | None) -> dict[str, Any]:
    """Returns by which rule classes are drawn, as JSON values: "classes", None without classes.

    Args:
        origin: What makes the samples.
        shares: What `shares_for` returns for it.
    """
    if shares is not None:
        listed = [round(float(share), _DIGITS) for share in shares]
        return {"classes": BY_SHARES, "class_shares": listed}
    return {"classes": UNIFORM if is_conditional(origin) else None}
